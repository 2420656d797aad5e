"""A run: what was asked of a model, how far it is, and what came of it.

All of that is read from its files, so pages can be closed and opened again. Who trains holds a lock on the file ``lock``, which the
system lets go of when the process ends, however it ends. Who only looks shares it for a moment.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import hourglass as hg
from hourglass.server.studio.plain import Made, changed_at, read_form, read_json, read_words
from hourglass.server.studio.sources import Source

MODEL = "model.safetensors"
NOTES = ("failed.txt", "result.json", "progress.jsonl", "preview.json", "stage.txt", "stopping", "sweep.json")  # of one training
PATIENCE = 10.0  # seconds that a run has to end in before it is deleted
NOTHING_KEPT = "It was stopped before there was anything to keep. Start it again, and give it a little longer."


class State(StrEnum):
    """How far a run is."""

    waiting = "waiting"
    training = "training"
    done = "done"
    stopped = "stopped"
    failed = "failed"


@dataclass(frozen=True)
class Asked:
    """What a run was asked to do: ``need`` is compress, flag, clean, generate or sweep."""

    data: str
    need: str
    width: int | None = None
    kind: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)  # max_seconds, max_epochs, seed, damage, contaminated, condition
    skip_bad: bool = False

    @property
    def source(self) -> Source:
        """The data."""
        return Source(self.data, self.kind, self.columns, self.skip_bad)

    @property
    def condition(self) -> str | None:
        """The column that samples can be asked for by, or "label" of a named dataset."""
        return self.options.get("condition") or None


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
        found = read_form(self.path / "run.json", Asked)
        if found is not None:
            return found
        needs = {"AnomalyDetector": "flag", "DenoisingAutoencoder": "clean", "VariationalAutoencoder": "generate"}
        return Asked("", needs.get(str(self._told.get("estimator")), "compress"))

    @property
    def _told(self) -> dict[str, Any]:
        """What the file of its model says; nothing if it can't be read."""
        try:
            return hg.info(self.model_path)
        except hg.HourglassError:
            return {}

    @property
    def asked_at(self) -> int:
        """When, in nanoseconds."""
        return changed_at(self.path / "run.json") or changed_at(self.model_path)

    @property
    def model_path(self) -> Path:
        """Where its model lies."""
        return self.path / MODEL

    @property
    def state(self) -> State:
        """How far it is."""
        locked, result = self._locked(), self.result  # in this order: who trains says what came of it before it ends
        if result:
            return State.stopped if result.get("stopped") else State.done
        if locked:
            return State.training
        if (self.path / "failed.txt").exists():
            return State.failed
        if self.model_path.exists() and not (self.path / "run.json").exists():  # a command put it here
            return State.done if self._told else State.failed
        return State.failed if (self.path / "lock").exists() else State.waiting

    @property
    def sentence(self) -> str:
        """Why it failed; empty if it didn't."""
        told = read_words(self.path / "failed.txt")
        if told:
            return told
        if self.state is State.failed and self.stopping:
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
        return read_words(self.path / "stage.txt") or "Starting"

    def epochs(self) -> list[Made]:
        """A record of each epoch, as `Epoch` has it, with its ``share`` of the whole way and, in a sweep, its ``width``."""
        return self.log().read()

    def log(self) -> Log:
        """The same for who looks again and again."""
        return Log(self.path / "progress.jsonl")

    def model(self) -> Any:
        """The fitted model, kept in memory until another is asked for."""
        return _load(str(self.model_path), changed_at(self.model_path))

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

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end early: a signal alone can get lost while Python starts."""
        return (self.path / "stopping").exists()

    def remove(self) -> None:
        """Delete the run and all that it made."""
        self.stop()
        until = time.monotonic() + PATIENCE  # a run that goes on would make its folder anew
        while self._locked() and time.monotonic() < until:
            time.sleep(0.1)
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


class Log:
    """The records of a file to which lines of JSON are added, of which each look reads what is new alone."""

    def __init__(self, path: Path) -> None:
        self.path, self.end, self.records = path, 0, list[Made]()

    def read(self) -> list[Made]:
        """All records so far; none where there is no file yet."""
        with suppress(OSError), self.path.open("rb") as file:
            file.seek(self.end)
            for line in file:
                if line.endswith(b"\n"):  # the last may be half-written
                    self.records.append(json.loads(line))
                    self.end += len(line)
        return self.records


_CHILDREN: list[subprocess.Popen[bytes]] = []
_LOOKING = Lock()  # one thread at a time has to do with lock files: who looks at one must not keep another from starting


@lru_cache(maxsize=2)
def _load(path: str, changed: int) -> Any:
    return hg.load(path)
