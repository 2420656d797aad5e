"""What happens to pictures: x is (batch, channels, height, width), from 0 to 1.

Every strength is a number, or a range (low, high) from which each picture draws its own: a model trained on a range cleans all of
it. What is erased becomes NaN, as every gap in the house, and alone has to be rebuilt.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, fields
from io import BytesIO
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.errors import ParameterError
from hourglass.parts.artefacts import BaselineWander, DropSpans, MainsHum
from hourglass.parts.base import one_of
from hourglass.parts.bell import bell
from hourglass.parts.corruptions import Corruption, Noise, Strength, Together, drawn, is_strength

MOST_SCRATCHES = 100
SIDES = ("any", "left", "right", "top", "bottom")


@dataclass(frozen=True)
class Damage(Corruption):
    """Base of what happens to pictures alone: its one field is a strength within ``bounds``."""

    bounds: ClassVar[tuple[float, float]] = (0, math.inf)

    def __post_init__(self) -> None:
        (field,) = fields(self)
        low, high = self.bounds
        words = f"a number of at least {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
        self._require(field.name, is_strength(getattr(self, field.name), low, high), f"{words}, or a range of them")

    @property
    def of_pictures(self) -> bool:
        return True


@dataclass(frozen=True)
class Poisson(Damage):
    """Grains of light: each pixel counts photons.

    Parameters
    ----------
    peak : float or (float, float)
        How many photons white is, on average; fewer are noisier.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Poisson(30.0)
    Poisson(peak=30.0)
    """

    bounds: ClassVar[tuple[float, float]] = (1e-3, math.inf)
    peak: Strength = 30.0

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        peak = drawn(self.peak, x, generator)
        return torch.poisson(x.clamp(min=0) * peak, generator=generator) / peak


@dataclass(frozen=True)
class Speckle(Damage):
    """Noise that grows with brightness, as in ultrasound and radar: each pixel times 1 plus Gaussian noise.

    Parameters
    ----------
    std : float or (float, float)
        Standard deviation of the factor.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Speckle(0.2)
    Speckle(std=0.2)
    """

    std: Strength = 0.2

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x * (1 + drawn(self.std, x, generator) * torch.empty_like(x).normal_(generator=generator))


@dataclass(frozen=True)
class SaltAndPepper(Damage):
    """Pixels turned white or black, half of them each.

    Parameters
    ----------
    share : float or (float, float)
        How many of the pixels, from 0 to 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.SaltAndPepper(0.1)
    SaltAndPepper(share=0.1)
    """

    bounds: ClassVar[tuple[float, float]] = (0, 1)
    share: Strength = 0.1

    @property
    def everywhere(self) -> bool:
        return False

    def marks(self, seen: Tensor) -> Tensor | None:
        """1 at white pixels and -1 at black ones: any of them may be damaged, and no other."""
        white, black = ((seen >= 1).all(1, keepdim=True), (seen <= 0).all(1, keepdim=True))
        return white.to(seen.dtype) - black.to(seen.dtype)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        chance, share = _pixels(x).uniform_(generator=generator), drawn(self.share, x, generator)
        return torch.where(chance < share / 2, 0.0, torch.where(chance < share, 1.0, x))


@dataclass(frozen=True)
class Blur(Damage):
    """Out of focus: a Gaussian blur.

    Parameters
    ----------
    std : float or (float, float)
        Of the Gaussian, in pixels.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Blur((0.5, 2.0))
    Blur(std=(0.5, 2.0))
    """

    std: Strength = 1.5

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        radius = max(math.ceil(4 * max(_ends(self.std))), 1)
        std = drawn(self.std, x, generator).flatten(1).clamp(min=1e-3)  # (batch, 1)
        line = bell(radius, std, x)  # (batch, 2 radius + 1)
        return filtered(x, line[:, :, None] * line[:, None, :])


@dataclass(frozen=True)
class MotionBlur(Damage):
    """Moved while the shutter was open: each pixel is the mean of a line, in a direction of the picture's own.

    Parameters
    ----------
    length : float or (float, float)
        Of the line, in pixels.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.MotionBlur(9.0)
    MotionBlur(length=9.0)
    """

    length: Strength = 9.0

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        radius = math.ceil(max(_ends(self.length)) / 2) + 1
        half = (drawn(self.length, x, generator)[:, 0].clamp(min=1) - 1) / 2  # (batch, 1, 1); its ends are half a pixel further
        angle = math.pi * torch.empty_like(half).uniform_(generator=generator)
        steps = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
        down, across = steps[:, None], steps[None, :]
        along = across * angle.cos() + down * angle.sin()
        beside = down * angle.cos() - across * angle.sin()
        apart = torch.hypot((along.abs() - half).clamp(min=0), beside)  # from the line, in pixels
        kernel = (1 - apart).clamp(min=0)
        return filtered(x, kernel / kernel.sum((1, 2), keepdim=True))


@dataclass(frozen=True)
class LowResolution(Damage):
    """Scaled down and up again.

    Parameters
    ----------
    factor : float or (float, float)
        How many times smaller, at least 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.LowResolution(2.0)
    LowResolution(factor=2.0)
    """

    bounds: ClassVar[tuple[float, float]] = (1, math.inf)
    factor: Strength = 2.0

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        size = x.shape[-2:]
        factors = drawn(self.factor, x, generator).flatten().tolist()
        smaller = [
            functional.interpolate(picture[None], _divided(size, factor), mode="bicubic", antialias=True)
            for picture, factor in zip(x, factors, strict=True)
        ]
        return torch.cat([functional.interpolate(picture, size, mode="bicubic") for picture in smaller]).clamp(0, 1)


@dataclass(frozen=True)
class Jpeg(Damage):
    """Compressed too much: saved as JPEG and read again.

    Parameters
    ----------
    quality : float or (float, float)
        From 1 to 95.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Jpeg((10.0, 60.0))
    Jpeg(quality=(10.0, 60.0))
    """

    bounds: ClassVar[tuple[float, float]] = (1, 95)
    quality: Strength = 20.0

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        qualities = drawn(self.quality, x, generator).flatten().tolist()
        bytes_ = (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
        return torch.stack([_as_jpeg(*pair) for pair in zip(bytes_, qualities, strict=True)]).to(x) / 255


@dataclass(frozen=True)
class Fade(Damage):
    """Faded: what contrast is kept lies around a grey of the picture's own.

    Parameters
    ----------
    keep : float or (float, float)
        How much of the contrast is left, from 0 to 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Fade((0.3, 0.9))
    Fade(keep=(0.3, 0.9))
    """

    bounds: ClassVar[tuple[float, float]] = (0, 1)
    keep: Strength = 0.5

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        keep = drawn(self.keep, x, generator)
        grey = torch.empty_like(keep).uniform_(generator=generator)
        return grey + keep * (x - grey)


@dataclass(frozen=True)
class Erasure(Damage):
    """Base of what erases pixels: they become NaN, and only they have to be rebuilt."""

    @property
    def hides(self) -> bool:
        return True

    @property
    def everywhere(self) -> bool:
        return False

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
        count = (drawn(self.share, x, generator) * rows * columns).round()
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
        return _pixels(x).uniform_(generator=generator) < drawn(self.share, x, generator)


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
        return max(round(1 / math.sqrt(_ends(self.share)[1])), 2)


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
        count = drawn(self.count, x, generator).round()
        found = torch.zeros_like(_pixels(x), dtype=torch.bool)
        for number in range(round(max(_ends(self.count)))):
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
        found = torch.zeros_like(_pixels(x), dtype=torch.bool)
        height, width = x.shape[-2:]
        sides = torch.randint(4, (len(x),), generator=generator, device=x.device).tolist()
        for picture, number in zip(found, sides, strict=True):
            side = SIDES[1 + number] if self.side == "any" else self.side
            rows = {"top": slice(height // 2), "bottom": slice(height - height // 2, None)}.get(side, slice(None))
            columns = {"left": slice(width // 2), "right": slice(width - width // 2, None)}.get(side, slice(None))
            picture[:, rows, columns] = True
        return found


# As text

NAMES: dict[str, tuple[type[Corruption], float]] = {  # and the unit of the number behind the colon
    "noise": (Noise, 1 / 255),
    "poisson": (Poisson, 1),
    "speckle": (Speckle, 1),
    "saltpepper": (SaltAndPepper, 1),
    "blindspot": (BlindSpot, 1),
    "blur": (Blur, 1),
    "motion": (MotionBlur, 1),
    "lowres": (LowResolution, 1),
    "jpeg": (Jpeg, 1),
    "fade": (Fade, 1),
    "erase": (Erase, 1),
    "pixels": (ErasePixels, 1),
    "scratches": (Scratches, 1),
    "half": (HalfErased, 1),
    "white": (Noise, 1),
    "wander": (BaselineWander, 1),
    "hum": (MainsHum, 1),
    "spans": (DropSpans, 1),
}


def corruption(text: str) -> Corruption:
    """The corruption that a text names, such as ``noise:25``, ``noise:5-50`` or ``speckle:0.2+saltpepper:0.1``.

    The strength of noise is in grey levels of 255, that of the others as their first parameter; ``half`` has a side or nothing. Of
    series, ``white:0.3`` is noise in their standard deviations, beside ``wander``, ``hum`` and ``spans``.

    Raises
    ------
    ParameterError
        An unknown name, or a strength that is no number.
    """
    parts = [_named(*item.strip().partition(":")[::2]) for item in text.split("+")]
    return parts[0] if len(parts) == 1 else Together(tuple(parts))


def _named(name: str, strength: str) -> Any:
    kind: type[Any]
    kind, unit = one_of(name, NAMES, "corruption", "Hourglass")
    if not strength:
        if kind is Noise:
            units = "grey levels, as in 'noise:25'" if name == "noise" else "standard deviations, as in 'white:0.3'"
            raise ParameterError(f"The corruption {name!r} needs its strength in {units}.")
        return kind()
    if kind is HalfErased:
        return HalfErased(strength)
    try:
        numbers = tuple(float(number) * unit for number in strength.split("-"))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2):
        raise ParameterError(
            f"The corruption {name!r} takes a number or a range, as in '{name}:1' or '{name}:1-2'. Got {strength!r}."
        )
    return kind(numbers[0] if len(numbers) == 1 else numbers)


# Shared


def filtered(x: Tensor, kernels: Tensor) -> Tensor:
    """Each picture of x filtered by its own kernel (batch, size, size), as if its edges went on."""
    batch, channels, height, width = x.shape
    pad = kernels.shape[-1] // 2
    padded = functional.pad(x, (pad, pad, pad, pad), mode="replicate").view(1, batch * channels, height + 2 * pad, width + 2 * pad)
    each = kernels.repeat_interleave(channels, 0)[:, None]
    return functional.conv2d(padded, each.to(x.dtype), groups=batch * channels).view_as(x)


def _pixels(x: Tensor) -> Tensor:
    """Room for a number a pixel (batch, 1, height, width)."""
    return x.new_empty(len(x), 1, *x.shape[-2:])


def _ends(strength: Strength) -> tuple[float, float]:
    return strength if isinstance(strength, tuple) else (strength, strength)


def _divided(size: torch.Size, factor: float) -> list[int]:
    return [max(round(length / factor), 1) for length in size]


def _as_jpeg(picture: Tensor, quality: float) -> Tensor:
    """A picture (height, width, channels) of uint8 after JPEG."""
    from PIL import Image

    height, width, channels = picture.shape
    mode = "L" if channels == 1 else "RGB"
    file = BytesIO()
    Image.frombytes(mode, (width, height), picture.contiguous().numpy().tobytes()).save(file, "JPEG", quality=round(quality))
    with Image.open(file) as image:
        return (
            torch.frombuffer(bytearray(image.convert(mode).tobytes()), dtype=torch.uint8).view(height, width, -1).permute(2, 0, 1)
        )
