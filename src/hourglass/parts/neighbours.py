"""How far rows are from those that are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor, nn

from hourglass.parts.scaling import ends
from hourglass.parts.tracing import traced

LONGEST = 10.0  # standard deviations, from where on the range of a column is its unit, not they
FIFTH = 5  # at least: the rank of a row beyond a cluster of strange ones
SMALLEST = 1e-6  # squared distance that counts for none: nearer than that may be rounding
CHUNK = 2**18  # distances that are held at a time: 1 MB, which stays in the processor's cache


class Neighbours(nn.Module):
    """From rows x (n, elements) to the logarithm of their distance (n,) to the nearest of the rows that are kept.

    Parameters
    ----------
    rows, elements : int
        How many rows are kept, and of how many numbers each.
    rank : int, default=1
        Which of the kept rows the distance is measured to: the nearest, or one further off.
    straight : callable, optional
        From x to the numbers before their tails were drawn in.
    """

    kept: Tensor  # (rows, elements) where the kept rows lie
    unit: Tensor  # (elements,) of the distance

    def __init__(self, rows: int, elements: int, rank: int = 1, straight: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.rank, self.straight = rank, straight
        self.register_buffer("kept", torch.zeros(rows, elements))
        self.register_buffer("unit", torch.ones(elements))

    @classmethod
    def of(cls, kept: Tensor, x: Tensor, rank: int = 1, straight: Callable[[Tensor], Tensor] | None = None) -> Self:
        """Of rows that are kept, and all training rows x (n, elements).

        An element whose range over x is longer than `LONGEST` counts by the share of `LONGEST` in it. In standard deviations alone,
        elements of long tails would decide who is near, as rows differ most in them.
        """
        found = cls(len(kept), x.shape[1], rank, straight).to(x.device)
        low, high = found.place(torch.stack(ends(x)))
        found.unit = ((high - low).nan_to_num(0, 0, 0) / LONGEST).clamp(min=1)
        found.kept = found.place(kept)
        return found

    def __len__(self) -> int:
        return len(self.kept)

    def place(self, x: Tensor) -> Tensor:
        """Where rows lie (n, elements); a missing cell is in the middle."""
        known = x.nan_to_num(0)
        return (known if self.straight is None else self.straight(known)) / self.unit

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(near(self.place(x), self.kept.to(x), self.rank) + SMALLEST) / 2

    @contextmanager
    def one_further(self) -> Iterator[None]:
        """Meanwhile the distance is measured to the kept row of the next rank."""
        self.rank += 1
        try:
            yield
        finally:
            self.rank -= 1


def rank_beyond(share: float, n: int) -> int:
    """The rank, among n rows by their distance, of the one that is measured to where a share of them may be strange."""
    return max(FIFTH, math.ceil(share * n))


def near(x: Tensor, kept: Tensor, rank: int = 1) -> Tensor:
    """Squared distance (n,) to the nearest kept row, or to that of another rank; a row that is itself kept is not counted.

    Which one it is is found in single precision, which is quick; the distance is that of x's own precision.
    """
    single, squares = kept.float(), kept.float().square().sum(1)
    same, last = SMALLEST * squares.mean(), min(rank, len(kept) - 1)
    found = []
    for part in [x] if traced() else torch.split(x, CHUNK // len(kept) + 1):
        apart = torch.addmm(squares, part.float(), single.T, alpha=-2)  # less the square of x itself, alike for all
        least, order = apart.topk(last + 1, largest=False)
        own = part.float().square().sum(1)
        itself = least[:, 0] + own <= SMALLEST * own + same
        index = order.gather(1, (rank - 1 + itself.long()).clamp(max=last)[:, None])[:, 0]
        found.append((part - kept[index]).square().sum(1))
    return torch.cat(found)
