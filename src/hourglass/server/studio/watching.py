"""What a run notes while its model learns: a record of each epoch and, now and then, rows as they are redrawn by then."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hourglass.server.studio import rows
from hourglass.server.studio.plain import Made, write_json
from hourglass.server.studio.runs import Run

PAUSE = 1.0  # seconds between two previews, at least


def watch(run: Run, show: Callable[[Any], Made] | None, **beside: Any) -> Callable[[Any, Any], None]:
    """A callback that notes each epoch and, now and then, what is ``shown`` by the model; and ends a run that is to stop."""
    last = [0.0]

    def look(estimator: Any, epoch: Any) -> None:
        record = {**asdict(epoch), "share": round(estimator.model_.progress, 4), **beside}
        with (run.path / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if show is not None and time.monotonic() - last[0] >= PAUSE:
            last[0] = time.monotonic()
            preview(run, show, estimator)
        if run.stopping:
            raise KeyboardInterrupt

    return look


def preview(run: Run, show: Callable[[Any], Made], model: Any) -> None:
    """Note what is shown by a model. If that fails, the log says why, and the run is none the worse."""
    try:
        write_json(run.path / "preview.json", show(model))
    except Exception:
        traceback.print_exc()


def rebuilt(some: Any, condition: Any = None) -> Callable[[Any], Made]:
    """What shows rows, and below them what a model rebuilds."""

    def show(model: Any) -> Made:
        kind = model.kind_
        before = rows.stretch(kind, some)
        after = model.reconstruct(before) if condition is None else model.reconstruct(before, condition)
        return {"kind": kind.name, "before": rows.values(kind, before), "after": rows.values(kind, after)}

    return show


def mended(some: Any) -> Callable[[Any], Made]:
    """What shows rows, the same damaged for the purpose, and mended; as they are where a model can do no damage."""

    def show(model: Any) -> Made:
        kind = model.kind_
        clean = rows.stretch(kind, some)
        damaged = model.damage(clean, random_state=0) if damages(model) else clean
        shown = {"kind": kind.name, "before": rows.values(kind, damaged), "after": rows.values(kind, model.denoise(damaged))}
        return shown | ({"clean": rows.values(kind, clean)} if damages(model) else {})

    return show


def damages(model: Any) -> bool:
    """Whether a cleaner can do the damage that it mends: not one that learned from noisy pictures alone, or from a record."""
    return not (model.model_.corruption.blind or model.kind_.of_record)
