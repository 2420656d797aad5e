"""Sparse matrices, as those of TF-IDF are: learned from, and passed through, as the same numbers in a dense array are."""

import numpy as np
import pytest
import torch
from scipy import sparse

import hourglass as hg
from hourglass import kinds
from hourglass.batches import SparseRows
from hourglass.estimators import learning
from hourglass.estimators.detection import members

X = sparse.random(300, 40, density=0.1, random_state=0, format="csr")
DENSE = X.toarray()
REFUSED = "Sparse data is not supported here, where it is no table: pass a dense array, X.toarray()."


@pytest.fixture(scope="module")
def fitted():
    return [hg.Autoencoder(4, max_epochs=3, random_state=0).fit(each) for each in (X, DENSE)]


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "feature_errors", "score"])
def test_the_numbers_are_those_of_the_dense_array(fitted, method):
    of_sparse, of_dense = fitted
    wanted = getattr(of_dense, method)(DENSE)
    for model, rows in ((of_sparse, X), (of_sparse, DENSE), (of_dense, X)):
        np.testing.assert_array_equal(getattr(model, method)(rows), wanted)
    assert of_sparse.kind_ == of_dense.kind_
    assert hg.metrics.reconstruction(of_sparse, X) == hg.metrics.reconstruction(of_dense, DENSE)


@pytest.mark.parametrize("estimator", [hg.VariationalAutoencoder, hg.DenoisingAutoencoder])
def test_all_autoencoders_learn_from_them(estimator):
    models = [estimator(4, max_epochs=2, random_state=0).fit(each, validation_data=each[:40]) for each in (X, DENSE)]
    np.testing.assert_array_equal(models[0].transform(DENSE), models[1].transform(DENSE))


@pytest.mark.parametrize("form", ["coo", "csc", "dok", "lil", "bsr"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_all_formats_and_types(form, dtype):
    some = (9 * X).asformat("csr").astype(dtype)
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(some.asformat(form))
    assert model.kind_.dtype == dtype
    np.testing.assert_array_equal(model.transform(some.asformat(form)), model.transform(some.toarray()))


def test_they_are_dense_a_few_rows_at_a_time(monkeypatch):
    most, dense = [], SparseRows._dense
    monkeypatch.setattr(SparseRows, "_dense", lambda self, some: most.append(some.shape) or dense(self, some))
    monkeypatch.setattr(learning, "rows_to_start_from", lambda model, kind, sparse: 50)
    hg.Autoencoder(4, max_epochs=1, batch_size=32, random_state=0).fit(X)
    assert max(rows for rows, columns in most if rows < len(DENSE)) == 50
    rows = SparseRows(X, torch.device("cpu"))
    assert torch.equal(rows[torch.tensor([7, 7, 3])], torch.from_numpy(DENSE[[7, 7, 3]]))
    assert torch.equal(torch.cat([*rows.split(15, 1)], 1), torch.from_numpy(DENSE))


def test_training_goes_on(tmp_path):
    models = [hg.Autoencoder(4, random_state=0) for _ in range(2)]
    for model, rows in zip(models, (X, DENSE), strict=True):
        model.partial_fit(rows[:150]).partial_fit(rows[150:])
    np.testing.assert_array_equal(models[0].transform(X), models[1].transform(DENSE))
    path = tmp_path / "run.safetensors"
    hg.Autoencoder(4, max_epochs=1, checkpoint=path, random_state=0).fit(X)
    assert not path.exists()


def with_value(value):
    found = X.copy()
    found.data[7] = value
    return found


ROW, COLUMN = 3, 23  # of the value with that number


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            with_value(np.nan),
            f"The sparse matrix holds nan in row {ROW}, column {COLUMN}. "
            "Fill it, leave that row or column out, or pass X.toarray(), which may have gaps.",
        ),
        (sparse.csr_array((20, 5)), "All 20 rows are equal, so there is nothing to learn. Check that the right file was read."),
        (X.astype(complex), "Complex data not supported: pass the real and the imaginary part as columns of their own."),
    ],
    ids=["gap", "empty", "complex"],
)
def test_what_cannot_be_learned_from(rows, words, sentence):
    assert sentence(hg.DataError, hg.Autoencoder(2, max_epochs=1).fit, rows) == words


def test_what_looks_at_all_of_the_data_makes_it_dense(fitted, tmp_path, monkeypatch, sentence):
    monkeypatch.setattr(members, "STEPS", 10)
    models = [hg.AnomalyDetector(random_state=0).fit(each) for each in (X, DENSE)]
    wanted = models[1].score_samples(DENSE)
    for model, rows in zip(models, (DENSE, X), strict=True):
        np.testing.assert_array_equal(model.score_samples(rows), wanted)
    assert models[0].explain(X).equals(models[1].explain(DENSE))
    for model in (fitted[0], models[0]):
        hg.report(model, X, tmp_path / "report.html")
        assert (tmp_path / "report.html").exists()
    blank = hg.Autoencoder(max_epochs=1, random_state=0)
    sweeps = [hg.sweep(each, bottlenecks=(2,), estimator=blank, random_state=0).frame for each in (X, DENSE)]
    assert sweeps[0]["mse"].to_list() == sweeps[1]["mse"].to_list()
    monkeypatch.setattr(kinds, "MOST_DENSE", DENSE.nbytes - 1)
    assert len(models[0].predict(X[:10])) == 10
    assert sentence(hg.DataError, models[0].predict, X) == (
        "The sparse matrix takes 0.0 GB as a dense array, which is made here of up to 9.5999e-05 GB. "
        "Pass fewer rows, X.toarray(), or codes of it, as an Autoencoder gives them."
    )


def test_where_they_are_refused(sentence):
    assert sentence(hg.DataError, hg.Autoencoder(2, kind="series").fit, X) == REFUSED
    words = "The 'columns' parameter is for tables, and sparse matrices have none. Got {'x0': 'numeric'}."
    assert sentence(hg.ParameterError, hg.Autoencoder(2, columns={"x0": "numeric"}).fit, X) == words
    words = "Of the data and validation_data one is sparse and the other is not. Give both alike."
    assert sentence(hg.DataError, lambda: hg.Autoencoder(2, max_epochs=1).fit(X, validation_data=DENSE)) == words


def test_a_constant_column_is_said():
    constant = sparse.hstack([X, np.ones((300, 1))]).tocsr()
    with pytest.warns(hg.HourglassWarning, match="Column 40 is constant, 1 in every row"):
        hg.Autoencoder(2, max_epochs=1, random_state=0).fit(constant)
