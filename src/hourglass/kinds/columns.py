"""The columns of a table: what each is taken for, why, and its way into numbers and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hourglass.data.dates import BY_YEAR, OFFSET, date_formats
from hourglass.data.tables import FILE, as_numbers, has_leading_zeros
from hourglass.errors import DataError
from hourglass.parts.cells import NUMBER, Cell

if TYPE_CHECKING:
    import polars as pl

TYPES = ("numeric", "boolean", "categorical", "datetime", "identifier", "left out")  # the last two aren't learned from
MOST_LEVELS = 64  # of a category, "other" among them
OTHER = "other"
UNNAMED = "value"  # what a column is called at work: to polars, a name such as ^x.*$ is a pattern
MOST_DISTINCT = 0.5  # different words for each row; where there are more, and more than MOST_LEVELS, they name their rows
LEAST_COVERED = 0.5  # of the rows, by the most frequent levels: of a category with fewer, most rows would be "other"
RARE = 2000  # a level that comes less than once in so many rows is too rare to learn anything about
ENOUGH = 30  # rows from where on a column that numbers them is recognised
EPOCH = datetime(1970, 1, 1)
DAY, WEEK, YEAR = 86400.0, 604800.0, 31556952.0  # seconds; a year of the calendar's mean length
IDENTIFIER = re.compile(r"(^|[ _.-])(id|uuid|guid|key|index|row|nr|no)$", re.IGNORECASE)


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
    format: str | None = None  # of dates that are text
    zone: str | None = None  # of times
    unit: Literal["ns", "us", "ms"] | None = None  # in which times and spans of time are counted
    categories: tuple[Any, ...] = ()  # all that may be, in their order, where the data says so
    ordered: bool = False  # whether pandas compares them
    cell: Cell = NUMBER

    @property
    def used(self) -> bool:
        """Whether the networks see it."""
        return self.type not in ("identifier", "left out")


def learn(column: pl.Series, asked: str | None = None, *, timeless: bool = False) -> Column:
    """What a column is taken for: what was asked for, or what its values say.

    ``timeless`` keeps the cycles of times but not the time itself, which is always later in new data.
    """
    import polars as pl

    name, column = column.name, _with_nulls(column.alias(UNNAMED))
    if asked == "numeric" or (asked is None and _is_numeric_text(column)):
        column = _without_words(column)
    n, missing = len(column), column.null_count() / max(len(column), 1)
    unit = getattr(column.dtype, "time_unit", None)
    found = Column(name, "left out", "", column.dtype.base_type().__name__, missing, unit=unit)
    if isinstance(column.dtype, pl.Enum):
        found = replace(found, categories=tuple(column.dtype.categories))
    if column.dtype.is_nested() or found.dtype in ("Object", "Binary"):
        raise DataError(
            f"Column {name!r} holds {found.dtype} values, not one number, word or date in each row. "
            "Unnest it into columns of its own, or leave it out."
        )
    values = column.drop_nulls()
    if asked in ("identifier", "left out") or values.is_empty():
        return replace(found, type=asked or "left out", why="as asked" if asked else "no row has a value")
    if asked is not None:
        return _LEARN[asked](found, values, "as asked", timeless)
    if name == FILE:
        return replace(found, type="identifier", why="it names the file of each row")
    if column.dtype.is_integer() and n >= ENOUGH and len(values) == n and _numbers_rows(name, values):
        return replace(found, type="identifier", why="a number for each row")
    return _by_type(found, values, timeless)


def _numbers_rows(name: str, values: pl.Series) -> bool:
    if values.n_unique() < len(values):
        return False
    consecutive = int(values.max()) - int(values.min()) == len(values) - 1  # type: ignore[arg-type]
    return consecutive or IDENTIFIER.search(name) is not None


def _by_type(found: Column, values: pl.Series, timeless: bool) -> Column:
    if found.dtype == "Boolean":
        return _boolean(found, values, "true or false", timeless)
    if values.dtype.is_numeric() or found.dtype == "Duration":
        return _numeric(found, values, "numbers", timeless)
    if values.dtype.is_temporal():
        return _datetime(found, values, "dates or times", timeless)
    return _words(found, values, timeless)


def _words(found: Column, values: pl.Series, timeless: bool) -> Column:
    import polars as pl

    if _is_numeric_text(values):
        return _numeric(found, values, "text that reads as numbers", timeless)
    if found.dtype == "String" and _date_format(values) is not None:
        return _datetime(found, values, "text that reads as dates", timeless)
    counts = values.cast(pl.String).value_counts(sort=True)["count"]
    if len(counts) == len(values) or len(counts) > max(MOST_DISTINCT * len(values), MOST_LEVELS):
        spaces = values.cast(pl.String).str.count_matches(" ").mean()
        why = f"{len(counts):,} different values in {len(values):,} rows"
        if isinstance(spaces, float) and spaces >= 2:
            return replace(found, why=f"free text, {why}")
        return replace(found, type="identifier", why=why)
    covered = counts[: MOST_LEVELS - 1].sum() / len(values)
    if covered < LEAST_COVERED:
        return replace(
            found, why=f"{len(counts):,} levels, of which the {MOST_LEVELS - 1} most frequent cover {covered:.0%} of the rows"
        )
    return _categorical(found, values, f"{len(counts):,} different word{'s' * (len(counts) > 1)}", timeless)


def _numeric(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    return _numbers_checked(replace(found, type="numeric", why=why), values)


def _boolean(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    return _numbers_checked(replace(found, type="boolean", why=why, levels=("false", "true"), cell=Cell(2)), values)


def _categorical(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    counts = as_words(values).value_counts(sort=True).sort("count", UNNAMED, descending=[True, False])
    fewest = max(2, len(values) // RARE)
    frequent = [str(level) for level in counts.filter(counts["count"] >= fewest)[UNNAMED] if level != OTHER]
    levels = (*frequent[: MOST_LEVELS - 1], OTHER)
    if (rare := len(counts) - len(levels) + 1) > 0:
        why += f", {rare:,} of them rare"
    return replace(found, type="categorical", why=why, levels=levels, rare=max(rare, 0), cell=Cell(len(levels)))


def _datetime(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    found = replace(found, type="datetime", why=why, format=_date_format(values) if found.dtype == "String" else None)
    if found.dtype == "Datetime":
        found = replace(found, zone=values.dtype.time_zone)  # type: ignore[attr-defined]
    seconds = to_numbers(found, values)
    covered = seconds.max() - seconds.min()
    of_day = found.dtype == "Time" or (covered >= DAY and bool((seconds % DAY != 0).any()))
    seen = {DAY: of_day, WEEK: covered >= 2 * WEEK, YEAR: covered >= YEAR}
    cycles = tuple(cycle for cycle, whole in seen.items() if whole)
    if timeless and not cycles:
        return replace(found, type="left out", why=f"{why}, but they cover too short a time to show a cycle")
    return replace(found, cell=Cell(plain=not timeless, cycles=cycles))


def _numbers_checked(found: Column, values: pl.Series) -> Column:
    to_numbers(found, values)
    return found


_LEARN: dict[str, Callable[[Column, Any, str, bool], Column]] = {
    "numeric": _numeric,
    "boolean": _boolean,
    "categorical": _categorical,
    "datetime": _datetime,
}


def _date_format(values: pl.Series) -> str | None:
    return next(date_formats(values), None)


def _with_nulls(values: pl.Series) -> pl.Series:
    """A column whose NaN are missing values like any other."""
    return values.fill_nan(None) if values.dtype.is_float() else values


def _without_words(values: pl.Series) -> pl.Series:
    """Text among numbers, in which the words for a missing value are null; other columns as they are."""
    import polars as pl

    values = values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values
    if values.dtype != pl.String:
        return values
    text = as_numbers(values, ",")
    return text.set(text.cast(pl.Float64, strict=False).is_nan(), None)


def _is_numeric_text(values: pl.Series) -> bool:
    """Whether all of a column's text is numbers, but for words that stand for none; codes such as 01001 are no numbers."""
    import polars as pl

    if values.dtype != pl.String:
        return False
    known = _without_words(values).drop_nulls()
    return bool(len(known) and known.cast(pl.Float64, strict=False).null_count() == 0 and not has_leading_zeros(known))


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
    """A column as floats, NaN where a value is missing: numbers, places of levels, or seconds."""
    import polars as pl

    values = _with_nulls(values.alias(UNNAMED))
    values = _without_words(values) if known.type == "numeric" else values
    words = as_words(values) if known.type in ("categorical", "boolean") else values
    if known.type == "categorical":
        places = pl.Series(range(len(known.levels)), dtype=pl.Float64)
        found = words.replace_strict(list(known.levels), places, default=len(known.levels) - 1, return_dtype=pl.Float64)
        found = found.set(values.is_null(), None)
    elif known.type == "boolean":
        truths = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
        found = words.str.to_lowercase().replace_strict(truths, default=None, return_dtype=pl.Float64)
    elif known.type == "datetime":
        found = _seconds(known, values)
    elif values.dtype == pl.Duration:
        found = values.dt.total_microseconds() / 1e6
    elif values.dtype.is_temporal():
        found = pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    else:
        found = values.cast(pl.Float64, strict=False)
    if found.null_count() > values.null_count():
        row = int((found.is_null() & values.is_not_null()).arg_max() or 0)
        raise DataError(
            f"Column {known.name!r} is {known.type}, and holds {values[row]!r} in row {first_row + row}. "
            f"Repair that cell, or say columns={{{known.name!r}: 'categorical'}} when fitting."
        )
    numbers = found.cast(pl.Float64).to_numpy()
    if np.isinf(numbers).any():
        row = int(np.isinf(numbers).argmax())
        raise DataError(
            f"Column {known.name!r} holds {numbers[row]} in row {first_row + row}. Leave that row out, or its cell empty."
        )
    return numbers


def _seconds(known: Column, values: pl.Series) -> pl.Series:
    """Seconds since 1970 on the clock of the place, or since midnight."""
    import polars as pl

    if values.dtype == pl.String:  # what was learned as times may come as text that is read in one way alone
        form = known.format or next((form for form in date_formats(values) if form.startswith(BY_YEAR)), None)
        values = values if form is None else values.str.to_datetime(form, strict=False)
    if values.dtype == pl.Time:
        return values.cast(pl.Int64) / 1e9
    if known.zone and getattr(values.dtype, "time_zone", None):
        values = values.dt.convert_time_zone(known.zone)
    if values.dtype in (pl.Date, pl.Datetime):
        values = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values.dt.replace_time_zone(None)
        return values.dt.timestamp("us") / 1e6
    return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)


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
            found = (found == "true").cast(dtype, strict=False)
        elif dtype.is_integer() or dtype.is_float():
            found = found.cast(dtype, strict=False)
        return found  # levels that were dates stay text
    values = pl.Series(UNNAMED, numbers.astype(np.float64)).fill_nan(None)
    if known.type == "datetime":
        return _times(known, values)
    if known.dtype == "Duration":
        return (values * 1e6).round().cast(pl.Duration("us")).dt.cast_time_unit(known.unit or "us")
    if known.dtype in ("String", "Decimal", "Categorical", "Enum"):
        return values
    dtype = getattr(pl, known.dtype)
    return values.round().clip(dtype.min(), dtype.max()).cast(dtype, strict=False) if dtype.is_integer() else values.cast(dtype)


def _times(known: Column, seconds: pl.Series) -> pl.Series:
    import polars as pl

    if known.dtype == "Time":
        return (seconds.clip(0, DAY - 1) * 1e9).cast(pl.Int64).cast(pl.Time)
    if known.dtype == "Date":
        return (seconds / DAY).round().cast(pl.Int32).cast(pl.Date)
    times = (seconds * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us"))
    if known.format is not None:
        times = times.dt.replace_time_zone("UTC") if known.format.endswith(OFFSET) else times
        return times.dt.strftime(known.format)
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
        return f"{number:,.0f}" if 1e3 <= abs(number) < 1e9 else f"{number:.4g}"
    value = from_numbers(known, np.array([number]))[0]
    return repr(value) if isinstance(value, str) else str(value)


def expected_time(known: Column, seen: float, expected: float) -> str:
    """The expected time in words, on the cycle (day, week, year) on which the one seen is furthest from it: 'about 14:30'."""

    def apart(period: float) -> float:
        return abs((seen - expected + period / 2) % period - period / 2) / period

    moment = EPOCH + timedelta(seconds=expected)
    words = {DAY: f"about {moment:%H:%M}", WEEK: f"on a {moment:%A}", YEAR: f"in {moment:%B}"}
    return words[max(known.cell.cycles, key=apart)]
