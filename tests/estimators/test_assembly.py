"""A model begins as PCA: two independent ways to the same numbers."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import nn

import hourglass as hg


@pytest.mark.parametrize("hidden", [None, (), (16,)])
def test_a_table_begins_as_pca(hidden):
    X = StandardScaler().fit_transform(load_wine().data)
    pca = PCA(4).fit(X)
    model = hg.Autoencoder(4, hidden=hidden, learning_rate=1e-12, max_epochs=1, validation_fraction=0, random_state=0).fit(X)
    np.testing.assert_allclose(model.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-4)
    np.testing.assert_allclose(np.abs(model.transform(X)), np.abs(pca.transform(X)) / pca.explained_variance_**0.25, atol=1e-4)


def test_training_never_leaves_less_of_the_held_out_rows_than_pca_does():
    X = np.random.default_rng(0).normal(size=(60, 20))  # nothing to learn, much to overfit
    model = hg.Autoencoder(4, random_state=0).fit(X)
    losses = [epoch["validation"] for epoch in model.history_]
    assert model.score(X) <= 0 and min(losses) > 0
    assert hg.metrics.reconstruction(model, X)["explained_variance"] > 0.2


def test_networks_of_your_own_keep_the_weights_they_came_with():
    X = load_wine().data
    first = hg.Autoencoder(4, max_epochs=20, random_state=0).fit(X[:150], validation_data=X[150:])
    again = hg.Autoencoder(4, encoder=first.encoder_, decoder=first.decoder_, max_epochs=1, random_state=1)
    again.fit(X[:150], validation_data=X[150:])
    assert again.start_loss_ == first.history_[first.best_epoch_ - 1]["validation"] < first.start_loss_


def test_bernoulli_refuses_standardised_columns():
    with pytest.raises(hg.ParameterError) as caught:
        hg.Autoencoder(2, likelihood=hg.Bernoulli()).fit(load_wine().data)
    assert str(caught.value) == (
        "The 'likelihood' parameter of Autoencoder can't be Bernoulli(drawn=False) for a table of 13 numeric columns: it takes "
        "values from 0 to 1, and columns are standardised. Use Gaussian(), or kind='image'."
    )


def lazily(shape, codes):
    return nn.LazyLinear(codes)


@pytest.mark.parametrize("lazy", [lazily, nn.LazyLinear(2)])
def test_weights_that_are_drawn_by_the_first_rows_come_from_the_seed(lazy):
    X, before = load_wine().data, torch.get_rng_state()
    one, again, other = (hg.Autoencoder(2, encoder=lazy, max_epochs=1, random_state=seed).fit(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.transform(X), again.transform(X))
    assert not np.array_equal(one.transform(X), other.transform(X))
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(("columns", "width"), [(2, 1), (7, 3), (13, 6), (64, 32), (90, 32)])
def test_the_waist_of_a_table_is_at_most_half_as_wide(columns, width):
    X = np.random.default_rng(0).normal(size=(40, columns))
    for model in (hg.Autoencoder, hg.DenoisingAutoencoder):
        assert model(max_epochs=1, random_state=0).fit(X).transform(X).shape == (40, width)


def test_the_waist_of_pictures_is_32_wide():
    X = np.random.default_rng(0).random((20, 5, 5))
    with pytest.warns(hg.HourglassWarning, match="A bottleneck of 32 for 25 features can copy"):
        assert hg.Autoencoder(max_epochs=1, random_state=0).fit(X).transform(X).shape == (20, 32)


def test_columns_that_are_left_out_make_no_waist_wider():
    numbers = {name: np.random.default_rng(ord(name)).normal(size=60) for name in "abcd"}
    table = pl.DataFrame({f"note{i}": [f"row {j} of {i}" for j in range(60)] for i in range(8)} | numbers)
    asked = {f"note{i}": "left out" for i in range(8)}
    assert hg.Autoencoder(columns=asked, max_epochs=1).fit(table).transform(table).shape == (60, 2)
    with pytest.warns(hg.HourglassWarning, match="A bottleneck of 4 for 4 features can copy its input"):
        hg.Autoencoder(4, columns=asked, max_epochs=1).fit(table)
