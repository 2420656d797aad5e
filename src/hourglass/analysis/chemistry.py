"""What chemists ask of molecules: fingerprints, properties, and how drawn ones compare with real ones, as MOSES measures it."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.analysis.metrics import Array, Measure
from hourglass.data.molecules import libraries, smiles_of
from hourglass.errors import DataError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["fingerprints", "properties", "tanimoto"]

RADIUS, BITS = 2, 1024  # of the fingerprints of MOSES
RINGS = 2  # a scaffold has at least, to count
PART = 1000  # molecules that are compared with all others at a time
LARGE = 8  # atoms of a ring that few real molecules have
KNOWN_FILTERS = ("PAINS", "BRENK")  # catalogues of RDKit
SOME = (1000, 10_000)  # samples of which MOSES counts how many differ


def tanimoto(first: Any, second: Any) -> Array:
    """Similarity of molecules: of the bits that either fingerprint has, the share that both have.

    Parameters
    ----------
    first, second : list of str, or table with a column called smiles
        Molecules, n and m of them.

    Returns
    -------
    ndarray of shape (n, m)
        From 0 to 1, over Morgan fingerprints of radius 2 and 1,024 bits.

    References
    ----------
    Rogers and Hahn, "Extended-Connectivity Fingerprints", 2010.

    Examples
    --------
    >>> tanimoto(["CCO"], ["OCC", "c1ccccc1"]).tolist()
    [[1.0, 0.0]]
    """
    return similarity(fingerprints(first), fingerprints(second))


def fingerprints(molecules: Any) -> Array:
    """Morgan fingerprints of radius 2 and 1,024 bits.

    Parameters
    ----------
    molecules : list of str, or table with a column called smiles
        Molecules.

    Returns
    -------
    ndarray of shape (n, 1024), float32
        Zeros and ones.

    Raises
    ------
    DataError
        RDKit can't read one.
    """
    return _prints(read(molecules))


def properties(molecules: Any) -> pl.DataFrame:
    """What makes molecules likely drugs, and what doesn't.

    Parameters
    ----------
    molecules : list of str, or table with a column called smiles
        Molecules.

    Returns
    -------
    polars.DataFrame
        A row each: ``smiles``; ``logP``, the octanol-water partition by Crippen; ``SA``, synthetic accessibility from 1 (easy)
        to 10; ``QED``, drug-likeness from 0 to 1; ``weight`` in daltons; ``ring``, atoms of the largest ring; ``flagged``,
        whether one of RDKit's PAINS or BRENK filters finds something.

    Raises
    ------
    DataError
        RDKit can't read one.

    References
    ----------
    Wildman and Crippen, "Prediction of Physicochemical Parameters by Atomic Contributions", 1999. Ertl and Schuffenhauer,
    "Estimation of Synthetic Accessibility Score of Drug-like Molecules", 2009, here RDKit's ``sascorer``. Bickerton et al.,
    "Quantifying the Chemical Beauty of Drugs", 2012. Baell and Holloway, 2010 (PAINS). Brenk et al., 2008.

    Examples
    --------
    >>> properties(["CC(=O)Oc1ccccc1C(=O)O"]).select("logP", "ring").row(0)
    (1.3101, 6)
    """
    return _properties(read(molecules))


def read(molecules: Any) -> list[Any]:
    """RDKit's molecules of SMILES."""
    try:
        smiles = smiles_of(molecules)
    except ValueError as error:
        raise DataError(f"These are no molecules: {error}.") from error
    found = [libraries().molecule(row) for row in smiles]
    bad = next((row for row, molecule in enumerate(found) if molecule is None), None)
    if bad is not None:
        raise DataError(f"Row {bad}, {smiles[bad]!r}, is no molecule that RDKit can read. Leave it out, or mend it.")
    return found


def _prints(molecules: Sequence[Any]) -> Array:
    """Fingerprints (n, bits) of RDKit's molecules."""
    generator = _part("rdFingerprintGenerator").GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    found = [generator.GetFingerprintAsNumPy(molecule) for molecule in molecules]
    return np.array(found, np.float32).reshape(len(found), BITS)


def _properties(molecules: Sequence[Any]) -> pl.DataFrame:
    """The properties of RDKit's molecules, a row each."""
    import polars as pl

    with libraries().quiet():
        return pl.DataFrame(
            {
                "smiles": [libraries().chem.MolToSmiles(molecule) for molecule in molecules],
                "logP": [_part("Crippen").MolLogP(molecule) for molecule in molecules],
                "SA": [_sascorer().calculateScore(molecule) for molecule in molecules],
                "QED": [_part("QED").qed(molecule) for molecule in molecules],
                "weight": [_part("Descriptors").MolWt(molecule) for molecule in molecules],
                "ring": [max(map(len, molecule.GetRingInfo().AtomRings()), default=0) for molecule in molecules],
                "flagged": [_filters().HasMatch(molecule) for molecule in molecules],
            },
            schema_overrides=dict.fromkeys(("logP", "SA", "QED", "weight"), pl.Float64),
        )


def similarity(first: Array, second: Array) -> Array:
    """Tanimoto similarities (n, m) of fingerprints (n, bits) and (m, bits); 0 where neither has a bit."""
    shared = first @ second.T
    found: Array = shared / np.maximum(first.sum(1)[:, None] + second.sum(1) - shared, 1)
    return found


# Piles of molecules


def internal_diversity(prints: Array) -> float:
    """1 less the mean similarity of all pairs, of each with itself too, of fingerprints (n, bits)."""
    return float(1 - np.mean(np.concatenate([similarity(some, prints).mean(1) for some in _in_parts(prints)])))


def nearest_similarity(prints: Array, others: Array) -> float:
    """The mean of each one's similarity to its nearest neighbour among others."""
    return float(np.mean(np.concatenate([similarity(some, others).max(1) for some in _in_parts(prints)])))


def _in_parts(prints: Array) -> list[Array]:
    """So few fingerprints at a time that their similarities to all others don't fill the memory."""
    return np.array_split(prints, len(prints) // PART + 1)


def counts_alike(first: Counter[str], second: Counter[str]) -> float:
    """The cosine of two counts; 0 where one of them is empty."""
    dot = sum(count * second[name] for name, count in first.items())
    norms = [np.sqrt(sum(count**2 for count in counter.values())) for counter in (first, second)]
    return float(dot / np.prod(norms)) if all(norms) else 0.0


def brics(molecules: Sequence[Any]) -> Counter[str]:
    """How often each fragment is left of the molecules when the bonds of BRICS are cut."""
    chem = libraries().chem
    return Counter(part for one in molecules for part in chem.MolToSmiles(chem.FragmentOnBRICSBonds(one)).split("."))


def scaffolds(molecules: Sequence[Any]) -> Counter[str]:
    """How often each scaffold of Bemis and Murcko with two rings or more stands in the molecules."""
    found = (_part("Scaffolds.MurckoScaffold").GetScaffoldForMol(molecule) for molecule in molecules)
    return Counter(libraries().chem.MolToSmiles(one) for one in found if one.GetRingInfo().NumRings() >= RINGS)


class Pile:
    """Molecules, and what is counted of them."""

    def __init__(self, raw: Any) -> None:
        molecules = [one for one in map(libraries().molecule, smiles_of(raw)) if one is not None]
        if not molecules:
            raise DataError("There is no molecule that RDKit can read among them, so nothing can be measured.")
        self.prints, self.frame = _prints(molecules), _properties(molecules)
        self.brics, self.scaffolds = brics(molecules), scaffolds(molecules)


PASSED, RINGED = f"pass {' and '.join(KNOWN_FILTERS)}", f"rings of {LARGE} or more"
MEASURES: dict[str, tuple[Callable[[Pile, Pile], float], str]] = {
    "internal diversity": (lambda pile, real: internal_diversity(pile.prints), "as real"),
    "fragment similarity": (lambda pile, real: counts_alike(pile.brics, real.brics), "more"),
    "scaffold similarity": (lambda pile, real: counts_alike(pile.scaffolds, real.scaffolds), "more"),
    "nearest neighbour similarity": (lambda pile, real: nearest_similarity(pile.prints, real.prints), "more"),
    PASSED: (lambda pile, real: 1 - float(pile.frame["flagged"].to_numpy().mean()), "more"),
    RINGED: (lambda pile, real: float((pile.frame["ring"] >= LARGE).to_numpy().mean()), "as real"),
    "logP, Wasserstein": (lambda pile, real: apart(pile, real, "logP"), "less"),
    "SA, Wasserstein": (lambda pile, real: apart(pile, real, "SA"), "less"),
    "QED, Wasserstein": (lambda pile, real: apart(pile, real, "QED"), "less"),
    "weight, Wasserstein": (lambda pile, real: apart(pile, real, "weight"), "less"),
}


def measured(drawn: Any, train: Any, test: Any) -> list[Measure]:
    """What MOSES measures of drawn molecules, and of training rows in their place, against molecules held out."""
    mine, learned, real = (Pile(raw) for raw in (drawn, train, test))
    return [Measure(name, measure(mine, real), measure(learned, real), good) for name, (measure, good) in MEASURES.items()]


def known(drawn: Any, train: Any, test: Any) -> list[Measure]:
    """How many of the drawn molecules can be read, differ, and are not in the training data; of rows held out the same."""
    learned = set(map(libraries().canonical, smiles_of(train)))
    piles = [[libraries().canonical(smiles) for smiles in smiles_of(pile)] for pile in (drawn, test)]
    valid = [[smiles for smiles in pile if smiles is not None] for pile in piles]
    most = {"unique": len(piles[0])} | {f"unique@{count // 1000}k": count for count in SOME if len(valid[0]) >= count}
    shares = {
        "valid": [len(good) / len(pile) for good, pile in zip(valid, piles, strict=True)],
        **{name: [len(set(good[:count])) / max(len(good[:count]), 1) for good in valid] for name, count in most.items()},
        "novel": [len(set(good) - learned) / max(len(set(good)), 1) for good in valid],
    }
    return [Measure(name, mine, theirs, "more") for name, (mine, theirs) in shares.items()]


def apart(pile: Pile, real: Pile, name: str) -> float:
    """The Wasserstein distance of a property in two piles, in standard deviations of the real one."""
    from scipy.stats import wasserstein_distance

    values, others = (one.frame[name].to_numpy() for one in (pile, real))
    return float(wasserstein_distance(values, others) / (others.std() or 1))


def _part(name: str) -> Any:
    """A module of RDKit, which says little of its types."""
    return importlib.import_module(f"rdkit.Chem.{name}")


@lru_cache(1)
def _filters() -> Any:
    catalog = _part("FilterCatalog")
    wanted = catalog.FilterCatalogParams()
    for name in KNOWN_FILTERS:
        wanted.AddCatalog(getattr(catalog.FilterCatalogParams.FilterCatalogs, name))
    return catalog.FilterCatalog(wanted)


@lru_cache(1)
def _sascorer() -> Any:
    """RDKit's own script of the score, which is no module of its package."""
    from rdkit import RDConfig

    folder = str(Path(RDConfig.RDContribDir, "SA_Score"))
    sys.path.append(folder)
    try:
        return importlib.import_module("sascorer")
    finally:
        sys.path.remove(folder)
