"""What happens to pictures: x is (batch, channels, height, width), from 0 to 1.

Every strength is a number, or a range (low, high) from which each picture draws its own: a model trained on a range cleans all of
it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from io import BytesIO
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.parts.bell import bell
from hourglass.parts.corruptions import Corruption, Strength, is_strength, strengths, strongest


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
    def made_for(self) -> frozenset[str]:
        return frozenset({"image"})


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
        peak = strengths(self.peak, x, generator)
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
        return x * (1 + strengths(self.std, x, generator) * torch.empty_like(x).normal_(generator=generator))


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
        chance, share = per_pixel(x).uniform_(generator=generator), strengths(self.share, x, generator)
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
        radius = max(math.ceil(4 * strongest(self.std)), 1)
        std = strengths(self.std, x, generator).flatten(1).clamp(min=1e-3)  # (batch, 1)
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
        radius = math.ceil(strongest(self.length) / 2) + 1
        half = (strengths(self.length, x, generator)[:, 0].clamp(min=1) - 1) / 2  # (batch, 1, 1); its ends are half a pixel further
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
        factors = strengths(self.factor, x, generator).flatten().tolist()
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
        if x.shape[1] > 4:  # no colours, so each channel is a picture of its own
            return torch.cat([self(channel[:, None], generator) for channel in x.unbind(1)], 1)
        qualities = strengths(self.quality, x, generator).flatten().tolist()
        colours = 3 if x.shape[1] >= 3 else 1  # behind them is transparency, which JPEG has none of
        bytes_ = (x[:, :colours].clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
        damaged = torch.stack([_as_jpeg(*pair) for pair in zip(bytes_, qualities, strict=True)]).to(x) / 255
        return torch.cat([damaged, x[:, colours:]], 1)


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
        keep = strengths(self.keep, x, generator)
        grey = torch.empty_like(keep).uniform_(generator=generator)
        return grey + keep * (x - grey)


def filtered(x: Tensor, kernels: Tensor) -> Tensor:
    """Each picture of x filtered by its own kernel (batch, size, size), as if its edges went on."""
    batch, channels, height, width = x.shape
    pad = kernels.shape[-1] // 2
    padded = functional.pad(x, (pad, pad, pad, pad), mode="replicate").view(1, batch * channels, height + 2 * pad, width + 2 * pad)
    each = kernels.repeat_interleave(channels, 0)[:, None]
    return functional.conv2d(padded, each.to(x.dtype), groups=batch * channels).view_as(x)


def per_pixel(x: Tensor) -> Tensor:
    """Room for a number a pixel (batch, 1, height, width)."""
    return x.new_empty(len(x), 1, *x.shape[-2:])


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
