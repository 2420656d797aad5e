"""What is gone from pictures: it becomes NaN, as every gap in the house, and alone has to be rebuilt."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.parts.base import one_of
from hourglass.parts.corruptions import Strength, strengths, strongest
from hourglass.parts.damage import Damage, per_pixel

MOST_SCRATCHES = 100
SIDES = ("any", "left", "right", "top", "bottom")


@dataclass(frozen=True)
class Erasure(Damage):
    """Base of what erases pixels: they become NaN, and only they have to be rebuilt."""

    @property
    def hides(self) -> bool:
        return True

    def marks(self, seen: Tensor) -> Tensor | None:
        return seen.isnan().any(1, keepdim=True)

    @abstractmethod
    def erased(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Which pixels (batch, 1, height, width)."""

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x.masked_fill(self.erased(x, generator), torch.nan)


@dataclass(frozen=True)
class Erase(Erasure):
    """Rectangles erased.

    Parameters
    ----------
    share : float or (float, float)
        How much of the picture, from 0 to 1; to the nearest rectangle.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Erase((0.1, 0.5))
    Erase(share=(0.1, 0.5))
    """

    bounds: ClassVar[tuple[float, float]] = (0, 1)
    share: Strength = 0.3

    def erased(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        rows, columns = torch.randint(4, 11, (2,), generator=generator, device=x.device).tolist()
        chance = torch.rand(len(x), 1, rows, columns, generator=generator, device=x.device)
        count = (strengths(self.share, x, generator) * rows * columns).round()
        chosen = chance.flatten(1).argsort(1).argsort(1).view_as(chance) < count
        whole = functional.interpolate(chosen.to(x.dtype), x.shape[-2:]).bool()  # the nearest
        down, across = (int(torch.randint(size, (), generator=generator, device=x.device)) for size in x.shape[-2:])
        return whole.roll((down, across), (2, 3))


@dataclass(frozen=True)
class ErasePixels(Erasure):
    """Single pixels erased.

    Parameters
    ----------
    share : float or (float, float)
        How many of them, from 0 to 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.ErasePixels(0.5)
    ErasePixels(share=0.5)
    """

    bounds: ClassVar[tuple[float, float]] = (0, 1)
    share: Strength = 0.5

    def erased(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return per_pixel(x).uniform_(generator=generator) < strengths(self.share, x, generator)


@dataclass(frozen=True)
class BlindSpot(ErasePixels):
    """Pixels hidden, to be rebuilt from what is around them: for learning from noisy pictures alone.

    What is rebuilt is the noisy pixel, whose noise can't be foreseen from its neighbours: so the model learns what is clean. When
    it mends, each pixel is hidden once, those of a lattice at a time.

    Parameters
    ----------
    share : float or (float, float)
        How many of the pixels are hidden at a time, from 0.01 to 0.5.

    References
    ----------
    Batson and Royer, "Noise2Self", 2019, equation 1 and section 3.1; Krull, Buchholz and Jug, "Noise2Void", 2019.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.BlindSpot()
    BlindSpot(share=0.25)
    """

    bounds: ClassVar[tuple[float, float]] = (0.01, 0.5)
    share: Strength = 0.25

    @property
    def lattice(self) -> int:
        return max(round(1 / math.sqrt(strongest(self.share))), 2)


@dataclass(frozen=True)
class Scratches(Erasure):
    """Scratches from edge to edge, one to three pixels wide, in any direction.

    Parameters
    ----------
    count : float or (float, float)
        How many, rounded; at most 100.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Scratches((2.0, 6.0))
    Scratches(count=(2.0, 6.0))
    """

    bounds: ClassVar[tuple[float, float]] = (0, MOST_SCRATCHES)
    count: Strength = 5.0

    def erased(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        height, width = x.shape[-2:]
        down = torch.arange(height, dtype=x.dtype, device=x.device)[:, None]
        across = torch.arange(width, dtype=x.dtype, device=x.device)[None, :]
        count = strengths(self.count, x, generator).round()
        found = torch.zeros_like(per_pixel(x), dtype=torch.bool)
        for number in range(round(strongest(self.count))):
            chance = torch.rand(4, len(x), 1, 1, 1, generator=generator, device=x.device)
            angle = math.pi * chance[0]
            beside = (down - chance[1] * height) * angle.cos() - (across - chance[2] * width) * angle.sin()
            found |= (beside.abs() < 0.5 + chance[3]) & (number < count)
        return found


@dataclass(frozen=True)
class HalfErased(Erasure):
    """Half of the picture is gone.

    Parameters
    ----------
    side : str, default="any"
        "left", "right", "top" or "bottom"; or "any": each picture loses a side of its own.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.HalfErased("right")
    HalfErased(side='right')
    """

    side: str = "any"

    def __post_init__(self) -> None:
        one_of(self.side, dict.fromkeys(SIDES), "side", "HalfErased")

    def erased(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        found = torch.zeros_like(per_pixel(x), dtype=torch.bool)
        height, width = x.shape[-2:]
        sides = torch.randint(4, (len(x),), generator=generator, device=x.device).tolist()
        for picture, number in zip(found, sides, strict=True):
            side = SIDES[1 + number] if self.side == "any" else self.side
            rows = {"top": slice(height // 2), "bottom": slice(height - height // 2, None)}.get(side, slice(None))
            columns = {"left": slice(width // 2), "right": slice(width - width // 2, None)}.get(side, slice(None))
            picture[:, rows, columns] = True
        return found
