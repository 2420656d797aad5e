"""The tensor half of a kind: from the numbers as they come to the numbers that a network likes, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
