"""Pictures of one size: arrays (n, height, width) or (n, height, width, channels), uint8 or floats from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from hourglass.errors import DataError, ParameterError
from hourglass.kinds.base import FLOATS, Kind, as_tensor, require_finite
from hourglass.parts.scaling import Scaling, UnitScaling

CHANNELS = {1: "grey", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class ImageKind(Kind):
    """Pictures; the networks see (channels, height, width) from 0 to 1."""

    name: ClassVar[str] = "image"
    unit: ClassVar[bool] = True
    channel_axis: bool = False  # whether the raw arrays have one

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if not isinstance(raw, np.ndarray):
            return None
        if raw.ndim == 3 or (raw.ndim == 4 and raw.shape[3] in CHANNELS):
            return f"an array of shape {raw.shape} is {len(raw)} pictures"
        return None

    @classmethod
    def learn(cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False) -> Self:
        if columns:
            raise ParameterError(f"The 'columns' parameter is for tables, and images have none. Got {columns!r}.")
        if not isinstance(raw, np.ndarray) or raw.ndim not in (3, 4):
            raise DataError(f"Images are arrays (n, height, width) or (n, height, width, channels). Got {_what(raw)}.")
        if raw.ndim == 4 and raw.shape[3] not in CHANNELS:
            raise DataError(f"Images have 1, 3 or 4 channels on the last axis. Got an array of shape {raw.shape}.")
        channels = raw.shape[3] if raw.ndim == 4 else 1
        kind = cls((channels, *raw.shape[1:3]), _dtype(raw), raw.ndim == 4)
        require_unit(raw)
        return kind

    def check(self, raw: Any) -> None:
        if not isinstance(raw, np.ndarray) or raw.shape[1:] != self.raw_shape:
            raise DataError(f"The model was fitted on images of shape {self.raw_shape}. Got {_what(raw)}.")
        _dtype(raw)

    def to_tensor(self, raw: Any, first_row: int = 0) -> Tensor:
        require_unit(raw, first_row)
        pixels = raw if raw.dtype == np.uint8 or raw.dtype in FLOATS else raw.astype(np.float32)
        values = as_tensor(pixels)
        if not values.is_floating_point() and self._top == 1.0:
            values = values / 255.0
        elif values.is_floating_point() and self._top != 1.0:
            values = values * 255.0
        return values.permute(0, 3, 1, 2) if self.channel_axis else values.unsqueeze(1)  # (n, channels, height, width)

    def from_tensor(self, values: Tensor, like: Any = None) -> Any:
        pixels = self.arrange(values / self._top if self._top != 1.0 else values)
        dtype = np.dtype(self.dtype if like is None else like.dtype)
        return np.rint(pixels * 255).astype(np.uint8) if dtype == np.uint8 else pixels.astype(dtype, copy=False)

    def arrange(self, values: Tensor) -> np.ndarray[Any, Any]:
        return (values.permute(0, 2, 3, 1) if self.channel_axis else values.squeeze(1)).numpy()

    def scaling(self, values: Tensor | None = None, *, squashed: bool = False) -> Scaling:
        return UnitScaling(self._top)

    def describe(self) -> str:
        channels, height, width = self.shape
        return f"{height} x {width} {CHANNELS[channels]} images"

    @property
    def raw_shape(self) -> tuple[int, ...]:
        channels, *size = self.shape
        return (*size, channels) if self.channel_axis else tuple(size)

    @property
    def _top(self) -> float:
        return 255.0 if self.dtype == "uint8" else 1.0


def require_unit(raw: np.ndarray[Any, Any], first_row: int = 0) -> None:
    """Float pixels are finite and from 0 to 1."""
    if raw.dtype.kind != "f":
        return
    require_finite(raw, "The images", first_row)
    low, high = raw.min(initial=0), raw.max(initial=0)
    if low < -1e-6 or high > 1 + 1e-6:
        raise DataError(
            f"Float images need values from 0 to 1. Got values from {low:g} to {high:g}: "
            "scale them, or pass uint8, or flatten them to a table of numbers."
        )


def _dtype(raw: np.ndarray[Any, Any]) -> str:
    if raw.dtype == np.uint8 or raw.dtype.kind == "f":
        return str(raw.dtype)
    raise DataError(f"Images are uint8 or floats from 0 to 1. Got {raw.dtype}: convert it to one of them.")


def _what(raw: Any) -> str:
    return f"an array of shape {raw.shape}" if isinstance(raw, np.ndarray) else f"a {type(raw).__name__}"
