"""The named datasets: `digits` comes with the package, the others from a folder, the cache, or a mirror.

A dataset is a row of the table at the end of this file.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hourglass.data.files import atomic, naming
from hourglass.errors import DataError, DownloadError, FileError, suggest

if TYPE_CHECKING:
    from rich.progress import Progress


class Dataset(NamedTuple):
    """Images with labels, for training and for testing."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


class _Row(NamedTuple):
    about: str
    shapes: str
    licence: str
    source: str
    loader: Callable[[], Dataset]


def load(name: str) -> Dataset:
    """Load a dataset by its name.

    ``digits`` needs no network. Others are looked for as ``name.npz`` in the folder that the environment variable
    ``HOURGLASS_DATA`` names, then in the cache of the user; failing both they are downloaded into the cache, with
    progress and a checksum.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Dataset
        A named tuple ``x_train, y_train, x_test, y_test``, all uint8; images (n, height, width), labels (n,).

    Raises
    ------
    DataError
        An unknown name.
    DownloadError
        No mirror answers with the right file.
    FileError
        A damaged file.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.x_train.shape, digits.y_train[:5].tolist()
    ((5000, 28, 28), [5, 0, 4, 1, 9])
    """
    return _row(name).loader()


def names() -> list[str]:
    """List the datasets that `load` knows.

    Examples
    --------
    >>> names()
    ['digits', 'mnist']
    """
    return sorted(_TABLE)


def describe(name: str) -> dict[str, str]:
    """Say what a dataset is.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    dict of str
        Its ``name``, what it is ``about``, its ``shapes``, ``licence`` and ``source``.

    Raises
    ------
    DataError
        An unknown name.

    Examples
    --------
    >>> describe("digits")["shapes"]
    'x_train (5000, 28, 28), x_test (1000, 28, 28), uint8'
    """
    *texts, _ = row = _row(name)
    return {"name": name, **dict(zip(row._fields, texts, strict=False))}


def _row(name: str) -> _Row:
    if name not in _TABLE:
        raise DataError(f"There is no dataset named '{name}'. {suggest(name, _TABLE)}")
    return _TABLE[name]


def _from_npz(path: Path) -> Dataset:
    with naming(path), np.load(path, allow_pickle=False) as arrays:
        for name in Dataset._fields:
            if name not in arrays:
                raise FileError(f"'{path}' has no array '{name}'. It needs {', '.join(Dataset._fields)}.")
        return Dataset(**{name: arrays[name] for name in Dataset._fields})


class _Mirror(NamedTuple):
    url: str
    files: dict[str, str]  # checksums by name
    convert: Callable[[list[Path], Path], None] | None = None  # to .npz, unless it is one already


def _found_or_fetched(name: str, mirrors: Sequence[_Mirror]) -> Dataset:
    import pooch

    file, cache = f"{name}.npz", Path(pooch.os_cache("hourglass"))
    for folder in (os.environ.get("HOURGLASS_DATA"), cache):
        if folder and Path(folder, file).is_file():
            return _from_npz(Path(folder, file))
    for mirror in mirrors:
        try:
            files = _fetch(mirror, cache)
        except (OSError, ValueError) as error:
            reason = (error.strerror or "no answer") if isinstance(error, OSError) else "wrong checksum"
            continue
        if mirror.convert:
            mirror.convert(files, cache / file)
        return _from_npz(cache / file)
    raise DownloadError(
        f"Can't download the dataset '{name}' ({reason}). Use 'digits', which needs no network, or put {file} into "
        "a folder and name that folder in the environment variable HOURGLASS_DATA."
    )


def _fetch(mirror: _Mirror, cache: Path) -> list[Path]:
    """Download the files of a mirror, with progress."""
    import pooch
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    pooch.get_logger().setLevel("WARNING")  # the bar says it all
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        return [
            Path(
                pooch.retrieve(
                    mirror.url + name,
                    checksum,
                    fname=name,
                    path=cache,
                    downloader=pooch.HTTPDownloader(progressbar=_Bar(progress, name), chunk_size=2**16),
                )
            )
            for name, checksum in mirror.files.items()
        ]


class _Bar:
    """What pooch expects of a progress bar, drawn by rich."""

    def __init__(self, progress: Progress, name: str) -> None:
        self.total = 0  # bytes; pooch sets it
        self._progress, self._task = progress, progress.add_task(name, total=None)

    def update(self, n: int) -> None:
        self._progress.update(self._task, advance=n, total=self.total)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Leave the bar to its `Progress`, which also ends when the download fails."""


def _from_idx(files: list[Path], target: Path) -> None:
    """Make one .npz of four gzipped IDX files: 2 zero bytes, type, number of axes, the axes as int32, the bytes."""
    arrays: dict[str, Any] = {}
    for name, file in zip(Dataset._fields, files, strict=True):
        raw = gzip.decompress(file.read_bytes())
        shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
        arrays[name] = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
    with atomic(target) as temporary:
        np.savez_compressed(temporary, **arrays)


_MNIST = (
    _Mirror(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        {"mnist.npz": "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"},
    ),
    _Mirror(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
        _from_idx,
    ),
)

_TABLE = {
    "digits": _Row(
        "The first 5,000 training and 1,000 test images of MNIST, with the package",
        "x_train (5000, 28, 28), x_test (1000, 28, 28), uint8",
        "CC BY-SA 3.0",
        "LeCun, Cortes, Burges: http://yann.lecun.com/exdb/mnist/",
        partial(_from_npz, Path(__file__).with_name("digits.npz")),
    ),
    "mnist": _Row(
        "Handwritten digits, centred, white on black",
        "x_train (60000, 28, 28), x_test (10000, 28, 28), uint8",
        "CC BY-SA 3.0",
        "LeCun, Cortes, Burges: http://yann.lecun.com/exdb/mnist/",
        partial(_found_or_fetched, "mnist", _MNIST),
    ),
}
