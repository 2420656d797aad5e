"""Curves and histograms as SVG in the colours of the theme; words stand beside it in HTML, so that they keep their size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from hourglass.analysis.metrics import rounded

MANY = 40  # points from which on the farthest few may lie beyond the edge
DIGITS = 4  # of a number
Points = Sequence[tuple[float, float]]


class Line(NamedTuple):
    """A curve: its name in the legend, its look (a class of the style sheet), its points."""

    name: str
    look: str
    points: Points


def curves(
    lines: Sequence[Line],
    label: str,
    x_label: str,
    *,
    logarithmic: bool = False,
    ticks: Sequence[float] = (),
    mark: float | None = None,
) -> str:
    """Curves over one axis; ``logarithmic`` is the axis across, ``ticks`` its numbers, ``mark`` a place that is pointed out."""
    lines = [line._replace(points=[(x, y) for x, y in line.points if math.isfinite(y)]) for line in lines]
    points = [point for line in lines for point in line.points]
    if not points:
        return (
            f'<figure class="chart blank" role="img" aria-label="{escape(label)}"><figcaption></figcaption><div class="plot"></div>'
            f'<div class="across">{escape(x_label)}</div></figure>'
        )
    across = [math.log(x) if logarithmic else x for x, _ in points]
    left, right = min(across), max(across)
    bottom, top = _range([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        x = math.log(x) if logarithmic else x
        return 100 * (x - left) / (right - left or 1), min(max(100 - 100 * (y - bottom) / (top - bottom or 1), 0), 100)

    drawn, dots = "", ""
    for line in lines:
        places = [place(*point) for point in line.points]
        drawn += f'<polyline class="{line.look}" points="{" ".join(f"{x:.2f},{y:.2f}" for x, y in places)}"/>'
        if len(places) < 12:
            dots += "".join(f'<i class="{line.look}" style="left:{x:.2f}%;top:{y:.2f}%"></i>' for x, y in places)
    levels = nice(bottom, top)
    grid = "".join(f'<path class="grid" d="M0 {place(points[0][0], y)[1]:.2f}H100"/>' for y in levels)
    down = "".join(f'<span class="y" style="top:{place(points[0][0], y)[1]:.2f}%">{rounded(y, DIGITS)}</span>' for y in levels)
    chosen = ticks or [x for x in nice(left, right) if not logarithmic]
    along = "".join(f'<span class="x" style="left:{place(x, top)[0]:.2f}%">{rounded(x, DIGITS)}</span>' for x in chosen)
    at = "" if mark is None else f'<b class="mark" style="left:{place(mark, top)[0]:.2f}%"></b>'
    legend = "".join(f'<span class="{line.look}">{escape(line.name)}</span>' for line in lines)
    return (
        f'<figure class="chart" role="img" aria-label="{escape(label)}"><figcaption>{legend}</figcaption>'
        f'<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none">{grid}{drawn}</svg>{dots}{down}{along}{at}</div>'
        f'<div class="across">{escape(x_label)}</div></figure>'
    )


def bars(counts: Sequence[float], label: str) -> str:
    """A small histogram."""
    tallest, wide = max(counts, default=0) or 1, 100 / max(len(counts), 1)
    highs = [29 * count / tallest for count in counts]
    drawn = "".join(
        f'<rect x="{(i + 0.1) * wide:.2f}" y="{30 - high:.2f}" width="{0.8 * wide:.2f}" height="{high + 1:.2f}"/>'
        for i, high in enumerate(highs)
    )
    return (
        f'<svg class="bars" viewBox="0 0 100 31" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">{drawn}</svg>'
    )


def nice(low: float, high: float) -> list[float]:
    """A few round numbers within a range."""
    if high <= low:
        return [low]
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    return [round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the most, but for values so far out that all else would look flat."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= MANY:
        high = min(high, low + 4 * (ordered[int(0.9 * len(ordered))] - low) or high)
    margin = 0.06 * (high - low) or abs(high) or 1
    return low - margin, high + margin
