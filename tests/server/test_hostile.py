"""Whatever comes, the answer is a refusal with a sentence, and the service is alive and exact after it."""

import gzip
import io
import json
import pickle
import socket
import struct
import time
import zlib
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from hourglass.server import create_app
from hourglass.server.bodies import ARROW, JSON, NPY

from .conftest import DIGITS, LIMITS, people, running
from .test_service import arrow, npy

X = DIGITS.x_test[:1]
DEEP = b'{"rows":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def header(shape, dtype="|u1", version=b"\x01\x00"):
    """An npy that has a header alone."""
    words = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(words)) + words


def objects():
    file = io.BytesIO()
    np.save(file, np.array([print], dtype=object), allow_pickle=True)
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez_compressed(file, np.zeros(10**6))
    return file.getvalue()[:-30]


def squeezed():
    file = io.BytesIO()
    table = pa.table({"height": np.zeros(10_000), "town": ["Rome"] * 10_000})
    with pa.ipc.new_stream(file, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return file.getvalue()


def runs():
    """A few bytes that are a thousand million rows."""
    column = pa.RunEndEncodedArray.from_arrays(pa.array([10**9], pa.int64()), pa.array([1.0]))
    file = io.BytesIO()
    with pa.ipc.new_stream(file, pa.schema([("height", column.type)])) as stream:
        stream.write_batch(pa.record_batch({"height": column}))
    return file.getvalue()


def nothing():
    file = io.BytesIO()
    with pa.ipc.new_stream(file, pa.schema([("height", pa.null())])) as stream:
        stream.write_batch(pa.record_batch({"height": pa.nulls(10**9)}))
    return file.getvalue()


def lying():
    """An Arrow stream whose text reaches beyond its bytes."""
    file = io.BytesIO()
    table = pa.table({"height": [1.0, 2.0], "town": ["Rome" * 10, "Bonn" * 10]})
    with pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    assert struct.pack("<3i", 0, 40, 80) in file.getvalue()
    return file.getvalue().replace(struct.pack("<3i", 0, 40, 80), struct.pack("<3i", 0, 40, 2**30))


def apart(rows, columns=1):
    """JSON of objects that each have columns of their own, so that a table of them has rows x rows x columns cells."""
    return json.dumps([{f"{row}.{column}": 1 for column in range(columns)} for row in range(rows)]).encode()


# name, action, content type, body, status, some of the sentence
CASES = {
    "gzip bomb": ("digits/score", JSON, gzip.compress(b" " * 10**7), 415, "without Content-Encoding", {"content-encoding": "gzip"}),
    "deflate bomb": (
        "digits/score",
        NPY,
        zlib.compress(b" " * 10**7),
        415,
        "without Content-Encoding",
        {"content-encoding": "deflate"},
    ),
    "picture of ten thousand million pixels": ("cleaner/denoise", NPY, header((1, 100_000, 100_000)), 413, "131,072 numbers"),
    "picture too large": ("cleaner/denoise", NPY, npy(np.zeros((1, 400, 400), np.uint8)), 413, "has or asks for 160,000"),
    "too many rows": ("digits/score", NPY, header((10**9, 28, 28)), 413, "200 rows"),
    "JSON too large": ("digits/score", JSON, b'{"rows":[' + b"1," * 2**18 + b"1]}", 413, "262,144 bytes"),
    "rows without end": ("people/score", JSON, b'{"rows":' + apart(10_000) + b"}", 413, "10,000. Send it in parts."),
    "columns without end": ("people/score", JSON, b'{"rows":' + apart(200, 10) + b"}", 413, "400,000. Send it in parts."),
    "conditions without end": ("drawer/sample", JSON, b'{"condition":' + apart(10_000) + b"}", 413, "10,000. Send it in parts."),
    "npy too large": ("digits/score", NPY, b"\0" * (2**20 + 1), 413, "1,048,576 bytes"),
    "npy cut short": ("digits/score", NPY, npy(X)[:-1], 400, "Was it cut short?"),
    "npy too long": ("digits/score", NPY, npy(X) + b"\0", 400, "785 bytes of numbers, and its header speaks of 784"),
    "npy without rows": ("digits/score", NPY, header((0, 28, 28)), 422, "0 sample(s)"),
    "npy of a number": ("digits/score", NPY, npy(np.uint8(3)), 422, "a single number"),
    "npy of negative size": ("digits/score", NPY, header((-1, 28, 28)), 400, "speaks of -784"),
    "npy of two negative sizes": ("digits/score", NPY, header((-1, -28, 28)) + bytes(784), 400, "No array has the shape"),
    "npy of a hundred axes": ("digits/score", NPY, header((1,) * 100 + (784,)) + bytes(784), 400, "No array has the shape"),
    "npy of nothing, endlessly": ("digits/score", NPY, header((0, 2**70)), 400, "No array has the shape"),
    "npy of no Unicode": ("words/encode", NPY, header((1,), "<U4") + b"\xff" * 16, 400, "text that is no Unicode"),
    "npy header of code": ("digits/score", NPY, header("__import__('os').abort()"), 400, "damaged"),
    "npy of a version to come": ("digits/score", NPY, header((1,), version=b"\x09\x00"), 400, "damaged"),
    "npz cut short": ("digits/score", NPY, npz(), 400, "is no npy"),
    "pickled npy": ("digits/score", NPY, objects(), 400, "Python objects, which could run code"),
    "pickle": ("digits/score", NPY, pickle.dumps(X), 400, "is no npy"),
    "complex numbers": ("digits/score", NPY, npy(X.astype(complex)), 415, "complex128"),
    "text in an npy": ("digits/score", NPY, npy(np.array(["a"])), 422, "images of shape (28, 28)"),
    "NaN pixels": ("digits/score", NPY, npy(np.full((1, 28, 28), np.nan)), 422, "holds NaN in row 0"),
    "infinite cell": ("detector/score", NPY, npy(np.array([[np.inf, 0, 0]])), 422, "inf in row 0, column 0"),
    "pixels beyond white": ("digits/score", JSON, b'{"rows":[' + str([[999] * 28] * 28).encode() + b"]}", 422, "int64"),
    "other width": ("detector/score", JSON, b'{"rows":[[1,2]]}', 422, "2 features"),
    "rows of several widths": ("detector/score", JSON, b'{"rows":[[1,2,3],[1]]}', 422, "all of one shape"),
    "text for numbers": ("detector/score", JSON, b'{"rows":[["1","2","3"]]}', 422, "hold text"),
    "objects for pixels": ("digits/score", JSON, b'{"rows":[{"a":1}]}', 422, "images of shape (28, 28)"),
    "numbers for strings": ("words/encode", JSON, b'{"rows":[1,2]}', 422, "no string"),
    "symbol never seen": ("words/encode", JSON, b'{"rows":["/etc"]}', 422, "has never seen"),
    "path for a row": ("digits/encode", JSON, b'{"rows":["/etc/hostname.png"]}', 422, "hold text"),
    "path of a table": ("people/encode", JSON, b'{"rows":["/etc/passwd.csv"]}', 422, "Row 0 has none"),
    "path among the strings": ("words/encode", JSON, b'{"rows":["/etc/hostname"]}', 422, "Row 0"),
    "series without values": ("waves/score", JSON, b'{"rows":[{}]}', 422, "no column of values"),
    "table without cells": ("people/score", JSON, b'{"rows":[{}]}', 422, "no column"),
    "melody of a string": ("tunes/encode", JSON, b'{"rows":["X:1"]}', 422, "A melody is an object"),
    "melody without an end": ("tunes/encode", JSON, b'{"rows":[{"notes":[[60,99999,4]]}]}', 413, "65,536 16ths"),
    "note of a thousand digits": (
        "tunes/encode",
        JSON,
        b'{"rows":[{"notes":[[60,"1e999999999",4]]}]}',
        422,
        "A melody is an object",
    ),
    "note divided by nothing": ("tunes/encode", JSON, b'{"rows":[{"notes":[[60,"1/0",4]]}]}', 422, "A melody is an object"),
    "note out of hearing": ("tunes/encode", JSON, b'{"rows":[{"notes":[[600,0,4]]}]}', 422, "pitch outside of 0 to 127"),
    "metre of nonsense": ("tunes/encode", JSON, b'{"rows":[{"notes":[[60,0,4]],"metre":"9999999/0"}]}', 422, ""),
    "melody of nothing": ("tunes/encode", JSON, b'{"rows":[{"notes":[]}]}', 422, "A melody is an object"),
    "NaN in JSON": ("detector/score", JSON, b'{"rows":[[NaN,0,0]]}', 400, "missing are null"),
    "number too large for any type": ("detector/score", JSON, b'{"rows":[[1e999,0,0]]}', 400, "is no JSON"),
    "whole number of a thousand digits": ("detector/score", JSON, b'{"rows":[[' + b"9" * 1000 + b",0,0]]}", 4, ""),
    "deep JSON": ("digits/score", JSON, DEEP, 400, "is no JSON"),
    "rather deep JSON": ("digits/score", JSON, b'{"rows":' + b"[" * 200 + b"1" + b"]" * 200 + b"}", 422, "all of one shape"),
    "deep row": ("words/encode", JSON, b'{"rows":[' + b"[" * 1000 + b"]" * 1000 + b"]}", 422, "Row 0 is [[["),
    "deep field": ("drawer/sample", JSON, b'{"n":' + b"[" * 1000 + b"]" * 1000 + b"}", 422, "'n': Input should be"),
    "JSON cut short": ("digits/score", JSON, b'{"rows":[[1,2', 400, "is no JSON"),
    "not UTF-8": ("digits/score", JSON, b'{"rows":["\xff\xfe"]}', 400, "is no JSON"),
    "no object": ("digits/score", JSON, b"[1,2]", 400, "must be a JSON object"),
    "empty body": ("digits/score", JSON, b"", 400, "is no JSON"),
    "empty npy": ("digits/score", NPY, b"", 400, "is no npy"),
    "empty Arrow": ("people/score", ARROW, b"", 400, "is no Arrow IPC stream"),
    "no rows": ("digits/score", JSON, b'{"rows":[]}', 422, "'rows'"),
    "rows missing": ("digits/score", JSON, b"{}", 422, "'rows' is missing"),
    "rows of null": ("digits/score", JSON, b'{"rows":null}', 422, "'rows'"),
    "rows of an object": ("digits/score", JSON, b'{"rows":{}}', 422, "'rows': Input should be a valid list. Got {}."),
    "field said twice": ("digits/interpolate?steps=3", JSON, b'{"rows":[[1]],"steps":2}', 422, "'steps' is said twice."),
    "field twice in the query": ("drawer/sample?n=1&n=2", JSON, b"", 422, "'n' is said twice."),
    "unknown field": ("digits/score", JSON, b'{"rows":[[1]],"row":1}', 422, "'row' is no field here. Known: rows, condition."),
    "wrong content type": ("digits/score", "text/html", b"<p>", 415, "Got 'text/html'"),
    "content type of nonsense": ("digits/score", "\x01", b"{}", 4, ""),
    "form": ("digits/score", "multipart/form-data; boundary=x", b"--x--", 415, "multipart/form-data"),
    "negative n": ("drawer/sample", JSON, b'{"n":-3,"condition":1}', 422, "greater than or equal to 1. Got -3."),
    "n too large": ("drawer/sample", JSON, b'{"n":1000000000000,"condition":1}', 413, "1,000,000,000,000"),
    "n of text": ("drawer/sample", JSON, b'{"n":"many","condition":1}', 422, "'n'"),
    "label never seen": ("drawer/sample", JSON, b'{"n":1,"condition":77}', 422, "knows no condition '77'"),
    "nested condition": ("drawer/sample", JSON, b'{"n":2,"condition":[[1],[2,3]]}', 422, "A condition is a label"),
    "seed too large": ("drawer/sample", JSON, b'{"seed":1e30,"condition":1}', 422, "'seed'"),
    "too many steps": ("digits/interpolate", JSON, b'{"rows":[[1]],"steps":1000000000}', 4, ""),
    "one row to go between": ("digits/interpolate", NPY, npy(X), 422, "A way needs two ends or more."),
    "path of a way": ("digits/interpolate?path=../../etc", NPY, npy(X), 422, "'path'"),
    "other codes": ("digits/decode", JSON, b'{"rows":[[1,2,3]]}', 422, "The model has 4 codes"),
    "codes not finite": ("digits/decode", NPY, npy(np.full((1, 4), np.inf)), 422, "inf in row 0"),
    "codes of text": ("digits/decode", NPY, npy(np.array([["a"] * 4])), 422, "Codes are numbers"),
    "codes as objects": ("digits/decode", JSON, b'{"rows":[{"code0":1}]}', 422, "Rows are lists of numbers"),
    "strength in grey levels": ("cleaner/denoise?strength=25", NPY, npy(X), 422, "so that 25 grey levels are 25/255. Got '25'."),
    "strength below nothing": ("cleaner/denoise?strength=-0.1", NPY, npy(X), 422, "from 0 to 1, where white is 1"),
    "infinite strength": ("cleaner/denoise?strength=inf", NPY, npy(X), 422, "strength"),
    "mask of another size": ("cleaner/denoise", JSON, b'{"rows":[[[1,2],[3,4]]],"mask":[[[true]]]}', 422, "mask of picture 0"),
    "ragged mask": ("cleaner/denoise", JSON, b'{"rows":[[[1,2],[3,4]]],"mask":[[[true],[true,false]]]}', 422, "A mask is a list"),
    "column missing": ("people/score", JSON, b'{"rows":[{"height":1}]}', 422, "no column 'town'"),
    "column of two types": (
        "people/score",
        JSON,
        b'{"rows":[{"height":1,"town":1},{"height":"a","town":"b"}]}',
        422,
        "several types",
    ),
    "nested cell": ("people/score", JSON, b'{"rows":[{"height":[1],"town":"Rome"}]}', 422, "lists or objects"),
    "compressed Arrow": ("people/score", ARROW, squeezed(), 415, "is compressed"),
    "Arrow of runs": ("people/score", ARROW, runs(), 415, "run_end_encoded"),
    "Arrow of nothing": ("people/score", ARROW, nothing(), 413, "1,000,000,000"),
    "Arrow cut short": ("people/score", ARROW, arrow(people())[:-40], 400, "is damaged"),
    "Arrow beyond its bytes": ("people/score", ARROW, lying(), 400, "is damaged"),
    "Arrow of lists": ("people/score", ARROW, arrow(pl.DataFrame({"height": [[1.0]]})), 415, "list"),
    "JSON as Arrow": ("people/score", ARROW, b'{"rows":[]}', 400, "is no Arrow IPC stream"),
    "path in a name": ("..%2f..%2fetc%2fpasswd/score", JSON, b"{}", 404, "There is nothing here"),
    "dots for a name": ("%2e%2e/score", JSON, b"{}", 4, ""),
    "file for a name": ("digits.safetensors/score", JSON, b"{}", 404, "There is no model 'digits.safetensors'."),
    "name of a thousand letters": ("x" * 1000 + "/score", JSON, b"{}", 404, "There is no model 'xxx"),
    "unknown action": ("digits/destroy", JSON, b"{}", 404, "There is nothing here"),
    "map of a table": ("detector/heatmaps", JSON, b"{}", 404, "can't heatmaps. It can score, explain, drift."),
    "drift with a condition": ("detector/drift", JSON, b'{"rows":[[1,2,3]],"condition":1}', 422, "Known: rows."),
    "action it hasn't": ("detector/sample", JSON, b"{}", 404, "(AnomalyDetector) can't sample. It can score, explain, drift."),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile_input_is_refused_with_a_sentence(client, models, case):
    target, form, body, status, words, *headers = case
    response = client.post(f"/v1/models/{target}", content=body, headers={"content-type": form, **(headers[0] if headers else {})})
    assert 400 <= response.status_code < 500, response.text
    if status > 4:
        assert response.status_code == status, response.text
        assert words in response.json()["detail"]
    assert response.headers["content-type"] in {"application/json", "text/plain; charset=utf-8"}
    require_exact(client, models)


def require_exact(client, models):
    found = client.post("/v1/models/digits/score", json={"rows": X.tolist()})
    assert np.float32(found.json()["score"]) == models["digits"].score_samples(X)


def test_other_methods_are_refused(client):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/v1/models/digits/score").status_code == 405


@pytest.mark.filterwarnings("ignore:Column 'height' has gaps")
def test_missing_values_are_null(client):
    assert client.post("/v1/models/people/score", json={"rows": [{"height": None, "town": "Rome"}]}).status_code in {200, 422}


# Bodies without an end


def sent(address, *parts, pause=0.0):
    """What comes back for bytes that are sent one after the other."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        except OSError:
            pass  # it has heard enough
        return connection.recv(2**16)


def test_a_gigabyte_that_is_announced_is_refused_at_once(address, client, models):
    head = (
        b"POST /v1/models/digits/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\nContent-Length: 1073741824\r\n\r\n"
    )
    assert sent(address, head).startswith(b"HTTP/1.1 413")  # 408, had it waited for the body, which never comes
    require_exact(client, models)


def test_a_gigabyte_in_chunks_is_refused_on_the_way(address, client, models):
    def chunks():
        for _ in range(1024):
            yield b"\0" * 2**20

    try:
        response = httpx.post(f"{address}/v1/models/digits/score", content=chunks(), headers={"content-type": NPY}, timeout=20)
        assert response.status_code == 413
    except httpx.TransportError:
        pass  # closed while it was still sending
    require_exact(client, models)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST /v1/mod",
        b"POST /v1/models/digits/score HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["nothing", "half a line", "half a body"],
)
def test_slow_requests_are_ended_with_a_sentence(address, start):
    answer = sent(address, start)  # nothing else ends them before the test's own patience
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"took too long to arrive" in answer


def test_a_drop_now_and_then_does_not_help(address):
    drops = [b"POST /v1/models/digits/score HTTP/1.1\r\nX-A: b\r\n", *[b"X-A: b\r\n"] * 30]
    assert sent(address, *drops, pause=0.15).startswith(b"HTTP/1.1 408")


def test_endless_headers_are_refused(address):
    assert sent(address, b"GET / HTTP/1.1\r\n", *[b"X-A: " + b"b" * 2**14 + b"\r\n"] * 20).startswith(b"HTTP/1.1 431")


def test_nonsense_is_no_request(address):
    assert sent(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_thousand_slow_connections_hold_up_nobody(models):
    patient = replace(LIMITS, seconds=600)  # none of them is ended before the others have had their answers
    with (
        running(create_app({"digits": models["digits"]}, limits=patient), patient) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        place = urlsplit(address)
        slow = [socket.create_connection((place.hostname, place.port)) for _ in range(1000)]
        for connection in slow:
            connection.sendall(b"POST /v1/models/digits/score HTTP/1.1\r\nContent-Length: 9")
        for _ in range(20):
            require_exact(client, models)
        for connection in slow:
            connection.close()


# The token


def test_without_the_token_there_is_nothing(models):
    with (
        running(create_app({"digits": models["digits"]}, token="correct-horse")) as address,
        httpx.Client(base_url=address) as client,
    ):
        for path in ("/v1/models", "/v1/models/digits", "/metrics", "/nothing"):
            assert client.get(path).status_code == 401
        answer = client.post("/v1/models/digits/score", json={"rows": X.tolist()})
        assert answer.status_code == 401
        assert answer.json()["detail"] == "A token is missing: send the header 'Authorization: Bearer TOKEN'."
        for wrong in ("Bearer correct-hors", "Bearer", "Basic correct-horse", "correct-horse", "Bearer \xff"):
            answer = client.get("/v1/models", headers={"authorization": wrong.encode("latin-1")})
            assert answer.status_code == 401
            assert answer.json()["detail"] == "The token is wrong: send the header 'Authorization: Bearer TOKEN'."
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200
        assert "digits" not in client.get("/openapi.json").text
        client.headers["authorization"] = "Bearer correct-horse"
        require_exact(client, models)
