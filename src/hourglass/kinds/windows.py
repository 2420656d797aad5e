"""How series are held: rows of differing length; a long record as its windows, and windows as a record again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hourglass.data import Record
from hourglass.data.record import float_of
from hourglass.errors import DataError, listed
from hourglass.kinds.base import Apart

Values = NDArray[np.floating[Any]]
LOOKED_AT = 2**17  # samples of a record that its period is looked for in
SHORTEST = 8  # samples that a period has at least
CLEAR = 0.2  # autocorrelation at a period that is one
NEARLY = 0.9  # of the highest peak: the first peak that reaches it is the period, later ones are its multiples
WINDOW = 128  # samples of a window, at least, unless it is given
OF_RECORD = 4  # a window has at most so great a part of the record


class Windows(Apart):
    """The windows of a record, each an array (window, channels), cut when they are asked for.

    They begin every ``stride`` samples; where the record goes on after the last whole one, one more ends where the record does.
    None reaches across a seam of records that were joined.

    Parameters
    ----------
    record : Record
        At least as long as a window.
    window, stride : int
        Samples.
    origin : table, optional
        What the record was made of.
    starts : array of int, optional
        Which of the windows.
    """

    def __init__(
        self, record: Record, window: int, stride: int, origin: Any = None, starts: NDArray[np.intp] | None = None
    ) -> None:
        self.record, self.window, self.stride, self.origin = record, window, stride, origin
        self.starts = self.whole(starts_of(len(record), window, stride)) if starts is None else starts

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the record."""
        return self.record.values.dtype

    def scattered(self) -> Windows:
        """Windows at random places, as many as lie beside one another: at a fixed distance all could have one phase."""
        room = len(self.record) - self.window + 1
        starts = np.random.default_rng(0).integers(room, size=max(len(self.record) // self.window, 1))
        return self.at(self.whole(np.sort(starts)))

    def whole(self, starts: NDArray[np.intp]) -> NDArray[np.intp]:
        """Those places (m,) at which a window may begin that it reaches across no seam from."""
        seams = self.record.seams
        before, after = (np.searchsorted(seams, ends, "right") for ends in (starts, starts + self.window - 1))
        found: NDArray[np.intp] = starts[before == after]
        return found

    def at(self, starts: NDArray[np.intp]) -> Windows:
        """Those that begin there."""
        return Windows(self.record, self.window, self.stride, self.origin, starts)

    def covered(self) -> Values:
        """The values of the record (time, channels), NaN where there is no window."""
        edges = np.zeros(len(self.record) + 1, np.intp)
        np.add.at(edges, self.starts, 1)
        np.add.at(edges, self.starts + self.window, -1)
        inside = np.cumsum(edges[:-1]) > 0
        return self.record.values if inside.all() else np.where(inside[:, None], self.record.values, np.nan)

    def between(self) -> NDArray[np.intp]:
        """Places (m,) at which a window may begin: those of these windows, and all between two of them that follow one another."""
        every = starts_of(len(self.record), self.window, self.stride)
        there = np.isin(every, self.starts)
        offsets = np.arange(len(self.record) - self.window + 1)
        before, after = np.searchsorted(every, offsets, "right") - 1, np.searchsorted(every, offsets)
        return self.whole(offsets[there[before] & there[after]])

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, (slice, np.ndarray)):
            return self.at(self.starts[which])
        start = self.starts[which]
        return self.record.values[start : start + self.window]

    def stacked(self) -> Values:
        """All of them (n, channels, window)."""
        if not len(self.starts):
            return np.empty((0, self.record.shape[1], self.window), self.dtype)
        return np.lib.stride_tricks.sliding_window_view(self.record.values, self.window, axis=0)[self.starts]


class Ragged(Apart):
    """Rows of differing length, each an array (time,) or (time, channels)."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = [np.asarray(row) for row in rows]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of all of them."""
        return np.result_type(*(row.dtype for row in self.rows)) if self.rows else np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return Ragged(self.rows[which])
        return Ragged([self.rows[int(i)] for i in which]) if isinstance(which, np.ndarray) else self.rows[which]

    def padded(self, length: int, first_row: int = 0) -> NDArray[np.floating[Any]]:
        """All of them (n, length, channels), with NaN behind the short ones; ``first_row`` as in `Kind.to_array`."""
        channels = {row.shape[1] if row.ndim == 2 else 1 for row in self.rows}
        if len(channels) > 1 or any(row.ndim not in (1, 2) for row in self.rows):
            shapes = listed(sorted({str(row.shape) for row in self.rows}))
            raise DataError(
                f"Rows of a series are arrays (time,) or (time, channels), of as many channels each. Got shapes [{shapes}]."
            )
        if empty := [row for row, one in enumerate(self.rows) if not one.size]:
            raise DataError(f"Row {first_row + empty[0]} of the series has no sample. Leave it out.")
        longest = max(map(len, self.rows))
        if longest > length:
            row = next(i for i, some in enumerate(self.rows) if len(some) > length)
            raise DataError(
                f"The model was fitted on rows of at most {length} samples. Row {first_row + row} has {len(self.rows[row])}."
            )
        found = np.full((len(self.rows), length, *channels), np.nan, float_of(self.dtype))
        for number, one in enumerate(self.rows):
            found[number, : len(one)] = one.reshape(len(one), -1)
        return found


def as_floats(raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """An array of series in float32 or float64."""
    if raw.dtype.kind not in "fiub":
        try:
            raw = raw.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise DataError(f"Values of a series are numbers. Got an array of {raw.dtype} that holds other things.") from error
    return raw.astype(float_of(raw.dtype), copy=False)


def starts_of(length: int, window: int, stride: int) -> NDArray[np.intp]:
    """Where the windows of a record of so many samples begin."""
    starts = np.arange(0, length - window + 1, stride)
    return starts if starts[-1] == length - window else np.append(starts, length - window)


def overlap_added(windows: Values, starts: NDArray[np.intp], length: int) -> Values:
    """A record (length, channels) of windows (n, window, channels): where they overlap, the nearer to its middle counts the more.

    The weights are those of Hann's window, so that no seam is seen where one ends.
    """
    window, channels = windows.shape[1:]
    bell = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    total, weight = np.zeros((length, channels)), np.zeros((length, 1))
    for start, one in zip(starts, windows, strict=True):
        total[start : start + window] += bell[:, None] * one
        weight[start : start + window] += bell[:, None]
    return (total / np.maximum(weight, 1e-12)).astype(windows.dtype)


def chosen_window(values: Values) -> tuple[int, float]:
    """How long windows of a record (time, channels) are unless it is said, and its period, 0 where there is none.

    As many whole periods as reach `WINDOW` samples, but at most a quarter of the record.
    """
    period = dominant_period(values)
    window = period * math.ceil(WINDOW / period) if period else WINDOW
    return max(min(round(window), len(values) // OF_RECORD), 2), period


def dominant_period(values: Values) -> float:
    """The period of a record (time, channels) in samples, by its autocorrelation; 0 where there is no clear one.

    The lag of the first peak that is nearly as high as the highest, refined by a parabola through its neighbours.
    """
    some = np.asarray(values[:LOOKED_AT], dtype=np.float64)
    n, reach = len(some), min(len(some) // OF_RECORD, LOOKED_AT // 8)
    if reach <= SHORTEST + 1:
        return 0.0
    total = np.zeros(reach)
    for channel in some.T:
        known = ~np.isnan(channel)
        varied = known.any() and np.ptp(channel[known]) > 0
        if not varied:
            continue
        centred = np.where(known, channel - channel[known].mean(), 0)
        spectrum = np.fft.rfft(centred, 2 * n)
        along = np.fft.irfft(np.abs(spectrum) ** 2)[:reach] / np.arange(n, n - reach, -1)
        total += along / along[0]
    total /= some.shape[1]
    inner = np.flatnonzero((total[1:-1] > total[:-2]) & (total[1:-1] >= total[2:])) + 1
    peaks = inner[inner >= SHORTEST]
    if not len(peaks) or total[peaks].max() < CLEAR:
        return 0.0
    lag = int(peaks[total[peaks] >= NEARLY * total[peaks].max()][0])
    before, at, after = total[lag - 1 : lag + 2]
    bend = before - 2 * at + after
    return float(lag + (0.5 * (before - after) / bend if bend < 0 else 0.0))
