"""How good samples are: over the features of a named network, and beside the rows that were learned from.

`frechet_distance`, `precision_recall` and `density_coverage` take features (n, features) of two piles. `quality` measures all that
applies to samples of pictures or tables.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

from hourglass.analysis import synthetic
from hourglass.analysis.metrics import Array, spread
from hourglass.errors import DataError, HourglassWarning, ParameterError
from hourglass.estimators import BaseAutoencoder
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.kinds import KINDS, as_raw, infer, length, taken

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Features", "Quality", "classifier", "density_coverage", "frechet_distance", "precision_recall", "quality"]

MOST_ROWS = 5000  # of each pile: time and memory grow with their square
MOST_DRAWN = 10_000  # samples that are drawn of a model
CLOSE = 0.01  # of the rows held out are nearer to a training row than a copy is
UNITS = (256, 64)  # of the classifier's layers


# Two piles of features


def frechet_distance(real: Any, samples: Any) -> float:
    """Squared Fréchet distance of two normal distributions that have the means and covariances of two piles.

    |m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½).

    Parameters
    ----------
    real, samples : array of shape (n, features)
        Features, of two rows at least. Of few rows it is too large: compare piles of one size only.

    Returns
    -------
    float
        In squared units of the features; 0 where means and covariances agree.

    References
    ----------
    Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982, equation 4. Heusel et al., "GANs
    Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017, equation 6 (over features of a network).

    Examples
    --------
    >>> frechet_distance([[-1.0], [1.0]], [[1.0], [3.0]])
    4.0
    """
    first, second = _two(real, samples, 2)
    covariances = [np.atleast_2d(np.cov(pile, rowvar=False)) for pile in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ covariances[1] @ root)  # those of C₁ C₂
    apart = np.square(first.mean(0) - second.mean(0)).sum()
    return float(apart + sum(np.trace(covariance) for covariance in covariances) - 2 * np.sqrt(shared.clip(min=0)).sum())


class PrecisionRecall(NamedTuple):
    """Two shares."""

    precision: float  # of the samples that lie where real rows are
    recall: float  # of the real rows that lie where samples are


def precision_recall(real: Any, samples: Any, *, n_neighbors: int = 3) -> PrecisionRecall:
    """The share of samples that are realistic, and the share of real rows that samples reach.

    A row lies where a pile is if it is no farther from one of its rows than that one is from its own nearest neighbour of a number.

    Parameters
    ----------
    real, samples : array of shape (n, features)
        Features.
    n_neighbors : int, default=3
        Which neighbour.

    Returns
    -------
    PrecisionRecall
        From 0 to 1.

    References
    ----------
    Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019, equations 1 and 2.
    """
    first, second = _two(real, samples, n_neighbors + 1)
    distances = _distances(first, second)  # (real, samples)
    near_real = distances <= _radii(first, n_neighbors)[:, None]
    near_samples = distances <= _radii(second, n_neighbors)
    return PrecisionRecall(float(near_real.any(0).mean()), float(near_samples.any(1).mean()))


class DensityCoverage(NamedTuple):
    """What doesn't depend on outliers of the real rows, or of the samples."""

    density: float  # how many real rows have a sample near, over what is usual: about 1 where the piles are alike, may be more
    coverage: float  # share of the real rows that have a sample near


def density_coverage(real: Any, samples: Any, *, n_neighbors: int = 5) -> DensityCoverage:
    """How densely samples lie where real rows are, and the share of real rows that have a sample near.

    Near is what is no farther than the real row's own nearest neighbour of a number.

    Parameters
    ----------
    real, samples : array of shape (n, features)
        Features.
    n_neighbors : int, default=5
        Which neighbour.

    Returns
    -------
    DensityCoverage

    References
    ----------
    Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, equations 2 and 3.
    """
    first, second = _two(real, samples, n_neighbors + 1)
    near = _distances(first, second) <= _radii(first, n_neighbors)[:, None]
    return DensityCoverage(float(near.sum() / (n_neighbors * len(second))), float(near.any(1).mean()))


# Features


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
    """
    numbers = _Numbers(X)
    network = MLPClassifier(UNITS, early_stopping=True, max_iter=50, n_iter_no_change=5, random_state=random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(numbers(X), np.asarray(y))
    good = "" if X_test is None else f", {network.score(numbers(X_test), np.asarray(y_test)):.1%} right on others"
    name = f"the last {UNITS[-1]} hidden units of an MLPClassifier trained on {length(as_raw(X)):,} labelled rows{good}"

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


class _Numbers:
    """From rows to numbers (n, numbers), scaled as a model would see them, missing ones 0."""

    def __init__(self, X: Any) -> None:
        raw = as_raw(X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HourglassWarning)  # of columns that say little
            self.kind = KINDS[infer(raw).kind].learn(raw)
        self.scaling = self.kind.scaling(self.kind.to_tensor(raw))

    def __call__(self, X: Any) -> Array:
        raw = as_raw(X)
        self.kind.check(raw)
        scaled: Array = self.scaling(self.kind.to_tensor(raw)).flatten(1).nan_to_num(0).double().numpy()
        return scaled


# All that applies


@dataclass(frozen=True, eq=False)
class Quality:
    """What `quality` found.

    Attributes
    ----------
    frame : polars.DataFrame
        A row a measure: ``measure``, ``samples``, ``real`` (the same of as many training rows in place of samples, of the last two
        measures of rows held out: what can be hoped for), ``good`` ("less", "more" or "as real").
    features : Features or None
        The network over whose features it was measured.
    columns : polars.DataFrame or None
        Of tables, how alike each column is, see ``hourglass.analysis.synthetic.column_shapes``.
    """

    frame: pl.DataFrame
    features: Features | None
    columns: pl.DataFrame | None

    def __getitem__(self, measure: str) -> float:
        """The figure of the samples by the name of the measure."""
        return float(dict(zip(self.frame["measure"], self.frame["samples"], strict=True))[measure])

    def __str__(self) -> str:
        wide = max(map(len, self.frame["measure"]))
        lines = [f"{'':{wide}}     samples  real rows"]
        lines += [
            f"{name:{wide}}  {mine:10.4g} {real:10.4g}  {good} is better" for name, mine, real, good in self.frame.iter_rows()
        ]
        return "\n".join(lines + ([f"Features: {self.features.name}."] if self.features is not None else []))


def quality(
    samples: Any,
    X_train: Any,
    X_test: Any,
    *,
    y_train: Any = None,
    features: Features | BaseAutoencoder | None = None,
    target: str | None = None,
    random_state: Any = 0,
) -> Quality:
    """Measure samples against rows held out, and against the training rows: are they good, varied, and new?

    Parameters
    ----------
    samples : data as in ``fit``, or a fitted estimator
        Samples; of a model as many as there are rows in X_test are drawn.
    X_train, X_test : as in ``fit``
        What was learned from, and what was not. Of more than 5,000 rows each, as many are looked at, evenly spaced.
    y_train : array of shape (n,), optional
        Labels of X_train: the features are then those of a `classifier` that is trained on them, and kept in ``features``.
    features : Features or estimator, optional
        What tells rows from one another: what `classifier` or an earlier call gave, or a fitted autoencoder other than the one that
        is judged. The rows themselves, scaled, unless given.
    target : str, optional
        Of tables, the column that a classifier is to foretell from the others.
    random_state : int or RandomState, default=0
        Of what is drawn.

    Returns
    -------
    Quality
        Prints as a table. Over the features "frechet distance", "precision", "recall", "density" and "coverage". Over the scaled
        rows "distance to training rows", the median, and "copies", the share that is nearer to one than all but 1% of the rows held
        out are. Of tables "column shapes", "pair correlations" and, with a target, "trained on it, AUROC", see
        `hourglass.analysis.synthetic`.

    Raises
    ------
    DataError
        The piles don't go together.
    ParameterError
        Features of another sort, or labels beside features.

    Examples
    --------
    >>> import hourglass as hg
    >>> digits = hg.datasets.load("digits")
    >>> X, T = digits.x_train[:500], digits.x_test[:200]
    >>> vae = hg.VariationalAutoencoder(8, max_epochs=2, random_state=0).fit(X)
    >>> found = hg.quality(vae, X, T, y_train=digits.y_train[:500])
    >>> found["frechet distance"] > 0
    True
    """
    train, test = as_raw(X_train), as_raw(X_test)
    if isinstance(samples, GeneratingAutoencoder):
        drawn = as_raw(samples.sample(min(length(test), MOST_DRAWN), random_state=random_state))
    else:
        drawn = as_raw(samples)
    numbers = _Numbers(train)
    looked = codes_of(features) if isinstance(features, BaseAutoencoder) else features
    if y_train is not None:
        if looked is not None:
            raise ParameterError("Give labels to train a classifier on, or features, not both.")
        looked = classifier(train, y_train, random_state=random_state)
    if looked is not None and not isinstance(looked, Features):
        raise ParameterError(f"The 'features' are what classifier() gave, or a fitted autoencoder. Got {type(looked).__name__}.")
    # of one size, as the distance of Fréchet depends on it; training rows in place of samples are what can be hoped for
    size = min(length(drawn), length(test), length(train), MOST_ROWS)
    piles = [taken(pile, spread(length(pile), size)) for pile in (drawn, train, test)]
    of = looked.of if looked else numbers
    lines = [*_over_features(of, *piles), *_beside(numbers, piles, train)]
    columns = None
    if numbers.kind.name == "table":
        columns = synthetic.column_shapes(test, drawn, like=train)
        lines += synthetic.measured(drawn, train, test, target)
    import polars as pl

    frame = pl.DataFrame(lines, schema=["measure", "samples", "real", "good"], orient="row")
    return Quality(frame, looked or Features("the rows themselves, scaled", numbers), columns)


def _over_features(of: Callable[[Any], Array], drawn: Any, known: Any, unseen: Any) -> list[tuple[str, float, float, str]]:
    """Measures of samples, and of training rows in their place, against rows held out."""
    real = of(unseen)
    pairs = [
        {"frechet distance": frechet_distance(real, pile)}
        | precision_recall(real, pile)._asdict()
        | density_coverage(real, pile)._asdict()
        for pile in (of(drawn), of(known))
    ]
    return [(name, pairs[0][name], pairs[1][name], "less" if name == "frechet distance" else "more") for name in pairs[0]]


def _beside(numbers: _Numbers, piles: list[Any], train: Any) -> list[tuple[str, float, float, str]]:
    """How near samples and rows held out are to training rows."""
    index = NearestNeighbors(algorithm="brute").fit(numbers(train))
    mine, theirs = (index.kneighbors(numbers(pile), 1)[0][:, 0] for pile in (piles[0], piles[2]))
    limit = np.quantile(theirs, CLOSE)
    return [
        ("distance to training rows", float(np.median(mine)), float(np.median(theirs)), "as real"),
        ("copies", float((mine <= limit).mean()), float((theirs <= limit).mean()), "less"),
    ]


def _two(real: Any, samples: Any, fewest: int) -> tuple[Array, Array]:
    piles = [np.asarray(pile, np.float64) for pile in (real, samples)]
    shapes = " and ".join(str(pile.shape) for pile in piles)
    if any(pile.ndim != 2 for pile in piles) or piles[0].shape[1] != piles[1].shape[1]:
        raise DataError(f"Features are arrays (n, features), as many of both piles. Got {shapes}.")
    if min(map(len, piles)) < fewest:
        raise DataError(f"Each pile needs {fewest} rows or more. Got arrays of shape {shapes}.")
    return piles[0], piles[1]


def _distances(first: Array, second: Array) -> Array:
    """Euclidean distances (n, m)."""
    from scipy.spatial.distance import cdist

    found: Array = cdist(first, second)
    return found


def _radii(pile: Array, neighbour: int) -> Array:
    """How far the nearest neighbour of a number is from each row (n,), itself not counted."""
    found: Array = np.sort(_distances(pile, pile), axis=1)[:, neighbour]
    return found
