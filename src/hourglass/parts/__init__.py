"""The six swappable parts of an autoencoder, in torch alone; imported when one is first asked for, as kinds get by without."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hourglass.parts.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = globals()[name] = getattr(importlib.import_module("hourglass.parts.public"), name)
    return value
