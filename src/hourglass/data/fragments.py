"""Fragments: symbols that often stand side by side, taken as one. Rows become shorter, and what belongs together stays whole.

References: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016, section 3.2 (byte pair
encoding); Li and Fourches, "SMILES Pair Encoding", 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hourglass.data.some import spread

ROWS = 40_000  # that fragments are learned from
OFTEN = 100  # times that two symbols have to stand side by side there
BOUND = 0  # the number of what stands between rows; symbols count from 1


def fragments(rows: Sequence[Sequence[str]], most: int) -> list[str]:
    """So many at most, each written as its symbols are, one behind the other.

    Again and again the two neighbours that come most often become one, until none come `OFTEN`.
    """
    some = [rows[place] for place in spread(len(rows), ROWS)]
    names = ["", *sorted(set(chain.from_iterable(some)))]
    symbols, numbers = len(names), {name: number for number, name in enumerate(names)}
    line = np.array([number for row in some for number in (BOUND, *map(numbers.__getitem__, row))] + [BOUND], np.int64)
    while len(names) < symbols + most:
        left, right = line[:-1], line[1:]
        inside = (left != BOUND) & (right != BOUND)
        counts = np.bincount((left * len(names) + right)[inside])
        if not counts.size or counts.max() < OFTEN:
            break
        pair = divmod(int(counts.argmax()), len(names))
        found = _apart(np.flatnonzero((left == pair[0]) & (right == pair[1])))
        line[found] = len(names)
        line = np.delete(line, found + 1)
        names.append(names[pair[0]] + names[pair[1]])
    return list(dict.fromkeys(names[symbols:]))


def cut(symbols: Sequence[str], known: frozenset[str], longest: int) -> list[str]:
    """The row in fragments: from the left always the longest of the known ones, which are of so many characters at most."""
    found, place = list[str](), 0
    while place < len(symbols):
        text = fragment = symbols[place]
        after = end = place + 1
        while end < len(symbols) and len(text) < longest:
            text += symbols[end]
            end += 1
            if text in known:
                fragment, after = text, end
        found.append(fragment)
        place = after
    return found


def _apart(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places at which pairs can be joined without overlap: in a run of places every other one, so of 'aaa' the first pair."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return np.concatenate([run[::2] for run in runs])
