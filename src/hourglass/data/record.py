"""One long record of one or many channels: an array with a sampling rate, made of a table with a column of times, too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hourglass.data.dates import as_times, date_formats
from hourglass.data.numerals import UNNAMED, bare, number_form, plain
from hourglass.data.stamps import HOUR, tidied
from hourglass.data.tables import FILE
from hourglass.errors import DataError, ParameterError, listed, suggest, warn

if TYPE_CHECKING:
    import polars as pl

Values = NDArray[np.floating[Any]]
TIMES = ("time", "timestamp", "datetime", "date", "t", "ds", "stamp", "epoch", "elapsed", "elapsed time")  # columns of times
UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
# "time (s)", "time_ms"; without brackets "t_min" and "t_h" are rather a minimum and some t of h
_UNIT = re.compile(r"(?P<name>.+?)\s*[(\[](?P<unit>[a-z]+)[)\]]|(?P<long>..+?)[_ ](?P<short>s|sec|seconds|ms|us|ns)")
_CLOCK = r"^(?:(\d+):(\d\d):(\d\d(?:\.\d+)?)|(\d+):(\d\d\.\d+))$"  # 08:30:00, 08:30:00.250, 12:05.250
# numbers of such a size: as seconds they are thousands of years from today
SINCE_1970: dict[float, Literal["ns", "us", "ms"]] = {1e17: "ns", 1e14: "us", 1e11: "ms"}
FUTURE = 9e18  # nanoseconds; what is larger is no time
DAY = 86400.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROLES = ("time", "id", "value", "left out")  # that columns of series can be asked to have
SPARSE = 50  # steps of the record for each of its samples, from which on its stamps make no sense
MISREAD = 0.5  # of a column of times that may be other text, for a row of it to be named
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
    start : datetime or float, optional
        When the first sample was taken: a time, or its second.

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
        start: datetime | float | None = None,
        place: NDArray[np.intp] | None = None,
        seams: NDArray[np.intp] | None = None,
        put_back: Sequence[int] = (),
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
        self.seams = np.empty(0, np.intp) if seams is None else seams  # where those begin that it was joined of, but the first
        self.put_back = tuple(put_back)  # steps at which the clock that it was taken by was put back by an hour

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
        start = None if self.rate is None else _at(self, first) or None
        values, put_back = self.values[which], [step - first for step in self.put_back if step > first]
        seams = self.seams[(self.seams > first) & (self.seams < first + len(values))] - first
        return Record(values, self.rate, names=self.names, start=start, put_back=put_back, seams=seams)

    def __repr__(self) -> str:
        time, channels = self.shape
        rate = "" if self.rate is None else f" at {paced(self.rate)}"
        what = f"{len(self.seams) + 1} records" if len(self.seams) else "Record"
        return f"{what} of {time:,} samples x {channels} channel{'s' * (channels > 1)}{rate}"


def joined(records: Sequence[Record], called: Sequence[str] | None = None) -> Record:
    """Records of the same channels and rate as one, with seams that no window reaches across; what they are ``called`` in errors.

    The names of the channels, their order and the rate are those of the first.
    """
    first, values = records[0], []
    for record, name in zip(records, called or [f"Record {number}" for number in range(len(records))], strict=True):
        matched = of_channels(record, first.names)
        if matched is None:
            raise DataError(
                f"{name} has the channels {listed(record.names)}; the first has {listed(first.names)}. "
                "A model takes records of the same channels."
            )
        if (record.rate is None) != (first.rate is None) or abs((record.rate or 1) / (first.rate or 1) - 1) > CLOSE:
            raise DataError(
                f"{name} is at {paced(record.rate)}; the first is at {paced(first.rate)}. "
                "A model takes records of one rate: resample them."
            )
        values.append(matched.values)
    seams = np.cumsum([len(record) for record in records])[:-1]
    return Record(np.concatenate(values), first.rate, names=first.names, seams=seams) if len(records) > 1 else first


def of_channels(record: Record, names: Sequence[str]) -> Record | None:
    """A record with its channels in the order of those names, or as they come where nobody named them; None if some differ."""
    if record.names == tuple(names) or (record.names[0] == "x0" and len(record.names) == len(names)):
        return record
    if set(record.names) != set(names):
        return None
    found = copy(record)
    found.values, found.names = record.values[:, [record.names.index(name) for name in names]], tuple(names)
    return found


def parts_of(record: Record) -> list[Record]:
    """The records that one was joined of."""
    ends = [0, *record.seams, len(record)]
    return [record[a:b] for a, b in pairwise(ends)] if len(record.seams) else [record]


def _at(record: Record, step: float) -> datetime | float:
    """When a step of a record with a rate is, by the clock that it was taken by."""
    assert record.rate is not None
    hours = sum(step >= turned for turned in record.put_back)
    return _later(0.0 if record.start is None else record.start, step / record.rate - HOUR * hours)


def _later(start: datetime | float, seconds: float) -> datetime | float:
    if not isinstance(start, datetime):
        return start + seconds
    if start.tzinfo is None:
        return start + timedelta(seconds=seconds)
    return (start.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(start.tzinfo)  # clocks are put forward and back


def when(record: Record, step: float) -> str:
    """When a step of the record is, in words: its time of day and date, its second, or its number."""
    if record.rate is None:
        return f"{step:,.0f}"
    at = _at(record, step)
    if not isinstance(at, datetime):
        return f"{round(at, 6):,.15g} s"
    parts = {"milliseconds": 1} if record.rate > 1 else {"seconds": 1}
    rounded = at.replace(tzinfo=None) + timedelta(**parts) / 2
    day, clock = rounded.isoformat(" ", *parts).removesuffix(".000").split()
    if rounded.year > datetime.min.year:
        return f"{day} {clock}"
    return clock if rounded.toordinal() == 1 else f"day {rounded.toordinal()}, {clock}"  # no date is known


def in_time(record: Record) -> NDArray[np.intp]:
    """The rows of the table that a record was made of, or its samples, in the order of time."""
    return np.arange(len(record)) if record.place is None else np.argsort(record.place, kind="stable")


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
    time = time or next((name for name in frame.columns if name not in asked and tells_time(frame, name)), None)
    identifier = next((name for name, role in asked.items() if role == "id"), None)
    identifier = identifier or next((name for name in frame.columns if name == FILE and name not in asked), None)
    chosen = [name for name, role in asked.items() if role in ("value", "numeric")]
    others = [name for name in frame.columns if name not in {time, identifier} and asked.get(name) != "left out"]
    return Columns(time, identifier, chosen or others)


def tells_time(frame: pl.DataFrame, name: str) -> bool:
    """Whether a column holds times, by its type, its text or its name."""
    import polars as pl

    column = frame[name].alias(UNNAMED)
    if column.dtype == pl.String:
        some = column.head(10)
        return some.null_count() == 0 and (bool(date_formats(some)) or _of_clock(some).null_count() == 0)
    return (column.dtype.is_temporal() and column.dtype != pl.Duration) or _without_unit(name)[0] in TIMES


def _without_unit(name: str) -> tuple[str, float]:
    """What a column is called without its unit, and how many seconds that has: of "Time (ms)" "time" and 0.001."""
    name = name.strip().lower()
    found = _UNIT.fullmatch(name)
    unit = found and UNITS.get(found["unit"] or found["short"])
    return (found["name"] or found["long"], unit) if found and unit else (name, 1.0)


def paced(rate: float | None) -> str:
    """A sampling rate in words: '250 Hz', or 'a sample every 300 s'."""
    if rate is None:
        return "no rate that is known"
    return f"{rate:.6g} Hz" if rate >= 1 else f"a sample every {1 / rate:.6g} s"


def record_of(frame: pl.DataFrame, asked: Mapping[str, str] | None = None, rate: float | None = None) -> Record:
    """The record that a table holds, a row a time; its samples on a regular grid, with NaN where there is none.

    The step of the grid is about the median of the times between rows.
    """
    columns = roles(frame, asked)
    values = stacked(frame, columns.values)
    if columns.time is None:
        return Record(values, rate, names=columns.values)
    stamps, start = seconds(frame, columns.time)
    found = tidied(stamps, values, frame[columns.time])
    if found.stamps[0]:
        start = _later(start or 0.0, float(found.stamps[0])) or None
    if len(found.stamps) < 2:
        return Record(found.values, rate, names=columns.values, start=start, place=found.of_row)
    stamps = found.stamps - found.stamps[0]
    step = _step(stamps) if rate is None else 1 / rate
    place = _places(stamps, step)
    of_rows = place if found.of_row is None else place[found.of_row]
    if place[-1] > SPARSE * len(place):
        before, row = (int((of_rows == end).argmax()) for end in place[np.diff(place).argmax() + np.arange(2)])
        raise DataError(
            f"Column {columns.time!r} has stamps that are {step:g} s apart in the middle, yet reach over {place[-1]:,} such steps "
            f"in {len(place):,} rows. Cut the table at its long gaps, the longest before row {row} ({frame[columns.time][before]}, "
            f"then {frame[columns.time][row]}), leave out what is no time, or give the rate."
        )
    regular = place[-1] == len(place) - 1 and (np.diff(place) == 1).all()
    return Record(
        found.values if regular else _on_grid(found.values, place, columns.time, step),
        1 / step,
        names=columns.values,
        start=start,
        place=None if regular and found.of_row is None else of_rows,
        put_back=[int(of_rows[row]) for row in found.turned],
    )


def _step(stamps: Values) -> float:
    """The step between stamps: of the candidates the one that puts the most of them next to each other.

    It is the median; or the mean, or that of a whole number of samples a second, where stamps are rounded: in milliseconds 360 Hz
    are steps of 3, 3, 2 ...
    """
    between = np.diff(stamps)
    median = float(np.median(between))
    mean = float(between[np.abs(between - median) <= median / 2].mean())
    whole = 1 / max(round(1 / mean), 1)
    return min((median, whole, mean), key=lambda step: (np.diff(_places(stamps, step)) != 1).sum())


def _places(stamps: Values, step: float) -> NDArray[np.intp]:
    places: NDArray[np.intp] = np.rint(stamps / step).astype(np.intp)
    return places


def _on_grid(values: Values, place: NDArray[np.intp], name: str, step: float) -> Values:
    """Values on their places, which rise; the mean of those that share one."""
    first = np.flatnonzero(np.diff(place, prepend=-1))
    shared = len(place) - len(first)
    if shared:
        warn(
            f"Column {name!r}: {shared:,} of {len(place):,} samples stand closer to the one before than half the usual {step:g} s; "
            "the mean of those that share a step counts."
        )
        known = ~np.isnan(values)
        total, count = np.add.reduceat(np.where(known, values, 0), first), np.add.reduceat(known.astype(np.intp), first)
        values = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(values.dtype)
    grid = np.full((place[-1] + 1, values.shape[1]), np.nan, values.dtype)
    grid[place[first]] = values
    return grid


def seconds(frame: pl.DataFrame, name: str) -> tuple[Values, datetime | float | None]:
    """The stamps of a column in seconds since the first, and when that is."""
    import polars as pl

    column = frame[name].alias(UNNAMED)
    if column.dtype == pl.String:
        column = _times(column, name)
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds() / 1e6
    if column.dtype == pl.Time:
        raise DataError(f"Column {name!r} holds times of a day without a date. Add the date, or say what it is in columns=.")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(f"Column {name!r} has no time in row {row}. Leave that row out.")
    if column.dtype.is_numeric() and column.is_finite().all():
        since = next((SINCE_1970[size] for size in SINCE_1970 if size <= column[0] < FUTURE), None)
        column = column if since is None else column.cast(pl.Int64).cast(pl.Datetime(since))
    if column.dtype.is_temporal():
        column = column if column.dtype == pl.Datetime else column.cast(pl.Datetime("us"))
        whole = column.dt.epoch("us").to_numpy()
        zone = getattr(column.dtype, "time_zone", None)
        start = EPOCH + timedelta(microseconds=int(whole[0]))
        return (whole - whole[0]) / 1e6, start.astimezone(ZoneInfo(zone) if zone else UTC)
    found = column.to_numpy().astype(np.float64) * (1.0 if frame[name].dtype == pl.Duration else _without_unit(name)[1])
    if not np.isfinite(found).all():
        row = int((~np.isfinite(found)).argmax())
        raise DataError(f"Column {name!r} has no time in row {row}, but {found[row]}. Leave that row out.")
    return found - found[0], float(found[0]) or None


def _times(column: pl.Series, name: str) -> pl.Series:
    """The times that a column of text holds. Where day and month could be either, the steps from row to row are small, and one way.

    Clocks alone, without a date, are times of the first year.
    """
    import polars as pl

    read = [as_times(column, form) for form in date_formats(column)]
    if not read:
        clock = _of_clock(column)
        if clock.null_count() == column.null_count():
            days = (clock.diff() < -DAY / 2).fill_null(False).cum_sum()  # past midnight
            since = pl.lit(((clock + DAY * days) * 1e6).round().cast(pl.Int64))
            return pl.select(pl.lit(datetime.min) + pl.duration(microseconds=since)).to_series()
        read = [as_times(column, form) for form in date_formats(column, MISREAD)[:1]]
        times = read[0] if read else clock
        bad = times.is_null() & column.is_not_null()
        if bad.sum() > MISREAD * len(column):
            raise DataError(f"Column {name!r} holds text that is no time, such as {column[0]!r}. Say what it is in columns=.")
        row = int(bad.arg_max() or 0)
        raise DataError(f"Column {name!r} has no time in row {row}, but {column[row]!r}. Leave that row out.")
    instants = [times.drop_nulls().dt.timestamp("us").to_numpy() for times in read]
    turns = [min((np.diff(found) < 0).sum(), (np.diff(found) > 0).sum()) for found in instants]  # newest first is an order too
    return read[min(range(len(read)), key=lambda number: (turns[number], np.ptp(instants[number])))]


def _of_clock(column: pl.Series) -> pl.Series:
    """Clocks, such as 08:30:00, 08:30:00,250 and 12:05.250, in seconds; null where there is none."""
    import polars as pl

    parts = column.str.strip_chars("' ").str.replace(",", ".", literal=True).str.extract_groups(_CLOCK).struct
    long, short = ([parts.field(str(i)).cast(pl.Float64) for i in some] for some in ((1, 2, 3), (4, 5)))
    found = long[0] * 3600 + long[1] * 60 + long[2]
    return found.zip_with(found.is_not_null(), short[0] * 60 + short[1])


def stacked(frame: pl.DataFrame, names: Sequence[str]) -> Values:
    """The values of columns (rows, columns)."""
    if not names:
        raise DataError("The table has no column of values, which series need. Give it one beside its times.")
    return np.column_stack([numbers(frame, name) for name in names])


def numbers(frame: pl.DataFrame, name: str) -> Values:
    """The values of a column; what is missing is NaN."""
    import polars as pl

    column = frame[name].alias(UNNAMED)
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds() / 1e6
    if column.dtype == pl.String:
        found = plain(column, number_form(column)).cast(pl.Float64)
        bad = found.is_null() & bare(column).is_not_null()
        if bad.any():
            row = int(bad.arg_max() or 0)
            where = f"Column {name!r} holds text in row {row} ({column[row]!r})"
            if found.count() <= bad.sum():
                apart = _of_clock(column).null_count() == column.null_count()  # the date stands in another column
                how = "Join it to the column of the dates, as in '2024-01-31 08:30:00'" if apart else "Correct it"
                what = f"{how}, or leave the column out: columns={{{name!r}: 'left out'}}."
                raise DataError(f"{where}, and values of a series are numbers. {what}")
            rest = bad.sum() - 1
            others = f" and {rest:,} other row{'s' * (rest > 1)}" if rest else ""
            warn(f"{where}{others}, and numbers elsewhere. What is no number counts as missing.")
        column = found
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(f"Column {name!r} is of type {column.dtype}, and values of a series are numbers. Leave it out.")
    return column.cast(pl.Float32 if column.dtype == pl.Float32 else pl.Float64).to_numpy()
