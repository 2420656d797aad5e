"""The one look of all pictures: colours, axes, strips of images, heat maps, clouds of points. Knows arrays, no models.

Nothing global is touched: no pyplot, no current figure, no settings. The few colours are those of Okabe and Ito, which people
with any colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.analysis.metrics import Array, rounded
from hourglass.errors import ParameterError
from hourglass.kinds.image import visible
from hourglass.parts.base import is_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, PAPER = "#24292f", "#6e7781", "#ffffff"
BLUE, ORANGE = "#0072b2", "#d55e00"  # the model, and what it is compared with or what stands out
OTHERS = "other columns"
GREY = "#8a8f98"
# The first and the sixth are a shade off BLUE and ORANGE, which pages make lighter on dark screens, where they would meet the
# fifth and the second.
GROUPS = ("#0173b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e01", GREY, "#b8a800", "#8c5a2b", "#5e4fa2")
LOW_TO_HIGH = ("#8fb3cf", "#d9a65b", "#b3361a")  # none so light or so dark that it is lost on white or on black

WIDTH = 4.2  # inches: beside text of 8 points, narrow enough to stay legible when shrunk to the width of a phone
MAX_COLUMNS = 20
MIN_ACROSS = 6  # fewer images leave space at their right rather than become giants
SHOWN = 256  # pixels of a picture's longer side at least, under a score map
FAINT = 0.15  # of a map's peak, below which nothing is seen of it
STRONG = 2.0  # times the peak of a usual picture: a weaker map is shown as weak as it is
BOX, BOX_AFTER = (0.35, 0.95, 1.0), (0.75, 0.85, 0.9)  # colours of the first box, and of others
GALLERY = 4  # pictures a row
LINE, NAMED, LETTERS = 0.14, 0.3, 48  # of text: a line in inches, where it starts behind names, and what fits
FAMILIES = ["monospace", "sans-serif"]  # of text: the second where the first lacks a letter, as of Hebrew
NARROW = 14  # letters of a name of which three stand side by side above a plot
UNPRINTED = "\N{REPLACEMENT CHARACTER}"  # stands for a tab, for one
MAX_PIXELS = 160  # of an image's side: no screen shows more of them beside nine others


# The one look


def blank(height: float) -> Figure:
    """A figure of the one width."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained", facecolor=PAPER)


def require_count(n: Any, name: str = "n") -> None:
    """Refuse to draw so many of something."""
    if not is_count(n):
        raise ParameterError(f"The '{name}' of a picture must be a positive int. Got {n!r} instead.")


def one_plot(height: float, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """A figure of a single plot, and its axes."""
    figure = blank(height)
    return figure, styled(figure.subplots(), x_label, y_label)


def styled(axes: Axes, x_label: str, y_label: str) -> Axes:
    """The same axes, in the one look."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(labelsize=8, labelcolor=INK, color=MUTED, length=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(fontsize=8, color=INK)  # a power of ten that all numbers have in common
    axes.set_xlabel(x_label, fontsize=8, color=INK)
    axes.set_ylabel(y_label, fontsize=8, color=INK)
    return axes


def legend(axes: Axes, **how: Any) -> None:
    """Above the plot, where no curve can run through it."""
    look: dict[str, Any] = {"ncols": 3, "columnspacing": 1.4, "handlelength": 2.2, "fontsize": 8, **how}
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, frameon=False, labelcolor=INK, **look)


def mark(axes: Axes, x: float, y: float, text: str) -> None:
    """A ring around a point, explained in the legend."""
    axes.plot([x], [y], "o", ms=10, mfc="none", mec=INK, mew=1.2, zorder=3, label=text)


def dots(points: Sized) -> dict[str, Any]:
    """A curve of few points shows them: one of a single point would else be invisible."""
    return {"marker": "o", "ms": 3} if len(points) < 15 else {}


def plain(text: object, most: int = 24) -> str:
    """Text of a user's, short, and with no dollar that starts a formula.

    What is too long loses its middle, as names of many columns often differ at their ends alone.
    """
    shown = " ".join(str(text).split())
    if len(shown) > most:
        shown = f"{shown[: most // 2]}…{shown[most // 2 + 1 - most :]}"
    return shown.replace("$", r"\$")


# Images and heat maps


def side_by_side(images: Array, across: int = MIN_ACROSS) -> Array:
    """Images (n, height, width[, channels]) side by side, as one of RGBA (height, wide, 4) with clear gaps.

    There is room for ``across`` of them at least.
    """
    pixels = _thumbnails(np.clip(visible(images if images.ndim == 4 else images[..., None]), 0, 1))
    if pixels.shape[3] == 1:
        pixels = pixels.repeat(3, axis=3)
    if pixels.shape[3] == 3:
        pixels = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=3)
    gap = max(1, pixels.shape[2] // 14)
    pixels = np.pad(pixels, ((0, max(0, across - len(pixels))), (0, 0), (0, gap), (0, 0)))
    return np.concatenate(list(pixels), axis=1)


def _thumbnails(pixels: Array) -> Array:
    """Large images (n, height, width, channels) shrunk, by the mean of square blocks."""
    n, height, width, channels = pixels.shape
    side = min(max(height, width) // MAX_PIXELS, height, width)
    if side < 2:
        return pixels
    down, across = height // side, width // side
    blocks = pixels[:, : down * side, : across * side].reshape(n, down, side, across, side, channels)
    shrunk: Array = blocks.mean((2, 4))
    return shrunk


def show(axes: Axes, mosaic: Array, title: str) -> None:
    """A strip of images, with nothing around it but a title."""
    axes.imshow(mosaic, interpolation="none", extent=(0, mosaic.shape[1], mosaic.shape[0], 0))  # a pixel is 1 x 1, from 0
    axes.set_title(title, fontsize=8, color=INK, loc="left", pad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def strips_of_images(strips: list[tuple[str, Array]], across: int = MIN_ACROSS) -> Figure:
    """Titled images (n, height, width[, channels]), a strip below the other, with room for ``across`` in each."""
    mosaics = [side_by_side(images, across) for _, images in strips]
    tall = WIDTH * mosaics[0].shape[0] / mosaics[0].shape[1]
    figure = blank(len(strips) * (tall + 0.27))
    for axes, (title, _), mosaic in zip(figure.subplots(len(strips), 1), strips, mosaics, strict=True):
        show(axes, mosaic, title)
    return figure


def grid_of_images(lines: list[Array], names: Sequence[str] = ()) -> Figure:
    """Images (n, height, width[, channels]), a line of them below the other, with a name at the left of each if there are some."""
    mosaics = [side_by_side(images, len(lines[0])) for images in lines]
    gap = max(1, mosaics[0].shape[0] // 14)
    mosaic = np.concatenate([np.pad(line, ((0, gap), (0, 0), (0, 0))) for line in mosaics])
    figure = blank(WIDTH * mosaic.shape[0] / mosaic.shape[1] * (0.86 if names else 1.0))
    axes = figure.subplots()
    show(axes, mosaic, "")
    if names:
        tall = mosaic.shape[0] / len(lines)
        axes.set_yticks([(i + 0.5) * tall for i in range(len(lines))], [plain(name) for name in names])
        axes.tick_params(axis="y", length=0, labelsize=8, colors=INK, pad=2)
    return figure


def titled_images(cells: Sequence[tuple[Array | None, str]], across: int) -> Figure:
    """Images (height, width, channels) of one size, or nothing, each under its title, in a grid."""
    size = next(image.shape for image, _ in cells if image is not None)
    down, room = -(-len(cells) // across), 0.2 if any(title for _, title in cells) else 0.05
    figure = blank(down * (WIDTH / across * size[0] / size[1] + room))
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, (image, title) in zip(grid, cells, strict=False):
        if image is not None:
            axes.imshow(image, interpolation="antialiased")
        axes.set_title(plain(title, 30), fontsize=7, color=MUTED, pad=2, loc="left")
    return figure


def text(lines: Sequence[tuple[str, str, str]]) -> Figure:
    """Lines of a name, text, and text over it that stands out; a line of nothing is a gap."""
    heights = [1.0 if any(line) else 0.5 for line in lines]
    figure = blank(LINE * (sum(heights) + 1))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(sum(heights), 0))
    for below, height, (name, plainly, marked) in zip(np.cumsum(heights) - heights, heights, lines, strict=True):
        axes.text(0, below + height / 2, plain(name), fontsize=7, color=MUTED, va="center")
        for said, colour in ((plainly, INK), (marked, ORANGE)):
            shown = said if len(said) <= LETTERS else f"{said[: LETTERS - 1]}…"
            shown = "".join(letter if letter.isprintable() else UNPRINTED for letter in shown)
            axes.text(NAMED, below + height / 2, shown, fontsize=7, color=colour, va="center", family=FAMILIES, parse_math=False)
    return figure


def heat_maps(strips: list[tuple[str, Array]], names: Sequence[str], column_of: Sequence[int]) -> Figure:
    """Titled tables of standardised elements (n, elements), from violet (below the mean) to orange (above), three side by side.

    Of too many elements, each of which belongs to a column, the first of all columns come first, then the second of them.
    """
    owner = np.asarray(column_of)
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    chosen = np.sort(np.argsort(rank, kind="stable")[:MAX_COLUMNS])
    shown = len(chosen)
    across = min(3, len(strips))
    down = -(-len(strips) // across)
    figure = blank(down * (0.17 * shown + 0.45) + 0.6)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(strips) :]:
        axes.remove()
    for i, (axes, (title, values)) in enumerate(zip(grid, strips, strict=False)):
        picture = axes.imshow(values.reshape(len(values), -1)[:, chosen].T, cmap="PuOr_r", vmin=-3, vmax=3, aspect="auto")
        axes.set_title(title.replace(", ", "\n"), fontsize=8, color=INK, loc="left")
        axes.set_xticks([])
        axes.set_yticks(range(shown), [plain(names[place]) for place in chosen] if i % across == 0 else [""] * shown)
        axes.tick_params(length=0, labelsize=8, labelcolor=INK)
        axes.spines[:].set_visible(False)
    if shown < len(names):
        first = "the first " if chosen[-1] < shown else ""
        grid[0].set_ylabel(f"{first}{shown} of {len(names):,} columns", fontsize=8, color=MUTED)
    bar = figure.colorbar(picture, ax=list(grid[: len(strips)]), location="bottom", shrink=0.5, aspect=30, pad=0.02)
    _style_bar(bar, "standard deviations from the column's mean", loc="right")  # in the middle, it would be cut behind long names
    return figure


def _style_bar(bar: Any, label: str, loc: str | None = None) -> None:
    bar.set_label(label, loc=loc, fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=8, labelcolor=INK, color=MUTED, length=2)
    bar.outline.set_visible(False)


# Score maps over pictures


def overlay(pictures: Array, heat: Array, boxes: Sequence[Sequence[tuple[int, int, int, int]]]) -> Array:
    """Pictures (n, height, width[, channels]) from 0 to 1, enlarged, under their score maps (n, height, width) and boxes.

    The stronger the map, relative to its peak, the brighter its colour and the less of the picture shines through. Maps have 1 at
    the peak of a usual picture, and those of usual pictures stay faint. Boxes are
    (top, left, bottom, right), the strongest first, of which the first has a full line. Returns (n, tall, wide, 3) bytes.
    """
    from matplotlib import colormaps
    from scipy.ndimage import zoom

    pixels = visible(pictures if pictures.ndim == 4 else pictures[..., None])
    pixels = pixels.repeat(3, axis=3) if pixels.shape[3] == 1 else pixels[..., :3]
    factor = -(-SHOWN // max(pixels.shape[1:3]))  # rounded up
    drawn = pixels.repeat(factor, axis=1).repeat(factor, axis=2).astype(np.float64)
    strength = np.clip(heat / np.maximum(heat.max((1, 2), keepdims=True), STRONG), 0, 1)
    strength = np.clip(zoom(strength, (1, factor, factor), order=1, grid_mode=True, mode="nearest"), 0, 1)
    colour = colormaps["inferno"](0.4 + 0.55 * strength)[..., :3]  # neither its black, which hides, nor its palest yellow
    alpha = (0.85 * np.clip((strength - FAINT) / (1 - FAINT), 0, 1) ** 0.75)[..., None]
    drawn = (1 - alpha) * drawn + alpha * colour
    for picture, mine in zip(drawn, boxes, strict=True):
        for number, box in reversed(list(enumerate(mine))):
            _frame(picture, [factor * edge for edge in box], BOX if number == 0 else BOX_AFTER)
    return np.asarray(np.rint(255 * np.clip(drawn, 0, 1)), np.uint8)


def _frame(picture: Array, box: list[int], colour: tuple[float, float, float]) -> None:
    """Draw a box around, not over, a region: a bright line between two dark ones, which shows on any ground."""
    top, left, bottom, right = box
    for away, shade in ((4, (0.0, 0.0, 0.0)), (1, (0.0, 0.0, 0.0)), (3, colour), (2, colour)):
        up, down = max(top - away, 0), min(bottom + away, len(picture)) - 1
        near, far = max(left - away, 0), min(right + away, picture.shape[1]) - 1
        picture[up, near : far + 1] = picture[down, near : far + 1] = shade
        picture[up : down + 1, near] = picture[up : down + 1, far] = shade


def gallery(pairs: list[tuple[str, Array, Array]]) -> Figure:
    """Titled pairs of a picture (height, width[, channels]) from 0 to 1 and what was drawn over it: four pairs a row."""
    down = -(-len(pairs) // GALLERY)
    tall = WIDTH / GALLERY * pairs[0][1].shape[0] / pairs[0][1].shape[1]
    figure = blank(down * (2 * tall + 0.3))
    grid = figure.subplots(2 * down, GALLERY, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for number, (title, picture, drawn) in enumerate(pairs):
        row, column = divmod(number, GALLERY)
        for axes, pixels in ((grid[2 * row, column], picture), (grid[2 * row + 1, column], drawn)):
            shown = visible(pixels.reshape(*pixels.shape[:2], -1)).squeeze()
            axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="none")
        grid[2 * row, column].set_title(title, fontsize=8, color=INK, loc="left", pad=3)
    return figure


# The map of codes


def _scatter(axes: Axes, points: Array, of: int, **how: Any) -> Any:
    """Some of all points: the more there are of all, the smaller."""
    x, y = points.T
    return axes.scatter(x, y, s=float(np.clip(10_000 / of, 4, 20)), alpha=0.8, linewidths=0, rasterized=of > 2000, **how)


def colour_by_error(figure: Figure, axes: Axes, points: Array, error: Array, name: str) -> None:
    """Points (n, 2), the warmer the larger their errors (n,), which are called by a name."""
    from matplotlib.colors import LinearSegmentedColormap

    scale = LinearSegmentedColormap.from_list("errors", LOW_TO_HIGH)
    order = np.argsort(error)  # the largest on top; beyond 99% of the rows the colour no longer changes
    drawn = _scatter(axes, points[order], len(points), c=error[order], cmap=scale, vmin=error.min(), vmax=np.quantile(error, 0.99))
    _style_bar(figure.colorbar(drawn, ax=axes, aspect=35, pad=0.02), name)


def colour_by_label(figure: Figure, axes: Axes, points: Array, labels: Array) -> None:
    """Points (n, 2), a colour and a name for each of the ten most common labels (n,); a scale of colours for many numbers."""
    names, group, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) > len(GROUPS) and labels.dtype.kind in "iuf":
        _style_bar(
            figure.colorbar(_scatter(axes, points, len(points), c=labels, cmap="cividis"), ax=axes, aspect=35, pad=0.02), "label"
        )
        return
    common = np.sort(np.argsort(-counts, kind="stable")[: len(GROUPS)])
    rest = ~np.isin(group, common)
    if rest.any():
        _scatter(axes, points[rest], len(points), color=MUTED)
    for colour, index in zip(GROUPS, common, strict=False):
        _scatter(axes, points[group == index], len(points), color=colour)
    _name_groups(axes, points, [(plain(names[index], 12), points[group == index]) for index in common])


def _name_groups(axes: Axes, points: Array, groups: list[tuple[str, Array]]) -> None:
    """Each group's name in the middle of its points: ten colours are hard to tell apart in a legend."""
    from matplotlib.patheffects import withStroke

    low, size = points.min(0), np.ptp(points, axis=0)
    size = np.where(size > 0, size, 1)
    places = np.array([(np.median(members, axis=0) - low) / size for _, members in groups])
    room = 0.025 * max(len(name) for name, _ in groups) + 0.01, 0.055  # of a name, in shares of the axes
    halo = [withStroke(linewidth=2.5, foreground=PAPER)]
    for (x, y), (name, _) in zip(low + size * _apart(places, *room), groups, strict=True):
        axes.text(x, y, name, fontsize=9, weight="bold", color=INK, ha="center", va="center", path_effects=halo)


def _apart(places: Array, wide: float, high: float) -> Array:
    """Places (n, 2) moved up and down until no two of them are nearer than both ``wide`` and ``high``."""
    places = places.copy()
    for _ in range(100):  # a few rounds do for ten names
        for i, j in combinations(np.argsort(places[:, 1]), 2):  # i is below j
            across, up = np.abs(places[j] - places[i])
            if across < wide and up < high:
                places[[i, j], 1] += np.array([-1, 1]) * (high - up) / 2
    return places


# Errors


def histogram(axes: Axes, of_rows: Array, measure: str, what: str) -> None:
    """How the errors (n,) of rows are spread; what they measure, and what the rows are called."""
    styled(axes, measure, what).locator_params(axis="x", nbins=5)  # as 0.0025 needs its room
    axes.hist(of_rows, bins=min(40, max(8, len(of_rows) // 10)), color=BLUE)
    limit = float(np.quantile(of_rows, 0.99))
    axes.axvline(limit, color=ORANGE, lw=1.4, ls=(0, (4, 2)), label=f"1 in 100 is beyond {rounded(limit)}")
    legend(axes)


def bars(axes: Axes, names: list[str], values: Array, colours: str | list[str] = BLUE) -> None:
    """A bar for each name, the first on top."""
    axes.barh(range(len(names)), values, color=colours, height=0.7)
    _names_at_the_left(axes, names)


def stacked(axes: Axes, names: list[str], parts: dict[str, Array]) -> None:
    """A bar for each name, the first on top, made of parts, which the legend names."""
    left = np.zeros(len(names))
    colours = [MUTED if part == OTHERS else colour for part, colour in zip(parts, (c for c in GROUPS if c != GREY), strict=False)]
    for (part, values), colour in zip(parts.items(), colours, strict=False):
        axes.barh(range(len(names)), values, left=left, color=colour, height=0.7, label=plain(part))
        left += values
    axes.set_xlim(0, 1)
    _names_at_the_left(axes, names)
    across = 3 if max(map(len, parts), default=0) <= NARROW else 2
    legend(axes, ncols=across, columnspacing=1.2, handlelength=1, fontsize=7)


def _names_at_the_left(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
