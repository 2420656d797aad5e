"""Rows of symbols that are mended."""

import numpy as np
import pytest
import torch

import hourglass as hg
from hourglass.analysis.sequences import edits

ONSETS, VOWELS, CODAS = "bdfgklmnprst", "aeiou", "lnrs"
SETTINGS = {"kind": "token", "encoder": hg.Rewriter(32, dilations=(1, 3), heads=2), "random_state": 0}


def language(seed=0):
    """60 words of two or three syllables."""
    rng, words = np.random.default_rng(seed), set()
    while len(words) < 60:
        syllables = rng.integers(2, 4)
        words.add("".join(rng.choice([*ONSETS]) + rng.choice([*VOWELS]) + rng.choice([*CODAS, ""]) for _ in range(syllables)))
    return sorted(words)


def sentences(n, seed):
    """Lines of one to three of them."""
    rng, words = np.random.default_rng(seed), language()
    return [" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(n)]


def damaged(model, rows, part, seed=0):
    """Rows with damage done to them."""
    kind, scaling = model.kind_, model.model_.scaling
    seen = part(scaling(kind.to_tensor(np.array(rows, dtype=object))).float(), torch.Generator().manual_seed(seed))
    return kind.from_tensor(scaling.inverse(seen))


def apart(rows, others):
    """The mean edits from one to the other."""
    return np.mean([edits(row, [other])[0] for row, other in zip(rows, others, strict=True)])


CLEAN = sentences(150, 2)


@pytest.fixture(scope="module")
def model():
    return hg.DenoisingAutoencoder(corruption="typos:0.1", max_epochs=12, **SETTINGS).fit(sentences(2000, 1))


@pytest.fixture(scope="module")
def typed(model):
    return damaged(model, CLEAN, hg.Typos(0.1))


def test_typos_are_mended(model, typed):
    mended = model.denoise(typed)
    print(apart(CLEAN, typed), apart(CLEAN, mended), np.mean([a == b for a, b in zip(CLEAN, typed)]), np.mean([a == b for a, b in zip(CLEAN, mended)]), np.mean([a == b for a, b in zip(CLEAN, model.denoise(CLEAN))]))
    assert isinstance(mended, list)
