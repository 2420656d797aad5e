"""The map of codes in numbers: where rows lie, how they are coloured, which are selected. Knows arrays, no page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hourglass.analysis.drawing import GREY, GROUPS, LOW_TO_HIGH

MOST_POINTS = 100_000
SHADES = 255  # of a scale; one more is for what has no value
CLUSTERS = 8
Array = NDArray[Any]


class Plane(NamedTuple):
    """Codes seen flat: point = directions · (code - origin), and back, code = origin + point · directions."""

    points: Array  # (n, 2), float32
    origin: Array  # (codes,)
    directions: Array  # (2, codes)
    title: str

    def lifted(self, x: float, y: float) -> Array:
        """The code of a place on the map."""
        code: Array = self.origin + np.array([x, y], self.origin.dtype) @ self.directions
        return code

    def place(self, code: Array) -> tuple[float, float]:
        """Where a code lies on the map."""
        x, y = self.directions @ (code - self.origin)
        return float(x), float(y)


def plane(codes: Array, axes: tuple[int, int] | None = None) -> Plane:
    """The plane of two codes, with the others at their medians; unless named, that in which codes vary the most, by PCA."""
    n = codes.shape[1]
    if axes is None and n > 2:
        return _main_plane(codes)
    first, second = (0, min(1, n - 1)) if axes is None else axes
    directions = np.zeros((2, n), codes.dtype)
    directions[0, first] = 1
    if second != first:
        directions[1, second] = 1
    origin = np.where(directions.any(0), 0, np.median(codes, axis=0)).astype(codes.dtype)
    title = "the one code" if n == 1 else "the two codes" if n == 2 else f"codes {first} and {second}"
    return Plane(_flat(codes, origin, directions), origin, directions, title)


def _main_plane(codes: Array) -> Plane:
    from sklearn.decomposition import PCA

    if len(codes) < 2:
        return plane(codes, (0, 1))
    with np.errstate(invalid="ignore"):  # where all codes are alike
        pca = PCA(2, svd_solver="covariance_eigh").fit(codes)
    share = float(np.nansum(pca.explained_variance_ratio_))
    origin, directions = pca.mean_.astype(codes.dtype), pca.components_.astype(codes.dtype)
    title = f"{codes.shape[1]:,} codes in their two main directions ({share:.0%} of the variance)"
    return Plane(_flat(codes, origin, directions), origin, directions, title)


def _flat(codes: Array, origin: Array, directions: Array) -> Array:
    return np.ascontiguousarray((codes - origin) @ directions.T, np.float32)


def clusters(codes: Array, k: int = CLUSTERS) -> Array:
    """Names of k groups of codes, by k-means; the largest first."""
    from sklearn.cluster import MiniBatchKMeans

    k = min(k, len(np.unique(codes[:1000], axis=0)))
    found = MiniBatchKMeans(k, n_init=3, batch_size=4096, random_state=0).fit_predict(codes)
    rank = np.empty(k, int)
    rank[np.argsort(-np.bincount(found, minlength=k), kind="stable")] = np.arange(k)
    names: Array = np.array([f"cluster {i + 1}" for i in range(k)])[rank[found]]
    return names


class Tints(NamedTuple):
    """How points are coloured: the place of each in a palette, and what the colours mean."""

    places: Array  # (n,), uint8
    palette: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]  # name and number of rows of each group; empty for a scale
    ends: tuple[float, float] | None = None  # of a scale


def shades(values: Array) -> Tints:
    """A scale for numbers (n,); its ends leave out the outermost hundredth, as single values would else take all the colours."""
    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers)
    low, high = np.quantile(numbers[known], [0.01, 0.99]) if known.any() else (0.0, 1.0)
    share = np.clip((numbers - low) / ((high - low) or 1), 0, 1)
    places = np.where(known, np.rint(np.nan_to_num(share) * (SHADES - 1)), SHADES).astype(np.uint8)
    return Tints(places, (*_blend(LOW_TO_HIGH, SHADES), GREY), (), (float(low), float(high)))


def groups(values: Array) -> Tints:
    """A colour for each of the ten most common values (n,), grey for others."""
    names, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    common = np.sort(np.argsort(-counts, kind="stable")[: len(GROUPS)])
    place = np.full(len(names), len(GROUPS))
    place[common] = np.arange(len(common))
    listed = [(str(names[i]), int(counts[i])) for i in common]
    rest = int(counts.sum() - counts[common].sum())
    palette = [*GROUPS[: len(common)], *(GREY for _ in range(len(GROUPS) - len(common))), GREY]
    return Tints(place[group].astype(np.uint8), tuple(palette), (*listed, *([("others", rest)] if rest else [])))


def tints(values: Any) -> Tints:
    """A scale for many different numbers, groups for everything else; what is missing has a grey of its own."""
    array = np.asarray(values)
    if array.dtype.kind in "fiu" and len(np.unique(array[:5000])) > len(GROUPS):
        return shades(array)
    if array.dtype.kind == "M":
        return shades(np.where(np.isnat(array), np.nan, array.astype("datetime64[s]").astype(np.float64)))
    return groups(np.array(["missing" if _missing(value) else str(value) for value in array.tolist()]))


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 (NaN is not itself)


def _blend(stops: Sequence[str], n: int) -> list[str]:
    """So many colours from the first to the last."""
    known = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops])
    at = np.linspace(0, len(stops) - 1, n)
    mixed = np.rint(np.column_stack([np.interp(at, range(len(stops)), channel) for channel in known.T])).astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in mixed]


def within(points: Array, corners: Sequence[Sequence[float]]) -> Array:
    """Which points (n, 2) lie inside of a polygon, as a mask (n,)."""
    from matplotlib.path import Path

    if len(corners) < 3:
        return np.zeros(len(points), bool)
    mask: Array = Path(np.asarray(corners, np.float64)).contains_points(points)
    return mask


def in_words(shown: Plane, tinted: Tints, by: str) -> str:
    """The map for those who don't see it: where the groups lie, or the ends of the scale."""
    said = [f"{len(shown.points):,} rows, by {shown.title}, coloured by {by}."]
    if tinted.ends:
        said.append(f"Colours go from {tinted.ends[0]:.3g} to {tinted.ends[1]:.3g}.")
    low, high = np.quantile(shown.points, [0.02, 0.98], axis=0) if len(shown.points) else np.zeros((2, 2))
    for place, (name, count) in enumerate(tinted.groups):
        middle = np.median(shown.points[tinted.places == place], axis=0) if name != "others" else None
        where = "" if middle is None else f", {_third((middle - low) / np.where(high > low, high - low, 1))}"
        said.append(f"{name}: {count:,} rows{where}.")
    return " ".join(said)


def _third(share: Array) -> str:
    across = ("left", "middle", "right")[int(np.clip(3 * share[0], 0, 2))]
    up = ("bottom", "middle", "top")[int(np.clip(3 * share[1], 0, 2))]
    return "in the middle" if across == up == "middle" else f"at the {up} {across}" if across != "middle" else f"at the {up}"
