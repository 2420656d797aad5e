"""The view "Alarms": what stands out, how many alarms a rate raises, and what raised each. Of a cleaner, before and after."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from nicegui import ui

import hourglass as hg
from hourglass.server.studio import widgets as w
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.judged import MARKS, Alarm, Judged, Marks, judge
from hourglass.server.studio.runs import Run
from hourglass.server.studio.sources import Source
from hourglass.server.studio.views import cleaner
from hourglass.server.studio.views.progress import choose, fetch

PAGE = 8  # alarms at once
STEPS = 400  # of the slider, whose rates grow by a factor with each
NEEDS = ("flag", "clean")
NO_MODEL = "Train a detector to flag what is strange, or a cleaner to mend what is damaged."
DROP = {
    "flag": ("Drop new rows here to judge them", "Of the kind that the detector learned from"),
    "clean": ("Drop files here to clean them", "Pictures, or rows of the kind that the cleaner learned from"),
}
SHOWN = {"all": "all alarms", "open": "not marked yet", "real": "marked as real", "fine": "marked as fine"}


def draw(folder: Folder, run: Run | None) -> None:
    """Draw the view."""
    ui.add_head_html('<link rel="stylesheet" href="/studio/map.css"><link rel="stylesheet" href="/studio/alarms.css">')
    runs = folder.fitted(*NEEDS)
    chosen = run if run in runs else folder.latest(runs)
    if chosen is None:
        w.empty("Nothing judges your rows yet", NO_MODEL, "Train one", "/train")
        return
    with w.box("stack"):
        with w.box("row apart judged-what"):
            choose(chosen, runs, "alarms")
            heading, words = DROP[chosen.asked.need]
            w.drop_zone(heading, words, lambda path: _show(place, folder, chosen, path))
        place = w.box("judging")
        ui.timer(0, lambda: _show(place, folder, chosen, ""), once=True)  # the page is there before the work is done


async def _show(place: Any, folder: Folder, run: Run, path: str) -> None:
    """Judge data, that of the run unless a path is given, or clean it."""
    try:
        source = Source(path) if path else folder.data_of(run)
    except hg.HourglassError as error:
        with place:
            w.notice(str(error))
        return
    if run.asked.need == "clean":
        await cleaner.draw(place, run, source, dropped=bool(path))
        return
    learned = not path and not source.named
    judged = await w.shown(place, "Looking at every row …", _judged, run, source, not learned)
    if judged is not None:
        with place:
            _Alarms(run, source, judged, learned=learned).draw()


def _judged(run: Run, source: Source, new: bool) -> Judged:
    title = f"{source.title}, the test rows" if source.named else source.title
    return judge(run.model(), source.unseen(), title, source.files(), new=new)


class _Alarms:
    """The alarms of some data as one person sees them."""

    def __init__(self, run: Run, source: Source, judged: Judged, *, learned: bool) -> None:
        self.run, self.judged, self.learned = run, judged, learned
        self.marks = Marks(run.path / "marks.csv", source.data)
        self.rate = float(np.clip(judged.detector.alarm_rate_, *judged.rates))
        self.page, self.last, self.shown = 0, 0, "all"

    def draw(self) -> None:
        with w.card(classes="rate-card"):
            w.text("p", self.judged.words(self.learned), "note")
            if self.judged.drift is not None and self.judged.drift.drifted:
                w.notice(self.judged.drift.words, "info")
            self.told = w.box("", role="status")
            self.chart = w.markup("div", "", "spread")
            self._slider()
        with w.card(classes="alarm-list"):
            with w.box("row apart list-top"):
                w.text("h2", "What stands out")
                with w.box("row"):
                    w.choice("Show", SHOWN, "all", self._filter, hidden=True)
                    w.button("Download CSV", self._download)
            w.text("p", f"{self.judged.noun.capitalize()} are counted from 0.", "note")
            self.failed = w.box("told")
            self.list = w.box("alarms", "ol")
            self.pages = w.box("row apart pages", "nav", aria_label="Pages of alarms")
        self._tell()
        ui.timer(0, self._list, once=True)

    # The rate

    def _slider(self) -> None:
        low, high = self.judged.rates
        self.factor = math.log(high / low) / STEPS
        at = round(math.log(self.rate / low) / self.factor)
        w.slider("Rate of false alarms", 0, STEPS, at, self._move, settle=self._settle, step=1, hidden=True)
        with w.box("row apart note ends", aria_hidden="true"):
            w.text("span", "← fewer alarms")
            w.text("span", "more alarms →")

    def _move(self, at: float) -> None:
        self.rate = min(self.judged.rates[0] * math.exp(self.factor * at), 0.5)
        self._tell()

    async def _settle(self, at: float) -> None:
        self._move(at)
        self.page = 0
        await self._list()

    def _tell(self) -> None:
        judged, count = self.judged, self.judged.count(self.rate)
        named = {
            "Alarming samples" if judged.of_record else "Alarms": f"{count:,}",
            "Promised false alarms": f"at most {_count(judged.promised(self.rate))}",
            "Promised rate": f"{self.rate:.2%}" if self.rate < 0.1 else f"{self.rate:.0%}",
            f"{judged.noun.capitalize()} judged": f"{len(judged.p_values):,}",
        }
        self.told.clear()
        with self.told:
            w.figures(named)
        self.chart.set_content(_spread(judged, self.rate))

    # The list

    async def _list(self) -> None:
        asked = self.rate, self.shown, self.page
        found, count = await w.aside(self._found, *asked)
        if asked != (self.rate, self.shown, self.page):  # another list is on its way
            return
        self.last = max(-(-count // PAGE) - 1, 0)
        self.list.clear()
        with self.list:
            for alarm in found:
                self._entry(alarm)
            if not found:
                w.text("li", "Nothing here." if self.shown != "all" else "No row raises an alarm at this rate.", "note none")
        self.pages.clear()
        self.pages.set_visibility(count > 0)
        with self.pages:
            w.text("span", f"{min(self.page * PAGE + 1, count):,} to {min((self.page + 1) * PAGE, count):,} of {count:,}", "note")
            with w.box("row"):
                w.button("Previous", lambda: self._turn(-1), **_disabled(self.page == 0))
                w.button("Next", lambda: self._turn(1), **_disabled(self.page == self.last))

    def _found(self, rate: float, shown: str, page: int) -> tuple[list[Alarm], int]:
        """The alarms of a page, and how many there are on all."""
        judged, here = self.judged, slice(page * PAGE, (page + 1) * PAGE)
        if judged.of_record:
            events = [line for line in judged.events(rate).iter_rows(named=True) if self._wanted(line["start"], shown)]
            return [judged.event(line) for line in events[here]], len(events)
        rows = [row for row in judged.order[: judged.count(rate)].tolist() if self._wanted(row, shown)]
        return judged.alarms(rate, rows[here]), len(rows)

    def _wanted(self, row: int, shown: str) -> bool:
        return shown == "all" or self.marks.rows.get(row, "open") == shown

    def _entry(self, alarm: Alarm) -> None:
        with w.box("alarm", "li") as entry:
            w.markup("div", alarm.html, "looks")
            with w.box("why"):
                w.text("h3", alarm.title)
                if alarm.names:
                    w.text("p", alarm.names, "named")
                w.text("p", f"{_rare(alarm.p_value)} · score {alarm.score:.3g}", "note")
                for reason in alarm.reasons[:3]:
                    w.text("p", reason)
            with w.box("marks", role="group", aria_label=f"{alarm.title} is"):
                buttons = {
                    mark: w.button(mark.capitalize(), lambda mark=mark: self._mark(entry, buttons, alarm.row, mark), "mark-" + mark)
                    for mark in MARKS
                }
        self._paint(entry, buttons, alarm.row)

    def _mark(self, entry: Any, buttons: dict[str, Any], row: int, mark: str) -> None:
        self.marks.set(row, "" if self.marks.rows.get(row) == mark else mark)
        self._paint(entry, buttons, row)

    def _paint(self, entry: Any, buttons: dict[str, Any], row: int) -> None:
        said = self.marks.rows.get(row)
        for mark, button in buttons.items():
            button.props["aria-pressed"] = str(mark == said).lower()
            button.update()
        entry.classes(replace=f"alarm {said or ''}")

    async def _turn(self, by: int) -> None:
        self.page = min(max(self.page + by, 0), self.last)
        await self._list()

    async def _filter(self, shown: str) -> None:
        self.shown, self.page = shown, 0
        await self._list()

    async def _download(self) -> None:
        await fetch(self.run, self.failed, self.judged.keep, self.rate, self.marks.rows, self.run.path / "alarms.csv")


def _disabled(off: bool) -> dict[str, str]:
    return {"disabled": ""} if off else {}


def _count(number: float) -> str:
    """A number of rows that need not be whole."""
    return f"{number:,.2g}" if number < 10 else f"{number:,.0f}"


def _rare(p_value: float) -> str:
    """A p-value in words."""
    return f"at most 1 in {1 / p_value:,.0f} usual ones is as strange" if p_value <= 0.5 else "as usual as most"


def _spread(judged: Judged, rate: float) -> str:
    """How the scores are spread, with those that raise an alarm in orange."""
    counts, edges = judged.histogram()
    tall = np.log1p(counts) / max(np.log1p(counts.max()), 1)
    threshold, ends = judged.threshold(rate), [*edges[1:-1], math.inf]  # all that is beyond the last edge stands in the last bar
    wide = 100 / len(counts)
    bars = [
        f'<rect class="{"strange" if end > threshold else ""}" x="{wide * (i + 0.07):.2f}" y="{30 - 29 * high:.2f}" '
        f'width="{0.86 * wide:.2f}" height="{29 * high:.2f}"/>'
        for i, (high, end) in enumerate(zip(tall, ends, strict=True))
        if high
    ]
    label = f"{judged.count(rate)} of {len(judged.scores)} {judged.noun} are above the threshold"
    return (
        f'<svg viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label="{label}">{"".join(bars)}</svg>'
        '<div class="row apart note" aria-hidden="true"><span>usual</span><span>strange</span></div>'
    )
