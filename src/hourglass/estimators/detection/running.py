"""From windows to the steps of a record, as they come: the same in a stream, in a file and in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hourglass.data import Record
from hourglass.errors import DataError
from hourglass.kinds.windows import Windows, as_floats
from hourglass.parts.beats import Judged, combined

AT_ONCE = 2**18  # numbers of windows that are looked at together, so that they stay in the processor's cache
PUSHED = 2**18  # samples of a record that are pushed at a time
Floats = NDArray[np.floating[Any]]
KEPT = (  # of distances, errors and runs: what stands where nothing is known, and which of two is kept
    (-torch.inf, torch.maximum),
    (torch.inf, torch.minimum),
    (0.0, torch.maximum),
)


def windows_at_once(channels: int, length: int) -> int:
    """How many windows are looked at together."""
    return max(AT_ONCE // (channels * length), 1)


class Found(NamedTuple):
    """What is known of steps."""

    far: Tensor  # (m,) the largest distance of a window around them
    errors: Tensor  # (m,) their least error, in the channel where it is largest
    runs: Tensor  # (m,) what runs add


class Steps:
    """Puts windows together that begin every ``stride`` steps: each step has what all windows around it say.

    A window is as many parts of ``stride`` steps; block b of the record has part k of window b - k.
    """

    def __init__(self, length: int, stride: int) -> None:
        self.length, self.stride = length, stride
        self.parts = math.ceil(length / stride)
        before = (self.parts - 1, self.parts, stride)
        self.waiting = [torch.full(before, value) for value, _ in KEPT]  # the last windows, for blocks to come
        self.windows = 0

    def take_in(self, judged: Judged) -> Found:
        """What the next windows settle: as many blocks as there are windows."""
        laid = self._laid(judged)
        n = len(judged.distance)
        self.windows += n
        joined = [torch.cat([old.to(new), new]) for old, new in zip(self.waiting, laid, strict=True)]
        settled = [self._gathered(some, n, keep) for some, (_, keep) in zip(joined, KEPT, strict=True)]
        self.waiting = [some[n:].clone() for some in joined]
        return Found(*(some.flatten() for some in settled))

    def _laid(self, judged: Judged) -> list[Tensor]:
        """What windows say of their steps (n, parts, stride), behind their end nothing."""
        behind = (0, self.parts * self.stride - self.length)
        n = len(judged.distance)
        each = (judged.distance[:, None].expand(n, self.length), judged.errors.amax(1), judged.runs.amax(1))
        return [
            functional.pad(some, behind, value=value).reshape(n, self.parts, self.stride)
            for some, (value, _) in zip(each, KEPT, strict=True)
        ]

    def _gathered(self, joined: Tensor, n: int, keep: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Blocks (n, stride) of windows (n + parts - 1, parts, stride); of two windows around a step one is kept."""
        found = joined[self.parts - 1 :, 0]
        for part in range(1, self.parts):
            earlier = joined[self.parts - 1 - part : self.parts - 1 - part + n, part]
            found = keep(found, earlier)
        return found

    def finish(self, last: Judged, length: int) -> Found:
        """The steps that are left of a record of so many, of which ``last`` is the window that ends where it does."""
        begin = self.windows * self.stride  # of the steps not yet settled
        left = length - begin
        found = []
        mine = (last.distance.expand(self.length), last.errors.amax(1)[0], last.runs.amax(1)[0])
        for some, own, (value, keep) in zip(self.waiting, mine, KEPT, strict=True):
            none = some.new_full((self.parts, self.parts, self.stride), value)
            blocks = self._gathered(torch.cat([some, none]), self.parts, keep).flatten()[:left].to(own)
            found.append(keep(blocks, own[self.length - left :]))
        return Found(*found)


class Stream:
    """Scores of samples as they come: what ``AnomalyDetector.stream`` gives.

    Attributes
    ----------
    delay : int
        Samples after which the score of a sample is known at the latest.
    """

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self._kind = detector.kind_
        self._channels, self._length = self._kind.shape
        self._stride = self._kind.stride
        self._steps = Steps(self._length, self._stride)
        self._tail: Floats = np.empty((0, self._channels), np.float32)
        self._ending = self._tail
        self._seen = 0
        self.delay = self._length

    def push(self, samples: Any) -> Floats:
        """Take in more samples, and give the scores of those that are known by now.

        Parameters
        ----------
        samples : array of shape (m,) or (m, channels), or a record or a table with the channels by name
            The next samples, in the units of the training; NaN is missing. Times in a table are not looked at.

        Returns
        -------
        ndarray of shape (k,)
            As ``score_samples`` has them, in the order of the samples: the next k.
        """
        given = as_floats(self._kind.samples(samples))
        array = given.reshape(-1, 1) if given.ndim < 2 else given
        if array.ndim != 2 or array.shape[1] != self._channels:
            raise DataError(
                f"The stream has {self._channels} channels: give samples (m, {self._channels}). Got shape {given.shape}."
            )
        if np.isinf(array).any():
            raise DataError(f"Sample {self._seen + int(np.isinf(array).any(1).argmax())} of the stream is infinite: leave it NaN.")
        self._seen += len(array)
        latest = array[-self._length :]
        self._ending = latest.copy() if len(latest) == self._length else np.concatenate([self._ending, latest])[-self._length :]
        self._tail = np.concatenate([self._tail.astype(array.dtype, copy=False), array]) if len(self._tail) else array.copy()
        n = (len(self._tail) - self._length) // self._stride + 1
        if n < 1:
            return np.empty(0)
        size = windows_at_once(self._channels, self._length)
        found = [self._taken_in(first, min(first + size, n)) for first in range(0, n, size)]
        self._tail = self._tail[n * self._stride :].copy()
        return np.concatenate(found)

    def _taken_in(self, first: int, last: int) -> Floats:
        piece = self._tail[first * self._stride : (last - 1) * self._stride + self._length]
        return -combined(*self._steps.take_in(self._judged(piece, self._stride))).double().cpu().numpy()

    def _judged(self, piece: Floats, stride: int) -> Judged:
        windows = np.lib.stride_tricks.sliding_window_view(piece, self._length, axis=0)[::stride]
        values = torch.from_numpy(windows.copy()).to(self._detector._device)
        watch = self._detector._model_for(values.dtype)
        with torch.inference_mode():
            judged: Judged = watch.judge(watch.scaling(values))
        return judged

    def finish(self) -> Floats:
        """The scores of the samples that are left, when no more come.

        Returns
        -------
        ndarray of shape (k,)
        """
        if self._seen < self._length:
            raise DataError(f"The stream ended after {self._seen:,} samples, fewer than the {self._length:,} of a window.")
        begun = self._steps.windows * self._stride
        if begun == self._seen:
            return np.empty(0)
        judged = self._judged(self._ending, self._length)
        return -combined(*self._steps.finish(judged, self._seen)).double().cpu().numpy()


def scored_steps(detector: Any, windows: Windows) -> Floats:
    """How strange each step of a record is, higher is stranger."""
    stream, values = Stream(detector), windows.record.values
    found, known = np.empty(len(values)), 0
    for first in range(0, len(values), PUSHED):
        more = stream.push(values[first : first + PUSHED])
        found[known : known + len(more)] = more
        known += len(more)
    found[known:] = stream.finish()
    return np.negative(found, out=found)


def of_rows(scores: Floats, record: Record) -> Floats:
    """Scores of the steps of a record as those of the rows of the table that it was made of, if it was."""
    return scores if record.place is None else scores[record.place]
