"""Numbers that are text: the form that a whole column is in, with the signs of thousands, of money and of percent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "-", "--", "#N/A", "#NV", "<NA>")
"""What stands for a missing value among numbers. Among text only the empty cell does: NA may be Namibia."""

UNNAMED = "value"  # what a column is called at work: to polars, a name such as ^x.*$ is a pattern
POINT, COMMA = ".", ","  # the decimal sign, behind which a form may have a unit: ".$" is that of $1,234.50
UNITS = r"\p{Sc}|%|\b(?:AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|NOK|PLN|RON|SEK|TRY|USD|ZAR)\b"
_NONE = r"^(?i:[+-]nan)$|^#[\p{Lu}/0]+[!?]$"  # the latter are errors of spreadsheets: #DIV/0!, #VALUE!, #WERT!, #NAME?
_GROUPS = "[, '’\u00a0\u202f]"  # between thousands, where the decimal sign is a point
_NUMBER = rf"^[+-]?(?:(?:\d+|\d{{1,3}}(?:{_GROUPS}\d{{3}})+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"


def bare(column: pl.Series) -> pl.Series:
    """Text without blanks around it, null where it stands for a missing value, in a column of no name."""
    text = column.alias(UNNAMED).str.strip_chars()
    return text.set(text.is_in(MISSING) | text.str.contains(_NONE), None)


def plain(column: pl.Series, form: str = POINT) -> pl.Series:
    """Numbers of a form as a computer writes them, null where there is none.

    Of ",€" -1234.5 for "-1.234,5 €", "(1 234,5)", and "1.234,5-" as SAP has it.
    """
    decimal, unit = form[0], re.escape(form[1:])
    text = bare(column)
    if unit:
        text = text.str.replace(rf"^([(+-]?)\s*{unit}|\s*{unit}$", "$1")
    text = text.str.replace(r"^\((.+)\)$|^\s*([\d.,].*)-$", "-$1$2").str.replace("−", "-", literal=True)
    text = text.str.replace(r"^([+-]?)\s+", "$1")
    if decimal == COMMA:
        text = text.str.replace_many([".", ","], [",", "."])
    text = text.set(~text.str.contains(_NUMBER), None)
    return text.str.replace_all(_GROUPS, "")


def number_form(values: pl.Series, known: str | None = None) -> str:
    """The form in which the most text of a column is numbers: among equals the ``known`` one, then that with a point."""
    text = bare(values).drop_nulls()
    decimal, unit = (known[0], known[1:]) if known else (POINT, "")
    if not unit:
        found = text.str.extract(f"({UNITS})").drop_nulls()
        unit = str(found.mode().sort()[0]) if len(found) else ""
    forms = [sign + unit for sign in (decimal, *(POINT + COMMA).replace(decimal, ""))]
    left: dict[str, int] = {form: plain(text, form).null_count() for form in forms}
    return min(left, key=left.__getitem__)


def has_leading_zeros(text: pl.Series) -> bool:
    """Whether some of the text is digits behind a zero, as codes such as 01001 are, not numbers."""
    return bool(text.str.contains(r"^[+-]?0\d+$").any())
