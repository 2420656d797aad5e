"""What several pictures of a page need of the same model and data is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_found: ContextVar[dict[Any, Any] | None] = ContextVar("found", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Meanwhile functions that are ``remembered`` answer the same question but once; nobody may change what they were asked of."""
    before = _found.set({})
    try:
        yield
    finally:
        _found.reset(before)


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """A function of which `remembering` keeps what it gave, by the very objects that it was given."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        found = _found.get()
        if found is None:
            return function(*args, **kwargs)
        key = (function, *map(id, args), *((name, id(value)) for name, value in kwargs.items()))
        if key not in found:
            found[key] = function(*args, **kwargs), args, kwargs  # kept, so that no other object gets the same id
        result: R = found[key][0]
        return result

    return asked
