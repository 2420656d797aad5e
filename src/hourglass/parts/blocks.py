"""Networks of residual blocks for several members of an ensemble at once: every member has weights of its own.

Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, equation 4 (the norm).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.networks import Added


def encoder(shape: tuple[int, int], width: int, blocks: int, generator: torch.Generator) -> nn.Module:
    """From rows (batch, members, elements) to blocks of that width (batch, members, width): the way in and half of the blocks."""
    members, elements = shape
    way_in = _MemberLinear((members, elements, width), generator)
    return nn.Sequential(way_in, *_blocks(blocks - blocks // 2, members, width, generator))


def decoder(shape: tuple[int, int], width: int, blocks: int, generator: torch.Generator) -> nn.Module:
    """Back to rows (batch, members, elements): the other blocks and the way out."""
    members, elements = shape
    way_out = _MemberLinear((members, width, elements), generator)
    return nn.Sequential(nn.Unflatten(1, (members, width)), *_blocks(blocks // 2, members, width, generator), _Norm(), way_out)


def _blocks(count: int, members: int, width: int, generator: torch.Generator) -> list[nn.Module]:
    size = (members, width, width)
    return [Added(_Norm(), _MemberLinear(size, generator), nn.SiLU(), _MemberLinear(size, generator)) for _ in range(count)]


class _Norm(nn.Module):
    def forward(self, h: Tensor) -> Tensor:
        return functional.rms_norm(h, h.shape[-1:])


class _MemberLinear(nn.Module):
    """A linear layer for each member: (batch, members, before) to (batch, members, after)."""

    def __init__(self, size: tuple[int, int, int], generator: torch.Generator) -> None:
        super().__init__()
        members, before, after = size
        bound = before**-0.5
        self.weight = nn.Parameter(torch.empty(size).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(members, 1, after))

    def forward(self, h: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, h.transpose(0, 1), self.weight).transpose(0, 1)
