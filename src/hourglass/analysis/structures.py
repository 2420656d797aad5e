"""Pictures of rows of symbols: molecules as drawings, melodies as piano rolls, all others as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.analysis import drawing
from hourglass.analysis.around import alike, has_symbols
from hourglass.analysis.rolls import piano_rolls
from hourglass.data import Melody
from hourglass.data.molecules import SIZE, drawings, smiles_of
from hourglass.errors import DataError
from hourglass.kinds import as_objects, as_raw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 4  # pictures a line
PICTURED = ("molecule", "melody")
BLANK = np.ones((*SIZE[::-1], 3), np.float32)  # a drawing of nothing
Cell = tuple[Any, str]  # a row, or nothing, and its title


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
        rows = smiles_of(smiles)
        if not any(rows):
            raise ValueError("there is no molecule")
        return _grid(list(zip_longest(rows, names, fillvalue="")), across)
    except ValueError as error:
        raise DataError(f"These molecules can't be drawn: {error}.") from error


def rows_of(kind: Any, X: Any) -> list[Any]:
    """Data as rows that are rebuilt: of tables of molecules their column, of tunes their windows."""
    return list(kind.rows_of(kind.opened(as_raw(X, kind=kind.name))))


def drawn(kind: Any, lines: Sequence[Sequence[Cell]]) -> Figure:
    """Lines of rows of a kind with their titles, one below the other; of a molecule that can't be read the title alone."""
    if kind.name not in PICTURED:
        return drawing.text([(title, _text(row), "") for line in lines for row, title in line])
    across = min(ACROSS, max(map(len, lines)))
    cells = [cell for line in lines for cell in [*line, *[("", "")] * (-len(line) % across)]]
    if kind.name == "molecule":
        return _grid([(row if has_symbols(kind, row) else "", title) for row, title in cells], across)
    return piano_rolls([row or Melody(()) for row, _ in cells], [title for _, title in cells], across=across)


def named(names: Sequence[str], lines: Sequence[Sequence[Any]]) -> list[list[Cell]]:
    """Lines of rows of which the first one has the line's name."""
    return [[(row, "" if i else name) for i, row in enumerate(line)] for name, line in zip(names, lines, strict=True)]


def compared(kind: Any, strips: Sequence[tuple[str, Sequence[Any]]]) -> Figure:
    """Titled piles of rows, of which those at the same place belong together: the first are the originals."""
    titles, piles = zip(*strips, strict=True)
    if kind.name in PICTURED:
        cut = [slice(start, start + ACROSS) for start in range(0, len(piles[0]), ACROSS)]
        return drawn(kind, [line for part in cut for line in named(titles, [list(pile)[part] for pile in piles])])
    texts = []
    for together in zip(*piles, strict=True):
        texts += [(title, *_apart(kind, row, together[0])) for title, row in zip(titles, together, strict=True)]
        texts.append(("", "", ""))
    return drawing.text(texts[:-1])


def beside_nearest(kind: Any, rows: Sequence[Any], known: Sequence[Any]) -> Figure:
    """Rows, and below each the nearest of known ones, with how near it is."""
    places, how, _ = alike(kind, list(rows), list(known))
    if kind.name == "molecule":
        words = [f"known, {share:.0%} alike" for share in how]
    else:
        words = [f"known, {count} edit{'' if count == 1 else 's'}" for count in how]
    below: list[Cell] = [(known[place], said) for place, said in zip(places, words, strict=True)]
    across = ACROSS if kind.name in PICTURED else 1
    above: list[Cell] = [(row, "new") for row in rows]
    cut = [slice(start, start + across) for start in range(0, len(rows), across)]
    return drawn(kind, [line for part in cut for line in (above[part], below[part])])


def _grid(cells: Sequence[Cell], across: int) -> Figure:
    smiles = [row for row, _ in cells if row]
    pictures = iter(drawings(smiles) if smiles else ())
    return drawing.titled_images([(next(pictures) if row else BLANK, title) for row, title in cells], across)


def _text(row: Any) -> str:
    return row if isinstance(row, str) else " ".join(map(str, row))


def _apart(kind: Any, row: Any, original: Any) -> tuple[str, str]:
    """What of a row as text is as in another one, and what is not: each with blanks in place of the other."""
    mine, theirs = (kind.symbols_of(as_objects([one])) if len(one) else [()] for one in (row, original))
    between = "" if isinstance(row, str) and kind.symbol == "character" else " "
    same = [i < len(theirs[0]) and symbol == theirs[0][i] for i, symbol in enumerate(mine[0])]
    kept, other = (
        between.join(symbol if held is wanted else " " * len(symbol) for symbol, held in zip(mine[0], same, strict=True))
        for wanted in (True, False)
    )
    return kept, other
