"""The folder that the studio works in: data, runs and what they made, as plain files that the commands read and write too.

    FOLDER/data/             what was dropped in
    FOLDER/studio.json       which data was looked at last, and what was corrected about it
    FOLDER/runs/NAME/        a run: run.json, progress.jsonl, preview.json, log.txt, model.safetensors, result.json, what it made

All that is known of a run is read from its files, so pages can be closed and opened again. Who trains holds a lock on the file
``lock``, which the system lets go of when the process ends, however it ends. Who only looks shares it for a moment.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import hourglass as hg
from hourglass.data import atomic

MODEL = "model.safetensors"
LONGEST = 60  # letters of a name
NOTES = ("failed.txt", "result.json", "progress.jsonl", "preview.json", "stage.txt", "stopping", "sweep.json")  # of one training
NOTHING_KEPT = "It was stopped before there was anything to keep. Start it again, and give it a little longer."
Made = dict[str, Any]


class State(StrEnum):
    """How far a run is."""

    waiting = "waiting"
    training = "training"
    done = "done"
    stopped = "stopped"
    failed = "failed"


@dataclass(frozen=True)
class Source:
    """Data by its path or by the name of a dataset, and what was corrected about it."""

    data: str
    kind: str | None = None
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What people call it."""
        return Path(self.data).name or self.data

    def read(self) -> Any:
        """The rows; kept in memory until others are asked for."""
        changed = Path(self.data).stat().st_mtime_ns if Path(self.data).exists() else 0
        return _read(self.data, changed)


@dataclass(frozen=True)
class Asked:
    """What a run was asked to do: ``need`` is compress, flag, clean, generate or sweep."""

    data: str
    need: str
    width: int | None = None
    kind: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # max_seconds, max_epochs, seed, damage, contaminated, condition

    @property
    def source(self) -> Source:
        """The data."""
        return Source(self.data, self.kind, self.columns)


@dataclass(frozen=True)
class Run:
    """A run, by its folder."""

    path: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    @property
    def asked(self) -> Asked:
        """What it was asked to do; of a model that a command put here, what its file says."""
        found = read_json(self.path / "run.json")
        if found:
            return Asked(**found)
        needs = {"AnomalyDetector": "flag", "DenoisingAutoencoder": "clean", "VariationalAutoencoder": "generate"}
        return Asked("", needs.get(str(hg.info(self.model_path).get("estimator")), "compress"))

    @property
    def asked_at(self) -> int:
        """When, in nanoseconds."""
        asked = self.path / "run.json"
        return (asked if asked.exists() else self.model_path).stat().st_mtime_ns

    @property
    def model_path(self) -> Path:
        """Where its model lies."""
        return self.path / MODEL

    @property
    def state(self) -> State:
        """How far it is."""
        result = self.result
        if result:
            return State.stopped if result.get("stopped") else State.done
        if self._locked():
            return State.training
        if (self.path / "failed.txt").exists():
            return State.failed
        if self.model_path.exists() and not (self.path / "run.json").exists():  # a command put it here
            return State.done
        return State.failed if (self.path / "lock").exists() else State.waiting

    @property
    def sentence(self) -> str:
        """Why it failed; empty if it didn't."""
        told = self.path / "failed.txt"
        if told.exists():
            return told.read_text(encoding="utf-8").strip()
        if self.state is State.failed and (self.path / "stopping").exists():
            return NOTHING_KEPT
        if self.state is State.failed:
            return "The training ended without a word: the machine was switched off, or had no memory left. Start it again."
        return ""

    @property
    def result(self) -> Made:
        """What came of it: ``words``, ``figures``, whether it was ``stopped``."""
        return read_json(self.path / "result.json")

    @property
    def preview(self) -> Made:
        """Rows and what the model made of them at last: ``kind``, ``names``, ``before``, ``after``."""
        return read_json(self.path / "preview.json")

    @property
    def stage(self) -> str:
        """What is being done, in a few words."""
        told = self.path / "stage.txt"
        return told.read_text(encoding="utf-8") if told.exists() else "Starting"

    def epochs(self) -> list[Made]:
        """A record of each epoch, as `Epoch` has it, with its ``share`` of the whole way and, in a sweep, its ``width``."""
        try:
            lines = (self.path / "progress.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]  # the last may be half-written

    def model(self) -> Any:
        """The fitted model, kept in memory until another is asked for."""
        return _load(str(self.model_path), self.model_path.stat().st_mtime_ns)

    # What can be done with it

    def start(self) -> None:
        """Train in a process of its own, which goes on when this one ends; nothing happens where one trains already."""
        command = [sys.executable, "-m", "hourglass.server.studio.training", str(self.path)]
        with _LOOKING, (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            for name in NOTES:
                (self.path / name).unlink(missing_ok=True)
            with (self.path / "log.txt").open("w") as log:
                handles: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "pass_fds": [lock.fileno()]}
                process = subprocess.Popen(command, start_new_session=True, **handles)
            lock.truncate(0)
            lock.write(str(process.pid))
            _CHILDREN.append(process)

    def stop(self) -> None:
        """End training early, as Ctrl-C does: the best model so far is kept."""
        if self._locked():
            (self.path / "stopping").touch()
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(int((self.path / "lock").read_text()), signal.SIGINT)

    def remove(self) -> None:
        """Delete the run and all that it made."""
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def _locked(self) -> bool:
        with _LOOKING:
            _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]  # those that ended are not kept as zombies
            try:
                with (self.path / "lock").open() as lock:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:
                return False
            return False


@dataclass(frozen=True)
class Folder:
    """The folder of a studio."""

    path: Path

    def make(self) -> None:
        """Make what is not there yet."""
        for name in ("data", "runs"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    @property
    def source(self) -> Source | None:
        """The data that was looked at last."""
        found = read_json(self.path / "studio.json")
        return Source(**found) if found else None

    def choose(self, source: Source) -> None:
        """Make this the data that is looked at."""
        write_json(self.path / "studio.json", asdict(source))

    def dropped(self) -> list[Path]:
        """What was dropped in, by name."""
        return sorted(path for path in (self.path / "data").iterdir() if not path.name.startswith("."))

    def runs(self, *needs: str) -> list[Run]:
        """The runs, the newest first; only those for certain needs if some are named."""
        found = [Run(path) for path in (self.path / "runs").iterdir() if _is_run(path)]
        found.sort(key=lambda run: (run.asked_at, run.name), reverse=True)
        return [run for run in found if not needs or run.asked.need in needs]

    def run(self, name: str) -> Run | None:
        """The run of a name, if there is one."""
        return next((run for run in self.runs() if run.name == name), None)

    def fitted(self, *needs: str) -> list[Run]:
        """The runs for certain needs that have a model, the newest first."""
        return [run for run in self.runs(*needs) if run.model_path.exists() and run.state is not State.training]

    def data_of(self, run: Run) -> Source:
        """What a run learned from; of a model that a command put here, what was looked at last."""
        source = run.asked.source if run.asked.data else self.source
        if source is None:
            raise hg.DataError(f"Nothing says which data '{run.name}' is about. Load some first, in the view Data.")
        return source

    def latest(self, runs: Iterable[Run]) -> Run | None:
        """Of runs, the first about the data that was looked at last; else the first of all."""
        listed = list(runs)
        return next((run for run in listed if run.asked.source == self.source), next(iter(listed), None))

    def new_run(self, asked: Asked, name: str = "") -> Run:
        """A run that has not begun."""
        wanted = plain_name(name or f"{Source(asked.data).title.split('.')[0]}-{asked.need}")
        path = free(self.path / "runs" / wanted)
        path.mkdir(parents=True)
        write_json(path / "run.json", asdict(asked))
        return Run(path)


def plain_name(text: str) -> str:
    """A name that is one part of a path, made of whatever was typed."""
    letters = re.sub(r"[^\w.-]+", "-", text.strip())[:LONGEST].strip("-._")
    return letters or "unnamed"


def free(path: Path) -> Path:
    """The path, or one beside it that is not taken."""
    name, ending = path.name.removesuffix("".join(path.suffixes[-2:])), "".join(path.suffixes[-2:])
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{name}-{number}{ending}")
    return found


def read_json(path: Path) -> Made:
    """What a file holds; nothing if it isn't there, or isn't whole."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, what: Made) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as beside:
        beside.write_text(json.dumps(what), encoding="utf-8")


_CHILDREN: list[subprocess.Popen[bytes]] = []
_LOOKING = Lock()  # one thread at a time has to do with lock files: who looks at one must not keep another from starting


def _is_run(path: Path) -> bool:
    return (path / "run.json").exists() or (path / MODEL).exists()


@lru_cache(maxsize=2)
def _read(data: str, changed: int) -> Any:
    return hg.datasets.load(data).x_train if data in hg.datasets.names() and not changed else hg.read(data)


@lru_cache(maxsize=2)
def _load(path: str, changed: int) -> Any:
    return hg.load(path)
