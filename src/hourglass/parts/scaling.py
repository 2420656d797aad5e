"""The tensor half of a kind: from the numbers as they come to the numbers that a network likes, and back."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.cells import Cell
from hourglass.parts.tracing import traced

SQUASH = 3.0  # standard deviations from where on the tails are drawn in
FAR = 1000.0  # standard deviations from zero, from where on single precision loses too much of a column
LEFT = 0.5  # of the variance of a column, at least, where a row is left out of it
HEAVY = 20.0  # a column that reaches so many standard deviations has a heavy tail
BLOCK = 2**22  # numbers that are held in double precision at a time: 32 MB
TOGETHER = 32  # columns at least: sums over fewer are added up in another order
ROWS = 2**20  # that a mean is taken of at a time


class Scaling(nn.Module):
    """Base: ``forward`` takes raw numbers (batch, ...) of any dtype and gives floats; ``inverse`` undoes it."""

    def forward(self, raw: Tensor) -> Tensor:
        raise NotImplementedError

    def inverse(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def unsquashed(self, x: Tensor) -> Tensor:
        """Scaled rows x as they were before tails were drawn in."""
        return x

    def raw(self, x: Tensor) -> Tensor:
        """What ``inverse`` gives, in double precision where single would round it too much."""
        return self.inverse(x.double() if self.far else x)

    def within(self, x: Tensor) -> Tensor:
        """X with numbers drawn into the range of what the scaling was learned from, where it knows that."""
        return x

    def by_others(self, x: Tensor, count: Tensor) -> Tensor:
        """Rows x of the ``count`` (elements,) that the scaling was learned from, each as one learned from all others has it.

        So they are like new rows, whose values draw no mean towards them.
        """
        return x

    @property
    def far(self) -> bool:
        """Whether columns lie so far from zero, as times do, that single precision would round them too much."""
        return any(inner.far for inner in self.children() if isinstance(inner, Scaling))


class UnitScaling(Scaling):
    """Pixels from 0 to ``top`` become floats from 0 to 1."""

    def __init__(self, top: float = 255.0) -> None:
        super().__init__()
        self.top = top

    def forward(self, raw: Tensor) -> Tensor:
        if raw.is_floating_point():
            return raw if self.top == 1.0 else raw / self.top
        return raw.float().mul_(1 / self.top)

    def inverse(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1) * self.top


class OneHot(Scaling):
    """Whole numbers (batch, length) become ones among zeros (batch, length, symbols); 0 is the end, and behind it all are zeros."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.symbols = symbols

    def forward(self, raw: Tensor) -> Tensor:
        end = raw == 0
        before = end.cumsum(1) - end.int() == 0  # no end has been yet
        ones = raw.new_zeros((*raw.shape, self.symbols), dtype=torch.float32)
        return ones.scatter_(-1, raw.long()[..., None], before.float()[..., None])

    def inverse(self, x: Tensor) -> Tensor:
        return x.argmax(-1)


class Standardize(Scaling):
    """Columns less their mean, over their scale. The figures are kept in float64, so that data far from zero lose nothing."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.double())
        self.register_buffer("scale", scale.double())

    def forward(self, raw: Tensor) -> Tensor:
        dtype = raw.dtype if raw.is_floating_point() else torch.float32
        return ((raw.double() - self.mean) / self.scale).to(dtype)

    def inverse(self, x: Tensor) -> Tensor:
        return (x.double() * self.scale + self.mean).to(x.dtype)

    @property
    def far(self) -> bool:
        return bool((self.mean.abs() > FAR * self.scale).any())


class PerWindow(Scaling):
    """Each channel of a window (batch, channels, time) less its own mean, over its own standard deviation; missing values stay NaN.

    What level and gain it had is forgotten, so there is no way back. A constant window becomes 0.
    """

    def forward(self, raw: Tensor) -> Tensor:
        x = raw.double() if raw.is_floating_point() else raw.float().double()
        centred = x - x.nanmean(-1, keepdim=True)
        std = centred.square().nanmean(-1, keepdim=True).sqrt()
        varied = std > 1e-9 * x.nan_to_num(0).abs().amax(-1, keepdim=True)  # not constant, up to rounding
        scaled: Tensor = torch.where(varied, centred / torch.where(varied, std, 1.0), 0 * centred)
        return scaled.to(raw.dtype if raw.is_floating_point() else torch.float32)


class Squash(Scaling):
    """Standardised columns, of which the tailed ones are drawn in, 3 asinh(z / 3), and standardised again.

    3 asinh(z / 3) is z near 0 and a logarithm far out.
    """

    tailed: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, first: Standardize, second: Standardize, tailed: Tensor) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.register_buffer("tailed", tailed)
        self.register_buffer("low", torch.full(tailed.shape, -torch.inf))  # ends of the range, scaled
        self.register_buffer("high", torch.full(tailed.shape, torch.inf))

    def forward(self, raw: Tensor) -> Tensor:
        z: Tensor = self.first(raw)
        if traced():
            z = z.float()  # onnxruntime has no asinh in double precision, and what is standardised can do without
        elif not self.tailed.any():
            return z
        drawn_in: Tensor = self.second(SQUASH * torch.asinh(z / SQUASH))
        return torch.where(self.tailed, drawn_in, z)

    def unsquashed(self, x: Tensor) -> Tensor:
        if not traced() and not self.tailed.any():
            return x
        return torch.where(self.tailed, SQUASH * torch.sinh(self.second.inverse(x) / SQUASH), x)

    def inverse(self, x: Tensor) -> Tensor:
        raw: Tensor = self.first.inverse(self.unsquashed(x))
        return raw

    def within(self, x: Tensor) -> Tensor:
        return x.clamp(self.low.to(x), self.high.to(x))

    def by_others(self, x: Tensor, count: Tensor) -> Tensor:
        others = (count - 1).clamp(min=1)
        left = (1 - x.square() / others).clamp(min=LEFT)  # of the variance without the row, but for the factor below
        return torch.where(self.tailed, x * ((others + 1) / others / left).sqrt(), x)


class Conditions(nn.Module):
    """What is known beside rows, raw numbers (batch, cells), as networks like it: (batch, width), 0 where it is missing."""

    def __init__(self, scaling: Scaling, width: int) -> None:
        super().__init__()
        self.scaling = scaling
        self.width = width

    def forward(self, raw: Tensor) -> Tensor:
        known: Tensor = self.scaling(raw).nan_to_num(0)
        return known


class Expand(Scaling):
    """The cells of a table (batch, cells) side by side as numbers, ones and zeros, sines and cosines; then scaled.

    A missing cell is NaN in all that it becomes.
    """

    def __init__(self, cells: tuple[Cell, ...], then: Scaling) -> None:
        super().__init__()
        self.cells = cells
        self.then = then

    def forward(self, raw: Tensor) -> Tensor:
        x: Tensor = self.then(expand(raw, self.cells))
        return x

    def unsquashed(self, x: Tensor) -> Tensor:
        return self.then.unsquashed(x)

    def within(self, x: Tensor) -> Tensor:
        return self.then.within(x)

    def by_others(self, x: Tensor, count: Tensor) -> Tensor:
        return self.then.by_others(x, count)

    @property
    def far(self) -> bool:
        return any(cell.cycles for cell in self.cells) or super().far

    def inverse(self, x: Tensor) -> Tensor:
        values, start, found = self.then.inverse(x), 0, []
        for cell in self.cells:
            own = values[..., start : start + cell.width]
            found.append(own.argmax(-1).to(x.dtype) if cell.levels else own[..., 0] if cell.plain else on_cycles(own, cell.cycles))
            start += cell.width
        return torch.stack(found, -1)


def expand(raw: Tensor, cells: tuple[Cell, ...]) -> Tensor:
    """What the cells (batch, cells) become, side by side, not yet scaled."""
    found: list[Tensor] = []
    for cell, column in zip(cells, raw.unbind(-1), strict=True):
        if cell.levels:
            level = column.nan_to_num(0).long()
            ones = functional.one_hot(level, cell.levels).to(raw.dtype)
            found.append(torch.where(column.isnan()[..., None], torch.nan, ones))
            continue
        found += [column[..., None]] * cell.plain
        for period in cell.cycles:
            angle = column.double().remainder(period) * (2 * math.pi / period)
            turned = torch.stack([angle, angle + math.pi / 2], -1)  # so that a sine is the cosine, which not all onnxruntimes know
            found.append(turned.sin().to(raw.dtype))
    return torch.cat(found, -1)


def on_cycles(values: Tensor, cycles: tuple[float, ...]) -> Tensor:
    """The first number (...) that stands at these places on its cycles: sine and cosine of each (..., 2 * cycles), shortest first.

    Where the places contradict one another, the shorter cycles have their way.
    """
    found = torch.zeros_like(values[..., 0])
    for number, period in reversed(list(enumerate(cycles))):
        place = torch.atan2(values[..., 2 * number], values[..., 2 * number + 1]) * (period / (2 * math.pi))
        found = found + (place - found + period / 2).remainder(period) - period / 2
    return found


def standardize(values: Tensor, numbers: Tensor | None = None) -> Standardize:
    """To a mean of 0 and a standard deviation of 1 in each column of values (n, ...); a constant column becomes 0.

    Missing values are left out of account. What are no ``numbers`` (...), where that is given, stays as it is.
    """
    mean = _mean(values, lambda some: some).nan_to_num(0)
    std = _mean(values, lambda some: some.sub_(mean).square_()).sqrt()
    largest = torch.stack([some.nan_to_num(0).abs().amax(0) for some in torch.split(values, _at_once(values))]).amax(0).double()
    varied = std > 1e-12 * largest  # not constant, up to rounding
    if numbers is not None:
        mean, varied = torch.where(numbers, mean, 0), varied & numbers
    return Standardize(mean, torch.where(varied, std, 1.0))


def _mean(values: Tensor, made_of: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean (...) of what is made of values (n, ...) in double precision, some rows at a time; missing ones don't count."""
    total, count = [], []
    for some in torch.split(values, ROWS):
        made = made_of(some.to(torch.float64, copy=True))
        total.append(made.nansum(0))
        count.append((~made.isnan()).sum(0))
    return torch.stack(total).sum(0) / torch.stack(count).sum(0)


def squash(values: Tensor, numbers: Tensor, tailed: Tensor | None = None) -> Squash:
    """The scaling that fits values (n, columns); the tailed columns are those with heavy tails, unless given."""
    count = max(BLOCK // max(len(values), 1) // TOGETHER, 1) * TOGETHER  # columns at a time, each by itself
    numbers = numbers.to(values.device)
    pieces = [None] * values.shape[1] if tailed is None else torch.split(tailed.to(values.device), count)
    parts = values.split(count, 1)  # type: ignore[no-untyped-call]  # rows of a sparse matrix do as well
    blocks = zip(parts, torch.split(numbers, count), pieces, strict=False)
    found = [_squash(*block).state_dict() for block in blocks]
    nothing = torch.zeros(values.shape[1])
    whole = Squash(Standardize(nothing, nothing), Standardize(nothing, nothing), nothing.bool())
    whole.load_state_dict({name: torch.cat([block[name] for block in found]) for name in found[0]})
    return whole


def _squash(values: Tensor, numbers: Tensor, tailed: Tensor | None) -> Squash:
    first = standardize(values, numbers)
    z = first(values.double())
    tailed = heavy_tailed(z) & numbers if tailed is None else tailed
    found = Squash(first, standardize(SQUASH * torch.asinh(z / SQUASH)), tailed)
    x, raw = found(values).float(), values.double()
    (low, high), (raw_low, raw_high) = ends(x), ends(raw)
    found.low, found.high = _inside(found, low, raw_low, torch.inf), _inside(found, high, raw_high, -torch.inf)
    return found


def ends(values: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest of values (n, ...); where all are missing, infinite ones the wrong way round."""
    return values.nan_to_num(torch.inf).amin(0), values.nan_to_num(-torch.inf).amax(0)


def _inside(scaling: Squash, end: Tensor, raw: Tensor, towards: float) -> Tensor:
    """Ends of ranges in single precision, whose way back leads, even by rounding, no farther out than the raw ones."""
    back = scaling.inverse(end.double())
    return torch.where(back < raw if towards > 0 else back > raw, end.nextafter(torch.full_like(end, towards)), end)


def scaled(scaling: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Raw numbers (n, ...) as a scaling gives them, in single precision, some rows at a time: so no copy of all is any larger."""
    return in_parts(scaling, values, _at_once(values), torch.float32)


def in_parts(function: Callable[[Tensor], Tensor], x: Tensor, at_once: int, dtype: torch.dtype | None = None) -> Tensor:
    """A function of rows x (n, ...), so many at a time, into one tensor; of the type that it gives, unless another is said."""
    found = x.new_empty(0)
    for first in range(0, len(x), at_once):
        part = function(x[first : first + at_once])
        if not first:
            found = part.new_empty((len(x), *part.shape[1:]), dtype=dtype)
        found[first : first + at_once] = part
    return found


def _at_once(values: Tensor) -> int:
    """How many rows of values (n, ...) are looked at together."""
    return max(BLOCK // max(values[:1].numel(), 1), 1)


def heavy_tailed(z: Tensor) -> Tensor:
    """Which standardised columns (n, ...) reach far beyond a middle half that is itself spread out."""
    some = z[:: len(z) // 10_000 + 1]
    low, high = some.nanquantile(0.25, 0), some.nanquantile(0.75, 0)
    return (z.nan_to_num(0).abs().amax(0) > HEAVY) & (high > low)
