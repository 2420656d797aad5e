"""What a model took out of pictures, and whether that was noise: told without knowing the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hourglass.analysis import drawing
from hourglass.analysis.metrics import SSIM_PAD, Array, psnr, ssim
from hourglass.errors import DataError
from hourglass.kinds.image import as_unit, middle, with_channels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHIFTS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))  # pixels down and to the right
RANDOM, DOUBTFUL = 0.05, 0.15  # correlations up to which what was removed is like noise, or nearly
MOST_SHOWN = 159  # pixels a side that are drawn, those in the middle: shrunk, a picture would show less noise than it has
STRONGEST = 5.0  # times what was removed on average, at least, that the map of changes shows in full colour


class SelfCheck(NamedTuple):
    """What was removed from pictures."""

    std: float  # its standard deviation, in units of white
    correlation: float  # between neighbours in it: the largest over `SHIFTS`, in absolute terms
    words: str


def self_check(before: Any, after: Any) -> SelfCheck:
    """Say whether what was removed from pictures is like noise, without knowing what the pictures should be.

    Neighbours in white noise have nothing to do with one another; where they have in what was removed, either the noise was not
    white, or something of the picture went with it.

    Parameters
    ----------
    before, after : array of shape (n, height, width) or (n, height, width, channels), or list of pictures
        Noisy pictures, and what a model made of them.

    Returns
    -------
    SelfCheck
        ``std``, ``correlation``, ``words``.

    Raises
    ------
    DataError
        Two numbers of pictures, or a picture of two sizes.

    Examples
    --------
    >>> import numpy as np
    >>> import hourglass as hg
    >>> clean = np.full((1, 64, 64), 0.5)
    >>> noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    >>> hg.self_check(clean + noise, clean).words
    'What was removed, 25.4 grey levels on average, is as random as noise: nothing of the pictures is seen in it.'
    """
    removed = [_removed(*pair) for pair in _pairs(before, after)]
    variance = _mean([np.square(part) for part in removed])
    if variance == 0:
        return SelfCheck(0.0, 0.0, "Nothing was removed.")
    found = max((_mean([_shifted(part, *shift) for part in removed]) / variance for shift in SHIFTS), key=abs)
    levels = f"What was removed, {255 * variance**0.5:.1f} grey levels on average, is"
    if abs(found) <= RANDOM:
        words = f"{levels} as random as noise: nothing of the pictures is seen in it."
    elif abs(found) <= DOUBTFUL:
        words = f"{levels} nearly as random as noise (neighbours correlate by {found:.2f}): a little detail may have gone with it."
    else:
        words = (
            f"{levels} not random (neighbours correlate by {found:.2f}): it was blur, blotches or detail of the pictures. Compare "
            "before and after before you rely on it."
        )
    return SelfCheck(float(variance**0.5), float(found), words)


class Nearness(NamedTuple):
    """How near a picture comes to what it should be, before and after it was mended."""

    psnr: tuple[float, float]  # in dB
    ssim: tuple[float, float] | None  # None for a picture that is too small for it


def nearness(before: Array, after: Array, clean: Array) -> Nearness:
    """How near one picture (height, width) or (height, width, channels) comes to what it should be."""
    (first, second), truth = (before[None], after[None]), clean[None]
    large = min(clean.shape[:2]) > SSIM_PAD
    return Nearness((psnr(truth, first), psnr(truth, second)), (ssim(truth, first), ssim(truth, second)) if large else None)


def mended(before: Any, after: Any, clean: Any = None) -> Figure:
    """Draw pictures as they came, mended, and what was changed where; and as they should be, if that is known.

    Parameters
    ----------
    before, after : array of shape (n, height, width) or (n, height, width, channels), or list of pictures
        Damaged pictures, and what a model made of them. Of large ones the middle is drawn; small ones beside others lie on white.
    clean : as ``before``, optional
        What they should be.

    Returns
    -------
    matplotlib.figure.Figure
        A strip of pictures for each; in that of changes orange is brighter than it was, violet darker.

    Raises
    ------
    DataError
        Two numbers of pictures, or a picture of two sizes.
    """
    pairs = _pairs(before, after)
    side = [min(MOST_SHOWN, max(before.shape[axis] for before, _ in pairs)) for axis in (0, 1)]
    strips = [("as they came", [np.nan_to_num(pair[0], nan=0.5) for pair in pairs]), ("mended", [pair[1] for pair in pairs])]
    if clean is not None:
        strips.append(("as they should be", [pair[1] for pair in _pairs(before, clean)]))
    shown = [(title, np.stack([_in_colours(picture, *side) for picture in pictures])) for title, pictures in strips]
    changes = (shown[1][1] - shown[0][1]).mean(3)
    pixels = sum(min(before.shape[0], side[0]) * min(before.shape[1], side[1]) for before, _ in pairs)  # without the white around
    usual = float(np.abs(changes).sum()) / pixels
    shown.append(("what was changed: orange is brighter than before, violet darker", _coloured(changes, usual)))
    return drawing.strips_of_images(shown, across=min(len(pairs), drawing.MIN_ACROSS))


def _pairs(before: Any, after: Any) -> list[tuple[Array, Array]]:
    if len(before) != len(after) or len(before) == 0:
        raise DataError(f"Before and after must be the same pictures, at least one. Got {len(before)} and {len(after)}.")
    if any(np.ndim(picture) < 2 for picture in (before[0], after[0])):
        raise DataError(f"Pictures have a height and a width. Got arrays {np.shape(before)}. A single one goes in as X[None].")
    pairs = [(as_unit(np.asarray(first)), as_unit(np.asarray(second))) for first, second in zip(before, after, strict=True)]
    for number, (first, second) in enumerate(pairs):
        if first.shape != second.shape:
            raise DataError(f"Picture {number} has the shape {first.shape} before and {second.shape} after.")
    return pairs


def _removed(before: Array, after: Array) -> Array:
    """What was taken away, without its mean; nothing where nothing was there."""
    removed: Array = np.nan_to_num(before - after)
    removed -= removed.mean()
    return removed


def _shifted(removed: Array, down: int, right: int) -> Array:
    height, width = removed.shape[:2]
    return removed[: height - down, : width - right] * removed[down:, right:]


def _mean(parts: Sequence[Array]) -> float:
    return float(sum(part.sum() for part in parts) / max(sum(part.size for part in parts), 1))


def _in_colours(picture: Array, height: int, width: int) -> Array:
    """The middle of a picture in colours, as others may have some; in the middle of white, where it is smaller."""
    some = middle(picture, height, width)
    missing = [(side - there) // 2 for side, there in zip((height, width), some.shape, strict=False)]
    drawn = np.ones((height, width, 3))
    drawn[missing[0] :, missing[1] :][: some.shape[0], : some.shape[1]] = with_channels(some.reshape(*some.shape[:2], -1), 3)
    return drawn


def _coloured(changes: Array, usual: float) -> Array:
    """Changes (n, height, width) as colours, those of a ``usual`` size pale: nothing is light."""
    from matplotlib import colormaps

    most = max(STRONGEST * usual, 1e-6)
    coloured: Array = colormaps["PuOr_r"](0.5 + changes / (2 * most))[..., :3]
    return coloured
