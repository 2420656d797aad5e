"""Measures of molecules, against values worked out by hand and by RDKit's own functions."""

import sys
import types
from collections import Counter

import numpy as np
import polars as pl
import pytest
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import AllChem

import hourglass as hg
from hourglass.analysis import chemistry, structures
from hourglass.analysis.around import alike
from hourglass.analysis.samples import chemnet

ASPIRIN, BENZOATE, BIPHENYL = "CC(=O)Oc1ccccc1C(=O)O", "CCOC(=O)c1ccccc1", "c1ccc(-c2ccccc2)cc1"
LEARNED = ["CCO", "CCN", "CCC", "Cc1ccccc1", BIPHENYL, BENZOATE, ASPIRIN, "C1CCCCC1"]


def test_similarity_is_that_of_rdkit():
    pairs = [LEARNED[:3], LEARNED[3:]]
    prints = [[AllChem.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles(one), 2, 1024) for one in pile] for pile in pairs]
    expected = [DataStructs.BulkTanimotoSimilarity(one, prints[1]) for one in prints[0]]
    np.testing.assert_allclose(chemistry.tanimoto(*pairs), expected, rtol=1e-6)
    assert chemistry.fingerprints(pl.DataFrame({"smiles": LEARNED})).shape == (8, 1024)


def test_no_molecules_are_like_none(chemical):
    assert chemistry.fingerprints([]).shape == (0, 1024)
    assert chemistry.tanimoto([], ["CCO"]).shape == (0, 1) and chemistry.tanimoto(["CCO"], []).shape == (1, 0)
    places, how, column = alike(chemical.kind_, ["", "OCC"], ["CCN", "CCO"])
    assert (places.tolist(), how.tolist(), column.to_list()) == ([0, 1], [0, 1], [0, 1])


def test_diversity_and_neighbours_by_hand():
    prints = np.array([[1, 1, 0], [1, 0, 1]], np.float32)
    assert chemistry.internal_diversity(prints) == pytest.approx(1 - (1 + 1 + 1 / 3 + 1 / 3) / 4)
    assert chemistry.nearest_similarity(prints, np.array([[1, 1, 1], [0, 1, 0]], np.float32)) == pytest.approx(2 / 3)
    assert chemistry.similarity(np.zeros((1, 3), np.float32), prints).tolist() == [[0, 0]]


def test_fragments_and_scaffolds_by_hand():
    benzoate, biphenyl, toluene = (Chem.MolFromSmiles(smiles) for smiles in (BENZOATE, BIPHENYL, "Cc1ccccc1"))
    assert chemistry.brics([benzoate]) == Counter(["[4*]CC", "[3*]O[3*]", "[1*]C([6*])=O", "[16*]c1ccccc1"])
    assert chemistry.scaffolds([biphenyl, toluene, Chem.MolFromSmiles(BIPHENYL + "O")]) == Counter({BIPHENYL: 2})
    assert chemistry.counts_alike(Counter("ab"), Counter("a")) == pytest.approx(1 / np.sqrt(2))
    assert chemistry.counts_alike(Counter("ab"), Counter()) == 0


def test_properties_of_aspirin_and_others(sentence):
    found = chemistry.properties([ASPIRIN, "C1CCCCCCC1", "O=C1C=CC(=O)C=C1", "CCO"])
    assert found.row(0)[1:5] == pytest.approx((1.3101, 1.58004, 0.550122, 180.159), abs=1e-4)
    assert found["ring"].to_list() == [6, 8, 6, 0]
    assert found["flagged"].to_list() == [True, False, True, False]  # a phenol ester, a quinone
    assert sentence(hg.DataError, chemistry.properties, ["CCO", "C1CC"]) == (
        "Row 1, 'C1CC', is no molecule that RDKit can read. Leave it out, or mend it."
    )


def test_quality_of_molecules_by_hand():
    samples = ["OCC", "C1CC", "CCO", "C1CCCCCCC1", BIPHENYL]  # one is none, two are the same and known, two are new
    held_out = ["CCO", "CCS", BIPHENYL + "O", "C1CCCCC1"]
    found = hg.quality(samples, pl.DataFrame({"smiles": LEARNED[:4]}), held_out)
    assert found.features is None
    assert found["valid"] == 4 / 5
    assert found["unique"] == 3 / 4
    assert found["novel"] == 2 / 3
    real = dict(found.frame.select("measure", "real").iter_rows())
    assert (real["valid"], real["unique"], real["novel"]) == (1, 1, 3 / 4)
    assert found["rings of 8 or more"] == 1 / 4
    assert found["scaffold similarity"] == 1
    assert found["pass PAINS and BRENK"] == 1
    logs = [chemistry.properties(pile)["logP"].to_numpy() for pile in (["CCO", "CCO", "C1CCCCCCC1", BIPHENYL], held_out)]
    expected = np.abs(np.sort(logs[0]) - np.sort(logs[1])).mean() / logs[1].std()
    assert found["logP, Wasserstein"] == pytest.approx(expected)
    assert "unique@1k" not in found.frame["measure"]
    assert hg.quality(["CCO"] * 1000, pl.DataFrame({"smiles": LEARNED}), held_out)["unique@1k"] == 1 / 1000


def test_quality_of_a_model_of_molecules(chemical):
    found = hg.quality(chemical, LEARNED, LEARNED[:4])
    assert found.frame["measure"].to_list()[:4] == [
        "rebuilt exactly",
        "nats that the codes tell",
        "nats lost with another row's codes",
        "valid",
    ]
    assert found["rebuilt exactly"] == hg.metrics.exact(chemical, LEARNED[:4])
    assert found["nats that the codes tell"] == pytest.approx(hg.diagnose(chemical, LEARNED[:4]).kl)
    assert found["valid"] == 1
    told = hg.quality(LEARNED[:6], pl.DataFrame({"smiles": LEARNED}), LEARNED[:6], features=chemical)
    assert told["frechet distance"] == pytest.approx(0, abs=1e-6)


def test_chemnet_takes_its_network_from_fcd(monkeypatch, sentence):
    monkeypatch.setitem(sys.modules, "fcd", None)
    assert sentence(hg.MissingExtraError, chemnet) == "The Fréchet ChemNet distance needs the network of fcd. Run: pip install fcd"
    network = types.SimpleNamespace(load_ref_model=lambda: lambda x: x.sum((1, 2))[:, None])
    ones = types.SimpleNamespace(get_one_hot=lambda smiles, length: np.eye(length, 35)[:, [0] * 35] * len(smiles))
    monkeypatch.setitem(sys.modules, "fcd", network)
    monkeypatch.setitem(sys.modules, "fcd.utils", ones)
    np.testing.assert_allclose(chemnet().of(["OCC", "C"]), [[3.0], [1.0]], rtol=1e-6)
    assert torch.is_grad_enabled()
    with pytest.warns(hg.HourglassWarning) as caught:
        assert len(chemnet().of(["OCC", "C" * 400, "C1"])) == 1
    assert str(caught[0].message) == (
        "ChemNet doesn't see 2 of 3 molecules: RDKit can't read them, or their SMILES has 350 characters or more. "
        "They are left out."
    )
    assert sentence(hg.DataError, chemnet().of, ["C1"]) == (
        "ChemNet sees none of these molecules: RDKit can't read them, or their SMILES has 350 characters or more."
    )


def test_what_can_not_be_read_is_like_nothing_and_drawn_as_nothing():
    kind = types.SimpleNamespace(name="molecule")
    places, share, column = alike(kind, ["CCO", "C[Cl-]C", ""], ["CC", "CCO"])
    assert places[0] == 1 and share.tolist() == column.to_list() == [1, 0, 0]
    figure = structures.drawn(kind, [[("CCO", "read"), ("C[Cl-]C", "unread"), ("", "")]])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["read", "unread", ""]
    assert [bool((axes.images[0].get_array() == 1).all()) for axes in figure.axes] == [False, True, True]
    assert len(structures.drawn(kind, [[("", "empty")]]).axes) == 1


@pytest.mark.parametrize("smiles", [[], [""]])
def test_nothing_is_not_drawn(smiles, sentence):
    assert sentence(hg.DataError, hg.plots.molecules, smiles) == "These molecules can't be drawn: there is no molecule."
