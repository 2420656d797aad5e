"""A network that mends pictures of any size: the fine goes straight across, the coarse around by way of smaller pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.base import are_counts, is_count
from hourglass.parts.networks import Network, initialised
from hourglass.parts.noise import finest
from hourglass.parts.precision import quick

MIDDLE = 0.5  # of the pixels, which lie between 0 and 1
USUAL = 25 / 255  # what the finest detail of a picture is brought to, where contrast is relative
LEAST = 4 / 255  # and less than that is taken for that much
FOLD = 2  # pixels a side that become channels at once
FAINT = 0.2  # of the usual size, the weights that end a block have at the start

Features = list[Tensor]
"""What goes across: what was seen (batch, channels, height, width), then the features of each level, each half as large."""


@dataclass(frozen=True)
class Restorer(Network):
    """A residual U-Net: what it adds to the picture that it is given makes that picture whole.

    Two pixels a side are folded into channels; every level has blocks on the way down and on the way up, with a skip between them,
    and halves the picture. Nothing depends on the size of the picture. There is no normalisation, so that the brightness of a
    picture counts in every part of it alike.

    Parameters
    ----------
    widths : tuple of int
        Channels of each level, the finest first.
    blocks : int
        Blocks of a level, on the way down and again on the way up.
    patch : int
        Pixels a side of the patches of pictures that it learns from.
    relative : bool
        Whether the contrast of each picture is changed on the way in, and back on the way out, so that its finest detail, which is
        mostly its noise, is always as strong: for noise of any strength in one model. While it learns, how strong the noise is
        is known.

    References
    ----------
    Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", 2021, section 3.1 (residual blocks in a U-Net).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Restorer()
    Restorer(widths=(32, 96, 128), blocks=2, patch=64, relative=False)
    """

    restores: ClassVar[bool] = True
    habits: ClassVar[dict[str, Any]] = {"optimizer": "muon", "learning_rate": 2e-3, "schedule": "cosine"}
    widths: tuple[int, ...] = (32, 96, 128)
    blocks: int = 2
    patch: int = 64
    relative: bool = False

    def __post_init__(self) -> None:
        self._require("widths", are_counts(self.widths), "a tuple of positive ints")
        self._require("blocks", is_count(self.blocks), "a positive int")
        self._require("patch", is_count(self.patch), "a positive int")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return _Down(shape[0], tuple(self.widths), self.blocks, self.relative, generator)

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return _Up(shape[0], tuple(self.widths), self.blocks, self.relative, generator)


class _Side(nn.Module):
    """What both networks know: how contrast is changed on the way."""

    def __init__(self, channels: int, relative: bool) -> None:
        super().__init__()
        self.channels = channels  # of the picture; behind them there may be marks, which have no contrast
        self.relative = relative
        self.told: Tensor | None = None

    def contrast(self, seen: Tensor) -> Tensor | float:
        """What the contrast of each picture is multiplied by (batch, 1, 1, 1)."""
        if not self.relative:
            return 1.0
        return relative_contrast(seen[:, : self.channels]) if self.told is None else self.told


def relative_contrast(seen: Tensor, clean: Tensor | None = None) -> Tensor:
    """What brings the finest detail of each picture to the usual strength (batch, 1, 1, 1); or its noise, where that is known."""
    noise = finest(seen) if clean is None else (seen - clean).flatten(1).std(1).view(-1, 1, 1, 1)
    return USUAL / noise.clamp(min=LEAST)


@contextmanager
def told(networks: Iterable[nn.Module], contrast: Tensor | None) -> Iterator[None]:
    """Let relative restorers take this contrast meanwhile, instead of that of what they see."""
    sides = [network for network in networks if isinstance(network, _Side)]
    for side in sides:
        side.told = contrast
    try:
        yield
    finally:
        for side in sides:
            side.told = None


class _Down(_Side):
    """From what is seen (batch, channels, height, width) to `Features`."""

    def __init__(self, channels: int, widths: tuple[int, ...], blocks: int, relative: bool, generator: torch.Generator) -> None:
        super().__init__(3 if channels >= 3 else 1, relative)
        self.multiple = FOLD * 2 ** (len(widths) - 1)  # the sides are lengthened to a multiple of it
        self.head = _convolution(channels * FOLD**2, widths[0], 3, generator)
        self.levels = nn.ModuleList(_blocks(width, blocks, generator) for width in widths)
        self.halving = nn.ModuleList(_convolution(fine, coarse, 2, generator) for fine, coarse in pairwise(widths))

    def forward(self, seen: Tensor) -> Features:
        height, width = seen.shape[-2:]
        x = seen - MIDDLE
        x[:, : self.channels] *= self.contrast(seen)
        padded = functional.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        found = [seen]
        with quick(seen):
            h = self.head(functional.pixel_unshuffle(padded, FOLD).contiguous(memory_format=torch.channels_last))
            for level, halve in zip(self.levels, [*self.halving, nn.Identity()], strict=True):
                found.append(level(h))
                h = halve(found[-1])
        return found


class _Up(_Side):
    """From `Features` to the whole picture (batch, channels, height, width)."""

    def __init__(self, channels: int, widths: tuple[int, ...], blocks: int, relative: bool, generator: torch.Generator) -> None:
        super().__init__(channels, relative)
        self.doubling = nn.ModuleList(_doubling(coarse, fine, generator) for fine, coarse in pairwise(widths))
        self.levels = nn.ModuleList(_blocks(width, blocks, generator) for width in widths[:-1])
        self.tail = _convolution(widths[0], channels * FOLD**2, 3, generator, gain=0.0)

    def forward(self, found: Features) -> Tensor:
        seen, *levels, h = found
        with quick(seen):
            for level, double, across in zip(reversed(self.levels), reversed(self.doubling), reversed(levels), strict=True):
                h = level(double(h) + across)
            h = self.tail(h)
        height, width = seen.shape[-2:]
        added = functional.pixel_shuffle(h.to(seen.dtype), FOLD)[..., :height, :width]
        return seen[:, : self.channels] + added / self.contrast(seen)


class _Block(nn.Module):
    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = _convolution(width, width, 3, generator)
        self.active = nn.ReLU(inplace=True)
        self.second = _convolution(width, width, 3, generator, gain=FAINT)

    def forward(self, h: Tensor) -> Tensor:
        output: Tensor = h + self.second(self.active(self.first(h)))
        return output


def _blocks(width: int, count: int, generator: torch.Generator) -> nn.Module:
    return nn.Sequential(*(_Block(width, generator) for _ in range(count)))


def _convolution(before: int, after: int, size: int, generator: torch.Generator, gain: float = math.sqrt(2)) -> nn.Conv2d:
    """3 x 3 pixels around each; or 2 x 2 side by side, which halves the picture."""
    stride, padding = (1, 1) if size == 3 else (2, 0)
    return initialised(nn.Conv2d(before, after, size, stride, padding, device="meta"), generator, gain)


def _doubling(before: int, after: int, generator: torch.Generator) -> nn.ConvTranspose2d:
    """Each pixel becomes 2 x 2 that don't overlap with others, so that no chequers come of it."""
    return initialised(nn.ConvTranspose2d(before, after, 2, stride=2, device="meta"), generator, 1.0)
