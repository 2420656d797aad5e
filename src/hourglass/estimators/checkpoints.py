"""Runs that can be gone on with: their state in a file after each epoch, and the facts that they are known by."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hourglass import storage
from hourglass.batches import SparseRows
from hourglass.data.some import spread
from hourglass.errors import CheckpointError, listed
from hourglass.kinds import Album
from hourglass.parts.base import as_json
from hourglass.training import Trainer

LOOKED_AT = 32  # pictures of a pile, which may be in their files
State = tuple[dict[str, Tensor], dict[str, Any]]  # tensors, and facts that fit in JSON


def digest(values: Tensor | SparseRows | Album) -> str:
    """What tells one pile of data from another: of numbers all of them, of pictures their number and some of them."""
    if isinstance(values, SparseRows):
        parts = [values.matrix.data, values.matrix.indices, values.matrix.indptr]
    elif isinstance(values, Album):
        parts = [values[int(number)] for number in spread(len(values), LOOKED_AT)]
    else:
        parts = [values.cpu().numpy()]
    found = 0
    for part in parts:
        found = zlib.crc32(np.ascontiguousarray(part).data, found)
    return f"{tuple(values.shape)} {found:08x}"


def unfinished(path: str | os.PathLike[str] | None, run: dict[str, Any]) -> State | None:
    """The state of that run as a file has it, if there is one.

    Raises
    ------
    CheckpointError
        The file is of another run, or none.
    """
    if path is None or not Path(path).exists():
        return None
    if Path(path).is_dir():
        raise CheckpointError(f"The checkpoint {str(path)!r} is a folder: name a file, such as run.safetensors in it.")
    tensors, facts = storage.read(path)
    if "run" not in facts:
        raise CheckpointError(f"{str(path)!r} is a finished model, not a checkpoint: choose another path.")
    for name, value in run.items():
        before, now = facts["run"].get(name), json.loads(as_json(value))
        if before != now:
            raise _other(path, name if name != "parameters" else f"{name} ({listed(_differing(before, now))})")
    return tensors, facts


def go_on(trainer: Trainer, path: str | os.PathLike[str], state: State) -> None:
    """Let a trainer go on from there."""
    try:
        trainer.load_state(*state)
    except (RuntimeError, KeyError) as error:  # networks of the user's own, of which the file says nothing
        raise _other(path, "networks") from error


def write(path: str | os.PathLike[str], trainer: Trainer, facts: dict[str, Any]) -> None:
    """Note how far a run is, with the facts that it is known by and its seed."""
    tensors, state = trainer.state()
    storage.write(path, tensors, {"run": facts["run"], "seed": facts["seed"], **state})


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The keys that two dictionaries don't have in common, or not with the same value."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key, ...) != now.get(key, ...))


def _other(path: str | os.PathLike[str], what: str) -> CheckpointError:
    return CheckpointError(
        f"The checkpoint {str(path)!r} belongs to a run with other {what}: delete it to begin anew, or choose another path."
    )
