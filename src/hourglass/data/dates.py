"""Dates and times that are text: the formats that a whole column is in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

from hourglass.data.numerals import UNNAMED, bare

if TYPE_CHECKING:
    import polars as pl

# A year of two digits has a format of its own: %Y would take 25 for the year 25.
_OF_DIGITS = (
    *("%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%m/%d/%y"),
    *("%d/%m/%Y", "%d/%m/%y", "%Y/%m/%d", "%d-%m-%Y", "%d-%m-%y"),
)
_OF_WORDS = product(("%d-{}-{}", "%d {} {}", "%d. {} {}", "{} %d, {}"), ("%b", "%B"), ("%Y", "%y"))
DAYS = (*_OF_DIGITS, *(form.format(month, year) for form, month, year in _OF_WORDS))
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y")  # and no day
OFFSET = "%z"  # from UTC
_BY_24 = ("%H:%M", "%H:%M:%S%.f")
_BY_12 = ("%I:%M %p", "%I:%M:%S%.f %p")
_OF_24 = product((" ", "T", ", "), _BY_24, ("", "Z", OFFSET))
_OF_12 = product((" ", ", "), _BY_12)
CLOCKS = ("", *map("".join, _OF_24), *map("".join, _OF_12))
TIMES = (*_BY_24, *_BY_12)  # of a day, and no day beside them
COMPACT = "%Y%m%d"  # a day as one number
FEW = 10  # texts that are looked at for which formats may be meant
OLDEST = 1000  # what is read as a year before is none
OF_MONTHS = 1800, 2199  # the years of months: of other numbers, such as 4711-05 of an article, fewer read as these
PIVOT = 2069  # from here on a year of two digits is one of the century before, as POSIX has it
_DIGITS = {
    "%Y": r"\d{4}(?!\d)",
    "%y": r"\d{2}(?!\d)",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,}",
}
_PATTERNS = {day: re.compile(re.sub("%.", lambda part: _DIGITS[part[0]], re.escape(day))) for day in DAYS}


def date_formats(values: pl.Series, unread: float = 0) -> list[str]:
    """The formats in which text of a column is dates, but for a share of it at most; gaps don't count.

    First those that leave the least unread, of them the most usual.
    """
    known = bare(values).drop_nulls()
    some = known[:FEW]
    days = [day for day, pattern in _PATTERNS.items() if any(map(pattern.match, some))]
    months = () if _are_seasons(known) else MONTHS
    return _reading(known, (*map("".join, product(days, CLOCKS)), *months), unread)


def clock_formats(values: pl.Series, unread: float = 0) -> list[str]:
    """The same of times of a day without the day."""
    return _reading(bare(values).drop_nulls(), TIMES, unread)


def _are_seasons(known: pl.Series) -> bool:
    """Whether text is a year and the one after it, as in 2009-10 and 2010/11, which would read as months."""
    import polars as pl

    years = known.str.strip_chars().str.extract_groups(r"^(\d{4})[-/](\d{2})$").struct
    first, second = (years.field(str(i)).cast(pl.Int64) for i in (1, 2))
    return bool(((first + 1) % 100 == second).fill_null(value=False).all())


def _reading(known: pl.Series, formats: Iterable[str], unread: float) -> list[str]:
    """Those of the formats that leave at most that share unread, the least first."""
    some = known[:FEW]
    forms = [form for form in formats if as_times(some, form).null_count() < len(some)]
    left = {form: as_times(known, form).null_count() for form in forms}
    return sorted((form for form in forms if left[form] <= unread * len(known)), key=left.__getitem__)


def as_times(text: pl.Series, form: str) -> pl.Series:
    """Text of a format as times, null where it is of another; of the years 69 to 68 as 1969 to 2068.

    Times of no day are on the first of 1970, months are their first day.
    """
    text, asked = text.alias(UNNAMED).str.strip_chars(), form
    if form in TIMES:
        text, form = "1970-01-01 " + text, f"%Y-%m-%d {form}"
    elif form in MONTHS:
        text, form = text + " 01", f"{form} %d"
    times = text.str.to_datetime(form, strict=False)
    years = times.dt.year()
    if asked in MONTHS:
        times = times.set(~years.is_between(*OF_MONTHS), None)
    if "%y" not in form:
        return times.set(years < OLDEST, None)
    return times.dt.offset_by("-100y").zip_with(years >= PIVOT, times) if (years >= PIVOT).any() else times


def day_of(form: str) -> str:
    """The part of a format that is the day, if it has one."""
    return max((day for day in DAYS if form.startswith(day)), key=len, default="")


def has_one_meaning(form: str) -> bool:
    """Whether day and month can't be taken for one another: one is missing, the year comes first, or the month is a word."""
    return "%d" not in form or form.startswith("%Y") or "%b" in form or "%B" in form


def alike(form: str, other: str) -> bool:
    """Whether two formats have day, month and year in one order, whatever clock is beside them, and digits of the year."""
    return day_of(form).lower() == day_of(other).lower()
