"""Time series: a heartbeat a row, or one long record of one or many channels, cut to windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from hourglass.data import Record
from hourglass.data.record import (
    CLOSE,
    Columns,
    float_of,
    joined,
    of_channels,
    paced,
    parts_of,
    record_of,
    roles,
    seconds,
    stacked,
    tells_time,
)
from hourglass.errors import DataError, ParameterError, renamed, warn
from hourglass.kinds.base import Kind, described
from hourglass.kinds.frames import as_arrow, as_frame, column_names, container_of, is_table, labelled
from hourglass.kinds.windows import Ragged, Windows, as_floats, chosen_window, overlap_added, starts_of
from hourglass.parts.base import Part, is_count, is_positive

if TYPE_CHECKING:
    from torch import Tensor

    from hourglass.parts.scaling import Scaling

FEW, MANY = 8, 1000  # samples of rows, and rows, that are rather channels and samples
LONG = 2**15  # samples of rows that are rather records
TIMED = ("DatetimeIndex", "PeriodIndex", "TimedeltaIndex")  # indexes of pandas
OVERLAP = 4  # a window begins so many times within the length of one


@dataclass(frozen=True)
class Series(Part):
    """The kind of time series, with what is to be known of them: an estimator's ``kind``.

    An array (n, time), or a table without times, is rows, unless ``window`` or ``stride`` say that it is one record (time,
    channels), as a `Record` always is.

    Parameters
    ----------
    window : int, optional
        Samples of a window that a record is cut to. Unless given, as many whole periods of the record as reach 128 samples, or 128
        where it has no clear period, but at most a quarter of the record.
    stride : int, optional
        Samples from the start of a window to that of the next; a quarter of a window unless given.
    rate : float, optional
        Samples a second, where the data doesn't say it.
    scale : {"channel", "window"}, optional
        Whether channels are standardised by all of the data, or each window by itself, so that level and gain don't count. Unless
        given, detectors of rows scale each row by itself, everything else is scaled by channel.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Series(window=250)
    Series(window=250, stride=None, rate=None, scale=None)
    """

    kind: ClassVar[str] = "series"
    window: int | None = None
    stride: int | None = None
    rate: float | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        self._require("window", self.window is None or is_count(self.window, 2), "an int of at least 2, or None")
        self._require("stride", self.stride is None or is_count(self.stride), "a positive int or None")
        self._require("rate", self.rate is None or is_positive(self.rate), "a positive float or None")
        self._require("scale", self.scale in (None, "channel", "window"), "'channel', 'window' or None")


@dataclass(frozen=True)
class SeriesKind(Kind):
    """Series; the networks see (channels, time)."""

    name: ClassVar[str] = "series"
    ending: ClassVar[str] = ".npy"
    channel_axis: bool = False  # whether the raw arrays have one
    channels: tuple[str, ...] = ()
    of_record: bool = False  # whether rows are windows of a record
    ragged: bool = False
    container: str = "numpy"  # of the raw data: "numpy", "record", or the library of a table
    time: str | None = None  # columns of a table
    identifier: str | None = None
    values: tuple[str, ...] = ()  # the other columns that were learned from
    rate: float | None = None
    grid: float | None = None  # the rate that samples with times are brought to, where one was asked for
    stride: int = 0
    period: float = 0.0  # of the record, in samples
    length: int = 0  # of the record, in samples
    scale: str = "channel"
    gaps: bool = False

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if isinstance(raw, Record):
            many = f"{len(raw.seams) + 1} records" if len(raw.seams) else "a record"
            return f"{many} of {raw.shape[0]:,} samples{' together' if len(raw.seams) else ''}"
        return "rows of differing length" if isinstance(raw, Ragged) else None

    @classmethod
    def learn(
        cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False, asked: Part | None = None
    ) -> Self:
        wanted = asked if isinstance(asked, Series) else Series()
        container, facts = "numpy", Columns(None, None, [])
        if is_table(raw):
            frame = _polars(raw)
            container, facts = container_of(raw), roles(frame, columns)
            raw = _of_frame(frame, columns, facts, wanted.rate, records=bool(wanted.window or wanted.stride))
        elif isinstance(raw, np.ndarray) and (raw.ndim == 1 or (raw.ndim == 2 and (wanted.window or wanted.stride))):
            raw = Record(raw, wanted.rate)
        if isinstance(raw, Record):
            kind = _learned_record(cls, raw, wanted)
            container = "record" if container == "numpy" else container
        else:
            kind = _learned_rows(cls, raw, wanted)
        names = tuple(facts.values) if facts.id else kind.channels
        scale = wanted.scale or "channel"
        kind = replace(kind, container=container, scale=scale, channels=names)
        return replace(kind, time=facts.time, identifier=facts.id, values=tuple(facts.values))

    # Raw data, made ready

    def opened(self, raw: Any) -> Any:
        """Rows of whatever came: windows of a record, an array, or rows of differing length."""
        if isinstance(raw, (Windows, Ragged)):
            return raw
        origin = None
        if is_table(raw):
            frame = _polars(raw)
            self._require_columns(frame)
            time = self.time
            if self.of_record and not self.values:  # learned from no table, so nobody said which column holds times, if any
                time = roles(frame, dict.fromkeys(self._named, "value")).time
            asked = {name: role for name, role in ((time, "time"), (self.identifier, "id")) if name and name in frame.columns}
            frame = frame[[*asked, *self._named]] if self._named else frame
            rate = self.grid if time else self.rate
            origin, raw = raw, _of_frame(frame, asked, roles(frame, asked), rate, records=self.of_record)
        if not self.of_record:
            if isinstance(raw, Record):
                raise DataError(
                    f"The model was fitted on {self.describe()}. Got one long record: cut it to rows, or fit on a record."
                )
            if self.ragged and isinstance(raw, np.ndarray):
                return Ragged(list(raw))
            return raw
        if isinstance(raw, np.ndarray) and raw.ndim in (1, 2):
            raw = Record(raw, self.rate, names=self.channels if raw[:1].size == len(self.channels) else None)
        if not isinstance(raw, Record):
            raise DataError(f"The model was fitted on {self.describe()}. Got {described(raw)}.")
        return Windows(self.fitting(raw), self.shape[1], self.stride, origin)

    def samples(self, raw: Any) -> NDArray[Any]:
        """Samples (m, channels) of an array, or of a record or a table by the names of their channels, however few."""
        if is_table(raw):
            frame = _polars(raw)
            here = [name for name in frame.columns if name in self.channels] or frame.columns
            raw = Record(stacked(frame, here), names=here)
        return self._matched(raw).values if isinstance(raw, Record) else np.asarray(raw)

    def fitting(self, record: Record) -> Record:
        """A record with its channels in the learned order; refused if one is missing, or the rate or the length doesn't fit."""
        matched = self._matched(record)
        _require_finite(matched)
        _require_some(matched, self.shape[1])
        return matched

    def _matched(self, record: Record) -> Record:
        if record.rate and self.rate and abs(record.rate / self.rate - 1) > CLOSE:
            on_grid = f"with a rate that both are brought to: kind=hg.Series(rate={self.rate:.4g})"  # which takes times
            raise DataError(
                f"The model was fitted on a record at {paced(self.rate)}, and this one is at {paced(record.rate)}. "
                f"Resample it, or fit {'another model' if self.time is None else on_grid}."
            )
        matched = of_channels(record, self.channels)
        if matched is not None:
            return matched
        if record.names[0] == "x0":
            raise DataError(
                f"The record has {_counted(record.shape[1])}, and the model was fitted on {len(self.channels)} "
                f"({', '.join(self.channels)}). Give these alone, in this order."
            )
        missing = [name for name in self.channels if name not in record.names]
        if missing:
            raise DataError(
                f"The record has no channel {missing[0]!r}, which the model was fitted on. "
                f"{renamed(missing[0], self.channels, record.names)}"
            )
        extra = next(name for name in record.names if name not in self.channels)
        raise DataError(f"The record has a channel {extra!r}, which the model was not fitted on. Leave it out.")

    @property
    def _named(self) -> tuple[str, ...]:
        """The columns of a table that values are taken from; of any table all, where an array was learned from."""
        return self.values or (self.channels if self.of_record or self.ragged else ())

    def _require_columns(self, frame: Any) -> None:
        known = [*filter(None, (self.time, None if self.of_record else self.identifier)), *self._named]
        for name in known:
            if name not in frame.columns:
                raise DataError(
                    f"The table has no column {name!r}, which the model was fitted on. {renamed(name, known, frame.columns)}"
                )

    def check(self, raw: Any) -> None:
        ready = self.opened(raw)
        if isinstance(ready, (Windows, Ragged)):
            return
        if not isinstance(ready, np.ndarray) or ready.shape[1:] != self.raw_shape:
            alone = " A single row goes in as row[None]." if getattr(ready, "shape", ()) == self.raw_shape else ""
            raise DataError(f"The model was fitted on series of shape {self.raw_shape}. Got {described(ready)}.{alone}")

    # To numbers and back

    def to_array(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        ready = self.opened(raw)
        if isinstance(ready, Windows):
            return ready.stacked().transpose(0, 2, 1).reshape(len(ready), *self.raw_shape)
        array = ready.padded(self.shape[1], first_row) if isinstance(ready, Ragged) else as_floats(ready)
        array = array.reshape(*array.shape[:2], -1)  # (n, time, channels)
        if array.shape[2] != self.shape[0]:  # rows of differing length, which `check` has not looked into
            raise DataError(f"The model was fitted on {self.describe()}. Got rows of {_counted(array.shape[2])}. Give as many.")
        _require_no_infinity(array, first_row)
        return array.reshape(len(array), *self.raw_shape)

    def from_array(self, numbers: np.ndarray[Any, Any], like: Any = None) -> Any:
        dtype = np.dtype(self.dtype) if like is None else float_of(like.dtype)
        array = numbers.astype(dtype, copy=False)
        if isinstance(like, Ragged):
            return [row[: len(one)] for row, one in zip(array, like.rows, strict=True)]
        if not self.of_record:
            return array
        starts = self._starts(len(array)) if like is None else like.starts
        length = int(starts[-1]) + self.shape[1] if like is None else len(like.record)
        whole = overlap_added(array.reshape(len(array), self.shape[1], -1), starts, length)
        if like is None or like.origin is None:
            return Record(whole, self.rate, names=self.channels, start=None if like is None else like.record.start)
        place = slice(None) if like.record.place is None else like.record.place
        found = _polars(like.origin).with_columns(**{name: whole[place, i] for i, name in enumerate(self.channels)})
        container = container_of(like.origin)
        if container == "pandas":
            return labelled((found[:, 1:] if _has_timed_index(like.origin) else found).to_pandas(), like.origin)
        return as_arrow(found, like.origin) if container == "pyarrow" else found

    def _starts(self, n: int) -> NDArray[np.intp]:
        """Where so many windows begin, if nothing else is known: as in the record that was learned from, if that had as many."""
        learned = starts_of(self.length, self.shape[1], self.stride)
        return learned if len(learned) == n else np.arange(n) * self.stride

    def drawn(self, values: Tensor) -> Any:
        if not self.of_record:
            return super().drawn(values)
        channels, window = self.shape  # windows that were drawn apart stand side by side: none is blended with the next
        record = Record(np.zeros((len(values) * window, channels), np.dtype(self.dtype)), self.rate, names=self.channels)
        return self.from_tensor(values, Windows(record, window, window))

    def guessed(self, n: int) -> str | None:
        if not self.of_record or n == len(starts_of(self.length, self.shape[1], self.stride)):
            return None
        if not n:
            raise DataError("There are no codes, and a record is made of one window at least.")
        length = self._starts(n)[-1] + self.shape[1]
        return (
            f"Codes don't say how long their record was: {n} windows are joined to {length:,} samples, {self.stride} apart, though "
            "the last of a record may lie nearer. Pass the record as like=."
        )

    def inward(self, values: Tensor) -> Tensor:
        return values.permute(0, 2, 1) if self.channel_axis else values.unsqueeze(1)  # (n, channels, time)

    def outward(self, values: Tensor) -> Tensor:
        return values.permute(0, 2, 1) if self.channel_axis else values.squeeze(1)

    def scaling(self, values: Tensor | None = None, *, squashed: bool = False) -> Scaling:
        import torch

        from hourglass.parts.scaling import PerWindow, Standardize, standardize

        if self.scale == "window":
            return PerWindow()
        if values is None:
            return Standardize(torch.zeros(self.shape[0], 1), torch.ones(self.shape[0], 1))
        inner = standardize(values.transpose(1, 2).flatten(0, 1))
        return Standardize(inner.mean[:, None], inner.scale[:, None])

    def describe(self) -> str:
        channels, time = self.shape
        many = f" of {channels} channels" if channels > 1 else ""
        if not self.of_record:
            return f"series{many} of {'at most ' * self.ragged}{time} samples"
        rate = "" if self.rate is None else f" at {paced(self.rate)}"
        period = f" (its period is {self.period:.4g})" if self.period else ""
        return f"a record{many}{rate}, in windows of {time} samples{period} every {self.stride}"

    @property
    def names(self) -> tuple[str, ...]:
        only = self.shape[0] == 1
        return tuple(f"sample {i}" if only else f"{channel}, sample {i}" for channel in self.channels for i in range(self.shape[1]))

    @property
    def raw_shape(self) -> tuple[int, ...]:
        channels, time = self.shape
        return (time, channels) if self.channel_axis else (time,)


Learned = TypeVar("Learned", bound=SeriesKind)


def _learned_record(cls: type[Learned], record: Record, wanted: Series) -> Learned:
    if record.rate and wanted.rate and abs(record.rate / wanted.rate - 1) > CLOSE:
        raise DataError(f"The record is at {record.rate:g} Hz, and kind= says {wanted.rate:g} Hz. Leave one of them out.")
    _require_finite(record)
    _require_known(record.values[None], record.names)
    longest = max(parts_of(record), key=len)
    window, period = chosen_window(longest.values)
    window = int(wanted.window or window)
    _require_some(longest, window)
    channels = record.shape[1]
    return cls(
        (channels, window),
        str(record.values.dtype),
        channel_axis=channels > 1,
        channels=record.names,
        of_record=True,
        rate=record.rate or wanted.rate,
        grid=wanted.rate,
        stride=int(min(wanted.stride or max(window // OVERLAP, 1), window)),
        period=period,
        length=len(record),
        gaps=bool(np.isnan(record.values).any()),
    )


def _learned_rows(cls: type[Learned], raw: Any, wanted: Series) -> Learned:
    ragged = isinstance(raw, Ragged)
    if not ragged and not (isinstance(raw, np.ndarray) and raw.ndim in (2, 3)):
        raise DataError(
            "Series are an array (n, time) or (n, time, channels), a list of arrays, a Record or a table with a column of times. "
            f"Got {described(raw)}."
        )
    if wanted.window or wanted.stride:
        raise ParameterError("The window and the stride of Series are for a long record, and these are rows. Leave them out.")
    axis = (raw.rows[0].ndim == 2) if ragged else raw.ndim == 3
    array = raw.padded(max(map(len, raw.rows))) if ragged else as_floats(raw)
    array = array.reshape(*array.shape[:2], -1)
    _require_no_infinity(array)
    names = tuple(f"x{i}" for i in range(array.shape[2]))
    _require_known(array, names)
    if array.shape[1] > LONG:
        warn(
            f"Rows of up to {array.shape[1]:,} samples are judged or rebuilt each as a whole. If they are long records, fit "
            "a model on one of them, or on each."
        )
    if array.shape[1] <= FEW and len(array) >= MANY:
        warn(
            f"An array of shape {raw.shape} is {len(array):,} rows of {array.shape[1]} samples. A long record of "
            f"{array.shape[1]} channels is hg.Record(X, rate)."
        )
    return cls(
        (array.shape[2], array.shape[1]),
        str(array.dtype),
        channel_axis=axis,
        channels=names,
        ragged=ragged,
        rate=wanted.rate,
        gaps=bool(np.isnan(array).any()),
    )


def _of_frame(frame: Any, asked: Mapping[str, str] | None, facts: Columns, rate: float | None, *, records: bool) -> Any:
    """What a table holds: a row each where it has no times, rows by identifier as those come, or a record.

    With ``records``, that is one record in any case, by identifier several.
    """
    if facts.id is not None and records:
        told = {name: role for name, role in (asked or {}).items() if name != facts.id}
        parts = frame.partition_by(facts.id, as_dict=True, include_key=False)
        return joined([record_of(part, told, rate) for part in parts.values()], [f"{facts.id} {name!r}" for (name,) in parts])
    if facts.id is not None:
        in_time = frame
        if facts.time is not None:
            stamps = seconds(frame, facts.time)[0]
            order = np.argsort(stamps, kind="stable")
            in_time = frame[order]
            _warn_of_differing_rates(in_time[facts.id], stamps[order])
        parts = in_time.partition_by(facts.id, as_dict=True)
        values = [stacked(parts[(name,)], facts.values) for name in frame[facts.id].unique(maintain_order=True)]
        return Ragged([rows[:, 0] if rows.shape[1] == 1 else rows for rows in values])
    if facts.time is None and not records:
        return stacked(frame, facts.values)
    return record_of(frame, asked, rate)


def _warn_of_differing_rates(names: Any, stamps: NDArray[np.floating[Any]]) -> None:
    """Say so where rows by those identifiers, of samples at these stamps, are sampled at differing rates."""
    import polars as pl

    steps = pl.DataFrame([names.alias("name"), pl.Series("stamp", stamps)]).group_by("name", maintain_order=True)
    known = steps.agg(pl.col("stamp").diff().median().alias("step")).filter(pl.col("step") > 0)
    quick, slow = known[known["step"].arg_min() or 0 :][:1], known[known["step"].arg_max() or 0 :][:1]
    if known.height and slow["step"][0] > (1 + CLOSE) * quick["step"][0]:
        told = " and ".join(f"{one['name'][0]!r} at {paced(1 / one['step'][0])}" for one in (quick, slow))
        warn(f"Rows are sampled at differing rates, such as {told}, and compared sample by sample. Resample them to one rate.")


def _require_some(record: Record, window: int) -> None:
    if len(record) < window:
        raise DataError(
            f"The record has {len(record):,} samples, fewer than the {window:,} of a window. Give a longer one, or another window."
        )


def _require_finite(record: Record) -> None:
    if np.isinf(record.values).any():
        row, channel = np.argwhere(np.isinf(record.values))[0]
        raise DataError(f"Channel {record.names[channel]!r} is infinite at sample {row}. Put NaN in its place.")


def _require_known(values: NDArray[np.floating[Any]], names: tuple[str, ...]) -> None:
    for channel, name in enumerate(names):
        if np.isnan(values[..., channel]).all():
            raise DataError(f"Channel {name!r} has no value at all: every sample is missing. Leave it out.")


def _require_no_infinity(array: NDArray[np.floating[Any]], first_row: int = 0) -> None:
    if np.isinf(array).any():
        row, step, channel = np.argwhere(np.isinf(array))[0]
        raise DataError(
            f"The series holds {array[row, step, channel]} in row {first_row + row}, sample {step}. Put NaN in its place."
        )


def _counted(channels: int) -> str:
    return f"{channels} channel{'s' * (channels > 1)}"


def _polars(raw: Any) -> Any:
    """A table as a polars frame; an index of times becomes its first column."""
    if not _has_timed_index(raw):
        return as_frame(raw)
    index = raw.index.to_timestamp() if hasattr(raw.index, "to_timestamp") else raw.index
    named = index.rename("time" if type(index).__name__ == "TimedeltaIndex" else index.name or "index")  # spans may be values, too
    return as_frame(raw.set_axis(named).set_axis(column_names(raw), axis=1).reset_index(allow_duplicates=True))


def _has_timed_index(raw: Any) -> bool:
    """Whether a frame of pandas has an index of times, by its type, or by its text or name as a column of times is found."""
    index: Any = getattr(raw, "index", None)
    if type(index).__name__ in TIMED:
        return True
    return isinstance(getattr(index, "name", None), str) and tells_time(as_frame(index.to_frame(index=False)), index.name)
