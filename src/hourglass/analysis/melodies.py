"""How good melodies are: how they are rebuilt, and how samples compare with tunes that were held out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from hourglass.analysis.metrics import Measure, total_variation
from hourglass.data import Melody
from hourglass.data.melody import likeliest_sharps, pitch_of, share_in_key
from hourglass.errors import DataError
from hourglass.estimators import BaseAutoencoder
from hourglass.parts.base import one_of

__all__ = ["in_key", "known", "rebuilt", "repetition", "variation"]

OF_NOTES: dict[str, Callable[[Melody], Iterable[Hashable]]] = {
    "pitch": lambda melody: (note.pitch for note in melody.notes),
    "interval": lambda melody: (after.pitch - before.pitch for before, after in pairwise(melody.notes)),
    "duration": lambda melody: (note.duration for note in melody.notes),
}


def rebuilt(model: BaseAutoencoder, X: Any) -> dict[str, float]:
    """How melodies are rebuilt from their codes, the decoder reading only what it wrote itself.

    Parameters
    ----------
    model : estimator
        Fitted on melodies.
    X : as in ``fit``
        Tunes, best of those that the model was not trained on.

    Returns
    -------
    dict of float
        ``exact``, the windows without a single fault; ``symbols``, the share of right symbols; ``notes``, the same of those
        that begin a note, as half of all symbols say that one is held.

    Raises
    ------
    DataError
        The model was fitted on something else.
    """
    check_is_fitted(model)
    if model.kind_.name != "melody":
        raise DataError(f"Only melodies have notes. The model was fitted on {model.kind_.describe()}.")
    begins = torch.tensor([False, *(pitch_of(symbol) is not None for symbol in model.kind_.alphabet)])  # type: ignore[attr-defined]

    def right(inner: Any, x: torch.Tensor) -> torch.Tensor:
        true, there = x.argmax(-1), x.sum(-1) > 0
        same = (inner.reconstruct(x).argmax(-1) == true) & there
        notes = begins.to(x.device)[true] & there
        counted = [same.sum(1), there.sum(1), (same & notes).sum(1), notes.sum(1)]
        return torch.stack(counted, 1)  # (batch, 4)

    found = model._collect(X, right).double()
    of_symbols, symbols, of_notes, notes = found.sum(0).tolist()
    exact = float((found[:, 0] == found[:, 1]).double().mean())
    return {"exact": exact, "symbols": of_symbols / symbols, "notes": of_notes / max(notes, 1)}


def variation(first: Sequence[Melody], second: Sequence[Melody], of: str = "pitch") -> float:
    """Total variation distance of the pitches, intervals or durations of two piles: half of the sum of the differences of shares.

    Parameters
    ----------
    first, second : list of Melody
        Two piles.
    of : {"pitch", "interval", "duration"}, default="pitch"
        What of the notes; an interval is from a note to the next.

    Returns
    -------
    float
        From 0, where their shares are the same, to 1.

    Raises
    ------
    ParameterError
        Something else of the notes.
    """
    values_of = one_of(of, OF_NOTES, "of", "variation")
    return total_variation(*((value for melody in pile for value in values_of(melody)) for pile in (first, second)))


def in_key(melodies: Sequence[Melody]) -> float:
    """The share of notes that are in the major scale which their melody is nearest to, whatever key it is said to be in."""
    shares = [(share_in_key([n.pitch for n in m.notes], likeliest_sharps(m)), len(m.notes)) for m in melodies]
    return sum(share * notes for share, notes in shares) / max(sum(notes for _, notes in shares), 1)


def repetition(melodies: Sequence[Melody]) -> float:
    """The share of half bars, the first of each melody left out, that repeat an earlier one of it, note by note."""
    repeated = total = 0
    for melody in melodies:
        half, seen = melody.bar / 2, set[Hashable]()
        halves: dict[int, list[Hashable]] = {}
        for note in melody.notes:
            number = int(note.start // half)
            halves.setdefault(number, []).append((note.start - number * half, note.pitch))
        for number, notes in enumerate(map(tuple, halves.values())):
            repeated += number > 0 and notes in seen
            total += number > 0
            seen.add(notes)
    return repeated / max(total, 1)


def known(melodies: Sequence[Melody], X: Sequence[Melody]) -> np.ndarray[Any, Any]:
    """Which melodies are note by note in a tune, from a bar line on, perhaps transposed.

    Parameters
    ----------
    melodies : list of Melody
        Of a few bars each.
    X : list of Melody
        Tunes.

    Returns
    -------
    ndarray of bool of shape (n,)
    """
    lengths = {melody.bars for melody in melodies}
    found = {_pattern(tune.cut(first, bars)) for bars in lengths for tune in X for first in range(tune.bars - bars + 1)}
    return np.array([_pattern(melody) in found for melody in melodies], dtype=bool)


def measured(drawn: Sequence[Melody], train: Sequence[Melody], test: Sequence[Melody]) -> list[Measure]:
    """All measures of samples beside windows of tunes held out, and of training windows in their place, last of those held out."""
    bars = max((melody.bars for melody in drawn), default=1)
    drawn = [melody for melody in drawn if melody.notes]
    train, test = ([window for tune in tunes for window in tune.windows(bars, step=1)] for tunes in (train, test))
    lines = [Measure(f"{of} variation", variation(test, drawn, of), variation(test, train, of), "less") for of in OF_NOTES]
    lines += [Measure("notes in key", in_key(drawn), in_key(train), "more")]
    lines += [Measure("half bars repeated", repetition(drawn), repetition(train), "as real")]
    ours, theirs = (float(known(pile, train).sum() / max(len(pile), 1)) for pile in (drawn, test))
    return [*lines, Measure("known, transposed or not", ours, theirs, "less")]


def _pattern(melody: Melody) -> Hashable:
    """What a melody and all that it can be transposed to have in common."""
    lowest = min((note.pitch for note in melody.notes), default=0)
    return melody.metre, tuple((note.pitch - lowest, note.start, note.duration) for note in melody.notes)
