"""Beside the map: what is looked at, sliders that walk its code, and the way from one row to another."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hourglass.server.studio import widgets as w
from hourglass.server.studio.charted import STEPS, Charted

SLIDERS = 8  # codes that have one at once
REACH = 3.0  # standard deviations of a code that its slider goes to either side
LOOK = "Point at a row to see it, click it to keep it here. Click on empty ground, and the model draws what would lie there."


class Side:
    """What is looked at.

    Parameters
    ----------
    charted : Charted
        The rows of the map.
    moved : function
        Called when another code is looked at, or another row was picked.
    """

    def __init__(self, charted: Charted, moved: Callable[[], None]) -> None:
        self.charted, self.moved = charted, moved
        self.code: NDArray[Any] | None = None  # what is looked at
        self.like: int | None = None  # the row that it came from
        self.picked: list[int] = []  # the last two rows
        self.drawn: Any = None  # the picture of what no row is
        self.first_slider = 0
        self.middle, self.spread = charted.codes.mean(0), charted.codes.std(0)

    def draw(self) -> None:
        """Draw the cards."""
        self.looked = w.box("card look", "section", aria_label="What you look at")
        self.walk = w.box("card walk", "section", aria_label="Walk the codes")
        self.morph = w.box("card morph", "section", aria_label="From one row to another")
        self._look()
        self._walk()
        self.morph.set_visibility(False)  # until a row is picked

    async def pick(self, row: int) -> None:
        """Look at a row; it is an end of the way between the last two."""
        self.code, self.like = self.charted.codes[row].copy(), row
        self.picked = [*self.picked[-1:], row] if row not in self.picked else self.picked
        await self._decode(row)
        await self._morph()
        await self._walk_soon()

    async def ground(self, code: NDArray[Any]) -> None:
        """Look at what the model makes of a code that is no row's."""
        self.code = code
        await self._decode(None)
        await self._walk_soon()

    async def _decode(self, row: int | None) -> None:
        """Show the code that is looked at: as it is decoded, beside the row that it is of."""
        code = self.code
        assert code is not None
        html = await w.aside(self.charted.decoded, code[None], self.like)
        if code is not self.code:  # by now another is looked at
            return
        self._look(html[0], row)
        self.moved()

    def _look(self, html: str = "", row: int | None = None) -> None:
        if self.drawn is not None and row is None:
            self.drawn.set_content(html)
            return
        self.looked.clear()
        self.drawn = None
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
                    picture = w.markup("div", html)
                    w.text("figcaption", "from its code" if row is not None else "no row of yours: what the model expects here")
                    self.drawn = picture if row is None else None

    # Walking the codes

    async def _walk_soon(self) -> None:
        """The sliders for another code, once the picture of it is on its way."""
        code = self.code
        await sleep(0.1)
        if code is self.code:
            self._walk()

    def _walk(self) -> None:
        self.walk.clear()
        self.walk.set_visibility(self.code is not None)
        if self.code is None:
            return
        middle, spread = self.middle, self.spread
        order = np.argsort(-spread, kind="stable")  # those that do something come first
        shown = order[self.first_slider : self.first_slider + SLIDERS]
        with self.walk:
            w.text("h2", "Walk the codes")
            w.text("p", "Each slider changes one number of the code; what is drawn above follows.", "note")
            with w.box("sliders"):
                for i in shown.tolist():
                    reach = REACH * float(spread[i]) or 1.0
                    now = float(self.code[i])
                    low, high = min(float(middle[i]) - reach, now), max(float(middle[i]) + reach, now)
                    w.slider(f"code {i}", low, high, now, lambda value, i=i: self._step(i, value))
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

    async def _morph(self) -> None:
        picked = self.picked
        way = await w.aside(self.charted.way, *picked) if len(picked) == 2 else []
        if picked is not self.picked:  # by now it is another way
            return
        self.morph.clear()
        self.morph.set_visibility(True)
        with self.morph:
            w.text("h2", "From one row to another")
            if not way:
                w.text("p", "Pick a second row, and see one turn into the other.", "note")
                return
            picture = w.markup("div", way[STEPS // 2], "morphed")
            with w.box("ends"):
                for letter, row in zip("AB", picked, strict=True):
                    w.text("span", f"{letter} · {self.charted.named(row)}", "note")
            w.slider("from A to B", 0, STEPS - 1, STEPS // 2, lambda at: picture.set_content(way[int(at)]), step=1, hidden=True)
