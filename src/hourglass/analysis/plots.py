"""Pictures of a fitted model, each a matplotlib figure of its own: ``figure.savefig("errors.png")``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hourglass.analysis import drawing, structures
from hourglass.analysis.alarms import blame, calibration, moved_columns, overlays, strangest
from hourglass.analysis.diagnosis import kept
from hourglass.analysis.generated import interpolation, nearest, of_rows, samples, traversal
from hourglass.analysis.mending import mended
from hourglass.analysis.metrics import Array, mse
from hourglass.analysis.rebuilt import Rebuilt
from hourglass.analysis.rolls import piano_rolls
from hourglass.analysis.structures import molecules
from hourglass.analysis.waves import curves, row_scores, timeline, waves
from hourglass.analysis.widths import Sweep, widths
from hourglass.data.some import spread
from hourglass.errors import DataError
from hourglass.estimators import AnomalyDetector, BaseAutoencoder
from hourglass.kinds import as_objects, length, taken

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "blame",
    "calibration",
    "code_map",
    "errors",
    "interpolation",
    "mended",
    "molecules",
    "moved_columns",
    "nearest",
    "overlays",
    "piano_rolls",
    "reconstructions",
    "samples",
    "strangest",
    "timeline",
    "training_curves",
    "traversal",
    "waves",
    "widths",
]

MAX_POINTS = 5000
ALIKE = 1e-6  # of the largest code: less of a difference is none
NOUNS = {"image": ("image", "images"), "molecule": ("molecule", "molecules"), "melody": ("melody", "melodies")}


def __dir__() -> list[str]:
    return __all__


def reconstructions(
    models: BaseAutoencoder | Sequence[BaseAutoencoder] | Mapping[int, BaseAutoencoder] | Sweep,
    X: Any,
    *,
    n: int = 10,
    condition: Any = None,
) -> Figure:
    """Draw originals and, below them, what each model makes of them.

    Parameters
    ----------
    models : estimator, sequence of estimators, dict of estimators, or Sweep
        One fitted model, or several to compare.
    X : as in ``fit``
        Data; the errors that are written are mean squared errors over all of it.
    n : int, default=10
        How many rows are drawn, evenly spaced.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row of X, or one for all.

    Returns
    -------
    matplotlib.figure.Figure
        Images side by side; molecules, or other rows of symbols as text with what is wrong in colour; of series at most four, with
        the error shaded; of tables a heat map, a line a column (at most 20) and a column a row.

    Raises
    ------
    DataError
        X doesn't fit the models, or there is no model.
    """
    drawing.require_count(n)
    fitted = _listed(models)
    for model in fitted:
        check_is_fitted(model)
    return compared([Rebuilt(model, X, condition) for model in fitted], n)


def code_map(model: BaseAutoencoder | AnomalyDetector, X: Any, labels: Any = None, *, condition: Any = None) -> Figure:
    """Draw each row as a point, near to those with similar codes.

    Parameters
    ----------
    model : estimator or detector
        Fitted. A detector without codes has rows where their scaled numbers are, and series, or windows of a record, where their
        smoothed samples are: what it compares rows by.
    X : as in ``fit``
        Data; of more than 5,000 rows, 5,000 evenly spaced ones are drawn.
    labels : array of shape (n,), optional
        Colours the points; the reconstruction error does so unless given, of rows of symbols in nats, and of a detector the score,
        higher is stranger.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row of X, or one for all.

    Returns
    -------
    matplotlib.figure.Figure
        The codes themselves if there are two; the single code over the error; else the two main directions of the codes by PCA.

    Raises
    ------
    DataError
        X doesn't fit the model, or labels are not one a row.
    """
    check_is_fitted(model)
    if isinstance(model, AnomalyDetector):
        return _mapped(*_judged(model, X), labels)
    return map_of(Rebuilt(model, X, condition), labels)


def training_curves(model: BaseAutoencoder) -> Figure:
    """Draw the loss over the epochs, on the rows that were learned from and on those held out.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    matplotlib.figure.Figure
        In nats a row; the epoch whose weights were kept, 0 for the start, is marked where rows were held out.

    Raises
    ------
    DataError
        The model was stopped before its first epoch was over.
    """
    from matplotlib.ticker import MaxNLocator

    check_is_fitted(model, "history_")
    if not model.history_:
        raise DataError("The model has no training curve: it was stopped before its first epoch was over. Fit it again.")
    figure, axes = drawing.one_plot(2.8, "epoch", "loss (nats a row)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.ticklabel_format(axis="y", useOffset=False)
    epochs, train = zip(*((record["epoch"], record["train"]) for record in model.history_), strict=True)
    axes.plot(epochs, train, color=drawing.BLUE, lw=1.6, label="learned from", **drawing.dots(epochs))
    held_out = [(record["epoch"], record["validation"]) for record in model.history_ if record["validation"] is not None]
    if held_out:
        at, losses = zip(*held_out, strict=True)
        axes.plot(at, losses, color=drawing.ORANGE, lw=1.6, ls=(0, (4, 2)), label="held out", **drawing.dots(at))
    if best := kept(model):
        drawing.mark(axes, *best, f"kept: epoch {best[0]}" if best[0] else "kept: the start")
    drawing.legend(axes)
    return figure


def errors(model: BaseAutoencoder, X: Any, *, n: int = 10, condition: Any = None) -> Figure:
    """Draw how the error is spread over the rows, and where it is largest.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        Data.
    n : int, default=10
        How many of the worst are drawn.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row of X, or one for all.

    Returns
    -------
    matplotlib.figure.Figure
        A histogram of each row's mean squared error; below it, of images the worst over their reconstructions with the numbers of
        their rows, of tables the columns with the largest error. Of rows of symbols the nats that each loses, and the symbols that
        cost most when they come.

    Raises
    ------
    DataError
        X doesn't fit the model.
    """
    check_is_fitted(model)
    drawing.require_count(n)
    return errors_over_worst(Rebuilt(model, X, condition), n)


# Pictures of what is known already, and facts: what pictures and page share


def compared(piles: Sequence[Rebuilt], n: int) -> Figure:
    """`reconstructions` of the same rows by several models."""
    kind = piles[0].model.kind_
    if kind.symbolic:
        return _compared_symbols(piles, n)
    strips: list[tuple[str, Array]] = []
    for rebuilt in piles:
        before, after = rebuilt.pair
        chosen = spread(len(before), n)
        strips = strips or [("original", before[chosen])]
        strips.append((f"{waist(rebuilt.model)}, error {mse(before, after):#.3g}", after[chosen]))
    if kind.name == "image":
        return drawing.strips_of_images(strips)
    if kind.name == "series":
        return curves(strips, n)
    return drawing.heat_maps(strips, kind.element_names, kind.column_of)


def map_of(rebuilt: Rebuilt, labels: Any) -> Figure:
    """`code_map` of an autoencoder."""
    some = spread(len(rebuilt.errors), MAX_POINTS)
    codes = np.asarray(rebuilt.model.transform(rebuilt.X, rebuilt.condition))
    points = _flattened(codes, rebuilt.errors, "codes", "reconstruction error")
    return _mapped(points.of(some), some, len(rebuilt.errors), labels)


def errors_over_worst(rebuilt: Rebuilt, n: int) -> Figure:
    """`errors` of an autoencoder."""
    kind, measure = rebuilt.model.kind_, "nats" if rebuilt.model.kind_.symbolic else "mean squared error"
    below = _worst_symbols if kind.symbolic else _worst_images if kind.name == "image" else _worst_columns
    figure, top = below(rebuilt, n)
    drawing.histogram(top, rebuilt.errors, f"{measure} per {noun(rebuilt.model, 1)}", noun(rebuilt.model))
    return figure


def waist(model: BaseAutoencoder) -> str:
    """What is kept of a row, in words: '32 numbers', '16 of 256 numbers'."""
    n = len(model.get_feature_names_out())
    kept = capacity(model)
    return f"{kept:,} of {n:,} numbers" if kept < n else f"{n:,} number{'s' * (n != 1)}"


def capacity(model: BaseAutoencoder) -> int:
    """How many numbers of a code may differ from zero."""
    return model._waist.capacity


def noun(model: BaseAutoencoder | AnomalyDetector, count: int = 2) -> str:
    """What the rows are called where there are so many of them: 'image', 'images'."""
    one, more = ("window", "windows") if model.kind_.of_record else NOUNS.get(model.kind_.name, ("row", "rows"))
    return one if count == 1 else more


# Helpers


def _listed(models: Any) -> list[BaseAutoencoder]:
    fitted = getattr(models, "models", models)
    listed = list(fitted.values()) if isinstance(fitted, Mapping) else list(fitted) if isinstance(fitted, Sequence) else [fitted]
    if not listed:
        raise DataError("There is no model to draw reconstructions of. Give at least one.")
    return listed


def _compared_symbols(piles: Sequence[Rebuilt], n: int) -> Figure:
    kind: Any = piles[0].model.kind_
    rows = structures.rows_of(kind, piles[0].X)
    chosen = spread(len(rows), n)
    some = as_objects([rows[i] for i in chosen])
    shown = kind.from_tensor(kind.to_tensor(some))  # molecules as they are written when they are rebuilt
    strips = [
        (f"{waist(each.model)}, {each.exact:.0%} exact", each.model.reconstruct(some, of_rows(each.condition, chosen)))
        for each in piles
    ]
    return structures.compared(kind, [("original", shown), *strips])


class _Points(NamedTuple):
    """What a map shows."""

    places: Array  # (n, 2)
    errors: Array  # (n,)
    title: str
    axes: tuple[str, str]
    error: str  # what the errors are called

    def of(self, some: Array) -> _Points:
        """Some of them."""
        return self._replace(places=self.places[some], errors=self.errors[some])


def _mapped(points: _Points, some: Array, n: int, labels: Any) -> Figure:
    """Points, which are some of n rows, coloured by their errors or by labels of all rows."""
    figure, axes = drawing.one_plot(3.8, *points.axes)
    axes.set_title(points.title, fontsize=8, color=drawing.INK, loc="left")
    axes.locator_params(nbins=6)
    if labels is None:
        drawing.colour_by_error(figure, axes, points.places, points.errors, points.error)
    else:
        drawing.colour_by_label(figure, axes, points.places, _one_a_row(labels, n)[some])
    return figure


def _judged(detector: Any, X: Any) -> tuple[_Points, Array, int]:
    """Rows by what a detector compares them by: the points that are drawn, which of all rows they are, and how many there are."""
    raw = detector._checked(X)
    some = spread(length(raw), MAX_POINTS)
    rows = taken(raw, some)
    Z = detector._collect(rows, lambda watch, x: watch.place(x)).numpy()
    return _flattened(Z, row_scores(detector, rows), detector.model_.placed_by, "score"), some, length(raw)


def _flattened(Z: Array, errors: Array, what: str, error: str) -> _Points:
    """Codes, or what stands for them, as points."""
    named = ("code0", "code1") if what == "codes" else ("first", "second")
    if Z.shape[1] == 1:
        title = "the code, and the error" if what == "codes" else f"the {what[:-1]}, and the {error}"
        return _Points(np.column_stack([Z[:, 0], errors]), errors, title, (named[0], error), error)
    if Z.shape[1] == 2:
        return _Points(Z, errors, f"the two {what}", named, error)
    if np.ptp(Z, axis=0).max() <= ALIKE * np.abs(Z).max():  # one row, or equal ones: PCA would show how they were rounded
        return _Points(Z[:, :2], errors, f"the first two {what}", named, error)
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="full").set_output(transform="default").fit(Z)
    share = float(pca.explained_variance_ratio_.sum())
    title = f"{Z.shape[1]:,} {what}, by PCA ({share:.0%} of their variance)"
    return _Points(pca.transform(Z), errors, title, ("first direction", "second direction"), error)


def _one_a_row(labels: Any, n: int) -> Array:
    values = np.asarray(labels)
    if values.shape != (n,):
        raise DataError(f"Labels are one a row, so {n:,} of them in one dimension. Got an array of shape {values.shape}.")
    return values if values.dtype.kind in "iuf" else values.astype(str)


def _worst_images(rebuilt: Rebuilt, n: int) -> tuple[Figure, Axes]:
    """A figure with the worst images at its foot, and the axes that are left above them."""
    (before, after), worst = rebuilt.pair, _largest(rebuilt.errors, n)
    mosaics = [drawing.side_by_side(before[worst]), drawing.side_by_side(after[worst])]
    tall = [drawing.WIDTH * mosaic.shape[0] / mosaic.shape[1] for mosaic in mosaics]
    figure = drawing.blank(2.2 + sum(tall) + 0.7)
    top, original, below = figure.subplots(3, 1, height_ratios=[2.2, *(height + 0.2 for height in tall)])
    drawing.show(original, mosaics[0], "the worst, by number")
    drawing.show(below, mosaics[1], "as rebuilt")
    step = mosaics[0].shape[1] / max(len(worst), drawing.MIN_ACROSS)
    original.set_xticks([(i + 0.5) * step for i in range(len(worst))], [str(row) for row in worst])
    original.tick_params(axis="x", length=0, labelsize=8, colors=drawing.MUTED, pad=1)
    return figure, top


def _worst_columns(rebuilt: Rebuilt, n: int) -> tuple[Figure, Axes]:
    """A figure with the worst columns at its foot, and the axes that are left above them."""
    before, after = rebuilt.pair
    of_columns = np.square(before - after).reshape(len(before), -1).mean(0)
    worst = _largest(of_columns, n)
    names = [rebuilt.model.kind_.element_names[i] for i in worst]
    return _over_bars("error (1: no better than its mean)", names, of_columns[worst])


def _worst_symbols(rebuilt: Rebuilt, n: int) -> tuple[Figure, Axes]:
    """A figure with the symbols that cost most at its foot, and the axes that are left above them."""
    kind: Any = rebuilt.model.kind_
    values = kind.to_tensor(as_objects(structures.rows_of(kind, rebuilt.X))).numpy()  # (n, length)
    nats = np.asarray(rebuilt.model.feature_errors(rebuilt.X, rebuilt.condition)).ravel()
    counts = np.bincount(values.ravel(), minlength=len(kind.alphabet) + 1)[1:]
    cost = np.bincount(values.ravel(), nats, len(kind.alphabet) + 1)[1:] / np.maximum(counts, 1)
    worst = _largest(cost, min(n, int((counts > 0).sum())))
    return _over_bars(f"nats of each time that the {kind.piece} comes", [kind.alphabet[i] for i in worst], cost[worst])


def _over_bars(label: str, names: list[str], values: Array) -> tuple[Figure, Axes]:
    """A figure with a bar for each name at its foot, and the axes that are left above them."""
    figure = drawing.blank(2.2 + 0.22 * len(names) + 0.7)
    top, bars = figure.subplots(2, 1, height_ratios=[2.2, 0.22 * len(names) + 0.4])
    drawing.styled(bars, label, "")
    drawing.bars(bars, names, values)
    return figure, top


def _largest(values: Array, n: int) -> Array:
    return np.argsort(-values, kind="stable")[:n]
