"""What a row looks like on the page: a picture, curves, values or text, as HTML. Knows kinds, no elements of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hourglass.analysis.metrics import rounded
from hourglass.kinds import taken
from hourglass.kinds.image import as_unit, white_of
from hourglass.server.studio.charts import DIGITS
from hourglass.server.studio.rows import html, png
from hourglass.server.studio.rows import values as plain

MOST_VALUES = 12  # columns of a table that are shown
MOST_CURVES = 4  # channels of a series
MOST_STEPS = 600  # points of a curve: more than its pixels are not seen
MOST_PIXELS = 1600  # of a picture's longer side
WIDE, HIGH = 320, 90  # of a curve, in its own units
Array = NDArray[Any]


def row(kind: Any, raw: Any, number: int, label: str) -> str:
    """One row of raw data; ``label`` says what it is to those who don't see it."""
    return rows(kind, taken(raw, np.array([number])), [label])[0]


def rows(kind: Any, raw: Any, labels: Sequence[str]) -> list[str]:
    """Rows of raw data, each as HTML."""
    if kind.name == "image":
        return [image(pixels_of(kind, picture), label) for picture, label in zip(raw, labels, strict=True)]
    if kind.name == "series":
        return [curves(values, kind.channels, label) for values, label in zip(kind.to_tensor(raw).numpy(), labels, strict=True)]
    if kind.symbolic:
        return [html(kind.name, [one]) for one in plain(kind.name, raw)]
    names = list(getattr(raw, "columns", kind.names))
    return [values_of(names, cells) for cells in cells_of(raw)]


def pixels_of(kind: Any, picture: Any) -> Array:
    """A picture (height, width[, channels]) from 0 to 1, where white is that of the kind."""
    pixels = np.asarray(picture)
    shown: Array = np.clip(as_unit(pixels, white_of(pixels, kind)), 0, 1)
    return shown


def image(pixels: Array, label: str) -> str:
    """A picture (height, width[, channels]) of bytes, or of floats from 0 to 1."""
    return f'<img class="pixels" alt="{escape(label)}" src="{address(pixels)}">'


def address(pixels: Array) -> str:
    """A picture as the address of itself."""
    return "data:image/png;base64," + png(pixels, MOST_PIXELS)


def curves(
    values: Array, channels: Sequence[str], label: str, expected: Array | None = None, spans: Sequence[tuple[str, int, int]] = ()
) -> str:
    """A row (channels, time), beside what is expected of it, with stretches (channel, start, end) shaded."""
    first = [channel for channel, _, _ in spans]
    order = sorted(range(len(values)), key=lambda i: (channels[i] not in first, i))[:MOST_CURVES]
    drawn = []
    for i in sorted(order):
        beside = None if expected is None else expected[i]
        mine = [(start, end) for channel, start, end in spans if channel == channels[i]]
        name = f"<figcaption>{escape(channels[i])}</figcaption>" if len(values) > 1 else ""
        drawn.append(f"<figure>{_curve(values[i], beside, mine)}{name}</figure>")
    return f'<div class="curves" role="img" aria-label="{escape(label)}">{"".join(drawn)}</div>'


def _curve(values: Array, expected: Array | None, spans: Sequence[tuple[int, int]]) -> str:
    both = values if expected is None else np.concatenate([values, expected])
    known = both[np.isfinite(both)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    step = WIDE / max(len(values) - 1, 1)

    def line(some: Array) -> str:
        every = max(len(some) // MOST_STEPS, 1)
        heights = HIGH - 6 - (HIGH - 12) * (some[::every] - low) / ((high - low) or 1)
        points = [f"{step * every * i:.1f},{y:.1f}" for i, y in enumerate(heights) if np.isfinite(y)]
        return "M" + "L".join(points) if points else ""

    shaded = "".join(f'<rect x="{step * a:.1f}" y="0" width="{max(step * (b - a), 2):.1f}" height="{HIGH}"/>' for a, b in spans)
    beside = "" if expected is None else f'<path class="expected" d="{line(expected)}"/>'
    box = f'viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg {box}>{shaded}{beside}<path d="{line(values)}"/></svg>'


def values_of(names: Sequence[str], cells: Sequence[Any]) -> str:
    """Names and values of a row of a table."""
    more = f"<div><dt>and {len(names) - MOST_VALUES} more</dt><dd></dd></div>" if len(names) > MOST_VALUES else ""
    lines = (
        f"<div><dt>{escape(str(name))}</dt><dd>{escape(words(cell))}</dd></div>" for name, cell in zip(names, cells, strict=True)
    )
    return f'<dl class="values">{"".join(list(lines)[:MOST_VALUES])}{more}</dl>'


def cells_of(raw: Any) -> list[Sequence[Any]]:
    """The rows of a table or an array."""
    if hasattr(raw, "iter_rows"):
        return list(raw.iter_rows())
    if hasattr(raw, "to_numpy"):
        return [list(cells) for cells in raw.to_numpy()]
    return [list(np.ravel(cells)) for cells in np.asarray(raw)]


def words(value: Any) -> str:
    """A value as people write it."""
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return "missing"
    if isinstance(value, (float, np.floating)):
        return rounded(float(value), DIGITS)
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)
