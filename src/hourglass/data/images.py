"""Images: a folder, a zip or a list of files, as one array; and back to a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hourglass.data.files import atomic
from hourglass.data.pictures import ENDINGS, SMALL, THREADS, Pictures, as_levels
from hourglass.errors import DataError, warn

FEW = 5  # images, of which one that is unlike the others is named


def read_named_images(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, skip_bad: bool = False
) -> tuple[NDArray[Any] | list[NDArray[Any]], list[str]]:
    """Read all images of a folder, a zip or a list, and the name of each, as `image_names` has it.

    Sub-folders are included, hidden files and ``__MACOSX`` are not; the order is that of the names. The orientation
    noted by the camera (EXIF) is applied, and transparency is dropped.

    Parameters
    ----------
    source : path or sequence of paths
        A folder, a .zip, one image, or a list of images, which keeps its order.
    skip_bad : bool, default=False
        Leave out images that can't be read, with one warning, instead of raising an error.

    Returns
    -------
    images : ndarray of shape (n, height, width) or (n, height, width, 3), or a list of n arrays if sizes differ
        Grey, or RGB as soon as one image has colour; uint16 if all have 16 bits, else uint8, with the upper 8 of 16 bits.
    names : list of str

    Raises
    ------
    FileError
        No images, one that can't be read, or one with more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    files = Pictures(source, skip_bad=skip_bad)
    images: NDArray[Any] | list[NDArray[Any]] = []
    names: list[str] = []
    forms: list[tuple[tuple[int, ...], bool, bool]] = []
    for count, picture in enumerate(files, 1):
        names.append(picture.name)
        pixels = picture.pixels
        forms.append((pixels.shape[:2], pixels.ndim == 3, pixels.dtype == np.uint16))
        if count == 1:
            images = np.empty((len(files), *pixels.shape), pixels.dtype)
        elif isinstance(images, np.ndarray) and pixels.shape[:2] != images.shape[1:3]:
            images = list(images[: count - 1].copy())
        if isinstance(images, list):
            images.append(pixels)
            continue
        deep, colour = min(images.dtype, pixels.dtype) == np.uint16, max(images.ndim - 1, pixels.ndim) == 3
        images = _alike(images, deep, colour and images.ndim == 3)
        images[count - 1] = _alike(pixels, deep, colour and pixels.ndim == 2)
    _warn_of_odd(images, names, forms)
    if isinstance(images, np.ndarray):
        return images[: len(names)], names
    deep, colour = min(image.dtype for image in images) == np.uint16, max(image.ndim for image in images) == 3
    return [_alike(image, deep, colour and image.ndim == 2) for image in images], names


def _warn_of_odd(
    images: NDArray[Any] | list[NDArray[Any]], names: list[str], forms: list[tuple[tuple[int, ...], bool, bool]]
) -> None:
    """Name the first of a few images that keep the others from being of one size, grey, or as deep as they are."""
    sizes, coloured, deep = zip(*forms, strict=True)
    usual, few = Counter(sizes).most_common(1)[0][0], len(names) // FEW
    if sum(coloured) <= few:  # of which some may hold grey all the same
        coloured = tuple(each and bool((image != image[..., :1]).any()) for each, image in zip(coloured, images, strict=False))
    for odd, what in (
        ([size != usual for size in sizes], f"of another size than the others, {usual[0]} x {usual[1]}"),
        (coloured, "in colour, so all are read as RGB"),
        ([not each for each in deep], "of 8 bits, so all are read with 8"),
    ):
        if 0 < sum(odd) <= few:
            are = "is" if sum(odd) == 1 else "are"
            warn(f"Of {len(names):,} images {sum(odd):,} {are} {what}, the first: '{names[list(odd).index(True)]}'.")


def image_names(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """Name the images that `read` reads, in its order, relative to the folder that they share.

    Parameters
    ----------
    source : path or sequence of paths
        A folder, a .zip, one image, or a list of images.

    Returns
    -------
    list of str
        Names to write results under, see `write_images`.

    Raises
    ------
    FileError
        No images, or a zip that can't be read.
    """
    return Pictures(source).names


def write_images(
    folder: str | os.PathLike[str], images: ArrayLike | Sequence[ArrayLike], names: Sequence[str] | None = None
) -> None:
    """Write images as PNG files into a folder: all of them, or none.

    Parameters
    ----------
    folder : path
        Made if it doesn't exist. Files of the same names are replaced, others stay.
    images : array-like of shape (n, height, width) or (n, height, width, channels), or a list of such images of any size
        With 1, 3 or 4 channels: grey, RGB, or RGB and transparency. uint8, uint16 if grey, bool, or floats from 0 to 1, which
        are written with 8 bits.
    names : sequence of str, optional
        Names relative to `folder`; other endings of images become ``.png``. Default: ``00000.png``, ``00001.png`` ...

    Raises
    ------
    DataError
        Images of another shape or range; names that are not one for each image, or lead out of the folder.
    FileError
        The folder can't be written.
    """
    from PIL import Image

    pictures = images if isinstance(images, (list, tuple)) else np.atleast_1d(np.asarray(images))
    if len(pictures) == 0:
        raise DataError("There are no images to write. Give at least one.")
    files = image_files(names, len(pictures))

    def save(file: Path, image: ArrayLike) -> None:
        pixels = _png(np.asarray(image))
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file, "PNG")

    with atomic(folder) as temporary, ThreadPoolExecutor(THREADS) as pool:
        run = pool.map if np.size(pictures[0]) > SMALL else map
        list(run(save, [temporary / file for file in files], pictures))


def _alike(pixels: NDArray[Any], deep: bool, add_colour: bool) -> NDArray[Any]:
    """One or more images with as many bits as all, and with three channels if others have colour."""
    if pixels.dtype == np.uint16 and not deep:
        pixels = (pixels >> 8).astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=-1) if add_colour else pixels


def _png(pixels: NDArray[Any]) -> NDArray[Any]:
    """One image as Pillow takes it for a PNG."""
    if pixels.size == 0 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        how = " Write others as .npy." if pixels.ndim == 3 and pixels.size else ""
        raise DataError(f"An image must have the shape (height, width) or (height, width, 1, 3 or 4). Got {pixels.shape}.{how}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.dtype == np.uint16:
        raise DataError("Colour of 16 bits can't be written as PNG. Pass uint8, or floats from 0 to 1.")
    return as_levels(pixels, np.uint8, np.uint16)


def image_files(names: Sequence[str] | None, n: int) -> list[Path]:
    """The files that `write_images` writes n images to, relative to its folder."""
    if names is None:
        return [Path(f"{i:05d}.png") for i in range(n)]
    if len(names) != n:
        raise DataError(f"There are {len(names)} names for {n} images. Give one for each.")
    files = [Path(name) for name in names]
    files = [file.with_suffix(".png") if file.suffix.lower() in ENDINGS else Path(f"{file}.png") for file in files]
    for name, file in zip(names, files, strict=True):
        if file.is_absolute() or ".." in file.parts:
            raise DataError(f"The name '{name}' leads out of the folder. Give names relative to it.")
    if len(set(files)) < n:
        twice = Counter(files).most_common(1)[0][0]
        raise DataError(f"Two images would be written to '{twice}'. Give different names.")
    return files
