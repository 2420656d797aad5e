"""Pictures of molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hourglass.analysis import drawing
from hourglass.data.molecules import drawings, smiles_of
from hourglass.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 4  # molecules a line


def molecules(smiles: Any, names: Sequence[str] = (), *, across: int = ACROSS) -> Figure:
    """Draw molecules in a grid.

    Parameters
    ----------
    smiles : list of str, or table with a column called smiles
        Molecules, such as ``sample`` gives. ``hg.write("grid.svg", smiles)`` writes the same as vectors.
    names : sequence of str, optional
        What stands above each.
    across : int, default=4
        Molecules a line.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        There is none, or RDKit can't read one.
    MissingExtraError
        RDKit isn't installed.
    """
    try:
        pictures = drawings(smiles_of(smiles))
    except ValueError as error:
        raise DataError(f"These molecules can't be drawn: {error}.") from error
    titles = [*names, *[""] * (len(pictures) - len(names))]
    down, tall = -(-len(pictures) // across), drawing.WIDTH / across * pictures.shape[1] / pictures.shape[2]
    figure = drawing.blank(down * (tall + (0.2 if names else 0.05)))
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, picture, title in zip(grid, pictures, titles, strict=False):
        axes.imshow(picture, interpolation="antialiased")
        axes.set_title(drawing.plain(title, 30), fontsize=7, color=drawing.INK, pad=2)
    return figure
