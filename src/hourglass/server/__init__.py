"""The HTTP service: fitted models behind a documented interface. Needs the extra ``server``, which is imported when it is used."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hourglass.errors import MissingExtraError

if TYPE_CHECKING:
    from hourglass.server.limits import Limits
    from hourglass.server.running import serve
    from hourglass.server.service import create_app

__all__ = ["Limits", "create_app", "require_extra", "serve"]

_HOME = {"Limits": "limits", "create_app": "service", "serve": "running"}
_NEEDED = ("fastapi", "fastapi_offline", "httptools", "orjson", "prometheus_client", "uvicorn")


def require_extra(*names: str) -> None:
    """Refuse to go on where a module of the extra is missing: one of those named, or of those that the service needs.

    Raises
    ------
    MissingExtraError
        With the command that installs it.
    """
    missing = [name for name in names or _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"The server needs {missing[0].replace('_', '-')}. Run: pip install 'hourglass-ae[server]'")


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hourglass.server' has no attribute {name!r}")
    require_extra()
    value = globals()[name] = getattr(importlib.import_module(f"hourglass.server.{_HOME[name]}"), name)
    return value
