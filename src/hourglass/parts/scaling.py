"""The tensor half of a kind: from the numbers as they come to the numbers that a network likes, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SQUASH = 3.0  # standard deviations from where on the tails are drawn in
FURTHEST = 20.0  # scaled values are clipped there, so that no input is too large for a network


class Scaling(nn.Module):
    """Base: ``forward`` takes raw numbers (batch, ...) of any dtype and gives floats; ``inverse`` undoes it."""

    def forward(self, raw: Tensor) -> Tensor:
        raise NotImplementedError

    def inverse(self, x: Tensor) -> Tensor:
        raise NotImplementedError


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


class Squash(Scaling):
    """Standardised columns whose tails are drawn in, standardised again: 3 asinh(z / 3) is z near 0 and a logarithm far out."""

    def __init__(self, first: Standardize, second: Standardize) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, raw: Tensor) -> Tensor:
        x: Tensor = self.second(SQUASH * torch.asinh(self.first(raw) / SQUASH))
        return x.clamp(-FURTHEST, FURTHEST)

    def inverse(self, x: Tensor) -> Tensor:
        raw: Tensor = self.first.inverse(SQUASH * torch.sinh(self.second.inverse(x) / SQUASH))
        return raw


def standardize(values: Tensor) -> Standardize:
    """To a mean of 0 and a standard deviation of 1 in each column of numbers (n, ...); a constant column becomes 0."""
    numbers = values.double()
    std = numbers.std(0, correction=0)
    flat = std <= 1e-12 * numbers.abs().amax(0)  # constant, up to rounding
    return Standardize(numbers.mean(0), torch.where(flat, 1.0, std))


def squash(values: Tensor) -> Squash:
    """The squashing that fits numbers (n, ...)."""
    first = standardize(values)
    return Squash(first, standardize(SQUASH * torch.asinh(first(values.double()) / SQUASH)))
