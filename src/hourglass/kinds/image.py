"""Pictures: arrays (n, height, width) or (n, height, width, channels), bool, uint8, uint16 or floats from 0 to 1.

Those of one size are passed through networks together, those of differing sizes, an `Album`, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hourglass.data.some import spread
from hourglass.errors import DataError, warn
from hourglass.kinds.base import Album, Kind, described, ragged, refuse_columns, require_finite
from hourglass.parts.base import Part

if TYPE_CHECKING:
    from torch import Tensor

    from hourglass.parts.scaling import Scaling

WITH_TRANSPARENCY = 4  # channels, of which the last is that
CHANNELS = {1: "grey", 3: "RGB", WITH_TRANSPARENCY: "RGBA"}
MANY = 2  # times as many pixels on a side as there are channels, at least, where nothing but the shape says which is which
TOPS = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}  # white; of floats it is 1
DEPTHS = {"uint8": (1,), "uint16": (1, 255, 1023, 4095, 16383)}  # white of fewer bits that a type may hold; dark bytes have all 8
GREYNESS = 0.2  # mean of 4 x (1 - x), which is 0 for black and for white and 1 in their middle; below, pictures are nearly bilevel
MOST_LOOKED_AT = 1000  # pictures, to tell that
MOST_NUMBERS = 2**20  # of them
MOST_OPENED = 64  # pictures that are read one by one, to tell how many bits they have
MOST_BEYOND = 8.0  # of white, that noise may take a float pixel out of its range
FLOATS = (np.float32, np.float64)
LUMA = (0.299, 0.587, 0.114)  # what red, green and blue add to a grey (ITU-R BT.601)


@dataclass(frozen=True)
class ImageKind(Kind):
    """Pictures; the networks see (channels, height, width) from 0 to 1."""

    name: ClassVar[str] = "image"
    unit: ClassVar[bool] = True
    channel_axis: bool = False  # whether the raw arrays have one
    bilevel: bool = False  # whether pixels are nearly all black or white
    white: float | None = None  # where the pictures that were learned from have fewer bits than their type

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if isinstance(raw, Album):
            return f"a list of {len(raw)} arrays of differing sizes or depths is {len(raw)} pictures"
        if not isinstance(raw, np.ndarray):
            return None
        if raw.ndim == 3 or (raw.ndim == 4 and raw.shape[3] in CHANNELS):
            return f"an array of shape {raw.shape} is {len(raw)} pictures"
        if raw.ndim == 4 and not turned(raw) and 0 < MANY * raw.shape[3] <= min(raw.shape[1:3]):
            return f"an array of shape {raw.shape} is {len(raw)} pictures of {raw.shape[3]} channels"
        return None

    @classmethod
    def learn(
        cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False, asked: Part | None = None
    ) -> Self:
        refuse_columns(columns, "images")
        if isinstance(raw, Album):
            first = raw[0]
            return cls((channels_of(first), 0, 0), _dtype(first), channels_of(first) > 1, white=white_among(raw, _dtype(first)))
        if not isinstance(raw, np.ndarray) or raw.ndim not in (3, 4):
            raise DataError(f"Images are arrays (n, height, width) or (n, height, width, channels). Got {_what(raw)}.")
        if raw.ndim == 4 and (turned(raw) or raw.shape[3] == 0):
            raise DataError(f"Images have their channels on the last axis. Got an array of shape {raw.shape}.{turned(raw)}")
        channels = raw.shape[3] if raw.ndim == 4 else 1
        require_unit(raw)
        kind = cls((channels, *raw.shape[1:3]), _dtype(raw), raw.ndim == 4, white=_white(str(raw.dtype), raw.max(initial=0)))
        some = raw[:: len(raw) // MOST_LOOKED_AT + 1]
        step = math.isqrt(some.size // MOST_NUMBERS) + 1
        some = (some[:, ::step, ::step] / np.float32(kind.top)).astype(np.float32)
        return replace(kind, bilevel=bool(np.mean(4 * some * (1 - some)) < GREYNESS))

    def opened(self, raw: Any) -> Any:
        """Grey as three equal channels where colour was learned from, three equal channels as grey where that was.

        Grey may have an axis of channels or not, whichever was learned from.
        """
        if not isinstance(raw, np.ndarray) or raw.shape[1:3] != self.shape[1:] or raw.shape[1:] == self.raw_shape:
            return raw
        if raw.ndim == 3 and self.shape[0] in (1, 3):
            return np.repeat(raw[..., None], self.shape[0], axis=3)
        grey = raw.ndim == 4 and raw.shape[3] in (1, 3) and not self.channel_axis and bool((raw == raw[..., :1]).all())
        return raw[..., 0] if grey else raw

    def check(self, raw: Any) -> None:
        self.require_size(raw)
        self.warn_of_brighter(self.beyond_white(raw))

    def require_size(self, raw: Any) -> None:
        """Refuse pictures of another shape than those that were learned from."""
        if 0 in self.shape:
            raise DataError("A model of pictures of differing sizes mends them, with denoise, and can do nothing else with them.")
        if not isinstance(raw, np.ndarray) or raw.shape[1:] != self.raw_shape:
            single = isinstance(raw, np.ndarray) and raw.shape == self.raw_shape
            how = " A single picture goes in as picture[None]." if single else ""
            raise DataError(f"The model was fitted on images of shape {self.raw_shape}. Got {_what(raw)}.{how or turned(raw)}")

    def beyond_white(self, raw: np.ndarray[Any, Any]) -> int:
        """The brightest value of pictures that need more bits than those that were learned from; of others 0."""
        if _dtype(raw) != self.dtype or self.white is None:
            return 0
        counted = raw[..., : max(self.shape[0], 3)] if raw.ndim == 4 else raw  # transparency may be beyond
        most = counted.max(initial=0)
        return int(most) if most > self.white else 0

    def warn_of_brighter(self, most: int) -> None:
        """Warn of pictures with a value beyond white, if there is one."""
        if most:
            warn(
                f"The model was fitted on images with values up to {self.top:,.0f}, and these go to {most:,}, which is brighter "
                "than white. Bring them to one scale, if they have another."
            )

    def to_array(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        if isinstance(raw, Album):
            raise DataError(_apart([*Album(raw.pictures)]))  # all of them, as the odd one may not be among these
        require_unit(raw, first_row)
        pixels = raw.view(np.uint8) if raw.dtype == bool else raw
        pixels = pixels if pixels.dtype == np.uint8 or pixels.dtype in FLOATS else pixels.astype(np.float32)
        if (factor := self.top / self._top_of(raw)) != 1.0:
            pixels = pixels.astype(np.float32 if pixels.dtype == np.uint8 else pixels.dtype) * factor
        return np.asarray(pixels)

    def from_array(self, numbers: np.ndarray[Any, Any], like: Any = None) -> Any:
        pixels = numbers / numbers.dtype.type(self.top) if self.top != 1.0 else numbers
        if like is None:
            return as_dtype(pixels, np.dtype(self.dtype), self.top)
        return as_dtype(pixels, like.dtype, self._top_of(like))

    def inward(self, values: Tensor) -> Tensor:
        return values.permute(0, 3, 1, 2) if self.channel_axis else values.unsqueeze(1)  # (n, channels, height, width)

    def outward(self, values: Tensor) -> Tensor:
        return values.permute(0, 2, 3, 1) if self.channel_axis else values.squeeze(1)

    def scaling(self, values: Tensor | None = None, *, squashed: bool = False) -> Scaling:
        from hourglass.parts.scaling import UnitScaling

        return UnitScaling(self.top)

    def describe(self) -> str:
        channels, height, width = self.shape
        colours = CHANNELS.get(channels, f"{channels}-channel")
        return f"{height} x {width} {colours} images" if height else f"{colours} images of differing sizes"

    def require_colours(self) -> None:
        """Refuse pictures to be mended whose channels are no colours."""
        if self.shape[0] not in CHANNELS:
            raise DataError(
                f"Pictures that are mended have 1, 3 or 4 channels, and these have {self.shape[0]}. Give each channel as a picture."
            )

    def opaque(self) -> Self:
        """The same pictures without their transparency."""
        self.require_colours()
        return replace(self, shape=(min(self.shape[0], 3), *self.shape[1:]))

    @property
    def ending(self) -> str:
        """PNG files in a folder, unless they can't hold such channels, or as many bits of colour."""
        channels = self.shape[0]
        return "" if channels == 1 or (channels in CHANNELS and self.dtype != "uint16") else ".npy"

    @property
    def raw_shape(self) -> tuple[int, ...]:
        channels, *size = self.shape
        return (*size, channels) if self.channel_axis else tuple(size)

    @property
    def top(self) -> float:
        """The value of white in the pictures that were learned from."""
        return self.white or TOPS.get(self.dtype, 1.0)

    def _top_of(self, raw: np.ndarray[Any, Any]) -> float:
        """The value of white in others: ones among zeros are white where they were learned as such, whatever their type."""
        if str(raw.dtype) == self.dtype:
            return self.top
        ones = self.dtype in TOPS and self.top == 1 and raw.dtype.kind == "u" and raw.max(initial=0) <= 1
        return 1.0 if ones else top_of(raw)


def is_picture(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array can be one picture."""
    return (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)) and array.size > 0


def of_differing_depth(pictures: Sequence[np.ndarray[Any, Any]]) -> bool:
    """Whether their numbers differ in what they mean; floats are all from 0 to 1."""
    return len({"f" if picture.dtype.kind == "f" else picture.dtype.str for picture in pictures}) > 1


def require_pictures(raw: Any) -> None:
    """Refuse what can't be pictures, or holds none."""
    if not isinstance(raw, Album) and not (isinstance(raw, np.ndarray) and raw.ndim in (3, 4)):
        raise DataError(
            "Pictures are an array (n, height, width) or (n, height, width, channels), a list of arrays, or a path. "
            f"Got {_what(raw)}. A single picture goes into a list."
        )
    if len(raw) == 0:
        raise DataError("There are no pictures, so there is nothing to mend. Give at least one.")


def require_picture(picture: Any, number: int, *, damaged: bool = False, erased: bool = False) -> None:
    """Refuse what can't be one picture: of another shape or type, with values that are no brightness.

    Of ``damaged`` floats some may be far beyond 0 and 1, where some are ``erased`` NaN is fine.
    """
    if not isinstance(picture, np.ndarray) or not is_picture(picture):
        raise DataError(
            f"Picture {number} must be an array (height, width), or (height, width, channels) with 1, 3 or 4 channels. Got "
            f"{_what(picture)}."
        )
    _dtype(picture)
    known = np.nan_to_num(picture, nan=0.5, posinf=np.inf, neginf=-np.inf) if erased and picture.dtype.kind == "f" else picture
    require_unit(known[None], number, beyond=MOST_BEYOND if damaged else 1e-6)


def turned(raw: Any) -> str:
    """What to do with an array of pictures whose channels come first, where that is plain to see."""
    if not isinstance(raw, np.ndarray) or raw.ndim != 4:
        return ""
    _, first, height, width = raw.shape
    if width in CHANNELS or not (first in CHANNELS or height == width >= MANY * first):
        return ""
    return " Its channels come first, and are to come last: pass X.transpose(0, 2, 3, 1), or of a tensor X.permute(0, 2, 3, 1)."


def visible(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pictures (..., height, width, channels) as they can be shown: the mean of channels that are no colours, as grey."""
    return pixels if pixels.shape[-1] in CHANNELS else pixels.mean(-1, keepdims=True)


def channels_of(picture: np.ndarray[Any, Any]) -> int:
    """How many channels one picture has."""
    return picture.shape[2] if picture.ndim == 3 else 1


def top_of(picture: np.ndarray[Any, Any]) -> float:
    """The value of white."""
    return TOPS.get(str(picture.dtype), 1.0)


def white_of(picture: np.ndarray[Any, Any], kind: Kind | None) -> float:
    """The value of white in one picture that is mended: as in those that were learned from, unless it is brighter."""
    if not isinstance(kind, ImageKind):
        return top_of(picture)
    top, colours = kind._top_of(picture), picture[..., :3] if picture.ndim == 3 else picture
    return top if colours.max(initial=0) <= top else top_of(picture)


def as_unit(pixels: np.ndarray[Any, Any], white: float | None = None) -> np.ndarray[Any, Any]:
    """Pixels of any type as floats from 0 to 1, where ``white`` is 1, or the most that the type holds."""
    unit: np.ndarray[Any, Any] = pixels / (white or top_of(pixels))
    return unit


def as_dtype(pixels: np.ndarray[Any, Any], dtype: np.dtype[Any], top: float | None = None) -> np.ndarray[Any, Any]:
    """Pixels from 0 to 1 in another type, where white is ``top``, or the most that the type holds."""
    most = TOPS.get(str(dtype))
    return pixels.astype(dtype, copy=False) if most is None else np.rint(pixels * (top or most)).astype(dtype)


def with_channels(pictures: np.ndarray[Any, Any], channels: int) -> np.ndarray[Any, Any]:
    """Pictures (..., height, width, channels) as grey, of one channel, or as RGB; transparency is dropped."""
    if pictures.shape[-1] == channels:
        return pictures
    colours = pictures[..., : 1 if pictures.shape[-1] == 1 else 3]
    if colours.shape[-1] == channels:
        return colours
    if channels == 1:
        return as_dtype((colours @ np.array(LUMA) / top_of(pictures))[..., None], pictures.dtype)
    return np.repeat(colours, channels, axis=-1)


def middle(picture: np.ndarray[Any, Any], height: int, width: int) -> np.ndarray[Any, Any]:
    """The pixels of a picture (height, width, ...) in its middle, at most that many."""
    top, left = (max(length - most, 0) // 2 for length, most in zip(picture.shape, (height, width), strict=False))
    return picture[top : top + height, left : left + width]


def require_unit(raw: np.ndarray[Any, Any], first_row: int = 0, beyond: float = 1e-6) -> None:
    """Float pixels are finite and from 0 to 1, or a little beyond."""
    if raw.dtype.kind != "f":
        return
    require_finite(raw, "The array of images", first_row)
    low, high = raw.min(initial=0), raw.max(initial=0)
    if low < -beyond or high > 1 + beyond:
        perhaps = " If they are series, say kind='series'." if raw.ndim == 3 else ""
        raise DataError(
            f"Float images need values from 0 to 1. Got values from {low:g} to {high:g}: "
            f"scale them, or pass uint8, or flatten them to a table of numbers.{perhaps}"
        )


def _dtype(raw: np.ndarray[Any, Any]) -> str:
    if str(raw.dtype) in TOPS or raw.dtype.kind == "f":
        return str(raw.dtype)
    raise DataError(f"Images are bool, uint8, uint16 or floats from 0 to 1. Got {raw.dtype}: convert it to one of them.")


def _white(dtype: str, most: float) -> float | None:
    """White of as many bits as pictures need, where that is fewer than their type has: 1 of ones among zeros, 4095 of 12 bits."""
    return next((float(depth) for depth in DEPTHS.get(dtype, ()) if 0 < most <= depth), None)


def white_among(album: Sequence[Any], dtype: str) -> float | None:
    """White of pictures that are apart, as the brightest of a few of that type has it."""
    most = 0
    for number in spread(len(album), MOST_OPENED) if dtype in DEPTHS else ():
        if most > DEPTHS[dtype][-1]:
            break
        picture = album[int(number)]
        most = max(most, int(picture.max(initial=0))) if str(picture.dtype) == dtype else most
    return _white(dtype, most)


def _apart(pictures: list[np.ndarray[Any, Any]]) -> str:
    """What to say of pictures that can't be one array."""
    if not of_differing_depth(pictures):
        if len({picture.shape for picture in pictures}) == 1:
            return "Pictures that are read one by one can only be mended. Pass their path, or hourglass.read of it."
        return ragged([picture.shape for picture in pictures])
    number = next(number for number, picture in enumerate(pictures) if of_differing_depth([pictures[0], picture]))
    return (
        f"All pictures need one depth: picture 0 is {pictures[0].dtype}, picture {number} is {pictures[number].dtype}. "
        "Convert them to one of uint8, uint16 and floats from 0 to 1."
    )


def _what(raw: Any) -> str:
    if isinstance(raw, Album):
        return f"pictures of differing {'depths' if of_differing_depth([*raw]) else 'sizes'}"
    return described(raw)
