"""Time stamps as loggers write them, put in order: rows that come late, rows of one time, clocks that were put back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hourglass.errors import DataError, warn

if TYPE_CHECKING:
    import polars as pl

Values = NDArray[np.floating[Any]]
HOUR = 3600.0
FEWEST = 2  # rows with other values at the same times, for clocks to have been put back


class Tidied(NamedTuple):
    """Stamps that rise, with their values."""

    stamps: Values
    values: Values  # (stamps, channels)
    of_row: NDArray[np.intp] | None = None  # which stamp each row of the table has; None where each has its own, in their order
    turned: Sequence[int] = ()  # rows at which the clock was put back


def tidied(stamps: Values, values: Values, column: pl.Series) -> Tidied:
    """Stamps in seconds and their values (rows, channels) in the order of time, each stamp once; what that took is said.

    Of rows with the same stamp the last counts, channel by channel, as a line that comes again corrects the one before, or brings
    what it left out.
    """
    if (np.diff(stamps) > 0).all():
        return Tidied(stamps, values)
    n, said, turned = len(stamps), [], _turned(stamps, values, column)
    for row in turned:
        said.append(f"the clock was put back an hour at row {row} ({column[row - 1]}, then {column[row]}), where samples go on")
    stamps = stamps + HOUR * np.searchsorted(turned, np.arange(n), "right")
    late = int((stamps < np.maximum.accumulate(stamps)).sum())
    if late:
        said.append(f"{late:,} of {n:,} rows come after later ones, and were put in the order of time")
    order = np.argsort(stamps, kind="stable")
    new = np.diff(stamps[order], prepend=-np.inf) > 0
    of_row = np.empty(n, np.intp)
    of_row[order] = np.cumsum(new) - 1
    single = values[order]
    if not new.all():
        single = _latest(single, of_row[order])
        _require_fine(values, single, of_row, int(order[new.argmin()]), column)
        said.append(f"{n - new.sum():,} of {n:,} rows have the time of another, and the last value of a time counts")
    warn(f"Column {column.name!r}: {'; '.join(said)}.")
    return Tidied(stamps[order][new], single, of_row if late or not new.all() else None, turned)


def _latest(values: Values, of_row: NDArray[np.intp]) -> Values:
    """The last known value of each channel (stamps, channels) of those (rows, channels) that have a stamp."""
    import polars as pl

    table = pl.from_numpy(values).fill_nan(None).with_columns(stamp=of_row)
    found: Values = table.group_by("stamp", maintain_order=True).agg(pl.all().drop_nulls().last()).drop("stamp").to_numpy()
    return found


def _turned(stamps: Values, values: Values, column: pl.Series) -> list[int]:
    """The rows at which the clock was plainly put back: rows are in order but for them, and have other values in the same hour."""
    import polars as pl

    between = np.diff(stamps)
    back = np.flatnonzero(between < 0) + 1
    local = column.dtype == pl.String or (column.dtype == pl.Datetime and getattr(column.dtype, "time_zone", None) is None)
    if not (local and len(back) and (between > 0).any()):
        return []
    step = float(np.median(between[between > 0]))
    if (np.abs(between[back - 1] + HOUR - step) > step / 2).any():
        return []
    for earlier, later in pairwise(np.split(np.arange(len(stamps)), back)):
        again = later[stamps[later] <= stamps[earlier[-1]] + step / 2]
        twin = earlier[np.searchsorted(stamps[earlier], stamps[again] - step / 2).clip(max=len(earlier) - 1)]
        same = np.abs(stamps[twin] - stamps[again]) <= step / 2
        others = (same & _differ(values[twin], values[again])).sum()
        if others < FEWEST or 2 * others <= len(again):
            return []
    return back.tolist()


def _differ(values: Values, others: Values) -> NDArray[np.bool_]:
    """Whether rows (n, channels) have a channel that is known in both, and not the same."""
    found: NDArray[np.bool_] = ((values != others) & ~np.isnan(values) & ~np.isnan(others)).any(1)
    return found


def _require_fine(values: Values, single: Values, of_row: NDArray[np.intp], row: int, column: pl.Series) -> None:
    """Refuse stamps that are too coarse: with one value of each, half of a channel would be lost."""
    known, left = ((~np.isnan(some)).sum(0) for some in (values, single))
    if (2 * (known - left) > known).any() or 2 * _differ(values, single[of_row]).sum() > len(values) - 1:
        raise DataError(
            f"The stamps of column {column.name!r} repeat in row {row} ({column[row]}, then {column[row]}). Too coarse to tell "
            f"samples apart, they can be left out: columns={{{column.name!r}: 'left out'}}; then give rate and window."
        )
