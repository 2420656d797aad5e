"""Rows and columns of numbers: arrays (n, columns), pandas, polars and pyarrow tables."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from hourglass.errors import DataError, HourglassWarning
from hourglass.kinds.base import FLOATS, Kind, as_tensor, require_finite
from hourglass.parts.scaling import Scaling, standardize


@dataclass(frozen=True)
class TableKind(Kind):
    """Columns of numbers; the networks see them standardised."""

    name: ClassVar[str] = "table"
    columns: tuple[str, ...] | None = None  # None: an array, whose columns have numbers
    container: str = "numpy"

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if container_of(raw) != "numpy":
            return f"a {container_of(raw)} table has rows and columns"
        return f"an array of shape {raw.shape} has rows and columns" if raw.ndim == 2 else None

    @classmethod
    def learn(cls, raw: Any) -> Self:
        container = container_of(raw)
        _require_two_dimensions(raw)
        columns = None if container == "numpy" else column_names(raw)
        if raw.shape[1] == 0:
            raise DataError(f"Found array with 0 feature(s) (shape={tuple(raw.shape)}) while a minimum of 1 is required.")
        dtype = str(raw.dtype) if container == "numpy" and raw.dtype.kind in "fiub" else "float64"
        kind = cls((raw.shape[1],), dtype, columns, container)
        _warn_of_constants(kind, kind.to_numbers(raw))
        return kind

    def check(self, raw: Any) -> None:
        _require_two_dimensions(raw)

    def to_numbers(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        """The table as one array of finite numbers (n, columns)."""
        values = _numeric(raw, first_row)
        require_finite(values, "The table", first_row, self.columns or ())
        return values

    def to_tensor(self, raw: Any, first_row: int = 0) -> Tensor:
        return as_tensor(self.to_numbers(raw, first_row))

    def from_tensor(self, values: Tensor, like: Any = None) -> Any:
        container = self.container if like is None else container_of(like)
        numbers = values.numpy()
        if container == "numpy":
            return numbers
        names = list(self.columns or (f"x{i}" for i in range(self.shape[0])))
        if container == "pandas":
            import pandas as pd

            return pd.DataFrame(numbers, columns=names, index=None if like is None else like.index)
        import polars as pl

        frame = pl.DataFrame(numbers, schema=names)
        return frame.to_arrow() if container == "pyarrow" else frame

    def scaling(self, values: Tensor | None = None) -> Scaling:
        return standardize(torch.stack([torch.zeros(self.shape) - 1, torch.ones(self.shape)]) if values is None else values)

    def describe(self) -> str:
        return f"a table of {self.shape[0]} numeric column{'s' if self.shape[0] > 1 else ''}"

    @property
    def raw_shape(self) -> tuple[int, ...]:
        return self.shape


def _require_two_dimensions(raw: Any) -> None:
    if container_of(raw) == "numpy" and raw.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {raw.ndim}D array instead: a table has rows and columns. "
            "Reshape your data with .reshape(-1, 1) if it has a single column, or .reshape(1, -1) if it is a single row."
        )


def container_of(raw: Any) -> str:
    """The library that a table comes from: numpy, pandas, polars or pyarrow."""
    root = type(raw).__module__.partition(".")[0]
    return root if root in ("pandas", "polars", "pyarrow") else "numpy"


def column_names(raw: Any) -> tuple[str, ...]:
    """The names of a table's columns, as text."""
    return tuple(str(name) for name in getattr(raw, "column_names", None) or raw.columns)


def _numeric(raw: Any, first_row: int) -> np.ndarray[Any, Any]:
    """A table as one array of uint8, float32 or float64."""
    if container_of(raw) == "numpy":
        values = raw
    else:
        arrays = [_column(raw, name) for name in column_names(raw)]
        for name, array in zip(column_names(raw), arrays, strict=True):
            _require_numbers(array, f"column {name!r}", first_row)
        values = np.column_stack([array.astype(np.float64) for array in arrays])
    if values.dtype.kind in "OUS":
        values = _parsed(values, first_row)
    if values.dtype.kind == "c":
        raise DataError("Complex data not supported: pass the real and the imaginary part as columns of their own.")
    if values.dtype in FLOATS or values.dtype == np.uint8:
        return np.asarray(values)
    return np.asarray(values, dtype=np.float32 if values.dtype.itemsize < 4 else np.float64)


def _column(raw: Any, name: str) -> np.ndarray[Any, Any]:
    index = column_names(raw).index(name)
    container = container_of(raw)
    column = raw.iloc[:, index] if container == "pandas" else raw.column(index) if container == "pyarrow" else raw[:, index]
    return np.asarray(column.to_numpy())


def _parsed(values: np.ndarray[Any, Any], first_row: int) -> np.ndarray[Any, Any]:
    """Numbers of an array of objects or text."""
    try:
        return values.astype(np.float64)
    except ValueError:
        for index in range(values.shape[1]):
            _require_numbers(values[:, index], f"column {index}", first_row)
        raise


def _require_numbers(column: np.ndarray[Any, Any], where: str, first_row: int) -> None:
    """Raise `DataError` that names the first cell of a column that is no number."""
    if column.dtype.kind in "fiub":
        return
    for row, value in enumerate(column.tolist()):
        try:
            float(value)
        except (TypeError, ValueError) as error:
            what = "nothing" if value is None else repr(value)
            raise DataError(
                f"A numeric table is needed, and {where} holds {what} in row {first_row + row}. "
                "Leave the column out or encode it as numbers."
            ) from error


def _warn_of_constants(kind: TableKind, values: np.ndarray[Any, Any]) -> None:
    constant = [i for i in range(values.shape[1]) if len(values) > 1 and values[0, i] == values[:, i].min() == values[:, i].max()]
    if not constant:
        return
    name = repr(kind.columns[constant[0]]) if kind.columns else str(constant[0])
    more = "" if len(constant) == 1 else f" (and {len(constant) - 1} more)"
    warnings.warn(
        f"Column {name}{more} is constant, {values[0, constant[0]]:g} in every row: it teaches nothing and is rebuilt as it is.",
        HourglassWarning,
        stacklevel=2,
    )
