"""What the columns of a table are taken for, and why: by their types, their names and their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.data.dates import COMPACT, MONTHS, clock_formats, date_formats
from hourglass.data.numerals import UNNAMED, bare, has_leading_zeros, number_form, plain
from hourglass.data.tables import FILE, TRUTHS
from hourglass.errors import DataError
from hourglass.kinds.columns import (
    DAY,
    MOST_GAPS,
    OTHER,
    WEEK,
    YEAR,
    Column,
    as_text,
    as_words,
    days,
    is_text,
    read,
    to_numbers,
    unread,
    warn_of,
    with_nulls,
)
from hourglass.parts.cells import Cell

if TYPE_CHECKING:
    import polars as pl

MOST_LEVELS = 64  # of a category, "other" among them
MOST_DISTINCT = 0.5  # different words for each row; where there are more, and more than MOST_LEVELS, they name their rows
LEAST_COVERED = 0.5  # of the rows, by the most frequent levels: of a category with fewer, most rows would be "other"
MOST_UNREAD = 0.05  # of the text in a column: with more that is no number, or no date, it isn't taken for a column of such
RARE = 2000  # a level that comes less than once in so many rows is too rare to learn anything about
ENOUGH = 30  # rows from where on a column that numbers them is recognised
BETWEEN = 19_000_101, 20_991_231  # days as numbers
FEWEST_DAYS = 3  # that differ, for numbers to be days
MOST_DECIMALS = 4  # of numbers that were rounded; with more they are taken for measured ones
IDENTIFIER = re.compile(r"(?i:(^|[ _.-])(id|uuid|guid|key|index|row|nr|no))$|[a-z](ID|Id)$")


def learn(column: pl.Series, asked: str | None = None, *, timeless: bool = False) -> Column:
    """What a column is taken for: what was asked for, or what its values say.

    ``timeless`` keeps the cycles of times but not the time itself, which is always later in new data.
    """
    import polars as pl

    name, column = column.name, with_nulls(column.alias(UNNAMED))
    n, missing = len(column), column.null_count() / max(len(column), 1)
    unit = getattr(column.dtype, "time_unit", None)
    digits = getattr(column.dtype, "precision", None)  # of Decimal
    found = Column(name, "left out", "", column.dtype.base_type().__name__, missing, digits=digits, unit=unit)
    if isinstance(column.dtype, pl.Enum):
        found = replace(found, categories=tuple(column.dtype.categories))
    if asked not in ("identifier", "left out") and (column.dtype.is_nested() or found.dtype in ("Object", "Binary")):
        raise DataError(
            f"Column {name!r} holds {found.dtype} values, not one number, word or date in each row. "
            f"Unnest it into columns of its own, or leave it out: columns={{{name!r}: 'left out'}}."
        )
    values = column.drop_nulls()
    if asked in ("identifier", "left out") or values.is_empty():
        return replace(found, type=asked or "left out", why="as asked" if asked else "no row has a value")
    if asked is not None:
        return _with_gaps(_LEARN[asked](found, values, "as asked", timeless), column)
    if name == FILE:
        return replace(found, type="identifier", why="it names the file of each row")
    if n >= ENOUGH and len(values) == n and _numbers_rows(name, values):
        return replace(found, type="identifier", why="a number for each row")
    return _with_gaps(_by_type(found, values, timeless), column)


def _with_gaps(found: Column, column: pl.Series) -> Column:
    """A column that is learned from, of which cells that aren't what it is taken for are gaps as well."""
    if not found.used or found.type == "categorical":
        return found
    warn_of(found, column, unread(found, column))
    return replace(found, missing=float(np.isnan(to_numbers(found, column)).mean()))


def _numbers_rows(name: str, values: pl.Series) -> bool:
    """Whether whole numbers, be they text, differ in all rows, and are consecutive or have the name of an identifier."""
    import polars as pl

    if values.dtype == pl.String and values.str.contains(r"^\d{1,18}$").all():
        values = values.cast(pl.Int64)
    if not values.dtype.is_integer() or values.n_unique() < len(values):
        return False
    consecutive = int(values.max()) - int(values.min()) == len(values) - 1  # type: ignore[arg-type]
    return consecutive or IDENTIFIER.search(name) is not None


def _by_type(found: Column, values: pl.Series, timeless: bool) -> Column:
    if found.dtype == "Boolean":
        return _boolean(found, values, "true or false", timeless)
    if values.dtype.is_integer() and _are_days(values):
        return _datetime(found, values, "numbers that read as dates", timeless)
    if values.dtype.is_numeric() or found.dtype == "Duration":
        return _numeric(found, values, "numbers", timeless)
    if values.dtype.is_temporal():
        return _datetime(found, values, "dates or times", timeless)
    read = _of_text(found, values, timeless) if found.dtype == "String" else None
    return read or _words(found, values, timeless)


def _are_days(values: pl.Series) -> bool:
    """Whether whole numbers are days such as 20250129; of other numbers between these, one in 27 reads as one."""
    import polars as pl

    wide = values.cast(pl.Int64, strict=False)  # smaller types can't be compared with such numbers
    found = days(wide.filter(wide.is_between(*BETWEEN))).drop_nulls()
    return found.n_unique() >= FEWEST_DAYS and len(found) >= (1 - MOST_UNREAD) * len(values)


def _of_text(found: Column, values: pl.Series, timeless: bool) -> Column | None:
    """What text is taken for that is more than words."""
    import polars as pl

    known = bare(values).drop_nulls()
    if known.str.contains(r"^\d{8}$").all() and _are_days(known.cast(pl.Int64)):
        return _datetime(found, values, "text that reads as dates", timeless)
    if _share_of_numbers(values) >= 1 - MOST_UNREAD:
        return _numeric(found, values, "text that reads as numbers", timeless)
    if len(known) and known.str.to_lowercase().is_in(list(TRUTHS)).all():
        return _boolean(found, values, "true or false", timeless)
    read = {"dates": date_formats(values, MOST_UNREAD), "times of the day": clock_formats(values, MOST_UNREAD)}
    what = next((what for what, formats in read.items() if formats), None)
    return _datetime(found, values, f"text that reads as {what}", timeless) if what else None


def _words(found: Column, values: pl.Series, timeless: bool) -> Column:
    import polars as pl

    counts = values.cast(pl.String).value_counts(sort=True)["count"]
    if len(counts) == len(values) or len(counts) > max(MOST_DISTINCT * len(values), MOST_LEVELS):
        spaces = values.cast(pl.String).str.count_matches(" ").mean()
        why = f"{len(counts):,} different values in {len(values):,} rows"
        if (share := _share_of_numbers(values)) > MOST_GAPS:
            return replace(found, why=f"{why}, {int(100 * share)}% of them numbers; as 'numeric', the others would be gaps")
        if isinstance(spaces, float) and spaces >= 2:
            return replace(found, why=f"free text, {why}")
        return replace(found, type="identifier", why=why)
    covered = counts[: MOST_LEVELS - 1].sum() / len(values)
    if covered < LEAST_COVERED:
        return replace(
            found, why=f"{len(counts):,} levels, of which the {MOST_LEVELS - 1} most frequent cover {covered:.0%} of the rows"
        )
    return _categorical(found, values, f"{len(counts):,} different word{'s' * (len(counts) > 1)}", timeless)


def _share_of_numbers(values: pl.Series) -> float:
    """Which share of text is numbers of one form; none of codes such as 01001."""
    text = bare(as_text(values)).drop_nulls()
    if not len(text) or text.str.contains(r"\d").mean() < 0.5:  # type: ignore[operator]
        return 0
    numbers = plain(text, number_form(text)).drop_nulls()
    return 0 if has_leading_zeros(numbers) else len(numbers) / len(text)


def _numeric(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    found = replace(found, type="numeric", why=why)
    if is_text(values):
        text, form = bare(as_text(values)), number_form(as_text(values))
        numbers = plain(text, form)
        signs = (numbers != text).fill_null(value=False)
        example = f", {text.filter(signs)[0]!r} as {numbers.filter(signs)[0]}" if signs.any() else ""
        found = replace(found, why=why + example, format=form)
    scale = getattr(values.dtype, "scale", None)  # of Decimal, whatever its numbers have
    return replace(found, decimals=_decimals(found, values) if scale is None else scale)


def _decimals(found: Column, values: pl.Series) -> int | None:
    """How many decimals numbers, or seconds, have at most: 0 of whole ones beside gaps, which pandas keeps as floats."""
    import polars as pl

    held = np.float32 if values.dtype == pl.Float32 else np.float64  # which holds 12.34 as nearly as it can
    count = None
    for part in (values[:100], values):  # of most columns the beginning says that there are more
        numbers, _ = read(found, part)
        known = numbers[~np.isnan(numbers)]
        if (np.abs(known) >= 2**53).any():  # whose last digits floats don't hold
            return None
        same = (count for count in range(MOST_DECIMALS + 1) if (known.round(count).astype(held) == known).all())
        count = next(same, None)
        if count is None:
            break
    return count


def _boolean(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    words = dict.fromkeys(TRUTHS) if found.dtype != "String" else {word.lower(): word for word in values.unique()}
    false, true = (words.get(word) or word for word in ("false", "true"))
    return replace(found, type="boolean", why=why, levels=(false, true), cell=Cell(2))


def _categorical(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    counts = as_words(values).value_counts(sort=True).sort("count", UNNAMED, descending=[True, False])
    fewest = max(2, len(values) // RARE)
    frequent = [str(level) for level in counts.filter(counts["count"] >= fewest)[UNNAMED] if level != OTHER]
    levels = (*frequent[: MOST_LEVELS - 1], OTHER)
    if (rare := len(counts) - len(levels) + 1) > 0:
        why += f", {rare:,} of them rare"
    return replace(found, type="categorical", why=why, levels=levels, rare=max(rare, 0), cell=Cell(len(levels)))


def _datetime(found: Column, values: pl.Series, why: str, timeless: bool) -> Column:
    forms = [*date_formats(values, MOST_GAPS), *clock_formats(values, MOST_GAPS)] if found.dtype == "String" else []
    form = None if values.dtype.is_temporal() else next(iter(forms), COMPACT)
    found = replace(found, type="datetime", why=why, format=form)
    if found.dtype == "Datetime":
        found = replace(found, zone=values.dtype.time_zone)  # type: ignore[attr-defined]
    seconds = to_numbers(found, values)
    covered = np.nanmax(seconds) - np.nanmin(seconds)
    of_day = found.of_day or (covered >= DAY and bool((seconds % DAY > 0).any()))
    seen = {DAY: of_day, WEEK: covered >= 2 * WEEK and form not in MONTHS, YEAR: covered >= YEAR}
    cycles = tuple(cycle for cycle, whole in seen.items() if whole)
    if timeless and not cycles:
        return replace(found, type="left out", why=f"{why}, but they cover too short a time to show a cycle")
    midnights = not found.of_day and not (seconds % DAY > 0).any()
    found = replace(found, decimals=_decimals(found, values), whole_days=midnights)
    return replace(found, cell=Cell(plain=not timeless, cycles=cycles))


_LEARN: dict[str, Callable[[Column, Any, str, bool], Column]] = {
    "numeric": _numeric,
    "boolean": _boolean,
    "categorical": _categorical,
    "datetime": _datetime,
}
