"""The Gaussian along a line of pixels, which blurs and windows are made of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bell(radius: int, std: Tensor | float, like: Tensor) -> Tensor:
    """Weights (..., 2 radius + 1) of a Gaussian, in pixels, that add up to 1; of many standard deviations (..., 1) one each."""
    steps = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    return functional.softmax(-(steps**2) / (2 * std**2), dim=-1)
