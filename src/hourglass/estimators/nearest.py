"""Which rows of a pile are nearest to others, however large the pile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

TOGETHER = 2**26  # numbers of the rows that are looked at together


class Nearest:
    """The k rows that are nearest to each of others, and how far, of rows that come some at a time."""

    def __init__(self, rows: NDArray[Any], k: int) -> None:
        self.rows, self.k, self.seen = rows, k, 0
        self.waiting: list[NDArray[Any]] = []
        self.found, self.away = np.empty((len(rows), 0), np.intp), np.empty((len(rows), 0))

    def look(self, x: Tensor) -> None:
        """Look at some more, as soon as they are many enough to be worth it."""
        self.waiting.append(x.flatten(1).nan_to_num(0).cpu().numpy())
        if sum(part.size for part in self.waiting) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Look at those that wait."""
        if not self.waiting:
            return
        known, self.waiting = np.concatenate(self.waiting), []
        found, away = nearest_rows(known, self.rows, min(self.k, len(known)))
        found, away = np.hstack([self.found, found + self.seen]), np.hstack([self.away, away])
        order = np.argsort(away, 1, kind="stable")[:, : self.k]
        self.found, self.away = np.take_along_axis(found, order, 1), np.take_along_axis(away, order, 1)
        self.seen += len(known)


def nearest_rows(known: NDArray[Any], rows: NDArray[Any], k: int = 1) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which k of the ``known`` rows are nearest to each row, and how far (n, k), which of equal rows is 0 to the last digit."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(algorithm="brute").fit(known).kneighbors(rows, k, return_distance=False)
    return found, np.asarray(np.linalg.norm(rows[:, None] - known[found], axis=2), np.float64)
