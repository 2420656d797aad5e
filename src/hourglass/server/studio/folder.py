"""The folder that the studio works in: data, runs and what they made, as plain files that the commands read and write too.

FOLDER/data/             what was dropped in
FOLDER/studio.json       which data was looked at last, and what was corrected about it
FOLDER/runs/NAME/        a run: run.json, progress.jsonl, preview.json, log.txt, model.safetensors, result.json, what it made
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import hourglass as hg
from hourglass.server.studio.plain import free, plain_name, read_form, write_json
from hourglass.server.studio.runs import MODEL, Asked, Run, State
from hourglass.server.studio.sources import Source


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
        return read_form(self.path / "studio.json", Source)

    def choose(self, source: Source) -> None:
        """Make this the data that is looked at."""
        write_json(self.path / "studio.json", asdict(source))

    def dropped(self) -> list[Path]:
        """What was dropped in, by name; of a record, whose files are in a folder, its header."""
        found = sorted(path for path in (self.path / "data").iterdir() if not path.name.startswith("."))
        return [next(path.glob("*.hea"), path) for path in found]

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

    def latest(self, runs: Sequence[Run]) -> Run | None:
        """Of runs, the first about the data that was looked at last; else the first of all."""
        source = self.source
        return next((run for run in runs if run.asked.source == source), runs[0] if runs else None)

    def new_run(self, asked: Asked, name: str = "") -> Run:
        """A run that has not begun."""
        wanted = plain_name(name or f"{Source(asked.data).title.split('.')[0]}-{asked.need}")
        path = free(self.path / "runs" / wanted)
        path.mkdir(parents=True)
        write_json(path / "run.json", asdict(asked))
        return Run(path)


def _is_run(path: Path) -> bool:
    return (path / "run.json").exists() or (path / MODEL).exists()
