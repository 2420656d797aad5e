"""SELFIES with brackets and sizes of rings, and back."""

import numpy as np
import pytest
import selfies
from rdkit import Chem

from hourglass.data.nested import flat, nested

SMILES = [
    "CC(=O)OC1=CC=CC=C1C(=O)O",
    "C1=CC2=CC=CC=C2N1",  # two rings with a bond in common
    "C1CC2CCC1C2",  # and with three
    "C1CC2(C1)CCC2",  # and with an atom
    "C(C(C(C)C)C)(C)(C)C",
    "C1CCCCCCCCCCCCCCCCCCC1",  # 20 atoms, for which SELFIES takes two digits
    "F/C=C/C1=CC=C(C=C1)C#N",
    "[Na+1].[O-1]C1CC1",
    "C12C3C4C1C5C2C3C45",  # a cube
]


@pytest.mark.parametrize("smiles", SMILES)
def test_it_comes_back_as_it_was(smiles):
    symbols = list(selfies.split_selfies(selfies.encoder(smiles)))
    assert flat(nested(symbols)) == symbols


def test_rings_say_how_many_atoms_they_have():
    def of(smiles):
        return nested(list(selfies.split_selfies(selfies.encoder(smiles))))

    assert of("C1CCCCC1(C)C") == ["[C]", "[C]", "[C]", "[C]", "[C]", "[C]", "[ring6]", "(", "[C]", ")", "[C]"]
    assert of("C1CC(CC)CCC1") == ["[C]", "[C]", "[C]", "(", "[C]", "[C]", ")", "[C]", "[C]", "[C]", "[ring6]"]
    assert [symbol for symbol in of("C1=CC2=CC=CC=C2N1") if "ring" in symbol] == ["[ring6]", "[ring5]"]
    assert [symbol for symbol in of("C1CC2CC1CC2") if "ring" in symbol] == ["[ring5]", "[ring5']"]


def test_what_has_no_counterpart_is_left_out():
    assert flat([")", "[C]", "(", ")", "[ring6]", "[C]", "[C]", "[ring3]", "[ring3']", "(", "[O]"]) == [
        *("[C]", "[C]", "[C]", "[Ring1]", "[Ring1]", "[Branch1]", "[C]", "[O]")
    ]
    assert flat(["(", "[C]", ".", "[O]"]) == ["[Branch1]", "[C]", "[C]", ".", "[O]"]


def test_whatever_is_written_is_a_molecule():
    alphabet = ["[C]", "[=C]", "[N]", "[O]", "[C@@H1]", "[ring5]", "[=ring6]", "[ring6']", "(", "=(", ")"]
    chance = np.random.default_rng(0)
    for _ in range(100):
        row = ["[C]", *chance.choice(alphabet, 20).tolist()]
        assert Chem.MolFromSmiles(selfies.decoder("".join(flat(row)))) is not None


def test_rings_between_molecules_are_refused():
    with pytest.raises(ValueError, match="between two molecules"):
        nested(["[C]", ".", "[C]", "[Ring1]", "[C]"])
    with pytest.raises(ValueError, match="before the first atom"):
        nested(["[Ring1]", "[C]"])
