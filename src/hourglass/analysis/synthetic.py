"""How good a synthetic table is: its columns, pairs of them, and what a classifier learns from it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

from hourglass.analysis.metrics import Array, Measure, total_variation
from hourglass.errors import DataError, hearing, suggest
from hourglass.kinds.columns import Column, to_numbers
from hourglass.kinds.frames import as_frame
from hourglass.kinds.table import TableKind

if TYPE_CHECKING:
    import polars as pl

MOST_CLASSES = 20  # different numbers up to which a column of such is foretold as classes
ROUNDED = 1e-12  # of a sum of squares: what rounding leaves of none

__all__ = ["column_shapes", "pair_correlations", "trained_on_synthetic"]


def column_shapes(real: Any, synthetic: Any, *, like: Any = None) -> pl.DataFrame:
    """How alike the distributions of each column are in two tables.

    1 less the Kolmogorov-Smirnov statistic of numbers and times, the largest difference of their distribution functions; 1 less the
    total variation distance of categories, half of the sum of the differences of their shares.

    Parameters
    ----------
    real, synthetic : table, or array of shape (n, columns)
        With the same columns.
    like : table, optional
        What columns are taken for is told from this one; from ``real`` unless given.

    Returns
    -------
    polars.DataFrame
        A row a column: ``column``, ``measure`` and ``likeness``, from 0 to 1, which is perfect.

    References
    ----------
    Massey, "The Kolmogorov-Smirnov Test for Goodness of Fit", 1951. The same figures as KSComplement and TVComplement of SDMetrics.

    Examples
    --------
    >>> import polars as pl
    >>> real = pl.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "colour": ["red", "red", "blue", "blue"]})
    >>> other = pl.DataFrame({"size": [1.0, 2.0, 3.0, 9.0], "colour": ["red", "blue", "blue", "blue"]})
    >>> column_shapes(real, other)["likeness"].to_list()
    [0.75, 0.75]
    """
    return _shapes(_taken_for(real if like is None else like), real, synthetic)


def _shapes(kind: TableKind, real: Any, synthetic: Any) -> pl.DataFrame:
    """`column_shapes` of tables whose columns are what a kind takes them for."""
    import polars as pl
    from scipy.stats import ks_2samp

    tables, columns = _looked_at(kind, real, synthetic)
    found = []
    for name, column in columns.items():
        if _is_numeric(column):
            piles = [values[~np.isnan(values)] for values in (to_numbers(column, table[name]) for table in tables)]
            apart = ks_2samp(*piles, method="asymp").statistic if all(map(len, piles)) else 1.0
            found.append((name, "1 - Kolmogorov-Smirnov", 1 - float(apart)))
        else:
            found.append((name, "1 - total variation", 1 - total_variation(*(_words(table[name]) for table in tables))))
    return pl.DataFrame(found, schema=["column", "measure", "likeness"], orient="row")


def pair_correlations(real: Any, synthetic: Any, *, like: Any = None) -> float:
    """How alike two tables are in what their columns have to do with one another.

    Of two columns of numbers, 1 less half of the difference of their correlations, over the rows that have both; of two of
    categories, 1 less the total variation distance of the pairs of levels; the mean of all such pairs. A number beside a category
    is left out.

    Parameters
    ----------
    real, synthetic : table, or array of shape (n, columns)
        With the same columns, two or more.
    like : table, optional
        As in `column_shapes`.

    Returns
    -------
    float
        From 0 to 1; NaN if there is no such pair.

    References
    ----------
    The same figures as CorrelationSimilarity and ContingencySimilarity of SDMetrics.
    """
    return _pairs(_taken_for(real if like is None else like), real, synthetic)


def _pairs(kind: TableKind, real: Any, synthetic: Any) -> float:
    tables, columns = _looked_at(kind, real, synthetic)
    numeric, others = ([name for name, column in columns.items() if _is_numeric(column) is wanted] for wanted in (True, False))
    correlations = [_correlations([to_numbers(columns[name], table[name]) for name in numeric]) for table in tables]
    apart = [np.abs(correlations[0] - correlations[1])[np.triu_indices(len(numeric), 1)] / 2]
    words = [_places(*(_words(table[name]) for table in tables)) for name in others]
    apart += [
        [total_variation(*((a + len(first.levels) * b).tolist() for a, b in zip(first.of, second.of, strict=True)))]
        for first, second in combinations(words, 2)
    ]
    found = np.concatenate(apart)
    return 1 - float(found.mean()) if len(found) else float("nan")


def trained_on_synthetic(synthetic: Any, real: Any, target: str, *, like: Any = None) -> float:
    """How well a judge that learned from a synthetic table foretells a column of a real one.

    Parameters
    ----------
    synthetic, real : table
        What is learned from, and what is foretold.
    target : str
        The column.
    like : table, optional
        As in `column_shapes`.

    Returns
    -------
    float
        Of classes, the area under the ROC curve of scikit-learn's ``HistGradientBoostingClassifier``; of more than two the mean of
        each against the rest. 0.5 if the synthetic table has only one. Of numbers or times of more than 20 different values, R² of
        its ``HistGradientBoostingRegressor``: 1 is perfect, 0 no better than their mean, and less is worse.

    Raises
    ------
    DataError
        There is no such column, or none beside it that says something.

    References
    ----------
    Esteban, Hyland and Rätsch, "Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs", 2017, section 4.2.
    """
    like = real if like is None else like
    return _trained(_taken_for(like), like, synthetic, real, target)


def _trained(kind: TableKind, like: Any, synthetic: Any, real: Any, target: str) -> float:
    if target not in as_frame(real).columns:
        raise DataError(f"There is no column {target!r} to foretell. {suggest(target, as_frame(real).columns)}")
    (learned, judged), columns = _looked_at(kind, synthetic, real)
    foretold = columns.pop(target, None)
    if not columns:
        raise DataError(
            f"There is no column to foretell {target!r} from: all others are left out. Give more columns, or no target."
        )
    levels = {
        name: {word: i for i, word in enumerate(np.unique(_words(judged[name])))}
        for name, column in columns.items()
        if not _is_numeric(column)
    }
    tables = [
        np.column_stack(
            [
                to_numbers(column, frame[name])
                if _is_numeric(column)
                else np.array([levels[name].get(word, -1) for word in _words(frame[name])])
                for name, column in columns.items()
            ]
        )
        for frame in (learned, judged)
    ]
    if foretold is not None and _is_continuous(foretold, as_frame(like)[target]):
        return _by_regression(tables, [to_numbers(foretold, frame[target]) for frame in (learned, judged)])
    return _by_classes(tables, [_words(frame[target].cast(judged[target].dtype, strict=False)) for frame in (learned, judged)])


def _is_continuous(column: Column, values: pl.Series) -> bool:
    return _is_numeric(column) and values.n_unique() > MOST_CLASSES


def _by_regression(tables: list[Array], numbers: list[Array]) -> float:
    """R² of numbers (n,) foretold from other columns (n, columns): learned from the first, of the second."""
    (x, x_judged), (y, y_judged) = (
        [of[~np.isnan(known)] for of, known in zip(some, numbers, strict=True)] for some in (tables, numbers)
    )
    if len(y) < 2 or len(y_judged) < 2:
        return 0.0
    return float(r2_score(y_judged, HistGradientBoostingRegressor(random_state=0).fit(x, y).predict(x_judged)))


def _by_classes(tables: list[Array], labels: list[Array]) -> float:
    """Area under the ROC curve of labels (n,) foretold from other columns (n, columns): learned from the first, of the second."""
    known = np.isin(labels[0], labels[1])
    if len(np.unique(labels[0][known])) < 2:
        return 0.5
    with np.errstate(invalid="ignore"):
        judge = HistGradientBoostingClassifier(random_state=0).fit(tables[0][known], labels[0][known])
    chances = judge.predict_proba(tables[1])
    of_class = {name: chances[:, i] for i, name in enumerate(judge.classes_)}
    never = np.zeros(len(labels[1]))  # a class that wasn't drawn is told from no other
    return float(np.mean([roc_auc_score(labels[1] == name, of_class.get(name, never)) for name in np.unique(labels[1])]))


def measured(kind: TableKind, drawn: Any, train: Any, test: Any, target: str | None) -> tuple[pl.DataFrame, list[Measure]]:
    """The shapes of columns, and all measures of a synthetic table, and of the training rows in its place."""
    kind = kind if kind.columns else _taken_for(train)
    measures: dict[str, Callable[[Any], float]] = {
        "column shapes": lambda pile: float(np.mean(_shapes(kind, test, pile)["likeness"].to_numpy())),
        "pair correlations": lambda pile: _pairs(kind, test, pile),
    }
    if target is not None:
        numbers = any(_is_continuous(column, as_frame(train)[target]) for column in kind.used if column.name == target)
        figure = "R²" if numbers else "AUROC"
        measures[f"trained on it, {figure}"] = lambda pile: _trained(kind, train, pile, test, target)
    return _shapes(kind, test, drawn), [Measure(name, measure(drawn), measure(train), "more") for name, measure in measures.items()]


def _looked_at(kind: TableKind, first: Any, second: Any) -> tuple[tuple[pl.DataFrame, pl.DataFrame], dict[str, Column]]:
    """Two tables, and the columns of theirs that are looked at, as a kind takes them."""
    columns = {column.name: column for column in kind.used}
    tables = as_frame(first), as_frame(second)
    for which, table in zip(("first", "second"), tables, strict=True):
        missing = next((name for name in columns if name not in table.columns), None)
        if missing is not None:
            raise DataError(f"The tables need the same columns. The {which} has no {missing!r}.")
    return tables, columns


def _taken_for(like: Any) -> TableKind:
    with hearing():
        return TableKind.learn(as_frame(like))


def _is_numeric(column: Column) -> bool:
    return column.type in ("numeric", "datetime")


def _words(column: pl.Series) -> Array:
    import polars as pl

    return column.cast(pl.String).fill_null("").to_numpy().astype(str)


def _correlations(columns: list[Array]) -> Array:
    """Correlations (columns, columns), of each pair over the rows that have both; 0 where one of the two is constant there.

    From sums over those rows, of numbers that are standardised beforehand, so that nothing is lost to rounding.
    """
    x = np.column_stack(columns) if columns else np.empty((0, 0))
    known = ~np.isnan(x)
    count = np.maximum(known.sum(0), 1)
    x = np.where(known, x - np.where(known, x, 0).sum(0) / count, 0)
    std = np.sqrt((x**2).sum(0) / count)
    x, both = x / np.where(std > 0, std, 1), known.astype(float)
    n, sums, squares = both.T @ both, x.T @ both, (x**2).T @ both  # of the first column, over the rows of both
    spread = n * squares - sums**2
    spread = np.where(spread > ROUNDED * n * squares, spread, np.inf)
    found: Array = (n * (x.T @ x) - sums * sums.T) / np.sqrt(spread * spread.T)
    return found


class _Places(NamedTuple):
    """Words of a column in two tables, as places among all levels."""

    levels: Array
    of: list[NDArray[np.intp]]


def _places(first: Array, second: Array) -> _Places:
    levels, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    return _Places(levels, np.split(places, [len(first)]))
