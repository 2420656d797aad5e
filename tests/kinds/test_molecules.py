"""Molecules: SMILES to SELFIES and back, canonical, and what is refused."""

import sys

import numpy as np
import polars as pl
import pytest
import torch
from rdkit import Chem

import hourglass as hg
from hourglass.data import molecules
from hourglass.kinds import KINDS, as_raw, kind_from_config

KIND = KINDS["molecule"]
SMILES = [
    "OCC",
    "c1ccccc1O",
    "C[C@@H](N)C(=O)O",
    "CC(=O)Oc1ccccc1C(=O)O",
    "[Na+].[Cl-]",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "N#Cc1ccncc1Br",
]


def canonical(smiles):
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def test_molecules_come_back_canonical():
    raw = as_raw(SMILES)
    kind = KIND.learn(raw)
    assert kind.from_tensor(kind.to_tensor(raw)) == [canonical(smiles) for smiles in SMILES]
    assert kind.from_tensor(kind.to_tensor(as_raw(["OCC"]))) == kind.from_tensor(kind.to_tensor(as_raw(["CCO"]))) == ["CCO"]
    assert kind_from_config(kind.to_config()) == kind
    assert kind.describe() == f"molecules of up to {kind.shape[0]} SELFIES symbols, {kind.shape[1] - 1} different ones"


def test_whatever_is_decoded_is_a_molecule():
    kind = KIND.learn(as_raw([smiles for smiles in SMILES if "." not in smiles]))  # selfies knows no valence of the chloride
    values = np.random.default_rng(0).integers(0, kind.shape[1], (200, kind.shape[0]))
    values[:, 0] = 1 + kind.alphabet.index("[C]")
    made = kind.from_tensor(torch.from_numpy(values))
    assert all(Chem.MolFromSmiles(smiles) is not None for smiles in made)
    assert made == [canonical(smiles) for smiles in made]


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_of_a_table_the_column_called_smiles(convert, sentence):
    table = pl.DataFrame({"SMILES": SMILES, "logP": range(len(SMILES))})
    assert KIND.learn(convert(table)) == KIND.learn(as_raw(SMILES))
    assert sentence(hg.DataError, KIND.learn, convert(table.rename({"SMILES": "structure"}))) == (
        "Which column has the rows of symbols? The table has structure, logP. Pass that column alone."
    )


def test_a_table_with_a_column_of_smiles_is_molecules():
    table = pl.DataFrame({"smiles": SMILES, "logP": range(len(SMILES))})
    assert hg.infer(table) == ("molecule", "a column of 7 SMILES is 7 molecules; the other 1 are left out")
    twice = pl.DataFrame({"SMILES": ["CC"] * len(SMILES), "smiles": SMILES})
    assert hg.infer(twice) == ("molecule", "a column of 7 SMILES is 7 molecules; the other 1 are left out")
    assert KIND.rows_of(twice) == SMILES and molecules.smiles_of(twice) == SMILES
    assert hg.infer(twice.rename({"smiles": "Smiles"})).kind == "table"
    assert hg.infer(table.to_pandas()["smiles"].rename("structure")[1:4]) == ("molecule", "a column of 3 SMILES is 3 molecules")
    assert hg.infer(table.to_pandas()["smiles"]) == ("molecule", "a column of 7 SMILES is 7 molecules")
    assert hg.infer(table.rename({"smiles": "structure"})).kind == "table"
    for text in ("2025-01-29", "29.01.2025", "12:30", "$5", "01001", "(5)"):
        assert hg.infer(pl.DataFrame({"text": [text] * 7})).kind == "table"
    assert hg.infer(table.with_columns(smiles=pl.lit("high"))).kind == "table"


def test_molecules_of_rdkit_are_read_as_their_smiles(sentence):
    drawn = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
    assert hg.infer(drawn) == ("molecule", "a list of 7 molecules of RDKit is molecules")
    table = pl.DataFrame({"ROMol": pl.Series(drawn, dtype=pl.Object), "id": range(len(SMILES))})
    for given in (as_raw(drawn), table.select("ROMol").to_pandas()):
        assert KIND.learn(given) == KIND.learn(as_raw(SMILES))
    assert KIND.rows_of(as_raw(drawn)) == [Chem.CanonSmiles(smiles) for smiles in SMILES]
    said = "Row 1 is None, no string. Leave it out, or write what it stands for."  # as RDKit says that it can't read a SMILES
    assert sentence(hg.DataError, KIND.learn, as_raw([drawn[0], None, *drawn])) == said


@pytest.mark.parametrize("name", ["canonical_smiles", "Canonical SMILES", "IsomericSMILES"])
def test_a_column_of_smiles_may_be_called_more_than_that(name):
    table = pl.DataFrame({"id": range(len(SMILES)), name: [f"{smiles}\n" for smiles in SMILES]})  # as a file of ZINC has
    assert hg.infer(table) == ("molecule", "a column of 7 SMILES is 7 molecules; the other 1 are left out")
    assert KIND.learn(table) == KIND.learn(as_raw(SMILES)) and molecules.smiles_of(table) == SMILES
    assert hg.infer(table.with_columns(other_smiles=name)).kind == "table"  # which of the two?
    assert KIND.rows_of(table.with_columns(smiles=pl.Series(SMILES))) == SMILES
    assert hg.infer(table.with_columns(pl.lit("high").alias(name))).kind == "table"


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("C1CC", "Row 1, 'C1CC', is no molecule that RDKit can read. Leave it out, or mend it."),
        ("hello", "Row 1, 'hello', is no molecule that RDKit can read. Leave it out, or mend it."),
        ("C(C)(C)(C)(C)C", "Row 1, 'C(C)(C)(C)(C)C', is no molecule that RDKit can read. Leave it out, or mend it."),
        ("*CC", "Row 1, '*CC', can't be written as SELFIES. Leave it out, or mend it."),
        (" ", "Row 1 is empty. Leave it out."),
    ],
)
def test_what_can_not_be_read_is_named(smiles, said, sentence, capfd):
    assert sentence(hg.DataError, KIND.learn, as_raw(["CCO", smiles])) == said
    assert capfd.readouterr() == ("", "")  # RDKit says nothing of its own


def test_an_unknown_symbol_and_a_long_molecule(sentence):
    kind = KIND.learn(as_raw(["CCO", "CCN"]))
    assert sentence(hg.DataError, kind.to_tensor, as_raw(["CCO", "CCS"])) == (
        "Row 1 has the SELFIES symbol '[S]', which the model has never seen. Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, kind.to_tensor, as_raw(["CCCO"])) == (
        "Row 0 has 4 SELFIES symbols, and the model takes 3 at most. Leave it out, or fit a model on rows as long."
    )


def test_a_missing_extra_names_the_command(monkeypatch, sentence):
    molecules.libraries.cache_clear()
    monkeypatch.setitem(sys.modules, "selfies", None)
    molecules.to_symbols.cache_clear()
    assert sentence(hg.MissingExtraError, KIND.learn, as_raw(["CCO"])) == (
        "Molecules need RDKit and selfies. Run: pip install 'hourglass-ae[molecules]'"
    )


def test_columns_beside_smiles_are_left_out_with_a_word(recwarn):
    table = pl.DataFrame({"smiles": ["CCO", "CCN", "CCC"] * 10, "logP": range(30), "name": "x"})
    said = "The table is taken for molecules, for its column of SMILES, and 2 other columns are left out. "
    with pytest.warns(hg.HourglassWarning) as caught:
        model = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(table)
    assert [str(warning.message) for warning in caught] == [said + "To learn from all of them, say kind='table'."]
    model.transform(table)
    hg.Autoencoder(1, max_epochs=1, random_state=0, kind="molecule").fit(table)
    assert not recwarn


def test_a_stereocentre_without_all_of_its_bonds_is_no_radical():
    assert molecules.to_smiles(["[C]", "[C@H1]", "[O]"]) == "CCO"  # RDKit reads C[C@H]O as a radical
    assert molecules.to_smiles(["[C]", "[C@@]", "(", "[F]", ")", "[C]"]) == "CC(C)F"
    for whole in ("C[CH]C", "CN(C)[O]", "C[C@H](N)C(=O)O", "C[S@](=O)c1ccccc1", "[2H][C@H](C)O"):  # radicals that are meant stay
        assert molecules.to_smiles(molecules.to_symbols(whole)) == molecules.libraries().canonical(whole)
