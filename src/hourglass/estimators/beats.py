"""The detector of series: a memory of usual windows, calibrated on windows that it was not allowed to look at."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hourglass.errors import DataError
from hourglass.estimators.running import Steps
from hourglass.estimators.watch import Watch
from hourglass.kinds import Kind
from hourglass.kinds.windows import Windows
from hourglass.parts.beats import CELLS, Judged, SeriesAlarm, combined_steps, log_distance, outlines
from hourglass.parts.memory import Memory, remembered
from hourglass.parts.scaling import Scaling

COPIES = 10_240  # of remembered rows, at most
NUMBERS = 2**23  # that they have together, at most
BLOCKS = 5  # of a record, held out in turn
ASIDE = 5000  # windows, or rows, held out at most
STRETCH, STRETCHES = 2000, 20  # windows in a row whose steps are calibrated on, and how often
REFERENCES = 50_000  # scores that are kept
CHUNK = 2**18  # numbers of windows that are looked at a time
FEWEST = 5  # windows that have to be held out


class SeriesWatch(Watch):
    """From scaled windows x (n, channels, time) to scores.

    Parameters
    ----------
    model : Memory
        What rebuilds windows.
    alarm : SeriesAlarm
        What judges them.
    """

    model: Memory  # type: ignore[assignment]
    alarm: SeriesAlarm

    def __init__(self, model: Memory, alarm: SeriesAlarm) -> None:
        nn.Module.__init__(self)
        self.model = model
        self.alarm = alarm
        self.ensemble = False

    def forward(self, x: Tensor) -> Tensor:
        return self.alarm.of_windows(self.judge(x))

    def judge(self, x: Tensor) -> Judged:
        """What is seen of windows."""
        index, distance = self.model.nearest(x)
        return self.alarm.judge(x, distance, self.model.copies().rows[index].to(x))

    def seen(self, x: Tensor) -> Tensor:
        return outlines(x)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """What the parts of an outline are called."""
        channels, length = kind.shape
        cells = min(CELLS, length)
        edges = [round(i * length / cells) for i in range(cells + 1)]
        before = [f"{name}, " for name in kind.channels] if channels > 1 else [""]  # type: ignore[attr-defined]
        return tuple(f"{name}samples {a}-{b - 1}" for name in before for a, b in pairwise(edges))


def learn_rows(scaling: Scaling, x: Tensor, most: int, generator: torch.Generator) -> SeriesWatch:
    """The watch that learned from rows x (n, channels, time), each of which may look at all others but itself to be calibrated."""
    rows, aside = (torch.randperm(len(x), generator=generator)[:some].sort().values for some in (_room(x.shape, most), ASIDE))
    watch = _begun(scaling, x[rows], x, generator, moved=True)
    seen = x[aside]
    nearest = _looked_up(watch, seen, lambda part: aside[part, None] == rows)
    errors = _spread(watch, seen, nearest)
    watch.alarm.settle(log_distance(nearest.distance), errors, peaks=True)
    judged = watch.alarm.judge(seen, nearest.distance, watch.model.copies().rows[nearest.which])
    watch.alarm.reference = watch.alarm.of_windows(judged).float().sort().values
    return watch.eval()


def learn_record(scaling: Scaling, windows: Windows, most: int, generator: torch.Generator) -> SeriesWatch:
    """The watch that learned from a record, whose blocks are held out in turn to calibrate it."""
    offsets = len(windows.record) - windows.window + 1
    room = _room((offsets, windows.record.shape[1], windows.window), most)
    there = torch.randperm(offsets, generator=generator)[:room].sort().values  # where what is remembered begins
    rows = _scaled(scaling, _at(windows, there))
    whole = ~rows.isnan().flatten(1).any(1)
    if int(whole.sum()) >= len(whole) // 2:
        rows, there = rows[whole], there[whole]
    watch = _begun(scaling, rows, rows, generator, moved=False)
    aside = _Record(watch, windows, there)
    aside.settle()
    scores = aside.scores()
    order = scores.float().sort().values
    few = torch.linspace(0, len(order) - 1, min(len(order), REFERENCES)).round().long()
    watch.alarm.reference = order[few]
    watch.alarm.alike = torch.tensor(windows.window * len(few) / len(order))
    _thin(watch.model, round(aside.allowed * len(rows)), generator)
    return watch.eval()


def _thin(memory: Memory, left: int, generator: torch.Generator) -> None:
    """Forget rows, until new windows find as many to be near to as windows held out did: else they would look more usual."""
    chosen = torch.randperm(len(memory.rows), generator=generator)[: max(left, 1)].sort().values
    memory.rows, memory.source, memory.move = memory.rows[chosen].clone(), torch.arange(len(chosen)), memory.move[chosen]
    memory.forget_copies()


def blank(kind: Kind, tensors: dict[str, Tensor]) -> SeriesWatch:
    """A watch to be filled by a file."""
    rows, source, move = (torch.zeros_like(tensors[f"model.{name}"]) for name in ("rows", "source", "move"))
    channels, length = kind.shape
    return SeriesWatch(
        Memory(kind.scaling(), rows, source, move),
        SeriesAlarm(channels, min(CELLS, length), len(tensors["alarm.reference"])),
    )


def _room(shape: tuple[int, ...], most: int) -> int:
    """How many rows are remembered of so many."""
    n, channels, length = shape
    return min(n, most, NUMBERS // (channels * length) + 1)


def _begun(scaling: Scaling, rows: Tensor, x: Tensor, generator: torch.Generator, *, moved: bool) -> SeriesWatch:
    copies = max(min(COPIES, NUMBERS // rows[0].numel()), len(rows))
    return SeriesWatch(remembered(scaling, rows, copies, moved=moved, generator=generator), SeriesAlarm.learned_from(x))


class _Nearest(NamedTuple):
    """Which copies windows are nearest to, of those that they may look at, and how far these are."""

    which: Tensor
    distance: Tensor


def _looked_up(watch: SeriesWatch, x: Tensor, forbidden: Any) -> _Nearest:
    """The nearest copies of windows x; ``forbidden`` says of a slice of them which rows are not to be looked at."""
    found, size = [], max(CHUNK // x[0].numel(), 1)
    for first in range(0, len(x), size):
        part = slice(first, min(first + size, len(x)))
        found.append(watch.model.nearest(x[part], forbidden(part)))
    index, distance = (torch.cat(some) for some in zip(*found, strict=True))
    return _Nearest(index, distance)


def _spread(watch: SeriesWatch, x: Tensor, nearest: _Nearest) -> Tensor:
    """Learn the usual error of each channel; the step errors (n, channels, time) of windows held out."""
    copies = watch.model.copies().rows[nearest.which]
    watch.alarm.spread = (x - copies).square().nanmean((0, 2)).nan_to_num(1.0).clamp(min=1e-8)
    return watch.alarm.step_errors(x, copies)


class _Record:
    """A record to be calibrated on: a window may look at other blocks, where these don't overlap with it."""

    def __init__(self, watch: SeriesWatch, windows: Windows, there: Tensor) -> None:
        self.watch, self.windows, self.there = watch, windows, there
        self.allowed = 1.0  # of what is remembered, how much a window may look at, in the mean
        self.edges = torch.arange(1, BLOCKS) * len(windows.record) // BLOCKS

    def settle(self) -> None:
        """Learn what distances and errors are usual, from windows all over the record."""
        some = self.windows[np.unique(np.linspace(0, len(self.windows) - 1, ASIDE).round().astype(np.intp))]
        x, nearest = self._seen(some)
        usable = torch.isfinite(nearest.distance)
        if int(usable.sum()) < FEWEST:
            time, length = len(self.windows.record), self.windows.window
            raise DataError(
                f"The record of {time:,} samples is too short for windows of {length:,}: too few don't overlap. "
                "Give a longer record, or shorter windows, as in kind=Series(window=32)."
            )
        self.allowed = float(1 - torch.stack(self._shares).mean())
        known = _Nearest(nearest.which[usable], nearest.distance[usable])
        self.watch.alarm.settle(log_distance(known.distance), _spread(self.watch, x[usable], known), peaks=False)

    def scores(self) -> Tensor:
        """Of steps, in stretches all over the record."""
        n = len(self.windows)
        firsts = range(0, n, STRETCH) if n <= STRETCHES * STRETCH else np.linspace(0, n - STRETCH, STRETCHES).astype(int).tolist()
        return torch.cat([self._stretch(self.windows[first : first + STRETCH]) for first in firsts])

    def _stretch(self, windows: Windows) -> Tensor:
        x, nearest = self._seen(windows)
        judged = self.watch.alarm.judge(x, nearest.distance, self.watch.model.copies().rows[nearest.which])
        usable = torch.isfinite(nearest.distance)
        far = torch.where(usable, judged.distance, -torch.inf)
        errors = judged.errors.where(usable[:, None, None], torch.inf)
        steps = Steps(x.shape[1], windows.window, windows.stride)
        scores = combined_steps(*steps.take_in(Judged(far, errors, judged.runs)))
        return scores[torch.isfinite(scores)]

    def _seen(self, windows: Windows) -> tuple[Tensor, _Nearest]:
        """Scaled windows, and what is nearest to them."""
        x = _scaled(self.watch.scaling, windows)
        here, length = torch.from_numpy(windows.starts), windows.window
        self._shares: list[Tensor] = []

        def forbidden(part: slice) -> Tensor:
            mine = here[part, None]
            near = (mine - self.there).abs() < length
            same = self._block(mine) == self._block(self.there)
            alone = (near | same).all(1, keepdim=True)  # a short record: what doesn't overlap will do
            found = near | (same & ~alone)
            self._shares.append(found.float().mean())
            return found

        return x, _looked_up(self.watch, x, forbidden)

    def _block(self, starts: Tensor) -> Tensor:
        return torch.bucketize(starts + self.windows.window // 2, self.edges, right=True)


def _at(windows: Windows, starts: Tensor) -> Windows:
    return Windows(windows.record, windows.window, windows.stride, starts=starts.numpy())


def _scaled(scaling: Scaling, windows: Windows) -> Tensor:
    values: Tensor = scaling(torch.from_numpy(np.ascontiguousarray(windows.stacked())))
    return values.float()
