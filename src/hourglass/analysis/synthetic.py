"""How good a synthetic table is: its columns, pairs of them, and what a classifier learns from it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from hourglass.analysis.metrics import Array, Measure, total_variation
from hourglass.errors import DataError, HourglassWarning, suggest
from hourglass.kinds.columns import Column, to_numbers
from hourglass.kinds.frames import as_frame
from hourglass.kinds.table import TableKind

if TYPE_CHECKING:
    import polars as pl

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
    import polars as pl
    from scipy.stats import ks_2samp

    tables, columns = _looked_at(real, synthetic, like if like is not None else real)
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
    tables, columns = _looked_at(real, synthetic, like if like is not None else real)
    numeric, others = ([name for name, column in columns.items() if _is_numeric(column) is wanted] for wanted in (True, False))
    scores = []
    numbers = [{name: to_numbers(columns[name], table[name]) for name in numeric} for table in tables]
    for first, second in combinations(numeric, 2):
        mine, theirs = (_correlation(of[first], of[second]) for of in numbers)
        scores.append(1 - abs(mine - theirs) / 2)
    for pair in combinations(others, 2):
        joined = (zip(*(_words(table[name]) for name in pair), strict=True) for table in tables)
        scores.append(1 - total_variation(*joined))
    return float(np.mean(scores)) if scores else float("nan")


def trained_on_synthetic(synthetic: Any, real: Any, target: str, *, like: Any = None) -> float:
    """How well a classifier that learned from a synthetic table foretells a column of a real one.

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
        Area under the ROC curve of scikit-learn's ``HistGradientBoostingClassifier``; of more than two classes the mean of each
        against the rest. 0.5 if the synthetic table has only one.

    Raises
    ------
    DataError
        There is no such column, or none beside it that says something.

    References
    ----------
    Esteban, Hyland and Rätsch, "Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs", 2017, section 4.2.
    """
    if target not in as_frame(real).columns:
        raise DataError(f"There is no column {target!r} to foretell. {suggest(target, as_frame(real).columns)}")
    (learned, judged), columns = _looked_at(synthetic, real, like if like is not None else real)
    columns.pop(target, None)
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
    labels = [_words(frame[target].cast(judged[target].dtype, strict=False)) for frame in (learned, judged)]
    known = np.isin(labels[0], labels[1])
    if len(np.unique(labels[0][known])) < 2:
        return 0.5
    with np.errstate(invalid="ignore"):
        judge = HistGradientBoostingClassifier(random_state=0).fit(tables[0][known], labels[0][known])
    chances = judge.predict_proba(tables[1])
    of_class = {name: chances[:, i] for i, name in enumerate(judge.classes_)}
    never = np.zeros(len(labels[1]))  # a class that wasn't drawn is told from no other
    return float(np.mean([roc_auc_score(labels[1] == name, of_class.get(name, never)) for name in np.unique(labels[1])]))


def measured(drawn: Any, train: Any, test: Any, target: str | None) -> list[Measure]:
    """All measures of a synthetic table, and of the training rows in its place."""
    measures: dict[str, Callable[[Any], float]] = {
        "column shapes": lambda pile: float(np.mean(column_shapes(test, pile, like=train)["likeness"].to_numpy())),
        "pair correlations": lambda pile: pair_correlations(test, pile, like=train),
    }
    if target is not None:
        measures["trained on it, AUROC"] = lambda pile: trained_on_synthetic(pile, test, target, like=train)
    return [Measure(name, measure(drawn), measure(train), "more") for name, measure in measures.items()]


def _looked_at(first: Any, second: Any, like: Any) -> tuple[tuple[pl.DataFrame, pl.DataFrame], dict[str, Column]]:
    """Two tables, and the columns of theirs that are looked at, as they are taken for in a table like them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HourglassWarning)
        kind = TableKind.learn(as_frame(like))
    columns = {column.name: column for column in kind.used}
    tables = as_frame(first), as_frame(second)
    for which, table in zip(("first", "second"), tables, strict=True):
        missing = next((name for name in columns if name not in table.columns), None)
        if missing is not None:
            raise DataError(f"The tables need the same columns. The {which} has no {missing!r}.")
    return tables, columns


def _is_numeric(column: Column) -> bool:
    return column.type in ("numeric", "datetime")


def _words(column: pl.Series) -> Array:
    import polars as pl

    return column.cast(pl.String).fill_null("").to_numpy().astype(str)


def _correlation(first: Array, second: Array) -> float:
    """The correlation of two columns over the rows that have both, 0 where one of them is constant."""
    both = ~np.isnan(first) & ~np.isnan(second)
    pair = first[both], second[both]
    return float(np.corrcoef(*pair)[0, 1]) if both.any() and all(map(np.ptp, pair)) else 0.0
