"""The neighbours of a row in the space of codes, and how alike rows are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hourglass.analysis.chemistry import tanimoto
from hourglass.analysis.metrics import Array
from hourglass.analysis.sequences import edits
from hourglass.data.molecules import is_molecule
from hourglass.errors import DataError, ParameterError
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.estimators.parameters import seed_from
from hourglass.estimators.tunes import require_codes
from hourglass.kinds import as_objects
from hourglass.parts.base import is_count, is_positive

if TYPE_CHECKING:
    import polars as pl

DRAWN = 20  # codes for each neighbour that is asked for


def neighbours(
    model: GeneratingAutoencoder, row: Any, *, radius: float = 1.0, n: int = 20, condition: Any = None, random_state: Any = 0
) -> pl.DataFrame:
    """Rows that are near to one in the space of codes.

    Codes are drawn around that of the row, at distances that are spread evenly up to the radius, and decoded; what comes more than
    once counts once, and the row itself does not.

    Parameters
    ----------
    model : estimator
        Fitted on rows of symbols.
    row : as in ``fit``
        A single row.
    radius : float, default=1.0
        How far to go. Under a standard normal prior two unrelated rows are about √(2 · codes) apart.
    n : int, default=20
        How many neighbours at most; 20 codes are drawn for each.
    condition : as in ``fit``, optional
        For models that were fitted with one.
    random_state : int or RandomState, default=0
        The same seed gives the same neighbours.

    Returns
    -------
    polars.DataFrame
        The nearest first: ``neighbour``; ``distance`` of the nearest code that it was decoded from; ``times`` that it came; of
        molecules ``similarity`` to the row (Tanimoto), of other rows the ``edits`` that make it of the row.

    Raises
    ------
    DataError
        The model was fitted on something else, or this is not a single row.
    ParameterError
        A model of another sort, or a radius or a number that is none.

    Examples
    --------
    >>> import hourglass as hg
    >>> lines = ["abba", "abab", "baba", "bab", "aabb", "ab"] * 20
    >>> vae = hg.VariationalAutoencoder(4, max_epochs=2, random_state=0).fit(lines)
    >>> neighbours(vae, "abba", radius=2).columns
    ['neighbour', 'distance', 'times', 'edits']
    """
    import polars as pl

    require_codes(model)
    kind: Any = model.kind_
    if not kind.symbolic:
        raise DataError(f"Neighbours are rows of symbols, which can be equal. The model was fitted on {kind.describe()}.")
    if not is_positive(radius):
        raise ParameterError(f"The 'radius' must be a positive float. Got {radius!r} instead.")
    if not is_count(n):
        raise ParameterError(f"The number of neighbours must be a positive int. Got {n!r} instead.")
    raw = model._rows_from(row)
    centre = np.asarray(model._codes(raw, condition))
    if len(centre) != 1:
        raise DataError(f"Neighbours are those of a single row. Got {len(centre)}.")
    rng, count = np.random.default_rng(seed_from(random_state)), DRAWN * n
    ways = rng.normal(size=(count, centre.shape[1]))
    away = np.linspace(0, float(radius), count + 1)[1:].round(12)  # the nearest first, in numbers that can be read
    z = centre + away[:, None] * ways / np.linalg.norm(ways, axis=1, keepdims=True)
    made = model._decoded(torch.from_numpy(z.astype(centre.dtype)), condition)
    (own,) = kind.from_tensor(kind.to_tensor(raw))
    first: dict[Any, list[Any]] = {}
    for one, distance in zip(made, away, strict=True):
        first.setdefault(key(one), [one, distance, 0])[2] += 1
    found = [line for name, line in first.items() if has_symbols(kind, line[0]) and name != key(own)][:n]
    rows = [line[0] for line in found]
    frame = pl.DataFrame(
        {
            "neighbour": as_column("neighbour", kind, rows),
            "distance": [line[1] for line in found],
            "times": [line[2] for line in found],
        },
        schema_overrides={"distance": pl.Float64, "times": pl.Int64},
    )
    return frame.with_columns(alike(kind, rows, [own])[2])


def alike(kind: Any, rows: list[Any], known: list[Any]) -> tuple[Array, Array, Any]:
    """For each row the place of the most similar known one, how similar it is, and that as a column."""
    import polars as pl

    if not rows:
        return np.zeros(0, int), np.zeros(0), pl.Series("similarity" if kind.name == "molecule" else "edits", [], pl.Float32)
    if kind.name == "molecule":
        some = [row for row, smiles in enumerate(rows) if is_molecule(smiles)]
        table = np.zeros((len(rows), len(known)), np.float32)  # an empty one, or what can't be read, is like none
        table[some] = tanimoto([rows[row] for row in some], known)
        return table.argmax(1), table.max(1), pl.Series("similarity", table.max(1))
    others = kind.symbols_of(as_objects(known))
    table = np.stack([edits(symbols, others) for symbols in kind.symbols_of(as_objects(rows), drawn=True)])
    return table.argmin(1), table.min(1), pl.Series("edits", table.min(1))


def has_symbols(kind: Any, row: Any) -> bool:
    """Whether a row that a model has written is not empty and, of molecules, can be read."""
    return is_molecule(row) if kind.name == "molecule" else len(row) > 0


def as_column(name: str, kind: Any, rows: list[Any]) -> pl.Series:
    """Rows as a column of a frame: melodies as they are, which polars would take apart."""
    import polars as pl

    return pl.Series(name, rows, dtype=pl.Object if kind.name == "melody" else None)


def key(row: Any) -> Any:
    """What tells a row from others."""
    return tuple(row) if isinstance(row, list) else row
