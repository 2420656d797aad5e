"""A service of small models of every kind of data, on a port of its own."""

import threading
import time
from contextlib import contextmanager
from fractions import Fraction

import httpx
import numpy as np
import polars as pl
import pytest

import hourglass as hg
from hourglass.estimators import patches
from hourglass.server import Limits, create_app
from hourglass.server.running import bound, server_of

DIGITS = hg.datasets.load("digits")
LIMITS = Limits(body=2**20, text=2**18, rows=200, numbers=2**17, waiting=400, seconds=2.0)
QUICK = {"max_epochs": 1, "random_state": 0}


def people(rows=60):
    rng = np.random.default_rng(0)
    return pl.DataFrame({"height": rng.normal(size=rows), "town": ["Rome", "Bonn", "Oslo"] * (rows // 3)})


def waves(rows=60):
    return np.sin(np.arange(20) / 3 + np.arange(rows)[:, None]).astype(np.float32)


def words():
    return np.array(["abba", "baab", "abab", "bbaa"] * 10, dtype=object)


def tunes():
    """Scales that begin on several notes, some with a triplet."""
    third = Fraction(4, 3)
    steps = [(0, 0, 4), (2, 4, 4), (4, 8, third), (5, 8 + third, third), (4, 8 + 2 * third, third), (2, 12, 4), (0, 16, 16)]
    return [hg.Melody([(60 + k + up, start, long) for up, start, long in steps], key="C") for k in range(6)]


@pytest.fixture(scope="session")
def models():
    """A model of each kind, and each sort of model."""
    usual = np.random.default_rng(0).normal(size=(120, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "STEPS", 5)
        cleaner = hg.DenoisingAutoencoder(corruption="noise:25", encoder=hg.Restorer((4,), 1), **QUICK).fit(DIGITS.x_train[:50])
    return {
        "digits": hg.Autoencoder(4, hidden=(16,), **QUICK).fit(DIGITS.x_train[:100]),
        "cleaner": cleaner,
        "drawer": hg.VariationalAutoencoder(3, hidden=(16,), **QUICK).fit(DIGITS.x_train[:100], condition=DIGITS.y_train[:100]),
        "people": hg.VariationalAutoencoder(2, hidden=(8,), **QUICK).fit(people()),
        "detector": hg.AnomalyDetector(alarm_rate=0.05, **QUICK).fit(usual),
        "parts": hg.AnomalyDetector(random_state=0, alarm_rate=0.1).fit(DIGITS.x_train[:150, ::4, ::4]),
        "waves": hg.Autoencoder(2, kind="series", hidden=(8,), **QUICK).fit(waves()),
        "record": hg.AnomalyDetector(random_state=0, alarm_rate=0.1).fit(hg.Record(np.sin(np.arange(3000) / 5))),
        "tunes": hg.Autoencoder(2, kind="melody", **QUICK).fit(np.fromiter(tunes(), object, 6)),
        "words": hg.Autoencoder(2, kind="token", **QUICK).fit(words()),
    }


@contextmanager
def running(app, limits=LIMITS):
    """The address of a server in a thread, which ends with the block."""
    with bound("127.0.0.1", 0) as listener:
        server = server_of(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def address(models):
    """Of a service of all of them."""
    with running(create_app(models, limits=LIMITS)) as found:
        yield found


@pytest.fixture(scope="session")
def client(address):
    with httpx.Client(base_url=address, timeout=30) as found:
        yield found
