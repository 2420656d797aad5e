"""Pictures: what belongs at each place is told by all others, and where it isn't found, something is strange.

The default is a linear autoencoder in closed form, whose residuals say what each place would have cost, had it been hidden.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hourglass.errors import ParameterError
from hourglass.estimators.detection.watch import ErrorWatch
from hourglass.kinds import Kind
from hourglass.model import Hourglass
from hourglass.parts import Gaussian, Plain
from hourglass.parts.maps import (
    MapAlarm,
    blemished,
    hidden_errors,
    hidden_inverse,
    mirrored,
    moved,
    principal,
    thumbnail_size,
    thumbnails,
)
from hourglass.parts.neighbours import Neighbours
from hourglass.parts.networks import batch_of, undrawn
from hourglass.parts.scaling import in_parts
from hourglass.training import Epoch

SHIFT, TURN = 0.05, 5.0  # of the side, and degrees: by so much copies of the pictures are moved at most
PIXELS = 3.0  # that they are shifted at most, where that is more, but never more than a tenth of the side
COPIES, TRIED = 12_000, 3_000  # that are learned from, and that are enough to see whether flipping pays
ELEMENTS = 16_384  # of a picture that are looked at; larger ones are shrunk
CODES = 1024  # at most
WEIGHTS = 2**22  # of the encoder at most: 16 MB
RIDGES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of the mean variance, of which the one that rebuilds hidden places best is taken
SMALLEST = 1e-6  # standard deviation of a channel that is brought to scale
PART = 128  # pictures that are passed through at a time


class Front(nn.Module):
    """What stands before the autoencoder: a user's network with its channels standardised, or the means of square blocks.

    The last blocks of a picture may be cut; ``block`` is how many pixels a side the others have, of a user's network 1.
    """

    def __init__(self, net: nn.Module, channels: int, block: int = 1) -> None:
        super().__init__()
        self.net = net
        self.block = block
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        seen: Tensor = (self.net(x) - self.centre) / self.scale
        return seen


class MapWatch(ErrorWatch):
    """From scaled pictures x (n, channels, height, width) to maps, and to scores.

    Parameters
    ----------
    model : Hourglass
        What rebuilds pictures, or what a front makes of them.
    alarm : MapAlarm
        What judges the maps.
    front : Front, optional
        What stands before the model. Without one, the model is a user's.
    inverse : Tensor, optional
        What `hidden_inverse` made of the linear model.
    """

    alarm: MapAlarm

    def __init__(self, model: Hourglass, alarm: MapAlarm, front: Front | None = None, inverse: Tensor | None = None) -> None:
        super().__init__(model, alarm)
        self.front = front
        self.inverse: Tensor | None
        self.register_buffer("inverse", inverse)

    def seen(self, x: Tensor) -> Tensor:
        return thumbnails(x)

    def place(self, x: Tensor) -> Tensor:
        return super().place(x if self.front is None else self.front(x))

    def errors(self, x: Tensor) -> Tensor:
        """Maps (n, height, width) of what the model, or its front, makes of pictures."""
        if self.front is None:
            return self.model.likelihood.errors(x, self.model.reconstruct(x)).sum(1)
        return self.hidden(x)[0]

    def hidden(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (n, height, width) of hidden places: how strange, and the squared error."""
        assert self.front is not None
        assert self.inverse is not None
        before = self.front(x)
        return hidden_errors(before - self.model.reconstruct(before), self.inverse)

    def heat(self, x: Tensor) -> Tensor:
        """Score maps (n, height, width) at the pictures' size, in which 1 is the peak of a usual picture."""
        maps, (height, width) = self.alarm.heat(self.errors(x))[:, None], x.shape[2:]
        block = 1 if self.front is None else self.front.block
        whole = [block * math.ceil(length / block) for length in (height, width)]
        return nn.functional.interpolate(maps, whole, mode="bilinear", align_corners=False)[:, 0, :height, :width]

    def names(self, kind: Kind) -> tuple[str, ...]:
        """What the thumbnail's cells are called."""
        channels, height, width = kind.shape
        down, across = thumbnail_size(kind.shape)
        rows, columns = _spans("row", height, down), _spans("column", width, across)
        of_channel = [f", channel {number}" for number in range(channels)] if channels > 1 else [""]
        return tuple(f"{row}, {column}{channel}" for channel in of_channel for row in rows for column in columns)


def _spans(what: str, length: int, parts: int) -> list[str]:
    """What the parts of a side are called, in order: 'rows 0-3', or 'row 0' where a part is one."""
    bounds = [round(i * length / parts) for i in range(parts + 1)]
    return [f"{what}s {a}-{b - 1}" if b - a > 1 else f"{what} {a}" for a, b in pairwise(bounds)]


def cells(kind: Kind) -> tuple[int, ...]:
    """A number for each cell of a thumbnail."""
    return tuple(range(kind.shape[0] * math.prod(thumbnail_size(kind.shape))))


def front_of(kind: Kind, features: nn.Module | None, owner: str) -> tuple[Front, tuple[int, ...]]:
    """What stands before the autoencoder, and the shape of what it makes."""
    if features is None:
        channels, height, width = kind.shape
        side = 1
        while channels * math.ceil(height / side) * math.ceil(width / side) > ELEMENTS:
            side += 1
        shrunk = (channels, math.ceil(height / side), math.ceil(width / side))
        return Front(nn.AvgPool2d(side, ceil_mode=True) if side > 1 else nn.Identity(), channels, side), shrunk
    with torch.no_grad():
        made = features(torch.zeros(2, *kind.shape))
    if not isinstance(made, Tensor) or made.ndim != 4 or len(made) != 2 or made[0].numel() > 4 * ELEMENTS:
        what = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else f"type {type(made).__name__}"
        raise ParameterError(
            f"The 'features' parameter of {owner} must make (batch, d, h, w) of a batch of shape "
            f"{batch_of(kind.shape)}, of at most {4 * ELEMENTS:,} numbers a picture. Of a batch of 2 it made {what}."
        )
    return Front(features, made.shape[1]), tuple(made.shape[1:])


def standardise(front: Front, x: Tensor) -> None:
    """Bring the channels that a user's network makes of pictures x to one scale, so that none counts for more than others."""
    std, mean = torch.std_mean(_in_parts(front.net, x), (0, 2, 3))
    front.centre, front.scale = mean[:, None, None], torch.where(std > SMALLEST, std, 1)[:, None, None]


def blank(kind: Kind, shape: tuple[int, ...], codes: int) -> tuple[Hourglass, Tensor]:
    """The linear autoencoder and its `hidden_inverse`, to be filled."""
    elements = math.prod(shape)
    model = Hourglass(
        shape,
        scaling=kind.scaling(),
        encoder=nn.Sequential(nn.Flatten(), undrawn(nn.Linear(elements, codes, device="meta"))),
        bottleneck=Plain(codes).build(),
        decoder=nn.Sequential(undrawn(nn.Linear(codes, elements, device="meta")), nn.Unflatten(1, shape)),
        likelihood=Gaussian().build(shape),
    )
    together = _together(shape)
    return model.requires_grad_(False), torch.empty(shape[0] // together, math.prod(shape[1:]), together, together)


def _together(shape: tuple[int, ...]) -> int:
    """How many channels are hidden at once: those of a pixel; of features one, as the others are no copies of it."""
    return shape[0] if shape[0] <= 4 else 1


class Task(NamedTuple):
    """What to learn from pictures, and how much of them to keep."""

    kind: Kind
    front: Front
    shape: tuple[int, ...]  # of what the front makes
    rank: Callable[[int], int]  # of the thumbnail that distances are measured to, of as many as are kept
    kept: int  # thumbnails, at most


def learn(task: Task, x: Tensor, aside: Tensor, generator: torch.Generator) -> tuple[MapWatch, list[dict[str, Any]]]:
    """The watch that learned from pictures x (n, channels, height, width), calibrated on those held out, and its history.

    The model learns from moved copies: parts that lie a little aside are usual then. Whether they are flipped as well is decided by
    what rebuilds hidden places of the pictures held out better: round parts gain by it, letters lose.
    """
    began = time.perf_counter()
    trials = [_fitted(task, _copies(x, flipped, TRIED, generator), aside, CODES // 4, generator)[0] for flipped in (False, True)]
    copies = _copies(x, trials[1] < trials[0], COPIES, generator)
    error, model, inverse = _fitted(task, copies, aside, CODES, generator)
    kept = thumbnails(copies[: task.kept])
    seen = thumbnails(x)
    alarm = MapAlarm.learn(cells(task.kind), seen, Neighbours.of(kept, seen, task.rank(len(kept))))
    around = thumbnails(copies)
    alarm.points[0], alarm.points[-1] = alarm.points[0].minimum(around.amin(0)), alarm.points[-1].maximum(around.amax(0))
    watch = MapWatch(model, alarm, task.front, inverse)
    train = float(_in_parts(lambda part: watch.hidden(part)[1], copies[: 4 * PART]).mean())
    del copies  # which are many
    calibrate(watch, aside, generator)
    seconds = time.perf_counter() - began
    nats = math.prod(task.shape) / 2  # of a picture, for a mean squared error of 1
    return watch, [asdict(Epoch(1, nats * train, nats * error, seconds, len(x) / seconds, 0.0))]


def calibrate(watch: MapWatch, aside: Tensor, generator: torch.Generator) -> None:
    """Calibrate the alarm on pictures held out."""
    errors, planted = (_in_parts(watch.errors, some) for some in (aside, blemished(aside, generator)))
    around = thumbnails(_in_parts(lambda part: _moved(part, generator), aside))
    watch.alarm.calibrate(thumbnails(aside), errors, planted, around)


def _copies(x: Tensor, flipped: bool, most: int, generator: torch.Generator) -> Tensor:
    """Copies of pictures, each moved in its own way, at most eight of each."""
    times = max(1, min(8, most // len(x)))
    chosen = torch.randperm(len(x), generator=generator, device=x.device)[:most].repeat(times)

    def copied(some: Tensor) -> Tensor:
        return _moved(mirrored(x[some], generator) if flipped else x[some], generator)

    return _in_parts(copied, chosen)


def _moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures moved as far as parts may lie aside."""
    return moved(x, min(max(SHIFT, PIXELS / min(x.shape[2:])), 2 * SHIFT), TURN, generator)


def _fitted(task: Task, copies: Tensor, aside: Tensor, most: int, generator: torch.Generator) -> tuple[float, Hourglass, Tensor]:
    """Their error, and a linear autoencoder of at most so many codes, with the ridge that rebuilds hidden places best."""
    seen, other = (_in_parts(task.front, some).flatten(1) for some in (copies, aside))
    mean = seen.mean(0)
    seen -= mean
    codes = max(1, min(most, seen.shape[1] // 4, len(seen) // 4, WEIGHTS // seen.shape[1]))
    axes, variances = principal(seen, codes, generator)
    usual, together = float(seen.square_().mean()), _together(task.shape)
    del seen
    centred = other - mean
    projected = centred @ axes
    best = math.inf, torch.ones(codes), torch.empty(0)
    for ridge in RIDGES:
        kept = variances / (variances + ridge * usual + 1e-12)
        inverse = hidden_inverse(axes, kept, task.shape, together)
        squared = [
            hidden_errors((rows - (z * kept) @ axes.T).reshape(-1, *task.shape), inverse)[1].mean()
            for rows, z in zip(torch.split(centred, PART), torch.split(projected, PART), strict=True)
        ]
        error = float(torch.stack(squared).mean())
        best = min(best, (error, kept, inverse), key=lambda choice: choice[0])
    error, kept, inverse = best
    model, _ = blank(task.kind, task.shape, codes)
    encoder = {"encoder.1.weight": axes.T, "encoder.1.bias": -mean @ axes}
    model.load_state_dict({**encoder, "decoder.0.weight": axes * kept, "decoder.0.bias": mean})
    return error, model.to(axes.device), inverse


def _in_parts(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of pictures, some at a time, into one tensor."""
    return in_parts(function, x, PART)
