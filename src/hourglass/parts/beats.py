"""How strange a window of a series is, and each of its steps: the distance to what is usual, the peak of the error, and runs."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.parts.alarm import Alarm, centred_upwards, strangest_if_nan
from hourglass.parts.memory import run_lengths, smoothed
from hourglass.parts.tracing import traced

CELLS = 16  # that a window's outline has at most, a channel
PEAK = 0.5  # what the error of a step counts, beside the distance of the window
LATE = 1.0  # by so much less, so that it is heard where it is high
BRIEF = 0.02, 0.06  # of a window: a run of missing, and one of equal samples, up to which it is nothing
RUN = 3.0  # of the score, for each doubling of the longest usual run of missing, or of equal, samples
SMALLEST = 1e-4  # of a standard deviation: distances and errors below it count as this
BLOCK = 2**20  # numbers of windows that are looked at together
LEAST_SCALE = 0.05  # of a term: where all usual rows are alike, this counts as their spread


class Judged(NamedTuple):
    """What is seen of windows (n, channels, time)."""

    distance: Tensor  # (n,) logarithm of the root mean squared distance to the nearest copy, in standard deviations of usual ones
    errors: Tensor  # (n, channels, time) of the steps' errors the same
    runs: Tensor  # (n, channels, time) of the score, for runs of missing or of equal samples


class SeriesAlarm(Alarm):
    """From the nearest copies of windows to scores; higher is stranger.

    Two terms count by their soft maximum: the logarithm of the distance to the nearest copy, and half that of the error of a step,
    smoothed over its neighbours, less 1; both from the median of what is held out, in standard deviations. A window is as strange
    as its strangest step. Added are runs: a sample that is missing, or equal to the one before, is nothing, many in a row are.

    It is an `Alarm` over the outlines of windows, the means of at most 16 parts of each channel, of which `drift` is told.

    Parameters
    ----------
    channels, cells, references : int
        Of the windows, of their outlines, and how many scores are kept.
    """

    usual: Tensor  # (2, channels) longest run of missing, and of equal samples
    alike: Tensor  # () how many scores of the reference belong to one window

    def __init__(self, channels: int, cells: int, references: int) -> None:
        super().__init__(tuple(range(channels * cells)), references)
        self.spread = torch.ones(channels)
        self.centre, self.scale = torch.zeros(2), torch.ones(2)
        self.register_buffer("usual", torch.zeros(2, channels))
        self.register_buffer("alike", torch.ones(()))

    @classmethod
    def learned_from(cls, x: Tensor) -> SeriesAlarm:
        """What training windows x (n, channels, time) say; `calibrate_steps` has to follow."""
        seen = outlines(x)
        plain = Alarm.learn(tuple(range(seen.shape[1])), seen)
        alarm = cls(x.shape[1], len(spans(x.shape[2])), 0).to(x.device)
        for name in ("rarity", "gapless", "points", "shares", "learned"):
            setattr(alarm, name, getattr(plain, name))
        runs = [torch.stack([run_lengths(holds).amax((0, 2)) for holds in _held(some)]) for some in _parts(x)]
        longest = torch.stack(runs).amax(0).float()  # (2, channels)
        alarm.usual = torch.stack([long.clamp(min=share * x.shape[2]) for long, share in zip(longest, BRIEF, strict=True)])
        return alarm

    @property
    def of_one(self) -> float:
        """How many scores of the reference count as one independent one: steps of a window say much the same."""
        return float(self.alike)

    def step_errors(self, x: Tensor, expected: Tensor) -> Tensor:
        """Logarithm of the root of each step's smoothed squared error (n, channels, time), over what is usual for its channel."""
        squared = smoothed((x - expected).square(), 1.0).nan_to_num(0)
        return torch.log(squared / self.spread[:, None] + SMALLEST**2) / 2

    def calibrate_steps(self, x: Tensor, expected: Tensor, distance: Tensor, *, peaks: bool) -> None:
        """Learn from windows x held out, at those mean squared distances (n,) from what is expected of them, what is usual.

        Of whole windows the errors count by their peaks.
        """
        self.spread = (x - expected).square_().nanmean((0, 2)).nan_to_num(1.0).clamp(min=1e-8)  # of each channel
        over = (1, 2) if peaks else (1,)
        high = torch.cat([self.step_errors(*some).amax(over) for some in zip(_parts(x), _parts(expected), strict=True)])
        for number, term in enumerate((log_distance(distance), high.flatten())):
            centre, scale = centred_upwards(term[:, None])
            self.centre[number], self.scale[number] = centre[0], scale[0].clamp(min=LEAST_SCALE)

    def judge(self, x: Tensor, expected: Tensor, distance: Tensor) -> Judged:
        """What is seen of windows x, at those mean squared distances (n,) from what is expected of them."""
        far = (log_distance(distance) - self.centre[0]) / self.scale[0]
        errors = (self.step_errors(x, expected) - self.centre[1]) / self.scale[1]
        return Judged(far, errors, self.runs(x))

    def runs(self, x: Tensor) -> Tensor:
        """What runs in windows add to the score of their steps (n, channels, time)."""
        found = torch.zeros_like(x)
        for holds, usual in zip(_held(x), self.usual, strict=True):
            if traced():
                found = found.maximum(self._excess(holds, usual).to(x))
                continue
            long = (holds.sum(2) > usual).any(1)  # the others can't have a longer run
            if long.any():
                found[long] = found[long].maximum(self._excess(holds[long], usual).to(x))
        return found

    def _excess(self, holds: Tensor, usual: Tensor) -> Tensor:
        """What runs (n, channels, time) of something add, beyond those that are usual for their channel."""
        return RUN * torch.log2((run_lengths(holds) + 1) / (usual[:, None] + 1)).clamp(min=0)

    def of_windows(self, judged: Judged) -> Tensor:
        """Scores (n,) of whole windows."""
        return combined(judged.distance, *(some.flatten(1).amax(1) for some in (judged.errors, judged.runs)))


def combined(far: Tensor, errors: Tensor, runs: Tensor) -> Tensor:
    """Scores of windows, or of steps: the soft maximum of distance and error, at least that of a usual window, and what runs add.

    Of steps it is the largest distance of a window around them, and their least error.
    """
    return strangest_if_nan(functional.softplus(torch.logaddexp(far, PEAK * errors - LATE))) + runs


def log_distance(mean_square: Tensor) -> Tensor:
    """The term of a mean squared distance; where nothing could be compared, that of no distance."""
    return torch.log(torch.where(mean_square.isinf(), 0.0, mean_square) + SMALLEST**2) / 2


def outlines(x: Tensor) -> Tensor:
    """The means (n, channels * cells) of parts of windows x (n, channels, time); NaN where all of a part is missing."""
    return torch.stack([x[..., a:b].nanmean(2) for a, b in spans(x.shape[2])], 2).flatten(1)


def spans(length: int) -> list[tuple[int, int]]:
    """Where the parts of a window of that length begin, and where they end: `CELLS` of them, or as many as there are samples."""
    cells = min(CELLS, length)
    return list(pairwise(round(i * length / cells) for i in range(cells + 1)))


def _parts(x: Tensor) -> tuple[Tensor, ...]:
    """Some of the windows x (n, channels, time) at a time."""
    return torch.split(x, max(BLOCK // max(x[:1].numel(), 1), 1))


def _held(x: Tensor) -> tuple[Tensor, Tensor]:
    """Where samples of windows (n, channels, time) are missing, and where they equal the one before."""
    equal = functional.pad(x[..., 1:] == x[..., :-1], (1, 0))
    return x.isnan(), equal
