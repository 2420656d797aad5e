"""Patches of pictures of any size, to train a restorer on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hourglass.batches import PLACES, Patches
from hourglass.kinds import Album, Kind
from hourglass.kinds.base import as_tensor
from hourglass.kinds.image import require_picture, top_of, white_of, with_channels

STEPS = 100  # of an epoch
MOST_JUDGED = 64  # pictures that are held out to choose the best weights by


def learned(album: Album, numbers: Sequence[int], most: int, kind: Kind, device: torch.device) -> Patches:
    """Patches to learn from, of at most so many pixels a side, of the pictures of those numbers."""

    def picture(number: int) -> Tensor:
        pixels = album[number]
        require_picture(pixels, number)
        ready = with_channels(pixels.reshape(*pixels.shape[:2], -1), kind.shape[0])
        white = white_of(pixels, kind)
        small = ready.dtype in (np.uint8, np.float32) and white == top_of(pixels)
        ready = ready if small else (ready / white).astype(np.float32)
        return as_tensor(np.ascontiguousarray(ready.transpose(2, 0, 1)))  # (channels, height, width)

    sides = sorted(max(album[number].shape[:2]) for number in numbers[:MOST_JUDGED])
    size = min(most, sides[len(sides) // 2])  # of few small ones no notice is taken
    patches = Patches(picture, numbers, size, 0, lambda pixels: unit(pixels.to(device)))
    patches.per_epoch = STEPS * patches.per_step
    return patches


def judged(train: Patches, numbers: Sequence[int]) -> Patches:
    """The same places of some pictures held out each time, to judge by."""
    some = numbers[:MOST_JUDGED]
    return Patches(train.picture, some, train.size, len(PLACES) * len(some), train.prepare)


def unit(pixels: Tensor) -> Tensor:
    """Pixels as floats from 0 to 1."""
    return pixels if pixels.is_floating_point() else pixels.float().mul_(1 / 255)
