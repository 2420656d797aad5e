"""How much noise a picture has, told from the picture alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 7  # pixels of the patches
MOST = 50_000  # patches that are looked at


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
