"""Dates and times that are text: the formats that a whole column is in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

BY_YEAR = "%Y"  # a date that begins with it is read in one way alone
DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y")
OFFSET = "%z"  # from UTC
CLOCKS = tuple(map("".join, product(" T", ("%H:%M", "%H:%M:%S%.f"), ("", "Z", OFFSET))))
FORMATS = tuple(map("".join, product(DAYS, ("", *CLOCKS))))


def date_formats(values: pl.Series) -> Iterator[str]:
    """The formats in which every text of a column is a date, the most usual first; gaps don't count."""
    known = values.drop_nulls()

    def fits(form: str, some: pl.Series) -> bool:
        return some.str.to_datetime(form, strict=False).null_count() == 0

    return (form for form in FORMATS if len(known) and fits(form, known[:1]) and fits(form, known))
