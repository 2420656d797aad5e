"""What raised an alarm: columns by their share, in numbers and in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hourglass.estimators.detection.watch import ColumnWatch
from hourglass.parts.alarm import Alarm

if TYPE_CHECKING:
    import polars as pl

HUGE = 1e300  # at most a column is to blame so much: shares of infinity would be none
TINY = 1e-6  # of a column's range: what rounding leaves of a zero
NEGLIGIBLE = 0.01  # of what is most to blame for an alarm: with less, a column or region is no reason to be named
Floats = NDArray[np.floating[Any]]


def blamed_cells(watch: ColumnWatch, x: Tensor) -> Tensor:
    """Of each column of scaled rows x (n, elements): how much it is to blame, and the cell expected (n, 2, columns)."""
    expected = watch.expected(x)
    cells = watch.scaling.inverse(watch.alarm.plausible(expected))
    return torch.stack([watch.blame(x, expected), cells], 1).double()


def columns(detector: Any, strange: Any, rows: NDArray[np.intp], p_values: Floats, most: int | None) -> pl.DataFrame:
    """A line for each of at most ``most`` columns of each strange row, the most to blame first."""
    import polars as pl

    kind, watch, alarm = detector.kind_, detector.model_, detector.model_.alarm
    names = np.array(kind.names, dtype=object)
    found = detector._collect(strange, blamed_cells).numpy() if len(rows) else np.empty((0, 2, len(names)))
    cells = kind.to_tensor(strange).double().numpy() if len(rows) else found[:, 1]  # (n, columns) in units
    inner = torch.stack([alarm.points[1], alarm.points[-2]])  # 15 of 16 training rows lie between them
    ends = watch.scaling.inverse(inner.double()).cpu().numpy()
    low, high = np.where(np.abs(ends) < TINY * (ends[1] - ends[0]), 0, ends)
    blame = np.nan_to_num(found[:, 0], nan=HUGE).clip(max=HUGE)
    order = np.argsort(-blame, axis=1, kind="stable")[:, :most]
    place, column = np.repeat(np.arange(len(order)), order.shape[1]), order.ravel()
    numeric = np.array([not cell.levels and not cell.cycles for cell in kind.cells])[column]
    observed, expected = cells[place, column], found[place, 1, column]
    values = {"observed": observed, "expected": expected, "low": low[column], "high": high[column]}
    share = blame / blame.sum(1, keepdims=True)
    reasons = [
        kind.reason(c, seen, wanted, (low[c], high[c]), _often(alarm, kind, int(c), seen))
        for c, seen, wanted in zip(column, observed, expected, strict=True)
    ]
    return pl.DataFrame(
        {
            "row": pl.Series(rows[place], dtype=pl.Int64),
            "p_value": pl.Series(p_values[place], dtype=pl.Float64),
            "column": pl.Series(names[column].tolist(), dtype=pl.String),
            "share": pl.Series(share[place, column], dtype=pl.Float64),
            **{name: pl.Series(np.where(numeric, some, np.nan), dtype=pl.Float64).fill_nan(None) for name, some in values.items()},
            "reason": pl.Series(reasons, dtype=pl.String),
        }
    )


def worth_naming(explained: pl.DataFrame) -> pl.DataFrame:
    """The lines of `explain` that count as reasons; each row has at least one."""
    import polars as pl

    return explained.filter(pl.col("share") >= NEGLIGIBLE * pl.col("share").first().over("row"))


def _often(alarm: Alarm, kind: Any, column: int, observed: float) -> float:
    """In which share of the training rows the column had that level, or no value."""
    if math.isnan(observed):
        return math.exp(-float(alarm.rarity[column])) * (float(alarm.gapless[column]) == 0)
    element = int(alarm.first[column]) + int(observed) * (kind.cells[column].levels > 0)
    return 1 - float(alarm.shares[0, element]) if alarm.points[0, element] < 0.5 else 1.0
