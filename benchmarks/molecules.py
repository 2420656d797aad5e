"""What the work on molecules shares: the pile and its split, and how samples are judged."""

from __future__ import annotations

import gzip

import numpy as np
from rdkit import Chem

from benchmarks.common import QUICK, at_hand
from hourglass.analysis.chemistry import MEASURES, PASSED, RINGED, Pile

HELD_OUT = 100 if QUICK else 10_000  # molecules that are judged
LEARNED = 500 if QUICK else None  # of the others; all of them
SECONDS = 5 if QUICK else 3600
SAMPLED = 100 if QUICK else 10_000
CODES_OF = 200 if QUICK else 50_000  # molecules whose codes the sampler is fitted to
MEASURED = {  # of samples, as MOSES does
    "large_rings": RINGED,
    "logp_distance": "logP, Wasserstein",
    "qed_distance": "QED, Wasserstein",
    "weight_distance": "weight, Wasserstein",
    "internal_diversity": "internal diversity",
    "fragment_similarity": "fragment similarity",
    "scaffold_similarity": "scaffold similarity",
    "nearest_similarity": "nearest neighbour similarity",
    "passed_filters": PASSED,
}


def zinc() -> tuple[list[str], list[str]]:
    """SMILES to learn from, and those held out: the same split for everyone."""
    with gzip.open(at_hand("zinc250k_smiles.txt.gz"), "rt") as file:
        smiles = file.read().split()
    order = np.random.default_rng(0).permutation(len(smiles))
    return [smiles[i] for i in order[HELD_OUT:][:LEARNED]], [smiles[i] for i in order[:HELD_OUT]]


def canonical(smiles: list[str]) -> list[str]:
    """Each as RDKit writes it."""
    return [Chem.MolToSmiles(Chem.MolFromSmiles(one)) for one in smiles]


def samples_judged(drawn: list[str], train: list[str], real: Pile) -> dict[str, float]:
    """Canonical SMILES that were drawn against those that were learned from, and what MOSES measures, against those held out."""
    pile, different = Pile(drawn), set(drawn)
    return {
        "valid": len(pile.frame) / len(drawn),
        "unique": len(different) / len(drawn),
        "novel": len(different.difference(train)) / len(different),
        **{figure: MEASURES[name][0](pile, real) for figure, name in MEASURED.items()},
    }
