"""Each bad input with its exact sentence."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.exceptions import NotFittedError

import hourglass as hg

GOOD = np.random.default_rng(0).normal(size=(20, 5))


def changed(row, column, value):
    X = GOOD.copy()
    X[row, column] = value
    return X


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (
            np.empty((0, 5)),
            "Found array with 0 sample(s) (shape=(0, 5)) while a minimum of 2 is required: Autoencoder can't learn from nothing.",
        ),
        (
            GOOD[:1],
            "Found array with 1 sample(s) (shape=(1, 5)) while a minimum of 2 is required: Autoencoder can't learn from 1 sample.",
        ),
        (np.ones((40, 5)), "All 40 rows are equal, so there is nothing to learn. Check that the right file was read."),
        (changed(4, 2, np.inf), "The table holds inf in row 4, column 2. Fill it, or leave that row or column out."),
        (
            pl.DataFrame({"b": ["x", "y"]}),
            "No column is left to learn from: 'b' is an identifier (2 different values in 2 rows). "
            "To learn the text itself, say kind='token' (by characters) or kind='words'.",
        ),
        (
            [np.zeros((4, 4)), np.zeros((4, 5))],
            "All rows need one shape: row 0 has (4, 4), row 1 has (4, 5). Resize the images, or pad the rows, to one size.",
        ),
        (
            [np.zeros(4), np.zeros(5)],
            "All rows need one shape: row 0 has (4,), row 1 has (5,). If they are series, say kind='series'.",
        ),
    ],
    ids=["empty", "one row", "constant", "infinity", "strings", "differing sizes", "differing lengths"],
)
@pytest.mark.filterwarnings("ignore:Column 0 .and 4 more. is constant")
def test_data_that_cannot_be_learned_from(X, sentence):
    with pytest.raises(hg.DataError) as caught:
        hg.Autoencoder(2, max_epochs=1).fit(X)
    assert str(caught.value) == sentence


def test_a_constant_column_is_said_and_rebuilt():
    X = changed(slice(None), 2, 7.0)
    with pytest.warns(hg.HourglassWarning) as caught:
        model = hg.Autoencoder(2, max_epochs=1).fit(X)
    sentence = "Column 2 is constant, 7 in every row: it teaches nothing and is rebuilt as it is."
    assert str(caught[0].message) == sentence
    assert np.isfinite(model.reconstruct(X)).all()


def test_a_waist_wider_than_the_input_is_said():
    with pytest.warns(hg.HourglassWarning) as caught:
        hg.Autoencoder(8, max_epochs=1).fit(GOOD)
    sentence = "A bottleneck of 8 for 5 features can copy its input and need not learn anything: choose a narrower one."
    assert str(caught[0].message) == sentence


def test_another_width_at_transform():
    model = hg.Autoencoder(2, max_epochs=1).fit(GOOD)
    with pytest.raises(ValueError, match="X has 3 features, but Autoencoder is expecting 5 features as input"):
        model.transform(GOOD[:, :3])
    images = hg.Autoencoder(2, max_epochs=1).fit(np.zeros((10, 4, 4), np.uint8))
    with pytest.raises(hg.DataError) as caught:
        images.transform(np.zeros((3, 5, 5), np.uint8))
    assert str(caught.value) == "The model was fitted on images of shape (4, 4). Got an array of shape (3, 5, 5)."


@pytest.mark.parametrize(
    ("Z", "sentence"),
    [
        (np.zeros((3, 4)), "The model has 2 codes, so Z must be of shape (n, 2). Got (3, 4)."),
        (np.array([["u", "v"]]), "Codes are numbers, as transform gives them. Got an array of <U1."),
        (np.array([[0, np.nan]]), "The array of codes holds NaN in row 0, column 1. Fill it, or leave that row or column out."),
    ],
)
def test_codes_that_are_none(Z, sentence):
    with pytest.raises(hg.DataError) as caught:
        hg.Autoencoder(2, max_epochs=1).fit(GOOD).inverse_transform(Z)
    assert str(caught.value) == sentence


def test_unfitted_use_is_that_of_scikit_learn():
    with pytest.raises(NotFittedError, match="This Autoencoder instance is not fitted yet"):
        hg.Autoencoder().transform(GOOD)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"bottleneck": -3}, "must be a positive int or a bottleneck part. Got -3 instead."),
        ({"likelihood": "mse"}, "must be a likelihood part, such as Gaussian() or Bernoulli(), or None. Got 'mse' instead."),
        ({"objective": 5}, "must be an objective part, the name of one or None. Got 5 instead."),
        ({"optimizer": "sgd"}, "must be one of 'adam', 'muon'. Got 'sgd' instead."),
        ({"validation_fraction": 1}, "must be a float from 0 to below 1. Got 1 instead."),
    ],
)
def test_a_parameter_out_of_its_rule(parameters, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        hg.Autoencoder(**parameters).fit(GOOD)
    assert str(caught.value) == f"The '{next(iter(parameters))}' parameter of Autoencoder {sentence}"


def test_divergence_names_the_place_and_keeps_finite_weights():
    model = hg.Autoencoder(2, learning_rate=1e12, random_state=0)
    with pytest.raises(hg.TrainingDivergedError, match=r"in epoch 1, batch \d+; the first tensor that went bad is \w+"):
        model.fit(GOOD)
    assert np.isfinite(model.transform(GOOD)).all()


def test_columns_of_images():
    with pytest.raises(
        hg.ParameterError, match=r"The 'columns' parameter is for tables, and images have none. Got {'a': 'numeric'}"
    ):
        hg.Autoencoder(2, columns={"a": "numeric"}).fit(np.zeros((9, 4, 4), np.uint8))


def test_damage_of_pictures_on_a_table():
    with pytest.raises(
        hg.ParameterError, match=r"can't be HalfErased.side='any'. for .* it is for images. Use Noise, Mask or Hide"
    ):
        hg.Autoencoder(2, corruption="half").fit(np.random.default_rng(0).normal(size=(50, 4)))


class Endless(torch.utils.data.Dataset):
    """A dataset of torch as many are: it knows its length, and goes on behind it."""

    def __len__(self):
        return 3

    def __getitem__(self, number):
        return torch.zeros(2, 3), 0


def masked(shape):
    return np.ma.masked_equal(np.zeros(shape), 0)


STACK = "torch.stack([dataset[i][0] for i in range(len(dataset))])"


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (None, "Data is an array, a table, a list of rows or a path. Got None."),
        (5, "Data is an array, a table, a list of rows or a path. Got a value of the type int."),
        (np.array(5.0), "Data is an array, a table, a list of rows or a path. Got an array of a single number."),
        (pl.col("a"), "Data is an array, a table, a list of rows or a path. Got a value of the type Expr."),
        ({1, 2}, "Data is an array, a table, a list of rows or a path. Got a value of the type set. Make a list of it."),
        (
            (row for row in GOOD),
            "Data is an array, a table, a list of rows or a path. Got a value of the type generator. Make a list of it.",
        ),
        (
            {"a": [1, 2], "b": [1]},
            "A dict is read as the columns of a table, a list of dicts as its rows, and this dict can't be: could not create "
            "a new DataFrame: height of column 'b' (1) does not match height of column 'a' (2). "
            "Pass pandas.DataFrame(...) of it, or an array.",
        ),
        (
            Endless(),
            f"The Endless of torch is no array. Pass one of all its rows, without the labels: {STACK}.numpy().",
        ),
        (
            torch.utils.data.TensorDataset(torch.zeros(3, 4)),
            f"The TensorDataset of torch is no array. Pass one of all its rows, without the labels: {STACK}.numpy().",
        ),
        (
            torch.utils.data.DataLoader(Endless()),
            "The DataLoader of torch is no array. Pass one of all its rows, without the labels: "
            "torch.cat([x for x, *_ in loader]).numpy().",
        ),
        (
            masked((3, 4, 4)),
            "The array of shape (3, 4, 4) has a mask, and only a table may have gaps. Fill it, as in X.filled(0), or leave out "
            "what is masked.",
        ),
        (
            pd.DataFrame(),
            "Found array with 0 sample(s) (shape=(0, 0)) while a minimum of 2 is required: Autoencoder can't learn from nothing.",
        ),
        (
            pd.DataFrame(index=range(5)),
            "Found array with 0 feature(s) (shape=(5, 0)) while a minimum of 1 is required.",
        ),
        (
            pd.Series([f"a remark of many words, number {i}" for i in range(40)]),
            "No column is left to learn from: '0' is of no use (free text, 40 different values in 40 rows). "
            "To learn the text itself, say kind='token' (by characters) or kind='words'.",
        ),
    ],
    ids=[
        *(
            "None",
            "int",
            "number",
            "expression",
            "set",
            "generator",
            "dict",
            "dataset",
            "tensors",
            "loader",
            "mask",
            "no columns",
            "only an index",
            "texts",
        ),
    ],
)
def test_what_is_no_data(X, sentence):
    with pytest.raises(hg.DataError) as caught:
        hg.Autoencoder(2, max_epochs=1).fit(X)
    assert str(caught.value) == sentence


def test_a_table_of_no_columns_has_no_symbols(sentence):
    model = hg.Autoencoder(2, max_epochs=1, kind="token", random_state=0).fit(["abba", "baab"] * 10)
    assert sentence(hg.DataError, model.transform, pl.DataFrame()) == (
        "The table has no columns, so there are no rows of symbols. Give it one."
    )


@pytest.mark.parametrize("array", [pa.array, lambda rows: pa.chunked_array([rows]), pd.array, pd.Categorical])
def test_a_bare_array_of_pandas_or_pyarrow_is_an_array(array, sentence):
    assert hg.infer(array(["abc", "bca", "abc"])).kind == "token"
    numbers = array([1.0, 2.0, 4.0])
    assert "Expected 2D array, got 1D array instead" in sentence(hg.DataError, hg.Autoencoder(1, kind="table").fit, numbers)


def test_a_single_row_is_no_table_and_a_single_picture_no_pile(sentence):
    table = pd.DataFrame(GOOD, columns=list("abcde"))
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(table)
    assert sentence(hg.DataError, model.transform, table.iloc[0]) == (
        "A table has rows and columns. Got a single row as a column: pass df.iloc[[i]], not df.iloc[i]."
    )
    assert sentence(hg.DataError, model.transform, table["a"]).startswith("The table has no column 'b'")
    images = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(np.zeros((10, 8, 8), np.uint8))
    assert sentence(hg.DataError, images.transform, np.zeros((8, 8), np.uint8)) == (
        "The model was fitted on images of shape (8, 8). Got an array of shape (8, 8). A single picture goes in as picture[None]."
    )


def test_data_in_the_place_of_a_parameter_is_cut_short_and_a_dataset_is_told_by_its_piles(sentence):
    said = "The 'bottleneck' parameter of Autoencoder must be a positive int or a bottleneck part. Got "
    assert sentence(hg.ParameterError, hg.Autoencoder(np.zeros((20, 4))).fit, GOOD) == (
        f"{said}array([[0., 0., 0., 0.], [0., 0., 0., 0.], [0., 0., 0., 0.],... instead."
    )
    assert sentence(hg.ParameterError, hg.Autoencoder(pd.DataFrame({"a": [1], "b": [2]})).fit, GOOD) == f"{said}a b 0 1 2 instead."
    assert sentence(hg.DataError, hg.Autoencoder(2).fit, hg.datasets.load("digits")) == (
        "A Dataset is several piles (x_train, y_train, x_test, y_test). Pass one of them, such as its x_train."
    )


def test_codes_are_tensors_of_torch_too(sentence):
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(GOOD)
    codes = torch.ones(3, 2, requires_grad=True)
    for given in (codes, codes.bfloat16()):
        np.testing.assert_array_equal(model.inverse_transform(given), model.inverse_transform(np.ones((3, 2), np.float32)))
    record = hg.Autoencoder(2, kind=hg.Series(window=8), max_epochs=1).fit(hg.Record(GOOD[:, 0]))
    said = "There are no codes, and a record is made of one window at least."
    assert sentence(hg.DataError, record.inverse_transform, np.zeros((0, 2))) == said


@pytest.mark.parametrize("fit", ["fit", "partial_fit", "fit_transform"])
def test_warnings_point_at_the_line_of_the_user(fit):
    with pytest.warns(hg.HourglassWarning, match="A bottleneck of 9 for 5 features") as caught:
        getattr(hg.Autoencoder(9, max_epochs=1), fit)(GOOD)
    assert [warning.filename for warning in caught] == [__file__]
