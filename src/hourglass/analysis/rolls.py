"""Pictures of melodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hourglass.analysis import drawing
from hourglass.data import Melody
from hourglass.data.melody import as_melodies, named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 12  # semitones that are in view
TALL = 0.85  # inches of a roll
OCTAVE = 12


def piano_rolls(melodies: Melody | Sequence[Melody], names: Sequence[str] = (), *, across: int = 2) -> Figure:
    """Draw melodies as piano rolls: time to the right in bars, pitch upwards, a bar for each note.

    Parameters
    ----------
    melodies : Melody or list of Melody
        Such as ``sample`` gives.
    names : sequence of str, optional
        What stands above each; its title, metre and key unless given.
    across : int, default=2
        Melodies a line.

    Returns
    -------
    matplotlib.figure.Figure
        All with the same scale of pitch: C of each octave is marked.

    Raises
    ------
    ParameterError
        These are no melodies.
    """
    found = as_melodies(melodies)
    across = min(across, len(found))
    pitches = [note.pitch for melody in found for note in melody.notes] or [60]
    low, high = min(pitches) - 1, max(*pitches, min(pitches) + LEAST) + 1
    down = -(-len(found) // across)
    figure = drawing.blank(down * (TALL + 0.3))
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(found) :]:
        axes.set_axis_off()
    titles = [*names, *map(_title, found[len(names) :])]
    for number, (axes, melody, title) in enumerate(zip(grid, found, titles, strict=False)):
        _roll(axes, melody, title, (low, high), labelled=number % across == 0)
    return figure


def _title(melody: Melody) -> str:
    return ", ".join(filter(None, (melody.name, melody.metre, melody.key)))


def _roll(axes: Axes, melody: Melody, title: str, view: tuple[int, int], *, labelled: bool) -> None:
    drawing.styled(axes, "", "")
    bars = max(melody.bars, 1)
    octaves = [pitch for pitch in range(view[0], view[1] + 1) if pitch % OCTAVE == 0]
    for pitch in octaves:
        axes.axhline(pitch, color=drawing.MUTED, lw=0.4, alpha=0.5)
    for line in range(1, bars):
        axes.axvline(line, color=drawing.MUTED, lw=0.4, alpha=0.5)
    spans = [(float(note.start) / melody.bar, float(note.duration) / melody.bar, note.pitch) for note in melody.notes]
    gap = 0.35 / melody.bar  # so that a note that is struck again is seen, where bars are small too
    widths = [width - min(gap, width / 3) for _, width, _ in spans]
    axes.barh([pitch for *_, pitch in spans], widths, 0.9, [at for at, *_ in spans], color=drawing.BLUE)
    axes.set_xlim(0, bars)
    axes.set_ylim(view[0] - 0.5, view[1] + 0.5)
    axes.set_xticks(range(0, bars + 1, max(bars // 8, 1)))
    axes.set_yticks(octaves, [named(pitch) for pitch in octaves] if labelled else [""] * len(octaves))
    axes.set_title(drawing.plain(title, 34), fontsize=8, color=drawing.INK, loc="left", pad=3)
