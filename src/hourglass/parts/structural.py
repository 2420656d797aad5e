"""Structural similarity of pictures, and the likelihood that is joined with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.errors import ParameterError
from hourglass.parts.base import is_count, is_positive
from hourglass.parts.bell import bell
from hourglass.parts.likelihoods import Gaussian, Likelihood, LikelihoodModule, Runs
from hourglass.parts.precision import in_single

NORMAL = Gaussian()  # the base, unless it is said
SMALLEST = 1e-6  # a likeness below it counts as this, so that its power has a slope
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # what each scale of MS-SSIM weighs, from fine to coarse


@dataclass(frozen=True)
class Structural(Likelihood):
    """Another likelihood of pictures, and a penalty for structure that is lost: soft edges, flat texture.

    The penalty is no density, so the sum is not a likelihood in nats any more, and compares with nothing but itself. Each
    pixel costs ``weight`` times 1 - SSIM at its place; with several scales, ``weight`` times 1 - MS-SSIM of its picture.
    Reconstructions and their errors are those of ``base``.

    Parameters
    ----------
    base : likelihood part, default=Gaussian()
        The likelihood that the penalty is added to.
    weight : float, default=0.05
        What a pixel without any likeness costs, in the units of ``base``.
    scales : int, default=1
        At how many sizes, each half of the one before, pictures are compared: 1 to 5. The smallest has to have 3 pixels on a side.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004, equation
    13. Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", 2003, equation 7.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Structural(hg.Gaussian(), weight=0.1)
    Structural(base=Gaussian(variance=1.0), weight=0.1, scales=1)
    """

    base: Likelihood = NORMAL
    weight: float = 0.05
    scales: int = 1

    def __post_init__(self) -> None:
        valid = isinstance(self.base, Likelihood) and not isinstance(self.base, Structural)
        self._require("base", valid, "another likelihood part")
        self._require("weight", is_positive(self.weight), "a positive float")
        self._require("scales", is_count(self.scales) and self.scales <= len(SCALES), f"an int from 1 to {len(SCALES)}")

    @property
    def takes_logits(self) -> bool:  # type: ignore[override]
        return self.base.takes_logits

    @property
    def any_size(self) -> bool:
        return self.base.any_size

    @property
    def learns(self) -> bool:
        return self.base.learns

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        least = 3 * 2 ** (self.scales - 1)
        if len(shape) != 3 or 0 < min(shape[1:]) < least:
            what = f"pictures of {shape[1]} x {shape[2]} pixels" if len(shape) == 3 else "a table"
            raise ParameterError(
                f"Structural with scales={self.scales} compares pictures of at least {least} pixels on each side. Got {what}."
            )
        return _Structural(self.base.build(shape), self.weight, self.scales)


class _Structural(LikelihoodModule):
    def __init__(self, base: LikelihoodModule, weight: float, scales: int) -> None:
        super().__init__()
        self.base = base
        self.weight = weight
        self.scales = scales

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return self.base.nll(target, output) + self._penalty(target, output).expand_as(target)

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        penalty = self._penalty(target, output)
        return self.base.total(target, output) + penalty.sum() * (target.numel() / penalty.numel())

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return self.base.sample(output, generator)

    def start(self, variance: Tensor) -> None:
        self.base.start(variance)

    def mean(self, output: Tensor) -> Tensor:
        return self.base.mean(output)

    def errors(self, target: Tensor, mean: Tensor) -> Tensor:
        return self.base.errors(target, mean)

    def _penalty(self, target: Tensor, output: Tensor) -> Tensor:
        """What a pixel costs beyond ``base``: (batch, channels, height, width), or (batch, 1, 1, 1), for each of a picture."""
        with in_single(target):  # variances are small differences of large numbers
            x, y = target, self.base.mean(output).to(target.dtype)
            alike = similarities(x, y)[0] if self.scales == 1 else multiscale_similarity(x, y, self.scales)[:, None, None, None]
            return self.weight * (1 - alike)


def similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Structural similarity of pictures (batch, channels, height, width) from 0 to 1, by pixel, and what contrast has in it.

    SSIM = (2 μx μy + c₁) (2 σxy + c₂) / ((μx² + μy² + c₁) (σx² + σy² + c₂)), of which the factors with c₂ are contrast and
    structure (Wang et al. 2004, equation 13): means and variances under a Gaussian window of standard deviation 1.5 and, where
    there is room, 11 pixels, with the picture mirrored at its borders.
    """
    down, across = (_window(size, x) for size in x.shape[2:])

    def blurred(picture: Tensor) -> Tensor:
        return down @ picture @ across.T

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x.square(), blurred(y * y) - mean_y.square()
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1) * contrast, contrast


def multiscale_similarity(x: Tensor, y: Tensor, scales: int) -> Tensor:
    """SSIM at several scales (batch,), each half as fine as the one before: Π contrastₛ^βₛ, at the last one the whole of SSIM.

    Wang, Simoncelli and Bovik 2003, equation 7, whose five exponents, for fewer scales, are brought to a sum of 1. Contrast counts
    where the window lies within the picture; one below zero, which has no root, counts as next to nothing.
    """
    share = x.new_tensor(SCALES[:scales])
    means = []
    for scale in range(scales):
        whole, contrast = similarities(x, y)
        top, left = (_reach(size) for size in x.shape[2:])
        last = scale == scales - 1
        means.append((whole if last else contrast[..., top : x.shape[2] - top, left : x.shape[3] - left]).flatten(1).mean(1))
        if not last:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return (torch.stack(means, 1).clamp(min=SMALLEST) ** (share / share.sum())).prod(1)


def _reach(size: int) -> int:
    """How many pixels the window reaches to either side: 5, or as many as a small picture has room for."""
    return min(5, (size - 1) // 2)


def _window(size: int, like: Tensor) -> Tensor:
    """The Gaussian window as a matrix (size, size) that blurs a column of pixels, mirrored at its ends."""
    reach = _reach(size)
    weights = bell(reach, 1.5, like)
    pixels = torch.eye(size, dtype=like.dtype, device=like.device)
    return (functional.pad(pixels, (reach, reach), mode="reflect").unfold(1, len(weights), 1) @ weights).T
