"""Rows as models want them: from lists and objects of JSON to arrays and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hourglass.server.limits import Refusal
from hourglass.server.melodies import melody

if TYPE_CHECKING:
    import polars as pl


def rows_for(kind: Any, rows: Any) -> Any:
    """Raw data of a kind from rows of a body: an array, a table, or a list of arrays; never a path.

    Decimals of JSON become float32, or float64 for a model that was fitted on such; whole numbers become the type that it was
    fitted on, if they fit it.
    """
    if not isinstance(rows, list):
        return rows
    if kind.name == "melody":
        return np.fromiter(map(melody, rows), object, len(rows))
    if rows and all(isinstance(row, dict) for row in rows):
        return of_records(rows)
    if kind.symbolic:
        return np.fromiter(rows, object, len(rows))
    if kind.name == "table" and kind.columns:
        return _of_cells(rows, kind.schema()["column"].to_list())
    return _of_numbers(kind, rows)


def _of_numbers(kind: Any, rows: list[Any]) -> NDArray[Any] | list[NDArray[Any]]:
    """An array, or a list of arrays if they are pictures or series that differ in size."""
    try:
        return numbers(rows, kind.dtype)
    except _Uneven:
        if kind.name not in {"image", "series"}:
            raise
    return [numbers(row, kind.dtype) for row in rows]


class _Uneven(Refusal):
    """Rows that are of several shapes."""


def numbers(rows: Any, dtype: str) -> NDArray[Any]:
    """Lists of numbers as an array, null as NaN, in the type that a model was fitted on."""
    try:
        array = np.asarray(rows)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array  # there are nulls among them
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _Uneven(422, "Rows are lists of numbers, all of one shape. Some of them are longer, deeper or no numbers.") from None
    if array.dtype.kind not in "biuf":
        raise Refusal(422, "Rows are lists of numbers, and some of these hold text.")
    if array.ndim == 0:
        raise Refusal(422, f"Rows are a list with an entry for each row. Got {rows!r}.")
    if array.dtype.kind == "f" or dtype.startswith("float"):
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
            return array.astype(np.float64 if dtype == "float64" else np.float32, copy=False)
    fitting = array.astype(dtype)
    return fitting if (fitting == array).all() else array


def of_records(records: list[dict[str, Any]]) -> pl.DataFrame:
    """A table of objects with a value for each column."""
    return _of_columns(
        {name: [record.get(name) for record in records] for name in dict.fromkeys(key for row in records for key in row)}
    )


def _of_cells(rows: list[Any], names: list[str]) -> pl.DataFrame:
    """A table of lists of cells."""
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            have = f"{len(row)} cells" if isinstance(row, list) else "none"
            raise Refusal(422, f"A row is an object, or a list of {len(names)} cells: {', '.join(names)}. Row {number} has {have}.")
    return _of_columns(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _of_columns(columns: dict[str, list[Any]]) -> pl.DataFrame:
    import polars as pl

    found = []
    for name, values in columns.items():
        kinds = {type(value) for value in values} - {type(None)}
        if kinds & {list, dict} or (len(kinds) > 1 and kinds != {int, float}):
            raise Refusal(422, f"Column {name!r} holds values of several types, lists or objects. Send one type, and null.")
        try:
            found.append(pl.Series(name, values, pl.Float64 if float in kinds else None))
        except (OverflowError, TypeError, pl.exceptions.PolarsError) as error:
            raise Refusal(422, f"Column {name!r} holds a number that is too large.") from error
    return pl.DataFrame(found)
