"""How far rows are from those that are kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Self

import torch
from torch import Tensor, nn

from hourglass.parts.tracing import traced

NEAREST = 5  # rows that the distance of a table's row is the mean of
FIFTH = 5  # at least: the rank of a row beyond a cluster of strange ones
LEAST = 1e-3  # distance that counts for none: nearer than that may be rounding
SAME = 1e-6  # of the squares: a squared distance that may be rounding
CHUNK = 2**18  # distances that are held at a time: 1 MB, which stays in the processor's cache
SMALLEST = 1e-12  # range of an element that varies


class Neighbours(nn.Module):
    """From rows x (n, elements) to the mean logarithm (n,) of their distances to the nearest of the rows that are kept.

    Parameters
    ----------
    rows, elements : int
        How many rows are kept, and of how many numbers each.
    rank, count : int, default=1
        Of the kept rows, in the order of their distance, the first that counts, and how many.
    straight : callable, optional
        From x to what distances are measured between.
    """

    kept: Tensor  # (rows, elements) where the kept rows lie
    unit: Tensor  # (elements,) of the distance

    def __init__(
        self, rows: int, elements: int, rank: int = 1, count: int = 1, straight: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.rank, self.count, self.straight = rank, count, straight
        self.inner: tuple[Tensor, Tensor] | None = None  # ends of the range without a row, and what it grows by if that is left out
        self.register_buffer("kept", torch.zeros(rows, elements))
        self.register_buffer("unit", torch.ones(elements))

    @classmethod
    def of(cls, kept: Tensor, rank: int = 1) -> Self:
        """The nearest row counts, and x as it is."""
        rows, elements = kept.shape
        found = cls(rows, elements, rank).to(kept.device)
        found.kept = found.place(kept)
        return found

    @classmethod
    def of_table(
        cls, kept: Tensor, x: Tensor, column_of: tuple[int, ...], rank: int = 1, straight: Callable[[Tensor], Tensor] | None = None
    ) -> Self:
        """The `NEAREST` rows count, and of each column of a table the share of its range over the training rows x (n, elements).

        So columns of long tails, where rows are often far apart, count for less, as in Gower's coefficient of similarity
        ("A general coefficient of similarity and some of its properties", Biometrics 27, 1971). Columns of several elements,
        categories and times, have no range worth the name and count as one of middling range does. All is in standard deviations
        of the mean element.
        """
        found = cls(len(kept), len(column_of), rank, NEAREST, straight).to(x.device)
        ends = torch.stack([x.nan_to_num(torch.inf).amin(0), x.nan_to_num(-torch.inf).amax(0)])
        low, high = found.place(ends)
        elements_of = Counter(column_of)
        alone = torch.tensor([elements_of[column] == 1 for column in column_of], device=x.device)
        varied = alone & (high - low).isfinite() & (high - low > SMALLEST)
        found.unit = torch.where(varied, high - low, (high - low)[varied].median() if varied.any() else 1.0)
        lies = found.place(kept)
        size = (lies - lies.mean(0)).square().mean().sqrt()
        found.unit *= size if size > SMALLEST else 1.0
        found.kept = found.place(kept)
        return found

    def __len__(self) -> int:
        return len(self.kept)

    def place(self, x: Tensor) -> Tensor:
        """Where rows lie (n, elements); a missing cell is in the middle."""
        return self.straightened(x.nan_to_num(0)) / self.unit

    def straightened(self, x: Tensor) -> Tensor:
        """What distances are measured between (n, elements)."""
        return x if self.straight is None else self.straight(x)

    def forward(self, x: Tensor) -> Tensor:
        found = distances(self.place(x), self.kept.to(x), self.rank, self.count, self.stretch(x))
        return torch.log(found.square() + LEAST**2).mean(1) / 2

    def stretch(self, x: Tensor) -> Tensor | None:
        """How much longer the distances of rows x are in each element (n, elements), meanwhile, `of_the_others`."""
        if self.inner is None:
            return None
        (low, high), (from_low, from_high) = self.inner
        return torch.where(x < low, from_low, torch.where(x > high, from_high, 1.0))

    @contextmanager
    def of_the_others(self, whole: Tensor, inner: Tensor) -> Iterator[None]:
        """Meanwhile rows are training rows, whose distances are in shares of the range that all other rows have.

        Both are the ends of ranges (2, elements): of all rows, and of all but the one at an end. A row at the end of a range would
        else seem nearer to the others than a new one that lies there.
        """
        (low, high), (next_low, next_high) = self.straightened(whole), self.straightened(inner)
        grown = (high - low) / torch.stack([high - next_low, next_high - low])
        self.inner = inner, torch.where(grown.isfinite(), grown, 1.0)  # all others are equal, or missing
        try:
            yield
        finally:
            self.inner = None

    @contextmanager
    def one_further(self) -> Iterator[None]:
        """Meanwhile kept rows count from the next rank on."""
        self.rank += 1
        try:
            yield
        finally:
            self.rank -= 1


def rank_beyond(share: float, n: int) -> int:
    """The rank, among n rows by their distance, of the one that is measured to where a share of them may be strange."""
    return max(FIFTH, math.ceil(share * n))


def distances(x: Tensor, kept: Tensor, rank: int = 1, count: int = 1, stretch: Tensor | None = None) -> Tensor:
    """From rows x to the nearest of kept rows (n, count), from that rank on, the first being 1; of itself no row is a neighbour.

    Which ones they are is found in single precision, which is quick, and without the ``stretch`` (n, elements) of differences; the
    distances are those of x's own precision.
    """
    single, squares = kept.float(), kept.float().square().sum(1)
    same, last = SAME * squares.mean(), min(rank + count, len(kept))
    at_once = CHUNK // len(kept) + 1
    longer = repeat(None) if stretch is None else torch.split(stretch, at_once)
    found = []
    for part, by in zip([x] if traced() else torch.split(x, at_once), longer, strict=False):
        apart = torch.addmm(squares, part.float(), single.T, alpha=-2)  # less the square of x itself, alike for all
        nearest, order = apart.topk(last, largest=False)
        own = part.float().square().sum(1)
        itself = nearest[:, 0] + own <= SAME * own + same
        places = torch.arange(rank - 1, rank - 1 + count, device=x.device) + itself.long()[:, None]
        counted = kept[order.gather(1, places.clamp(max=last - 1))]  # (part, count, elements)
        along = part[:, None] - counted
        found.append(torch.linalg.vector_norm(along if by is None else along * by[:, None], dim=2))
    return torch.cat(found)
