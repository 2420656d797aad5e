"""The coarsest autoencoder: of a window it keeps which one of those remembered it is most like, and how that has to be moved."""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.bell import bell
from hourglass.parts.neighbours import rank_beyond
from hourglass.parts.scaling import PerWindow, Scaling
from hourglass.parts.tracing import Settled, traced

SMOOTH = 0.01  # of a window: standard deviation of the smoothing under which windows are compared
SHIFTS = (0.0, -0.03, -0.015, -0.007, 0.007, 0.015, 0.03)  # of a window, by which remembered ones may be moved
RATES = (0.0, -0.08, -0.04, 0.04, 0.08)  # by which they may be slower or quicker
COST = 6.0  # of the usual distance to a copy that is not moved, what the furthest shift costs, and the greatest change of rate
MOVES = tuple(product(SHIFTS, RATES))  # the first moves nothing
MOST_TRIED = 2000  # rows, to tell the usual distance
BLOCK = 2**21  # distances that are held at a time
WIDE = 64  # samples on either side of a Gaussian, from which on spectra are quicker
UNFOLDED = 2**24  # numbers that torch makes at a time of rows in double precision, a copy for each neighbour


class _Copies(NamedTuple):
    """Remembered rows, moved."""

    rows: Tensor  # (m, channels, time)
    flat: Tensor  # (m, elements) smoothed, in single precision
    cost: Tensor  # (m,) of their moves
    squares: Tensor  # (m,) of the flat ones, and the cost
    gaps: bool  # whether something is missing


class Memory(nn.Module, Settled):
    """Rebuilds windows x (n, channels, time) as the nearest of those it remembers.

    The distance is that of smoothed windows, squared, plus what the move costs that makes the remembered one fit: beats of a heart
    come a little early or late, and quicker or slower. What is missing on either side doesn't count.

    Parameters
    ----------
    scaling : Scaling
        From raw windows to x.
    rows : Tensor
        Scaled windows (m, channels, time) to remember.
    source, move : Tensor
        Of each copy, which row it is of, and which of `MOVES` it is moved by.
    usual : float, default=1
        The usual mean squared distance of a row to the nearest of the others, none being moved.
    beyond : float, default=0
        Share of the nearest copies that are skipped, since some remembered rows may be strange: a cluster of them then doesn't
        vouch for itself. The copy that counts is the fifth nearest at least. At 0 the nearest counts.
    """

    rows: Tensor
    source: Tensor
    move: Tensor
    usual: Tensor

    def __init__(
        self, scaling: Scaling, rows: Tensor, source: Tensor, move: Tensor, usual: float = 1.0, *, beyond: float = 0.0
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.beyond = beyond
        for name, tensor in {"rows": rows, "source": source, "move": move, "usual": torch.tensor(usual)}.items():
            self.register_buffer(name, tensor)
        self._made: _Copies | None = None

    def copies(self) -> _Copies:
        """The remembered rows, moved, ready to be compared with."""
        if self._made is None or (self._made.rows.dtype, self._made.rows.device) != (self.rows.dtype, self.rows.device):
            made = self.rows.new_empty(len(self.source), *self.rows.shape[1:])
            cost = made.new_zeros(len(self.source), dtype=torch.float32)
            for number, (shift, rate) in enumerate(MOVES):
                mine = self.move == number
                copy = warped(self.rows[self.source[mine]], shift, rate) if number else self.rows[self.source[mine]]
                made[mine] = self.scaling(copy) if isinstance(self.scaling, PerWindow) and number else copy
                cost[mine] = COST * ((shift / max(SHIFTS)) ** 2 + (rate / max(RATES)) ** 2)
            flat = self.compared(made).float()
            cost *= self.usual.float() * flat.shape[1]
            self._made = _Copies(made, flat, cost, flat.square().sum(1) + cost, bool(flat.isnan().any()))
        return self._made

    def compared(self, x: Tensor) -> Tensor:
        """What windows x are compared by (n, elements)."""
        return smoothed(x, SMOOTH * x.shape[2]).flatten(1)

    def settle_for_tracing(self) -> None:
        self.copies()

    def forget_copies(self) -> None:
        """Make the copies anew when they are next needed: the rows are others now."""
        self._made = None

    def nearest(self, x: Tensor, forbidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Which copy (n,) each window is nearest to, and the mean squared distance (n,), infinite where nothing can be compared.

        Of ``forbidden`` (n, rows) copies of a row don't count. Where a share is to be ``beyond``, it is the nearest behind that.
        """
        seen = self.compared(x)
        if traced():
            return self._nearest(seen, None)
        at_once = max(BLOCK // len(self.source), 1)
        parts = torch.split(seen, at_once)
        barred = [None] * len(parts) if forbidden is None else torch.split(forbidden, at_once)
        found = [self._nearest(*pair) for pair in zip(parts, barred, strict=True)]
        index, far = (torch.cat(some) for some in zip(*found, strict=True))
        return index, far

    def _nearest(self, seen: Tensor, forbidden: Tensor | None) -> tuple[Tensor, Tensor]:
        _, flat, cost, squares, gaps = self.copies()
        single = seen.float()
        if gaps or traced() or seen.isnan().any():
            here, there = (~single.isnan()).float(), (~flat.isnan()).float()
            x, kept = single.nan_to_num(0), flat.nan_to_num(0)
            both = here @ there.T
            apart = x.square() @ there.T - 2 * x @ kept.T + here @ kept.square().T
            apart = torch.where(both > 0, apart * (flat.shape[1] / both.clamp(min=1)), torch.inf) + cost
        else:
            apart = torch.addmm(squares, single, flat.T, alpha=-2)  # less the square of x, alike for all
        if forbidden is not None:
            apart.masked_fill_(forbidden[:, self.source], torch.inf)
        least, index = apart.min(1) if self.beyond == 0 else self._further(apart)
        between = seen - flat[index].to(seen)
        known = ~between.isnan()
        mean = between.nan_to_num(0).square().sum(1) / known.sum(1).clamp(min=1)
        far = mean + cost[index].to(mean) / flat.shape[1]
        return index, torch.where(least.isinf() | ~known.any(1), torch.inf, far)

    def _further(self, apart: Tensor) -> tuple[Tensor, Tensor]:
        """The distance (n,) of the copy that counts, and which one it is, of distances (n, copies); infinite ones don't count."""
        if traced():
            order = apart.topk(self._rank(apart.shape[1]), largest=False)
            return order.values[:, -1], order.indices[:, -1]
        allowed = (~apart.isinf()).sum(1)
        ranks = torch.tensor([self._rank(n) for n in allowed.tolist()], device=apart.device)
        order = apart.topk(int(ranks.max()), largest=False)
        which = ranks[:, None] - 1
        return order.values.gather(1, which)[:, 0], order.indices.gather(1, which)[:, 0]

    def _rank(self, copies: int) -> int:
        return max(min(rank_beyond(self.beyond, copies), copies), 1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The nearest copies (n, channels, time)."""
        return self.copies().rows[self.nearest(x)[0]].to(x)


def remembered(
    scaling: Scaling, rows: Tensor, most: int, *, moved: bool, generator: torch.Generator, beyond: float = 0.0
) -> Memory:
    """A memory of rows (m, channels, time), and of so many copies at most that are moved: all moves of each, if there is room."""
    m, each = len(rows), torch.arange(len(rows), device=rows.device)
    plain = Memory(scaling, rows, each, torch.zeros_like(each), beyond=beyond)
    if not moved:
        return plain
    some = each[:MOST_TRIED]
    far = plain.nearest(rows[some], some[:, None] == each)[1]
    known = far[torch.isfinite(far)]
    usual = float(known.median()) if len(known) else 1.0
    source, move = each.repeat(len(MOVES)), torch.arange(len(MOVES), device=rows.device).repeat_interleave(m)
    if len(source) > max(most, m):
        others = m + torch.randperm(len(source) - m, generator=generator, device=rows.device)[: max(most - m, 0)]
        chosen = torch.cat([each, others])
        source, move = source[chosen], move[chosen]
    return Memory(scaling, rows, source, move, usual, beyond=beyond)


def warped(x: Tensor, shift: float, rate: float) -> Tensor:
    """Windows x (n, channels, time), shifted by a share of their length, and quicker by so much around their middle.

    Between samples a line is drawn; beyond the ends, the last sample stands.
    """
    length = x.shape[2]
    middle = (length - 1) / 2
    place = ((torch.arange(length, dtype=torch.float64) - middle) * (1 + rate) + middle + shift * length).clamp(0, length - 1)
    below = place.floor().long().clamp(max=max(length - 2, 0))
    part = (place - below).to(x)
    return x[..., below] * (1 - part) + x[..., (below + 1).clamp(max=length - 1)] * part


def smoothed(x: Tensor, width: float) -> Tensor:
    """Windows x (n, channels, time) under a Gaussian of that standard deviation, in samples; of what is missing nothing is made."""
    radius = min(math.ceil(3 * width), x.shape[2] - 1)
    if width < 0.3 or radius < 1:  # the neighbours would count for less than a hundredth
        return x
    line = bell(radius, width, x)[None, None]
    flat = x.reshape(-1, 1, x.shape[2])

    def blurred(values: Tensor) -> Tensor:
        padded = functional.pad(values, (radius, radius), mode="replicate")
        if traced():
            return functional.conv1d(padded, line)
        if radius > WIDE:  # the sum over neighbours is a product of spectra, whose first 2 * radius steps go around the end
            n = padded.shape[2]
            whole: Tensor = torch.fft.irfft(torch.fft.rfft(padded) * torch.fft.rfft(line, n), n)
            return whole[..., 2 * radius :]
        few = max(UNFOLDED // (padded.shape[2] * line.shape[2]), 1)
        return torch.cat([functional.conv1d(part, line) for part in torch.split(padded, few)])

    missing = flat.isnan()
    if not traced() and not missing.any():
        return blurred(flat).reshape(x.shape)
    found = blurred(flat.nan_to_num(0)) / blurred((~missing).to(x.dtype)).clamp(min=1e-6)
    return found.masked_fill(missing, torch.nan).reshape(x.shape)


def run_lengths(holds: Tensor) -> Tensor:
    """Of each step (..., time) where something holds, how long the run of such steps is that it is part of; else 0."""
    time = holds.shape[-1]
    step = torch.arange(time, device=holds.device).expand(holds.shape)
    before = _highest_yet(torch.where(holds, -1, step))  # the last step that broke the run
    after = -_highest_yet(torch.where(holds, -time, -step).flip(-1)).flip(-1)  # the next one that does
    return torch.where(holds, after - before - 1, 0)


def _highest_yet(x: Tensor) -> Tensor:
    """The largest of each number of x (n, channels, time), from -time up, and all before it; ONNX knows it as pooling."""
    if not traced():
        return x.cummax(-1).values
    time = x.shape[-1]
    return functional.max_pool1d(functional.pad(x.float(), (time - 1, 0), value=-time), time, stride=1)
