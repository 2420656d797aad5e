"""How drawn rows of symbols compare with real ones: new, near, and made of the same symbols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hourglass.analysis.metrics import Array, Measure, total_variation
from hourglass.data.some import spread

JUDGED, COMPARED = 200, 2000  # rows of which the nearest one is looked for, and among which
Row = tuple[str, ...]


def edits(row: Sequence[Any], others: Sequence[Sequence[Any]]) -> Array:
    """How many symbols have to be put in, left out or replaced to make each of the others of a row.

    Parameters
    ----------
    row : sequence of n symbols
        A string, or a list of symbols.
    others : sequence of m such
        What is to be made of it.

    Returns
    -------
    ndarray of shape (m,), int
        Levenshtein distances.

    References
    ----------
    Wagner and Fischer, "The String-to-String Correction Problem", 1974, here for all the others at once.

    Examples
    --------
    >>> edits("kitten", ["sitting", "kitten", ""]).tolist()
    [3, 0, 6]
    """
    numbers = {symbol: number for number, symbol in enumerate(sorted({symbol for other in [row, *others] for symbol in other}))}
    lengths = np.array([len(other) for other in others])
    known = np.full((len(others), max(lengths, default=0)), -1)
    for place, other in enumerate(others):
        known[place, : len(other)] = [numbers[symbol] for symbol in other]
    places = np.arange(known.shape[1] + 1)
    cost = np.tile(places, (len(others), 1))  # of making the first so many symbols of each of nothing
    for symbol in row:
        replaced = cost[:, :-1] + (known != numbers[symbol])
        left_out = cost + 1
        left_out[:, 1:] = np.minimum(left_out[:, 1:], replaced)
        cost = np.minimum.accumulate(left_out - places, axis=1) + places  # symbols that are put in cost 1 each
    found: Array = cost[np.arange(len(others)), lengths]
    return found


def measured(kind: Any, drawn: Any, train: Any, test: Any) -> list[Measure]:
    """Measures of drawn rows of a kind of symbols, and of rows held out in their place."""
    mine, learned, real = ([*map(tuple, kind.symbols_of(pile, drawn=pile is drawn))] for pile in (drawn, train, test))
    seen = set(learned)
    piles = [(pile, set(pile)) for pile in (mine, real)]
    some = [learned[i] for i in spread(len(learned), COMPARED)]
    shares = {
        "unique": [len(different) / len(pile) for pile, different in piles],
        "novel": [len(different - seen) / len(different) for pile, different in piles],
        "edits to the nearest training row": [_nearest(pile, some) for pile, _ in piles],
        "lengths, total variation": [total_variation(map(len, pile), map(len, learned)) for pile, _ in piles],
        "symbols, total variation": [total_variation(_runs(pile, 1), _runs(learned, 1)) for pile, _ in piles],
        "pairs of symbols, total variation": [total_variation(_runs(pile, 2), _runs(learned, 2)) for pile, _ in piles],
    }
    good = {"unique": "more", "novel": "more", "edits to the nearest training row": "as real"}
    return [Measure(name, ours, theirs, good.get(name, "less")) for name, (ours, theirs) in shares.items()]


def _nearest(rows: list[Row], learned: list[Row]) -> float:
    """The mean edits that rows are away from the nearest of others."""
    return float(np.mean([edits(rows[i], learned).min() for i in spread(len(rows), JUDGED)]))


def _runs(rows: list[Row], length: int) -> Iterable[Row]:
    return (row[start : start + length] for row in rows for start in range(len(row) - length + 1))
