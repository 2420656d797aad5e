"""The view "Map": every row as a point among its likes; what lies between them; and rows picked by hand."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np
from nicegui import ui
from numpy.typing import NDArray

import hourglass as hg
from hourglass.server.studio import drawn
from hourglass.server.studio import widgets as w
from hourglass.server.studio.charted import STEPS, Charted, chart
from hourglass.server.studio.codemap import Plane, Tints, in_words, plane, within
from hourglass.server.studio.points import Points
from hourglass.server.studio.runs import Folder, Run, free

SLIDERS = 8  # codes that have one at once
REACH = 3.0  # standard deviations of a code that its slider goes to either side
HOW = (
    "Drag to move, scroll or pinch to zoom. With the keyboard, arrows move, + and − zoom, 0 shows everything, "
    "and Enter picks what is in the middle."
)
LOOK = "Point at a row to see it, click it to keep it here. Click on empty ground, and the model draws what would lie there."
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
        charted, error = await w.aside(chart, run, folder.data_of(run)), ""
    except hg.HourglassError as caught:
        charted, error = None, str(caught)
    place.clear()
    with place:
        if charted is None:
            _models(run, runs)
            w.notice(error, "info")
        else:
            _Map(run, charted, runs).draw()


def _models(run: Run, runs: list[Run]) -> None:
    w.choice("Model", {one.name: one.name for one in runs}, run.name, lambda name: ui.navigate.to(f"/map?run={quote(name)}"))


class _Map:
    """The map of a run as one person sees it."""

    def __init__(self, run: Run, charted: Charted, runs: list[Run]) -> None:
        self.run, self.charted, self.runs = run, charted, runs
        self.axes, self.by = "main", next(iter(charted.ways()))
        self.flat: Plane = plane(charted.codes)
        self.tinted: Tints = charted.tinted(self.by)
        self.code: NDArray[Any] | None = None  # what is looked at
        self.like: int | None = None  # the row that it came from
        self.picked: list[int] = []  # the last two rows
        self.mask: NDArray[np.bool_] | None = None
        self.first_slider = 0

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
                self.looked = w.box("card look", "section", aria_label="What you look at")
                self.walk = w.box("card walk", "section", aria_label="Walk the codes")
                self.morph = w.box("card morph", "section", aria_label="From one row to another")
        self._look()
        self._walk()
        self._morph()

    def _tools(self) -> None:
        codes = self.charted.codes.shape[1]
        with w.box("map-tools"):
            _models(self.run, self.runs)
            w.choice("Colour by", self.charted.ways(), self.by, self._colour)
            if codes > 2:
                pairs = {f"{i} {i + 1}": f"codes {i} and {i + 1}" for i in range(0, min(codes - 1, 32), 2)}
                w.choice("Seen along", {"main": "main directions", **pairs}, "main", self._turn)
            with w.box("row map-buttons"):
                self.lasso = w.button("Lasso", self._toggle, "", aria_pressed="false", title="Draw around rows to select them")
                w.button("Select the view", self._select_view)
                w.button("Show all", lambda: self.points.run_method("reset"), "quiet")

    def _label(self) -> str:
        return f"Map of {len(self.charted.codes):,} rows by {self.flat.title}, coloured by {self.charted.ways()[self.by]}"

    def _listen(self) -> None:
        self.points.when("pick", self._pick)
        self.points.when("ground", lambda at: self._ground(*at))
        self.points.when("hover", self._hover, 0.04)
        self.points.when("lasso", self._select)

    # Colours and directions

    async def _colour(self, by: str) -> None:
        self.by = by
        self.tinted = await w.aside(self.charted.tinted, by)
        self.points.show(places=self.tinted.places, palette=list(self.tinted.palette), label=self._label())
        self._legend()

    async def _turn(self, axes: str) -> None:
        first, _, second = axes.partition(" ")
        pair = (int(first), int(second)) if second else None
        self.flat = await w.aside(plane, self.charted.codes, pair)
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

    async def _hover(self, row: int) -> None:
        if row < 0:
            return
        self.tip.set_content(f"{self.charted.seen(row)}<p>{escape(self.charted.named(row))}</p>")
        self.points.run_method("tip", row)

    async def _pick(self, row: int) -> None:
        self.code, self.like = self.charted.codes[row].copy(), row
        self.picked = [*self.picked[-1:], row] if row not in self.picked else self.picked
        await self._decode(row)
        self._walk()
        self._morph()

    async def _ground(self, x: float, y: float) -> None:
        self.code = self.flat.lifted(x, y)
        await self._decode(None)
        self._walk()

    async def _decode(self, row: int | None) -> None:
        """Show the code that is looked at: as it is decoded, beside the row that it is of."""
        assert self.code is not None
        html = await w.aside(self.charted.decoded, self.code[None], self.like)
        self._look(html[0], row)
        self._mark()

    def _mark(self) -> None:
        marks = [(*map(float, self.flat.points[row]), letter) for row, letter in zip(self.picked, "AB", strict=False)]
        if self.code is not None and not (self.picked and np.array_equal(self.code, self.charted.codes[self.picked[-1]])):
            marks.append((*self.flat.place(self.code), ""))
        self.points.show(marks=marks)

    def _look(self, html: str = "", row: int | None = None) -> None:
        self.looked.clear()
        with self.looked:
            if not html:
                w.text("h2", "Look closer")
                w.text("p", LOOK, "note")
                return
            w.text("h2", self.charted.named(row) if row is not None else "Drawn by the model")
            with w.box("pair"):
                if row is not None:
                    with w.box("", "figure"):
                        w.markup("div", self.charted.seen(row))
                        w.text("figcaption", "as it is")
                with w.box("decoded", "figure"):
                    w.markup("div", html)
                    w.text(
                        "figcaption",
                        "from its code" if row is not None else "no row of yours: what the model expects at this place",
                    )

    # Walking the codes

    def _walk(self) -> None:
        self.walk.clear()
        self.walk.set_visibility(self.code is not None)
        if self.code is None:
            return
        codes = self.charted.codes
        middle, spread = codes.mean(0), codes.std(0)
        order = np.argsort(-spread, kind="stable")  # those that do something come first
        shown = order[self.first_slider : self.first_slider + SLIDERS]
        with self.walk:
            w.text("h2", "Walk the codes")
            w.text("p", "Each slider changes one number of the code; what is drawn above follows.", "note")
            with w.box("sliders"):
                for i in shown.tolist():
                    reach = REACH * float(spread[i]) or 1.0
                    low, high = (
                        min(float(middle[i]) - reach, float(self.code[i])),
                        max(float(middle[i]) + reach, float(self.code[i])),
                    )
                    w.slider(f"code {i}", low, high, float(self.code[i]), lambda value, i=i: self._step(i, value))
            if len(order) > SLIDERS:
                w.button("Other codes", self._next_sliders, "quiet")

    def _next_sliders(self) -> None:
        self.first_slider = (self.first_slider + SLIDERS) % self.charted.codes.shape[1]
        self._walk()

    async def _step(self, i: int, value: float) -> None:
        assert self.code is not None
        self.code = self.code.copy()
        self.code[i] = value
        await self._decode(None)

    # From one row to another

    def _morph(self) -> None:
        self.morph.clear()
        self.morph.set_visibility(bool(self.picked))
        with self.morph:
            w.text("h2", "From one row to another")
            if len(self.picked) < 2:
                w.text("p", "Pick a second row, and see one turn into the other.", "note")
                return
            a, b = self.picked
            way = self.charted.way(a, b)
            picture = w.markup("div", way[STEPS // 2], "morphed")
            with w.box("ends"):
                w.text("span", f"A · {self.charted.named(a)}", "note")
                w.text("span", f"B · {self.charted.named(b)}", "note")
            w.slider("from A to B", 0, STEPS - 1, STEPS // 2, lambda at: picture.set_content(way[int(at)]), step=1, hidden=True)

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
        await w.aside(self.charted.keep, self.mask, path)
        ui.download.from_url(f"/files/{quote(self.run.name)}/selected/{path.name}")
        with self.chosen:
            w.text("p", f"Saved as {path.relative_to(self.run.path.parent.parent)}, and downloaded.", "note")
