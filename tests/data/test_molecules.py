"""Files of molecules: read, left out, written, drawn."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from rdkit import Chem

import hourglass as hg
from hourglass.data import molecules

SMILES = ["CCO", "Oc1ccccc1", "CC(=O)[O-].[Na+]"]
TABLE = pl.DataFrame({"smiles": SMILES, "name": ["ethanol", "phenol", "acetate"], "logP": [-0.14, 1.46, None], "n": [3, 7, 5]})


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_sdf_comes_back_with_its_properties():
    hg.write("x.sdf", TABLE)
    found = hg.read("x.sdf")
    assert found.equals(TABLE.with_columns(smiles=pl.Series(["CCO", "Oc1ccccc1", "CC(=O)[O-].[Na+]"])))
    Path("x.sdf.gz").write_bytes(gzip.compress(Path("x.sdf").read_bytes()))
    assert hg.read("x.sdf.gz").equals(found)
    hg.write("plain.sdf", SMILES)
    assert hg.read("plain.sdf").to_dict(as_series=False) == {"smiles": SMILES}
    atoms = [line.split() for line in Path("plain.sdf").read_text().splitlines()[4:7]]
    assert [atom[3] for atom in atoms] == ["C", "C", "O"]
    x = np.array([atom[:3] for atom in atoms], float)
    assert (x[:, 2] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(np.diff(x, axis=0), axis=1), 1.5, atol=1e-3)  # the length of RDKit's bonds


def test_hydrogens_and_handedness_of_an_sdf():
    alanine = Chem.AddHs(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))
    with Chem.SDWriter("x.sdf") as writer:
        writer.write(alanine)
    assert hg.read("x.sdf")["smiles"].to_list() == ["C[C@H](N)C(=O)O"]


@pytest.mark.parametrize("name", ["smiles", "SMILES"])
def test_the_atoms_of_an_sdf_are_told_not_a_property(name):
    five = Chem.MolFromSmiles("CC(C)(C)(C)C", sanitize=False)
    records = [Chem.MolToMolBlock(one, kekulize=False) for one in (Chem.MolFromSmiles("CCO"), five)]
    text = [f"{record}> <{name}>\nwrong\n\n> <logP>\n{number}.5\n\n$$$$\n" for number, record in enumerate(records)]
    Path("x.sdf").write_text("".join(text))
    assert hg.read("x.sdf").to_dict(as_series=False) == {"smiles": ["CCO", "CC(C)(C)(C)C"], "logP": [0.5, 1.5]}


def test_a_molecule_without_an_atom_keeps_its_place(sentence):
    drawn = ["CCO", "", "CC"]  # a model that is hardly trained may write nothing
    hg.write("x.sdf", drawn)
    assert hg.read("x.sdf")["smiles"].to_list() == drawn
    hg.write("x.smi", drawn)
    assert Path("x.smi").read_text() == "CCO\n\nCC\n"
    hg.write("x.png", drawn)
    assert sentence(hg.DataError, hg.VariationalAutoencoder(2).fit, hg.read("x.sdf")) == "Row 1 is empty. Leave it out."


def test_what_rdkit_refuses_of_an_sdf_is_named(capfd, sentence):
    hg.write("x.sdf", SMILES)
    five = Chem.MolFromSmiles("CC(C)(C)(C)C", sanitize=False)
    first, *others = Path("x.sdf").read_text().split("$$$$\n")
    Path("x.sdf").write_text("$$$$\n".join([first, Chem.MolToMolBlock(five, kekulize=False), "no\nmolecule\n", *others]))
    found = hg.read("x.sdf")
    assert found["smiles"].to_list() == [SMILES[0], "CC(C)(C)(C)C", "?", *SMILES[1:]]
    assert sentence(hg.DataError, hg.VariationalAutoencoder(2).fit, found) == (
        "Row 1, 'CC(C)(C)(C)C', is no molecule that RDKit can read. Leave it out, or mend it."
    )
    with pytest.warns(hg.HourglassWarning) as said:
        assert hg.read("x.sdf", skip_bad=True)["smiles"].to_list() == SMILES
    assert str(said[0].message) == (
        "2 of 5 rows of 'x.sdf' were left out, as they can't be read: row 1 ('CC(C)(C)(C)C'), row 2 ('?')."
    )
    assert capfd.readouterr() == ("", "")
    Path("x.sdf").write_text("")
    assert sentence(hg.FileError, hg.read, "x.sdf") == "'x.sdf' holds no molecule. It needs one for each row."


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("x.smi", "CCO ethanol\nC1CC open\n\nc1ccccc1\n", ["CCO", "c1ccccc1"]),
        ("x.txt", "CC=O\n" * 30 + "C1CC\n\nc1ccccc1\n", ["CC=O"] * 30 + ["c1ccccc1"]),
        ("x.csv", "SMILES,logP\nCCO,1\nC1CC,2\n,3\nc1ccccc1,4\n", ["CCO", "c1ccccc1"]),
        ("words.txt", "so it is\n\nit is so\nso\n", ["so it is", "it is so", "so"]),
    ],
)
def test_rows_that_can_not_be_read_are_left_out(name, text, kept):
    Path(name).write_text(text)
    with pytest.warns(hg.HourglassWarning, match=r"of '\w+.\w+' were left out, as they can't be read: row \d+ \("):
        found = hg.read(name, skip_bad=True)
    assert list(found["SMILES"] if name == "x.csv" else found) == kept


def test_a_warning_names_the_first_rows_left_out():
    Path("x.smi").write_text("CCO\n" + "C1CC\n" * 7)
    with pytest.warns(hg.HourglassWarning) as said:
        hg.read("x.smi", skip_bad=True)
    some = ", ".join(f"row {row} ('C1CC')" for row in range(1, 6))
    assert str(said[0].message) == f"7 of 8 rows of 'x.smi' were left out, as they can't be read: {some} and others."


def test_where_nothing_can_be_read(sentence):
    Path("x.smi").write_text("hello\nyou\n")
    assert sentence(hg.FileError, hg.read, "x.smi", skip_bad=True) == (
        "'x.smi' has 2 rows, none of which can be read. Check that it is the right file."
    )
    Path("x.csv").write_text("a,b\n1,2\n3,4\n")
    assert hg.read("x.csv", skip_bad=True).shape == (2, 2)


def test_molecules_are_written_by_the_ending(sentence):
    hg.write("x.csv", SMILES)
    assert Path("x.csv").read_text().splitlines() == ["smiles", *SMILES]
    hg.write("x.smi", TABLE)
    assert hg.read("x.smi").tolist() == SMILES
    hg.write("x.svg", SMILES)
    assert Path("x.svg").read_text().count("<svg") == 1
    hg.write("x.png", SMILES * 2)
    with Image.open("x.png") as drawn:
        assert drawn.size == (4 * 240, 2 * 180)
    assert sentence(hg.DataError, hg.write, "y.sdf", ["CCO", "C1CC"]) == (
        "The data doesn't fit into 'y.sdf' ('C1CC' is no molecule that RDKit can read). Convert it, or choose another ending."
    )
    assert sentence(hg.DataError, hg.write, "y.smi", pl.DataFrame({"a": [1]})) == (
        "The data doesn't fit into 'y.smi' (the table has no column called smiles). Convert it, or choose another ending."
    )
    assert sentence(hg.FileError, hg.write, "y.png", np.zeros((2, 4, 4))) == (
        "Can't write pictures to 'y.png'. Name a folder, such as y/."
    )


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("y.sdf", pl.DataFrame({"smiles": ["CCO", None, "C"]}), "None is no SMILES"),
        ("y.smi", [None, "CCO"], "None is no SMILES"),
        ("y.svg", [], "there is no molecule"),
        ("y.png", ["C"] * 729, "a PNG holds 728 molecules at most, an .svg any number, and these are 729"),
    ],
)
def test_what_is_not_written_as_molecules(name, raw, why, sentence):
    said = sentence(hg.DataError, hg.write, name, raw)
    assert said == f"The data doesn't fit into '{name}' ({why}). Convert it, or choose another ending."
    assert not Path(name).exists()


def test_titles_and_private_columns_of_an_sdf():
    table = pl.DataFrame({"smiles": ["CCO", "CC"], "name": ["00012", "00013"], "_id": [7, 8]})
    hg.write("x.sdf", table)
    assert hg.read("x.sdf").equals(table)


def test_values_of_several_lines_stay_within_their_molecule(sentence, capfd):
    table = pl.DataFrame({"smiles": ["CCO", "CC"], "name": ["two\nlines", ""], "note": ["a\n\n \r\nb\n", "c"], "n": [1, 2]})
    hg.write("x.sdf", table)
    expected = {"smiles": ["CCO", "CC"], "name": ["two lines", ""], "note": ["a\nb", "c"], "n": [1, 2]}
    assert hg.read("x.sdf").to_dict(as_series=False) == expected
    why = "a value of the column 'note' has a line that begins with $$$$, which ends a molecule"
    assert sentence(hg.DataError, hg.write, "y.sdf", table.with_columns(note=pl.lit("so\n$$$$ it is"))) == (
        f"The data doesn't fit into 'y.sdf' ({why}). Convert it, or choose another ending."
    )
    assert not Path("y.sdf").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "smiles", ["F/C=C/C=CC", "CC=C/C=C/F", "C/C=C/C=C\\F", "CC=CC", "F/C=C\\F", "C[C@H](N)C(=O)O", "C[C@@H](F)/C=C/C"]
)
def test_an_sdf_says_no_more_of_stereochemistry_than_is_known(smiles):
    hg.write("x.sdf", [smiles])
    assert hg.read("x.sdf")["smiles"].to_list() == [Chem.CanonSmiles(smiles)]


@pytest.mark.parametrize(
    ("symbols", "smiles"),
    [
        (["[C]", "[C]", "[Cl-1]"], "CC"),
        (["[C]", "[Br-1]"], "C"),
        (["[C]", "[Si]", "(", "[C]", ")", "(", "[C]", ")", "[C]"], "C[Si](C)(C)C"),
        (["[Si]", *["(", "[C]", ")"] * 3, "[Cl]"], "C[Si](C)(C)Cl"),
        (["[C]", "[SiH2]", "[C]"], "C[SiH2]C"),
        (["[C]", "[Se]", "[C]"], "C[Se]C"),
        (["[C]", ".", "[Cl-1]"], "C.[Cl-]"),
    ],
)
def test_atoms_have_no_more_bonds_than_rdkit_reads(symbols, smiles):
    assert molecules.to_smiles(symbols) == smiles


@pytest.mark.parametrize("atom", ["Si", "Se", "As", "Te", "Sn", "Mg", "F-1", "Cl-1", "Br-1", "I-1", "O-2", "Al+3", "Se+1"])
def test_whatever_is_written_is_a_molecule(atom):
    for bonds in range(9):
        for ahead in ([], ["[C]"]):
            drawn = molecules.to_smiles([*ahead, f"[{atom}]", *["(", "[C]", ")"] * bonds])
            assert molecules.is_molecule(drawn)


def test_drawings_are_pictures():
    drawn = molecules.drawings(SMILES)
    assert drawn.shape == (3, 180, 240, 3)
    assert drawn.min() >= 0
    assert (drawn == 1).mean() > 0.9  # white paper
    assert (drawn[0] != drawn[1]).any()
