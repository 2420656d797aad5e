"""Where half the precision is twice as fast."""

from __future__ import annotations

import torch
from torch import Tensor


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 by itself; elsewhere it is imitated, and slower than float32."""
    ask = {"cuda": torch.cuda.is_bf16_supported, "cpu": torch.cpu._is_avx512_bf16_supported}
    return bool(device.type in ask and ask[device.type]())


def quick(x: Tensor) -> torch.autocast:
    """Convolutions of float32 in bfloat16, where that is quick: in training and inference alike."""
    return torch.autocast(x.device.type, torch.bfloat16, enabled=x.dtype == torch.float32 and has_bfloat16(x.device))


def in_single(x: Tensor) -> torch.autocast:
    """Products of matrices in the precision of x, whatever is around them: of sums of many, bfloat16 keeps three digits."""
    return torch.autocast(x.device.type, enabled=False)


def in_full(x: Tensor) -> Tensor:
    """X in single precision at least: sums of many and small differences need it."""
    return x.float() if x.dtype == torch.bfloat16 else x
