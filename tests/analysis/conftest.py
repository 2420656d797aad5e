"""A few tiny models, fitted once and shared: what is tested here is how they are looked at."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

import hourglass as hg


class Fitted(NamedTuple):
    """A model, rows that it was fitted on, and others with their labels."""

    model: Any
    X: Any
    X_test: Any
    y_test: Any


@pytest.fixture(scope="session")
def images() -> Fitted:
    digits = hg.datasets.load("digits")
    X, X_test = digits.x_train[:400, ::2, ::2], digits.x_test[:60, ::2, ::2]  # 14 x 14
    return Fitted(hg.Autoencoder(8, hidden=(64,), max_epochs=30, random_state=0).fit(X), X, X_test, digits.y_test[:60])


@pytest.fixture(scope="session")
def wine() -> pd.DataFrame:
    return load_wine(as_frame=True).data


@pytest.fixture(scope="session")
def table(wine: pd.DataFrame) -> Fitted:
    order = np.random.default_rng(0).permutation(len(wine))
    X, X_test = wine.iloc[order[:140]], wine.iloc[order[140:]]
    model = hg.Autoencoder(4, hidden=(16,), max_epochs=20, random_state=0).fit(X)
    return Fitted(model, X, X_test, load_wine().target[order[140:]])


@pytest.fixture(scope="session")
def sparse(table: Fitted) -> Any:
    return hg.Autoencoder(hg.TopK(10, k=3), hidden=(16,), max_epochs=2, random_state=0).fit(table.X)


@pytest.fixture(scope="session")
def variational(images: Fitted) -> Any:
    return hg.VariationalAutoencoder(8, hidden=(32,), max_epochs=4, random_state=0).fit(images.X)


@pytest.fixture(scope="session")
def variational_table(table: Fitted) -> Any:
    return hg.VariationalAutoencoder(3, hidden=(16,), max_epochs=10, random_state=0).fit(table.X)


@pytest.fixture(scope="session")
def swept(table: Fitted) -> Any:
    blank = hg.Autoencoder(hidden=(16,), max_epochs=20)
    return hg.sweep(table.X, X_test=table.X_test, bottlenecks=(4, 1, 2), estimator=blank, random_state=0)


@pytest.fixture(scope="session")
def swept_images(images: Fitted) -> Any:
    blank = hg.Autoencoder(hidden=(32,), max_epochs=3)
    return hg.sweep(images.X, X_test=images.X_test, bottlenecks=(2, 8), estimator=blank, random_state=0)


@pytest.fixture(scope="session")
def chemical() -> Any:
    small = hg.OneShot(embedding=8, widths=(16,), hidden=(16,))
    known = ["CCO", "CCN", "CCC", "Cc1ccccc1", "c1ccc(-c2ccccc2)cc1", "CCOC(=O)c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "C1CCCCC1"]
    waist = hg.Variational(4, beta=0.1)
    model = hg.VariationalAutoencoder(waist, kind="molecule", encoder=small, decoder=small, max_epochs=60, random_state=0)
    return model.fit(known * 4)
