"""Picture files one at a time, and back with the format, depth and metadata that they came with."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, pairwise
from pathlib import Path, PurePath
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hourglass.data.dicom import is_dicom, read_dicom
from hourglass.data.files import Opener, Save, atomic, check_exists, check_frames, found_in, naming, opened, reason
from hourglass.errors import DataError, FileError, MissingExtraError, warn

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "TIFF": (".tif", ".tiff"), "BMP": (".bmp",), "WEBP": (".webp",)}
RASTER = tuple(ending for endings in FORMATS.values() for ending in endings)
ENDINGS = (*RASTER, ".dcm")
THREADS = min(8, os.cpu_count() or 1)
SMALL = 8192
"""Bytes of a picture below which threads cost more than they bring (at 28 x 28 by half)."""

_KNOWN = "PNG, JPEG, TIFF, BMP, WebP or DICOM"
_AHEAD = 256 * 2**20  # bytes of pixels that are decoded ahead
_PACKED = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "group3", "group4", "lzma", "zstd")  # without loss
PHOTOMETRIC_INTERPRETATION, WHITE_IS_ZERO = 262, 0  # a TIFF tag, and its value where 0 is white
_LAYOUT = (  # TIFF tags of how the pixels lie in the file, which will be another; and the profile, which Pillow keeps apart
    *range(254, 267), 273, 274, *range(277, 282), 284, 292, 293, 317, 320, *range(322, 326), 330, 338, 339, 340, 341, 347,
    *range(512, 522), *range(529, 533), 34675,
)  # fmt: skip


class _File(NamedTuple):
    """One picture, not read yet."""

    name: str  # relative to the folder that all share
    path: str  # as errors name it
    open: Opener


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a file.

    Parameters
    ----------
    name : str
        Its name, relative to the folder that all pictures of its source share.
    pixels : ndarray of shape (height, width) or (height, width, 3)
        Grey or RGB: uint8, or uint16 if the file has 16 bits. The orientation noted by the camera (EXIF) is applied. DICOM
        of more than 8 bits is uint16, with its stored values spread over the whole range.
    alpha : ndarray of shape (height, width), or None
        How opaque each pixel is, if the file says so.

    Examples
    --------
    >>> import tempfile
    >>> from hourglass.data import Pictures, write_images
    >>> folder = tempfile.mkdtemp()
    >>> write_images(folder, [[[0.0, 0.5, 1.0]]], ["a.png"])
    >>> picture = Pictures(folder)[0]
    >>> picture.write(folder + "/b.png", picture.top - picture.pixels)
    >>> Pictures(folder)[1].pixels
    array([[255, 127,   0]], dtype=uint8)
    """

    name: str
    pixels: NDArray[Any]
    alpha: NDArray[Any] | None
    _save: Save = field(repr=False)

    @property
    def top(self) -> int:
        """The value of white: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def write(self, path: str | os.PathLike[str], pixels: ArrayLike) -> None:
        """Write other pixels as a file like the one that this picture was read from.

        It has the same format, whatever `path` ends in, the same depth, transparency and metadata: EXIF, ICC profile,
        resolution, the texts of a PNG, the header of a DICOM file. Palettes become RGB, files of one bit take the nearer of
        black and white, JPEG is written at quality 95, WebP without loss. DICOM is written uncompressed, with a new
        identifier and a note that its pixels are derived.

        Parameters
        ----------
        path : path
            The file, replaced whole or not at all.
        pixels : array-like of the shape of `pixels`
            Of the same dtype, or floats from 0 to 1.

        Raises
        ------
        DataError
            Pixels of another shape, dtype or range.
        FileError
            The file can't be written.
        """
        new = np.asarray(pixels)
        if new.shape != self.pixels.shape:
            raise DataError(f"The pixels of '{self.name}' have the shape {self.pixels.shape}. Got {new.shape}.")
        levels = as_levels(new, self.pixels.dtype)
        with atomic(path) as temporary:
            try:
                self._save(temporary, levels, self.alpha)
            except OSError:
                raise
            except Exception as error:  # metadata that can be read, but breaks the rules for writing
                raise FileError(f"Can't write '{path}' with the metadata of '{self.name}' ({reason(error)}).") from error


class Pictures(Sequence[Picture]):
    """The picture files of a folder, a zip or a list, read when they are needed.

    Sub-folders are included, hidden files and ``__MACOSX`` are not; the order is that of the names. Files without an ending
    are included if they are DICOM. Iteration decodes a few pictures ahead, at most about 256 MB of them.

    Parameters
    ----------
    source : path or sequence of paths
        A folder, a ``.zip``, one picture, or a list of pictures, which keeps its order.
    skip_bad : bool, default=False
        Iteration leaves out pictures that can't be read, with one `HourglassWarning` at its end. They still count in ``len``,
        and asking for one by its index is an error.

    Attributes
    ----------
    names : list of str
        The names of the files, relative to the folder that they share.
    shape : tuple of one int
        The number of files.

    Raises
    ------
    FileError
        No pictures; while reading, one that is broken, is several in one file, or has more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``.
    MissingExtraError
        A DICOM file is to be read, and pydicom isn't installed.

    Examples
    --------
    >>> import tempfile
    >>> from hourglass.data import Pictures, write_images
    >>> folder = tempfile.mkdtemp()
    >>> write_images(folder, [[[0.0, 1.0]], [[0.0], [0.5], [1.0]]])  # two sizes
    >>> pictures = Pictures(folder)
    >>> pictures.names
    ['00000.png', '00001.png']
    >>> [picture.pixels.shape for picture in pictures]
    [(1, 2), (3, 1)]
    """

    def __init__(self, source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, skip_bad: bool = False) -> None:
        found = _found(Path(source) if isinstance(source, (str, os.PathLike)) else [Path(path) for path in source])
        paths = [os.path.abspath(path) for path, _ in found]  # noqa: PTH100 - several times as quick as pathlib
        shared = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120
        self._files = [_File(os.path.relpath(full, shared), *file) for full, file in zip(paths, found, strict=True)]
        self._skip_bad = skip_bad

    @property
    def names(self) -> list[str]:
        return [file.name for file in self._files]

    @property
    def shape(self) -> tuple[int]:
        return (len(self),)

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Pictures: ...
    def __getitem__(self, index: int | slice) -> Picture | Pictures:
        if isinstance(index, slice):
            return self._some(self._files[index])
        with _quiet:
            picture = _decode(self._files[index])
        if isinstance(picture, FileError):
            raise picture
        return picture

    def readable(self) -> Pictures:
        """Those that can be read, to find which each is read once; all of them unless bad ones are to be left out."""
        if not self._skip_bad:
            return self
        good = {picture.name for picture in self}
        return self._some([file for file in self._files if file.name in good])

    def _some(self, files: list[_File]) -> Pictures:
        part = copy.copy(self)
        part._files = files
        return part

    def __iter__(self) -> Iterator[Picture]:
        bad: list[str] = []
        files, ahead, largest = iter(self._files), 1, 0
        with ThreadPoolExecutor(THREADS) as pool:
            while chunk := list(islice(files, ahead)):  # the first is one picture, which tells the size
                with _quiet:  # not while others work on what was yielded, as filters of warnings are everyone's
                    pictures = list((pool.map if largest > SMALL else map)(_decode, chunk))
                for file, picture in zip(chunk, pictures, strict=True):
                    if isinstance(picture, Picture):
                        largest = max(largest, picture.pixels.nbytes)
                        yield picture
                    elif self._skip_bad:
                        bad.append(file.path)
                    else:
                        raise picture
                ahead = max(1, min(2 * THREADS, _AHEAD // largest)) if largest > SMALL else 1
        if bad and len(bad) == len(self):
            raise FileError(f"None of the {len(bad)} images can be read, the first: '{bad[0]}'. They must be {_KNOWN}.")
        if bad:
            warn(f"Left out {len(bad)} of {len(self)} images that could not be read, the first: '{bad[0]}'.")


def holds_pictures(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> bool:
    """Whether a source is one of pictures: a list of paths, a folder, a zip, or a picture."""
    if not isinstance(source, (str, os.PathLike)):
        return True
    path = Path(source)
    return path.is_dir() or path.suffix.lower() == ".zip" or is_picture(path)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its ending, or by its beginning if it has none."""
    return _may_be_picture(path) and path.is_file() and _is_picture(*opened(path))


def as_levels(pixels: NDArray[Any], *dtypes: Any) -> NDArray[Any]:
    """Pixels of one of `dtypes` as they are; floats from 0 to 1, and black and white, as the first of them."""
    if pixels.dtype in dtypes:
        return pixels
    if pixels.dtype == bool:
        return np.asarray(pixels * np.iinfo(dtypes[0]).max, dtypes[0])
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind != "f" or not (low >= 0 and high <= 1):  # so put, NaN is refused
        known = " or ".join(str(np.dtype(dtype)) for dtype in dtypes)
        raise DataError(f"Images must be {known}, or floats from 0 to 1. Got {pixels.dtype} from {low} to {high}.")
    exact = pixels.astype(np.promote_types(pixels.dtype, np.float32), copy=False)  # float16 doesn't reach 65535
    return np.asarray(np.rint(exact * np.iinfo(dtypes[0]).max), dtypes[0])


def _found(source: Path | list[Path]) -> list[tuple[str, Opener]]:
    """The path of each picture, and what opens it."""
    if isinstance(source, list):
        if not source:
            raise FileError("The list of paths is empty. Give at least one image.")
        for path in source:
            check_exists(path)
            with naming(path):
                if not is_picture(path):
                    raise FileError(f"'{path}' is no image by its ending. Known: {', '.join(ENDINGS)}.")
        return [opened(path) for path in source]
    check_exists(source)
    with naming(source):
        if not (source.is_dir() or source.suffix.lower() == ".zip"):
            return _found([source])
        found = found_in(source, _may_be_picture)
        found = [(path, opener) for path, opener in found if _is_picture(path, opener)]
        if twice := next((path for (path, _), (other, _) in pairwise(found) if path == other), None):
            raise FileError(f"There are two files '{twice}'. Give each a name of its own.")
    if not found:
        raise FileError(f"'{source}' holds no images. Looked for {', '.join(ENDINGS)} in it and its sub-folders.")
    return found


def _nameless(path: PurePath) -> bool:
    """Without an ending; DICOM files are often called by their identifier, of numbers with dots."""
    return not path.suffix or path.suffix[1:].isdigit()


def _may_be_picture(path: PurePath) -> bool:
    """By its name; a ``DICOMDIR`` is the table of contents of a disc."""
    return path.suffix.lower() in ENDINGS or (_nameless(path) and path.name != "DICOMDIR")


def _is_picture(name: str, opener: Opener) -> bool:
    if not _nameless(PurePath(name)):
        return True
    with suppress(OSError), opener() as stream:  # what can't be opened and has no ending was hardly meant
        return is_dicom(stream)
    return False


class _Quiet:
    """No warnings of Pillow and pydicom. Filters are everyone's: the first thread to come changes them, the last puts them back."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.before = ExitStack()

    def __enter__(self) -> None:
        from PIL import Image

        with self.lock:
            if self.inside == 0:
                self.before.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module="PIL|pydicom")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.before.close()


_quiet = _Quiet()


def _decode(file: _File) -> Picture | FileError:
    """The picture; or the error of one that may be left out, while others are raised."""
    from PIL import Image

    reader = _read_raster if PurePath(file.path).suffix.lower() in RASTER else read_dicom
    try:
        with file.open() as stream:
            return Picture(file.name, *reader(file.path, stream))
    except MissingExtraError:
        raise
    except FileError as error:
        return error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = f"{Image.MAX_IMAGE_PIXELS:,}"
        raise FileError(f"'{file.path}' has more than {limit} pixels, too many to be trusted. Scale it down.") from error
    except Exception as error:  # a damaged image meets a dozen kinds
        why = getattr(error, "strerror", None) or f"it is broken, cut short, or not {_KNOWN}"
        bad = FileError(f"Can't read the image '{file.path}': {why}. Replace it, or pass skip_bad=True.")
        bad.__cause__ = error
        return bad


def _read_raster(path: str, stream: BinaryIO) -> tuple[NDArray[Any], NDArray[Any] | None, Save]:
    from PIL import Image, ImageOps

    with Image.open(stream, formats=tuple(FORMATS)) as image:
        if image.format != "MPO":  # a JPEG with previews of itself behind it
            check_frames(path, getattr(image, "n_frames", 1))
        ImageOps.exif_transpose(image, in_place=True)
        pixels, alpha = _levels(path, image)
        return pixels, alpha, partial(_write_raster, image.mode == "1", _options(image))


def _levels(path: str, image: Image.Image) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Pixels of shape (height, width) or (height, width, 3), and the transparency, if there is one."""
    if image.mode.startswith(("I", "F")):  # 16 bits; Pillow's own conversion would clip them
        numbers = np.asarray(image)
        if numbers.dtype.kind == "f" or numbers.max() > 65535:
            raise FileError(f"'{path}' has pixels of 32 bits. Convert it to 8 or 16 bits.")
        if numbers.min() < 0:
            raise FileError(f"'{path}' has pixels below 0, down to {numbers.min()}. Convert it to 8 or 16 bits without a sign.")
        levels = numbers.astype(np.uint16)
        meaning = getattr(image, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION)  # which Pillow heeds at 8 bits alone
        return 65535 - levels if meaning == WHITE_IS_ZERO else levels, None
    grey = image.mode in ("1", "L", "LA", "La")
    if not image.has_transparency_data:
        return np.array(image.convert("L" if grey else "RGB")), None
    levels = np.array(image.convert("LA" if grey else "RGBA"))
    return (levels[..., 0] if grey else levels[..., :3]).copy(), levels[..., -1].copy()


def _options(image: Any) -> dict[str, Any]:
    """What Pillow's ``save`` takes to write the format and the metadata of an image again."""
    from PIL.PngImagePlugin import PngInfo
    from PIL.TiffTags import TAGS_V2_GROUPS

    info = image.info
    options = {"format": image.format, **{key: info.get(key) for key in ("dpi", "comment", "exif", "icc_profile", "xmp")}}
    if image.mode in ("CMYK", "LAB", "YCbCr"):  # their profiles say nothing about RGB
        del options["icc_profile"]
    if image.format in ("JPEG", "MPO"):
        options |= {"format": "JPEG", "quality": 95, "subsampling": 0}
    elif image.format == "WEBP":
        options |= {"lossless": True, "exact": True}
    elif image.format == "PNG":
        options["pnginfo"] = PngInfo()
        for key in image.text:
            options["pnginfo"].add_text(key, info[key])  # that of .text still has the old orientation
    elif image.format == "TIFF":
        options["compression"] = info["compression"] if info.get("compression") in _PACKED else "tiff_adobe_deflate"
        tags = options["tiffinfo"] = image.tag_v2
        for tag in {*_LAYOUT} & {*tags}:
            del tags[tag]
        for group in {*TAGS_V2_GROUPS} & {*tags}:  # until here the place of the group in the file
            tags[group] = image.getexif().get_ifd(group)
    return {key: value for key, value in options.items() if value is not None}


def _write_raster(bits: bool, options: dict[str, Any], path: Path, pixels: NDArray[Any], alpha: NDArray[Any] | None) -> None:
    from PIL import Image

    image = Image.fromarray(pixels)
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    if bits:
        image = image.convert("1", dither=Image.Dither.NONE)
    image.save(path, **options)
