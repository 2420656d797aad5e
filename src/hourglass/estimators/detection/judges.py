"""What a detector does by what the data is: a row in a table for each family of kinds.

There stand how the model of an estimator is watched, so that a detector can be made of it, and who tells what raised an alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hourglass.estimators.detection import beats, blame, events, pictures, regions, symbols
from hourglass.estimators.detection.beats import RebuildingWatch
from hourglass.estimators.detection.pictures import MapWatch
from hourglass.estimators.detection.watch import WIDEST, ColumnWatch, Watch
from hourglass.estimators.fitted import rows_at_once
from hourglass.kinds.windows import Windows
from hourglass.parts.alarm import Alarm
from hourglass.parts.maps import MapAlarm, thumbnails
from hourglass.parts.neighbours import Neighbours, rank_beyond
from hourglass.parts.scaling import Scaling

if TYPE_CHECKING:
    import polars as pl

FURTHER = 0.05  # of the kept rows are nearer than the one that the distance is measured to, where some may be strange
Told = Callable[[Any, Any, NDArray[np.intp], NDArray[np.floating[Any]], int | None], "pl.DataFrame"]


class Judge(NamedTuple):
    """How the model of an estimator is watched, by what the data is, and what is told of alarms."""

    seen: Callable[[Tensor], Tensor]  # what is looked at of rows that were learned from, as networks see them
    learn: Callable[[Any, Tensor, Tensor, Any, torch.Generator], Watch]  # of a detector, that of its rows, rows held out, these raw
    blank: Callable[[Any, dict[str, Any], dict[str, Tensor]], Watch]  # as a file's header and tensors want it
    explained: Told  # of a detector, strange rows, their numbers and p-values, and how much at most to tell of each


def rank(detector: Any, kept: int) -> int:
    """Of the kept row that distances are measured to: beyond a cluster of strange rows, where there may be some among the kept."""
    return rank_beyond(FURTHER, kept) if detector.contaminated else 1


def column_alarm(detector: Any, x: Tensor, kept: Tensor, scaling: Scaling) -> Alarm:
    """What training rows x (n, elements) of a table say, and rows that are kept; it has to be calibrated."""
    return Alarm.learn(detector.kind_.column_of, x, Neighbours.of(kept, x, rank(detector, len(kept)), scaling.unsquashed))


def blank_column_alarm(detector: Any, header: dict[str, Any], scaling: Scaling) -> Alarm:
    """An alarm of tables, to be filled by a file."""
    (rows, references), column_of = header["sizes"], detector.kind_.column_of
    return Alarm(column_of, references, Neighbours(rows, len(column_of), rank(detector, rows), scaling.unsquashed))


def blank_map_alarm(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> MapAlarm:
    """An alarm of pictures, to be filled by a file."""
    (rows, references), (height, width), cells = header["sizes"], tensors["alarm.spread"].shape, pictures.cells(detector.kind_)
    return MapAlarm(cells, references, Neighbours(rows, len(cells), rank(detector, rows)), size=(height, width))


def _whole(x: Tensor) -> Tensor:
    return x


def _kept(detector: Any, x: Tensor, generator: torch.Generator) -> Tensor:
    """The rows that distances are measured to; with an estimator none, unless ``neighbours`` asks for some."""
    return x[torch.randperm(len(x), generator=generator, device=x.device)[: detector.neighbours or 0]]


def _learn_columns(detector: Any, x: Tensor, aside: Tensor, others: Any, generator: torch.Generator) -> Watch:
    model = detector.estimator_.model_
    watch = ColumnWatch(model, column_alarm(detector, x, _kept(detector, x, generator), model.scaling))
    errors = torch.cat([watch.errors(part) for part in torch.split(aside, rows_at_once(detector.kind_.shape, WIDEST))])
    watch.alarm.calibrate(aside, errors)
    return watch


def _blank_columns(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    model = detector.estimator_.model_
    return ColumnWatch(model, blank_column_alarm(detector, header, model.scaling))


def _learn_maps(detector: Any, x: Tensor, aside: Tensor, others: Any, generator: torch.Generator) -> Watch:
    kept = _kept(detector, x, generator)
    alarm = MapAlarm.learn(pictures.cells(detector.kind_), x, Neighbours.of(kept, x, rank(detector, len(kept))))
    watch = MapWatch(detector.estimator_.model_, alarm)
    pictures.calibrate(watch, aside, generator)
    return watch


def _blank_maps(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    return MapWatch(detector.estimator_.model_, blank_map_alarm(detector, header, tensors))


def _learn_stretches(detector: Any, x: Tensor, aside: Tensor, others: Any, generator: torch.Generator) -> Watch:
    return beats.learn_estimator(detector.estimator_.model_, x, others if isinstance(others, Windows) else aside)


def _blank_stretches(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    return RebuildingWatch(detector.estimator_.model_, beats.blank_alarm(detector.kind_, tensors))


def _learn_symbols(detector: Any, x: Tensor, aside: Tensor, others: Any, generator: torch.Generator) -> Watch:
    kind = detector.kind_
    return symbols.learn(detector.estimator_.model_, kind, x, aside, rows_at_once(kind.shape, WIDEST))


def _blank_symbols(detector: Any, header: dict[str, Any], tensors: dict[str, Tensor]) -> Watch:
    return symbols.SymbolWatch(detector.estimator_.model_, symbols.blank(detector.kind_, header["sizes"][1]))


JUDGES = {
    "table": Judge(_whole, _learn_columns, _blank_columns, blame.columns),
    "image": Judge(thumbnails, _learn_maps, _blank_maps, regions.located),
    "series": Judge(_whole, _learn_stretches, _blank_stretches, events.stretched),
    "symbols": Judge(symbols.counts, _learn_symbols, _blank_symbols, symbols.explained),
}
