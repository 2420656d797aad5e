"""Pictures of alarms: what raised them, how they were promised, what moved, where in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hourglass.analysis import drawing
from hourglass.analysis.metrics import Array
from hourglass.errors import DataError
from hourglass.estimators import AnomalyDetector, Drift
from hourglass.kinds import as_raw

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

MOST_ROWS = 8  # strange rows that are shown
ROW = "\0row"  # a name that no column of a user's has
MOST_BLAMED = 8  # columns that have a colour
FAR = 0.01  # down to which p-values are shown at least: over two powers of ten each has its number
MOST_COLUMNS = 12  # that have moved


def blame(explanation: pl.DataFrame) -> Figure:
    """Draw whom the strangest rows have to thank for their alarm.

    Parameters
    ----------
    explanation : polars.DataFrame
        What ``AnomalyDetector.explain`` gave, of at least one alarm.

    Returns
    -------
    matplotlib.figure.Figure
        A bar for each of the eight strangest rows, split by column; the columns most to blame have colours.
    """
    rows, shown = _strangest(explanation)
    wide = shown.rename({"row": ROW}).pivot("column", index=ROW, values="share").drop(ROW).fill_null(0)
    order = sorted(wide.columns, key=lambda column: -wide[column].sum())
    named, others = order[:MOST_BLAMED], order[MOST_BLAMED:]
    parts = {name: wide[name].to_numpy() for name in named}
    if others:
        parts[drawing.OTHERS] = wide.select(others).sum_horizontal().to_numpy()
    figure, axes = drawing.one_plot(1.2 + 0.32 * len(rows), "share of the blame", "row")
    drawing.stacked(axes, [f"{row:,}" for row in rows], parts)
    return figure


def calibration(p_values: Array) -> Figure:
    """Draw the share of rows with at most each p-value.

    Parameters
    ----------
    p_values : array of shape (n,)
        What ``AnomalyDetector.p_values`` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Both axes logarithmic, beside the diagonal, to which usual rows keep.

    Raises
    ------
    DataError
        There are no p-values.
    """
    if not len(p_values):
        raise DataError("There are no p-values to draw. Give those of at least one row.")
    figure, axes = drawing.one_plot(2.9, "p-value", "share of the rows with at most that")
    ordered = np.sort(p_values)
    shares = np.arange(1, len(ordered) + 1) / len(ordered)
    least = min(ordered[0], shares[0], FAR)
    axes.plot([least, 1], [least, 1], color=drawing.ORANGE, lw=1.4, ls=(0, (4, 2)), label="usual rows")
    axes.step(ordered, shares, where="post", color=drawing.BLUE, lw=1.6, label="these rows", **drawing.dots(ordered))
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    drawing.legend(axes)
    return figure


def moved_columns(drift: Drift) -> Figure:
    """Draw how far columns have moved.

    Parameters
    ----------
    drift : Drift
        What ``AnomalyDetector.drift`` gave.

    Returns
    -------
    matplotlib.figure.Figure
        The twelve columns that moved the most; those that surely did in orange.
    """
    columns = drift.columns[:MOST_COLUMNS]
    figure, axes = drawing.one_plot(0.9 + 0.24 * columns.height, "distance between the distributions", "")
    surely = [drawing.ORANGE if name in drift.which else drawing.BLUE for name in columns["column"]]
    drawing.bars(axes, columns["column"].to_list(), columns["moved"].to_numpy(), surely)
    axes.set_xlim(0, max(0.1, 1.05 * float(columns["moved"][0])))
    return figure


def overlays(detector: AnomalyDetector, X: Any, explanation: pl.DataFrame | None = None) -> Array:
    """Pictures under their score maps, with boxes around the strongest regions.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted on images.
    X : as in ``fit``
        Images.
    explanation : polars.DataFrame, optional
        What ``explain`` gave of them; pictures that raised no alarm have no boxes. Worked out unless given.

    Returns
    -------
    ndarray of shape (n, tall, wide, 3), uint8
        Enlarged, so that the longer side has at least 256 pixels.
    """
    check_is_fitted(detector)
    raw = as_raw(X, kind=detector.kind_.name)
    found = detector.explain(raw) if explanation is None else explanation
    boxes: list[list[Any]] = [[] for _ in raw]
    for row, *box in found.select("row", "top", "left", "bottom", "right").iter_rows():
        boxes[row].append(box)
    return drawing.overlay(detector.kind_.arrange(detector._seen(raw)), detector.heatmaps(raw), boxes)


def strangest(detector: AnomalyDetector, X: Any, explanation: pl.DataFrame) -> Figure:
    """Draw the strangest pictures, each above itself under its score map.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted on images.
    X : as in ``fit``
        Images.
    explanation : polars.DataFrame
        What ``explain`` gave of them, with at least one alarm.

    Returns
    -------
    matplotlib.figure.Figure
        The eight strangest, by number.
    """
    rows, shown = _strangest(explanation)
    mine = shown.with_columns(shown["row"].replace_strict(rows, list(range(len(rows)))))
    some = as_raw(X, kind=detector.kind_.name)[np.array(rows)]
    pixels = detector.kind_.arrange(detector._seen(some))
    drawn = overlays(detector, some, mine)
    return drawing.gallery([(f"{row:,}", before, after) for row, before, after in zip(rows, pixels, drawn, strict=True)])


def _strangest(explanation: pl.DataFrame) -> tuple[list[int], pl.DataFrame]:
    """The numbers of the strangest rows, and what is explained of them."""
    rows = explanation["row"].unique(maintain_order=True)[:MOST_ROWS].to_list()
    return rows, explanation.filter(explanation["row"].is_in(rows))
