"""Pictures of series: rows beside what is expected of them, a record above its score."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from hourglass.analysis import drawing
from hourglass.analysis.metrics import Array
from hourglass.data.some import spread
from hourglass.errors import DataError
from hourglass.estimators import AnomalyDetector, BaseAutoencoder
from hourglass.estimators.detection.events import events as events_of
from hourglass.estimators.detection.events import in_units
from hourglass.estimators.detection.running import scored_steps
from hourglass.kinds import as_raw, taken
from hourglass.kinds.windows import Windows

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 1500  # of a curve: of more, the lowest and the highest of stretches are drawn
MOST_CHANNELS = 4  # of a record, and of small curves
PANEL, SMALL = 0.85, 0.5  # inches of a row


def waves(model: BaseAutoencoder | AnomalyDetector, X: Any, *, n: int = 4) -> Figure:
    """Draw typical rows of series, and the strangest at their right, each with what is expected of it and the error shaded.

    Parameters
    ----------
    model : estimator or detector
        Fitted on series.
    X : as in ``fit``
        Series; of a record, its windows.
    n : int, default=4
        How many of either; of a record, windows that don't overlap.

    Returns
    -------
    matplotlib.figure.Figure
        Of rows of several channels the one with the largest error.

    Raises
    ------
    DataError
        The model was not fitted on series.
    """
    check_is_fitted(model)
    if model.kind_.name != "series":
        raise DataError(f"waves is for series. The model was fitted on {model.kind_.describe()}.")
    drawing.require_count(n)
    raw, channels = model._checked(as_raw(X, kind="series")), getattr(model.kind_, "channels", ())
    scores, words = _strangeness(model, raw)
    order = np.argsort(scores, kind="stable")
    n = min(n, len(order))
    typical = _apart(raw, order[max(len(order) // 2 - n // 2, 0) :], n)
    strangest = _apart(raw, order[::-1], n)
    n = min(n, len(typical), len(strangest))
    chosen = np.concatenate([typical[:n], strangest[:n]])
    seen, expected = _beside(model, taken(raw, chosen))
    figure = drawing.blank(PANEL * n + 0.5)
    grid = figure.subplots(n, 2, sharex=True, squeeze=False)
    for place, (row, before, after) in enumerate(zip(chosen, seen, expected, strict=True)):
        axes = grid[place % n, place // n]
        channel = int(np.nansum(np.square(before - after), 1).argmax())  # a row may have no sample at all
        name = f", {drawing.plain(channels[channel], 16)}" if len(before) > 1 else ""
        _wave(axes, before[channel], after[channel], f"{row:,}{name}: {words(row)}", last=place % n == n - 1)
    for axes, heading in zip(grid[0], ("typical", "strangest"), strict=True):
        above = {"xytext": (0, 13), "textcoords": "offset points"}  # the title of the first row
        axes.annotate(heading, (0, 1), xycoords="axes fraction", fontsize=8, color=drawing.INK, weight="bold", **above)
    return figure


def _apart(raw: Any, order: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """The first n of rows in an order; of windows that overlap only the first."""
    if not isinstance(raw, Windows):
        return order[:n]
    chosen: list[int] = []
    for row in order:
        if (np.abs(raw.starts[chosen] - raw.starts[row]) >= raw.window).all():
            chosen.append(int(row))
        if len(chosen) == n:
            break
    return np.array(chosen)


def row_scores(detector: AnomalyDetector, raw: Any) -> Array:
    """How strange each row is (n,), of a record each window: as its strangest step."""
    if not isinstance(raw, Windows):
        return detector._scores(raw)
    steps = scored_steps(detector, raw)
    return np.array([steps[start : start + raw.window].max() for start in raw.starts])


def _strangeness(model: Any, raw: Any) -> tuple[Array, Any]:
    """A number for each row, higher is stranger, and what says it in words."""
    if not isinstance(model, AnomalyDetector):
        scores = -np.asarray(model.score_samples(raw))
        return scores, lambda row: f"{scores[row]:.4g} nats"
    scores = row_scores(model, raw)
    p_values = model._p_values(scores)
    return scores, lambda row: f"p = {p_values[row]:.2g}"


def _beside(model: Any, raw: Any) -> tuple[Array, Array]:
    """Rows (n, channels, time) in the units of the data, and what is expected of them."""
    values = model.kind_.to_tensor(raw).to(model._device)
    with torch.inference_mode():
        inside = model._model_for(values.dtype)
        x = inside.scaling(values)
        rebuilt = inside.rebuilt(x)[0] if isinstance(model, AnomalyDetector) else inside.reconstruct(x)
        return values.cpu().numpy(), in_units(model.kind_, inside.scaling, rebuilt, values).cpu().numpy()


def _wave(axes: Axes, before: Array, after: Array, title: str, *, last: bool) -> None:
    """A row, what is expected of it, and the error between them."""
    drawing.styled(axes, "sample" if last else "", "")
    step = np.arange(len(before))
    axes.fill_between(step, before, after, color=drawing.ORANGE, alpha=0.35, lw=0)
    axes.plot(step, after, color=drawing.ORANGE, lw=0.9, ls=(0, (4, 2)))
    axes.plot(step, before, color=drawing.BLUE, lw=1.1)
    axes.tick_params(labelsize=6)
    axes.yaxis.get_offset_text().set(fontsize=6, x=1, ha="right")  # a power of ten, out of the way of the title
    axes.set_title(title, fontsize=7, color=drawing.INK, loc="left", pad=2)


def timeline(detector: AnomalyDetector, X: Any, events: pl.DataFrame | None = None) -> Figure:
    """Draw a record, below it the score of its steps with the threshold, and its events over both.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted on a record.
    X : as in ``fit``
        A record.
    events : polars.DataFrame, optional
        What ``detector.events`` gave of it; worked out unless given.

    Returns
    -------
    matplotlib.figure.Figure
        At most four channels, those most to blame.

    Raises
    ------
    DataError
        The detector was not fitted on a record.
    """
    detector._require_record("timeline")
    windows = detector._checked(as_raw(X, kind="series"))
    scores = scored_steps(detector, windows)
    found = events_of(detector, windows, scores) if events is None else events
    record, place = windows.record, windows.record.place
    channels = _channels(found, record.names)
    figure = drawing.blank(PANEL * len(channels) + 1.5)
    panels = figure.subplots(len(channels) + 1, 1, sharex=True, height_ratios=[PANEL] * len(channels) + [1.3])
    at, label = _axis(record)
    if label == "time":
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator()))  # type: ignore[no-untyped-call]
        panels[-1].xaxis.get_offset_text().set_fontsize(7)  # the day, or the year
    for axes, channel in zip(panels[:-1], channels, strict=True):
        drawing.styled(axes, "", "")
        _curve(axes, at, record.values[:, channel], drawing.BLUE)
        axes.set_title(drawing.plain(record.names[channel]), fontsize=7, color=drawing.INK, loc="left", pad=2)
    drawing.styled(panels[-1], label, "score")
    _curve(panels[-1], at, scores, drawing.INK)
    panels[-1].axhline(-detector.offset_, color=drawing.ORANGE, lw=1, ls=(0, (4, 2)), label="threshold")
    for number, (start, end) in enumerate(found.select("start", "end").iter_rows()):
        first, last = (start, end - 1) if place is None else (place[start], place[end - 1])
        least = (at[-1] - at[0]) / 400  # so that a short one is seen
        for axes in panels:
            named = {"label": "events"} if number == 0 and axes is panels[-1] else {}
            axes.axvspan(at[first], max(at[last], at[first] + least), color=drawing.ORANGE, alpha=0.3, lw=0, **named)
    drawing.legend(panels[-1])
    return figure


def _channels(events: pl.DataFrame, names: tuple[str, ...]) -> list[int]:
    """The channels to draw: those most often to blame, then the first ones, in their order."""
    blamed = [f", {text}, " for text in events["channels"]]  # names with commas between them, and perhaps in them
    order = sorted(range(len(names)), key=lambda i: -sum(f", {names[i]}, " in text for text in blamed))
    return sorted(order[:MOST_CHANNELS])


def _axis(record: Any) -> tuple[Array, str]:
    """Where samples lie on the axis, and what it is called."""
    step = np.arange(len(record))
    if record.rate is None:
        return step, "sample"
    seconds = step / record.rate
    if isinstance(record.start, datetime) and record.start.year > datetime.min.year:
        return np.datetime64(record.start.replace(tzinfo=None), "us") + (1e6 * seconds).astype("timedelta64[us]"), "time"
    for unit, long in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds[-1] > 3 * long:
            return seconds / long, unit
    return seconds, "seconds"


def _curve(axes: Axes, at: Array, values: Array, colour: str) -> None:
    """A curve; a long one as the lowest and the highest of stretches of it."""
    if len(values) <= 2 * MOST_POINTS:
        axes.plot(at, values, color=colour, lw=0.8)
        return
    size = len(values) // MOST_POINTS
    n = len(values) // size * size
    parts = np.where(np.isfinite(values[:n]), values[:n], np.nan).reshape(-1, size)
    some = ~np.isnan(parts).all(1)
    low, high = (np.full(len(parts), np.nan) for _ in range(2))
    low[some], high[some] = np.nanmin(parts[some], 1), np.nanmax(parts[some], 1)
    ends = np.ravel(np.column_stack([low, high]))
    axes.plot(np.repeat(at[:n:size], 2), ends, color=colour, lw=0.6)


def curves(strips: list[tuple[str, Array]], n: int) -> Figure:
    """Titled rows (n, time): the first strip as they are, each other one with the error to the first shaded."""
    (_, before), *others = strips
    rows = spread(len(before), min(n, 4))
    figure = drawing.blank(PANEL * len(rows) + 0.5)
    grid = figure.subplots(len(rows), max(len(others), 1), sharex=True, squeeze=False)
    for column, (title, after) in enumerate(others):
        for place, row in enumerate(rows):
            words = title if place == 0 else ""
            pair = (before[row], after[row])
            if before.ndim == 3:  # (n, time, channels): the one with the largest error
                channel = int(np.nanargmax(np.nanmean(np.square(pair[0] - pair[1]), 0)))
                pair = (pair[0][:, channel], pair[1][:, channel])
            _wave(grid[place, column], *pair, words, last=place == len(rows) - 1)
    return figure


def grid_of_curves(lines: list[Array], names: Sequence[str] = ()) -> Figure:
    """Rows (n, time[, channels]) as small curves of one scale, a line of them below the other, with a name at the left of each.

    Each channel has a colour; of many the first ones are drawn.
    """
    figure = drawing.blank(SMALL * len(lines) + 0.1)
    grid = figure.subplots(len(lines), max(map(len, lines)), sharex=True, sharey=True, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for line, panels in zip(lines, grid, strict=True):
        for row, axes in zip(line, panels, strict=False):
            for values, colour in zip(row.reshape(len(row), -1).T[:MOST_CHANNELS], drawing.GROUPS, strict=False):
                axes.plot(values, color=colour, lw=0.8)
    for name, axes in zip(names, grid[:, 0], strict=False):
        axes.text(-0.08, 0.5, drawing.plain(name), transform=axes.transAxes, fontsize=8, color=drawing.INK, ha="right", va="center")
    return figure
