"""What training takes its batches from: rows of one tensor in memory, or patches of pictures of any size."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST_KEPT = 2**30  # bytes of pictures that are kept in memory; of more, a few at a time are
SORTED = 50  # batches of rows that differ in length
PIXELS = 2**15  # of a step
WINDOW = 64  # pictures that patches are taken from at a time, where not all are kept
AHEAD = 8  # pictures that are read while others are learned from
PLACES = ((0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25))  # of the patches to judge by, in each picture


@dataclass(frozen=True)
class Batch:
    """What a step learns from: elements as the networks see them, and what is known beside them, if anything is."""

    x: Tensor  # (batch, ...)
    given: Tensor | None = None  # (batch, conditions)

    def __len__(self) -> int:
        return len(self.x)


class SparseRows:
    """Rows of a sparse matrix (n, columns) of floats, of which a few at a time become a dense tensor.

    Parameters
    ----------
    matrix : scipy.sparse matrix
        In the format CSR.
    device : torch.device
        Where the tensors are.
    """

    def __init__(self, matrix: Any, device: torch.device) -> None:
        self.matrix = matrix
        self.device = device
        self.shape = torch.Size(matrix.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Tensor) -> Tensor:
        return self._dense(self.matrix[index.cpu().numpy()])

    def split(self, size: int, dim: int) -> Iterator[Tensor]:
        """So many columns at a time; the matrix is not split otherwise."""
        assert dim == 1
        by_columns = self.matrix.tocsc()
        for start in range(0, self.shape[1], size):
            yield self._dense(by_columns[:, start : start + size])

    def _dense(self, some: Any) -> Tensor:
        return torch.from_numpy(some.toarray(order="C")).to(self.device)


class Batches:
    """Rows of one tensor in memory, taken in random batches by index into a reused buffer.

    Parameters
    ----------
    x : Tensor or SparseRows
        (n, ...), floats as the networks see them, or integers, or sparse rows, that ``prepare`` turns into such a batch at a time.
    rows : Tensor
        Which rows take part, (m,); or (m, members): each member of an ensemble then has rows of its own, and a batch is
        (batch, members, ...).
    prepare : callable
        From a batch of x to floats.
    per_epoch : int, optional
        How many rows make an epoch, where it is not all of them once.
    given : Tensor, optional
        (n, conditions), what is known beside each row.
    lengths : Tensor, optional
        (n,), how much of each row there is: those of a batch are then about as long, and cut to the longest of them.
    """

    def __init__(
        self,
        x: Tensor | SparseRows,
        rows: Tensor,
        prepare: Callable[[Tensor], Tensor],
        per_epoch: int | None = None,
        *,
        given: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> None:
        self.x = x
        self.given = given
        self.lengths = lengths
        self.rows = rows
        self.per_epoch = per_epoch or len(rows)
        self.prepare = (lambda batch: batch) if isinstance(x, Tensor) and x.is_floating_point() else prepare

    def __len__(self) -> int:
        return self.per_epoch

    @property
    def per_step(self) -> int:
        """How many rows make a step, unless it is said: a thirty-second of them, but 16 to 256."""
        return int(min(max(2 ** round(math.log2(max(self.per_epoch, 1) / 32)), 16), 256))

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """The rows of an epoch in a new order: each once, or as often as the epoch is long."""
        times = math.ceil(self.per_epoch / len(self.rows))
        order = torch.cat([self._shuffled_once(generator) for _ in range(times)])[: self.per_epoch]
        yield from self._taken(order if self.lengths is None else self._alike(order, batch_size, generator), batch_size)

    def _alike(self, order: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
        """Rows in an order in which those of a batch are about as long: some batches are sorted together, then shuffled again."""
        found = []
        for some in torch.split(order, SORTED * batch_size):
            whole = len(some) // batch_size * batch_size  # the rest is no batch, and comes last
            ordered = self._by_length(some)
            batches = ordered[:whole].view(-1, batch_size)
            shuffled = torch.randperm(len(batches), generator=generator, device=generator.device)
            found += [batches[shuffled].flatten(), ordered[whole:]]
        return torch.cat(found)

    def _by_length(self, rows: Tensor) -> Tensor:
        assert self.lengths is not None
        return rows[self.lengths[rows].argsort(stable=True)]

    def _shuffled_once(self, generator: torch.Generator) -> Tensor:
        def once(rows: Tensor) -> Tensor:
            return rows[torch.randperm(len(rows), generator=generator, device=generator.device)]

        return once(self.rows) if self.rows.ndim == 1 else torch.stack([once(rows) for rows in self.rows.T], dim=1)

    def ordered(self, batch_size: int) -> Iterator[Batch]:
        """All rows once, as they come, or the shortest first."""
        yield from self._taken(self.rows if self.lengths is None else self._by_length(self.rows), batch_size)

    def _taken(self, order: Tensor, batch_size: int) -> Iterator[Batch]:
        size = (min(batch_size, len(order)) * order[:1].numel(), *self.x.shape[1:])
        buffer = None if isinstance(self.x, SparseRows) else self.x.new_empty(size)
        for index in torch.split(order, batch_size):
            taken = self._rows(index.flatten(), buffer)
            given = None if self.given is None else self.given[index]
            rows = taken.view(*index.shape, *self.x.shape[1:])
            yield Batch(self.prepare(rows if self.lengths is None else rows[:, : int(self.lengths[index].max())]), given)

    def _rows(self, index: Tensor, buffer: Tensor | None) -> Tensor:
        if isinstance(self.x, SparseRows):
            return self.x[index]
        return torch.index_select(self.x, 0, index, out=None if buffer is None else buffer[: len(index)])


class Patches:
    """Square patches of pictures of any size, taken at random places, flipped and turned.

    Pictures smaller than a patch are mirrored at their edges. Where a patch is the whole picture, which way up it is may matter: it
    is neither flipped nor turned. Pictures that don't fit into memory together pass by a few at a time, read ahead by threads.

    Parameters
    ----------
    picture : callable
        From the number of a picture to its raw numbers (channels, height, width).
    numbers : sequence of int
        Which pictures take part.
    size : int
        Pixels a side of a patch.
    per_epoch : int
        How many patches make an epoch.
    prepare : callable
        From raw numbers (batch, channels, size, size) to floats as the networks see them.
    """

    def __init__(
        self,
        picture: Callable[[int], Tensor],
        numbers: Sequence[int],
        size: int,
        per_epoch: int,
        prepare: Callable[[Tensor], Tensor],
    ) -> None:
        self.picture = picture
        self.numbers = numbers
        self.size = size
        self.per_epoch = per_epoch
        self.prepare = prepare
        self.kept = self._all_in_memory()

    def __len__(self) -> int:
        return self.per_epoch

    @property
    def per_step(self) -> int:
        """How many patches make a step, unless it is said."""
        return max(PIXELS // self.size**2, 1)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """An epoch of patches."""
        passing = iter(()) if self.kept is not None else self._passing(generator)
        window = self.kept or deque((next(passing) for _ in range(WINDOW)), maxlen=WINDOW)
        for start in range(0, self.per_epoch, batch_size):
            count = min(batch_size, self.per_epoch - start)
            chance = torch.rand(count, 4, generator=generator, device=generator.device).tolist()
            yield self._together([self._patch(window[int(which * len(window))], *how) for which, *how in chance])
            if isinstance(window, deque):
                window.append(next(passing))

    def ordered(self, batch_size: int) -> Iterator[Batch]:
        """Patches at the same places of the pictures each time, no more at once than in training."""
        pictures = self.kept or map(self.picture, self.numbers)
        patches = [self._patch(picture, *place) for picture in pictures for place in PLACES[: len(self) // len(self.numbers)]]
        count = min(batch_size, self.per_step)
        for start in range(0, len(patches), count):
            yield self._together(patches[start : start + count])

    def _together(self, patches: list[Tensor]) -> Batch:
        """Patches as a batch; where their pictures differ in depth, each is prepared alone, as its numbers mean something else."""
        if len({patch.dtype for patch in patches}) == 1:
            return Batch(self.prepare(torch.stack(patches)))
        return Batch(torch.cat([self.prepare(patch[None]) for patch in patches]))

    def _patch(self, picture: Tensor, down: float, across: float, turn: float = 0.0) -> Tensor:
        """The patch at a place that is given as shares of the way; turned and flipped in one of eight ways."""
        size, whole = self.size, max(picture.shape[-2:]) <= self.size
        missing = [max(size - length, 0) for length in picture.shape[-2:]]
        if any(missing):
            picture = reflected(picture, missing)
        top, left = (int(share * (length - size + 1)) for share, length in zip((down, across), picture.shape[-2:], strict=True))
        patch = picture[:, top : top + size, left : left + size]
        way = 0 if whole else int(8 * turn)
        return torch.rot90(patch.flip(2) if way >= 4 else patch, way % 4, (1, 2))

    def _all_in_memory(self) -> list[Tensor] | None:
        """All pictures, unless they are too many."""
        kept, held = [], 0
        with ThreadPoolExecutor(_threads()) as pool:
            for start in range(0, len(self.numbers), AHEAD):
                found = list(pool.map(self.picture, self.numbers[start : start + AHEAD]))
                kept += found
                held += sum(picture.nbytes for picture in found)
                if held * len(self.numbers) / len(kept) > MOST_KEPT:
                    return None
        return kept

    def _passing(self, generator: torch.Generator) -> Iterator[Tensor]:
        """The pictures over and over, each time in another order, read ahead."""
        with ThreadPoolExecutor(_threads()) as pool:
            reading: deque[Future[Tensor]] = deque()
            while True:
                for place in torch.randperm(len(self.numbers), generator=generator, device=generator.device).tolist():
                    reading.append(pool.submit(self.picture, self.numbers[place]))
                    if len(reading) > AHEAD:
                        yield reading.popleft().result()


def reflected(picture: Tensor, missing: Sequence[int]) -> Tensor:
    """A picture (channels, height, width) continued below and to the right by ``missing`` pixels, mirrored there and back."""
    down, across = missing
    return torch.from_numpy(np.pad(picture.numpy(), ((0, 0), (0, down), (0, across)), "reflect"))  # torch mirrors just once


def _threads() -> int:
    return min(AHEAD, os.cpu_count() or 1)
