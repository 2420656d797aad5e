"""Networks that tell rows from one another: over their features samples are compared with real rows."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from hourglass.analysis.metrics import Array
from hourglass.data.molecules import libraries, smiles_of
from hourglass.errors import DataError, MissingExtraError, hearing, warn
from hourglass.estimators import BaseAutoencoder
from hourglass.kinds import KINDS, Kind, as_raw, infer, length

UNITS = (256, 64)  # of the classifier's layers
FEWEST = 20  # rows of which a tenth can be held out to stop by, if each label comes twice
PADDED, AT_ONCE = 350, 128  # symbols that ChemNet sees of a molecule, and molecules


@dataclass(frozen=True, eq=False)
class Features:
    """A network that tells rows from one another, with its name.

    Attributes
    ----------
    name : str
        What it is, how it was trained, and how good it is.
    of : callable
        From rows as the classifier or the model takes them to features (n, features).
    """

    name: str
    of: Callable[[Any], Array]


def classifier(X: Any, y: Any, X_test: Any = None, y_test: Any = None, *, random_state: Any = 0) -> Features:
    """Train a small classifier, whose last hidden layer gives the features of rows.

    Parameters
    ----------
    X, y : as in ``fit``, and an array of shape (n,)
        Rows and their labels.
    X_test, y_test : the same, optional
        To say in its name how good it is.
    random_state : int or RandomState, default=0
        Of its weights and batches.

    Returns
    -------
    Features
        Of scikit-learn's ``MLPClassifier``: 64 numbers of at least 0.

    Raises
    ------
    DataError
        The labels are not one a row.
    """
    numbers, labels, n = Numbers(X), np.asarray(y), length(as_raw(X))
    if labels.shape[:1] != (n,):
        raise DataError(f"Labels are one a row, so {n:,} of them. Got an array of shape {labels.shape}.")
    stops = n >= FEWEST and np.unique(labels, return_counts=True)[1].min() > 1
    network = MLPClassifier(UNITS, early_stopping=stops, max_iter=50, n_iter_no_change=5, random_state=random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(numbers(X), labels)
    good = "" if X_test is None else f", {network.score(numbers(X_test), np.asarray(y_test)):.1%} right on others"
    name = f"the last {UNITS[-1]} hidden units of an MLPClassifier trained on {n:,} labelled rows{good}"

    def of(rows: Any) -> Array:
        hidden = numbers(rows)
        for weights, biases in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
            hidden = np.maximum(hidden @ weights + biases, 0)
        return hidden

    return Features(name, of)


def codes_of(model: BaseAutoencoder) -> Features:
    """The codes of a fitted autoencoder as features; its name is what it looks like."""
    words = " ".join(repr(model).split())
    return Features(f"the codes of {words}", lambda rows: np.asarray(model.transform(rows), np.float64))


def chemnet() -> Features:
    """The network of the Fréchet ChemNet distance, as features for `hourglass.quality`.

    Returns
    -------
    Features
        512 numbers of a network that was trained on what molecules do in assays; weights and network are those of the package
        ``fcd``. What RDKit can't read, or has a SMILES of 350 characters or more, is left out, and a warning says how much it was.

    Raises
    ------
    MissingExtraError
        That package isn't installed.

    References
    ----------
    Preuer et al., "Fréchet ChemNet Distance: A Metric for Generative Models for Molecules in Drug Discovery", 2018.
    """
    try:
        fcd = importlib.import_module("fcd")
    except ImportError as error:
        raise MissingExtraError("The Fréchet ChemNet distance needs the network of fcd. Run: pip install fcd") from error
    network, one_hot = fcd.load_ref_model(), importlib.import_module("fcd.utils").get_one_hot

    def of(rows: Any) -> Array:
        canonical = [libraries().canonical(smiles) for smiles in smiles_of(rows)]
        seen = [smiles for smiles in canonical if smiles and len(smiles) < PADDED]
        _say_left_out(len(seen), len(canonical))
        ones = (one_hot(smiles, PADDED).T for smiles in seen)  # (symbols, length)
        found = []
        with torch.no_grad():
            while batch := list(islice(ones, AT_ONCE)):
                x = torch.from_numpy(np.stack(batch)).float()
                found.append(network(x / x.shape[1]).numpy())
        return np.concatenate(found)

    return Features("the last layer of ChemNet", of)


def _say_left_out(seen: int, n: int) -> None:
    """Say how many of n molecules ChemNet doesn't see; an error if it sees none."""
    why = f"RDKit can't read them, or their SMILES has {PADDED} characters or more"
    if not seen:
        raise DataError(f"ChemNet sees none of these molecules: {why}.")
    if seen < n:
        warn(f"ChemNet doesn't see {n - seen} of {n} molecules: {why}. They are left out.")


def learned(raw: Any) -> Any:
    """What raw data is taken for, without a word on columns that say little."""
    with hearing():
        return KINDS[infer(raw).kind].learn(raw)


class Numbers:
    """From rows to numbers (n, numbers), scaled as a model would see them, missing ones 0."""

    def __init__(self, X: Any, kind: Kind | None = None) -> None:
        raw = as_raw(X, kind=None if kind is None else kind.name)
        self.kind = learned(raw) if kind is None else kind
        self.scaling = self.kind.scaling(self.kind.to_tensor(raw))

    def __call__(self, X: Any) -> Array:
        raw = as_raw(X, kind=self.kind.name)
        self.kind.check(raw)
        scaled: Array = self.scaling(self.kind.to_tensor(raw)).flatten(1).nan_to_num(0).double().numpy()
        return scaled
