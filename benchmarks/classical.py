"""The classical filters: each has a few settings, and the one that is best on the very pictures that are judged is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy import ndimage
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from skimage import restoration

from benchmarks.pictures import PSF_STD

Filter = Callable[[np.ndarray], np.ndarray]
EXTREME = 1e-6


def _bm3d(sigma: float) -> Iterator[Filter]:
    from bm3d import bm3d

    yield lambda y: bm3d(y, sigma)


def _nlm(sigma: float) -> Iterator[Filter]:
    for factor in (0.6, 0.8):
        yield partial(restoration.denoise_nl_means, patch_size=5, patch_distance=6, h=factor * sigma, sigma=sigma, fast_mode=True)


def _tv(sigma: float) -> Iterator[Filter]:
    for factor in (0.8, 1.0, 1.2):
        yield partial(restoration.denoise_tv_chambolle, weight=factor * sigma)


def _wavelet(sigma: float) -> Iterator[Filter]:
    for method in ("BayesShrink", "VisuShrink"):
        yield partial(restoration.denoise_wavelet, sigma=sigma, method=method, mode="soft", rescale_sigma=True)


def _log_nlm(sigma: float) -> Iterator[Filter]:
    """Non-local means of the logarithm, where speckle of a small strength is noise like any other."""
    for floor in (0.05, 0.15):
        for inner in _nlm(sigma):
            yield lambda y, inner=inner, floor=floor: np.exp(inner(np.log(np.clip(y, 0, None) + floor))) - floor


def _median() -> Iterator[Filter]:
    """Switching median: black and white pixels become the median of the others around them, in a window that grows."""

    def switched(y: np.ndarray) -> np.ndarray:
        holes = (y <= EXTREME) | (y >= 1 - EXTREME)
        left, result = holes.copy(), y.copy()
        for size in (3, 5, 7, 9):
            if left.any():
                around = np.lib.stride_tricks.sliding_window_view(
                    np.pad(np.where(holes, np.nan, y), size // 2, constant_values=np.nan), (size, size)
                )[left]
                middle = np.nanmedian(around.reshape(len(around), -1), axis=1)
                result[left] = np.where(np.isnan(middle), result[left], middle)
                left[left] = np.isnan(middle)
        return result

    yield switched


def _median_nlm(sigma: float) -> Iterator[Filter]:
    (switched,) = _median()
    for inner in _log_nlm(sigma):
        yield lambda y, inner=inner: inner(switched(y))


def _psf() -> np.ndarray:
    point = np.zeros((17, 17))
    point[8, 8] = 1
    return ndimage.gaussian_filter(point, PSF_STD)


def _wiener() -> Iterator[Filter]:
    for balance in (1e-3, 3e-3, 1e-2, 3e-2):
        yield lambda y, balance=balance: restoration.wiener(np.pad(y, 16, "edge"), _psf(), balance)[16:-16, 16:-16]


def _richardson_lucy() -> Iterator[Filter]:
    for steps in (5, 10, 20, 40):
        yield lambda y, steps=steps: restoration.richardson_lucy(np.pad(y, 16, "edge").clip(1e-3), _psf(), steps)[16:-16, 16:-16]


def _linear() -> Iterator[Filter]:
    """Linear between what is left; the nearest pixel where nothing is around."""

    def filled(y: np.ndarray) -> np.ndarray:
        known = np.argwhere(~np.isnan(y))
        holes, values = np.argwhere(np.isnan(y)), y[~np.isnan(y)]
        found = LinearNDInterpolator(known, values)(holes)
        result = y.copy()
        result[np.isnan(y)] = np.where(np.isnan(found), NearestNDInterpolator(known, values)(holes), found)
        return result

    yield filled


def _biharmonic() -> Iterator[Filter]:
    yield lambda y: restoration.inpaint_biharmonic(np.nan_to_num(y), np.isnan(y))


FILTERS: dict[str, Callable[..., Iterator[Filter]]] = {
    "BM3D": _bm3d,
    "NLM": _nlm,
    "TV": _tv,
    "wavelets": _wavelet,
    "log-NLM": _log_nlm,
    "median": _median,
    "median-log-NLM": _median_nlm,
    "Wiener": _wiener,
    "Richardson-Lucy": _richardson_lucy,
    "linear": _linear,
    "biharmonic": _biharmonic,
}
SIGMAS = {"noise15": 15 / 255, "noise25": 25 / 255, "noise50": 50 / 255, "speckle": 0.2, "both": 0.2}
