"""How much noise a picture has, told from the picture alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MOST_PIXELS = 50_000  # of a picture whose finest detail is looked at
SIDE = 7  # pixels of the patches
SMALLEST = 1e-12
MOST = 50_000  # patches that are looked at
ENOUGH = 10  # patches for each of their pixels; where holes leave fewer, smaller patches are taken


def united(seen: Tensor, rebuilt: Tensor) -> Tensor:
    """A noisy picture (channels, height, width) and what was rebuilt of it without seeing it, each as far as it is certain.

    Both err, independently: the one by the noise's variance v, the other by b, as their mean squared difference is v + b. The best
    of both has the weights b / (b + v) and v / (b + v) (Laine et al., "High-Quality Self-Supervised Deep Image Denoising", 2019,
    equation 4, with one variance for the picture).
    """
    noise = noise_std(seen) ** 2
    error = (seen - rebuilt).square().nanmean().sub(noise).clamp(min=0)
    trust = error / (error + noise).clamp(min=SMALLEST)
    return torch.where(seen.isnan(), rebuilt, trust * seen.nan_to_num(0) + (1 - trust) * rebuilt)


def finest(x: Tensor) -> Tensor:
    """Standard deviation (batch, 1, 1, 1) that white noise would have if all of the finest detail of pictures x were noise.

    The mask [1 -2 1]ᵀ [1 -2 1] on a pixel and its eight neighbours leaves 6 times the noise (Immerkær 1996, equations 2 and 3); the
    median of its size stands for the mean, as edges are few. Places without any don't count: all black or white, they have no noise
    left. Noise of 5 grey levels in photographs is overrated by a third, of 15 by a twentieth; but it costs next to nothing, also
    for each patch.
    """
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., 1:-1, :] * 2 - padded[..., :-2, :] - padded[..., 2:, :]
    detail = (rows[..., 1:-1] * 2 - rows[..., :-2] - rows[..., 2:]).flatten(1)  # (batch, elements)
    some = detail[:, :: detail.shape[1] // MOST_PIXELS + 1].abs()
    middle = some.masked_fill(some == 0, torch.nan).nanmedian(1).values.nan_to_num(0)
    return middle.view(-1, 1, 1, 1) / (6 * 0.6745)  # the median of |normal| is 0.6745 standard deviations


def noise_std(x: Tensor) -> float:
    """Standard deviation of white noise in pictures x (channels, height, width), in their units; of what is NaN nothing is known.

    Patches of a clean picture fill few directions only, those of noise all alike: among the eigenvalues of the patches' covariance
    the smallest are the noise's variance. They are those that are left, the largest taken away one by one, when mean and median
    agree (Chen, Zhu and Heng 2015, algorithm 1). Patches of a single value are left out: all black or white, they have lost it.
    """
    x, side = x.double(), min(SIDE, (min(x.shape[-2:]) + 1) // 2)  # so that a tiny picture has some too
    spread = _spread(x, side)
    while side > 1 and spread.isnan().any() and spread.isfinite().sum() < ENOUGH * side**2:  # hardly one is whole
        side -= 1
        spread = _spread(x, side)
    places = (spread > 0 if (spread > 0).any() else spread == 0).nonzero()
    if len(places) == 0:
        return 0.0
    places = places[:: len(places) // MOST + 1]
    patches = x.unfold(1, side, 1).unfold(2, side, 1)[tuple(places.T)].flatten(1)  # (patches, pixels)
    values = torch.linalg.eigvalsh(torch.cov(patches.T, correction=0).reshape(side**2, side**2)).clamp(min=0)  # in rising order
    for count in range(len(values), 0, -1):
        kept = values[:count]
        middle = (kept[(count - 1) // 2] + kept[count // 2]) / 2
        if kept.mean() <= middle:
            return float(middle.sqrt())
    return float(values[0].sqrt())


def _spread(x: Tensor, side: int) -> Tensor:
    """The largest less the smallest value of each patch of x (channels, height, width); NaN where something is missing."""
    return functional.max_pool2d(x, side, 1) + functional.max_pool2d(-x, side, 1)
