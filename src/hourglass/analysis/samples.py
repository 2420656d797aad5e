"""How good samples are: over the features of a named network, and beside the rows that were learned from.

`frechet_distance`, `precision_recall` and `density_coverage` take features (n, features) of two piles. `quality` measures all that
applies to samples of pictures, tables or rows of symbols.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hourglass.analysis import chemistry, melodies, sequences, synthetic
from hourglass.analysis.diagnosis import diagnose
from hourglass.analysis.features import Features, Numbers, chemnet, classifier, codes_of, learned
from hourglass.analysis.metrics import Array, Measure, exact
from hourglass.data.some import spread
from hourglass.errors import DataError, ParameterError, listed, shown, warn
from hourglass.estimators import BaseAutoencoder
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.estimators.nearest import nearest_rows
from hourglass.kinds import as_objects, as_raw, length, taken
from hourglass.kinds.frames import column_names, narrowed
from hourglass.kinds.table import TableKind
from hourglass.parts.base import is_count

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Features", "Quality", "chemnet", "classifier", "density_coverage", "frechet_distance", "precision_recall", "quality"]

MOST_ROWS = 5000  # of each pile: time and memory grow with their square
MOST_MOLECULES = 2000  # the same of molecules: filters and fragments take 6 ms each
MOST_DRAWN = 10_000  # samples that are drawn of a model
CLOSE = 0.01  # of the rows held out are nearer to a training row than a copy is


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
    first, second = _two(real, samples, 1)
    a, b = ((pile - pile.mean(0)) / np.sqrt(len(pile) - 1) for pile in (first, second))  # C₁ = aᵀ a, C₂ = bᵀ b
    if max(len(a), len(b)) < a.shape[1]:  # as with the pixels of pictures: the same, of matrices as large as the piles
        shared = np.linalg.svd(a @ b.T, compute_uv=False)
    else:
        values, vectors = np.linalg.eigh(a.T @ a)
        root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        shared = np.sqrt(np.linalg.eigvalsh(root @ (b.T @ b) @ root).clip(min=0))  # the roots of the eigenvalues of C₁ C₂
    apart = np.square(first.mean(0) - second.mean(0)).sum()
    return max(float(apart + np.square(a).sum() + np.square(b).sum() - 2 * shared.sum()), 0.0)  # rounding may leave less


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
    first, second = _two(real, samples, n_neighbors)
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
    first, second = _two(real, samples, n_neighbors)
    near = _distances(first, second) <= _radii(first, n_neighbors)[:, None]
    return DensityCoverage(float(near.sum() / (n_neighbors * len(second))), float(near.any(1).mean()))


# All that applies


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
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
        Samples; of a model as many as there are rows in X_test are drawn. A model that was fitted with a condition draws what it is
        asked for: give its samples. Columns of a table that samples lack, as those that a model leaves out, are not looked at.
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
        out are. Of tables "column shapes", "pair correlations" and, with a target, "trained on it, AUROC" (of numbers R²), see
        `hourglass.analysis.synthetic`. Rows of symbols have other measures, see the notes, and the first five only if features are
        given.

    Raises
    ------
    DataError
        The piles don't go together.
    ParameterError
        Features of another sort, or labels beside features; a target of what is no table; a model that was fitted with a
        condition.

    Notes
    -----
    Of a model of rows of symbols come first the share that is rebuilt exactly, and the nats that codes tell and are worth, as
    without these samples say little. Then come, of strings and lists, "unique", "novel", the mean "edits to the nearest training
    row" of 200 rows among 2,000, and the total variation distances of lengths, symbols and pairs of them to the training rows.

    Of molecules come what MOSES measures: "valid", "unique", "unique@1k" and "unique@10k" where there are so many, "novel", and of
    2,000 of each pile "internal diversity", the similarity to the molecules held out of fragments, scaffolds and nearest
    neighbours, and the Wasserstein distances of logP, SA, QED and weight, in standard deviations of those held out. MOSES' own
    filters are not in RDKit: those of PAINS and BRENK take their place. With ``features=chemnet()`` of
    `hourglass.analysis.samples` the "frechet distance" is that of ChemNet.

    References
    ----------
    Polykovskiy et al., "Molecular Sets (MOSES): A Benchmarking Platform for Molecular Generation Models", 2020.

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
    for judged, instead in ((samples, "its samples, as of model.sample(n, condition=...)"), (features, "another")):
        if isinstance(judged, BaseAutoencoder):
            check_is_fitted(judged)
            if judged.condition_kind_ is not None:
                raise ParameterError(f"quality can't tell a model that was fitted with a condition what it needs. Give {instead}.")
    model = samples if isinstance(samples, GeneratingAutoencoder) else None
    asked = None if model is None else model.kind_.name
    train, test = as_raw(X_train, kind=asked), as_raw(X_test, kind=asked)
    kind: Any = learned(train) if model is None else model.kind_
    made = samples if model is None else model.sample(min(length(model._checked(test)), MOST_DRAWN), random_state=random_state)
    drawn = as_raw(made, kind=kind.name)
    if kind.symbolic:  # of tables, the column
        drawn, train, test = (as_objects(kind.rows_of(pile)) for pile in (drawn, train, test))
    if isinstance(kind, TableKind):
        kind, (drawn, train, test) = _of_columns(kind, drawn, train, test)
    if target is not None and not isinstance(kind, TableKind):
        raise ParameterError(f"The 'target' is a column of a table, and these are {kind.describe()}. Leave it out.")
    looked = _looked_through(features, train, y_train, random_state)
    # of one size, as the distance of Fréchet depends on it; training rows in place of samples are what can be hoped for
    size = min(length(drawn), length(test), length(train), MOST_ROWS)
    piles = [taken(pile, spread(length(pile), size)) for pile in (drawn, train, test)]
    if kind.symbolic:
        lines = [*([] if model is None else _of_model(model, test)), *_of_symbols(kind, drawn, train, test)]
        lines += [] if looked is None else _over_features(looked.of, *piles)
    else:
        numbers = Numbers(train, kind)
        looked = looked or Features("the rows themselves, scaled", numbers)
        lines = [*_over_features(looked.of, *piles), *_beside(numbers, piles, train)]
    columns = None
    if isinstance(kind, TableKind):
        columns, measures = synthetic.measured(kind, drawn, train, test, target)
        lines += measures
    import polars as pl

    frame = pl.DataFrame(lines, schema=Measure._fields, orient="row")
    return Quality(frame, looked, columns)


def _of_columns(kind: Any, drawn: Any, *piles: Any) -> tuple[Any, list[Any]]:
    """Tables without the columns that the kind leaves out, or that samples don't have, and the kind of those that are left."""
    if kind.matches_names(drawn) and (lacking := [name for name in kind.names if name not in column_names(drawn)]):
        warn(f"The samples lack columns of X_train, which are not looked at: {listed(lacking)}.")
        piles = tuple(_with(column_names(drawn), pile) for pile in piles)
        kind = learned(piles[0])
    return kind, [_with(kind.names, pile) if kind.matches_names(pile) else pile for pile in (drawn, *piles)]


def _with(names: Collection[str], table: Any) -> Any:
    """A table with columns of those names alone."""
    return narrowed(table, [place for place, name in enumerate(column_names(table)) if name in names])


def _looked_through(features: Any, train: Any, y_train: Any, random_state: Any) -> Features | None:
    """The network that rows are told apart by: as given, or a classifier of labelled rows."""
    found = codes_of(features) if isinstance(features, BaseAutoencoder) else features
    if y_train is not None:
        if found is not None:
            raise ParameterError("Give labels to train a classifier on, or features, not both.")
        found = classifier(train, y_train, random_state=random_state)
    if found is not None and not isinstance(found, Features):
        raise ParameterError(f"The 'features' are what classifier() gave, or a fitted autoencoder. Got {type(found).__name__}.")
    return found


def _of_symbols(kind: Any, drawn: Any, train: Any, test: Any) -> list[Measure]:
    """Measures of rows of symbols, by what they stand for."""
    if kind.name == "melody":
        return melodies.measured(*(pile.tolist() for pile in (drawn, train, test)))
    if kind.name == "molecule":
        few = [taken(pile, spread(length(pile), MOST_MOLECULES)) for pile in (drawn, train, test)]
        return [*chemistry.known(drawn, train, test), *chemistry.measured(*few)]
    return sequences.measured(kind, drawn, train, test)


def _of_model(model: GeneratingAutoencoder, test: Any) -> list[Measure]:
    """What a model keeps of rows of symbols, without which the figures of its samples say little."""
    kind: Any = model.kind_
    known = kind.readable(taken(test, spread(length(test), MOST_MOLECULES)))
    if length(known) < 2:
        return []
    found = diagnose(model, known)
    told = {
        "rebuilt exactly": exact(model, known),
        "nats that the codes tell": math.nan if found.kl is None else found.kl,
        "nats lost with another row's codes": found.worth,
    }
    return [Measure(name, value, math.nan, "more") for name, value in told.items()]


def _over_features(of: Callable[[Any], Array], drawn: Any, known: Any, unseen: Any) -> list[Measure]:
    """Measures of samples, and of training rows in their place, against rows held out."""
    real = of(unseen)
    pairs = [
        {"frechet distance": frechet_distance(real, pile)}
        | precision_recall(real, pile)._asdict()
        | density_coverage(real, pile)._asdict()
        for pile in (of(drawn), of(known))
    ]
    return [Measure(name, pairs[0][name], pairs[1][name], "less" if name == "frechet distance" else "more") for name in pairs[0]]


def _beside(numbers: Numbers, piles: list[Any], train: Any) -> list[Measure]:
    """How near samples and rows held out are to training rows."""
    known = numbers(train)
    mine, theirs = (nearest_rows(known, numbers(pile))[1] for pile in (piles[0], piles[2]))
    limit = np.quantile(theirs, CLOSE)
    return [
        Measure("distance to training rows", float(np.median(mine)), float(np.median(theirs)), "as real"),
        Measure("copies", float((mine <= limit).mean()), float((theirs <= limit).mean()), "less"),
    ]


def _two(real: Any, samples: Any, neighbours: int) -> tuple[Array, Array]:
    """Features of two piles, each of which has rows enough for so many neighbours."""
    if not is_count(neighbours):
        raise ParameterError(f"The 'n_neighbors' must be a positive int. Got {shown(neighbours)} instead.")
    piles = [np.asarray(pile, np.float64) for pile in (real, samples)]
    shapes = " and ".join(str(pile.shape) for pile in piles)
    if any(pile.ndim != 2 for pile in piles) or piles[0].shape[1] != piles[1].shape[1]:
        raise DataError(f"Features are arrays (n, features), as many of both piles. Got {shapes}.")
    if min(map(len, piles)) <= neighbours:
        raise DataError(f"Each pile needs {neighbours + 1} rows or more. Got arrays of shape {shapes}.")
    if not all(np.isfinite(pile).all() for pile in piles):
        raise DataError("Features are finite numbers, and some are NaN or infinite. Leave those rows out, or fill them.")
    return piles[0], piles[1]


def _distances(first: Array, second: Array) -> Array:
    """Euclidean distances (n, m)."""
    from scipy.spatial.distance import cdist

    found: Array = cdist(first, second)
    return found


def _radii(pile: Array, neighbour: int) -> Array:
    """How far the nearest neighbour of a number is from each row (n,), itself not counted."""
    found: Array = np.partition(_distances(pile, pile), neighbour, axis=1)[:, neighbour]
    return found
