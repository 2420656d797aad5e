"""The view "Data": load a pile, see what it is taken for, correct that."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from nicegui import ui

import hourglass as hg
from hourglass.data import holds_melodies, reads_pictures
from hourglass.kinds.columns import TYPES
from hourglass.server.studio import charts, rows
from hourglass.server.studio import widgets as w
from hourglass.server.studio.facts import Facts, facts
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.runs import Run
from hourglass.server.studio.sources import Source

ACCEPTED = "CSV, Parquet, NPY, NPZ, pictures or a ZIP of them, TXT, SMI, SDF, ABC, MIDI, WAV"
KINDS = {
    "table": "Table: columns that mean something",
    "image": "Pictures",
    "series": "Series: samples over time",
    "molecule": "Molecules: SMILES",
    "melody": "Melodies",
    "token": "Strings, letter by letter",
    "words": "Texts, word by word",
}
SHOWN_COLUMNS = 100


def draw(folder: Folder, run: Run | None) -> None:
    """Draw the view."""
    source = folder.source
    with w.box("stack"):
        if source is None:
            _loading(folder)
            return
        with w.box("details-card card", "details"):
            with w.box("", "summary"):
                w.text("span", "Load other data")
            _loading(folder, framed=False)
        found = w.box("stack flush", aria_live="polite")
        with found:
            w.busy(f"Reading {source.title} …")
    ui.timer(0, lambda: _look(folder, source, found), once=True)  # the page is there before the work is done


# Loading


def _loading(folder: Folder, framed: bool = True) -> None:
    def choose(data: str) -> None:
        if not data.strip():
            return
        place = os.path.expanduser(data.strip())  # noqa: PTH111 (any string)
        folder.choose(Source(str(Path(place).resolve()) if os.path.exists(place) else data.strip()))  # noqa: PTH110
        ui.navigate.to("/data")

    with w.box("card loading" if framed else "loading"):
        w.drop_zone("Drop a file here", ACCEPTED, choose)
        with w.box("ways"):
            with w.box("way", "form") as form:
                w.field("Or a file or folder on this machine", "", None, name="path", placeholder="/home/me/scans")
                w.button("Open", None, type="submit")
            form.on("submit.prevent", lambda event: choose(event.args), js_handler="(event) => emit(event.target.path.value)")
            with w.box("way"):
                names = {"": "Choose …"} | {name: f"{name}: {hg.datasets.describe(name)['about']}" for name in hg.datasets.names()}
                w.choice("Or a dataset to try things on", names, "", choose)
            dropped = folder.dropped()
            if dropped:
                with w.box("way"):
                    earlier = {"": "Choose …"} | {str(path): str(path.relative_to(folder.path / "data")) for path in dropped}
                    w.choice("Or what was dropped here before", earlier, "", choose)


# What was found


async def _look(folder: Folder, source: Source, place: Any) -> None:
    try:
        found = await w.aside(facts, source)
    except hg.HourglassError as error:
        _failed(folder, source, place, str(error))
        return
    place.clear()
    with place:
        _summary(folder, source, found)
        if found.columns:
            _schema(folder, source, found)
        _examples(found)


def _failed(folder: Folder, source: Source, place: Any, sentence: str) -> None:
    place.clear()
    with place, w.card("This data can't be used as it is"):
        w.notice(sentence)
        w.text("p", "Mend the file and load it again, or load other data above.", "note")
        if reads_pictures(source.data) or holds_melodies(source.data):
            _skipping(folder, source)
        if "say kind=" in sentence:
            w.choice("Take it for", {"": "Choose …", **KINDS}, "", lambda kind: _correct(folder, source, kind=kind or None))
        elif source.kind or source.columns:
            with w.box("row"):
                w.button("Take it as it was found", lambda: _correct(folder, source, kind=None, columns={}))


def _skipping(folder: Folder, source: Source) -> None:
    """A box that leaves out what can't be read."""
    words = "The rest is used, and what was left out is named here."
    w.tick("Leave out what can't be read", source.skip_bad, lambda skip: _correct(folder, source, skip_bad=skip), words)


def _correct(folder: Folder, source: Source, **said: Any) -> None:
    """Look at data anew, with something said about it."""
    folder.choose(replace(source, **said))
    ui.navigate.to("/data")


def _summary(folder: Folder, source: Source, found: Facts) -> None:
    with w.card(source.title, "summary"):
        w.figures(found.figures)
        with w.box("taken"):
            with w.box("because", "p"):
                w.text("span", "Taken for ")
                w.text("strong", KINDS.get(found.kind, found.kind).partition(":")[0].lower())
                w.text("span", f", because {found.reason}.")
            if len(found.kinds) > 1:
                kinds = {name: KINDS.get(name, name) for name in found.kinds}
                w.choice("Take it for", kinds, found.kind, lambda kind: _correct(folder, source, kind=kind))
        if source.skip_bad or found.kind == "molecule":  # of these, bad ones are found when they are learned from
            _skipping(folder, source)
        for sentence in found.warnings:
            w.notice(sentence, "info")
        with w.box("row"):
            w.link("Train a model on this", "/train", "button primary")
            w.link("Squeeze it", "/squeeze", "button")
            w.text("span", str(Path(source.data).parent) if Path(source.data).exists() else "a named dataset", "note path")


def _schema(folder: Folder, source: Source, found: Facts) -> None:
    def correct(name: str, kind: str) -> None:
        others = {column: type_ for column, type_ in source.columns.items() if column != name}
        _correct(folder, source, columns=others | ({name: kind} if kind else {}))

    note = "What each column is taken for, and how its values are spread. Correct what is wrong: a postcode is no number."
    with w.card("Columns", "schema", note), w.box("columns", "ul"):
        for column in found.columns[:SHOWN_COLUMNS]:
            with w.box("column", "li"):
                w.text("h3", column.name)
                w.markup("div", charts.bars(column.counts, f"How {column.name} is spread"), "spread")
                w.text("small", column.summary + (f" · {column.missing:.1%} missing" if column.missing else ""), "reach")
                asked = source.columns.get(column.name, "")
                options = {"": f"{column.type} (found)" if not asked else "as found", **{name: name for name in TYPES}}
                w.choice(f"Type of {column.name}", options, asked, lambda kind, name=column.name: correct(name, kind), hidden=True)
                w.text("small", column.why, "why")
        if len(found.columns) > SHOWN_COLUMNS:
            w.text("li", f"and {len(found.columns) - SHOWN_COLUMNS:,} more", "note")


def _examples(found: Facts) -> None:
    heading = {"image": "The first pictures", "series": "The first series"}.get(found.kind, "The first rows")
    with w.card(heading):
        w.markup("div", rows.html(found.kind, found.examples), "examples")
