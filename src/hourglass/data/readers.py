"""From a path to raw data, by its ending."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hourglass.data.files import check_archive, check_exists, found_in, naming
from hourglass.data.images import read_named_images
from hourglass.data.lines import read_lines, read_smiles
from hourglass.data.melody import Melody
from hourglass.data.molecules import read_sdf, without_bad
from hourglass.data.pictures import ENDINGS, holds_pictures, is_picture
from hourglass.data.record import Record, joined
from hourglass.data.recordings import COMPRESSED, read_wav
from hourglass.data.tables import FILE, read_table
from hourglass.data.tunes import TUNES, holds_melodies, read_named_melodies
from hourglass.data.waveforms import read_wfdb
from hourglass.errors import FileError, listed, shown

if TYPE_CHECKING:
    import polars as pl

PREFERRED = ("x_train", "X", "x", "data")
"""The array that is taken from an .npz of several."""


def read(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, skip_bad: bool = False
) -> NDArray[Any] | list[NDArray[Any]] | pl.DataFrame | Record | list[Melody]:
    r"""Read a file, a folder of images, tunes or records, or a list of such files.

    Parameters
    ----------
    path : path or sequence of paths
        - ``.npy``, ``.npz`` (its only array, or ``x_train``, ``X``, ``x`` or ``data``);
        - ``.csv``, ``.tsv``, both also with ``.gz``, and ``.parquet``; or a folder of them: one table, whose column ``file`` says
          which each row is from;
        - ``.txt``, a row on each line, and ``.smi``, a SMILES and perhaps a name on each line, both also with ``.gz``;
        - ``.sdf``, molecules, also with ``.gz``: a table of ``smiles``, ``name`` and their properties;
        - ``.abc``, a file of tunes, and ``.mid``, or a folder, a ``.zip`` or a list of them;
        - an image (PNG, JPEG, TIFF, BMP, WebP or DICOM), or a folder, a ``.zip`` or a list of them;
        - ``.hea`` or ``.dat``, a WFDB record, or ``.wav``, sound; or a folder or a list of ``.hea`` and ``.wav``.
    skip_bad : bool, default=False
        Leave out images and tunes that can't be read, instead of raising an error, and rows that are empty or, of molecules
        (``.smi``, ``.sdf``, a column called ``smiles``, lines that look like SMILES), can't be read; one `HourglassWarning` says
        how many and which.

    Returns
    -------
    ndarray of shape (n, ...), polars.DataFrame of shape (n, columns), list of n ndarrays, Record, or list of Melody
        Arrays keep their dtype; lines are an array (n,) of strings. Images are uint8, or uint16 if all have 16 bits, of shape
        (n, height, width) or (n, height, width, 3); a list of such arrays if their sizes differ. Of several records one is made,
        in which no window reaches from one to the next.

    Raises
    ------
    FileError
        The path is missing, of an unknown ending, or can't be read; the sentence names the file and the line.
    MissingExtraError
        An image is DICOM, and pydicom isn't installed; or a record is WFDB, and wfdb isn't; or molecules, and RDKit isn't;
        or a tune is MIDI, and symusic isn't.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "two.csv").write_text("height,weight\n1.5,40\n1.8,70\n")
    ...     read(folder + "/two.csv").rows()
    [(1.5, 40), (1.8, 70)]
    """
    raw: NDArray[Any] | list[NDArray[Any]] | pl.DataFrame | Record | list[Melody] = read_with_places(path, skip_bad=skip_bad)[0]
    return raw


def read_with_places(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, skip_bad: bool = False
) -> tuple[Any, dict[str, Any]]:
    """What `read` gives, and where each of it is from, as columns.

    Of images and tunes ``file``, the name of its file within the folder; of what is left out of a file ``row``, its number there.
    """
    if isinstance(path, (str, os.PathLike)):
        check_exists(Path(path))
    elif not (isinstance(path, Collection) and all(isinstance(one, (str, os.PathLike)) for one in path)):
        raise FileError(f"Data is read from a path, as text or a pathlib.Path, or from a list of paths. Got {shown(path)} instead.")
    if holds_melodies(path):
        melodies, files = read_named_melodies(path, skip_bad=skip_bad)
        return melodies, {FILE: files}
    if reads_pictures(path):
        images, names = read_named_images(path, skip_bad=skip_bad)
        return images, {FILE: names}
    if records := _records_of(path):
        return joined([_read_record(record) for record in records], [f"'{record}'" for record in records]), {}
    assert isinstance(path, (str, os.PathLike))  # lists are of pictures, tunes or records
    path = Path(path)
    with naming(path):
        if tables := _tables_of(path):
            return read_tables(tables, path), {}
        ending = _ending(path, READERS)
        if path.suffix.lower() in SHEETS:
            raise FileError(f"'{path}' is a spreadsheet, which isn't read. Save its sheet as CSV, or as Parquet.")
        if path.suffix.lower() in COMPRESSED:
            raise FileError(f"'{path}' is compressed sound, which isn't read. Convert it to WAV.")
        if ending is None:
            raise FileError(f"Can't read '{path}' by its ending. Known: {', '.join((*READERS, *TUNES))}, and images: {_IMAGES}.")
        found = READERS[ending](path)
        return without_bad(found, path) if skip_bad else (found, {})


def read_numpy(path: Path) -> NDArray[Any]:
    """Read an ``.npy`` or ``.npz`` file; never pickle."""
    try:
        array = _npz(path) if path.suffix.lower() == ".npz" else _npy(path)
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise FileError(f"'{path}' holds Python objects, which could run code. Save it with a plain dtype.") from error
    if array.ndim == 0 or array.size == 0:
        raise FileError(f"'{path}' holds an array of shape {array.shape}. It needs a row for each example.")
    return array.astype(array.dtype.newbyteorder("="), copy=False)  # torch takes the native byte order only


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a ``.parquet`` file."""
    import polars as pl

    try:
        frame = pl.read_parquet(path, glob=False)
    except pl.exceptions.PanicException as error:  # no Exception, but what some damaged files end in
        raise ValueError("its pages are broken") from error
    if frame.is_empty():
        raise FileError(f"'{path}' holds a table of shape {frame.shape}. It needs a row for each example.")
    return frame


def read_tables(paths: Sequence[Path], folder: Path) -> pl.DataFrame:
    """Read tables of the same columns, in any order, one below the other; beside them the file in the folder of each row."""
    import polars as pl

    tables: list[pl.DataFrame] = []
    for path in paths:
        with naming(path):
            table = TABLES[_ending(path, TABLES) or ""](path)
        columns = tables[0].columns[1:] if tables else table.columns
        if FILE in columns or {*table.columns} != {*columns}:
            found, first = listed(table.columns), listed(columns) if tables else f"no column {FILE!r}"
            raise FileError(f"'{path}' has the columns {found}; the others have {first}. Tables of a folder need the same.")
        tables.append(table[columns].select(pl.lit(path.relative_to(folder).as_posix()).alias(FILE), pl.all()))
    return pl.concat(tables, how="vertical_relaxed")


TABLES: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": read_table,
    ".csv.gz": read_table,
    ".tsv": read_table,
    ".tsv.gz": read_table,
    ".parquet": read_parquet,
}
READERS: dict[str, Callable[[Path], NDArray[Any] | pl.DataFrame | Record]] = {
    **TABLES,
    ".npy": read_numpy,
    ".npz": read_numpy,
    ".hea": read_wfdb,
    ".dat": read_wfdb,
    ".wav": read_wav,
    ".txt": read_lines,
    ".txt.gz": read_lines,
    ".smi": read_smiles,
    ".smi.gz": read_smiles,
    ".sdf": read_sdf,
    ".sdf.gz": read_sdf,
}
RECORDS: dict[str, Callable[[Path], Record]] = {".hea": read_wfdb, ".wav": read_wav}
"""What one record is read from, each, where there are several."""
SHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_IMAGES = f"{', '.join(ENDINGS)}, a folder or a .zip of them"


def _ending(path: Path, known: Iterable[str]) -> str | None:
    """Which of the known endings a file has."""
    return next((ending for ending in known if path.name.lower().endswith(ending)), None)


def _alone(path: Path, endings: Iterable[str], others: Iterable[str] = ()) -> list[Path]:
    """The files of a folder with such endings, in the order of their names; none if it has pictures, or files with others."""
    if not path.is_dir():
        return []
    files = [Path(name) for name, _ in found_in(path, lambda inside: True)]
    found = [file for file in files if _ending(file, endings)]
    return [] if found and any(_ending(file, others) or is_picture(file) for file in files) else found


def _tables_of(path: Path) -> list[Path]:
    return _alone(path, TABLES)


def _records_of(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The records of a list, or of a folder that has no tables either."""
    if isinstance(source, (str, os.PathLike)):
        return _alone(Path(source), RECORDS, TABLES)
    paths = [Path(path) for path in source]
    return paths if all(_ending(path, RECORDS) for path in paths) else []


def _read_record(path: Path) -> Record:
    check_exists(path)
    with naming(path):
        return RECORDS[path.suffix.lower()](path)


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """The files that are read from a path: it itself, or those in a folder that are tunes, tables, records or pictures."""
    path = Path(path)
    if not os.path.isdir(path):  # noqa: PTH112 (any string)
        return [path]
    if holds_melodies(path):
        return [Path(name) for name, _ in found_in(path, lambda inside: inside.suffix.lower() in TUNES)]
    return (
        _tables_of(path)
        or _records_of(path)
        or [Path(name) for name, _ in found_in(path, lambda inside: is_picture(path / inside))]
    )


def reads_pictures(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> bool:
    """Whether a source is taken for pictures: a list, a folder or a zip of tunes isn't, nor is a folder of tables or records."""
    if not isinstance(source, (str, os.PathLike)):
        return not holds_melodies(source) and not _records_of(source)
    there = os.path.exists(source)  # noqa: PTH110 (any string)
    return there and holds_pictures(source) and not (holds_melodies(source) or _tables_of(Path(source)) or _records_of(source))


def _npy(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _npz(path: Path) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        check_archive(path, archive.infolist())
    with np.load(path, allow_pickle=False) as arrays:
        names = arrays.files
        chosen = next((name for name in PREFERRED if name in names), names[0] if len(names) == 1 else None)
        if chosen is not None:
            return np.asarray(arrays[chosen])
    known, wanted = ", ".join(names) or "none", " or ".join(PREFERRED)
    raise FileError(f"Which array of '{path}' is the data? It has: {known}. Call the data {wanted}.")
