"""The view "Map": every row as a point among its likes; what lies between them; and rows picked by hand."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from nicegui import ui
from numpy.typing import NDArray

import hourglass as hg
from hourglass.server.studio import drawn
from hourglass.server.studio import widgets as w
from hourglass.server.studio.charted import Charted, chart
from hourglass.server.studio.codemap import Plane, Tints, in_words, plane, within
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.plain import free
from hourglass.server.studio.points import Points
from hourglass.server.studio.runs import Run
from hourglass.server.studio.views.looking import Side
from hourglass.server.studio.views.progress import choose, fetch

HOW = (
    "Drag to move, scroll or pinch to zoom. With the keyboard, arrows move, + and − zoom, 0 shows everything, "
    "and Enter picks what is in the middle."
)
NO_MODEL = "A map shows the codes that a model gives your rows. Train one to compress or to generate: it takes a minute."
NEEDS = ("compress", "generate")


def draw(folder: Folder, run: Run | None) -> None:
    """Draw the view."""
    ui.add_head_html('<link rel="stylesheet" href="/studio/map.css">')
    runs = folder.fitted(*NEEDS)
    if run is not None and run not in runs and run.model_path.exists():
        runs.insert(0, run)  # a detector or a cleaner that was asked for: some have codes
    chosen = run if run in runs else folder.latest(runs)
    if chosen is None:
        w.empty("No model yet", NO_MODEL, "Train one", "/train")
        return
    with w.box("stack") as place:
        w.busy("Working out the codes of your rows …")
    ui.timer(0, lambda: _show(place, folder, chosen, runs), once=True)  # the page is there before the work is done


async def _show(place: Any, folder: Folder, run: Run, runs: list[Run]) -> None:
    """The map of a run, once its codes are known."""
    try:
        shown, error = await w.aside(lambda: _Map(run, chart(run, folder.data_of(run)), runs)), ""
    except hg.HourglassError as caught:
        shown, error = None, str(caught)
    place.clear()
    with place:
        if shown is None:
            choose(run, runs, "map")
            w.notice(error, "info")
        else:
            shown.draw()


class _Map:
    """The map of a run as one person sees it."""

    def __init__(self, run: Run, charted: Charted, runs: list[Run]) -> None:
        self.run, self.charted, self.runs = run, charted, runs
        self.by = next(iter(charted.ways()))
        self.flat: Plane = plane(charted.codes)
        self.tinted: Tints = charted.tinted(self.by)
        self.along = "main"
        self.side = Side(charted, self._mark)
        self.mask: NDArray[np.bool_] | None = None

    def draw(self) -> None:
        with w.box("map-page"):
            with w.box("card map-card", "section", aria_label="Map"):
                self._tools()
                self.points = Points(self.flat.points, self.tinted.places, self.tinted.palette, self._label())
                with self.points:
                    self.tip = w.markup("div", "")
                self._listen()
                self.legend = w.box("legend")
                self.summary = w.text("p", "", "unseen")
                self.points.props(f'described="{self.summary.html_id}"')
                w.text("p", HOW, "note")
                self.chosen = w.box("chosen-rows", role="status")
                self._legend()
                self._chosen()
            with w.box("map-side"):
                self.side.draw()

    def _tools(self) -> None:
        codes = self.charted.codes.shape[1]
        with w.box("map-tools"):
            choose(self.run, self.runs, "map")
            w.choice("Colour by", self.charted.ways(), self.by, self._colour)
            if codes > 2:
                pairs = {f"{i} {i + 1}": f"codes {i} and {i + 1}" for i in range(0, min(codes - 1, 32), 2)}
                w.choice("Seen along", {"main": "main directions", **pairs}, self.along, self._turn)
            with w.box("row map-buttons"):
                self.lasso = w.button("Lasso", self._toggle, "", aria_pressed="false", title="Draw around rows to select them")
                w.button("Select the view", self._select_view)
                w.button("Show all", lambda: self.points.run_method("reset"), "quiet")

    def _label(self) -> str:
        return f"Map of {len(self.charted.codes):,} rows by {self.flat.title}, coloured by {self.charted.ways()[self.by]}"

    def _listen(self) -> None:
        self.points.when("pick", self.side.pick)
        self.points.when("ground", lambda at: self.side.ground(self.flat.lifted(*at)))
        self.points.when("hover", self._hover, 0.04)
        self.points.when("lasso", self._select)

    # Colours and directions

    async def _colour(self, by: str) -> None:
        self.by = by
        self.legend.clear()
        with self.legend:
            w.text("span", "Working it out …")
        tinted = await w.aside(self.charted.tinted, by)
        if by != self.by:  # by now another colour is asked for
            return
        self.tinted = tinted
        self.points.show(places=self.tinted.places, palette=list(self.tinted.palette), label=self._label())
        self._legend()

    async def _turn(self, axes: str) -> None:
        self.along = axes
        first, _, second = axes.partition(" ")
        pair = (int(first), int(second)) if second else None
        flat = await w.aside(plane, self.charted.codes, pair)
        if axes != self.along:  # by now others are asked for
            return
        self.flat = flat
        self.points.show(points=self.flat.points, label=self._label())
        self._select(None)
        self._mark()
        self._legend()

    def _legend(self) -> None:
        self.legend.clear()
        with self.legend:
            if self.tinted.ends:
                low, high = (drawn.words(end) for end in self.tinted.ends)
                w.text("span", low)
                w.box("scale").style(f"background: linear-gradient(to right, {', '.join(self.tinted.palette[:-1:16])})")
                w.text("span", f"{high}{' nats lost' if self.by == 'error' else ''}")
            for place, (name, count) in enumerate(self.tinted.groups):
                with w.box("button quiet group", "button", type="button", title=f"Select these {count:,} rows") as entry:
                    w.box("dot").style(f"background: {self.tinted.palette[place]}")
                    w.text("span", name)
                entry.on("click", lambda place=place: self._select_group(place))
        w.set_text(self.summary, in_words(self.flat, self.tinted, self.charted.ways()[self.by]))

    # Looking at one thing

    def _hover(self, row: int) -> None:
        if row < 0:
            return
        self.tip.set_content(f"{self.charted.seen(row)}<p>{escape(self.charted.named(row))}</p>")
        self.points.run_method("tip", row)

    def _mark(self) -> None:
        """Rings around the picked rows, and around a place that is none of them."""
        code, picked = self.side.code, self.side.picked
        marks = [(*map(float, self.flat.points[row]), letter) for row, letter in zip(picked, "AB", strict=False)]
        if code is not None and not any(np.array_equal(code, self.charted.codes[row]) for row in picked):
            marks.append((*self.flat.place(code), ""))
        self.points.run_method("mark", marks)

    # Selected rows

    def _toggle(self) -> None:
        on = not self.points.props["lasso"]
        self.points.show(lasso=on)
        self.lasso.props["aria-pressed"] = str(on).lower()
        self.lasso.update()

    async def _select_view(self) -> None:
        self._select(await self.points.run_method("view"))

    def _select(self, corners: Any) -> None:
        self._choose(None if corners is None else within(self.flat.points, corners))

    def _select_group(self, place: int) -> None:
        self._choose(self.tinted.places == place)

    def _choose(self, mask: NDArray[np.bool_] | None) -> None:
        self.mask = mask
        self.points.choose(mask)
        self._chosen()

    def _chosen(self) -> None:
        self.chosen.clear()
        if self.mask is None:
            return
        with self.chosen:
            count = int(self.mask.sum())
            w.text("strong", f"{count:,} of {len(self.mask):,} rows selected")
            with w.box("row"):
                if count:
                    w.button("Save as CSV", lambda: self._save(".csv"), "primary")
                    w.button("Save as Parquet", lambda: self._save(".parquet"))
                w.button("Clear", lambda: self._choose(None), "quiet")

    async def _save(self, ending: str) -> None:
        assert self.mask is not None
        path = free(self.run.path / "selected" / f"rows{ending}")
        if await fetch(self.run, self.chosen, self.charted.keep, self.mask, path):
            with self.chosen:
                w.text("p", f"Saved as {path.relative_to(self.run.path.parent.parent)}, and downloaded.", "note")
