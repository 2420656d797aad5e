"""The process: what it refuses to begin with, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from importlib.util import find_spec

import httpx
import numpy as np
import pytest

import hourglass as hg
from hourglass import server
from hourglass.server import Limits, create_app, require_extra, serve
from hourglass.server.limits import OwnMachine
from hourglass.server.running import require_safe

from .conftest import DIGITS, running


@pytest.fixture
def model(models, tmp_path):
    models["digits"].save(tmp_path / "digits.safetensors")
    return tmp_path / "digits.safetensors"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_where_others_can_reach_it_a_token_is_needed(sentence, host):
    words = sentence(hg.ParameterError, require_safe, host, None)
    assert words == f"Others can reach {host}, so a token is needed: --token. Or listen on 127.0.0.1."
    require_safe(host, "correct-horse")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_its_own_machine_needs_none(host):
    require_safe(host, None)


@pytest.mark.parametrize("token", ["", "short", "with blanks in it", "wörterbuch", "line\nfeed-here"])
def test_a_token_is_one_word(sentence, token):
    words = sentence(hg.ParameterError, require_safe, "127.0.0.1", token)
    assert words == "A token has at least 8 characters: letters, digits and signs of ASCII, without blanks."


def test_two_models_of_one_name_are_refused(sentence, model):
    words = sentence(hg.ParameterError, serve, [model, f"other/{model.name}"])
    assert words == f"'{model}' and 'other/digits.safetensors' would both be called 'digits'. Rename one."


def test_what_is_no_model_is_refused(sentence, tmp_path):
    assert sentence(hg.ModelFileError, serve, [tmp_path / "none.safetensors"]).startswith("There is no model file")


def test_an_address_that_is_taken_is_refused(sentence, model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = sentence(hg.ParameterError, serve, [model], port=port)
    assert words == f"Can't listen on 127.0.0.1:{port}: Address already in use. Choose another port or address."
    assert sentence(hg.ParameterError, serve, [model], port=99999) == "A port is a number from 0 to 65535. Got 99999."


def test_a_missing_extra_is_named(sentence, monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "fastapi_offline" else find_spec(name))
    wanted = "The server needs fastapi-offline. Run: pip install 'hourglass-ae[server]'"
    assert sentence(hg.MissingExtraError, require_extra) == wanted
    monkeypatch.delitem(vars(server), "Limits", raising=False)
    assert sentence(hg.MissingExtraError, getattr, server, "Limits") == wanted
    require_extra("orjson")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'hourglass\.server' has no attribute 'Limit'"):
        server.Limit  # noqa: B018


def test_pages_of_others_are_refused_where_there_is_no_token(models):
    with running(OwnMachine(create_app({"digits": models["digits"]}))) as address:
        for own in ("localhost", "127.0.0.1:80", "127.1.2.3", "[::1]:8000"):
            assert httpx.get(f"{address}/v1/models", headers={"host": own}).status_code == 200
        others = [{"host": host} for host in ("evil.example", "127.0.0.1.evil.example", "[", "[::1")]
        for headers in (*others, {"origin": "http://evil.example"}, {"origin": "http://["}, {"origin": "null"}):
            answer = httpx.get(f"{address}/v1/models", headers=headers)
            assert answer.status_code == 403
            assert answer.json()["detail"] == (
                "Without a token, only requests to 127.0.0.1 or localhost are answered, and none of other pages."
            )


def test_requests_under_way_finish():
    """Told to end, it answers what it has begun with, and takes nothing new."""
    begun, held = threading.Event(), threading.Event()

    class Slow(hg.Autoencoder):
        def score_samples(self, X, condition=None):
            begun.set()
            held.wait(10)
            return super().score_samples(X, condition)

    slow = Slow(2, max_epochs=1, random_state=0).fit(DIGITS.x_train[:50])
    answers = []
    with running(create_app({"slow": slow}), Limits()) as address:

        def ask():
            answers.append(httpx.post(f"{address}/v1/models/slow/score", json={"rows": DIGITS.x_test[:1].tolist()}, timeout=20))

        client = threading.Thread(target=ask)
        client.start()
        begun.wait(10)
        threading.Timer(0.5, held.set).start()
    client.join()
    assert answers[0].status_code == 200
    assert np.float32(answers[0].json()["score"]) == slow.score_samples(DIGITS.x_test[:1])
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_the_command_serves_until_it_is_told_to_end(model):
    environment = os.environ | {"HOURGLASS_TOKEN": "correct-horse"}
    command = [sys.executable, "-m", "hourglass", "serve", str(model), "--port", "0", "--host", "0.0.0.0", "--access-log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        words = process.stdout.readline()
        assert words.startswith("Serving digits at http://0.0.0.0:")
        address = words.split()[3].rstrip(";").replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{address}/readyz", timeout=60).status_code == 200  # it is listened to; the answer comes once it serves
        assert httpx.get(f"{address}/v1/models").status_code == 401
        bearer = {"authorization": "Bearer correct-horse"}
        assert httpx.get(f"{address}/v1/models/digits", headers=bearer).json()["codes"] == 4
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log = process.stdout.read()
        assert '"GET /v1/models HTTP/1.1" 401' in log
        assert '"GET /v1/models/digits HTTP/1.1" 200' in log
        assert re.search(r'^[\d-]{10} [\d:,]{12} INFO: .*"GET /v1/models/digits HTTP/1.1" 200', log, re.MULTILINE)
        assert "correct-horse" not in log
