"""Rows of symbols: strings, read a character or a word at a time, and lists of symbols, of differing lengths."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hourglass.errors import DataError, listed, shown, warn
from hourglass.kinds.base import Kind, described, refuse_columns
from hourglass.kinds.frames import column_names
from hourglass.parts.base import Part

if TYPE_CHECKING:
    from torch import Tensor

    from hourglass.parts.likelihoods import Runs
    from hourglass.parts.scaling import Scaling

Row = str | Sequence[str]
END = 0  # the number of what ends a row that is shorter than the longest one; symbols count from 1
EMPTY: tuple[Row, ...] = ("", [], ())  # rows without a symbol, which a model may write and nobody can give it
INVISIBLE = {" ": "a blank", "\t": "a tab"}
UNSEEN = ""  # in an alphabet: the symbol that stands for all others, and at the last position of a longer row for the rest of it


@dataclass(frozen=True)
class TokenKind(Kind):
    """Strings; the networks see (length, 1 + symbols): at each position a one among zeros, first the end, and behind it zeros.

    In memory a position is a whole number: 0 for the end and all behind it, else 1 + the symbol's place in the alphabet. A row that
    is as long as the longest one has no end.
    """

    name: ClassVar[str] = "token"
    unit: ClassVar[bool] = True
    symbolic: ClassVar[bool] = True
    symbol: ClassVar[str] = "character"  # what a symbol of a string is called
    alphabet: tuple[str, ...] = ()
    listed: bool = False  # whether rows came as lists of symbols, and go as such

    # What another notation has of its own

    @classmethod
    def split(cls, line: str, row: int) -> Sequence[str]:
        """The symbols of a string; ``row`` is its number, for messages."""
        return line

    @classmethod
    def joined(cls, symbols: Sequence[str]) -> str:
        """The string of symbols."""
        return "".join(symbols)

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if not isinstance(raw, np.ndarray) or raw.ndim != 1 or raw.dtype.kind not in "OU" or len(raw) == 0:
            return None
        if all(isinstance(row, str) for row in raw):
            return f"a list of {len(raw)} strings is {len(raw)} rows of {cls.symbol}s"
        return f"a list of {len(raw)} lists of strings is {len(raw)} rows of symbols" if all(map(is_listed, raw)) else None

    @classmethod
    def learn(
        cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False, asked: Part | None = None
    ) -> Self:
        refuse_columns(columns, "rows of symbols")
        rows = cls.rows_of(raw)
        longest, found = 0, set[str]()
        for symbols in cls._symbols(rows):
            longest = max(longest, len(symbols))
            found.update(symbols)
        found.update([UNSEEN] * timeless)
        return cls((longest, 1 + len(found)), "str", tuple(sorted(found)), bool(rows) and not isinstance(rows[0], str))

    @classmethod
    def rows_of(cls, raw: Any) -> list[Any]:
        """The rows of an array of strings, of an array or list of lists of symbols, or of a table of one column."""
        if hasattr(raw, "columns"):
            raw = cls.column_of_table(raw)
        if isinstance(raw, np.ndarray) and raw.dtype.kind in "OU" and raw.ndim in (1, 2):
            found: list[Row] = raw.tolist()
            return found
        raise DataError(
            "Rows of symbols are a list of strings, a list of lists of strings, or a column of strings. "
            f"Got {described(raw, typed=True)}."
        )

    @classmethod
    def column_of_table(cls, table: Any) -> Any:
        """The column that has the strings, as an array: there is only one."""
        return one_column(table, lambda name: False)

    @classmethod
    def _symbols(cls, rows: Sequence[Any], first_row: int = 0) -> Iterator[Sequence[str]]:
        """The symbols of each row."""
        for number, row in enumerate(rows, first_row):
            if not isinstance(row, str) and not is_listed(row):
                raise DataError(f"Row {number} is {shown(row)}, no string. Leave it out, or write what it stands for.")
            symbols = cls.split(row, number) if isinstance(row, str) else row
            if not symbols:
                raise DataError(f"Row {number} is empty. Leave it out.")
            if not isinstance(row, str) and UNSEEN in symbols:
                raise DataError(f"Row {number} has an empty string among its symbols. Leave it out, or write what it stands for.")
            yield symbols

    def symbols_of(self, raw: Any, *, drawn: bool = False) -> list[Sequence[str]]:
        """The symbols of each row of raw data; those that are ``drawn`` may have none."""
        rows = enumerate(self._as_learned(self.rows_of(raw)))
        return [() if drawn and row in EMPTY else next(iter(self._symbols([row], number))) for number, row in rows]

    def _as_learned(self, rows: Sequence[Any]) -> list[Any]:
        """Rows, lists of symbols being read of a line too, where files have blanks between them."""
        return [row.split() if self.listed and isinstance(row, str) else row for row in rows]

    # How alarms speak of a row

    def place_name(self, row: Any, place: int) -> str:
        """What the position of that number is called in a row."""
        return f"position {place}"

    def symbol_name(self, row: Any, symbol: str) -> str:
        """What a symbol means in a row."""
        return INVISIBLE.get(symbol, symbol) or self.unseen

    def exceeds(self, row: Any) -> bool:
        """Whether a row of raw data is longer than all that were learned from."""
        return len(next(iter(self._symbols(self._as_learned([row]))))) > self.shape[0]

    def known(self, raw: Any) -> np.ndarray[Any, Any]:
        """Which rows of raw data (n,) a model of this kind can take: those of known symbols, and no longer than its own."""
        return np.array([self._takes(row) for row in self.rows_of(raw)], bool)

    def readable(self, raw: Any) -> np.ndarray[Any, Any]:
        """Those rows."""
        rows: np.ndarray[Any, Any] = as_objects(self.rows_of(raw))[self.known(raw)]
        return rows

    def _takes(self, row: Row) -> bool:
        with contextlib.suppress(DataError):
            self.to_array(as_objects([row]))
            return True
        return False

    def mended(self, raw: Any, mend: Callable[[np.ndarray[Any, Any]], list[Any]]) -> list[Any]:
        """Rows of raw data, mended by a function; those that the model can't take stay as they came, of which a warning tells."""
        rows, unseen = as_objects(self.rows_of(raw)), self._never_seen(raw)
        fit = np.setdiff1d(np.arange(len(rows)), [*unseen])
        if len(fit):
            rows[fit] = as_objects(mend(rows[fit]))
        if unseen:
            strange = listed(map(self.called, sorted(set[str]().union(*unseen.values()))))
            long = sum(not symbols for symbols in unseen.values())
            why = [f"{len(unseen) - long:,} with what it has never seen ({strange})"] * (long < len(unseen))
            why += [f"{long:,} with more than {self.shape[0]} {self.piece}s"] * (long > 0)
            warn(f"{len(unseen):,} of {len(rows):,} rows stay as they came, as the model can't take them: {' and '.join(why)}.")
        found: list[Any] = rows.tolist()
        return found

    def _never_seen(self, raw: Any) -> dict[int, set[str]]:
        """The numbers of rows that the model can't take, and which of their symbols it has never seen: none of a long row."""
        known, length = frozenset(self.alphabet), self.shape[0]
        rows = enumerate(self._pieces(raw))
        return {row: {*symbols} - known for row, symbols in rows if len(symbols) > length or not known.issuperset(symbols)}

    def check(self, raw: Any) -> None:
        if len(raw) or not isinstance(raw, np.ndarray):  # that an array has no rows is said otherwise
            self.rows_of(raw)

    def to_array(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        return self._numbered(self._pieces(raw, first_row), len(raw), first_row)

    def _pieces(self, raw: Any, first_row: int = 0) -> Iterable[Sequence[str]]:
        """What stands at the positions of each row."""
        return self._symbols(self._as_learned(self.rows_of(raw)), first_row)

    def _numbered(self, rows: Iterable[Sequence[str]], n: int, first_row: int = 0) -> np.ndarray[Any, Any]:
        """The numbers (n, length) of the symbols of so many rows."""
        length = self.shape[0]
        numbers = {symbol: number for number, symbol in enumerate(self.alphabet, END + 1)}
        other = numbers.get(UNSEEN)
        dtype = next(dtype for dtype in (np.uint8, np.int16, np.int64) if len(self.alphabet) <= np.iinfo(dtype).max)
        found = np.full((n, length), END, dtype)
        for row, symbols in enumerate(rows):
            unknown = next((symbol for symbol in symbols if symbol not in numbers), None)
            if unknown is not None and other is None:
                raise DataError(
                    f"Row {first_row + row} has {self.called(unknown)}, which the model has never seen. "
                    "Leave the row out, or fit a model on data that has it."
                )
            if len(symbols) > length and other is None:
                raise DataError(
                    f"Row {first_row + row} has {len(symbols)} {self.piece}s, and the model takes {length} at most. "
                    "Leave it out, or fit a model on rows as long."
                )
            found[row, : len(symbols)] = [numbers.get(symbol, other) for symbol in symbols[:length]]
            if len(symbols) > length:
                found[row, -1] = other
        return found  # (n, length)

    def called(self, symbol: str) -> str:
        """What a symbol is called in messages."""
        return f"the {self._letter} {symbol!r}"

    def from_array(self, numbers: np.ndarray[Any, Any], like: Any = None) -> Any:
        """A list of strings, or of lists of symbols if the model was fitted on such."""
        symbols, ended = np.array(["", *self.alphabet], dtype=object)[numbers], numbers == END
        lengths = np.where(ended.any(1), ended.argmax(1), numbers.shape[1]).tolist()
        rows = [row[:length].tolist() for row, length in zip(symbols, lengths, strict=True)]
        return rows if self.listed else [self.joined(row) for row in rows]

    def lengths(self, values: Tensor) -> Tensor:
        """How much of rows (n, length) counts, (n,): up to the end, which is part of it where there is one."""
        return ((values != END).sum(1) + 1).clamp(max=values.shape[1])

    def summed(self, values: Tensor) -> np.ndarray[Any, Any]:
        """Sums over the alphabet: an array (n, length)."""
        return values.sum(-1).numpy()

    def roomy(self) -> Self:
        """Rows may be an eighth longer, and at least two symbols."""
        longest, symbols = self.shape
        return replace(self, shape=(longest + max(longest // 8, 2), symbols))

    def scaling(self, values: Tensor | None = None, *, squashed: bool = False) -> Scaling:
        from hourglass.parts.scaling import OneHot

        return OneHot(self.shape[1])

    def describe(self) -> str:
        return f"rows of up to {self.shape[0]} {self.piece}s, {self.different} different ones"

    @property
    def _letter(self) -> str:
        """What a symbol is called: of lists, any string may be one."""
        return "symbol" if self.listed else self.symbol

    @property
    def piece(self) -> str:
        """What is called that stands at a position."""
        return self._letter

    @property
    def unseen(self) -> str:
        """What a symbol is called that was never seen."""
        return f"a {self._letter} never seen"

    @property
    def different(self) -> int:
        """How many symbols there were."""
        return sum(symbol != UNSEEN for symbol in self.alphabet)

    @property
    def raw_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def n_features(self) -> int:
        return self.shape[0]

    @property
    def categories(self) -> Runs:
        return ((0, self.shape[1]),)


@dataclass(frozen=True)
class WordKind(TokenKind):
    """Strings, read a word at a time: what stands between blanks."""

    name: ClassVar[str] = "words"
    symbol: ClassVar[str] = "word"

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        return None  # only where it is asked for

    @classmethod
    def split(cls, line: str, row: int) -> Sequence[str]:
        return line.split()

    @classmethod
    def joined(cls, symbols: Sequence[str]) -> str:
        return " ".join(symbols)


def one_column(table: Any, wanted: Callable[[str], bool]) -> np.ndarray[Any, Any]:
    """The only column of a table, or the only one whose name is wanted, as an array (n,) of objects."""
    names = column_names(table)
    places = [place for place, name in enumerate(names) if len(names) == 1 or wanted(name)]
    if len(places) != 1:
        if not names:
            raise DataError("The table has no columns, so there are no rows of symbols. Give it one.")
        raise DataError(f"Which column has the rows of symbols? The table has {', '.join(names)}. Pass that column alone.")
    if hasattr(table, "iloc"):  # pandas
        column = table.iloc[:, places[0]].tolist()
    else:  # polars and pyarrow
        column = table.to_series(places[0]).to_list() if hasattr(table, "to_series") else table.column(places[0]).to_pylist()
    return as_objects(column)


def as_objects(rows: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Strings, or lists that may differ in length, as an array (n,) of objects."""
    found = np.empty(len(rows), dtype=object)
    for number, row in enumerate(rows):
        found[number] = row
    return found


def is_listed(row: Any) -> bool:
    """Whether a row is a list of symbols."""
    return isinstance(row, (list, tuple)) and all(isinstance(symbol, str) for symbol in row)
