"""What the work on molecules shares: the pile and its split, and how samples are judged."""

from __future__ import annotations

import gzip

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import QED, Descriptors
from scipy.stats import wasserstein_distance

from benchmarks.common import QUICK, at_hand

HELD_OUT = 100 if QUICK else 10_000  # molecules that are judged
LEARNED = 500 if QUICK else None  # of the others; all of them
SECONDS = 5 if QUICK else 3600
SAMPLED = 100 if QUICK else 10_000
CODES_OF = 200 if QUICK else 50_000  # molecules whose codes the sampler is fitted to
LARGE_RING = 8  # atoms: hardly a real molecule has one
PROPERTIES = {"logp": Descriptors.MolLogP, "qed": QED.qed, "weight": Descriptors.MolWt}


def zinc() -> tuple[list[str], list[str]]:
    """SMILES to learn from, and those held out: the same split for everyone."""
    with gzip.open(at_hand("zinc250k_smiles.txt.gz"), "rt") as file:
        smiles = file.read().split()
    order = np.random.default_rng(0).permutation(len(smiles))
    return [smiles[i] for i in order[HELD_OUT:][:LEARNED]], [smiles[i] for i in order[:HELD_OUT]]


def canonical(smiles: list[str]) -> list[str]:
    """Each as RDKit writes it."""
    return [Chem.MolToSmiles(Chem.MolFromSmiles(one)) for one in smiles]


def samples_judged(drawn: list[str], train: list[str], test: list[str]) -> dict[str, float]:
    """Canonical SMILES that were drawn against those that were learned from, and their properties against those held out."""
    with rdBase.BlockLogs():
        parsed = [Chem.MolFromSmiles(one) for one in drawn]
    molecules = [molecule for molecule in parsed if molecule is not None and molecule.GetNumAtoms()]
    different = set(drawn)
    real = [Chem.MolFromSmiles(one) for one in test]
    return {
        "valid": len(molecules) / len(drawn),
        "unique": len(different) / len(drawn),
        "novel": len(different.difference(train)) / len(different),
        "large_rings": float(np.mean([has_large_ring(molecule) for molecule in molecules])),
        **{f"{name}_distance": distance(of, molecules, real) for name, of in PROPERTIES.items()},
    }


def has_large_ring(molecule: Chem.Mol) -> bool:
    return any(len(ring) >= LARGE_RING for ring in molecule.GetRingInfo().AtomRings())


def distance(of, some: list[Chem.Mol], others: list[Chem.Mol]) -> float:
    """Wasserstein distance of a property over its standard deviation among the others."""
    mine, theirs = (np.array([of(molecule) for molecule in each]) for each in (some, others))
    return float(wasserstein_distance(mine, theirs) / theirs.std())
