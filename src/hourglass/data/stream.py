"""Tables larger than memory: read a batch at a time, written a batch at a time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hourglass.data.files import atomic, naming
from hourglass.data.numerals import bare
from hourglass.data.readers import read
from hourglass.data.tables import GAP, as_numbers, check_lines, decimal_of, layout, readable, skip_named_separator
from hourglass.errors import FileError

if TYPE_CHECKING:
    import polars as pl

BATCH = 2**17  # rows
WHOLE = 2**28  # bytes up to which a CSV is read whole, so that all of its rows say what a column holds


def batches(path: str | os.PathLike[str], *, rows: int = BATCH, dtypes: Mapping[str, str] | None = None) -> Iterator[pl.DataFrame]:
    """Read a table a batch at a time, in the order of its rows.

    Parameters
    ----------
    path : path
        ``.parquet``, ``.csv`` or ``.tsv``; a gzipped CSV, or a small one, is held whole.
    rows : int, default=131072
        How many rows a batch has at most.
    dtypes : dict of str to str, optional
        The polars types that columns had when a model learned from them. Of a CSV larger than memory may be, they say which
        columns hold numbers; without them all may.

    Yields
    ------
    polars.DataFrame
        Of a CSV larger than memory may be, columns of text, but for the numbers among ``dtypes``; a cell without a value is null.

    Raises
    ------
    FileError
        As `read`.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".parquet" and path.is_file():
        yield from _of_parquet(path, rows)
    elif ending in (".csv", ".tsv") and path.exists() and path.stat().st_size > WHOLE:
        yield from _of_text(path, rows, dtypes)
    else:
        frame: Any = read(path)
        if not hasattr(frame, "columns"):
            raise FileError(f"'{path}' is no table. Give a .parquet, .csv or .tsv file.")
        for start in range(0, frame.height, rows):
            yield frame[start : start + rows]


def _of_parquet(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    import polars as pl
    from pyarrow import parquet

    with naming(path), parquet.ParquetFile(path, pre_buffer=False) as file:  # else all that was read stays in memory
        if file.metadata.num_rows == 0:
            raise FileError(f"'{path}' holds a table of shape (0, {file.metadata.num_columns}). It needs a row for each example.")
        for batch in file.iter_batches(rows):
            yield pl.DataFrame(batch)


def _of_text(path: Path, rows: int, dtypes: Mapping[str, str] | None) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow as pa
    from pyarrow import csv

    with naming(path):
        with path.open("rb") as raw:
            skip_named_separator(raw)
            start = raw.tell()
            names, separator, has_header = layout(path, raw.read(2**20))
            raw.seek(start)
            counted, decimal = _Counted(raw), ""
            try:
                reader = csv.open_csv(
                    pa.PythonFile(counted, mode="r"),
                    read_options=csv.ReadOptions(block_size=2**24, column_names=names),
                    parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                    convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
                )
                for number, batch in enumerate(reader):
                    frame = pl.DataFrame(pa.Table.from_batches([batch]))[int(has_header and number == 0) :]
                    decimal = decimal or decimal_of(frame, separator)  # what the beginning says goes for all of the file
                    frame = frame.with_columns(_typed(column, dtypes, decimal).alias(column.name) for column in frame)
                    for start in range(0, frame.height, rows):
                        yield frame[start : start + rows]
            except pa.ArrowInvalid:
                _check(path, separator, len(names))
                raise
        if counted.quotes % 2:  # the rest of the file was taken for the last cell, whose quote is never closed
            _check(path, separator, len(names))


class _Counted:
    """A file that counts the quotes in what is read of it."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.quotes = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        found: bytes = self.file.read(size)
        self.quotes += found.count(b'"')
        return found

    def close(self) -> None:
        self.closed = True


def _check(path: Path, separator: str, width: int) -> None:
    with path.open("rb") as raw:
        skip_named_separator(raw)
        lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        check_lines(path, lines, separator, width)


def _typed(column: pl.Series, dtypes: Mapping[str, str] | None, decimal: str) -> pl.Series:
    """A column of text as it was learned, as `read` has it of a smaller file; one that holds something else stays text."""
    import polars as pl

    known = bare(column)
    if dtypes is None:
        return readable(known, decimal)
    dtype = getattr(pl, dtypes.get(column.name, "String"), pl.String)
    dtype = pl.Float64 if dtype == pl.Decimal else dtype
    numbers = as_numbers(known, decimal, dtype) if dtype.is_numeric() else None
    return readable(column.set(column == "", None), decimal) if numbers is None else numbers


@contextmanager
def appending(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Write a table a batch at a time, whole or not at all.

    Parameters
    ----------
    path : path
        ``.parquet``, ``.csv`` or ``.tsv``.

    Yields
    ------
    callable
        Takes a polars frame; all of them have the columns of the first.

    Raises
    ------
    FileError
        The file can't be written.
    """
    ending = Path(path).suffix.lower()
    with atomic(path) as beside:
        writer = _Parquet(beside) if ending == ".parquet" else _Text(beside, "\t" if ending == ".tsv" else ",")
        try:
            yield writer.append
        finally:
            writer.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Any = None

    def append(self, frame: pl.DataFrame) -> None:
        from pyarrow import parquet

        table = frame.to_arrow()
        if self.writer is None:
            self.writer = parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table.cast(self.writer.schema))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _Text:
    def __init__(self, path: Path, separator: str) -> None:
        self.file = path.open("w", encoding="utf-8", newline="\n")
        self.separator = separator

    def append(self, frame: pl.DataFrame) -> None:
        header = self.file.tell() == 0
        self.file.write(frame.write_csv(separator=self.separator, include_header=header, null_value=GAP))

    def close(self) -> None:
        self.file.close()
