"""What is known beside each row, a label or some columns, and told to encoder and decoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from hourglass.data.numerals import UNNAMED
from hourglass.errors import DataError, suggest
from hourglass.kinds.columns import OTHER, as_words
from hourglass.kinds.frames import as_frame, tabled
from hourglass.kinds.table import TableKind

if TYPE_CHECKING:
    import polars as pl

NAME = "condition"  # of a column that has none


def learned(condition: Any, n: int) -> TableKind:
    """What the conditions of n rows are taken for."""
    frame = _frame(condition)
    _require_rows(frame, n)
    if frame.columns != [NAME]:
        return TableKind.learn(frame)
    name = str(getattr(condition, "name", None) or NAME)
    return TableKind.learn(frame.rename({NAME: name}), {} if frame[NAME].dtype.is_float() else {name: "categorical"})


def numbers(kind: TableKind, condition: Any, n: int) -> Tensor:
    """The conditions of n rows as numbers (n, cells); one condition alone is that of all rows.

    Raises
    ------
    DataError
        Other columns, a label that was never seen, or another number of rows.
    """
    frame = _frame(condition)
    if frame.columns == [NAME] and len(kind.columns) == 1:
        frame = frame.rename({NAME: kind.columns[0].name})
    elif frame.columns == [NAME] and len(frame) == len(kind.columns):  # a row of columns alone
        frame = frame.transpose(column_names=[column.name for column in kind.columns])
    if len(frame) == 1:
        frame = frame[[0] * n]
    _require_rows(frame, n)
    kind.check(frame)
    _require_known(kind, frame)
    return kind.to_tensor(frame)


def _frame(condition: Any) -> pl.DataFrame:
    """Conditions as a table: a label, labels, or columns."""
    condition = tabled(condition)
    if hasattr(condition, "to_frame"):  # a series: as an array it would lose its type where there are gaps
        return as_frame(condition.to_frame(name=NAME))
    if hasattr(condition, "columns"):
        return as_frame(condition)
    values = np.atleast_1d(condition if isinstance(condition, np.ma.MaskedArray) else np.asarray(condition))
    if values.dtype == object and values.size == 1 and isinstance(values.item(), Iterable) and not isinstance(values.item(), str):
        raise DataError(
            f"A condition is a label or a row of columns for each row. Got a value of the type {type(condition).__name__}. "
            "Make a list of it."
        )
    if values.ndim > 2:
        raise DataError(f"A condition is a label or a row of columns for each row. Got an array of shape {values.shape}.")
    if isinstance(values, np.ma.MaskedArray):
        values = np.array(values.tolist(), dtype=object).reshape(values.shape)  # None where it is masked
    names = [NAME] if values.ndim == 1 else [f"{NAME}{i}" for i in range(values.shape[1])]
    return as_frame(values.reshape(len(values), len(names)), names).fill_nan(None)


def _require_rows(frame: pl.DataFrame, n: int) -> None:
    if len(frame) != n:
        raise DataError(f"There are {n} rows and {len(frame)} conditions. Give one for each row.")


def _require_known(kind: TableKind, frame: pl.DataFrame) -> None:
    for column in kind.columns:
        if column.type == "categorical" and not column.rare:
            strange = set(as_words(frame[column.name].alias(UNNAMED)).drop_nulls()) - set(column.levels)
            if strange:
                label = min(strange)
                raise DataError(f"The model knows no {column.name} {label!r}. {suggest(label, set(column.levels) - {OTHER})}")
