"""The rows of a run with their codes: what the map shows of them, and what it makes of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import hourglass as hg
from hourglass.data.some import spread
from hourglass.data.tables import FILE, apart
from hourglass.kinds import as_raw, length, taken
from hourglass.server.studio import drawn
from hourglass.server.studio.codemap import MOST_POINTS, Tints, clusters, shades, tints
from hourglass.server.studio.plain import changed_at
from hourglass.server.studio.runs import Run
from hourglass.server.studio.sources import Source

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[Any]
STEPS = 25  # pictures on the way from one row to another


@dataclass(frozen=True, eq=False)
class Charted:
    """Rows, at most 100,000 of them evenly spaced, and their codes.

    Parameters
    ----------
    model : estimator
        With codes.
    raw : array or table of n rows
    numbers : array of int of shape (n,)
        Which rows of the data they are.
    codes : array of shape (n, codes)
    labels : array of shape (n,), optional
        What is known beside the rows.
    condition : array of shape (n,), optional
        What the model has to be told beside a code.
    files : array of shape (n,), optional
        The file that each picture is from.
    """

    model: Any
    raw: Any
    numbers: Array
    codes: Array
    labels: Array | None = None
    condition: Any = None
    files: Array | None = None
    _seen: dict[str, Tints] = field(default_factory=dict)

    @property
    def kind(self) -> Any:
        """What the rows are."""
        return self.model.kind_

    @cached_property
    def errors(self) -> Array:
        """Nats that each row costs (n,): the more, the worse it is rebuilt."""
        return -np.asarray(self.model.score_samples(self.raw, *self._told(slice(None))))

    def _told(self, which: Any) -> tuple[Any, ...]:
        return () if self.condition is None else (self.condition[which],)

    # Colours

    def ways(self) -> dict[str, str]:
        """What points can be coloured by: names, and what people call them; the first is quick, as the map opens with it."""
        columns = [str(name) for name in getattr(self.raw, "columns", [])]
        labels = {"label": "label"} if self.labels is not None else {}
        return {**labels, "cluster": "cluster", "error": "error", **{f"column {name}": name for name in columns}}

    def tinted(self, by: str) -> Tints:
        """The colours by one of the `ways`."""
        if by not in self._seen:
            self._seen[by] = self._tints(by)
        return self._seen[by]

    def _tints(self, by: str) -> Tints:
        if by == "error":
            return shades(self.errors)
        if by == "cluster":
            return tints(clusters(self.codes))
        if by == "label":
            return tints(self.labels)
        values = self.raw[by.removeprefix("column ")]
        return tints(values.to_numpy())

    # What is seen

    def seen(self, row: int) -> str:
        """A row as HTML."""
        return drawn.row(self.kind, self.raw, row, f"row {self.numbers[row]}")

    def named(self, row: int) -> str:
        """What a row is called."""
        known = [drawn.words(each[row]) for each in (self.labels, self.files) if each is not None]
        return " · ".join([f"Row {self.numbers[row]:,}", *known])

    def decoded(self, codes: Array, like: int | None = None) -> list[str]:
        """What the decoder makes of codes (m, codes), as HTML; told what is known beside the row ``like``, if it has to be told."""
        told = self._told(np.full(len(codes), 0 if like is None else like))
        made = self.model.inverse_transform(codes, *told)
        return drawn.rows(self.kind, made, ["drawn by the model"] * len(codes))

    def way(self, a: int, b: int) -> list[str]:
        """The way from one row to another, as HTML."""
        if not hasattr(self.model, "interpolate"):
            share = np.linspace(0, 1, STEPS, dtype=self.codes.dtype)[:, None]
            return self.decoded((1 - share) * self.codes[a] + share * self.codes[b], a)
        ends = [taken(self.raw, np.array([row])) for row in (a, b)]
        told = {} if self.condition is None else {"condition": self.condition[a]}
        made = self.model.interpolate(*ends, steps=STEPS, **told)
        return drawn.rows(self.kind, made, ["on the way"] * STEPS)

    # What is kept

    def table(self, mask: Array) -> pl.DataFrame:
        """The rows of a mask (n,) with all that is known of them: number, columns or text, label, cluster, error, codes."""
        import polars as pl

        which = np.flatnonzero(mask)
        found = {"row": self.numbers[which]} | ({} if self.files is None else {FILE: self.files[which]})
        some = taken(self.raw, which)
        names = [str(name) for name in getattr(some, "columns", self.kind.names if self.kind.name == "table" else ())]
        found |= {name if name not in found else f"{name}_": _column(some, i) for i, name in enumerate(names)}
        if self.kind.symbolic and self.kind.name != "melody" and not names:
            found["text"] = np.array([drawn.words(one) for one in some], dtype=object)
        extra = {"label": None if self.labels is None else np.asarray(self.labels)[which], "error": self.errors[which]}
        if "cluster" in self._seen:
            tinted = self._seen["cluster"]
            extra["cluster"] = np.array([name for name, _ in tinted.groups])[tinted.places[which]]
        extra |= {f"code{i}": self.codes[which, i] for i in range(self.codes.shape[1])}
        found |= {name if name not in found else f"{name}_": values for name, values in extra.items() if values is not None}
        return pl.DataFrame({name: pl.Series(name, values) for name, values in found.items()})

    def keep(self, mask: Array, path: Path) -> Path:
        """Write those rows to a CSV or a Parquet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        hg.write(path, self.table(mask))
        return path


def _column(some: Any, place: int) -> Any:
    if hasattr(some, "iloc"):
        return some.iloc[:, place].to_numpy()
    return some[some.columns[place]] if hasattr(some, "columns") else np.asarray(some)[:, place]


def chart(run: Run, source: Source) -> Charted:
    """The rows of a source and the codes that a run's model gives them; kept in memory until others are asked for."""
    return _chart(run, changed_at(run.model_path), source.data, source.changed, source.skip_bad)


@lru_cache(maxsize=2)
def _chart(run: Run, fitted: int, data: str, changed: int, skip_bad: bool) -> Charted:
    model, source = coded(run.model()), Source(data, skip_bad=skip_bad)
    raw, known = apart(source.title, source.read(), source.labels(), run.asked.condition)
    told = known if getattr(model, "condition_kind_", None) is not None else None
    return charted(model, raw, source.labels() if known is None else known, told, source.files())


def charted(model: Any, raw: Any, labels: Any = None, condition: Any = None, files: Any = None) -> Charted:
    """Rows with the codes that a model gives them."""
    rows = model.kind_.opened(as_raw(raw, kind=model.kind_.name))
    n = length(rows)
    numbers = spread(n, MOST_POINTS)
    some = rows if n <= MOST_POINTS else taken(rows, numbers)
    beside = (None if each is None or len(each) != n else np.asarray(each)[numbers] for each in (labels, condition, files))
    known, told, places = beside
    codes = np.asarray(model.transform(some) if told is None else model.transform(some, told))
    return Charted(model, some, numbers, codes.reshape(len(codes), -1), known, told, places)


def coded(model: Any) -> Any:
    """A model with codes: itself, or the autoencoder within a detector."""
    inner = getattr(model, "estimator_", None) or model
    if not hasattr(inner, "transform"):
        raise hg.DataError(
            "This detector has no codes to draw a map of. Train a model to compress or to generate, or look at its alarms."
        )
    inner.get_feature_names_out()  # says so where there is no waist
    return inner
