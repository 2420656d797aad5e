"""Images: a folder, a zip or a list of files, as one array of bytes; and back to a folder."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hourglass.data.files import atomic, check_archive, naming
from hourglass.errors import DataError, FileError, HourglassWarning

FORMATS = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "TIFF": (".tif", ".tiff"), "BMP": (".bmp",), "WEBP": (".webp",)}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
_KNOWN = "PNG, JPEG, TIFF, BMP or WebP"
_CHUNK = 256  # images decoded ahead of the copy into the result, so that they never stand in memory twice
_THREADS = min(8, os.cpu_count() or 1)
_SMALL = 8192  # bytes of an image below which threads cost more than they bring (at 28 x 28 by half)

Files = list[tuple[str, Callable[[], BinaryIO]]]  # the name of each image, and what opens it


def read_images(source: Path | Sequence[Path], *, skip_bad: bool = False) -> NDArray[np.uint8]:
    """Read all images of a folder, a zip or a list.

    Sub-folders are included, hidden files and ``__MACOSX`` are not; the order is that of the names. The orientation
    noted by the camera (EXIF) is applied, transparency is dropped, and of 16 bits the upper 8 are taken.

    Parameters
    ----------
    source : Path or sequence of Path
        A folder, a .zip, one image, or a list of images, which keeps its order.
    skip_bad : bool, default=False
        Leave out images that can't be read, with one warning, instead of raising an error.

    Returns
    -------
    ndarray of shape (n, height, width) or (n, height, width, 3), uint8
        Grey, or RGB as soon as one image has colour.

    Raises
    ------
    FileError
        No images, one that can't be read, two sizes, or more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    from PIL import Image

    images: NDArray[np.uint8] | None = None
    bad: list[str] = []
    first, count = "", 0
    decode = partial(_decode, skip_bad=skip_bad)
    with _opened(source) as files, warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        chunks = [files[:1], *(files[start : start + _CHUNK] for start in range(1, len(files), _CHUNK))]
        for chunk in chunks:  # the first is one image, which tells the size
            run = pool.map if images is not None and images[0].size > _SMALL else map
            for (name, _), pixels in zip(chunk, run(decode, chunk), strict=True):
                if pixels is None:
                    bad.append(name)
                    continue
                if images is None:
                    images, first = np.empty((len(files), *pixels.shape), np.uint8), name
                if pixels.shape[:2] != images.shape[1:3]:
                    raise FileError(
                        f"'{first}' has {images.shape[2]} x {images.shape[1]} pixels, but '{name}' has "
                        f"{pixels.shape[1]} x {pixels.shape[0]}. Crop or scale all images to one size."
                    )
                if pixels.ndim == images.ndim:  # the first colour after grey
                    images = np.repeat(images[..., None], 3, axis=-1)
                images[count] = pixels if pixels.ndim == images.ndim - 1 else pixels[..., None]
                count += 1
    if images is None:
        raise FileError(f"None of the {len(bad)} images can be read, the first: '{bad[0]}'. They must be {_KNOWN}.")
    if bad:
        message = f"Left out {len(bad)} of {len(files)} images that could not be read, the first: '{bad[0]}'."
        warnings.warn(message, HourglassWarning, stacklevel=3)
    return images[:count]


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
    with _opened(Path(source) if isinstance(source, (str, os.PathLike)) else [Path(path) for path in source]) as files:
        paths = [Path(os.path.normpath(Path(name).absolute())) for name, _ in files]
    shared = os.path.commonpath([path.parent for path in paths])
    return [str(path.relative_to(shared)) for path in paths]


def write_images(folder: str | os.PathLike[str], images: ArrayLike, names: Sequence[str] | None = None) -> None:
    """Write images as PNG files into a folder: all of them, or none.

    Parameters
    ----------
    folder : path
        Made if it doesn't exist. Files of the same names are replaced, others stay.
    images : array-like of shape (n, height, width), (n, height, width, 1) or (n, height, width, 3)
        uint8, or floats from 0 to 1.
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

    pixels = _as_bytes(np.asarray(images))
    files = _targets(names, len(pixels))

    def save(file: Path, image: NDArray[np.uint8]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file, "PNG")

    with atomic(folder) as temporary, ThreadPoolExecutor(_THREADS) as pool:
        run = pool.map if pixels[0].size > _SMALL else map
        list(run(save, [temporary / file for file in files], pixels))


@contextmanager
def _opened(source: Path | Sequence[Path]) -> Iterator[Files]:
    if not isinstance(source, Path):
        yield [_file(path) for path in source]
    elif source.suffix.lower() == ".zip" and not source.is_dir():
        with naming(source), zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if _is_image(member.filename) and not member.is_dir()]
            members.sort(key=lambda member: PurePath(member.filename))
            check_archive(source, members, ratio=100)  # images are compressed already
            yield _some(source, [(str(source / member.filename), partial(_unzip, archive, member)) for member in members])
    elif source.is_dir():
        paths = sorted(path for path in source.rglob("*") if _is_image(path.relative_to(source)) and path.is_file())
        yield _some(source, [_file(path) for path in paths])
    else:
        yield [_file(source)]


def _file(path: Path) -> tuple[str, Callable[[], BinaryIO]]:
    return str(path), lambda: path.open("rb")


def _unzip(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    return BytesIO(archive.read(member))  # seeking back in a member would unpack it again


def _is_image(name: str | PurePath) -> bool:
    """By its name; nothing hidden, and nothing that leads out of its archive."""
    path = PurePath(name)
    return path.suffix.lower() in ENDINGS and not any(part[0] == "." or part == "__MACOSX" for part in path.parts)


def _some(source: Path, files: Files) -> Files:
    if not files:
        raise FileError(f"'{source}' holds no images. Looked for {', '.join(ENDINGS)} in it and its sub-folders.")
    return files


def _decode(file: tuple[str, Callable[[], BinaryIO]], *, skip_bad: bool) -> NDArray[np.uint8] | None:
    """Pixels of shape (height, width) or (height, width, 3), or None for a bad image that may be skipped."""
    from PIL import Image, ImageOps

    name, opener = file
    try:
        with opener() as stream, Image.open(stream, formats=tuple(FORMATS)) as image:
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise FileError(f"'{name}' is {frames} pictures in one file. Save each as a file of its own.")
            ImageOps.exif_transpose(image, in_place=True)
            if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would clip them
                return (np.asarray(image) >> 8).astype(np.uint8)
            if image.mode == "P":  # a palette; by way of RGBA, as its transparency may be of a kind that RGB can't take
                return np.asarray(image.convert("RGBA").convert("RGB"))
            return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    except FileError:
        if skip_bad:
            return None
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise FileError(f"'{name}' has more than {limit} pixels, too many to be trusted. Scale it down.") from error
    except Exception as error:  # a damaged image meets a dozen kinds
        if skip_bad:
            return None
        reason = getattr(error, "strerror", None) or f"it is broken, cut short, or not {_KNOWN}"
        raise FileError(f"Can't read the image '{name}': {reason}. Replace it, or pass skip_bad=True.") from error


def _as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.size == 0 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise DataError(f"Images must have the shape (n, height, width) or (n, height, width, 3). Got {images.shape}.")
    if images.dtype == np.uint8:
        return images
    low, high = images.min(), images.max()
    if images.dtype.kind != "f" or not (low >= 0 and high <= 1):  # so put, NaN is refused
        raise DataError(f"Images must be uint8, or floats from 0 to 1. Got {images.dtype} from {low} to {high}.")
    return np.asarray(np.rint(images * 255), np.uint8)


def _targets(names: Sequence[str] | None, n: int) -> list[Path]:
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
