"""Where in a picture an alarm was raised: boxes around the strongest regions of its score map, in numbers and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

if TYPE_CHECKING:
    import polars as pl

OF_PEAK = 0.5  # of a map's peak: what belongs to a region
WHOLE = 0.5  # of a picture; a box that covers more of it says nothing of a place
MOST = 5  # regions of a picture, unless asked otherwise
ROWS, COLUMNS = ("top", "", "bottom"), ("left", "", "right")
Maps = NDArray[np.floating[Any]]


class Region(NamedTuple):
    """A region of a map: rows from ``top`` to before ``bottom``, columns from ``left`` to before ``right``."""

    top: int
    left: int
    bottom: int
    right: int
    peak: float  # of the map in it; 1 is the peak of a usual picture
    share: float  # of what the regions of the picture add up to


def regions(heat: Maps, most: int | None = None) -> list[Region]:
    """The strongest regions of a map (height, width): neighbouring pixels of at least `OF_PEAK` of its peak."""
    labels, _ = label(heat >= OF_PEAK * heat.max())
    boxes = find_objects(labels)
    inside = [np.where(labels[box] == number + 1, heat[box], 0) for number, box in enumerate(boxes)]
    total = sum(float(part.sum()) for part in inside) or 1.0
    found = [
        Region(down.start, across.start, down.stop, across.stop, float(part.max()), float(part.sum()) / total)
        for (down, across), part in zip(boxes, inside, strict=True)
    ]
    return sorted(found, key=lambda region: -region.peak)[: MOST if most is None else most]


def told(region: Region, size: tuple[int, int]) -> str:
    """A region in words: 'bottom left, 12 x 9 pixels, 3.4 times the peak of a usual picture'."""
    height, width = size
    long, high = region.right - region.left, region.bottom - region.top
    strength = f"{region.peak:.1f} times the peak of a usual picture"
    if long * high > WHOLE * height * width:
        return f"the picture as a whole, {strength}"
    down, across = (region.top + region.bottom) * 3 // (2 * height), (region.left + region.right) * 3 // (2 * width)
    where = " ".join(filter(None, (ROWS[min(down, 2)], COLUMNS[min(across, 2)]))) or "middle"
    return f"{where}, {long} x {high} pixels, {strength}"


def located(detector: Any, strange: Any, rows: NDArray[np.intp], p_values: Maps, most: int | None) -> pl.DataFrame:
    """A line for each of at most ``most`` regions of each strange picture, the strongest first."""
    import polars as pl

    heat = detector._heat(strange) if len(rows) else np.empty((0, *detector.kind_.shape[1:]))
    lines = [
        {"row": int(row), "p_value": float(p), **region._asdict(), "reason": told(region, heat.shape[1:])}
        for row, p, one in zip(rows, p_values, heat, strict=True)
        for region in regions(one, most)
    ]
    numbers = dict.fromkeys(("top", "left", "bottom", "right"), pl.Int64)
    schema = {"row": pl.Int64, "p_value": pl.Float64, **numbers, "peak": pl.Float64, "share": pl.Float64, "reason": pl.String}
    return pl.DataFrame(lines, schema=schema)
