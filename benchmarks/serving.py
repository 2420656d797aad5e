"""A command that serves, for as long as it is measured."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def serving(command: list[str]) -> Iterator[tuple[subprocess.Popen, int]]:
    """A command that is given a port of its own at its end, once somebody listens there; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(process, port)
            yield process, port
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen, port: int) -> None:
    for _ in range(3000):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            raise SystemExit(f"The service ended with exit code {process.returncode} before anybody could ask it.")
        time.sleep(0.1)
    raise SystemExit(f"Nothing listens on port {port} after five minutes.")
