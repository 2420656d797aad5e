"""What a request may ask for, and who may ask: refusals that are sentences."""

from __future__ import annotations

import hmac
import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hourglass.errors import ParameterError


class Refusal(Exception):  # noqa: N818 (it is an answer)
    """A request that is refused: an HTTP status and the sentence that goes with it."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers

    def response(self) -> JSONResponse:
        """The answer to the client."""
        return JSONResponse({"detail": self.sentence}, self.status, self.headers)


@dataclass(frozen=True)
class Limits:
    """What one request may ask for; more is refused with a sentence.

    Parameters
    ----------
    body : int, default=64 MiB
        Bytes of a body.
    text : int, default=8 MiB
        Bytes of a body of JSON, which takes several times as much memory.
    rows : int, default=10,000
        Rows of a request, or of its answer.
    numbers : int, default=16,777,216
        Numbers of them, such as pixels: rows times numbers of a row.
    waiting : int, default=20,000
        Rows that may wait for one model. Further requests are told to come back.
    seconds : float, default=30
        How long a request may take to arrive, and then to be answered.
    gather : float, default=0.002
        Seconds that a request waits for others, to be computed together with them.
    together : int, default=1,024
        Rows that are computed together at most.
    """

    body: int = 64 * 2**20
    text: int = 8 * 2**20
    rows: int = 10_000
    numbers: int = 2**24
    waiting: int = 20_000
    seconds: float = 30.0
    gather: float = 0.002
    together: int = 1024

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ParameterError(f"The limit {name!r} must be above 0. Got {value!r} instead.")
            if value == math.inf:
                raise ParameterError(f"The limit {name!r} must have an end. Got {value!r} instead.")

    def require_size(self, rows: int, numbers: int) -> None:
        """Refuse more rows or numbers than a request may have."""
        if rows > self.rows:
            raise Refusal(413, f"A request may have {self.rows:,} rows, and this one has or asks for {rows:,}. Send it in parts.")
        if numbers > self.numbers:
            raise Refusal(
                413,
                f"A request may have {self.numbers:,} numbers, such as pixels, and this one has or asks for {numbers:,}. "
                "Send it in parts.",
            )

    async def body_of(self, request: Request, most: int) -> bytes:
        """The body of a request, of at most so many bytes, whatever its header says."""
        if "content-encoding" in request.headers:
            raise Refusal(415, "Send the body as it is, without Content-Encoding.")
        declared = request.headers.get("content-length", "0")
        parts, size = [], int(declared) if declared.isdecimal() else 0
        if size <= most:
            size = 0
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > most:
                    break
        if size > most:
            raise Refusal(413, f"Such a body may have {most:,} bytes, and this one has more. {_smaller(most, self.body)}")
        return b"".join(parts)


def _smaller(most: int, body: int) -> str:
    return "Send rows in parts." if most == body else f"Send rows in parts, or as npy or Arrow, of which it may be {body:,}."


OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json", "/assets/")  # what needs no token


class Gate:
    """Lets only those in who know the token, compared in constant time."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app = app
        self.wanted = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 401."""
        if self.wanted is None or scope["type"] != "http" or _is_open(path_of(scope)):
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, self.wanted):
            return await self.app(scope, receive, send)
        what = "The token is wrong" if given else "A token is missing"
        refusal = Refusal(401, f"{what}: send the header 'Authorization: Bearer TOKEN'.", {"WWW-Authenticate": "Bearer"})
        return await refusal.response()(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in {"", "/"} or path.startswith(OPEN)


def path_of(scope: Scope) -> str:
    """The path of a request as the service knows it, wherever in another application it is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_own(host: str | None) -> bool:
    """Whether an address is this machine's own, which no other can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class OwnMachine:
    """Refuses what pages of others ask a browser to do: names that lead here by a trick, and requests that come from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 403."""
        if scope["type"] not in {"http", "websocket"} or _is_from_here(Headers(scope=scope)):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = Refusal(
                403, "Without a token, only requests to 127.0.0.1 or localhost are answered, and none of other pages."
            )
            await refusal.response()(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})


def _is_from_here(headers: Headers) -> bool:
    host, origin = headers.get("host", ""), headers.get("origin")
    try:
        return is_own(urlsplit(f"//{host}").hostname) and (origin is None or urlsplit(origin).netloc == host)
    except ValueError:  # no address at all
        return False
