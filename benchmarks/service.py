"""Load for a service of a model of digits: connections that each ask for the score of one digit after the other."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.common import QUICK, SEED, mnist, report
from benchmarks.serving import serving

CONNECTIONS = 64
SECONDS = 2 if QUICK else 60
WARM = 1 if QUICK else 3  # seconds that don't count
ADDRESS = "/v1/models/digits/score"


class Client(asyncio.Protocol):
    """A connection that asks again as soon as it has its answer, until it is time to stop."""

    def __init__(self, requests: list[bytes], number: int, found: Found) -> None:
        self.requests, self.number, self.found = requests, number, found
        self.held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.number = (self.number + 1) % len(self.requests)
        self.asked = time.perf_counter()
        self.transport.write(self.requests[self.number])

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, end, body = self.held.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        self.found.take(self.held.startswith(b"HTTP/1.1 200"), self.asked)
        self.held = b""
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.found.lost += not self.found.over


class Found:
    """What the clients have seen since the time that counts began."""

    def __init__(self) -> None:
        self.start = time.perf_counter() + WARM
        self.stop = self.start + SECONDS
        self.seconds: list[float] = []
        self.bad = self.lost = 0
        self.over = False

    def take(self, good: bool, asked: float) -> None:
        now = time.perf_counter()
        if self.start <= asked and now < self.stop:
            self.seconds.append(now - asked)
            self.bad += not good


async def load(port: int, requests: list[bytes]) -> Found:
    loop, found = asyncio.get_running_loop(), Found()
    clients = [
        await loop.create_connection(lambda i=i: Client(requests, 7 * i, found), "127.0.0.1", port) for i in range(CONNECTIONS)
    ]
    await asyncio.sleep(found.stop - time.perf_counter())
    found.over = True
    for transport, _ in clients:
        transport.abort()
    return found


def processor(process: subprocess.Popen) -> float:
    """Seconds of processor time that a process has had (Linux)."""
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str]) -> None:
    """Fit a model, serve it by a command that has its path and a port at the end, and report what the clients saw."""
    import hourglass as hg

    x_train, x_test = mnist("x_train", "x_test")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        hg.Autoencoder(32, max_epochs=1 if QUICK else 2, random_state=SEED).fit(x_train).save(path)
        with serving([*command, str(path)]) as (process, port):
            before = processor(process)
            found = uvloop.run(load(port, [request(row) for row in x_test[:500]]))
            spent = processor(process) - before
    share = SECONDS / (SECONDS + WARM)  # of the processor time that was spent while it counted
    report(
        rows_per_s=len(found.seconds) / SECONDS,
        median_ms=1e3 * float(np.median(found.seconds)),
        p99_ms=1e3 * float(np.quantile(found.seconds, 0.99)),
        errors=found.bad + found.lost,
        row_cpu_ms=1e3 * share * spent / len(found.seconds),
    )


def request(row: np.ndarray) -> bytes:
    body = json.dumps({"rows": [row.tolist()]}).encode()
    head = f"POST {ADDRESS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
