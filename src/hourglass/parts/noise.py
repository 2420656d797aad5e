"""How much noise a picture has, told from the picture alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MOST_PIXELS = 50_000  # of a picture whose finest detail is looked at
SIDE = 7  # pixels of the patches
SMALLEST = 1e-12
MOST = 50_000  # patches that are looked at


def united(seen: Tensor, rebuilt: Tensor) -> Tensor:
    """A noisy picture (channels, height, width) and what was rebuilt of it without seeing it, each as far as it is certain.

    Both err, independently: the one by the noise's variance v, the other by b, as their mean squared difference is v + b. The best
    of both has the weights b / (b + v) and v / (b + v) (Laine et al., "High-Quality Self-Supervised Deep Image Denoising", 2019,
    equation 4, with one variance for the picture).
    """
    noise = noise_std(seen.nan_to_num(0.5)) ** 2
    error = (seen - rebuilt).square().nanmean().sub(noise).clamp(min=0)
    trust = error / (error + noise).clamp(min=SMALLEST)
    return torch.where(seen.isnan(), rebuilt, trust * seen.nan_to_num(0) + (1 - trust) * rebuilt)


def finest(x: Tensor) -> Tensor:
    """Standard deviation (batch, 1, 1, 1) that white noise would have if all of the finest detail of pictures x were noise.

    The mask [1 -2 1]ᵀ [1 -2 1] on a pixel and its eight neighbours leaves 6 times the noise (Immerkær 1996, equations 2 and 3); the
    median of its size stands for the mean, as edges are few. Noise of 5 grey levels in photographs is overrated by a third, of 15
    by a twentieth; but it costs next to nothing, also for each patch.
    """
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., 1:-1, :] * 2 - padded[..., :-2, :] - padded[..., 2:, :]
    detail = (rows[..., 1:-1] * 2 - rows[..., :-2] - rows[..., 2:]).flatten(1)  # (batch, elements)
    some = detail[:, :: detail.shape[1] // MOST_PIXELS + 1].abs()
    return some.median(1).values.view(-1, 1, 1, 1) / (6 * 0.6745)  # the median of |normal| is 0.6745 standard deviations


def noise_std(x: Tensor) -> float:
    """Standard deviation of white noise in pictures x (channels, height, width), in their units.

    Patches of a clean picture fill few directions only, those of noise all alike: among the eigenvalues of the patches' covariance
    the smallest are the noise's variance. They are those that are left, the largest taken away one by one, when mean and median
    agree (Chen, Zhu and Heng 2015, algorithm 1).
    """
    side = min(SIDE, (min(x.shape[-2:]) + 1) // 2)  # so that a tiny picture has some too
    patches = functional.unfold(x.double()[:, None], side).transpose(1, 2).flatten(0, 1)  # (patches, pixels)
    patches = patches[:: len(patches) // MOST + 1]
    values = torch.linalg.eigvalsh(torch.cov(patches.T, correction=0).reshape(side**2, side**2)).clamp(min=0)  # in rising order
    for count in range(len(values), 0, -1):
        kept = values[:count]
        middle = (kept[(count - 1) // 2] + kept[count // 2]) / 2
        if kept.mean() <= middle:
            return float(middle.sqrt())
    return float(values[0].sqrt())
