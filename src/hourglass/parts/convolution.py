"""Networks for pictures: what is learned of one place holds for all the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.errors import ParameterError
from hourglass.parts.base import are_counts, one_of
from hourglass.parts.networks import ACTIVATIONS, Network, Residual, initialised, linear

Size = tuple[int, int]


@dataclass(frozen=True)
class Convolutional(Network):
    """Filters of 3 x 3 pixels that halve a picture level by level, and double it again: pixels have neighbours.

    Pictures of any size but a single pixel will do; of an odd length, the larger half is kept.

    Parameters
    ----------
    widths : tuple of int, optional
        How many filters each level of the encoder has, the decoder in reverse; a level more halves the picture once more, as far
        as it goes. Chosen from the size of the picture unless given: see `level_widths`.
    activation : str, default="silu"
        The function between layers: "relu", "leaky_relu", "elu", "gelu", "silu" or "tanh".
    residual : bool, default=True
        Whether the filters only add to a linear map from end to end, which is PCA and stays it, where PCA can fill the waist. False
        gives the filters alone.

    References
    ----------
    Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", 2016,
    equation 4 (four filters for the four pixels that one becomes). Aitken et al., "Checkerboard artifact free sub-pixel
    convolution", 2017, section 3.2 (the four are one at the start).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Convolutional(widths=(16, 32), activation="relu")
    Convolutional(widths=(16, 32), activation='relu', residual=True)
    """

    habits: ClassVar[dict[str, Any]] = Network.habits | {"learning_rate": 1e-2}  # filters bear more: their linear path stays PCA
    widths: tuple[int, ...] | None = None
    activation: str = "silu"
    residual: bool = True

    def __post_init__(self) -> None:
        self._require("widths", self.widths is None or are_counts(self.widths), "a tuple of at least one positive int, or None")
        one_of(self.activation, ACTIVATIONS, "activation", "Convolutional")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        widths, sizes = self._levels(shape)
        layers: list[nn.Module] = []
        for before, after in pairwise((shape[0], *widths)):
            layers += [_filters(before, after, generator, stride=2), ACTIVATIONS[self.activation]()]
        waist = linear(widths[-1] * math.prod(sizes[-1]), n, generator, gain=0.0 if self.residual else 1.0)
        bent = nn.Sequential(*layers, nn.Flatten(), waist)
        return Residual(linear(math.prod(shape), n, generator), bent, kept=True) if self.residual else bent

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        widths, sizes = self._levels(shape)
        waist = linear(n, widths[-1] * math.prod(sizes[-1]), generator, gain=math.sqrt(2))
        layers: list[nn.Module] = [waist, nn.Unflatten(1, (widths[-1], *sizes[-1]))]
        for level in reversed(range(len(widths))):
            after, gain = (widths[level - 1], math.sqrt(2)) if level else (shape[0], 0.0 if self.residual else 1.0)
            layers += [ACTIVATIONS[self.activation](), Doubled(widths[level], after, sizes[level], generator, gain=gain)]
        if not self.residual:
            return nn.Sequential(*layers)
        bent = nn.Sequential(*layers, nn.Flatten())
        return nn.Sequential(Residual(linear(n, math.prod(shape), generator), bent, kept=True), nn.Unflatten(1, shape))

    def _levels(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], list[Size]]:
        """The widths of the levels, and the sizes of the picture before the first and after each."""
        if len(shape) != 3 or shape[1:] == (1, 1):
            raise ParameterError(
                "A Convolutional network takes pictures (channels, height, width) of more than one pixel. "
                f"Got elements of shape {tuple(shape)}."
            )
        sizes: list[Size] = [(shape[1], shape[2])]
        widths = level_widths(*sizes[0]) if self.widths is None else tuple(self.widths)
        while len(sizes) <= len(widths) and sizes[-1] != (1, 1):
            height, width = sizes[-1]
            sizes.append((math.ceil(height / 2), math.ceil(width / 2)))
        return widths[: len(sizes) - 1], sizes


class Doubled(nn.Module):
    """A picture of twice the size, less what an odd length has too much: four filters for the four pixels that one becomes.

    The four are the same at the start, so that a flat picture has a flat one for its double, and no checkerboard.
    """

    def __init__(self, before: int, after: int, size: Size, generator: torch.Generator, gain: float) -> None:
        super().__init__()
        self.size = size
        self.filters = _filters(before, 4 * after, generator, gain=0.0)
        one = _filters(before, after, generator, gain=gain).weight
        with torch.no_grad():
            self.filters.weight.copy_(one.repeat_interleave(4, 0))

    def forward(self, h: Tensor) -> Tensor:
        doubled = functional.pixel_shuffle(self.filters(h), 2)  # (batch, after, 2 height, 2 width)
        return doubled[..., : self.size[0], : self.size[1]]


def level_widths(height: int, width: int) -> tuple[int, ...]:
    """The widths of an encoder that is told nothing: 16, then twice as many a level, at most 128, until about 8 x 8 are left."""
    levels = max(round(math.log2(math.sqrt(height * width) / 8)), 1)
    return tuple(min(16 * 2**level, 128) for level in range(levels))


def _filters(before: int, after: int, generator: torch.Generator, *, stride: int = 1, gain: float = math.sqrt(2)) -> nn.Conv2d:
    return initialised(nn.Conv2d(before, after, 3, stride, padding=1, device="meta"), generator, gain)
