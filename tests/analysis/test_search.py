"""Neighbours in the space of codes, and what is better than what is known."""

import numpy as np
import polars as pl
import pytest
from rdkit import Chem
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression

import hourglass as hg
from hourglass.analysis.chemistry import tanimoto
from hourglass.analysis.optimising import expected_improvement
from hourglass.analysis.sequences import edits

CHANCE = np.random.default_rng(0)
LINES = ["".join(CHANCE.choice(list("abc"), CHANCE.integers(2, 6))) for _ in range(150)]
SMALL = hg.OneShot(embedding=8, widths=(16,), hidden=(32,))


def count(rows):
    """A property: how many more times a comes than b."""
    return [row.count("a") - row.count("b") for row in rows]


@pytest.fixture(scope="module")
def model():
    waist = hg.Variational(6, beta=0.05)
    return hg.VariationalAutoencoder(waist, encoder=SMALL, decoder=SMALL, max_epochs=80, random_state=0).fit(LINES)


def test_neighbours_are_others_and_near(model):
    found = hg.neighbours(model, "abc", radius=2.5, n=10, random_state=0)
    assert found.columns == ["neighbour", "distance", "times", "edits"]
    rows = found["neighbour"].to_list()
    assert 0 < len(rows) == len(set(rows)) <= 10
    assert "abc" not in rows
    assert found["distance"].is_sorted()
    assert found["distance"].max() <= 2.5
    assert found["edits"].to_list() == [edits("abc", [row])[0] for row in rows]
    assert found.equals(hg.neighbours(model, "abc", radius=2.5, n=10, random_state=0))
    assert hg.neighbours(model, "abc", radius=1e-6).height <= 1  # but what it is rebuilt as


def test_neighbours_of_a_molecule(chemical):
    found = hg.neighbours(chemical, "OCC", radius=3, random_state=0)
    assert "CCO" not in found["neighbour"]
    np.testing.assert_allclose(found["similarity"], tanimoto(found["neighbour"].to_list(), ["CCO"])[:, 0])


def test_a_single_molecule_may_be_one_of_rdkit(chemical):
    first, second = (Chem.MolFromSmiles(smiles) for smiles in ("CCO", "C1CCCCC1"))
    assert hg.neighbours(chemical, first, radius=3, n=3).equals(hg.neighbours(chemical, "CCO", radius=3, n=3))
    assert chemical.interpolate(first, second, steps=3) == chemical.interpolate("CCO", "C1CCCCC1", steps=3)


def test_what_is_no_molecule_is_no_neighbour_and_no_candidate(chemical, monkeypatch):
    drawn = ["C[Cl-]C", "CCC", "", "CCF"]
    monkeypatch.setattr(type(chemical), "_decoded", lambda self, z, condition: (drawn * len(z))[: len(z)])
    found = hg.neighbours(chemical, "CCO", n=2, random_state=0)
    assert found["neighbour"].to_list() == ["CCC", "CCF"] and (found["similarity"] > 0).all()
    best = hg.optimise(chemical, lambda rows: list(map(len, rows)), ["CCO", "CCN", "Cc1ccccc1"], rounds=1, random_state=0)
    assert sorted(best["candidate"]) == ["CCC", "CCF"]


def test_neighbours_need_codes(sentence):
    assert sentence(hg.ParameterError, hg.neighbours, hg.DenoisingAutoencoder(), "abc") == (
        "New rows come of codes, and a DenoisingAutoencoder has none. Fit an Autoencoder or a VariationalAutoencoder."
    )


def test_neighbours_that_there_are_not(model, variational, images, sentence):
    assert sentence(hg.DataError, hg.neighbours, variational, images.X[0]) == (
        "Neighbours are rows of symbols, which can be equal. The model was fitted on 14 x 14 grey images."
    )
    assert sentence(hg.DataError, hg.neighbours, model, ["abc", "ab"]) == "Neighbours are those of a single row. Got 2."
    assert sentence(hg.ParameterError, hg.neighbours, model, "abc", radius=0) == (
        "The 'radius' must be a positive float. Got 0 instead."
    )
    assert sentence(hg.ParameterError, hg.neighbours, model, "abc", radius=np.inf) == (
        "The 'radius' must be a positive float. Got inf instead."
    )
    assert hg.neighbours(model, "abc", radius=np.float32(2), n=3).equals(hg.neighbours(model, "abc", radius=2.0, n=3))
    assert sentence(hg.ParameterError, hg.neighbours, model, "abc", n=0) == (
        "The number of neighbours must be a positive int. Got 0 instead."
    )


def test_expected_improvement_is_the_integral():
    mean, std = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 2.0])
    expected = [quad(lambda y, m=m, s=s: (y - 0.3) * norm.pdf(y, m, s), 0.3, 30)[0] for m, s in zip(mean, std, strict=True)]
    np.testing.assert_allclose(expected_improvement(mean, std, 0.3), expected, rtol=1e-6)
    assert expected_improvement(np.array([1.0]), np.array([0.0]), 0.25) == pytest.approx(0.75)


@pytest.mark.parametrize("search", ["bayesian", "gradient"])
@pytest.mark.parametrize("surrogate", ["gaussian-process", "ridge"])
def test_what_is_better_is_found(model, search, surrogate):
    found = hg.optimise(model, count, LINES, n=5, surrogate=surrogate, search=search, rounds=2, random_state=0)
    rows = found["candidate"].to_list()
    assert found["value"].to_list() == count(rows)
    assert found["value"].is_sorted(descending=True)
    assert len(set(rows)) == len(rows)
    assert not set(rows) & set(LINES)
    assert found["value"].max() > np.quantile(count(LINES), 0.9)
    near = [edits(row, LINES) for row in rows]
    assert found["edits"].to_list() == [each.min() for each in near]
    assert found["nearest"].to_list() == [LINES[each.argmin()] for each in near]


def test_values_as_a_column_less_is_better_and_what_is_wanted(model):
    found = hg.optimise(model, count(LINES), LINES, n=5, minimise=True, surrogate="ridge", random_state=0)
    assert found.columns == ["candidate", "predicted", "std", "nearest", "edits"]
    assert found["predicted"].is_sorted()
    assert np.mean(count(found["candidate"])) < np.quantile(count(LINES), 0.25)
    again = hg.optimise(model, count(LINES), LINES, n=5, minimise=True, surrogate="ridge", random_state=0)
    assert again.equals(found)
    wanted = hg.optimise(
        model, count, LINES, keep=lambda rows: ["c" in row for row in rows], surrogate=GaussianProcessRegressor(), random_state=0
    )
    assert all("c" in row for row in wanted["candidate"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_candidates_without_a_property_are_left_out(model, bad):
    def told(rows):
        return [n if row in LINES or n % 2 else bad for row, n in zip(rows, count(rows), strict=True)]

    found = hg.optimise(model, told, LINES, n=10, surrogate="ridge", rounds=2, random_state=0)
    assert found.height > 0 and set(found["value"]) <= {-3, -1, 1, 3, 5}
    assert found["value"].to_list() == count(found["candidate"]) and found["value"].is_sorted(descending=True)


def test_molecules_and_tables_are_optimised(chemical, variational_table, table):
    known = pl.DataFrame({"smiles": ["OCC", "CCOC(=O)c1ccccc1"], "logP": [-0.1, 1.9]})  # of eight that the model knows
    found = hg.optimise(chemical, known["logP"], known, n=3, surrogate="ridge", random_state=0)
    assert "CCO" not in found["candidate"]
    alike = tanimoto(found["candidate"].to_list(), known["smiles"].to_list())
    np.testing.assert_allclose(found["similarity"], alike.max(1))

    def alcohol(rows):
        return np.asarray(rows["alcohol"])

    found = hg.optimise(variational_table, alcohol, table.X, n=3, surrogate="ridge", rounds=1, random_state=0)
    assert found.columns == ["code", "value", "predicted", "std", "nearest", "distance"]
    assert found["value"].max() > np.median(alcohol(table.X))
    away = np.linalg.norm(np.stack(found["code"])[:, None] - np.asarray(variational_table.transform(table.X)), axis=2)
    np.testing.assert_allclose(found["distance"], away.min(1), rtol=1e-4)
    assert found["nearest"].to_list() == away.argmin(1).tolist()


@pytest.mark.parametrize(
    ("target", "settings", "said"),
    [
        ([1.0, 2.0], {}, "A property has a value for each of the 150 rows. Got an array of shape (2,)."),
        (
            ["5.1", ">10"] * 75,
            {},
            "A property is a function of rows, or a number for each of them, not text (could not convert string to float: '>10').",
        ),
        (lambda rows: [1.0], {}, "The property takes 150 rows and has to give as many numbers. Got shape (1,)."),
        (lambda rows: [np.nan] * len(rows), {}, "The property has values that are not finite. Leave those rows out."),
        (count, {"n": 0}, "The 'n' parameter of optimise must be a positive int. Got 0 instead."),
        (count, {"rounds": 0}, "The 'rounds' parameter of optimise must be a positive int. Got 0 instead."),
        (count, {"surrogate": 3}, "The 'surrogate' parameter of optimise must be a name or a regressor. Got 3 instead."),
        (
            count,
            {"surrogate": LinearRegression()},
            "A 'surrogate' of optimise says how sure it is: its predict takes return_std=True. Got LinearRegression().",
        ),
        (count, {"search": "bayes"}, "The 'search' parameter of optimise has no choice 'bayes'. Did you mean 'bayesian'?"),
        (count, {"surrogate": "rigde"}, "The 'surrogate' parameter of optimise has no choice 'rigde'. Did you mean 'ridge'?"),
        (
            count,
            {"keep": lambda rows: [False] * len(rows), "surrogate": "ridge"},
            "Nothing new was found near the best rows. Ask for more of them, or train the model for longer.",
        ),
    ],
)
def test_what_can_not_be_optimised(model, target, settings, said):
    with pytest.raises(hg.HourglassError) as caught:
        hg.optimise(model, target, LINES, **settings)
    assert str(caught.value) == said


def test_a_model_with_a_condition_is_not_optimised(sentence):
    vae = hg.VariationalAutoencoder(2, decoder=SMALL, encoder=SMALL, max_epochs=1, random_state=0)
    vae.fit(LINES, condition=[row[0] for row in LINES])
    assert sentence(hg.ParameterError, hg.optimise, vae, count, LINES) == (
        "optimise takes models that were fitted on rows alone. This one was fitted with a condition."
    )
