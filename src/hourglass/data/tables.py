"""CSV and TSV. pyarrow splits the lines, being strict about ragged ones; the types are decided here, over all rows."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hourglass.data.files import MAX_UNPACKED
from hourglass.data.numerals import COMMA, MISSING, POINT, bare, has_leading_zeros, plain
from hourglass.errors import DataError, FileError, suggest

if TYPE_CHECKING:
    import polars as pl

NAMED_SEPARATOR = re.compile(rb"\A(?:\xef\xbb\xbf)?sep=.(?=\r?\n)")  # what Excel writes ahead of a table, and reads
GAP = '""'  # a missing cell as it is written: quoted, as a blank line, which readers skip, would stand for one in a single column
TRUTHS = {"true": True, "false": False}
ENOUGH = 1000  # bytes of a file that tell how it is encoded
FILE = "file"  # the column that names the file of a row, where a table is many files


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV or TSV file, gzipped or not.

    The separator is the one of comma, semicolon, tab and ``|`` that splits the first two lines best. Beside other separators than
    commas, ``1,5`` and ``1.100,5`` may be numbers; in a file with such, ``1.100`` is eleven hundred. A first line of numbers is
    data, and the columns are called ``column1``, ``column2`` and so on; distinct whole numbers, such as the ``0,1,2`` that pandas
    writes, are a header.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.

    Returns
    -------
    polars.DataFrame of shape (rows, columns)
        Columns of Int64, Float64, Boolean (true and false) or, when any cell is other text, String; a missing value is null.

    Raises
    ------
    FileError
        The file is empty, is not UTF-8, has only a header, a column name twice, a ragged line or a stray quote.
    """
    import polars as pl
    import pyarrow as pa
    from pyarrow import csv as arrow

    raw = NAMED_SEPARATOR.sub(b"", _unpacked(path), count=1)  # a blank line is left, so that lines are counted as in the file
    text = _decoded(path, raw)
    if not text or text.isspace():
        raise FileError(f"'{path}' is empty. It needs a header and a row for each example.")
    names, separator, has_header = _layout(path, text)
    try:
        table = arrow.read_csv(
            pa.BufferReader(raw),
            # A block holds at least one row. As the names are given, the header comes as a row and is cut off below.
            read_options=arrow.ReadOptions(block_size=2**24, column_names=names),
            parse_options=arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid:
        check_lines(path, io.StringIO(text, newline=""), separator, len(names))
        raise
    if raw.count(b'"') % 2:  # pyarrow takes the rest of the file for the last cell when its quote is never closed
        check_lines(path, io.StringIO(text, newline=""), separator, len(names))
    frame = pl.DataFrame(table)[int(has_header) :]
    if frame.is_empty():
        raise FileError(f"'{path}' has a header but no rows. Add a row for each example.")
    decimal = decimal_of(frame, separator)
    return frame.select(typed(column, decimal).alias(column.name) for column in frame)


def skip_named_separator(file: BinaryIO) -> None:
    """Go behind ``sep=;`` at the head of a table, if it is there; a blank line is left, so that lines are still counted."""
    named = NAMED_SEPARATOR.match(file.read(16))
    file.seek(named.end() if named else 0)


def layout(path: Path, beginning: bytes) -> tuple[list[str], str, bool]:
    """The names of the columns, the separator, and whether the first line has the names, from the beginning of a file."""
    return _layout(path, _decoded(path, beginning[: beginning.rfind(b"\n") + 1] or beginning))


def _layout(path: Path, text: str) -> tuple[list[str], str, bool]:
    separator = _separator(path, text)
    first = _first_rows(text, separator)[0]
    has_header = not _is_data(first)
    return _names(path, first if has_header else [""] * len(first)), separator, has_header


def text_of(path: Path) -> str:
    """The text of a file in UTF-8, gzipped or not."""
    return _decoded(path, _unpacked(path))


def _unpacked(path: Path) -> bytes:
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        raw = file.read(MAX_UNPACKED + 1)
    if len(raw) > MAX_UNPACKED:
        raise FileError(f"'{path}' unpacks to more than {MAX_UNPACKED / 2**30:g} GB. Split it.")
    return raw


def _decoded(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
        if "\0" not in text:  # a zero byte is valid UTF-8, but only UTF-16 and binary files hold it
            return text
        line = 1 + text[: text.index("\0")].count("\n")
    except UnicodeDecodeError as error:
        line = 1 + raw[: error.start].count(b"\n")
    beginning = raw[:ENOUGH]
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "UTF-16"
    elif 3 * beginning.count(0) > len(beginning):  # without its mark; every second byte of plain English is zero
        encoding = "UTF-16LE"
    elif 0 in raw:
        line = 1 + raw[: raw.index(0)].count(b"\n")
        raise FileError(
            f"Line {line} of '{path}' holds a zero byte, which text has none of. "
            f"Take such out, for example: tr -d '\\000' < '{path.name}' > 'text-{path.name}'"
        )
    else:
        encoding = "WINDOWS-1252"
    raise FileError(
        f"'{path}' is not UTF-8 text (line {line}). Save it as UTF-8, "
        f"for example: iconv -f {encoding} -t UTF-8 '{path.name}' > 'utf8-{path.name}'"
    )


def _first_rows(text: str, separator: str) -> list[list[str]]:
    """Split the first two lines that aren't blank."""
    rows = csv.reader(io.StringIO(text[: 2**24], newline=""), delimiter=separator)
    return list(islice(filter(None, rows), 2))


def _separator(path: Path, text: str) -> str:
    tabbed = ".tsv" in path.suffixes
    favoured = ";\t" if tabbed else ";"  # beside them a comma is mostly a decimal one, and so splits more but means less

    def merit(separator: str) -> tuple[bool, bool, int]:
        width, *below = map(len, _first_rows(text, separator))
        return width > 1 and below in ([], [width]), width > 1 and separator in favoured, width

    likely = "\t,;|" if tabbed else ",;\t|"  # where lines tell nothing, the ending does
    return max(likely, key=merit)


def _is_data(row: list[str]) -> bool:
    told = [field for field in row if field.strip() not in MISSING]
    try:
        numbers = [float(field.replace(",", ".")) for field in told]
    except ValueError:
        return False
    gaps = any(field.strip() in MISSING[1:] for field in row)  # not the blank that pandas writes above its index
    return bool(told) and (gaps or len(set(numbers)) < len(told) or not all(field.strip().isdigit() for field in told))


def _names(path: Path, header: list[str]) -> list[str]:
    names = [name.strip() or f"column{i}" for i, name in enumerate(header, 1)]
    seen: dict[str, int] = {}
    for i, name in enumerate(names, 1):
        if seen.setdefault(name, i) != i:
            raise FileError(f"'{path}' has two columns named '{name}': {seen[name]} and {i}. Rename one.")
    return names


def check_lines(path: Path, lines: Iterable[str], separator: str, width: int) -> None:
    """Say which line, as an editor counts them, is at fault."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            if row and len(row) != width:
                how = (
                    "Check its separators and quotes."
                    if width > 1
                    else "If the names of the columns stand further down, delete the lines above."
                )
                raise FileError(
                    f"Line {line} of '{path}' has {len(row)} field{'s' * (len(row) != 1)} where the first line has {width}. {how}"
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"Line {line} of '{path}' has a quote that isn't closed where its field ends.") from error


def typed(column: pl.Series, decimal: str = POINT) -> pl.Series:
    """The column as whole numbers if all of it allows that, else as numbers, as truths, or as text, as codes such as 01001 are."""
    import polars as pl

    known = bare(column)
    numbers = as_numbers(known, decimal, pl.Int64, pl.Float64)
    if numbers is not None:
        return numbers
    truths = known.str.to_lowercase().replace_strict(TRUTHS, default=None, return_dtype=pl.Boolean)
    if truths.null_count() == known.null_count() < len(known):
        return truths
    return readable(column.set(column == "", None), decimal)


def as_numbers(known: pl.Series, decimal: str, *dtypes: Any) -> pl.Series | None:
    """Text as the first of the types that allows all of it; beside commas, points may be decimal ones in some columns."""
    for text in [known] if decimal == POINT else [plain(known, COMMA), known]:
        for dtype in () if has_leading_zeros(text) else dtypes:
            numbers = text.cast(dtype, strict=False)
            if numbers.null_count() == known.null_count():
                return numbers
    return None


def readable(text: pl.Series, decimal: str) -> pl.Series:
    """Text as it is; where commas are decimal ones and most of it is numbers, these with a point."""
    if decimal == POINT:
        return text
    numbers = plain(text, COMMA)
    most = 2 * len(numbers.drop_nulls()) > len(bare(text).drop_nulls())
    return numbers.zip_with(numbers.is_not_null(), text) if most else text


def decimal_of(frame: pl.DataFrame, separator: str) -> str:
    """The decimal sign of a file: a comma, beside other separators, where some column is numbers that way rather."""
    import polars as pl

    def by_commas(column: pl.Series) -> bool:
        text = bare(column).drop_nulls()
        has_comma = text.str.contains(",", literal=True)
        if not (has_comma | text.str.contains(r"\..*\.")).any():
            return False
        commas, points = (len(plain(text, sign).drop_nulls()) for sign in (COMMA, POINT))
        decimal = commas >= points if separator == ";" and has_comma.any() else commas > points
        return decimal and 2 * commas > len(text)

    return COMMA if separator != "," and any(by_commas(column) for column in frame if column.dtype == pl.String) else POINT


def apart(data: str, X: Any, labels: Any, condition: str | None) -> tuple[Any, Any]:
    """Rows, and what is known beside them: a column of a table, which it then lacks, or their labels; ``data`` names the rows."""
    if condition is None:
        return X, None
    columns = list(getattr(X, "columns", []))
    if condition in columns:
        return X[[name for name in columns if name != condition]], X[condition]
    if condition == "label" and labels is not None:
        return X, labels
    raise DataError(f"'{data}' has no column {condition!r} to ask by. {suggest(condition, columns or ['label'])}")
