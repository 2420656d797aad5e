"""Everything that Hourglass raises or warns.

    HourglassError
    ├── ParameterError (ValueError)       a parameter breaks its rule
    ├── DataError (ValueError)            data that can't be used, or doesn't fit the fitted model
    │   └── FileError                     a file of data that can't be read or written
    ├── ModelFileError (ValueError)       not a model file, damaged, or of a newer version
    │   └── CheckpointError               a checkpoint that belongs to another run
    ├── TrainingDivergedError (ArithmeticError)   the loss is no longer finite
    ├── DownloadError (OSError)           a named dataset that can't be fetched
    └── MissingExtraError (ImportError)   an optional dependency isn't installed

    HourglassWarning (UserWarning)        the fit goes on, but is perhaps not what was meant
    └── StoppedWarning                    training was stopped by hand, and the best so far is kept

Unfitted use is scikit-learn's own ``NotFittedError``. Each message is one sentence or two: what is wrong, where, what to do.
"""

from __future__ import annotations

import contextlib
import difflib
import reprlib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

SHOWN = 60  # characters of what came, in a sentence
MOST = 20  # names that are listed
_REPR = reprlib.Repr()  # which goes no deeper than so many lists, and no further along them than can be seen
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 4, 10 * SHOWN, 10 * SHOWN
_heard: ContextVar[list[str] | None] = ContextVar("_heard", default=None)
_HOUSE = {"hourglass", "contextlib", "sklearn", "joblib"}  # whose lines no user can change


class HourglassError(Exception):
    """Base of every error that Hourglass raises."""


class ParameterError(HourglassError, ValueError):
    """A parameter breaks its rule."""


class DataError(HourglassError, ValueError):
    """Data that can't be used, or that doesn't fit the fitted model."""


class FileError(DataError):
    """A file of data that can't be read or written."""


class ModelFileError(HourglassError, ValueError):
    """A file that is no Hourglass model, is damaged, or comes from a newer version."""


class CheckpointError(ModelFileError):
    """A checkpoint that belongs to another run."""


class TrainingDivergedError(HourglassError, ArithmeticError):
    """The loss is no longer finite; the estimator keeps the last good weights."""


class DownloadError(HourglassError, OSError):
    """A named dataset that can't be fetched."""


class MissingExtraError(HourglassError, ImportError):
    """An optional dependency isn't installed."""


class HourglassWarning(UserWarning):
    """The work goes on, but the result is perhaps not what was meant."""


class StoppedWarning(HourglassWarning):
    """Training was stopped by hand, with Ctrl-C: the best weights so far are kept."""


@contextlib.contextmanager
def hearing() -> Iterator[list[str]]:
    """What `warn` says in the block is in this list alone; threads don't mix, as they do with ``warnings.catch_warnings``."""
    told: list[str] = []
    before = _heard.set(told)
    try:
        yield told
    finally:
        _heard.reset(before)


def warn(message: str, category: type[HourglassWarning] = HourglassWarning) -> None:
    """Warn of the user's own line that led here, however many of ours are between."""
    told = _heard.get()
    if told is not None:
        if message not in told:  # once, as Python has it of one line
            told.append(message)
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _HOUSE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def suggest(name: object, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, or all of them."""
    choices = sorted(known)
    near = _nearest(name, choices)
    return f"Did you mean {near!r}?" if near is not None else f"Known: {listed(choices)}."


def renamed(name: str, known: Iterable[str], found: Iterable[str]) -> str:
    """The end of a sentence about a known name that isn't there: the nearest of those found that aren't known, or all of them."""
    there, familiar = list(found), set(known)
    near = _nearest(name, [other for other in there if other not in familiar])
    return f"Did you rename it to {near!r}?" if near is not None else f"It has: {listed(there)}."


def _nearest(name: object, choices: Iterable[str]) -> str | None:
    """The choice that is called nearly so, whatever its capitals; None if none is."""
    plain = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(str(name).casefold(), plain, n=1)
    return plain[near[0]] if near else None


def listed(names: Iterable[str]) -> str:
    """Names with commas between them, and of many how many more there are."""
    known = list(names)
    more = f" and {len(known) - MOST:,} more" if len(known) > MOST + 1 else ""
    return ", ".join(known[:MOST] if more else known) + more


def with_article(name: str) -> str:
    """A name, as of a type, with its indefinite article."""
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def shown(value: object) -> str:
    """What came, as a sentence has it: not too much of it, whatever it is."""
    text = _REPR.repr(value)
    text = " ".join(text.split()) if "\n" in text else text  # an array, or a table
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
