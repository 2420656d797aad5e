"""Whether new data is still of the sort that was learned from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, kstwobign
from torch import Tensor

from hourglass.parts.alarm import Alarm, shares_up_to

if TYPE_CHECKING:
    import polars as pl

MOVED = 0.05, 0.01  # a column or the scores have moved by so much of the rows, and so surely


class Drift(NamedTuple):
    """Whether new data is still of the sort that a detector was trained on."""

    drifted: bool
    p_value: float  # that the scores are those of usual rows
    moved: float  # largest distance between the scores' distribution and that of usual rows, from 0 to 1
    columns: pl.DataFrame  # column, moved, p_value, missing (share), was (share missing), the most moved first

    @property
    def which(self) -> list[str]:
        """The columns that have surely moved, the most moved first."""
        at_least, below = MOVED
        return [
            name for name, far, p in self.columns.select("column", "moved", "p_value").iter_rows() if far >= at_least and p < below
        ]

    @property
    def words(self) -> str:
        """The same in a sentence or two."""
        if not self.drifted:
            return "These rows are of the sort that the detector was trained on: neither the scores nor any column has moved."
        moved = self.which
        between = "; " if any("," in name for name in moved) else ", "
        which = f" Moved have: {between.join(moved[:5])}{' and others' if len(moved) > 5 else ''}." if moved else ""
        return f"These rows are not of the sort that the detector was trained on, or many of them are strange.{which}"


def compare(alarm: Alarm, names: tuple[str, ...], x: Tensor, p_values: NDArray[np.floating[Any]]) -> Drift:
    """What rows x (n, elements) and their p-values (n,) say of themselves, beside the rows that the alarm has learned from."""
    import polars as pl

    n, least = len(x), alarm.least_rate
    points, shares, first, column_of = (some.cpu() for some in (alarm.points, alarm.shares, alarm.first, alarm.column_of))
    even = (np.sort(p_values) - least) / (1 - least)  # from 0 to 1 alike, if nothing has changed
    moved = float(np.max(np.abs(even - (np.arange(n) + 0.5) / n))) + 0.5 / n
    p_value = _kolmogorov(moved, n, len(alarm.reference) / alarm.of_one)
    apart = (shares_up_to(points, x) - shares).abs().amax(0).nan_to_num(0)  # NaN: nothing but gaps
    missing, was = x[:, first].isnan().float().mean(0), ((-alarm.rarity).exp() * (alarm.gapless == 0)).cpu()
    of_column = torch.zeros(len(names)).scatter_reduce_(0, column_of, apart, "amax").maximum((missing - was).abs())
    surely = false_discovery_control([_kolmogorov(float(some), n, int(alarm.learned)) for some in of_column])
    facts = {"column": list(names), "moved": of_column.numpy(), "p_value": surely, "missing": missing.numpy(), "was": was.numpy()}
    found = Drift(moved >= MOVED[0] and p_value < MOVED[1], p_value, moved, pl.DataFrame(facts).sort("moved", descending=True))
    return found._replace(drifted=found.drifted or bool(found.which))


def _kolmogorov(distance: float, n: int, m: float) -> float:
    """P-value of the largest distance between the cumulative distributions of samples of n and m."""
    return float(kstwobign.sf(distance * math.sqrt(n * m / (n + m))))
