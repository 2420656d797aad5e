"""Data of a studio: files by their path, or a named dataset."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import hourglass as hg
from hourglass.data import read_with_places, reads_pictures
from hourglass.data.tables import FILE
from hourglass.errors import hearing, warn
from hourglass.server.studio.plain import changed_at


@dataclass(frozen=True)
class Source:
    """Data by its path or by the name of a dataset, and what was corrected about it."""

    data: str
    kind: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    skip_bad: bool = False  # whether what can't be read is left out

    @property
    def title(self) -> str:
        """What people call it."""
        return Path(self.data).name or self.data

    @property
    def named(self) -> bool:
        """Whether it is a named dataset, which has labels and rows to test on; a file of that name goes before."""
        return self.data in hg.datasets.names() and not Path(self.data).exists()

    @property
    def changed(self) -> int:
        """A number that is another when what lies there is; of a file when it was changed, in nanoseconds."""
        path = Path(self.data)
        if os.path.isdir(path):  # noqa: PTH112 (any string)
            return hash(tuple((str(file), changed_at(file)) for file in sorted(path.rglob("*"))))
        return changed_at(path)

    def read(self) -> Any:
        """The rows, of a dataset those to train on; kept in memory until others are asked for."""
        if self.named:
            return hg.datasets.load(self.data).x_train
        raw, _, told = _read(self.data, self.changed, self.skip_bad)
        for words in told:  # also when they are in memory already
            warn(words)
        return raw

    def files(self) -> list[str] | None:
        """The file that each picture is from; None of what is not one row a file."""
        known = reads_pictures(self.data) and not self.named
        return _read(self.data, self.changed, self.skip_bad)[1].get(FILE) if known else None

    def unseen(self) -> Any:
        """Rows that no model of the studio has learned from, if there are some; else all."""
        return hg.datasets.load(self.data).x_test if self.named else self.read()

    def labels(self) -> Any:
        """What is known beside the rows, if something is."""
        return hg.datasets.load(self.data).y_train if self.named else None


@lru_cache(maxsize=2)
def _read(data: str, changed: int, skip_bad: bool) -> tuple[Any, dict[str, Any], list[str]]:
    """The rows, where each is from, and what was warned of."""
    with hearing() as told:
        raw, places = read_with_places(data, skip_bad=skip_bad)
    if isinstance(raw, hg.Record) and len(raw.seams):
        raise hg.DataError(
            f"These are {len(raw.seams) + 1} records, and the studio looks at one. Drop one of them; hourglass fit takes all."
        )
    return raw, places, told
