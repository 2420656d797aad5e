"""The network for series: what is learned of one time holds for all others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.errors import ParameterError
from hourglass.parts.base import is_count, one_of
from hourglass.parts.networks import ACTIVATIONS, Network, Residual, initialised, linear

MOST_LEFT = 32  # steps that the waist is drawn from, at most
KERNEL = 3


@dataclass(frozen=True)
class Temporal(Network):
    """Dilated convolutions along the time: each block looks twice as far as the one before, and only adds to what it is given.

    The encoder ends in the means of stretches of time, at most 32 of them, the decoder begins with as many.

    Parameters
    ----------
    width : int, default=32
        Filters of a block.
    blocks : int, optional
        How many; unless given, as many as it takes for a step to be reached from half of the series.
    causal : bool, default=False
        Whether a step is computed from itself and earlier ones alone, up to the stretches.
    activation : str, default="silu"
        The function between layers: "relu", "leaky_relu", "elu", "gelu", "silu" or "tanh".
    residual : bool, default=True
        Whether the filters only add to a linear map from end to end, which starts as PCA. False gives the filters alone.

    References
    ----------
    Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence Modeling", 2018,
    section 3.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Temporal(16, causal=True)
    Temporal(width=16, blocks=None, causal=True, activation='silu', residual=True)
    """

    width: int = 32
    blocks: int | None = None
    causal: bool = False
    activation: str = "silu"
    residual: bool = True

    def __post_init__(self) -> None:
        self._require("width", is_count(self.width), "a positive int")
        self._require("blocks", self.blocks is None or is_count(self.blocks), "a positive int or None")
        one_of(self.activation, ACTIVATIONS, "activation", "Temporal")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        channels, length = _series(shape)
        left = min(MOST_LEFT, length)
        waist = linear(self.width * left, n, generator, gain=0.0 if self.residual else 1.0)
        inside = [_Filters((channels, self.width), 1, self.causal, generator), *self._dilated(length, generator)]
        bent = nn.Sequential(*inside, nn.AdaptiveAvgPool1d(left), nn.Flatten(), waist)
        return Residual(linear(math.prod(shape), n, generator), bent) if self.residual else bent

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        channels, length = _series(shape)
        left = min(MOST_LEFT, length)
        waist = linear(n, self.width * left, generator, gain=math.sqrt(2))
        last = _Filters((self.width, channels), 1, self.causal, generator, gain=0.0 if self.residual else 1.0)
        grown = nn.Upsample(length, mode="linear")
        bent = nn.Sequential(waist, nn.Unflatten(1, (self.width, left)), grown, *self._dilated(length, generator), last)
        if not self.residual:
            return bent
        return nn.Sequential(
            Residual(linear(n, math.prod(shape), generator), nn.Sequential(bent, nn.Flatten())), nn.Unflatten(1, shape)
        )

    def _dilated(self, length: int, generator: torch.Generator) -> list[nn.Module]:
        blocks = max(math.ceil(math.log2(max(length / 4, 2))), 1) if self.blocks is None else self.blocks
        return [_Block(self, 2**number, generator) for number in range(blocks)]


class _Block(nn.Module):
    """h + filters(activation(filters(h))), the first of which look ``dilation`` steps away."""

    def __init__(self, network: Temporal, dilation: int, generator: torch.Generator) -> None:
        super().__init__()
        width = network.width
        self.first = _Filters((width, width), dilation, network.causal, generator)
        self.activation = ACTIVATIONS[network.activation]()
        self.second = initialised(nn.Conv1d(width, width, 1, device="meta"), generator, 0.3)

    def forward(self, h: Tensor) -> Tensor:
        output: Tensor = h + self.second(self.activation(self.first(h)))
        return output


class _Filters(nn.Module):
    """Filters of three steps, ``dilation`` apart: around each step, or where it is ``causal`` before it."""

    def __init__(
        self, size: tuple[int, int], dilation: int, causal: bool, generator: torch.Generator, gain: float = math.sqrt(2)
    ) -> None:
        super().__init__()
        self.filters = initialised(nn.Conv1d(*size, KERNEL, dilation=dilation, device="meta"), generator, gain)
        reach = (KERNEL - 1) * dilation
        self.pad = (reach, 0) if causal else (reach // 2, reach - reach // 2)

    def forward(self, h: Tensor) -> Tensor:
        output: Tensor = self.filters(functional.pad(h, self.pad))
        return output


def _series(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ParameterError(f"A Temporal network takes series (channels, time). Got elements of shape {tuple(shape)}.")
    return shape[0], shape[1]
