"""Pictures for the works on cleaning: the data, the damage done to it, in NumPy alone, and how near a cleaned picture comes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.metrics import structural_similarity

from benchmarks.common import QUICK, SEED, at_hand

Pictures = list[np.ndarray]
Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]
MIDDLE = 256  # pixels a side of the middle of each photo, where a work says so
PSF_STD = 2.0  # pixels, of the blur


def photos(folder: str) -> Pictures:
    """Grey photos, uint8 (height, width): ``train400`` to learn from, ``set12`` to judge by."""
    with zipfile.ZipFile(at_hand("natural_gray.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(folder) and name.endswith(".png"))
        return [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) for name in names[: 20 if QUICK else None]]


def middles(pictures: Pictures) -> Pictures:
    """The middle of each."""
    corners = (((picture.shape[0] - MIDDLE) // 2, (picture.shape[1] - MIDDLE) // 2) for picture in pictures)
    return [picture[top : top + MIDDLE, left : left + MIDDLE] for picture, (top, left) in zip(pictures, corners, strict=True)]


def xrays(part: str) -> Pictures:
    """Chest X-rays, uint8 (28, 28)."""
    with np.load(at_hand("pneumoniamnist.npz")) as file:
        return list(file[f"{part}_images"][: 100 if QUICK else None])


def data(name: str) -> tuple[Pictures, Pictures]:
    """What is learned from, and what is judged."""
    if name == "xrays":
        return xrays("train"), xrays("test")
    judged = photos("set12")
    return photos("train400"), middles(judged) if name == "middles" else judged


def _noise(std: float) -> Damage:
    return lambda x, rng: x + std / 255 * rng.normal(size=x.shape)


def _speckle(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x * (1 + 0.2 * rng.normal(size=x.shape))


def _salt_and_pepper(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chance = rng.random(x.shape)
    return np.where(chance < 0.05, 0.0, np.where(chance < 0.1, 1.0, x))


def _blur(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _noise(2)(ndimage.gaussian_filter(x, PSF_STD, mode="nearest"), rng)


def _pixels(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(x.shape) < 0.5, np.nan, x)


def _half(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    damaged, (height, width) = x.copy(), x.shape
    side = [np.s_[: height // 2], np.s_[height // 2 :], np.s_[:, : width // 2], np.s_[:, width // 2 :]][rng.integers(4)]
    damaged[side] = np.nan
    return damaged


DAMAGES: dict[str, tuple[str, Damage]] = {  # as Hourglass is told of it in training, and as it is done to what is judged
    "noise15": ("noise:15", _noise(15)),
    "noise25": ("noise:25", _noise(25)),
    "noise50": ("noise:50", _noise(50)),
    "speckle": ("speckle:0.2", _speckle),
    "saltpepper": ("saltpepper:0.1", _salt_and_pepper),
    "both": ("speckle:0.2+saltpepper:0.1", lambda x, rng: _salt_and_pepper(_speckle(x, rng), rng)),
    "blur": (f"blur:{PSF_STD:g}+noise:2", _blur),
    "pixels": ("pixels:0.5", _pixels),
    "half": ("half", _half),
}


def damaged(pictures: Pictures, damage: str) -> Pictures:
    """Each picture from 0 to 1, damaged, as float32; neither clipped nor rounded, and NaN where it is erased."""
    done = DAMAGES[damage][1]
    return [
        done(picture / 255, np.random.default_rng([SEED, number])).astype(np.float32) for number, picture in enumerate(pictures)
    ]


def quality(clean: Pictures, cleaned: Pictures) -> dict[str, float]:
    """PSNR in dB and SSIM, means over the pictures, of cleaned ones that are clipped to 0 to 1."""
    pairs = [(picture / 255, np.clip(other, 0, 1)) for picture, other in zip(clean, cleaned, strict=True)]
    return {
        "psnr": float(np.mean([-10 * np.log10(np.square(a - b).mean()) for a, b in pairs])),
        "ssim": float(np.mean([structural_similarity(a, b, data_range=1.0, gaussian_weights=True, sigma=1.5) for a, b in pairs])),
    }


def megapixels(pictures: Pictures) -> float:
    return sum(picture.size for picture in pictures) / 1e6
