"""The view "Squeeze": the same rows redrawn from few numbers and from many, and what is lost beside what PCA loses."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from nicegui import ui

from hourglass.data import Melody, Record
from hourglass.kinds import KINDS, infer
from hourglass.server.studio import charts, rows
from hourglass.server.studio import widgets as w
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.plain import Made, read_json
from hourglass.server.studio.runs import Asked, Run, State
from hourglass.server.studio.sources import Source
from hourglass.server.studio.views.progress import TICK, Progress, begin_new, delete, try_again

SECONDS = {"5": "5 seconds", "15": "15 seconds", "60": "1 minute", "": "as long as it takes"}
BEST = ' class="best"'
MEASURED = {  # what rows are made of, what survives, and what is lost
    "explained_variance": ("numbers", "of what makes rows differ, survives", "mean squared error"),
    "right": ("symbols", "of the symbols come back right", "share of symbols that are wrong"),
}
SIDE_BY_SIDE = ("image", "series")  # kinds whose rows are narrow enough


def draw(folder: Folder, run: Run | None) -> None:
    """Draw the view."""
    source = folder.source
    if run is None or run.asked.need != "sweep":
        run = next((each for each in folder.runs("sweep") if source and each.asked.source == source), None)
    if run is not None:
        with w.box("stack"):
            _sweep(run)
        return
    if source is None:
        w.empty("First, some data", "Then this page shows how few numbers each row can be redrawn from.", "Load data", "/data")
        return
    place = w.box("stack")
    ui.timer(0, lambda: _look(place, folder, source), once=True)  # the page is there before the data is read


async def _look(place: Any, folder: Folder, source: Source) -> None:
    """Offer a sweep of data that one can be made of."""
    fits = await w.shown(place, f"Reading {source.title} …", _can_be_squeezed, source)
    if fits is None:
        return
    with place:
        if fits:
            _begin(folder, source)
        else:
            words = "A sweep compares rows: a table, pictures of one size, series of one length, strings, melodies."
            w.empty("This data has no widths to try", words, "Train a model on it", "/train")


def _can_be_squeezed(source: Source) -> bool:
    raw = source.read()
    if isinstance(raw, Record) or (isinstance(raw, list) and not all(isinstance(row, Melody) for row in raw)):
        return False
    kind = source.kind or infer(raw).kind
    if kind == "series" and hasattr(raw, "columns"):  # one record, or series below one another
        return not KINDS[kind].learn(raw, source.columns or None).of_record
    return len(getattr(raw, "shape", ())) > 1 or KINDS[kind].symbolic


def _begin(folder: Folder, source: Source) -> None:
    wish = {"seconds": "5"}

    def asked() -> Asked:
        options = {"max_seconds": float(wish["seconds"])} if wish["seconds"] else {}
        return Asked(source.data, "sweep", None, source.kind, source.columns, options, source.skip_bad)

    note = "A model is trained at each of several widths. Then you see the same rows redrawn from 2, 4, 8 … numbers, and judge."
    with w.card("How narrow can the waist be?", note=note):
        w.choice("Time for each width", SECONDS, "5", lambda value: wish.update(seconds=value))
        begin_new("Try the widths", f"on {source.title}", folder, asked, "squeeze")


def _sweep(run: Run) -> None:
    """A sweep as far as it is: each width appears as soon as it is there."""
    seen: Made = {"state": None, "widths": -1}
    with w.card("", "running") as progress:
        bar = Progress(run, "Keep the widths that are done")
        w.text("p", "This goes on when you close the page. Each width appears below when it is ready.", "note")
    place, after = w.markup("div", "", "sweep"), w.box("told")
    log = run.log()

    def look() -> None:
        state, drawn = run.state, read_json(run.path / "sweep.json")
        bar.show(_share(log.read()))
        if len(drawn.get("figures", [])) != seen["widths"] or state is not seen["state"]:
            seen.update(widths=len(drawn.get("figures", [])), state=state)
            progress.classes(replace="card running" if state is State.training else "gone")
            place.set_content(html(drawn, finished=state is not State.training) if drawn else "")
            place.classes(replace="sweep" if drawn else "gone")
            ui.run_javascript("document.querySelectorAll('.knob input').forEach(studio.squeeze)")
            if state is not State.training:
                clock.deactivate()
                _end(run, after)

    clock = ui.timer(TICK, look, immediate=False)
    look()


def _end(run: Run, place: Any) -> None:
    place.clear()
    with place:
        if run.sentence:
            w.notice(run.sentence)
        with w.box("row"):
            if run.state is State.failed:
                try_again(run, "squeeze")
            delete("Begin anew", run, "squeeze", "quiet")


def _share(epochs: list[Made]) -> float:
    """How far a sweep is: widths that are done, and the share of the one that is under way."""
    return (epochs[-1]["number"] + epochs[-1]["share"]) / epochs[-1]["of"] if epochs else 0.0


# The page itself, as HTML: it moves without asking the server


def html(drawn: Made, *, finished: bool) -> str:
    """Slider, rows at each width, figures and curves of a sweep."""
    figures = drawn["figures"]
    widths = [row["codes"] for row in figures]
    at = widths.index(drawn["recommended"]) if finished else len(widths) - 1
    of, survives, lost = MEASURED[drawn["measure"]]
    heading, words = (f"Recommended: {drawn['recommended']} numbers", drawn["words"]) if finished else ("So far", [])
    return (
        f'<div class="squeeze stack flush" data-widths="{json.dumps(widths)}" data-features="{drawn["features"]}">'
        f'<section class="card">{_slider(widths, at)}{_glass(drawn, widths, at, of)}{_kept(figures, at, survives)}</section>'
        f'<section class="card"><h2>What is lost at each width</h2>{_curves(figures, at, lost)}</section>'
        f'<section class="card"><h2>{heading}</h2>{"".join(f"<p>{escape(one)}</p>" for one in words)}'
        f"{_table(figures, drawn['recommended'] if finished else None)}</section></div>"
    )


def _at(place: int, at: int) -> str:
    """The attributes of what is shown while the slider is at a place; it is ``at`` one of them."""
    return f'data-at="{place}" class="{"on" if place == at else ""}"'


def _slider(widths: list[int], at: int) -> str:
    stops = "".join(f"<span {_at(i, at)}>{width:,}</span>" for i, width in enumerate(widths))
    return (
        '<div class="knob"><label class="unseen" for="width">Numbers kept of each row</label>'
        f'<input id="width" type="range" min="0" max="{len(widths) - 1}" value="{at}" aria-valuetext="{widths[at]} numbers" '
        f'oninput="studio.squeeze(this)"><div class="stops" aria-hidden="true">{stops}</div></div>'
    )


def _glass(drawn: Made, widths: list[int], at: int, of: str) -> str:
    kind, original = drawn["kind"], drawn["original"]

    def layers(by_width: Made, name: str, hidden: bool) -> str:
        each = "".join(
            f"<div {_at(i, at)}>{rows.html(kind, by_width[str(width)], original)}</div>"
            for i, width in enumerate(widths)
            if str(width) in by_width
        )
        return f'<div class="layers{" gone" if hidden else ""}" data-by="{name}">{each}</div>'

    click = 'type="button" onclick="studio.by(this)"'
    by = (
        f'<div class="by" role="group" aria-label="Redrawn by"><button {click} value="net" aria-pressed="true">Hourglass</button>'
        f'<button {click} value="pca" aria-pressed="false">PCA</button></div>'
    )
    redrawn = layers(drawn["rebuilt"], "net", False) + (layers(drawn["pca"], "pca", True) if drawn["pca"] else "")
    shape = '<svg class="{}" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path/></svg>'
    return (
        f'<div class="glass-row{"" if kind in SIDE_BY_SIDE else " wide"}">'
        f'<div class="side"><header><h2>As they are</h2></header>{rows.html(kind, original)}</div>'
        f'<div class="waist">{shape.format("lying")}{shape.format("upright")}'
        f'<p><small>{drawn["features"]:,} {of} become</small><strong data-text="width">{widths[at]:,}</strong></p></div>'
        f'<div class="side"><header><h2>Redrawn</h2>{by if drawn["pca"] else ""}</header>{redrawn}</div></div>'
    )


def _kept(figures: list[Made], at: int, survives: str) -> str:
    named = {survives: "survives", "with PCA, the classical way": "pca_survives"}
    shown = ""
    for words, name in named.items():
        each = "".join(f"<span {_at(i, at)}>{row[name]:.1%}</span>" for i, row in enumerate(figures))
        shown += f"<div><dt>{words}</dt><dd>{each}</dd></div>"
    return f'<dl class="kept">{shown}</dl>'


def _curves(figures: list[Made], at: int, lost: str) -> str:
    lines = [
        charts.Line("Hourglass", "mine", [(row["codes"], row["lost"]) for row in figures]),
        charts.Line("PCA", "theirs", [(row["codes"], row["pca_lost"]) for row in figures]),
    ]
    widths = [row["codes"] for row in figures]
    label = "The error of rows held out over the numbers kept, beside that of PCA"
    axis = f"numbers kept ({lost}; lower is better)"
    return charts.curves(lines, label, axis, logarithmic=True, ticks=widths, mark=widths[at])


def _table(figures: list[Made], recommended: int | None) -> str:
    lines = "".join(
        f'<tr{BEST if row["codes"] == recommended else ""}><th scope="row">{row["codes"]:,}</th><td>{row["lost"]:#.3g}</td>'
        f"<td>{row['survives']:.1%}</td><td>{row['pca_survives']:.1%}</td><td>{row['seconds']:.1f} s</td></tr>"
        for row in figures
    )
    return rows.grid(("Numbers", "Error", "Survives", "With PCA", "Training"), lines, "plain")
