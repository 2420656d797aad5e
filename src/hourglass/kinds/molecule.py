"""Molecules: SMILES in and out, SELFIES between, so that every row of symbols is a molecule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from hourglass.errors import DataError, MissingExtraError
from hourglass.kinds.token import TokenKind, one_column, shown

ATOM = r"\[[^\[\]]+\]|Br|Cl|[BCNOPSFIbcnops*]"
SMILES = re.compile(rf"(?:{ATOM}|[-=#$:/\\.()~]|%\d\d|\d)+")
TELLING = re.compile(r"[=#()\[\]\d]")  # what molecules have and words have not
LOOKED_AT, MOST = 100, 0.9  # rows, and the share of them that has to look like molecules
KEPT = 2**18  # molecules whose SELFIES are remembered: a pile is read twice, the first time to learn its alphabet
COLUMN = "smiles"


@dataclass(frozen=True)
class MoleculeKind(TokenKind):
    """Molecules, whose symbols are those of SELFIES (Krenn et al. 2020): whatever is decoded obeys the rules of valence.

    SMILES are made canonical by RDKit on the way in and on the way out.
    """

    name: ClassVar[str] = "molecule"
    symbol: ClassVar[str] = "SELFIES symbol"

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if not isinstance(raw, np.ndarray) or raw.ndim != 1 or raw.dtype.kind not in "OU" or len(raw) == 0:
            return None
        some = raw[np.linspace(0, len(raw) - 1, min(len(raw), LOOKED_AT)).astype(int)]
        tests = SMILES.fullmatch, TELLING.search
        fit, telling = (sum(isinstance(row, str) and bool(test(row)) for row in some) for test in tests)
        return f"a list of {len(raw)} SMILES is {len(raw)} molecules" if min(fit, telling) >= MOST * len(some) else None

    @classmethod
    def column_of_table(cls, table: Any) -> Any:
        """The only column, or the one called SMILES."""
        return one_column(table, lambda name: name.lower() == COLUMN)

    @classmethod
    def split(cls, line: str, row: int) -> Sequence[str]:
        if not line.strip():
            return ()
        try:
            return _libraries().split(_read(line.strip()))
        except ValueError as error:
            raise DataError(f"Row {row}, {shown(line)}, {error}. Leave it out, or mend it.") from error

    @classmethod
    def joined(cls, symbols: Sequence[str]) -> str:
        return _written("".join(symbols))

    def describe(self) -> str:
        return f"molecules of up to {self.shape[0]} {self.symbol}s, {len(self.alphabet)} different ones"


class _Libraries:
    """RDKit and selfies, imported when a molecule is first met."""

    def __init__(self) -> None:
        try:
            import selfies
            from rdkit import Chem, rdBase
        except ImportError as error:
            raise MissingExtraError("Molecules need RDKit and selfies. Run: pip install 'hourglass-ae[molecules]'") from error
        self.chem, self.quiet, self.selfies = Chem, rdBase.BlockLogs, selfies

    def split(self, line: str) -> tuple[str, ...]:
        """The symbols of a SELFIES."""
        return tuple(self.selfies.split_selfies(line))

    def canonical(self, smiles: str) -> str | None:
        """The one SMILES that RDKit writes of a molecule; None of what is none."""
        with self.quiet():  # what it says of strings that are none, it says on the terminal
            molecule = self.chem.MolFromSmiles(smiles)
            return None if molecule is None or not molecule.GetNumAtoms() else str(self.chem.MolToSmiles(molecule))


@lru_cache(1)
def _libraries() -> _Libraries:
    return _Libraries()


@lru_cache(KEPT)
def _read(smiles: str) -> str:
    """The SELFIES of a SMILES; a `ValueError` has what is wrong."""
    libraries = _libraries()
    canonical = libraries.canonical(smiles)
    if canonical is None:
        raise ValueError("is no molecule that RDKit can read")
    try:
        return str(libraries.selfies.encoder(canonical))
    except libraries.selfies.EncoderError as error:
        raise ValueError("can't be written as SELFIES") from error


def _written(line: str) -> str:
    """The SMILES of a SELFIES, canonical."""
    libraries = _libraries()
    smiles = str(libraries.selfies.decoder(line))
    return libraries.canonical(smiles) or smiles
