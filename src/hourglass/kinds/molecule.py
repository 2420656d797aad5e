"""Molecules: SMILES in and out, SELFIES between, so that every row of symbols is a molecule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from hourglass.data import molecules
from hourglass.data.fragments import cut, fragments
from hourglass.data.nested import SYMBOL
from hourglass.errors import DataError, shown
from hourglass.kinds.base import length, rows
from hourglass.kinds.frames import column_names
from hourglass.kinds.token import TokenKind, one_column

FRAGMENTS = 300  # that stand in the alphabet behind its symbols, at most


@dataclass(frozen=True)
class MoleculeKind(TokenKind):
    """Molecules, whose symbols are those of SELFIES (Krenn et al. 2020): whatever is decoded obeys the rules of valence.

    Branches stand in brackets, and rings have sizes, see `hourglass.data.nested`. SMILES are made canonical by RDKit on the way in
    and on the way out; salts and charges stay as they are written.

    Where it is ``in_fragments``, symbols that often stand side by side, such as those of a benzene ring, are one symbol more.
    """

    name: ClassVar[str] = "molecule"
    ending: ClassVar[str] = ".smi"
    symbol: ClassVar[str] = "SELFIES symbol"

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if hasattr(raw, "columns"):
            return cls._recognise_table(raw)
        if not isinstance(raw, np.ndarray) or raw.ndim != 1 or raw.dtype.kind not in "OU":
            return None
        if len(raw) and 2 * sum(map(molecules.is_of_rdkit, raw)) > len(raw):
            return f"a list of {len(raw)} molecules of RDKit is molecules"
        return f"a list of {len(raw)} SMILES is {len(raw)} molecules" if molecules.look_like_smiles(raw) else None

    @classmethod
    def _recognise_table(cls, table: Any) -> str | None:
        names = column_names(table)
        called = molecules.smiles_column(names) is not None
        if not called and len(names) != 1:
            return None
        some = cls.column_of_table(rows(table, 0, molecules.LOOKED_AT))
        if not (molecules.look_like_smiles(some, molecules.HALF, 0) if called else molecules.look_like_smiles(some)):
            return None
        others = f"; the other {len(names) - 1} are left out" if len(names) > 1 else ""
        return f"a column of {length(table)} SMILES is {length(table)} molecules{others}"

    @classmethod
    def left_out(cls, raw: Any) -> str | None:
        others = len(column_names(raw)) - 1 if hasattr(raw, "columns") else 0
        if not others:
            return None
        return (
            f"The table is taken for molecules, for its column of SMILES, and {others} other column{'s' * (others > 1)} "
            f"{'are' if others > 1 else 'is'} left out. To learn from all of them, say kind='table'."
        )

    @classmethod
    def column_of_table(cls, table: Any) -> Any:
        """The only column, or the one called SMILES, see `hourglass.data.molecules.smiles_column`."""
        called = molecules.smiles_column(column_names(table))
        return one_column(table, lambda name: name == called)

    @classmethod
    def rows_of(cls, raw: Any) -> list[Any]:
        return [molecules.as_smiles(row) for row in super().rows_of(raw)]

    @classmethod
    def split(cls, line: str, row: int) -> Sequence[str]:
        if not line.strip():
            return ()
        try:
            return molecules.to_symbols(line.strip())
        except ValueError as error:
            raise DataError(f"Row {row}, {shown(line)}, {error}. Leave it out, or mend it.") from error

    @classmethod
    def joined(cls, symbols: Sequence[str]) -> str:
        return molecules.to_smiles(symbols)

    def in_fragments(self, raw: Any) -> Self:
        rows = self.symbols_of(raw)
        found = () if self.listed else tuple(fragments(rows, FRAGMENTS))
        if not found:
            return self
        kind = replace(self, alphabet=self.alphabet + found)
        longest = max(map(len, kind._cut(rows)))
        return replace(kind, shape=(longest, 1 + len(kind.alphabet))).roomy()  # others may be of rarer fragments

    def _pieces(self, raw: Any, first_row: int = 0) -> Iterable[Sequence[str]]:
        return self._cut(super()._pieces(raw, first_row))

    def _cut(self, rows: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
        """Rows in the fragments of the alphabet."""
        known, longest = frozenset(self.alphabet), max(map(len, self.alphabet))
        return (cut(row, known, longest) for row in rows)

    def _as_learned(self, rows: Sequence[Any]) -> list[Any]:
        return list(rows)  # a string is a SMILES, even where lists of symbols were learned from

    @property
    def piece(self) -> str:
        whole = any(len(SYMBOL.findall(piece)) > 1 for piece in self.alphabet)
        return "fragment" if whole else self.symbol

    def describe(self) -> str:
        return f"molecules of up to {self.shape[0]} {self.piece}s, {self.different} different ones"
