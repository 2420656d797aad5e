"""Pictures of any size through a restorer, a large one in overlapping tiles, so that memory does not grow with it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hourglass.kinds.image import as_dtype, as_unit, with_channels
from hourglass.model import Hourglass
from hourglass.parts.noise import united
from hourglass.parts.restorer import relative_contrast, told

TILE = 1024  # pixels a side of what a tile gives; a picture of up to half as much again is one
MARGIN = 64  # pixels around it that a tile sees as well
MIDDLE = 0.5  # of the pixels, which contrast is around

Pixels = NDArray[Any]


@torch.inference_mode()
def mended(
    model: Hourglass, pictures: Pixels, gaps: NDArray[np.bool_] | None, contrast: Pixels, device: torch.device, *, tiled: bool
) -> Pixels:
    """Pictures (n, height, width, channels) of one size mended, in their own type.

    Nothing is seen of the gaps (n, height, width). The contrast of each is multiplied by ``contrast`` (n,) for the model, and
    divided by it again. A model of grey pictures takes colours one by one; transparency stays as it is. Large ones are ``tiled``,
    unless the model takes one size alone.
    """
    n, height, width, given = pictures.shape
    channels = model.shape[0]
    colours, kept = pictures[..., : max(channels, 3)], pictures[..., 3:]
    apart = channels == 1  # each colour as a picture
    seen = (colours if apart else with_channels(colours, channels)).transpose(0, 3, 1, 2)
    times = seen.shape[1] if apart else 1
    whole = _whole(model, seen.reshape(-1, channels, height, width), gaps, contrast.repeat(times), device, tiled=tiled)
    whole = whole.reshape(n, -1, height, width).transpose(0, 2, 3, 1)
    whole = whole.mean(3, keepdims=True) if given == 1 else whole
    if model.corruption is not None and model.corruption.blind:
        noisy = as_unit(colours) if gaps is None else np.where(gaps[..., None], np.nan, as_unit(colours))
        whole = np.stack([_united(*pair) for pair in zip(noisy, whole, strict=True)])
    return np.concatenate([as_dtype(whole[..., :3], pictures.dtype), kept], 3)


def _whole(
    model: Hourglass, pixels: Pixels, gaps: NDArray[np.bool_] | None, contrast: Pixels, device: torch.device, *, tiled: bool
) -> Pixels:
    """Pixels (n, channels, height, width) of any type, mended, from 0 to 1."""
    precision = np.float64 if pixels.dtype == np.float64 else np.float32
    result = np.empty(pixels.shape, precision)
    factor = torch.from_numpy(contrast.astype(precision)).view(-1, 1, 1, 1).to(device)
    changed, (height, width) = (contrast != 1).any(), pixels.shape[2:]
    down, across = (reach(length) if tiled else length for length in (height, width))
    places = list(product(range(0, height, down), range(0, width, across)))

    def tile(top: int, left: int) -> Tensor:
        outer = np.s_[..., max(top - MARGIN, 0) : top + down + MARGIN, max(left - MARGIN, 0) : left + across + MARGIN]
        x = torch.from_numpy(as_unit(pixels[outer]).astype(precision)).to(device)
        if gaps is not None:
            gap = torch.from_numpy(gaps[outer]).to(device)[:, None]
            x = x.view(len(gap), -1, *x.shape[2:]).masked_fill(gap, torch.nan).view_as(x)
        return MIDDLE + factor * (x - MIDDLE) if changed else x  # what is intact stays so to the bit

    relative = len(places) > 1 and getattr(model.encoder, "relative", False)

    def contrast_of(x: Tensor) -> Tensor:
        return relative_contrast(model.gaps(x)[:, : model.shape[0]])

    one = torch.stack([contrast_of(tile(*place)) for place in places]).median(0).values if relative else None
    with told((model.encoder, model.decoder), one):  # for all tiles, so that none stands out
        for top, left in places:
            bottom, right = top + down, left + across
            inner = model.mend(tile(top, left))
            if changed:
                inner = MIDDLE + (inner - MIDDLE) / factor
            inner = inner[..., min(top, MARGIN) :, min(left, MARGIN) :][..., : bottom - top, : right - left]
            result[..., top:bottom, left:right] = inner.clamp(0, 1).cpu().numpy()
    return result


def _united(seen: Pixels, rebuilt: Pixels) -> Pixels:
    """A noisy picture (height, width, channels) and what was rebuilt of it, together."""
    both = (torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1))) for part in (seen, rebuilt))
    return united(*both).clamp(0, 1).permute(1, 2, 0).numpy().astype(rebuilt.dtype)


def reach(length: int) -> int:
    """How many pixels of a side each tile gives."""
    return length if length <= 1.5 * TILE else TILE
