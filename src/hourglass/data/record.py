"""One long record of one or many channels: an array with a sampling rate, made of a table with a column of times, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hourglass.data.dates import as_times, date_formats
from hourglass.data.tables import FILE
from hourglass.errors import DataError, ParameterError, suggest, warn

if TYPE_CHECKING:
    import polars as pl

Values = NDArray[np.floating[Any]]
TIMES = ("time", "timestamp", "datetime", "date", "t", "ds", "stamp")  # what a column of times is called
ROLES = ("time", "id", "value", "left out")  # that columns of series can be asked to have
SPARSE = 50  # steps of the record for each of its samples, from which on its stamps make no sense
CLOSE = 0.05  # of the sampling rate: two that differ by less are the same


def float_of(dtype: Any) -> np.dtype[Any]:
    """The type of floats that numbers of a type are taken as."""
    dtype = np.dtype(dtype)
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


class Record:
    """A long record: samples of one or many channels, one after the other.

    Parameters
    ----------
    values : array of shape (time,) or (time, channels)
        The samples; what is missing is NaN. Floats keep their type, other numbers become float32 or float64.
    rate : float, optional
        Samples a second. A model that was fitted on a record with a rate refuses one with another.
    names : sequence of str, optional
        What the channels are called: x0, x1 ... unless given.
    start : datetime, optional
        When the first sample was taken.

    Attributes
    ----------
    values : ndarray of shape (time, channels)
        The samples.
    rate, names, start
        As above. A slice, ``record[1000:2000]``, is a record as well, and starts later.

    Raises
    ------
    DataError
        The values are no numbers, or don't fit the names.

    Examples
    --------
    >>> import numpy as np
    >>> import hourglass as hg
    >>> hg.Record(np.zeros((500, 2)), rate=250, names=["lead I", "lead II"])
    Record of 500 samples x 2 channels at 250 Hz
    """

    ndim = 2

    def __init__(
        self,
        values: Any,
        rate: float | None = None,
        *,
        names: Sequence[str] | None = None,
        start: datetime | None = None,
        place: NDArray[np.intp] | None = None,
    ) -> None:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise DataError(f"The values of a record are numbers. Got an array of {array.dtype}.")
        if array.ndim not in (1, 2) or array.size == 0:
            raise DataError(f"A record is an array (time,) or (time, channels) with a sample at least. Got shape {array.shape}.")
        array = array.astype(float_of(array.dtype), copy=False)
        self.values: Values = array[:, None] if array.ndim == 1 else array
        if rate is not None and not 0 < rate < np.inf:
            raise ParameterError(f"The 'rate' of a record must be a positive number of samples a second. Got {rate!r} instead.")
        self.rate = None if rate is None else float(rate)
        self.names = tuple(f"x{i}" for i in range(self.values.shape[1])) if names is None else tuple(map(str, names))
        if len(self.names) != self.values.shape[1]:
            raise DataError(f"The record has {self.values.shape[1]} channels and {len(self.names)} names. Give a name for each.")
        self.start = start
        self.place = place  # of each row of the table that it was made of; None where they are all of the samples

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels."""
        return self.values.shape[0], self.values.shape[1]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which: slice) -> Record:
        if not isinstance(which, slice) or which.step not in (None, 1):
            raise DataError("Of a record a stretch can be taken, as in record[1000:2000].")
        first = range(len(self))[which].start if len(range(len(self))[which]) else 0
        start = None if self.start is None or self.rate is None else _later(self.start, first / self.rate)
        return Record(self.values[which], self.rate, names=self.names, start=start)

    def __repr__(self) -> str:
        time, channels = self.shape
        rate = "" if self.rate is None else f" at {paced(self.rate)}"
        return f"Record of {time:,} samples x {channels} channel{'s' * (channels > 1)}{rate}"


def _later(start: datetime, seconds: float) -> datetime:
    from datetime import timedelta

    if start.tzinfo is None:
        return start + timedelta(seconds=seconds)
    return (start.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(start.tzinfo)  # clocks are put forward and back


def when(record: Record, step: float) -> str:
    """When a step of the record is, in words: its time of day and date, its second, or its number."""
    if record.rate is None:
        return f"{step:,.0f}"
    if record.start is None:
        return f"{step / record.rate:,.6g} s"
    return _later(record.start, step / record.rate).replace(tzinfo=None).isoformat(" ", "seconds")


class Columns(NamedTuple):
    """Which column of a table is what."""

    time: str | None
    id: str | None
    values: list[str]


def roles(frame: pl.DataFrame, asked: Mapping[str, str] | None) -> Columns:
    """Which columns hold times, identifiers and values, unless it is said."""
    asked = dict(asked or {})
    for name, role in asked.items():
        if name not in frame.columns:
            raise ParameterError(f"The 'columns' parameter of the series has no choice {name!r}. {suggest(name, frame.columns)}")
        if role not in (*ROLES, "numeric"):
            raise ParameterError(f"The 'columns' parameter has no role {role!r} for {name!r} of series. {suggest(role, ROLES)}")
    time = next((name for name, role in asked.items() if role == "time"), None)
    time = time or next((name for name in frame.columns if name not in asked and _tells_time(frame, name)), None)
    identifier = next((name for name, role in asked.items() if role == "id"), None)
    identifier = identifier or next((name for name in frame.columns if name == FILE and name not in asked), None)
    chosen = [name for name, role in asked.items() if role in ("value", "numeric")]
    others = [name for name in frame.columns if name not in {time, identifier} and asked.get(name) != "left out"]
    return Columns(time, identifier, chosen or others)


def _tells_time(frame: pl.DataFrame, name: str) -> bool:
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        return column.head(10).null_count() == 0 and bool(date_formats(column.head(10)))
    return (column.dtype.is_temporal() and column.dtype != pl.Duration) or name.lower() in TIMES


def paced(rate: float) -> str:
    """A sampling rate in words: '250 Hz', or 'a sample every 300 s'."""
    return f"{rate:.6g} Hz" if rate >= 1 else f"a sample every {1 / rate:.6g} s"


def record_of(frame: pl.DataFrame, asked: Mapping[str, str] | None = None, rate: float | None = None) -> Record:
    """The record that a table holds, a row a time; its samples on a regular grid, with NaN where there is none.

    The step of the grid is the median of the times between rows.
    """
    columns = roles(frame, asked)
    values = stacked(frame, columns.values)
    if columns.time is None:
        return Record(values, rate, names=columns.values)
    stamps, start = seconds(frame, columns.time)
    if len(stamps) < 2:
        return Record(values, rate, names=columns.values, start=start)
    between = np.diff(stamps)
    _require_rising(between, columns.time, frame)
    step = float(np.median(between)) if rate is None else 1 / rate
    place = np.rint((stamps - stamps[0]) / step).astype(np.intp)
    if place[-1] > SPARSE * len(place):
        raise DataError(
            f"Column {columns.time!r} has stamps that are {step:g} s apart in the middle, yet reach over {place[-1]:,} such steps "
            f"in {len(place):,} rows. Cut the table at its long gaps, or give the rate."
        )
    regular = place[-1] == len(place) - 1 and (np.diff(place) == 1).all()
    if not regular:
        values, place = _on_grid(values, place, columns.time, step)
    return Record(values, 1 / step, names=columns.values, start=start, place=None if regular else place)


def _on_grid(values: Values, place: NDArray[np.intp], name: str, step: float) -> tuple[Values, NDArray[np.intp]]:
    """Values on their places; the mean of those that share one."""
    shared = len(place) - len(np.unique(place))
    if shared:
        warn(
            f"Column {name!r}: {shared:,} of {len(place):,} samples stand closer to the one before than half the usual {step:g} s; "
            "the mean of those that share a step counts."
        )
    total, count = (np.zeros((place[-1] + 1, values.shape[1])) for _ in range(2))
    np.add.at(total, place, np.nan_to_num(values))
    np.add.at(count, place, ~np.isnan(values))
    grid = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(values.dtype)
    return grid, place


def _require_rising(between: Values, name: str, frame: pl.DataFrame) -> None:
    if (between > 0).all():
        return
    row = int(np.flatnonzero(between <= 0)[0]) + 1
    how = "repeat" if between[row - 1] == 0 else "run backwards"
    raise DataError(
        f"The stamps of column {name!r} {how} in row {row} ({frame[name][row - 1]}, then {frame[name][row]}). "
        "Sort the rows, and leave one of each time."
    )


def seconds(frame: pl.DataFrame, name: str) -> tuple[Values, datetime | None]:
    """The stamps of a column in seconds, and the first as a time if they are such."""
    import polars as pl

    column = frame[name]
    if column.dtype == pl.String:
        column = _times(column)
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds() / 1e6
    if column.dtype == pl.Time:
        raise DataError(f"Column {name!r} holds times of a day without a date. Add the date, or say what it is in columns=.")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(f"Column {name!r} has no time in row {row}. Leave that row out.")
    if column.dtype.is_temporal():
        column = column if column.dtype == pl.Datetime else column.cast(pl.Datetime("us"))
        found = column.dt.epoch("us").to_numpy().astype(np.float64) / 1e6
        zone = getattr(column.dtype, "time_zone", None)
        return found, datetime.fromtimestamp(float(found[0]), ZoneInfo(zone) if zone else UTC)
    found = column.to_numpy().astype(np.float64)
    if not np.isfinite(found).all():
        row = int((~np.isfinite(found)).argmax())
        raise DataError(f"Column {name!r} has no time in row {row}, but {found[row]}. Leave that row out.")
    return found, None


def _times(column: pl.Series) -> pl.Series:
    """The times that a column of text holds. Where day and month could be either, the steps from row to row are small and rise."""
    read = [as_times(column, form) for form in date_formats(column)]
    if not read:
        raise DataError(f"Column {column.name!r} holds text that is no time, such as {column[0]!r}. Say what it is in columns=.")
    instants = [times.drop_nulls().dt.timestamp("us").to_numpy() for times in read]
    rising = [number for number, found in enumerate(instants) if (np.diff(found) > 0).all()]
    return read[min(rising or [0], key=lambda number: np.ptp(instants[number]))]


def stacked(frame: pl.DataFrame, names: Sequence[str]) -> Values:
    """The values of columns (rows, columns)."""
    if not names:
        raise DataError("The table has no column of values, which series need. Give it one beside its times.")
    return np.column_stack([numbers(frame, name) for name in names])


def numbers(frame: pl.DataFrame, name: str) -> Values:
    """The values of a column; what is missing is NaN."""
    import polars as pl

    column = frame[name]
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds() / 1e6
    if column.dtype == pl.String:
        found = column.cast(pl.Float64, strict=False)
        bad = found.is_null() & column.is_not_null()
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise DataError(
                f"Column {name!r} holds text in row {row} ({column[row]!r}), and values of a series are numbers. Correct it, or "
                f"leave the column out: columns={{{name!r}: 'left out'}}."
            )
        column = found
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(f"Column {name!r} is of type {column.dtype}, and values of a series are numbers. Leave it out.")
    return column.cast(pl.Float32 if column.dtype == pl.Float32 else pl.Float64).to_numpy()
