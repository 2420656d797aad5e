"""A column of a table: what is known of it, and its way into numbers and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hourglass.data.dates import COMPACT, MONTHS, OFFSET, TIMES, alike, as_times, clock_formats, date_formats, has_one_meaning
from hourglass.data.numerals import UNNAMED, bare, number_form, plain
from hourglass.errors import DataError, warn
from hourglass.parts.cells import NUMBER, Cell

if TYPE_CHECKING:
    import polars as pl

TYPES = ("numeric", "boolean", "categorical", "datetime", "identifier", "left out")  # the last two aren't learned from
OTHER = "other"
MOST_GAPS = 0.5  # of the cells of a column that are no numbers, though it is one of numbers: with more it is of another type
FEW = 3  # cells that a sentence names
EPOCH = datetime(1970, 1, 1)
DAY, WEEK, YEAR = 86400.0, 604800.0, 31556952.0  # seconds; a year of the calendar's mean length
_first = ContextVar("first", default=0)  # the number of the first row, see `counted_from`


@dataclass(frozen=True)
class Column:
    """What is known of a column: plain JSON."""

    name: str
    type: str = "numeric"  # one of TYPES
    why: str = ""
    dtype: str = "Float64"  # in polars
    missing: float = 0.0  # share of the rows it was learned from
    levels: tuple[str, ...] = ()  # of a category, the most frequent first, "other" last
    rare: int = 0  # levels that were learned as "other"
    format: str | None = None  # of dates, and of numbers, that are text
    decimals: int | None = None  # behind the point of numbers, or of seconds, where all of them have so few
    digits: int | None = None  # of Decimal, those behind its point among them
    whole_days: bool = False  # whether times are midnights alone, as dates are in pandas
    zone: str | None = None  # of times
    unit: Literal["ns", "us", "ms"] | None = None  # in which times and spans of time are counted
    categories: tuple[Any, ...] = ()  # all that may be, in their order, where the data says so
    ordered: bool = False  # whether pandas compares them
    cell: Cell = NUMBER

    @property
    def used(self) -> bool:
        """Whether the networks see it."""
        return self.type not in ("identifier", "left out")

    @property
    def of_day(self) -> bool:
        """Whether its times are those of a day, without the day."""
        return self.dtype == "Time" or self.format in TIMES


def days(values: pl.Series) -> pl.Series:
    """Numbers such as 20250129 as the days that they stand for."""
    import polars as pl

    return as_times(values.cast(pl.Int64, strict=False).cast(pl.String), COMPACT)


def with_nulls(values: pl.Series) -> pl.Series:
    """A column whose NaN are missing values like any other."""
    return values.fill_nan(None) if values.dtype.is_float() else values


def is_text(values: pl.Series) -> bool:
    """Whether cells are words, in whatever way they are held."""
    import polars as pl

    return values.dtype in (pl.String, pl.Categorical, pl.Enum)


def as_text(values: pl.Series) -> pl.Series:
    """Such cells as strings."""
    import polars as pl

    return values.cast(pl.String)


def as_words(values: pl.Series) -> pl.Series:
    """Cells as the names of levels; whole numbers have the same as floats."""
    import polars as pl

    words = (values.dt.total_microseconds() if values.dtype == pl.Duration else values).cast(pl.String)
    if values.dtype.is_float():  # pandas makes floats of whole numbers beside a gap
        whole = pl.when(values % 1 == 0).then(values.cast(pl.Int64, strict=False).cast(pl.String))
        words = pl.select(pl.coalesce(whole, words)).to_series().alias(values.name)
    return words


def names_of(categories: Sequence[Any]) -> list[str]:
    """What categories are called as levels."""
    import polars as pl

    return as_words(pl.Series([*categories])).to_list() if categories else []


# Into numbers


def to_numbers(known: Column, values: pl.Series, first_row: int = 0) -> NDArray[np.float64]:
    """A column as floats: numbers, places of levels, or seconds; NaN where a value is missing, or not what the column is taken for.

    Raises
    ------
    DataError
        Most of the values aren't what the column is taken for, or one is infinite.
    """
    numbers, bad = read(known, values)
    _require_read(known, values, bad, first_row)
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(infinite.argmax())
        raise DataError(
            f"Column {known.name!r} holds {numbers[row]} in {_row(first_row + row)}. Leave that row out, or its cell empty."
        )
    return numbers


def unread(known: Column, values: pl.Series) -> NDArray[np.bool_]:
    """Which cells (n,) of a column hold something, but not what it is taken for. Raises `DataError` where most do."""
    _, bad = read(known, values)
    _require_read(known, values, bad)
    return bad


def _require_read(known: Column, values: pl.Series, bad: NDArray[np.bool_], first_row: int = 0) -> None:
    if bad.any() and bad.sum() > MOST_GAPS * (len(values) - values.null_count()):
        row = int(bad.argmax())
        raise DataError(
            f"Column {known.name!r} is {known.type}, and holds {values[row]!r} in {_row(first_row + row)}. "
            f"Repair that cell, or say columns={{{known.name!r}: 'categorical'}} when fitting."
        )


def warn_of(known: Column, values: pl.Series, bad: NDArray[np.bool_]) -> None:
    """Say which cells of a column can't be read."""
    rows = np.flatnonzero(bad).tolist()
    if rows:
        cells = ", ".join(f"{values[row]!r} in row {numbered(row)}" for row in rows[:FEW])
        rest = f", and {len(rows) - FEW:,} more" if len(rows) > FEW else ""
        warn(
            f"Column {known.name!r} is {known.type}, but for {cells}{rest} (rows are counted from 0). "
            "What can't be read counts as missing."
        )


def _row(number: int) -> str:
    return f"row {numbered(number)} (counted from 0)"


def numbered(row: int) -> int:
    """The number of a row, as sentences have it."""
    return _first.get() + row


@contextmanager
def counted_from(first: int) -> Iterator[None]:
    """What is said of rows of a table counts them from that number meanwhile: those of a batch, as they are counted in its file."""
    before = _first.set(first)
    try:
        yield
    finally:
        _first.reset(before)


def read(known: Column, values: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as floats, and which of its cells hold something that isn't what it is taken for; these are NaN as well."""
    import polars as pl

    if known.type == "numeric" and (values.dtype.is_float() or values.dtype.is_integer()):  # quick, as such columns may be many
        return values.cast(pl.Float64).to_numpy(), np.zeros(len(values), dtype=bool)
    values = with_nulls(values.alias(UNNAMED))
    if is_text(values) and known.type != "categorical":
        values = bare(as_text(values))
    if known.type == "categorical":
        places = pl.Series(range(len(known.levels)), dtype=pl.Float64)
        found = as_words(values).replace_strict(list(known.levels), places, default=len(known.levels) - 1, return_dtype=pl.Float64)
        found = found.set(values.is_null(), None)
    elif known.type == "boolean":
        truths = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
        found = as_words(values).str.to_lowercase().replace_strict(truths, default=None, return_dtype=pl.Float64)
    elif known.type == "datetime":
        found = _seconds(known, values)
    elif values.dtype == pl.String:
        found = plain(values, number_form(values, known.format)).cast(pl.Float64, strict=False)
    elif values.dtype == pl.Duration:
        found = values.dt.total_microseconds() / 1e6
    elif values.dtype.is_temporal():
        found = pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    else:
        found = values.cast(pl.Float64, strict=False)
    return found.cast(pl.Float64).to_numpy(), (found.is_null() & values.is_not_null()).to_numpy()


def _seconds(known: Column, values: pl.Series) -> pl.Series:
    """Seconds since 1970 on the clock of the place, or since midnight."""
    import polars as pl

    if values.dtype.is_numeric() and known.format == COMPACT:
        values = days(values)
    if values.dtype == pl.String:
        values = _times_in_text(known, values)
    if values.dtype == pl.Time and known.of_day:
        return values.cast(pl.Int64) / 1e9
    if known.zone and getattr(values.dtype, "time_zone", None):
        values = values.dt.convert_time_zone(known.zone)
    if values.dtype in (pl.Date, pl.Datetime):
        values = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values.dt.replace_time_zone(None)
        return values.dt.timestamp("us") / 1e6
    return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)


def _times_in_text(known: Column, text: pl.Series) -> pl.Series:
    """Text as times: as it was learned or, where more can be read so, in a format that can't be mistaken for another."""

    def is_meant(form: str) -> bool:
        return has_one_meaning(form) or (known.format is not None and alike(form, known.format))

    learned = [] if known.format is None else [as_times(text, known.format)]
    if learned and learned[0].null_count() == text.null_count():
        return learned[0]
    formats = clock_formats if known.of_day else date_formats
    others = [as_times(text, form) for form in formats(text, MOST_GAPS) if is_meant(form)]
    return min([*learned, *others], key=lambda times: times.null_count(), default=text)


# And back


def from_numbers(known: Column, numbers: NDArray[np.floating[Any]]) -> pl.Series:
    """A column of the type that it had."""
    return _from_numbers(known, numbers).alias(known.name)


def _from_numbers(known: Column, numbers: NDArray[np.floating[Any]]) -> pl.Series:
    import polars as pl

    if known.type in ("categorical", "boolean"):
        levels = pl.Series([*known.levels], dtype=pl.String)
        found = levels.gather(pl.Series(np.nan_to_num(numbers).astype(np.int64))).set(pl.Series(np.isnan(numbers)), None)
        dtype = getattr(pl, known.dtype)
        if dtype in (pl.Categorical, pl.Enum):
            whole = names_of(known.categories)
            found = found.cast(pl.Enum(whole) if dtype == pl.Enum and found.drop_nulls().is_in(whole).all() else pl.Categorical)
        elif dtype == pl.Boolean or known.type == "boolean":
            found = found if dtype == pl.String else (found == "true").cast(dtype, strict=False)
        elif dtype.is_integer() or dtype.is_float():
            found = found.cast(dtype, strict=False)
        return found  # levels that were dates stay text
    numbers = numbers.astype(np.float64)
    values = pl.Series(UNNAMED, rounded(known, numbers) if known.type == "datetime" else numbers).fill_nan(None)
    if known.type == "datetime":
        return _times(known, values)
    if known.dtype == "Duration":
        return (values * 1e6).round().cast(pl.Duration("us")).dt.cast_time_unit(known.unit or "us")
    if known.dtype == "Decimal" and known.digits is not None and known.decimals is not None:
        most = 10.0 ** (known.digits - known.decimals) - 10.0**-known.decimals
        return values.clip(-most, most).cast(pl.Decimal(known.digits, known.decimals), strict=False)
    if known.dtype in ("String", "Decimal", "Categorical", "Enum"):
        return values
    dtype = getattr(pl, known.dtype)
    return values.round().clip(dtype.min(), dtype.max()).cast(dtype, strict=False) if dtype.is_integer() else values.cast(dtype)


def rounded(known: Column, numbers: Any) -> Any:
    """Numbers with as many decimals as those that were learned from."""
    return numbers if known.decimals is None else np.round(numbers, known.decimals) + 0.0  # no -0.0


def among_text(numbers: pl.Series, decimals: int | None) -> pl.Series:
    """Numbers of so many decimals as they stand beside text: whole ones without a point, those of any number with six digits."""
    import polars as pl

    if decimals is None:
        return numbers.round_sig_figs(6)
    return numbers.cast(pl.Int64, strict=False) if decimals == 0 else numbers


def _times(known: Column, seconds: pl.Series) -> pl.Series:
    import polars as pl

    if known.of_day:
        seconds = seconds.clip(0, DAY - 1)
    if known.dtype == "Time":
        return (seconds * 1e9).cast(pl.Int64).cast(pl.Time)
    if known.whole_days:
        seconds = (seconds / DAY).round() * DAY
    if known.dtype == "Date":
        return (seconds / DAY).round().cast(pl.Int32).cast(pl.Date)
    times = (seconds * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us"))
    if known.format is not None:
        times = times.dt.replace_time_zone("UTC") if known.format.endswith(OFFSET) else times
        times = times.dt.round("1mo") if known.format in MONTHS else times
        text = times.dt.strftime(known.format)
        return text if known.dtype == "String" else text.cast(pl.Int64).cast(getattr(pl, known.dtype))
    times = times.dt.cast_time_unit(known.unit or "us")
    return times.dt.replace_time_zone(known.zone, ambiguous="earliest", non_existent="null") if known.zone else times


def element_names(known: Column) -> list[str]:
    """What the elements are called that a cell of the column becomes."""
    cycles = {DAY: "of the day", WEEK: "of the week", YEAR: "of the year"}
    plain = [known.name] * (known.cell.plain and not known.levels)
    return (
        [f"{known.name}: {level}" for level in known.levels]
        + plain
        + [f"{known.name}, {part} {cycles[cycle]}" for cycle in known.cell.cycles for part in ("sine", "cosine")]
    )


def shown(known: Column, number: float) -> str:
    """A number of the column as a person reads it."""
    if np.isnan(number):
        return "nothing"
    if known.type == "numeric" and not known.dtype.startswith(("Int", "UInt", "Duration")):
        return f"{number:,.0f}" if 1e6 <= abs(number) < 1e15 else f"{number:,.6g}"
    value = from_numbers(known, np.array([number]))[0]
    if value is None and known.levels:  # among numbers, which have no "other"
        value = known.levels[int(number)]
    return repr(value) if isinstance(value, str) else str(value)


def expected_time(known: Column, seen: float, expected: float) -> str | None:
    """The expected time in words, on the cycle (day, week, year) on which the one seen is furthest from it: 'about 14:30'.

    None where the words are the same for the one seen.
    """

    def apart(period: float) -> float:
        return abs((seen - expected + period / 2) % period - period / 2) / period

    def told(seconds: float) -> str:
        moment = EPOCH + timedelta(seconds=seconds)
        return {DAY: f"about {moment:%H:%M}", WEEK: f"on a {moment:%A}", YEAR: f"in {moment:%B}"}[furthest]

    furthest = max(known.cell.cycles, key=apart)
    return None if told(seen) == told(expected) else told(expected)
