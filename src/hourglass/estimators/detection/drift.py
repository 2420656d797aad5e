"""Whether new data is still of the sort that was learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, ks_2samp, kstwobign
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


def compare(alarm: Alarm, names: tuple[str, ...], x: Tensor, scores: Tensor) -> Drift:
    """What rows x (n, elements) and their scores (n,) say of themselves, beside the rows that the alarm has learned from."""
    import polars as pl

    n = len(x)
    points, shares, first, column_of = (some.cpu() for some in (alarm.points, alarm.shares, alarm.first, alarm.column_of))
    moved = float(ks_2samp(*(alarm.places(some).cpu() for some in (scores, alarm.reference)), method="asymp").statistic)
    p_value = float(_kolmogorov(moved, n, len(alarm.reference) / alarm.of_one))
    apart = (shares_up_to(points, x) - shares).abs().amax(0).nan_to_num(0)  # NaN: nothing but gaps
    of_values = torch.zeros(len(names)).scatter_reduce_(0, column_of, apart, "amax").numpy()
    missing, was = x[:, first].isnan().float().mean(0).numpy(), ((-alarm.rarity).exp() * (alarm.gapless == 0)).cpu().numpy()
    of_gaps = np.abs(missing - was)
    by_values = _kolmogorov(of_values, n * (1 - missing), alarm.looked_at * (1 - was))  # of the cells that are there
    by_gaps = _kolmogorov(of_gaps, n, int(alarm.learned))
    surer = by_gaps < by_values
    surely = false_discovery_control(np.where(surer, by_gaps, by_values))
    of_column = np.where(surer, of_gaps, of_values)
    facts = {"column": list(names), "moved": of_column, "p_value": surely, "missing": missing, "was": was}
    found = Drift(moved >= MOVED[0] and p_value < MOVED[1], p_value, moved, pl.DataFrame(facts).sort("moved", descending=True))
    return found._replace(drifted=found.drifted or bool(found.which))


def _kolmogorov(distance: Any, n: Any, m: Any) -> NDArray[np.float64]:
    """P-values of the largest distances between the cumulative distributions of samples of n and m."""
    found: NDArray[np.float64] = kstwobign.sf(distance * np.sqrt(n * m / np.maximum(n + m, 1)))
    return found
