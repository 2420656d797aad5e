"""What codes of a few bars are good for where tunes are longer: going on with one, the way from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from hourglass.data import Melody
from hourglass.data.melody import keyed, later
from hourglass.errors import DataError, ParameterError, with_article
from hourglass.estimators.parameters import seed_from
from hourglass.kinds.melody import MelodyKind
from hourglass.kinds.token import as_objects
from hourglass.parts.base import is_count

ROUNDS = 20  # of drawing what is not known, given what is


def continued(model: Any, tune: Melody, bars: int = 4, *, random_state: Any = None) -> Melody:
    """A tune that goes on, in its metre.

    Its last bars, half as many as the model's windows have, are the beginning of a window. What follows is at first decoded from a
    code of the prior; then the window is encoded, a code drawn and decoded, and what is known put in its place, 20 times over.

    Parameters
    ----------
    model : VariationalAutoencoder
        Fitted on melodies, in windows of two bars or more.
    tune : Melody
        What is to go on.
    bars : int, default=4
        How many bars are added.
    random_state : int, RandomState or Generator, optional
        The same seed gives the same tune.

    Returns
    -------
    Melody
        The tune as it is, and the new bars up to the last one with a note.

    Raises
    ------
    DataError
        The tune has no note in its last bars, or has a metre, a key or a note that the model has never seen.
    ParameterError
        The model is of something else, of another sort or of single bars; what is to go on is no single tune.

    References
    ----------
    Rezende, Mohamed and Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", 2014,
    appendix F.
    """
    require_codes(model)
    kind = model.kind_
    if not isinstance(kind, MelodyKind) or kind.bars < 2:
        raise ParameterError(f"A tune goes on by windows of two bars or more. The model was fitted on {kind.describe()}.")
    if not isinstance(tune, Melody):
        raise ParameterError(f"What goes on is a tune, a hourglass.Melody. Got {with_article(type(tune).__name__)}.")
    if not is_count(bars):
        raise ParameterError(f"The number of 'bars' that are added must be a positive int. Got {bars!r} instead.")
    generator = model._generator(seed_from(random_state))
    notes, known, key = tune.notes, kind.bars // 2, keyed(tune).key
    for end in range(tune.bars, tune.bars + bars, kind.bars - known):
        so_far = replace(tune, notes=notes, key=key)
        last = so_far.cut(max(end - known, 0), min(known, end))
        if not last.notes and end == tune.bars:
            raise DataError(f"A tune goes on from its last bars, of which {known} count here, and there is no note.")
        new = _completed(model, last, min(known, end), generator).cut(
            min(known, end), min(kind.bars - known, tune.bars + bars - end)
        )
        notes += later(new, end)
    return replace(tune, notes=notes)


def require_codes(model: Any) -> None:
    """Refuse a model that has no codes which could be moved or drawn, or that isn't fitted."""
    if not hasattr(model, "sample"):
        raise ParameterError(
            f"New rows come of codes, and {with_article(type(model).__name__)} has none. "
            "Fit an Autoencoder or a VariationalAutoencoder."
        )
    check_is_fitted(model)


@torch.inference_mode()
def _completed(model: Any, beginning: Melody, known: int, generator: torch.Generator) -> Melody:
    """A window, drawn, whose first bars are known."""
    values = model.kind_.beginning(beginning, known).to(generator.device)  # (1, length)
    inner, hidden = model.model_, values < 0  # what is not known
    z = model._drawn(1, generator)
    for _ in range(ROUNDS):
        drawn = inner.scaling.inverse(inner.likelihood.mean(inner.decode(z)))
        whole = torch.where(hidden, drawn, values)
        z = inner.encode(inner.scaling(whole).float(), generator).z
    window: Melody = model.kind_.from_tensor(whole.cpu())[0]
    return replace(window, metre=beginning.metre)


def abreast(ends: Sequence[Any], bars: int) -> tuple[list[Any], int]:
    """The windows of tunes, as many of each, and how many; of more than one all tunes are in one metre, and none is silent."""
    tunes = [keyed(tune) for end in ends for tune in end]
    count = max(min(-(-tune.bars // bars) for tune in tunes), 1)
    metres = sorted({tune.metre for tune in tunes})
    if count > 1 and len(metres) > 1:
        raise DataError(f"Tunes of several windows need one metre to lead to one another. These are in {' and '.join(metres)}.")
    windows = [[tune.cut(bars * number, bars) for number in range(count)] for tune in tunes]
    for place, row in enumerate(windows):
        silent = next((number for number, window in enumerate(row) if not window.notes), None)
        if silent is not None:
            first = bars * silent + 1
            raise DataError(f"A way needs a note in each window. Tune {place} has none in bars {first} to {first + bars - 1}.")
    return [as_objects(row) for row in windows], count


def joined(windows: Sequence[Melody], count: int, bars: int, metre: str) -> list[Melody]:
    """Tunes of decoded windows, so many each."""
    tunes = []
    for first in range(0, len(windows), count):
        own = [replace(window, metre=metre).cut(0, bars) for window in windows[first : first + count]]
        notes = [note for number, window in enumerate(own) for note in later(window, number * bars)]
        tunes.append(replace(own[0], notes=tuple(notes)))
    return tunes
