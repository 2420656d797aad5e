"""Molecules in files and in drawings, by RDKit, and as SELFIES: both libraries are imported when a molecule is first met."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hourglass.data.lines import write_lines
from hourglass.data.nested import SYMBOL, flat, nested
from hourglass.data.some import spread
from hourglass.data.tables import text_of, typed
from hourglass.errors import FileError, MissingExtraError, warn

if TYPE_CHECKING:
    import polars as pl

ATOM = r"\[[^\[\]]+\]|Br|Cl|[BCNOPSFIbcnops*]"
SMILES = re.compile(rf"(?:{ATOM})(?:{ATOM}|[-=#$:/\\.()~]|%\d\d|\d)*")  # an atom first: dates and prices are none
TELLING = re.compile(r"[=#()\[\]\d]")  # what molecules have and words have not
LOOKED_AT, MOST = 100, 0.9  # rows, and the share of them that has to look like molecules
HALF = 0.5  # the share that has to look so in a column that is called SMILES
FEW = 0.1  # the share that has to have what words have not, for strings to be written as a column that is called SMILES
KEPT = 2**18  # molecules whose symbols are remembered: a pile is read twice, the first time to learn its alphabet
COLUMN, TITLE = "smiles", "name"
END = "$$$$"  # of a record
BROKEN = "?"  # stands for a record that is none; RDKit reads no molecule in it
NAMED = 5  # rows that are left out which a warning names
SIZE = 240, 180  # pixels of a drawing
ACROSS = 4  # drawings in a line of a grid
MOST_PIXELS = 32_767  # of a side of a picture that Cairo draws
LIMITED = (  # elements of which RDKit reads so many bonds and no more
    *("H", "Be", "B", "C", "N", "O", "F", "Al", "Si", "P", "S", "Cl", "Ga", "Ge", "As", "Se", "Br"),
    *("In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Pb", "Bi", "At"),
)
CHARGES = ("-2", "-1", "", "+1", "+2", "+3")
MOST_BONDS = 8  # that selfies lets atoms have of which it knows nothing: those of metals


class Libraries:
    """RDKit and selfies."""

    def __init__(self) -> None:
        try:
            import selfies
            from rdkit import Chem, rdBase
        except ImportError as error:
            raise MissingExtraError("Molecules need RDKit and selfies. Run: pip install 'hourglass-ae[molecules]'") from error
        self.chem, self.quiet, self.selfies = Chem, rdBase.BlockLogs, selfies
        ions = [atom + charge for atom in LIMITED for charge in CHARGES]
        selfies.set_semantic_constraints({ion: self._bonds(ion) for ion in ions} | selfies.get_preset_constraints("default"))

    def _bonds(self, atom: str) -> int:
        """How many bonds an atom has at most in what RDKit reads."""
        return next(count for count in range(MOST_BONDS, -1, -1) if self.molecule(f"[{atom}]" + "(C)" * count) is not None)

    def molecule(self, smiles: str) -> Any:
        """What RDKit reads, with salts and charges as they are written; None of what is no molecule."""
        with self.quiet():  # what it says of strings that are none, it says on the terminal
            molecule = self.chem.MolFromSmiles(smiles)
        return molecule if molecule is not None and molecule.GetNumAtoms() else None

    def canonical(self, smiles: str) -> str | None:
        """The one SMILES that RDKit writes of a molecule; None of what is none."""
        molecule = self.molecule(smiles)
        return None if molecule is None else str(self.chem.MolToSmiles(molecule))

    def filled(self, smiles: str) -> str:
        """The same molecule, with hydrogen where what is written as a stereocentre lacks bonds: it would be a radical.

        SELFIES takes the hydrogen of such an atom as it is written, however many bonds it gets. A stereocentre of a real molecule
        has all of its bonds.
        """
        molecule = self.molecule(smiles) if "@" in smiles else None
        lacking = [] if molecule is None else [atom for atom in molecule.GetAtoms() if atom.GetNumRadicalElectrons()]
        written = self.chem.MolFromSmiles(smiles, sanitize=False) if lacking else None
        if molecule is None or written is None or written.GetNumAtoms() != molecule.GetNumAtoms():
            return smiles
        for atom in lacking:
            if written.GetAtomWithIdx(atom.GetIdx()).GetChiralTag() != self.chem.ChiralType.CHI_UNSPECIFIED:
                atom.SetNumExplicitHs(atom.GetNumExplicitHs() + atom.GetNumRadicalElectrons())
                atom.SetNumRadicalElectrons(0)
        return str(self.chem.MolToSmiles(molecule))


@lru_cache(1)
def libraries() -> Libraries:
    """Both, imported once."""
    return Libraries()


@lru_cache(KEPT)
def to_symbols(smiles: str) -> tuple[str, ...]:
    """The SELFIES of a SMILES, with branches in brackets and sizes of rings; a `ValueError` has what is wrong."""
    canonical, selfies = libraries().canonical(smiles), libraries().selfies
    if canonical is None:
        raise ValueError("is no molecule that RDKit can read")
    try:
        return tuple(nested(list(selfies.split_selfies(selfies.encoder(canonical)))))
    except selfies.EncoderError as error:
        raise ValueError("can't be written as SELFIES") from error


def to_smiles(symbols: Sequence[str]) -> str:
    """The SMILES of such symbols, canonical; several may stand in one string."""
    smiles = libraries().filled(str(libraries().selfies.decoder("".join(flat(SYMBOL.findall("".join(symbols)))))))
    return libraries().canonical(smiles) or smiles


def look_like_smiles(rows: Any, fit: float = MOST, telling: float = MOST) -> bool:
    """Whether strings (n,) are molecules, by the look of some: the share that could be, and that which has what words have not."""
    some = rows[spread(len(rows), LOOKED_AT)]
    found = [sum(isinstance(row, str) and bool(test(row.strip())) for row in some) for test in (SMILES.fullmatch, TELLING.search)]
    return len(rows) > 0 and found[0] >= fit * len(some) and found[1] >= telling * len(some)


def is_of_rdkit(row: Any) -> bool:
    """Whether a row is a molecule of RDKit and no text; RDKit need not be there."""
    return hasattr(row, "GetNumAtoms")


def as_smiles(row: Any) -> Any:
    """The SMILES of a molecule of RDKit; all else as it is."""
    return libraries().chem.MolToSmiles(row) if is_of_rdkit(row) else row


def is_smiles_column(name: str) -> bool:
    """Whether a column is called so."""
    return name.strip().lower() == COLUMN


def smiles_column(names: Iterable[str]) -> str | None:
    """The column that is called so; else the only one in other letters; else the only one that has it, as ``canonical_smiles``."""
    names = list(names)
    ways = (COLUMN.__eq__, is_smiles_column, lambda name: COLUMN in name.lower())
    found = (list(filter(fits, names)) for fits in ways)
    return next((fitting[0] for fitting in found if len(fitting) == 1), None)


# Reading


def read_sdf(path: Path) -> pl.DataFrame:
    """The molecules of an SDF, gzipped or not: ``smiles``, ``name`` where there are titles, and a column for each property.

    A record that RDKit refuses stands there as its atoms and bonds say, one that can't be read at all as ``?``.
    """
    import polars as pl

    records = [record for record in re.split(r"^\$\$\$\$.*\n?", text_of(path), flags=re.MULTILINE) if record.strip()]
    if not records:
        raise FileError(f"'{path}' holds no molecule. It needs one for each row.")
    with libraries().quiet():
        found = [_record(record) for record in records]
    names = list(dict.fromkeys(name for record in found for name in record))
    text = pl.DataFrame({name: [record.get(name, "") for record in found] for name in names})
    others = [text[name] if name == TITLE else typed(text[name]).alias(name) for name in names if name != COLUMN]
    return text.select(text[COLUMN], *others)  # a title is no number


def _record(record: str) -> dict[str, str]:
    """What a record of an SDF says, as text; the molecule is told by its atoms, whatever a property says of it."""
    chem = libraries().chem
    supplier = chem.SDMolSupplier()
    supplier.SetData(record)
    molecule = next(iter(supplier), None)
    if molecule is None:
        supplier.SetData(record, sanitize=False)
        molecule = next(iter(supplier), None)
    if molecule is None:
        return {COLUMN: BROKEN}
    title = molecule.GetProp("_Name").strip() if molecule.HasProp("_Name") else ""
    names = molecule.GetPropNames(includePrivate=True)  # RDKit's own among them
    said = {name: molecule.GetProp(name) for name in names if f"<{name}>" in record and not is_smiles_column(name)}
    return {COLUMN: chem.MolToSmiles(molecule)} | ({TITLE: title} if title else {}) | said


def without_bad(raw: Any, path: Path) -> tuple[Any, dict[str, Any]]:
    """Rows of a file without those that are empty and, of molecules, that can't be read; and the numbers of those in it.

    A warning says how many are left out, and which.
    """
    name = smiles_column(getattr(raw, "columns", ()))
    rows = raw[name].to_numpy() if name is not None else raw
    if not isinstance(rows, np.ndarray) or rows.dtype != object:
        return raw, {}
    chemical = name is not None or ".smi" in path.name.lower() or look_like_smiles(rows)
    good = np.array([_is_good(row, chemical) for row in rows])
    bad = np.flatnonzero(~good)
    if len(bad) == len(rows):
        raise FileError(f"'{path}' has {len(rows):,} rows, none of which can be read. Check that it is the right file.")
    if len(bad):
        which = ", ".join(f"row {row} ({rows[row]!r})" for row in bad[:NAMED]) + (" and others" if len(bad) > NAMED else "")
        warn(f"{len(bad):,} of {len(rows):,} rows of '{path}' were left out, as they can't be read: {which}.")
    return (raw.filter(good) if name is not None else raw[good]), {"row": np.flatnonzero(good)}


def _is_good(row: Any, chemical: bool) -> bool:
    if not isinstance(row, str) or not row.strip():
        return False
    try:
        return not chemical or bool(to_symbols(row.strip()))
    except ValueError:
        return False


# Writing


def smiles_of(raw: Any) -> list[str]:
    """The SMILES of a list, or of the column of a table that is called so."""
    if hasattr(raw, "columns"):
        name = smiles_column(name for name in raw.columns if isinstance(name, str))
        if name is None:
            raise ValueError("the table has no column called smiles")
        raw = raw[name]
    rows = list(raw)
    strange = [row for row in rows if not isinstance(row, str)]
    if strange:
        raise ValueError(f"{strange[0]!r} is no SMILES")
    return [row.strip() for row in rows]


def write_smiles(path: Path, raw: Any) -> None:
    """Write a SMILES on each line."""
    write_lines(path, smiles_of(raw))


def write_sdf(path: Path, raw: Any) -> None:
    """Write an SDF, with coordinates in two dimensions; other columns of a table are properties, ``name`` the title."""
    import polars as pl
    from rdkit.Chem import rdDepictor

    smiles = smiles_of(raw)
    frame = pl.DataFrame(raw) if hasattr(raw, "columns") else pl.DataFrame({COLUMN: smiles})
    text = io.StringIO()  # written to a path, RDKit says nothing of a full disk
    chem = libraries().chem
    with libraries().quiet(), chem.SDWriter(text) as writer:
        for molecule, said in zip(_molecules(smiles), frame.iter_rows(named=True), strict=True):
            for name, value in said.items():
                if not is_smiles_column(name) and value is not None:
                    lines = _lines_of(name, str(value))
                    molecule.SetProp(*(("_Name", " ".join(lines)) if name == TITLE else (name, "\n".join(lines))))
            rdDepictor.Compute2DCoords(molecule)
            for bond in molecule.GetBonds():
                bond.SetBondDir(chem.BondDir.NONE)  # it would make wavy a bond beside one that is E or Z, and both unknown
            writer.write(molecule)
    path.write_text(text.getvalue(), encoding="utf-8", newline="\n")


def _lines_of(name: str, value: str) -> list[str]:
    """The lines of a value without the blank ones, of which the first would end it."""
    lines = [line for line in re.split(r"\r\n|\r|\n", value) if line.strip()]
    if any(line.startswith(END) for line in lines):
        raise ValueError(f"a value of the column {name!r} has a line that begins with {END}, which ends a molecule")
    return lines


def write_drawing(path: Path, raw: Any) -> None:
    """Draw molecules in a grid, as SVG or PNG by the ending."""
    found = _molecules(smiles_of(raw))
    across, (wide, tall), ending = min(ACROSS, len(found)), SIZE, path.suffix.lower()
    most = MOST_PIXELS // tall * ACROSS
    if ending == ".png" and len(found) > most:
        raise ValueError(f"a PNG holds {most:,} molecules at most, an .svg any number, and these are {len(found):,}")
    drawer = _drawer(ending, across * wide, -(-len(found) // across) * tall, wide, tall)
    drawer.DrawMolecules(found)
    drawer.FinishDrawing()
    drawn = drawer.GetDrawingText()
    path.write_bytes(drawn.encode() if isinstance(drawn, str) else drawn)


def drawings(smiles: Sequence[str]) -> NDArray[np.float32]:
    """A picture of each molecule: an array (n, height, width, 3) from 0 to 1."""
    from PIL import Image

    found = []
    for molecule in _molecules(smiles):
        drawer = _drawer(".png", *SIZE)
        drawer.DrawMolecule(molecule)
        drawer.FinishDrawing()
        found.append(np.asarray(Image.open(io.BytesIO(drawer.GetDrawingText())).convert("RGB"), np.float32) / 255)
    return np.stack(found)


def is_molecule(smiles: Any) -> bool:
    """Whether a row has an atom, and can be read."""
    return isinstance(smiles, str) and libraries().molecule(smiles) is not None


def _drawer(ending: str, *size: int) -> Any:
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer: Any = rdMolDraw2D.MolDraw2DSVG if ending == ".svg" else rdMolDraw2D.MolDraw2DCairo
    return drawer(*size)


def _molecules(smiles: Sequence[str]) -> list[Any]:
    """What a file shows of each row; of an empty string, as a model may write one, no atom."""
    chem = libraries().chem
    found = [libraries().molecule(row) if row else chem.Mol() for row in smiles]
    if not found or None in found:
        raise ValueError(f"{smiles[found.index(None)]!r} is no molecule that RDKit can read" if found else "there is no molecule")
    return found
