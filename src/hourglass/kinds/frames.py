"""Tables of pandas, polars and pyarrow, and arrays: as one frame of polars, and what of pandas has to come back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.data.numerals import UNNAMED
from hourglass.errors import DataError, with_article
from hourglass.kinds.columns import Column, names_of

if TYPE_CHECKING:
    import polars as pl

TEMPORAL = "mM"  # arrays of times, and of spans of time
UNLIKE = ("Interval", "Period")  # values of pandas that polars has no type for


def container_of(raw: Any) -> str:
    """The library that a table comes from: numpy, pandas, polars or pyarrow."""
    root = type(raw).__module__.partition(".")[0]
    return root if root in ("pandas", "polars", "pyarrow") else "numpy"


def is_table(raw: Any) -> bool:
    """Whether raw data is a table, or a column, of one of these libraries: arrays, lists, records and pictures aren't."""
    return container_of(raw) != "numpy"


def is_sparse(raw: Any) -> bool:
    """Whether raw data is a sparse matrix of scipy."""
    return hasattr(raw, "toarray")


def collected(raw: Any) -> Any:
    """A lazy frame of polars as a frame; all else as it is."""
    return raw.collect() if container_of(raw) == "polars" and hasattr(raw, "collect") else raw


def column_names(table: Any) -> list[str]:
    """The names of a table's columns, as text."""
    return [str(name) for name in getattr(table, "column_names", None) or table.columns]


def tabled(X: Any) -> Any:
    """What is a table but for its form, as one; all else as it is.

    A lazy frame of polars, a dict of columns, a list of dicts, an array of NumPy whose fields have names.
    """
    if isinstance(X, np.ndarray) and X.dtype.names and X.ndim == 1:
        return _of_dicts({name: X[name] for name in X.dtype.names})
    if isinstance(X, dict) or (isinstance(X, list) and X and all(isinstance(row, dict) for row in X)):
        return _of_dicts(X)
    return collected(X)


def _of_dicts(X: Any) -> pl.DataFrame:
    """A dict of columns, or a list of rows that are dicts, as a table."""
    import polars as pl

    try:
        return pl.DataFrame(X, infer_schema_length=None)
    except Exception as error:  # polars raises several kinds
        raise DataError(
            f"A dict is read as the columns of a table, a list of dicts as its rows, and this {type(X).__name__} can't be: "
            f"{str(error).splitlines()[0]}. Pass pandas.DataFrame(...) of it, or an array."
        ) from error


def as_frame(raw: Any, names: Sequence[str] = ()) -> pl.DataFrame:
    """Any table as a polars frame, its columns named by text; those of an array by ``names``, or x0, x1 ..."""
    container = container_of(raw)
    if container == "polars":
        frame: pl.DataFrame = raw
        return frame
    if container == "numpy":
        columns = [
            raw[:, i].astype(f"{raw.dtype.kind}8[us]") if raw.dtype.kind in TEMPORAL else _cells(raw[:, i])
            for i in range(raw.shape[1])
        ]
        return framed([_series(names[i] if names else f"x{i}", column) for i, column in enumerate(columns)])
    found = column_names(raw)
    for name, count in Counter(found).items():
        if count > 1:
            raise DataError(f"The table has {count} columns called {name!r}. Rename all but one.")
    others = [name for name in (raw.columns if container == "pandas" else ()) if not isinstance(name, str)]
    if 0 < len(others) < len(found):
        raise DataError(f"Of the names of the columns some are text, and {others[0]!r} is not. Make them alike.")
    take = raw.column if container == "pyarrow" else lambda i: _dense(raw.iloc[:, i])
    return framed([_series(name, take(i)) for i, name in enumerate(found)])


def as_arrow(frame: pl.DataFrame, like: Any = None) -> Any:
    """A frame as a table of pyarrow, in the types of ``like`` where polars has one for both, as it has for all kinds of strings.

    Dictionaries of numbers, which nothing can be cast to, come as numbers.
    """
    import pyarrow as pa

    found = frame.to_arrow()
    if like is None:
        return found
    seen = as_frame(like)

    def field_of(own: Any) -> Any:
        field = like.schema.field(own.name)
        alike = seen[own.name].dtype == frame[own.name].dtype
        return field if alike and pa.types.is_dictionary(field.type) == pa.types.is_dictionary(own.type) else own

    fields = [field_of(own) for own in found.schema]
    return found.cast(pa.schema(fields), safe=False)


def narrowed(raw: Any, places: list[int]) -> Any:
    """A table with the columns of those places alone."""
    container = container_of(raw)
    if container == "pandas":
        return raw.iloc[:, places]
    return raw.select(places) if container == "pyarrow" else raw[:, places]


def emptied(raw: Any, cells: dict[int, np.ndarray[Any, Any]]) -> Any:
    """A table, or an array of objects, without the cells (n,) that are marked in the columns of those places."""
    import polars as pl

    container = container_of(raw)
    if container == "numpy":
        found = raw.astype(object)
        for place, marked in cells.items():
            found[marked, place] = None
        return found
    if container == "pandas":
        found = raw.copy(deep=False)
        for place, marked in cells.items():
            found.isetitem(place, found.iloc[:, place].mask(marked))
        return found
    columns = pl.DataFrame(raw).get_columns()
    kept = {place: pl.select(pl.when(pl.Series(~marked)).then(columns[place])).to_series() for place, marked in cells.items()}
    frame = framed([kept[place].alias(column.name) if place in kept else column for place, column in enumerate(columns)])
    return frame.to_arrow() if container == "pyarrow" else frame


def framed(columns: list[pl.Series]) -> pl.DataFrame:
    """Columns as a frame, whatever they are called: in a list, polars gives a column of no name one of its own."""
    import polars as pl

    return pl.DataFrame({column.name: column for column in columns})


def _cells(column: np.ndarray[Any, Any]) -> list[Any]:
    """The values of a column, None where an object says of itself that it is none: NaN, NaT, or the NA of pandas."""
    values: list[Any] = column.tolist()
    return [None if _is_gap(value) else value for value in values] if column.dtype.kind == "O" else values


def _is_gap(value: Any) -> bool:
    if type(value).__name__ == "NAType":
        return True
    unlike = value != value  # noqa: PLR0124 (true of NaN and NaT alone)
    return isinstance(unlike, (bool, np.bool_)) and bool(unlike)


def _series(name: str, values: Any) -> pl.Series:
    import polars as pl

    try:
        found = pl.Series(UNNAMED, values, nan_to_null=True) if isinstance(values, list) else pl.Series(UNNAMED, values)
        return found.alias(name)
    except (Exception, pl.exceptions.PanicException) as error:  # of several kinds, over values of several types or of one unknown
        known = [value for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))]
        other = next((value for value in known if type(value) is not type(known[0])), None)
        if other is not None and all(isinstance(value, (bool, int, float, np.number)) for value in known):
            return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
        first, second = (with_article(type(value).__name__) for value in (known[0], other))
        if other is None:
            raise DataError(f"Column {name!r} holds {first} that no column of a table can: {known[0]!r}.") from error
        raise DataError(
            f"Column {name!r} mixes types: {known[0]!r} is {first}, {other!r} is {second}. Give it one type."
        ) from error


def _dense(values: Any) -> Any:
    """A column of pandas, the types that polars has not in others: what is sparse filled, intervals and numbers as text."""
    categories = getattr(values.dtype, "categories", None)
    inner = values.dtype if categories is None else categories.dtype
    if categories is not None and inner.kind in "iuf":
        return values.cat.rename_categories(names_of(categories.tolist()))
    if hasattr(values, "sparse"):
        return values.sparse.to_dense()
    if type(inner).__name__.removesuffix("Dtype") not in UNLIKE:
        return values
    if categories is not None:  # which keep their text, whether or not there are gaps beside them
        values = values.cat.rename_categories([str(category) for category in categories])
    return values.astype(str).where(values.notna(), None)


def with_categories(column: Column, dtype: Any) -> Column:
    """A column of pandas with all its categories, in their order, if they are text or numbers."""
    categories = getattr(dtype, "categories", ())
    if not all(isinstance(category, (str, int, float)) for category in categories):
        return column
    return replace(column, categories=tuple(categories), ordered=bool(getattr(dtype, "ordered", False)))


def as_categories(values: Any, column: Column) -> Any:
    """Names of levels as the categories of pandas that they were, others behind them."""
    import pandas as pd

    known = dict(zip(names_of(column.categories), column.categories, strict=True))
    found = [None if value is None or value != value else known.get(value, value) for value in values.tolist()]  # noqa: PLR0124
    others = {value: None for value in found if value is not None and value not in column.categories}
    return pd.Categorical(found, [*column.categories, *others], ordered=column.ordered)


def labelled(found: Any, like: Any) -> Any:
    """A frame of pandas with the index, the labels of the columns and the types of another."""
    return with_types(found, like.dtypes).set_axis(like.index).set_axis(like.columns, axis=1)


def with_types(found: Any, dtypes: Any) -> Any:
    """A frame of pandas with those types that have a gap of their own (Int64, boolean, string), where they can hold its values.

    So have times, which polars doesn't count in seconds. What was read as text, as intervals are, becomes the categories again that
    it is the text of.
    """
    import pandas as pd

    def holds(dtype: Any, own: Any) -> bool:
        times = dtype.kind in TEMPORAL and getattr(dtype, "tz", None) == getattr(own, "tz", None)
        return dtype.kind == own.kind and (times or getattr(dtype, "na_value", None) is pd.NA)

    named = dict(zip(found.columns, dtypes, strict=True))
    found = found.astype({name: dtype for name, dtype in named.items() if holds(dtype, found[name].dtype)})
    for name, dtype in named.items():
        known = {str(category): category for category in getattr(dtype, "categories", ()) if type(category).__name__ in UNLIKE}
        if known and found[name].dropna().isin(known).all():
            found[name] = pd.Categorical(found[name].map(known), dtype=dtype)
    return found


def labels_of(raw: Any) -> tuple[Any, ...]:
    """The labels of the columns of pandas, if they aren't all text, and plain enough for a model file."""
    labels = tuple(raw.columns.tolist()) if container_of(raw) == "pandas" else ()
    parts = [part for label in labels for part in (label if isinstance(label, tuple) else (label,))]
    of_text = all(isinstance(label, str) for label in labels)
    return labels if not of_text and all(isinstance(part, (str, int, float)) for part in parts) else ()
