"""Pictures of a fitted model, each a matplotlib figure of its own: ``figure.savefig("errors.png")``.

Nothing global is touched: no pyplot, no current figure, no settings. The few colours are those of Okabe and Ito, which people with any
colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.analysis.metrics import Array, before_and_after, mse, spread
from hourglass.errors import DataError
from hourglass.estimators import BaseAutoencoder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hourglass.analysis.widths import Sweep

__all__ = ["code_map", "errors", "reconstructions", "training_curves", "widths"]

INK, MUTED, PAPER = "#24292f", "#6e7781", "#ffffff"
BLUE, ORANGE = "#0072b2", "#d55e00"  # the model, and what it is compared with or what stands out
GROUPS = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#8a8f98", "#b8a800", "#8c5a2b", "#5e4fa2")
LOW_TO_HIGH = ("#8fb3cf", "#d9a65b", "#b3361a")  # none so light or so dark that it is lost on white or on black

WIDTH = 5.6  # inches: wide enough for a page, and still legible when shrunk to the width of a phone
MAX_POINTS = 5000
MAX_COLUMNS = 20


def reconstructions(models: BaseAutoencoder | Sequence[BaseAutoencoder] | Sweep, X: Any, *, n: int = 10) -> Figure:
    """Draw originals and, below them, what each model makes of them.

    Parameters
    ----------
    models : estimator, sequence of estimators, dict of estimators, or Sweep
        One fitted model, or several to compare.
    X : as in ``fit``
        Data; the errors that are written are mean squared errors over all of it.
    n : int, default=10
        How many rows are drawn, evenly spaced.

    Returns
    -------
    matplotlib.figure.Figure
        Images side by side; of anything else a heat map, a line a column (at most 20) and a column a row.

    Raises
    ------
    DataError
        X doesn't fit the models.
    """
    fitted = _listed(models)
    strips: list[tuple[str, Array]] = []
    for model in fitted:
        before, after = before_and_after(model, X)
        chosen = spread(len(before), n)
        strips = strips or [("original", before[chosen])]
        strips.append((f"{waist(model)}, error {mse(before, after):.3g}", after[chosen]))
    if fitted[0].kind_.name == "image":
        return _strips_of_images(strips)
    return _heat_maps(strips, columns(fitted[0]))


def code_map(model: BaseAutoencoder, X: Any, labels: Any = None) -> Figure:
    """Draw each row as a point, near to those with similar codes.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        Data; of more than 5,000 rows, 5,000 evenly spaced ones are drawn.
    labels : array of shape (n,), optional
        Colours the points; the reconstruction error does so unless given.

    Returns
    -------
    matplotlib.figure.Figure
        The codes themselves if there are two; the single code over the error; else the two main directions of the codes by PCA.

    Raises
    ------
    DataError
        X doesn't fit the model, or labels are not one a row.
    """
    error = row_errors(*before_and_after(model, X))
    some = spread(len(error), MAX_POINTS)
    points, title, (x_label, y_label) = _flattened(np.asarray(model.transform(X)), error)
    figure = _figure(WIDTH, 4.2)
    axes = _styled(figure.subplots(), x_label, y_label)
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    axes.locator_params(nbins=5)
    if labels is None:
        _colour_by_error(figure, axes, points[some], error[some])
    else:
        _colour_by_label(figure, axes, points[some], _one_a_row(labels, len(error))[some])
    return figure


def training_curves(model: BaseAutoencoder) -> Figure:
    """Draw the loss over the epochs, on the rows that were learned from and on those held out.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    matplotlib.figure.Figure
        In nats a row; the epoch whose weights were kept is marked where rows were held out.

    Raises
    ------
    DataError
        The model was stopped before its first epoch was over.
    """
    from matplotlib.ticker import MaxNLocator

    if not model.history_:
        raise DataError("The model has no training curve: it was stopped before its first epoch was over. Fit it again.")
    epochs = [record["epoch"] for record in model.history_]
    axes = _styled((figure := _figure(WIDTH, 3.0)).subplots(), "epoch", "loss (nats a row)")
    axes.plot(
        epochs, [record["train"] for record in model.history_], color=BLUE, lw=1.6, label="rows learned from", **_dots(epochs)
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.ticklabel_format(axis="y", useOffset=False)
    held_out = [(record["validation"], record["epoch"]) for record in model.history_ if record["validation"] is not None]
    if held_out:
        losses, at = zip(*held_out, strict=True)
        axes.plot(at, losses, color=ORANGE, lw=1.6, ls=(0, (4, 2)), label="rows held out", **_dots(at))
        lowest, best = min(held_out)
        _mark(axes, best, lowest, f"best: epoch {best}")
    _legend(axes, loc="upper right")
    return figure


def errors(model: BaseAutoencoder, X: Any, *, n: int = 10) -> Figure:
    """Draw how the error is spread over the rows, and where it is largest.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        Data.
    n : int, default=10
        How many of the worst are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        A histogram of each row's mean squared error; below it, of images the worst over their reconstructions with the numbers of
        their rows, of tables the columns with the largest error.

    Raises
    ------
    DataError
        X doesn't fit the model.
    """
    before, after = before_and_after(model, X)
    of_rows = row_errors(before, after)
    worst = np.argsort(-of_rows, kind="stable")[:n]
    if model.kind_.name == "image":
        mosaics = [_mosaic(before[worst]), _mosaic(after[worst])]
        tall = [WIDTH * mosaic.shape[0] / mosaic.shape[1] for mosaic in mosaics]
        figure = _figure(WIDTH, 2.6 + sum(tall) + 0.7)
        top, original, rebuilt = figure.subplots(3, 1, height_ratios=[2.6, *(height + 0.2 for height in tall)])
        _show(original, mosaics[0], "the worst rows, by number")
        _show(rebuilt, mosaics[1], "as rebuilt")
        step = mosaics[0].shape[1] / len(worst)
        original.xaxis.tick_bottom()
        original.set_xticks([(i + 0.5) * step for i in range(len(worst))], [str(row) for row in worst])
        original.tick_params(axis="x", length=0, labelsize=7, colors=MUTED, pad=1)
    else:
        of_columns = np.square(before - after).reshape(len(before), -1).mean(0)
        largest = np.argsort(-of_columns, kind="stable")[:n]
        figure = _figure(WIDTH, 2.6 + 0.24 * len(largest) + 0.8)
        top, bars = figure.subplots(2, 1, height_ratios=[2.6, 0.24 * len(largest) + 0.5])
        _bars(bars, [columns(model)[i] for i in largest], of_columns[largest])
    _histogram(top, of_rows)
    return figure


def widths(sweep: Sweep) -> Figure:
    """Draw the error of a sweep over the width, beside that of PCA, with the recommended width marked.

    Parameters
    ----------
    sweep : Sweep
        What `hourglass.sweep` gave.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.ticker import NullLocator

    codes, mine, theirs = (sweep.frame[name].to_list() for name in ("codes", "mse", "pca_mse"))
    axes = _styled((figure := _figure(WIDTH, 3.4)).subplots(), "numbers kept of each row", "mean squared error, rows held out")
    axes.plot(codes, theirs, color=ORANGE, lw=1.6, ls=(0, (4, 2)), marker="s", ms=4, label="PCA")
    axes.plot(codes, mine, color=BLUE, lw=1.8, marker="o", ms=5, label="autoencoder")
    axes.set_xscale("log", base=2)
    axes.set_xticks(codes, [str(width) for width in codes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.08 * max(mine + theirs) or 1)
    chosen = sweep.recommended
    _mark(axes, chosen, mine[codes.index(chosen)], f"recommended: {chosen}")
    _legend(axes, loc="upper right")
    return figure


# Facts that pictures and page share


def waist(model: BaseAutoencoder) -> str:
    """What is kept of a row, in words: '32 numbers', '16 of 256 numbers'."""
    n = len(model.get_feature_names_out())
    kept = capacity(model)
    return f"{kept:,} of {n:,} numbers" if kept < n else f"{n:,} number{'s' * (n != 1)}"


def capacity(model: BaseAutoencoder) -> int:
    """How many numbers of a code may differ from zero."""
    return int(getattr(model.bottleneck, "capacity", model.bottleneck))


def columns(model: BaseAutoencoder) -> list[str]:
    """A name for each number of a row."""
    return list(getattr(model.kind_, "columns", None) or (f"x{i}" for i in range(model.kind_.n_features)))


def row_errors(before: Array, after: Array) -> Array:
    """The mean squared error of each row (n,)."""
    squared: Array = np.square(before - after).reshape(len(before), -1)
    return squared.mean(1, dtype=np.float64)


# The one look


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)


def _styled(axes: Axes, x_label: str, y_label: str) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(labelsize=8, labelcolor=INK, color=MUTED, length=3)
    axes.set_xlabel(x_label, fontsize=9, color=INK)
    axes.set_ylabel(y_label, fontsize=9, color=INK)
    return axes


def _legend(axes: Axes, **where: Any) -> None:
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, **where)


def _mark(axes: Axes, x: float, y: float, text: str) -> None:
    """A ring around a point, with a line down to the axis and a word beside it."""
    axes.axvline(x, color=MUTED, lw=0.8, ls=":", zorder=0)
    axes.plot([x], [y], "o", ms=11, mfc="none", mec=INK, mew=1.2, zorder=3)
    right = axes.transLimits.transform(axes.transScale.transform((x, y)))[0] > 0.6
    axes.annotate(
        text, (x, y), (-9 if right else 9, 9), textcoords="offset points", ha="right" if right else "left", fontsize=8, color=INK
    )


def _dots(points: Sequence[Any]) -> dict[str, Any]:
    """A curve of few points shows them: one of a single point would else be invisible."""
    return {"marker": "o", "ms": 3} if len(points) < 15 else {}


def _plain(text: object, most: int = 24) -> str:
    """Text of a user's, short, and with no dollar that starts a formula."""
    shown = " ".join(str(text).split())
    return (shown if len(shown) <= most else shown[: most - 1] + "…").replace("$", r"\$")


# Images and heat maps


def _mosaic(images: Array) -> Array:
    """Images (n, height, width[, channels]) side by side, as one of RGBA (height, wide, 4) with clear gaps."""
    pixels = np.clip(images if images.ndim == 4 else images[..., None], 0, 1)
    if pixels.shape[3] == 1:
        pixels = pixels.repeat(3, axis=3)
    if pixels.shape[3] == 3:
        pixels = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=3)
    gap = max(1, pixels.shape[2] // 14)
    return np.concatenate([np.pad(image, ((0, 0), (0, gap), (0, 0))) for image in pixels], axis=1)


def _show(axes: Axes, mosaic: Array, title: str) -> None:
    axes.imshow(mosaic, interpolation="none", extent=(0, mosaic.shape[1], mosaic.shape[0], 0))
    axes.set_title(title, fontsize=8, color=INK, loc="left", pad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _strips_of_images(strips: list[tuple[str, Array]]) -> Figure:
    mosaics = [_mosaic(images) for _, images in strips]
    tall = WIDTH * mosaics[0].shape[0] / mosaics[0].shape[1]
    figure = _figure(WIDTH, len(strips) * (tall + 0.27))
    for axes, (title, _), mosaic in zip(figure.subplots(len(strips), 1), strips, mosaics, strict=True):
        _show(axes, mosaic, title)
    return figure


def _heat_maps(strips: list[tuple[str, Array]], names: list[str]) -> Figure:
    """Tables of standardised columns, from violet (below the mean) to orange (above), three side by side."""
    shown = min(len(names), MAX_COLUMNS)
    across = min(3, len(strips))
    down = -(-len(strips) // across)
    figure = _figure(WIDTH, down * (0.17 * shown + 0.45) + 0.6)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(strips) :]:
        axes.remove()
    for i, (axes, (title, values)) in enumerate(zip(grid, strips, strict=False)):
        picture = axes.imshow(values.reshape(len(values), -1)[:, :shown].T, cmap="PuOr_r", vmin=-3, vmax=3, aspect="auto")
        axes.set_title(title.replace(", ", "\n"), fontsize=8, color=INK, loc="left")
        axes.set_xticks([])
        axes.set_yticks(range(shown), [_plain(name) for name in names[:shown]] if i % across == 0 else [""] * shown)
        axes.tick_params(length=0, labelsize=8, labelcolor=INK)
        axes.spines[:].set_visible(False)
    if shown < len(names):
        grid[0].set_ylabel(f"the first {shown} of {len(names):,} columns", fontsize=8, color=MUTED)
    bar = figure.colorbar(picture, ax=list(grid[: len(strips)]), location="bottom", shrink=0.5, aspect=30, pad=0.02)
    _style_bar(bar, "standard deviations from the column's mean")
    return figure


def _style_bar(bar: Any, label: str) -> None:
    bar.set_label(label, fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=8, labelcolor=INK, color=MUTED, length=2)
    bar.outline.set_visible(False)


# The map of codes


def _flattened(Z: Array, error: Array) -> tuple[Array, str, tuple[str, str]]:
    """Codes as points (n, 2), what they are, and the labels of the axes."""
    if Z.shape[1] == 1:
        return np.column_stack([Z[:, 0], error]), "the code of each row, and its error", ("code0", "error of the row")
    if Z.shape[1] == 2:
        return Z, "the two codes of each row", ("code0", "code1")
    if len(Z) == 1:
        return Z[:, :2], "the first two codes of the row", ("code0", "code1")
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="full").fit(Z)
    share = float(np.nansum(pca.explained_variance_ratio_))  # NaN where all codes are alike
    title = f"{Z.shape[1]:,} codes seen along their two main directions (PCA: {share:.0%} of their variance)"
    return pca.transform(Z), title, ("first direction", "second direction")


def _scatter(axes: Axes, points: Array, **how: Any) -> Any:
    size = float(np.clip(4000 / len(points), 3, 24))
    return axes.scatter(*points.T, s=size, alpha=0.8, linewidths=0, rasterized=len(points) > 500, **how)


def _colour_by_error(figure: Figure, axes: Axes, points: Array, error: Array) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    scale = LinearSegmentedColormap.from_list("errors", LOW_TO_HIGH)
    order = np.argsort(error)  # the largest on top; beyond 99% of the rows the colour no longer changes
    drawn = _scatter(axes, points[order], c=error[order], cmap=scale, vmin=error.min(), vmax=np.quantile(error, 0.99))
    _style_bar(figure.colorbar(drawn, ax=axes, aspect=35, pad=0.02), "error of the row")


def _colour_by_label(figure: Figure, axes: Axes, points: Array, labels: Array) -> None:
    from matplotlib.patheffects import withStroke

    names, group, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) > len(GROUPS) and labels.dtype.kind in "iuf":
        _style_bar(figure.colorbar(_scatter(axes, points, c=labels, cmap="cividis"), ax=axes, aspect=35, pad=0.02), "label")
        return
    common = np.sort(np.argsort(-counts, kind="stable")[: len(GROUPS)])
    _scatter(axes, points[~np.isin(group, common)], color=MUTED) if len(common) < len(names) else None
    for colour, index in zip(GROUPS, common, strict=False):
        _scatter(axes, points[group == index], color=colour, label=_plain(names[index]))
    for index in common:  # the name at the middle of its points, as ten colours are hard to tell apart
        x, y = np.median(points[group == index], axis=0)
        halo = [withStroke(linewidth=2.5, foreground=PAPER)]
        axes.text(x, y, _plain(names[index], 12), fontsize=9, weight="bold", color=INK, ha="center", va="center", path_effects=halo)


def _one_a_row(labels: Any, n: int) -> Array:
    values = np.asarray(labels)
    if values.shape != (n,):
        raise DataError(f"Labels are one a row, so {n:,} of them in one dimension. Got an array of shape {values.shape}.")
    return values if values.dtype.kind in "iuf" else values.astype(str)


# Errors


def _histogram(axes: Axes, of_rows: Array) -> None:
    _styled(axes, "mean squared error of a row", "rows")
    axes.hist(of_rows, bins=min(40, max(8, len(of_rows) // 10)), color=BLUE)
    limit = float(np.quantile(of_rows, 0.99))
    axes.axvline(limit, color=ORANGE, lw=1.2, ls=(0, (4, 2)))
    right = limit > 0.6 * axes.get_xlim()[1]
    axes.text(
        limit, 0.95, f" 1 row in 100 is beyond {limit:.3g} ", transform=axes.get_xaxis_transform(), fontsize=8, color=INK,
        ha="right" if right else "left", va="top",
    )  # fmt: skip


def _bars(axes: Axes, names: list[str], values: Array) -> None:
    _styled(axes, "mean squared error of the column (1 = no better than its mean)", "")
    axes.barh(range(len(names)), values, color=BLUE, height=0.7)
    axes.set_yticks(range(len(names)), [_plain(name) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()


def _listed(models: Any) -> list[BaseAutoencoder]:
    fitted = getattr(models, "models", models)
    if isinstance(fitted, Mapping):
        return list(fitted.values())
    return list(fitted) if isinstance(fitted, Sequence) else [fitted]
