"""Rows and columns: arrays (n, columns), pandas, polars and pyarrow tables; numbers, categories, dates, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hourglass.data.record import float_of
from hourglass.errors import DataError, ParameterError, renamed, suggest, warn
from hourglass.kinds import columns as of_columns
from hourglass.kinds import schema
from hourglass.kinds.base import Kind, all_equal, refuse_columns
from hourglass.kinds.columns import OTHER, TYPES, Column
from hourglass.kinds.frames import (
    TEMPORAL,
    as_arrow,
    as_categories,
    as_frame,
    column_names,
    container_of,
    emptied,
    framed,
    is_sparse,
    is_table,
    labelled,
    labels_of,
    narrowed,
    with_categories,
)
from hourglass.parts.base import Part, one_of
from hourglass.parts.cells import NUMBER, Cell

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from hourglass.parts.likelihoods import Runs
    from hourglass.parts.scaling import Scaling


OTHERS = {  # what an array of so many dimensions may be in place of a table
    3: "Pictures (n, height, width) are kind='image', series (n, time, channels) kind='series'. ",
    4: "Pictures (n, height, width, channels) are kind='image': where channels come first, pass X.transpose(0, 2, 3, 1). ",
}
ALIKE = "unusual beside the other columns"  # what is said of a cell that is as expected, and still to blame


@dataclass(frozen=True)
class TableKind(Kind):
    """Columns; the networks see numbers standardised, categories as a one among zeros, dates as places on cycles."""

    name: ClassVar[str] = "table"
    ending: ClassVar[str] = ".csv"
    columns: tuple[Column, ...] = ()  # empty: an array of numbers, whose columns have numbers for names
    container: str = "numpy"
    gaps: bool = False  # whether cells were missing
    labels: tuple[Any, ...] = ()  # of columns of pandas, where they aren't text: numbers, or tuples

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if is_table(raw):
            return f"a {container_of(raw)} table has rows and columns"
        return f"an array of shape {raw.shape} has rows and columns" if raw.ndim == 2 else None

    @classmethod
    def learn(
        cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False, asked: Part | None = None
    ) -> Self:
        _require_two_dimensions(raw, OTHERS)
        if raw.shape[1] == 0:
            raise DataError(f"Found array with 0 feature(s) (shape={tuple(raw.shape)}) while a minimum of 1 is required.")
        if is_sparse(raw):
            refuse_columns(columns, "sparse matrices")
            return cls._of_sparse(raw)
        numbers = None if is_table(raw) or columns else _as_numbers(raw)
        return cls._of_numbers(numbers, raw.dtype) if numbers is not None else cls._of_columns(raw, columns or {}, timeless)

    @classmethod
    def _of_numbers(cls, numbers: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> Self:
        _require_no_infinity(numbers)
        gaps = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros((1, numbers.shape[1]), dtype=bool)
        if gaps.all(0).any():
            raise DataError(f"Column {int(gaps.all(0).argmax())} has no value in any row. Leave it out.")
        _warn_of_constants(numbers, [str(i) for i in range(numbers.shape[1])])
        return cls((numbers.shape[1],), str(dtype if dtype.kind in "iub" else numbers.dtype), gaps=bool(gaps.any()))

    @classmethod
    def _of_sparse(cls, raw: Any) -> Self:
        """Of a sparse matrix, whose zeros are as good as any number."""
        values = _as_numbers(raw.data)
        if values is None:
            raise DataError(f"A sparse matrix holds numbers. Got one of {raw.dtype}.")
        if not np.isfinite(values).all():
            place = int((~np.isfinite(values)).argmax())
            row, column = int(np.searchsorted(raw.indptr, place, "right")) - 1, int(raw.indices[place])
            raise DataError(
                f"The sparse matrix holds {values[place]} in row {row}, column {column}. "
                "Fill it, leave that row or column out, or pass X.toarray(), which may have gaps."
            )
        numbers = raw.astype(float_of(raw.dtype))
        ends = np.vstack([numbers.min(axis=0).toarray(), numbers.max(axis=0).toarray()])
        if (ends[0] == ends[1]).all():
            raise all_equal(raw.shape[0])
        _warn_of_constants(ends, [str(i) for i in range(raw.shape[1])])
        return cls((raw.shape[1],), str(raw.dtype if raw.dtype.kind in "iub" else numbers.dtype))

    @classmethod
    def _of_columns(cls, raw: Any, columns: Mapping[str, str], timeless: bool) -> Self:
        frame = as_frame(raw)
        asked = _asked(columns, frame.columns)
        learned = tuple(schema.learn(frame[name], asked.get(name), timeless=timeless) for name in frame.columns)
        if container_of(raw) == "pandas":
            learned = tuple(with_categories(column, dtype) for column, dtype in zip(learned, raw.dtypes, strict=True))
        _say_left_out(learned, asked)
        used = [column for column in learned if column.used]
        shape = (sum(column.cell.width for column in used),)
        kind = cls(shape, "float64", learned, container_of(raw), any(column.missing for column in used), labels_of(raw))
        _warn_of_constants(kind._numbers(frame), [repr(name) for name in kind.names], used)
        return kind

    def opened(self, raw: Any) -> Any:
        """The columns that the model knows, without cells that aren't what their column was taken for; warns of what it leaves."""
        if not self.columns or not (is_table(raw) or (raw.dtype.kind in "OUS" and raw.shape[1:] == (len(self.columns),))):
            return raw
        if is_table(raw):
            names, known = column_names(raw), {column.name for column in self.columns}
            if not set(self.names) <= set(names):
                return raw  # which is refused
            if extra := [name for name in names if name not in known]:
                warn(f"The model was fitted without a column {extra[0]!r}{_more(len(extra) - 1)}: what is in it is left aside.")
                raw = narrowed(raw, [place for place, name in enumerate(names) if name in known])
        known_as = {column.name: column for column in self.used}
        bad = {}
        for place, values in enumerate(self._named(raw)):
            column = known_as.get(values.name)
            if column is None or (values.dtype.is_numeric() and column.type != "datetime"):
                continue
            if (unread := of_columns.unread(column, values)).any():
                of_columns.warn_of(column, values, unread)
                bad[place] = unread
        return emptied(raw, bad) if bad else raw

    def check(self, raw: Any) -> None:
        _require_two_dimensions(raw)
        if not self.matches_names(raw):
            return
        names = column_names(raw)
        there, known = set(names), {column.name for column in self.columns}
        if missing := [name for name in self.names if name not in there]:
            if len(names) == 1 and set(self.names) <= set(map(str, getattr(raw, "index", ()))):
                raise DataError("A table has rows and columns. Got a single row as a column: pass df.iloc[[i]], not df.iloc[i].")
            raise DataError(
                f"The table has no column {missing[0]!r}{_more(len(missing) - 1)}, which the model was fitted on. "
                f"{renamed(missing[0], known, names)}"
            )
        extra = [name for name in names if name not in known]
        if extra:
            raise DataError(
                f"The model was fitted without a column {extra[0]!r}{_more(len(extra) - 1)}. "
                f"Leave it out, for example by .drop({extra[0]!r})."
            )

    def matches_names(self, raw: Any) -> bool:
        """Whether columns are found by their names, so that `check` has looked at all of them."""
        return bool(self.columns) and is_table(raw)

    def to_array(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        if self.columns:
            return self._numbers(self._named(raw), first_row)
        numbers = _as_numbers(as_frame(raw).to_numpy() if is_table(raw) else raw.toarray() if is_sparse(raw) else raw)
        if numbers is None:
            raise DataError("The model was fitted on an array of numbers. Got one that holds other things.")
        _require_no_infinity(numbers, first_row)
        return numbers

    def _named(self, raw: Any) -> pl.DataFrame:
        return as_frame(raw, [column.name for column in self.columns])

    def _numbers(self, frame: pl.DataFrame, first_row: int = 0) -> np.ndarray[Any, Any]:
        """The cells of the columns that are used (n, cells)."""
        import polars as pl

        dtypes = {frame[column.name].dtype for column in self.used}
        dtype = np.float32 if dtypes == {pl.Float32} else np.float64
        if all(column.type == "numeric" for column in self.used) and dtypes <= {pl.Float32, pl.Float64}:
            numbers = frame[[*self.names]].to_numpy().astype(dtype, order="C", copy=False)
            if np.isfinite(numbers).all():
                return numbers
        return np.column_stack([of_columns.to_numbers(column, frame[column.name], first_row) for column in self.used]).astype(dtype)

    def from_array(self, numbers: np.ndarray[Any, Any], like: Any = None) -> Any:
        container = self.container if like is None else container_of(like)
        if not self.columns and container == "numpy":
            return numbers
        named = None if like is None else self._named(like)
        frame = self._frame(numbers, named)
        return self._contained(frame if named is None else frame[named.columns], container, like)

    def drawn(self, values: Tensor) -> Any:
        """Raw data of numbers (n, *shape) of new rows, with as many decimals as the rows had that were learned from."""
        return self.from_array(self._rounded(self.arrange(values)))

    def _rounded(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Numbers (n, columns) with as many decimals as their columns had; of an array, of which that isn't known, as they are."""
        pairs = zip(self.used, numbers.astype(np.float64).T, strict=True)
        return np.stack([of_columns.rounded(*pair) for pair in pairs], 1) if self.columns else numbers

    def filled(self, raw: Any, numbers: np.ndarray[Any, Any]) -> Any:
        """Raw data whose missing cells are those of numbers, with as many decimals as the data; all others are as they were."""
        import polars as pl

        missing = np.isnan(self.to_array(raw))
        container = container_of(raw)
        if not self.columns and container == "numpy":
            return np.where(missing, numbers, raw)
        named = self._named(raw)
        places = dict(zip(self.names if self.columns else named.columns, missing.T, strict=True))
        decimals = {column.name: column.decimals for column in self.used}
        made = self._frame(self._rounded(numbers), named)
        made = made.with_columns(
            of_columns.among_text(made[name], decimals.get(name))
            for name in made.columns
            if made[name].dtype.is_float() and named[name].dtype == pl.String
        )
        cells = [
            pl.when(pl.lit(pl.Series(places[name]))).then(made[name]).otherwise(named[name]).alias(name)
            for name in named.columns
            if name in places and places[name].any()
        ]
        return self._contained(named.with_columns(cells), container, raw)

    def _contained(self, frame: pl.DataFrame, container: str, like: Any) -> Any:
        """A frame as a table of that library."""
        if container == "numpy":
            found = frame.to_numpy()
            return found.astype(like.dtype) if like is not None and like.dtype.kind == found.dtype.kind in TEMPORAL else found
        if container == "pandas":
            return self._of_pandas(frame, like)
        return as_arrow(frame, like) if container == "pyarrow" else frame

    def _of_pandas(self, frame: pl.DataFrame, like: Any = None) -> Any:
        """A frame of pandas, with the labels and categories that were learned, or with labels, index and types as in ``like``."""
        import pandas as pd

        found = frame.to_pandas()
        for column in self.columns:
            if column.categories and column.type != "numeric" and column.name in found:
                found[column.name] = as_categories(found[column.name], column)
        if like is not None:
            return labelled(found, like)
        labels = [label for label, column in zip(self.labels, self.columns, strict=True) if column.used] if self.labels else []
        return found.set_axis(pd.Index(labels), axis=1) if labels else found

    def warn_of_gaps(self, found: np.ndarray[Any, Any]) -> None:
        """Say which columns have gaps, by the elements (n,) that have some, where none had any to learn from."""
        columns = list(dict.fromkeys(np.array(self.column_of)[found].tolist()))
        warn(
            f"Column {self.names[columns[0]]!r}{_more(len(columns) - 1)} has gaps, and had none when the model was fitted: its "
            "mean stands in for them. Fill them, or fit on rows of which some have gaps."
        )

    def placed(self, numbers: np.ndarray[Any, Any], raw: Any) -> np.ndarray[Any, Any]:
        if not self.matches_names(raw):
            return numbers
        places = {column.name: place for place, column in enumerate(self.columns)}
        return numbers[:, [places[name] for name in column_names(raw)]]

    def _frame(self, numbers: np.ndarray[Any, Any], like: pl.DataFrame | None) -> pl.DataFrame:
        """The columns in their types; those left out as they are in ``like``, if they are there."""
        import polars as pl

        if like is not None and not self.columns:  # of an array, whose columns have no names of their own
            return framed([pl.Series(name, column) for name, column in zip(like.columns, numbers.T, strict=True)])
        used, there = iter(numbers.T), {} if like is None else like.to_dict()
        found = [of_columns.from_numbers(column, next(used)) if column.used else there.get(column.name) for column in self.columns]
        return framed([some for some in found if some is not None])

    def scaling(self, values: Tensor | None = None, *, squashed: bool = False) -> Scaling:
        """Standardises the numbers and draws in heavy tails; the tails of all of them, where ``squashed``."""
        import torch

        from hourglass.parts.scaling import Expand, Squash, Standardize, expand, squash

        inner: Scaling
        if values is None:
            first, second = (Standardize(torch.zeros(self.shape), torch.ones(self.shape)) for _ in range(2))
            inner = Squash(first, second, torch.zeros(self.shape, dtype=torch.bool))
        else:
            numbers = torch.tensor([i < cell.plain and not cell.levels for cell in self.cells for i in range(cell.width)])
            inner = squash(expand(values, self.cells) if self._expands else values, numbers, numbers if squashed else None)
        return Expand(self.cells, inner) if self._expands else inner

    @cached_property
    def used(self) -> tuple[Column, ...]:
        """The columns that the networks see; none of an array of numbers."""
        return tuple(column for column in self.columns if column.used)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """What each cell of a row becomes."""
        return tuple(column.cell for column in self.used) if self.columns else (NUMBER,) * self.shape[0]

    @property
    def _expands(self) -> bool:
        return any(cell != NUMBER for cell in self.cells)

    @property
    def categories(self) -> Runs:
        ends = accumulate(cell.width for cell in self.cells)
        return tuple((end - cell.levels, end) for cell, end in zip(self.cells, ends, strict=True) if cell.levels)

    @property
    def column_of(self) -> tuple[int, ...]:
        return tuple(i for i, cell in enumerate(self.cells) for _ in range(cell.width))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.used) if self.columns else tuple(f"x{i}" for i in range(self.shape[0]))

    @property
    def dimensions(self) -> int:
        return len(self.names)

    @property
    def element_names(self) -> tuple[str, ...]:
        return tuple(name for column in self.used for name in of_columns.element_names(column)) or self.names

    def summed(self, values: Tensor) -> np.ndarray[Any, Any]:
        """Sums over what each cell became (n, columns); NaN for columns left out."""
        import torch

        if not self._expands and all(column.used for column in self.columns):
            return values.numpy()
        sums = values.new_zeros((len(values), len(self.cells))).index_add_(1, torch.tensor(self.column_of), values).numpy()
        found = np.full((len(sums), len(self.columns)), np.nan, sums.dtype)
        found[:, [column.used for column in self.columns]] = sums
        return found

    def describe(self) -> str:
        if not self.columns:
            return f"a table of {self.shape[0]} numeric column{'s' * (self.shape[0] > 1)}"
        counts = {name: sum(column.type == name for column in self.columns) for name in TYPES}
        words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        return f"a table of {words} column{'s' * (len(self.columns) > 1)}"

    def reason(self, place: int, observed: float, expected: float, usual: tuple[float, float], often: float) -> str:
        """Why a cell of the column at that place is strange: in words, and in its units."""
        column = self.used[place] if self.columns else Column(f"x{place}")
        if math.isnan(observed):
            return f"{column.name} is missing, as in {often:.2%} of the training rows"
        seen, behind = of_columns.shown(column, observed), ""
        wanted: str | None = of_columns.shown(column, of_columns.rounded(column, expected))
        if column.type == "datetime":
            wanted = of_columns.expected_time(column, observed, expected)
        elif column.type == "numeric":
            low, high = (of_columns.shown(column, of_columns.rounded(column, end)) for end in usual)
            behind = f"; usual is {low}" if low == high else f"; usual are {low} to {high}"
        same = wanted in (seen, None)
        if seen == repr(OTHER):
            seen = "a rare or unknown level"
        if column.type in ("boolean", "categorical"):
            seen += f" ({often:.2%} of the training rows)"
        return f"{column.name} is {seen}, {ALIKE if same else f'expected {wanted}'}{behind}"

    def schema(self) -> pl.DataFrame:
        """What was decided for each column, and why."""
        import polars as pl

        return pl.DataFrame(
            {
                "column": [column.name for column in self.known],
                "type": [column.type for column in self.known],
                "why": [column.why for column in self.known],
                "dtype": [column.dtype for column in self.known],
                "missing": [column.missing for column in self.known],
                "levels": [", ".join(column.levels) for column in self.known],
            }
        )

    @cached_property
    def known(self) -> tuple[Column, ...]:
        """What is known of each column, also of an array's."""
        return self.columns or tuple(Column(name, why="an array of numbers", dtype=self.dtype) for name in self.names)

    @property
    def raw_shape(self) -> tuple[int, ...]:
        return (len(self.columns),) if self.columns else self.shape

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        columns = tuple(
            Column(
                **{
                    **column,
                    "levels": tuple(column["levels"]),
                    "categories": tuple(column["categories"]),
                    "cell": Cell(column["cell"]["levels"], column["cell"]["plain"], tuple(column["cell"]["cycles"])),
                }
            )
            for column in config["columns"]
        )
        labels = tuple(tuple(label) if isinstance(label, list) else label for label in config["labels"])
        return cls(tuple(config["shape"]), config["dtype"], columns, config["container"], config["gaps"], labels)


def _asked(columns: Mapping[str, str], names: list[str]) -> dict[str, str]:
    for name, asked in columns.items():
        one_of(name, dict.fromkeys(names), "columns", "the table")
        if asked not in TYPES:
            raise ParameterError(f"The 'columns' parameter has no type {asked!r} for {name!r}. {suggest(asked, TYPES)}")
    return dict(columns)


def _say_left_out(learned: tuple[Column, ...], asked: Mapping[str, str]) -> None:
    left = [column for column in learned if not column.used]
    if len(left) == len(learned):
        as_text = len(left) == 1 and left[0].dtype == "String" and bool(left[0].missing < 1)
        how = " To learn the text itself, say kind='token' (by characters) or kind='words'." if as_text else ""
        raise DataError(f"No column is left to learn from: {left[0].name!r} is {_said(left[0])}{_more(len(left) - 1)}.{how}")
    for column in left:
        name = column.name
        if name not in asked:
            warn(f"Column {name!r} is {_said(column)}. It is left out; choose otherwise with columns={{{name!r}: ...}}.")


def _said(column: Column) -> str:
    return f"{'an identifier' if column.type == 'identifier' else 'of no use'} ({column.why})"


def _warn_of_constants(numbers: np.ndarray[Any, Any], names: list[str], columns: list[Column] | None = None) -> None:
    if len(numbers) < 2:
        return
    first = numbers[0]
    constant = np.flatnonzero((numbers == first).all(0))
    if not len(constant):
        return
    index = int(constant[0])
    value = f"{first[index]:g}" if columns is None else of_columns.shown(columns[index], float(first[index]))
    warn(
        f"Column {names[index]}{_more(len(constant) - 1)} is constant, {value} in every row: "
        "it teaches nothing and is rebuilt as it is."
    )


def _more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def _require_two_dimensions(raw: Any, kinds: Mapping[int, str] | None = None) -> None:
    """Refuse what has no rows and columns, in the words of a number of dimensions, if there are such."""
    if is_table(raw) or raw.ndim == 2:
        return
    if raw.ndim < 2:
        how = "Reshape your data with .reshape(-1, 1) if it has a single column, or .reshape(1, -1) if it is a single row."
    else:
        how = f"{(kinds or {}).get(raw.ndim, '')}To take all of a row as columns, pass X.reshape(len(X), -1)."
    raise DataError(f"Expected 2D array, got {raw.ndim}D array instead: a table has rows and columns. {how}")


def _require_no_infinity(numbers: np.ndarray[Any, Any], first_row: int = 0) -> None:
    if numbers.dtype.kind == "f" and np.isinf(numbers).any():
        row, column = (int(i) for i in np.argwhere(np.isinf(numbers))[0])
        raise DataError(
            f"The table holds {numbers[row, column]} in row {of_columns.numbered(first_row + row)}, column {column}. "
            "Fill it, or leave that row or column out."
        )


def _as_numbers(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """An array as uint8, float32 or float64; None if it holds other things than numbers."""
    if raw.dtype.kind == "c":
        raise DataError("Complex data not supported: pass the real and the imaginary part as columns of their own.")
    if raw.dtype.kind in "OUS":
        try:
            return raw.astype(np.float64)
        except (ValueError, TypeError):
            return None
    if raw.dtype.kind in TEMPORAL:
        return None
    return np.asarray(raw, dtype=raw.dtype if raw.dtype == np.uint8 else float_of(raw.dtype))
