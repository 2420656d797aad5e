"""What a model makes of other data, on the page of its run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hourglass as hg
from hourglass.server.studio import making
from hourglass.server.studio import widgets as w
from hourglass.server.studio.plain import Made, free_stem, plain_name
from hourglass.server.studio.runs import Run
from hourglass.server.studio.sources import Source


class Use(NamedTuple):
    """What a model makes of other data: its heading, what to drop, and what does it."""

    heading: str
    words: str
    make: Callable[[Any, str, Path], Path]


USES = {
    "compress": Use(
        "Encode other data",
        "Rows of the same shape; you get their codes.",
        lambda model, data, to: making.encode(model, Source(data).read(), Path(f"{to}.parquet"), Source(data).files()),
    ),
    "flag": Use(
        "Check new data",
        "Rows of the same shape; you get their alarms.",
        lambda model, data, to: making.detect(model, Source(data).read(), Path(f"{to}.csv"), Source(data).files()),
    ),
    "clean": Use("Clean damaged data", "You get it mended; pictures keep their names, sizes and formats.", making.mend),
}
NAMES = {"compress": "codes", "flag": "alarms", "clean": "clean"}


def draw(run: Run) -> None:
    """Draw the card on which other data is dropped, or more is asked for."""
    if run.asked.need == "generate":
        _draw_more(run)
        return
    use = USES[run.asked.need]

    async def take(data: str) -> None:
        target, done = _free(run, f"{NAMES[run.asked.need]}-{Path(data).stem}"), "It is ready: take it from the list above."
        await _tell(place, "Working …", done, lambda: use.make(run.model(), data, target))

    with w.card(use.heading, note=use.words):
        w.drop_zone("Drop files here", "What the model learned from is of the right sort.", take)
        place = w.box("", aria_live="polite")


def _free(run: Run, name: str) -> Path:
    """Where something of a name goes, which may get an ending yet."""
    return free_stem(run.path / "made" / plain_name(name))


async def _tell(place: Any, doing: str, done: str, make: Callable[[], Any]) -> None:
    """Make something, and say so, then that it is done, or what was wrong."""
    if await w.shown(place, doing, make) is not None:
        with place:
            w.notice(done, "info")


def _draw_more(run: Run) -> None:
    wish: Made = {"n": 64, "level": ""}
    levels = run.result.get("levels", [])

    async def make() -> None:
        await _tell(place, "Drawing …", "They are ready: take them from the list above.", lambda: _drawn(run, wish))

    with w.card("Draw more", note="As many as you like, each made of random codes."):
        with w.box("fields"):
            w.whole("How many", 64, lambda n: wish.update(n=n or 64), 1)
            if levels:
                named = {"": "Choose …", **{level: level for level in levels}}
                w.choice("Of which", named, "", lambda level: wish.update(level=level))
        with w.box("row"):
            w.button("Draw", make, "primary")
        place = w.box("", aria_live="polite")


def _drawn(run: Run, wish: Made) -> Path:
    level = wish["level"] or None
    if run.result.get("levels") and level is None:
        raise hg.ParameterError("Say of which level: this model draws what is asked for.")
    name = f"samples-{wish['n']}" + (f"-{level}" if level else "")
    return making.sample(run.model(), wish["n"], _free(run, name), condition=level)[0]
