"""A model begins as PCA: two independent ways to the same numbers."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import hourglass as hg


def test_a_table_begins_as_pca():
    X = StandardScaler().fit_transform(load_wine().data)
    pca = PCA(4).fit(X)
    model = hg.Autoencoder(4, learning_rate=1e-12, max_epochs=1, validation_fraction=0, random_state=0).fit(X)
    np.testing.assert_allclose(model.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-4)
    np.testing.assert_allclose(np.abs(model.transform(X)), np.abs(pca.transform(X)) / pca.explained_variance_**0.25, atol=1e-4)


def test_training_never_leaves_less_of_the_held_out_rows_than_pca_does():
    X = np.random.default_rng(0).normal(size=(60, 20))  # nothing to learn, much to overfit
    model = hg.Autoencoder(4, random_state=0).fit(X)
    losses = [epoch["validation"] for epoch in model.history_]
    assert model.score(X) <= 0 and min(losses) > 0
    assert hg.metrics.reconstruction(model, X)["explained_variance"] > 0.2


def test_bernoulli_refuses_standardised_columns():
    with pytest.raises(hg.ParameterError) as caught:
        hg.Autoencoder(2, likelihood=hg.Bernoulli()).fit(load_wine().data)
    assert str(caught.value) == (
        "The 'likelihood' parameter of Autoencoder can't be Bernoulli(drawn=False) for a table of 13 numeric columns: it takes "
        "values from 0 to 1, and columns are standardised. Use Gaussian(), or kind='image'."
    )
