"""The detector of series: a memory of usual windows, or an estimator, calibrated on windows that it was not allowed to look at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hourglass.data.some import spread
from hourglass.errors import DataError
from hourglass.estimators.detection.running import Steps, windows_at_once
from hourglass.estimators.detection.watch import Watch
from hourglass.kinds import Kind
from hourglass.kinds.windows import Windows, starts_of
from hourglass.model import Hourglass
from hourglass.parts.alarm import BEYOND
from hourglass.parts.beats import Judged, SeriesAlarm, combined, outlines, spans
from hourglass.parts.memory import Memory, remembered
from hourglass.parts.scaling import Scaling

COPIES = 10_240  # of remembered rows, at most
NUMBERS = 2**23  # that they have together, at most
BLOCKS = 5  # of a record, held out in turn; and parts of it, at most, of which an estimator has a fifth held out each
BLOCK = 8  # windows' lengths that such a fifth has at least, where the record has room for it
ASIDE = 5000  # windows, or rows, held out at most
STRETCH, STRETCHES = 2000, 20  # windows in a row whose steps are calibrated on, and how often
REFERENCES = 50_000  # scores that are kept
FEWEST = 5  # windows that have to be held out
LEARNED = 10  # that an estimator has to learn from
Starts = NDArray[np.intp]


class SeriesWatch(Watch):
    """Base: from scaled windows x (n, channels, time) to scores.

    Parameters
    ----------
    model : Memory or Hourglass
        What rebuilds windows.
    alarm : SeriesAlarm
        What judges them.
    """

    model: Any
    alarm: SeriesAlarm

    def forward(self, x: Tensor) -> Tensor:
        return self.alarm.of_windows(self.judge(x))

    def judge(self, x: Tensor) -> Judged:
        """What is seen of windows."""
        return self.judged(Looked(x, *self.rebuilt(x)))

    def judged(self, looked: Looked) -> Judged:
        """The same, where it is known what is expected of them."""
        return self.alarm.judge(*looked)

    @abstractmethod
    def rebuilt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What is expected of windows, and how far they are from it (n,): mean squared, infinite where nothing can be compared."""

    def seen(self, x: Tensor) -> Tensor:
        return outlines(x)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """What the parts of an outline are called."""
        channels, length = kind.shape
        before = [f"{name}, " for name in kind.channels] if channels > 1 else [""]  # type: ignore[attr-defined]
        return tuple(f"{name}samples {a}-{b - 1}" for name in before for a, b in spans(length))


class RememberingWatch(SeriesWatch):
    """With a memory of usual windows as its model."""

    placed_by = "smoothed samples"

    def rebuilt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        index, distance = self.model.nearest(x)
        return self.model.copies().rows[index].to(x), distance

    def place(self, x: Tensor) -> Tensor:
        compared: Tensor = self.model.compared(x)
        return compared.nan_to_num(0)


class RebuildingWatch(SeriesWatch):
    """With the model of an estimator.

    It may rebuild anything outside the range of the windows that it learned from. So what is expected is drawn into that, and how
    far a window lies outside is added to its distance.

    Parameters
    ----------
    model : Hourglass
        What rebuilds windows.
    alarm : SeriesAlarm
        What judges them.
    """

    low: Tensor  # (channels, time) of what was learned from
    high: Tensor

    def __init__(self, model: Hourglass, alarm: SeriesAlarm) -> None:
        super().__init__(model, alarm)
        for name in ("low", "high"):
            self.register_buffer(name, torch.zeros(model.shape))

    def judged(self, looked: Looked) -> Judged:
        found = super().judged(looked)
        outside = (looked.x - self._within(looked.x)).nan_to_num(0).flatten(1)
        return found._replace(distance=found.distance + BEYOND * torch.linalg.vector_norm(outside, dim=1))

    def rebuilt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        expected = self._within(self.model.reconstruct(x))
        distance = (x - expected).flatten(1).square().nanmean(1)
        return expected, torch.where(distance.isnan(), torch.inf, distance)

    def _within(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high)


class Looked(NamedTuple):
    """Scaled windows x (n, channels, time), what is expected of them, and how far they are from it (n,), as in ``rebuilt``.

    In the order in which a `SeriesAlarm` takes them.
    """

    x: Tensor
    expected: Tensor
    distance: Tensor


# A memory


def learn_rows(
    scaling: Scaling, x: Tensor, most: int, generator: torch.Generator, beyond: float = 0.0
) -> tuple[SeriesWatch, Tensor]:
    """The watch that learned from rows x (n, channels, time), each of which may look at all others but itself to be calibrated.

    Also the scores (m,) of rows held out so: of all in their order if a share of the memory is ``beyond``, as some may be strange.
    """
    asides = len(x) if beyond else ASIDE
    rows, aside = (
        torch.randperm(len(x), generator=generator, device=x.device)[:some].sort().values for some in (_room(x.shape, most), asides)
    )
    watch, memory = _begun(scaling, x[rows], x, generator, moved=not beyond, beyond=beyond)
    looked = _looked_up(memory, x[aside], lambda part: aside[part, None] == rows)
    return watch.eval(), calibrate_rows(watch, looked)


def learn_record(
    scaling: Scaling, windows: Windows, most: int, generator: torch.Generator, beyond: float = 0.0
) -> tuple[SeriesWatch, Blocks]:
    """The watch that learned from windows of a record, whose blocks are held out in turn to calibrate it; and how they were.

    What is remembered begins anywhere between two windows that follow one another.
    """
    record = windows.record
    between = torch.from_numpy(windows.between()).to(generator.device)
    room = _room((len(between), record.shape[1], windows.window), most)
    there = between[torch.randperm(len(between), generator=generator, device=generator.device)[:room].sort().values]
    seen = rows = _scaled(scaling, windows.at(there.cpu().numpy()), there.device)
    whole = ~rows.isnan().flatten(1).any(1)
    if int(whole.sum()) >= len(whole) // 2:
        rows, there = rows[whole], there[whole]
    watch, memory = _begun(scaling, rows, seen, generator, moved=False, beyond=beyond)
    watch.alarm.learned.fill_(min(len(rows), len(record) // windows.window))  # windows that overlap say much the same
    blocks = Blocks(memory, windows, there)
    calibrate(watch, windows, blocks)
    _thin(memory, round(blocks.allowed * len(rows)), generator)
    return watch.eval(), blocks


def _thin(memory: Memory, left: int, generator: torch.Generator) -> None:
    """Forget rows, so that a new window has as many neighbours as a held-out one was allowed: else it would look more usual."""
    chosen = torch.randperm(len(memory.rows), generator=generator, device=memory.rows.device)[: max(left, 1)].sort().values
    each = torch.arange(len(chosen), device=chosen.device)
    memory.rows, memory.source, memory.move = memory.rows[chosen].clone(), each, memory.move[chosen]
    memory.forget_copies()


def blank(kind: Kind, tensors: dict[str, Tensor], beyond: float) -> SeriesWatch:
    """A watch with a memory, to be filled by a file."""
    rows, source, move = (torch.zeros_like(tensors[f"model.{name}"]) for name in ("rows", "source", "move"))
    return RememberingWatch(Memory(kind.scaling(), rows, source, move, beyond=beyond), blank_alarm(kind, tensors))


def blank_alarm(kind: Kind, tensors: dict[str, Tensor]) -> SeriesAlarm:
    """An alarm, to be filled by a file."""
    channels, length = kind.shape
    return SeriesAlarm(channels, len(spans(length)), len(tensors["alarm.reference"]))


def _room(shape: tuple[int, ...], most: int) -> int:
    """How many rows are remembered of so many."""
    n, channels, length = shape
    return min(n, most, NUMBERS // (channels * length) + 1)


def _begun(
    scaling: Scaling, rows: Tensor, x: Tensor, generator: torch.Generator, *, moved: bool, beyond: float
) -> tuple[SeriesWatch, Memory]:
    copies = max(min(COPIES, NUMBERS // rows[0].numel()), len(rows))
    memory = remembered(scaling, rows, copies, moved=moved, generator=generator, beyond=beyond)
    return RememberingWatch(memory, SeriesAlarm.learned_from(x)), memory


def _looked_up(memory: Memory, x: Tensor, forbidden: Callable[[slice], Tensor]) -> Looked:
    """The nearest copies of windows x; ``forbidden`` says of a slice of them which rows are not to be looked at."""
    found, size = [], windows_at_once(*x.shape[1:])
    for first in range(0, len(x), size):
        part = slice(first, min(first + size, len(x)))
        found.append(memory.nearest(x[part], forbidden(part)))
    index, distance = (torch.cat(some) for some in zip(*found, strict=True))
    return Looked(x, memory.copies().rows[index], distance)


class Blocks:
    """What windows of a record find in a memory of it: they may look at other blocks, where these don't overlap with them."""

    def __init__(self, memory: Memory, windows: Windows, there: Tensor) -> None:
        self.memory, self.there = memory, there
        self.edges = torch.arange(1, BLOCKS, device=there.device) * len(windows.record) // BLOCKS
        self.shares: list[float] = []

    @property
    def allowed(self) -> float:
        """Of what is remembered, how much a window might look at, in the mean."""
        return 1 - float(np.mean(self.shares))

    def __call__(self, windows: Windows) -> Looked:
        here, length = torch.from_numpy(windows.starts).to(self.there.device), windows.window

        def forbidden(part: slice) -> Tensor:
            mine = here[part, None]
            near = (mine - self.there).abs() < length
            same = self._block(mine, length) == self._block(self.there, length)
            alone = (near | same).all(1, keepdim=True)  # a short record: what doesn't overlap will do
            found = near | (same & ~alone)
            self.shares.append(float(found.float().mean()))
            return found

        return _looked_up(self.memory, _scaled(self.memory.scaling, windows, self.there.device), forbidden)

    def _block(self, starts: Tensor, length: int) -> Tensor:
        return torch.bucketize(starts + length // 2, self.edges, right=True)


# An estimator


def learn_estimator(model: Hourglass, x: Tensor, aside: Tensor | Windows) -> RebuildingWatch:
    """The watch of an estimator's model, of windows x (n, channels, time) that it learned from, and of those that were held out.

    These are rows like x, or windows of a record, which begin anywhere: of them the range of all steps counts.
    """
    watch = RebuildingWatch(model, SeriesAlarm.learned_from(x))
    among = (0, 2) if isinstance(aside, Windows) else (0,)
    watch.low = x.nan_to_num(torch.inf).amin(among, keepdim=True)[0].expand(model.shape).clone()
    watch.high = x.nan_to_num(-torch.inf).amax(among, keepdim=True)[0].expand(model.shape).clone()
    if isinstance(aside, Windows):
        calibrate(watch, aside, lambda windows: _rebuilt(watch, _scaled(model.scaling, windows, x.device)))
    else:
        calibrate_rows(watch, _rebuilt(watch, aside))
    return watch.eval()


def parted(windows: Windows) -> tuple[Starts, Starts]:
    """Which windows of a record are learned from, by number, and which are held out: those within the last fifth of each part.

    There are at most five parts. A window that reaches into such a fifth from outside is neither.
    """
    time, window = len(windows.record), windows.window
    parts = max(min(time // (5 * BLOCK * window), BLOCKS), 1)
    first, last = (5 * parts * there // time for there in (windows.starts, windows.starts + window - 1))  # fifth of a part
    reached = (last + 1) // 5 - first // 5  # fifths held out that a window has samples of
    learned, held_out = np.flatnonzero(reached == 0), np.flatnonzero((reached == 1) & (first == last))
    if len(learned) < LEARNED or len(held_out) < FEWEST:
        raise DataError(
            f"The record of {time:,} samples is too short for an estimator with windows of {window:,}: a fifth of it is held out. "
            "Give a longer record, or shorter windows, as in kind=Series(window=32)."
        )
    return learned, held_out


def _rebuilt(watch: SeriesWatch, x: Tensor) -> Looked:
    """What an estimator makes of windows x."""
    found = [watch.rebuilt(part) for part in torch.split(x, windows_at_once(*x.shape[1:]))]
    expected, distance = (torch.cat(some) for some in zip(*found, strict=True))
    return Looked(x, expected, distance)


# What is usual of windows held out


def calibrate_rows(watch: SeriesWatch, looked: Looked) -> Tensor:
    """Learn what is usual from rows held out; their scores (n,)."""
    watch.alarm.calibrate_steps(*looked, peaks=True)
    parts = zip(*(torch.split(some, windows_at_once(*looked.x.shape[1:])) for some in looked), strict=True)
    scores = torch.cat([watch.alarm.of_windows(watch.judged(Looked(*part))) for part in parts]).float()
    watch.alarm.reference = scores.sort().values
    return scores


def calibrate(watch: SeriesWatch, windows: Windows, look: Callable[[Windows], Looked]) -> None:
    """Learn what distances and errors are usual, and scores of steps, from windows held out all over a record."""
    x, expected, distance = look(windows[spread(len(windows), ASIDE)])
    usable = torch.isfinite(distance)
    if int(usable.sum()) < FEWEST:
        raise DataError(
            f"The record of {len(windows.record):,} samples is too short for windows of {windows.window:,}: too few don't overlap. "
            "Give a longer record, or shorter windows, as in kind=Series(window=32)."
        )
    known = Looked(x[usable], expected[usable], distance[usable])
    watch.alarm.calibrate_steps(*known, peaks=False)
    order = torch.cat([_steps(watch, piece, windows.starts, look) for piece in _pieces(windows)]).float().sort().values
    few = torch.from_numpy(spread(len(order), REFERENCES))
    watch.alarm.reference = order[few]
    watch.alarm.alike = torch.tensor(windows.window * len(few) / len(order))


def window_scores(watch: SeriesWatch, windows: Windows, look: Callable[[Windows], Looked]) -> Tensor:
    """Scores (n,) of windows."""
    parts = (windows[first : first + STRETCH] for first in range(0, len(windows), STRETCH))
    return torch.cat([watch.alarm.of_windows(watch.judged(look(part))) for part in parts])


def _pieces(windows: Windows) -> list[Windows]:
    """Stretches of windows that overlap, one ``stride`` from the next; those missing are there as well. Of a long record, some."""
    every = starts_of(len(windows.record), windows.window, windows.stride)
    number = np.searchsorted(every, windows.starts)
    gaps = np.flatnonzero(np.diff(number) * windows.stride >= windows.window) + 1
    ends = [(int(some[0]), int(some[-1]) + 1) for some in np.split(number, gaps)]
    pieces = [(a, min(a + STRETCH, end)) for start, end in ends for a in range(start, end, STRETCH)]
    many = sum(end - start for start, end in pieces) / (STRETCH * STRETCHES)
    if many > 1:
        pieces = [pieces[i] for i in spread(len(pieces), max(round(len(pieces) / many), 1))]
    return [windows.at(every[start:end]) for start, end in pieces]


def _steps(watch: SeriesWatch, windows: Windows, held_out: Starts, look: Callable[[Windows], Looked]) -> Tensor:
    """The scores of steps of windows in a row, as those of them say that are held out."""
    looked = look(windows)
    judged = watch.judged(looked)
    mine = torch.from_numpy(np.isin(windows.starts, held_out)).to(judged.distance.device)
    usable = mine & torch.isfinite(looked.distance)
    far = torch.where(usable, judged.distance, -torch.inf)
    errors = judged.errors.where(usable[:, None, None], torch.inf)
    runs = judged.runs.where(mine[:, None, None], 0.0)
    scores = combined(*Steps(windows.window, windows.stride).take_in(Judged(far, errors, runs)))
    return scores[torch.isfinite(scores)]


def _scaled(scaling: Scaling, windows: Windows, device: torch.device) -> Tensor:
    values: Tensor = scaling(torch.from_numpy(np.ascontiguousarray(windows.stacked())).to(device))
    return values.float()
