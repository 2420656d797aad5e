"""The process that serves: model files by name, an address, and patience with slow clients that ends."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import hourglass as hg
from hourglass.server.limits import Limits, OwnMachine, is_own
from hourglass.server.service import create_app

MOST_HEADERS = 64 * 2**10  # bytes of the headers of a request
TOO_SLOW = b'{"detail":"The request took too long to arrive. Send it faster, or in parts."}'
TOO_LONG = b'{"detail":"The headers of the request are too long."}'


def serve(
    paths: Sequence[str | os.PathLike[str]],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    limits: Limits | None = None,
    access_log: bool = False,
    ready: Callable[[str], None] = lambda words: None,
) -> None:
    """Serve model files until the process is told to end; requests under way then finish.

    Parameters
    ----------
    paths : sequence of paths
        Model files. A model is called by the name of its file, without the ending.
    host : str, default="127.0.0.1"
        The address to listen on. Any that others can reach needs a token.
    port : int, default=8000
        0 takes a free one.
    token : str, optional
        What requests have to bring.
    limits : Limits, optional
        What a request may ask for.
    access_log : bool, default=False
        Whether each request is a line of the standard output: when, who asked for what, and the status of the answer.
    ready : function, optional
        Is told, in words, what is served and where.

    Raises
    ------
    ParameterError
        Others could reach the service and there is no token; the address is taken; two models have one name.
    ModelFileError
        A file is no model.
    """
    require_safe(host, token)
    models, limits = _models(paths), limits or Limits()
    with bound(host, port) as listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        ready(f"Serving {', '.join(models)} at {address}; {address}/docs shows what can be asked. Ctrl-C ends it.")
        app = create_app(models, limits=limits, token=token)
        server = server_of(OwnMachine(app) if token is None else app, limits, access_log=access_log)
        gc.freeze()  # what stands by now stays: looking through all of it for garbage would halt requests for long
        server.run(sockets=[listener])


def require_safe(host: str, token: str | None) -> None:
    """Refuse an address that others can reach, where there is no token."""
    if token is None and not is_own(host):
        raise hg.ParameterError(f"Others can reach {host}, so a token is needed: --token. Or listen on 127.0.0.1.")
    if token is not None and (len(token) < 8 or not token.isascii() or not token.isprintable() or " " in token):
        raise hg.ParameterError("A token has at least 8 characters: letters, digits and signs of ASCII, without blanks.")


def server_of(app: Any, limits: Limits, *, access_log: bool = False) -> uvicorn.Server:
    """A server of an application, patient within limits."""

    class Patient(PatientProtocol):
        seconds = limits.seconds

    with contextlib.suppress(ImportError, ValueError, OSError):  # of an idle connection no more than a number of a file is held
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config = uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        lifespan="on",
        log_level="info" if access_log else "warning",
        access_log=access_log,
        log_config=_logged(),
        proxy_headers=False,
        server_header=False,
        backlog=4096,
        timeout_graceful_shutdown=int(2 * limits.seconds) + 1,
    )
    return uvicorn.Server(config)


def _logged() -> dict[str, Any]:
    """How uvicorn logs, with the time before each line, and what this service has to say among it."""
    config = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    for form in config["formatters"].values():
        form["fmt"] = f"%(asctime)s {form['fmt']}"
    config["loggers"]["hourglass.server"] = config["loggers"]["uvicorn"]
    return config


class PatientProtocol(HttpToolsProtocol):
    """Closes connections whose requests don't arrive in time, whose headers are too long, or whose answers nobody fetches."""

    seconds = 30.0
    _deadline: asyncio.TimerHandle | None = None
    _headers = 0  # bytes of them that have come
    _in_headers = True

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request."""
        if self._in_headers:
            self._headers += len(data)
        super().data_received(data)
        if self._in_headers and self._headers > MOST_HEADERS:
            self._refuse(b"431 Request Header Fields Too Large", TOO_LONG)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_headers = True
        self._wait()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._in_headers, self._headers = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._arrived()
        self._in_headers = True
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has come for a while: close, at once if all was fetched."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self._deadline = self.loop.call_later(self.seconds, self.transport.abort)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._refuse, b"408 Request Timeout", TOO_SLOW)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes, words: bytes) -> None:
        """End the connection, with a sentence if no answer has begun."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head % (status, len(words)) + words)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at an address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port < 2**16:
        raise hg.ParameterError(f"A port is a number from 0 to 65535. Got {port}.")
    try:
        return socket.create_server((host, port), family=family, backlog=4096)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise hg.ParameterError(f"Can't listen on {host}:{port}: {reason}. Choose another port or address.") from error


def _models(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Any]:
    """The models of files by the names of these."""
    named: dict[str, Path] = {}
    for path in map(Path, paths):
        if path.stem in named:
            raise hg.ParameterError(f"'{named[path.stem]}' and '{path}' would both be called {path.stem!r}. Rename one.")
        if path.suffix.lower() == ".onnx":
            raise hg.ModelFileError(f"'{path}' is an exported model, which isn't served. Give the .safetensors file.")
        named[path.stem] = path
    return {name: hg.load(path) for name, path in named.items()}
