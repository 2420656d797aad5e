"""Rows as a detector judges them: how many alarms a rate raises, what raised each, and what people said about it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import hourglass as hg
from hourglass.data.some import spread
from hourglass.kinds import as_raw, length, taken
from hourglass.server.studio import drawn, making

if TYPE_CHECKING:
    import polars as pl

    from hourglass.estimators import Drift

MARKS = ("fine", "real")
MARKED = ("data", "row", "mark")  # columns of the file of marks
MOST_REASONS = 4  # columns or places that are shown of an alarm
LEAST_BLAME = 0.01  # share of it below which a column has no bar
ROUNDING = 1e-6  # of a rate: p-values come in single precision
BINS = 48
FEWEST, MOST = 100, 10_000  # rows that tell whether data has changed, and of which it is told
Array = NDArray[Any]


class Alarm(NamedTuple):
    """One alarm: a row, or an event of a record."""

    row: int  # its number; of an event, that of its first sample
    title: str
    p_value: float
    score: float
    reasons: tuple[str, ...]
    html: str  # what it looks like, with what raised it marked
    names: str = ""  # what its identifiers say, where it has some


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows with their scores and p-values.

    Parameters
    ----------
    detector : AnomalyDetector
    raw : array, table or record
        As the detector takes it.
    title : str
        What people call the data.
    scores, p_values : array of shape (n,)
        Of rows; of a record, of samples.
    files : sequence of n str, optional
        The file that each picture is from.
    drift : Drift, optional
        Whether they are still of the sort that was learned from, where that is to be known, and there are enough of them.
    """

    detector: Any
    raw: Any
    title: str
    scores: Array
    p_values: Array
    files: Sequence[str] | None = None
    drift: Drift | None = None

    @property
    def of_record(self) -> bool:
        """Whether alarms are events in time, not rows."""
        return bool(self.detector.kind_.of_record)

    @property
    def noun(self) -> str:
        """What is judged."""
        return "samples" if self.of_record else "rows"

    @cached_property
    def order(self) -> Array:
        """Rows, the strangest first."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def _ordered(self) -> Array:
        return np.sort(self.p_values)

    def count(self, rate: float) -> int:
        """How many rows raise an alarm at a rate, or at the least that can be promised: those whose p-value is at most that."""
        return int(np.searchsorted(self._ordered, max(rate, self.least) * (1 + ROUNDING), "right"))

    def promised(self, rate: float) -> float:
        """How many of so many usual rows would raise a false alarm."""
        return rate * len(self.p_values)

    @property
    def least(self) -> float:
        """The lowest rate that the detector can promise: that of rows stranger than all that tell it what is usual."""
        return float(self.detector.model_.alarm.least_rate)

    @property
    def rates(self) -> tuple[float, float]:
        """The lowest and the highest rate that make a difference."""
        return min(max(self.least, 1e-5), 0.25), 0.5

    def words(self, learned: bool) -> str:
        """What is judged, and why few of its rows may raise an alarm; ``learned``: they are the rows of the training."""
        said = [f"Judged: {self.title}."]
        if learned and not self.count(self.rates[1]):
            said.append("The detector remembers these very rows, so none of them can raise an alarm: drop in new ones.")
        elif learned:
            said.append("The detector learned from these very rows, so they look more usual to it than others: drop in new ones.")
        asked, alarm = float(self.detector.alarm_rate_), self.detector.model_.alarm
        if asked < self.least * (1 - ROUNDING):
            known = f"{round(len(alarm.reference) / alarm.of_one):,} {'windows' if self.of_record else 'rows'}"
            said.append(
                f"It was asked to promise a rate of {asked:.1%}, but has only {known} to tell what is usual by, enough for "
                f"{self.least:.1%}: the slider begins there. Train it on more."
            )
        return " ".join(said)

    def histogram(self) -> tuple[Array, Array]:
        """How many rows there are of each score, and where each of the bins begins and ends."""
        low, high = float(self.scores.min()), float(np.quantile(self.scores, 0.999))
        clipped = np.clip(self.scores, low, high)
        return np.histogram(clipped, BINS, (low, high if high > low else low + 1))

    def threshold(self, rate: float) -> float:
        """The score above which an alarm is raised."""
        n = self.count(rate)
        return float(self.scores[self.order[n - 1]]) if n else float(np.inf)

    # Alarms

    def alarms(self, rate: float, rows: Sequence[int]) -> list[Alarm]:
        """Some of the rows that raise an alarm at a rate, with what raised it."""
        which = np.asarray(rows, int)
        if not len(which):
            return []
        some = taken(self.raw, which)
        found = at_rate(self.detector, rate).explain(some, most=MOST_REASONS)
        kind = self.detector.kind_
        looks = LOOKS[kind.family](self.detector, some, found)
        origins = kind.origins(some)
        titles = [f"Row {row:,}" for row in which]
        if origins:
            titles = [f"{name or f'Tune {tune:,}'}, from bar {bar}" for tune, name, bar in zip(*origins.values(), strict=True)]
        said: list[tuple[str, ...]] = [tuple(found.filter(found["row"] == place)["reason"]) for place in range(len(which))]
        named = making.identifiers(self.detector, some, None if self.files is None else [self.files[row] for row in which])
        names = [", ".join(f"{name} {drawn.words(value)}" for name, value in line.items()) for line in named.iter_rows(named=True)]
        return [
            Alarm(int(row), title, float(self.p_values[row]), float(self.scores[row]), why, html, name)
            for row, title, why, html, name in zip(which, titles, said, looks, names or [""] * len(which), strict=True)
        ]

    def events(self, rate: float) -> pl.DataFrame:
        """The events of a record at a rate, the strangest first."""
        found: pl.DataFrame = at_rate(self.detector, rate).events(self.raw).sort("score", descending=True)
        return found

    def event(self, line: dict[str, Any]) -> Alarm:
        """One of the `events`, as it looks."""
        record = self.detector.kind_.opened(self.raw).record
        place = np.arange(len(record)) if record.place is None else record.place  # the sample of each row of a table
        start, end = int(place[line["start"]]), int(place[line["end"] - 1]) + 1
        around = max(2 * (end - start), 60)
        first, last = max(start - around, 0), min(end + around, len(record))
        spans = [(name, start - first, end - first) for name in line["channels"].split(", ")]
        html = drawn.curves(record.values[first:last].T, record.names, line["reason"], spans=spans)
        title = f"Samples {line['start']:,} to {line['end'] - 1:,}"
        when = "" if line["time"] is None else f", at {line['time']}"
        return Alarm(line["start"], title + when, line["p_value"], line["score"], (line["reason"],), html)

    def keep(self, rate: float, marks: dict[int, str], path: Path) -> Path:
        """Write all alarms at a rate with their identifiers, reasons and marks."""
        import polars as pl

        names = making.identifiers(self.detector, self.raw, self.files)
        found = making.alarms(at_rate(self.detector, rate), self.raw, names).filter(pl.col("alarm")).sort("score", descending=True)
        said = [marks.get(row, "") for row in found["row"]]
        hg.write(path, found.with_columns(pl.Series("mark", said, dtype=pl.String)))
        return path


def at_rate(detector: Any, rate: float) -> Any:
    """The detector at another rate; it has the same parts, and others may go on with it as it is."""
    other = copy(detector)
    other.set_alarm_rate(max(rate, detector.model_.alarm.least_rate))  # below it nothing can be promised
    return other


def judge(detector: Any, raw: Any, title: str, files: Sequence[str] | None = None, *, new: bool = False) -> Judged:
    """Scores and p-values of rows; of pictures also their ``files``, and of ``new`` rows whether they are of another sort."""
    if not hasattr(detector, "p_values"):
        raise hg.DataError("Only a detector raises alarms, and this model is none. Train one that flags.")
    kind = detector.kind_
    rows = as_raw(raw, kind=kind.name)
    if kind.symbolic or (kind.name == "series" and not kind.of_record):  # of tunes windows are judged, of a long table its series
        rows = kind.opened(rows)
    found = detector.alarms(rows, reasons=0)
    if found.height == 0:
        raise hg.DataError(f"'{title}' has no rows to judge.")
    drift = None
    if new and found.height >= FEWEST:
        drift = detector.drift(rows if kind.of_record else taken(rows, spread(length(rows), MOST)))
    return Judged(detector, rows, title, found["score"].to_numpy(), found["p_value"].to_numpy(), files, drift)


# What an alarm looks like, by kind


def _columns(detector: Any, some: Any, found: pl.DataFrame) -> list[str]:
    """Of each row a bar for each column most to blame."""
    looks = []
    for place in range(length(some)):
        lines = []
        for line in found.filter((found["row"] == place) & (found["share"] >= LEAST_BLAME)).iter_rows(named=True):
            words = f"<span>{escape(line['column'])}</span><b>{line['share']:.0%}</b>"
            lines.append(f'<li>{words}<i style="width:{100 * line["share"]:.1f}%"></i></li>')
        looks.append(f'<ul class="blame" aria-label="Share of the blame">{"".join(lines)}</ul>')
    return looks


def _heat(detector: Any, some: Any, found: pl.DataFrame) -> list[str]:
    """Of each picture itself, and beside it the same under its score map."""
    before = [drawn.pixels_of(detector.kind_, picture) for picture in some]
    over = hg.plots.overlays(detector, some, found)
    return [
        f'<div class="pair"><div>{drawn.image(a, "the picture")}</div><div>{drawn.image(b, "where it is strange")}</div></div>'
        for a, b in zip(before, over, strict=True)
    ]


def _spans(detector: Any, some: Any, found: pl.DataFrame) -> list[str]:
    """Of each row its curves, with the strange stretches shaded."""
    values = detector.kind_.to_tensor(some).numpy()
    looks = []
    for place, row in enumerate(values):
        mine = found.filter(found["row"] == place)
        spans = list(mine.select("channel", "start", "end").iter_rows())
        looks.append(drawn.curves(row, detector.kind_.channels, "; ".join(mine["reason"]), spans=spans))
    return looks


def _symbols(detector: Any, some: Any, found: pl.DataFrame) -> list[str]:
    """Of each row itself, and below it a bar for each position most to blame."""
    shown = drawn.rows(detector.kind_, some, [""] * length(some))
    return [row + bars for row, bars in zip(shown, _columns(detector, some, found), strict=True)]


LOOKS = {"table": _columns, "image": _heat, "series": _spans, "symbols": _symbols}


# What people said


class Marks:
    """Which rows of some data are fine and which are real, in a file that spreadsheets read too.

    Parameters
    ----------
    path : path
        A CSV with the columns data, row, mark.
    data : str
        Which data the rows are of: their path, or the name of a dataset.
    """

    def __init__(self, path: Path, data: str) -> None:
        self.path, self.data = path, data
        self.rows: dict[int, str] = {row: mark for name, row, mark in self._lines() if name == data and mark in MARKS}

    def set(self, row: int, mark: str) -> None:
        """Mark a row, or take the mark back with an empty one; kept at once, beside what other pages have marked meanwhile."""
        import polars as pl

        self.rows.pop(row, None)
        if mark:
            self.rows[row] = mark
        lines = [line for line in self._lines() if line[:2] != (self.data, row)]
        lines += [(self.data, row, mark)] if mark else []
        if lines:
            hg.write(self.path, pl.DataFrame(sorted(lines), schema=list(MARKED), orient="row"))
        else:
            self.path.unlink(missing_ok=True)  # a table without rows can't be read again

    def _lines(self) -> list[tuple[str, int, str]]:
        import polars as pl

        if not self.path.exists():
            return []
        try:
            found = pl.read_csv(self.path, schema_overrides={"data": pl.String, "row": pl.Int64, "mark": pl.String})
            return list(found.select(MARKED).iter_rows())
        except pl.exceptions.PolarsError as error:
            what = str(error).partition("\n")[0]
            raise hg.FileError(f"The marks in '{self.path}' can't be read: {what}. Mend that file, or delete it.") from error
