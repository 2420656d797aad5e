"""The view "Train": say what is needed, watch a model learn it, take away what it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

from nicegui import ui

import hourglass as hg
from hourglass.data import reads_pictures
from hourglass.kinds import infer
from hourglass.server.studio import widgets as w
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.runs import Asked, Run, State
from hourglass.server.studio.sources import Source
from hourglass.server.studio.views import learning
from hourglass.server.studio.views.progress import address, begin_new


class Need(NamedTuple):
    """A need in plain words, and the fields that only it has."""

    title: str
    words: str
    width: int | None  # what is chosen unless another is; None where no width is asked for
    fields: tuple[str, ...]


NEEDS = {
    "compress": Need(
        "Compress", "Keep a few numbers of each row that tell what matters: for search, maps and other models.", 32, ()
    ),
    "flag": Need(
        "Flag", "Learn what is usual, and raise an alarm where something isn't. No labels needed.", None, ("contaminated",)
    ),
    "clean": Need("Clean", "Take noise, scratches and gaps out, by having seen how it should look.", None, ("damage",)),
    "generate": Need(
        "Generate", "Draw new rows that could have been among yours: synthetic data, new pictures.", 16, ("condition",)
    ),
}
NO_DATA = "A model learns from a pile of rows, pictures or series. Load yours, or try the digits."
WIDTHS = (2, 4, 8, 16, 32, 64)
DAMAGES = {  # of each kind; without a name, what the library mends unless it is said
    "image": {
        "": "noise of any strength",
        "noise:25": "noise of medium strength",
        "noise:50": "strong noise",
        "blur:1-2+noise:5": "blur, with a little noise",
        "saltpepper:0.1": "white and black dots",
        "scratches:4": "scratches",
        "erase:0.25": "missing pieces",
    },
    "table": {"": "missing cells"},
    "series": {"": "noise of any strength", "wander:0.5": "a baseline that wanders", "spans:0.3": "missing stretches"},
    "melody": {"": "notes in the wrong order"},
}
TYPOS = {"": "typos"}  # of all other rows of symbols
EXAMPLES = {"image": "noise:10-30 or blur:1+jpeg:40", "series": "white:0.3+hum:0.3"}  # of other damage
STATES = {
    State.waiting: "not begun",
    State.training: "learning",
    State.done: "done",
    State.stopped: "stopped early",
    State.failed: "failed",
}
SECONDS = {
    "": "as long as it takes",
    "10": "10 seconds",
    "30": "30 seconds",
    "120": "2 minutes",
    "600": "10 minutes",
    "3600": "1 hour",
}


@dataclass
class Wish:
    """What is filled in so far."""

    need: str = "compress"
    width: int | None = 32
    options: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)  # what samples could be asked for by
    kind: str = "image"  # of the data


def draw(folder: Folder, run: Run | None) -> None:
    """Draw the view."""
    if run is not None and run.asked.need in NEEDS:
        learning.draw(run, NEEDS[run.asked.need].title)
        return
    if folder.source is None:
        w.empty("First, some data", NO_DATA, "Load data", "/data")
    with w.box("stack"):
        if folder.source is not None:
            _form(folder, folder.source)
        _earlier(folder)


def _form(folder: Folder, source: Source) -> None:
    wish = Wish()

    async def choose(need: str) -> None:
        wish.need, wish.width, wish.options = need, NEEDS[need].width, {}
        told.clear()
        try:
            if "condition" in NEEDS[need].fields:
                wish.conditions = await w.aside(_conditions, source)
            if "damage" in NEEDS[need].fields:
                wish.kind = await w.aside(_kind, source)
        except hg.HourglassError as error:
            with told:
                w.notice(str(error))
        settings.refresh()

    @ui.refreshable
    def settings() -> None:
        _settings(wish)

    with w.card("", "wish"):
        cards = {
            name: f'<span class="icon">{w.ICONS[name]}</span><strong>{need.title}</strong><small>{escape(need.words)}</small>'
            for name, need in NEEDS.items()
        }
        w.radios("What do you need?", "need", cards, wish.need, choose, cards=True)
        settings()
        told = begin_new("Start learning", f"from {source.title}", folder, lambda: _asked(source, wish), "train")


def _settings(wish: Wish) -> None:
    def set_width(width: str | int | None) -> None:
        wish.width = int(width) if width else NEEDS[wish.need].width

    def note(name: str, value: Any) -> None:
        wish.options[name] = value

    said, damages = wish.options, DAMAGES.get(wish.kind, TYPOS)  # what is filled in while data is read stays so
    damage, seconds = said.get("damage", ""), said.get("max_seconds")
    if NEEDS[wish.need].width is not None:
        widths = {str(width): str(width) for width in WIDTHS}
        w.radios("How many numbers to keep of each row", "width", widths, str(wish.width), set_width)
        w.text("p", "Fewer say less but more clearly; Squeeze shows what each width keeps.", "note")
    if "damage" in NEEDS[wish.need].fields:
        w.choice("What is to be mended", damages, damage, lambda value: note("damage", value))
    with w.box("more", "details"):
        with w.box("", "summary"):
            w.text("span", "More")
        with w.box("fields"):
            time = "" if seconds is None else f"{seconds:g}"
            w.choice("Time to learn", SECONDS, time, lambda value: note("max_seconds", float(value) if value else None))
            if NEEDS[wish.need].width is not None:
                other = None if wish.width in WIDTHS else wish.width
                w.whole("Another width", other, set_width, 1, hint="Any number of numbers, in place of those above.")
            if "condition" in NEEDS[wish.need].fields:
                w.choice("Ask for samples by", wish.conditions, said.get("condition", ""), lambda value: note("condition", value))
            if "damage" in NEEDS[wish.need].fields and wish.kind in EXAMPLES:
                hint = f"Such as {EXAMPLES[wish.kind]}."
                w.field("Other damage", "" if damage in damages else damage, lambda value: note("damage", value.strip()), hint=hint)
            w.whole("Seed", said.get("seed", 0), lambda value: note("seed", value), 0, hint="The same gives the same.")
            if "contaminated" in NEEDS[wish.need].fields:
                hint, strange = "Up to a tenth of the rows may be strange; they are then doubted.", said.get("contaminated", False)
                w.tick("There are strange rows among mine", strange, lambda value: note("contaminated", value), hint)


def _kind(source: Source) -> str:
    """What the data is taken for; pictures are not read for it."""
    if source.kind or reads_pictures(source.data):
        return source.kind or "image"
    return infer(source.read()).kind


def _conditions(source: Source) -> dict[str, str]:
    """What samples could be asked for by: a column, or the labels of a named dataset."""
    if source.named:
        return {"": "nothing", "label": "the label"}
    raw = source.read()
    return {"": "nothing"} | {name: name for name in getattr(raw, "columns", [])}


def _asked(source: Source, wish: Wish) -> Asked:
    options = {name: value for name, value in wish.options.items() if value not in (None, "")}
    return Asked(source.data, wish.need, wish.width, source.kind, source.columns, options, source.skip_bad)


def _earlier(folder: Folder) -> None:
    runs = folder.runs(*NEEDS)
    if not runs:
        return
    with w.card("Models so far"), w.box("runs", "ul"):
        for run in runs:
            asked, state = run.asked, run.state
            with w.box("", "li"), w.box("run", "a", href=address(run, "train")):
                w.markup("span", w.ICONS[asked.need], "icon")
                w.text("strong", run.name)
                w.text("span", STATES[state], f"state {state}")
                words = (
                    " · ".join(f"{name}: {value}" for name, value in run.result.get("figures", {}).items()) or asked.source.title
                )
                w.text("small", words)
