"""Fragments: what often stands side by side is one symbol."""

import pytest

import hourglass as hg
from hourglass.data.fragments import OFTEN, cut, fragments
from hourglass.kinds import as_raw
from hourglass.kinds.molecule import MoleculeKind

SMILES = ["Cc1ccccc1", "Oc1ccccc1", "CCO", "CC(=O)Nc1ccccc1", "NCCO"]
MANY = SMILES * 50


def test_the_pair_that_comes_most_often_is_one_first():
    rows = [list("abab"), list("abab"), list("abc")] * OFTEN
    assert fragments(rows, 1) == ["ab"]
    assert fragments(rows, 3) == ["ab", "abab", "abc"]


def test_what_is_seldom_stays_apart():
    assert fragments([list("abc")] * (OFTEN - 1), 10) == []
    assert fragments([list("ab")] * OFTEN, 10) == ["ab"]
    assert fragments([list("a")] * OFTEN, 10) == []


def test_of_three_alike_the_first_two_are_one():
    assert fragments([list("aaa")] * OFTEN, 5) == ["aa", "aaa"]


def test_a_row_is_cut_from_the_left_into_the_longest_known():
    known = frozenset({"a", "b", "c", "ab", "abcd"})
    assert cut("abcabd", known, 4) == ["ab", "c", "ab", "d"]
    assert cut("abcdab", known, 4) == ["abcd", "ab"]
    assert cut("xyz", known, 4) == ["x", "y", "z"]


def test_molecules_in_fragments_are_shorter_and_the_same():
    kind = MoleculeKind.learn(as_raw(MANY))
    whole = kind.in_fragments(as_raw(MANY))
    assert whole.shape[0] < kind.shape[0]
    assert set(kind.alphabet) < set(whole.alphabet)
    assert "[=C][C][=C][C][=C][ring6]" in "".join(whole.alphabet)
    assert whole.from_tensor(whole.to_tensor(as_raw(SMILES))) == kind.from_tensor(kind.to_tensor(as_raw(SMILES)))
    assert whole.describe() == f"molecules of up to {whole.shape[0]} fragments, {len(whole.alphabet)} different ones"
    assert kind.in_fragments(as_raw(SMILES)) == kind  # nothing comes often there


def test_a_longer_molecule_is_told_in_fragments(sentence):
    kind = MoleculeKind.learn(as_raw(MANY)).in_fragments(as_raw(MANY))
    assert sentence(hg.DataError, kind.to_tensor, as_raw(["OCCN" * 12])).endswith(
        f"fragments, and the model takes {kind.shape[0]} at most. Leave it out, or fit a model on rows as long."
    )


@pytest.mark.parametrize("estimator", [hg.Autoencoder, hg.VariationalAutoencoder])
def test_models_with_codes_take_fragments_and_keep_them(estimator, tmp_path):
    model = estimator(2, kind="molecule", max_epochs=1, random_state=0).fit(MANY)
    assert model.n_features_in_ == model.kind_.shape[0] == MoleculeKind.learn(as_raw(MANY)).in_fragments(as_raw(MANY)).shape[0]
    model.save(tmp_path / "model.safetensors")
    again = hg.load(tmp_path / "model.safetensors")
    assert again.kind_ == model.kind_
    assert again.reconstruct(SMILES) == model.reconstruct(SMILES)


def test_alarms_and_menders_take_symbols():
    symbols = MoleculeKind.learn(as_raw(MANY)).alphabet
    detector = hg.AnomalyDetector(kind="molecule", max_epochs=1, random_state=0).fit(MANY)
    mender = hg.DenoisingAutoencoder(kind="molecule", max_epochs=1, random_state=0).fit(MANY)
    assert set(detector.kind_.alphabet) == {*symbols, ""}
    assert mender.kind_.alphabet == symbols
