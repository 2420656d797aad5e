"""From raw data to a file, by its ending; whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.data.files import atomic, check_target, reason
from hourglass.data.images import image_names, write_images
from hourglass.data.lines import write_lines
from hourglass.data.melody import Melody
from hourglass.data.molecules import COLUMN, FEW, look_like_smiles, write_drawing, write_sdf, write_smiles
from hourglass.data.pictures import holds_pictures
from hourglass.data.record import Record
from hourglass.data.recordings import write_wav
from hourglass.data.stamps import HOUR
from hourglass.data.tables import GAP
from hourglass.data.tunes import WRITERS as TUNE_WRITERS
from hourglass.data.tunes import write_melodies
from hourglass.errors import DataError, FileError

if TYPE_CHECKING:
    import polars as pl


def write(path: str | os.PathLike[str], raw: Any, *, like: Any = None) -> None:
    """Write an array or a table to a file, or images or melodies to a folder.

    Parameters
    ----------
    path : path
        Ends in ``.npy`` (arrays of any shape), ``.csv``, ``.tsv`` or ``.parquet`` (tables, arrays of 1 or 2 axes), ``.txt``
        (strings, a line each), ``.smi`` or ``.sdf`` (molecules, as SMILES), ``.svg`` or ``.png`` (molecules, drawn in a grid),
        ``.mid`` (melodies, one after the other), ``.wav`` (the same, or a record with a rate), ``.abc`` (melodies, a tune each);
        without an ending it is a folder, and images are written there as PNG, melodies each as MIDI and as sound.
    raw : array-like, Record, list of Melody, or a polars, pandas or pyarrow table
        The columns of an array are called ``x0``, ``x1`` and so on, that of molecules ``smiles``. An index of pandas that has a
        name, or is of times, becomes the first column of a table.
        Before the channels of a record with a rate stands ``time``: when each sample was taken, or its second.
    like : path or list of paths, optional
        The folder, zip or list of images that these come from: they get the same names.

    Raises
    ------
    FileError
        An unknown ending, or a file that can't be written: nothing half-written is left.
    DataError
        Data that doesn't fit the ending.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(folder + "/codes.csv", [[1, 2], [3, 4]])
    ...     print(Path(folder, "codes.csv").read_text())
    x0,x1
    1,2
    3,4
    <BLANKLINE>
    """
    require_known(path)
    folder, path = is_folder(path), Path(path)
    ending = path.suffix.lower()
    either = folder or ending in {*TUNE_WRITERS} & {*_WRITERS}  # such as .wav, of records and of tunes
    tunes = _are_melodies(raw) if either else ending in TUNE_WRITERS
    if tunes:
        write_melodies(path, raw, folder=folder)
        return
    if folder:
        write_images(path, raw, names=image_names(like) if like is not None and holds_pictures(like) else None)
        return
    if ending in _DRAWINGS and _are_pictures(raw):
        raise wants_folder("pictures", path)
    writer = _WRITERS[ending]
    with atomic(path) as temporary:
        try:
            writer(temporary, raw)
        except OSError:
            raise
        except Exception as error:  # polars and NumPy raise many kinds over data that doesn't fit
            raise DataError(
                f"The data doesn't fit into '{path}' ({reason(error)}). Convert it, or choose another ending."
            ) from error


def require_known(path: str | os.PathLike[str]) -> None:
    """Refuse a path that ends in what no row can be written to."""
    check_target(path)
    known = list(dict.fromkeys((*_WRITERS, *TUNE_WRITERS)))
    if not is_folder(path) and Path(path).suffix.lower() not in known:
        raise FileError(f"Can't write '{path}' by its ending. Known: {', '.join(known)}, and a folder for images.")


def wants_folder(what: str, path: str | os.PathLike[str]) -> FileError:
    """The error of what can't be written to a file of that ending, but to a folder."""
    return FileError(f"Can't write {what} to '{path}'. Name a folder, such as {Path(path).with_suffix('')}/.")


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a path to write to is that of a folder: one that is there, without an ending, or with a slash at its end."""
    return not Path(path).suffix or Path(path).is_dir() or os.fspath(path).endswith(os.sep)


def _are_melodies(raw: Any) -> bool:
    return isinstance(raw, (list, tuple)) and len(raw) > 0 and isinstance(raw[0], Melody)


def _are_pictures(raw: Any) -> bool:
    return isinstance(raw, (list, tuple, np.ndarray)) and len(raw) > 0 and np.asarray(raw[0]).dtype.kind in "fiub"


def _npy(path: Path, raw: Any) -> None:
    array = raw.values if isinstance(raw, Record) else raw.to_numpy() if hasattr(raw, "to_numpy") else np.asarray(raw)
    np.save(path, array, allow_pickle=False)


def _csv(path: Path, raw: Any, separator: str = ",") -> None:
    path.write_text(_frame(raw).write_csv(separator=separator, null_value=GAP), encoding="utf-8", newline="\n")


def _parquet(path: Path, raw: Any) -> None:
    buffer = io.BytesIO()  # written to a path, polars hides a full disk in an error of its own
    _frame(raw).write_parquet(buffer)
    path.write_bytes(buffer.getbuffer())


_DRAWINGS = (".svg", ".png")
_WRITERS: dict[str, Callable[[Path, Any], None]] = {
    ".csv": _csv,
    ".tsv": partial(_csv, separator="\t"),
    ".parquet": _parquet,
    ".npy": _npy,
    ".txt": write_lines,
    ".smi": write_smiles,
    ".sdf": write_sdf,
    **dict.fromkeys(_DRAWINGS, write_drawing),
    ".wav": write_wav,
}


def _says_more(raw: Any) -> bool:
    """Whether the index of a frame of pandas is no mere count of rows: it has a name, or is times."""
    index = getattr(raw, "index", None)
    return type(index).__name__ == "DatetimeIndex" or any(name is not None for name in getattr(index, "names", ()))


def _times(record: Record) -> pl.Series:
    """When each sample of a record with a rate was taken: times, or seconds where no date is known."""
    import polars as pl

    steps = np.arange(len(record))
    hours = np.searchsorted(record.put_back, steps, side="right")  # by which the clock was put back until then
    seconds = pl.Series("time", steps / (record.rate or 1.0) - HOUR * hours)
    if not isinstance(record.start, datetime):
        return seconds + (record.start or 0.0)
    if record.start.year == datetime.min.year:
        return seconds
    return (seconds * 1e6).round().cast(pl.Duration("us")) + record.start


def _frame(raw: Any) -> pl.DataFrame:
    import polars as pl

    if isinstance(raw, Record):
        frame = pl.DataFrame(raw.values, schema=list(raw.names), orient="row")
        return frame if raw.rate is None else frame.insert_column(0, _times(raw))
    if isinstance(raw, pl.LazyFrame):
        raw = raw.collect()
    elif type(raw).__name__ == "Series" and raw.name:  # of pandas, or of polars
        raw = raw.to_frame()
    if hasattr(raw, "columns"):
        return pl.DataFrame(raw.reset_index() if _says_more(raw) else raw)
    array = np.asarray(raw)
    if array.ndim == 1:
        if array.dtype.kind in "OU" and look_like_smiles(array, telling=FEW):
            return pl.DataFrame({COLUMN: array.tolist()})
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"an array of shape {array.shape} is no table")
    return pl.DataFrame(array, schema=[f"x{i}" for i in range(array.shape[1])], orient="row")
