"""The view "Alarms" of a cleaner: before and after, with a divider to drag."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import hourglass as hg
from hourglass.data import Pictures, reads_pictures
from hourglass.kinds import as_raw, length, rows
from hourglass.server.studio import drawn, making
from hourglass.server.studio import rows as shown
from hourglass.server.studio import widgets as w
from hourglass.server.studio.plain import free_stem, plain_name
from hourglass.server.studio.runs import Run
from hourglass.server.studio.sources import Source
from hourglass.server.studio.views.progress import fetch
from hourglass.server.studio.watching import damages

SHOWN = 12  # pictures or rows that are shown; the download has all of them


class Pair(NamedTuple):
    """Something before and after it was cleaned."""

    name: str
    before: Any
    after: Any


async def draw(place: Any, run: Run, source: Source, *, dropped: bool) -> None:
    """Clean what was dropped in; else some rows that the model knows, damaged on purpose."""
    path = source.data
    do = (lambda: cleaned(run.model(), path)) if dropped else (lambda: example(run.model(), source))
    found = await w.shown(place, "Cleaning …", do)
    if found is None:
        return
    (pairs, words), kind = found, run.model().kind_  # which is in memory by now
    with place:
        with w.card("Before and after" if dropped or not pairs else "An example"):
            dashed = " Dashed is before, solid after." if pairs and kind.name == "series" else ""
            w.text("p", words + dashed, "note")
            with w.box("gone" if not pairs else "pairs wide" if kind.of_record else "pairs"):
                for pair in pairs:
                    w.markup("div", html(kind, pair))
        if dropped:
            with w.box("row"):
                button = w.button("Download all, cleaned", lambda: _download(run, path, button, told), "primary")
            told = w.box("told")


def cleaned(model: Any, path: str) -> tuple[list[Pair], str]:
    """The first of the files at a path, before and after, and what can be said of them."""
    if reads_pictures(path):
        pictures = Pictures(path)
        some = [pictures[number] for number in range(min(len(pictures), SHOWN))]
        after = [model.denoise([picture.pixels])[0] for picture in some]
        pairs = [Pair(picture.name, picture.pixels, mended) for picture, mended in zip(some, after, strict=True)]
        return pairs, hg.self_check([pair.before for pair in pairs], [pair.after for pair in pairs]).words
    kind = model.kind_
    raw = as_raw(hg.read(path), kind=kind.name)
    first = shown.stretch(kind, raw) if kind.of_record else rows(raw, 0, min(length(raw), SHOWN))
    words = f"The first {length(first):,} of {length(raw):,} {'samples' if kind.of_record else 'rows'}."
    return _pairs(model, first, model.denoise(first)), words


def example(model: Any, source: Source) -> tuple[list[Pair], str]:
    """Rows of a source, damaged as the model expects it, and mended."""
    kind = model.kind_
    first = rows(as_raw(source.unseen(), kind=kind.name), 0, SHOWN)
    if not damages(model) or (kind.name == "image" and not isinstance(first, np.ndarray)):
        return [], "Drop in files to clean them. They are shown here as they were and as they are mended."
    before = model.damage(first, random_state=0)
    words = "Rows that the model knows, damaged on purpose. Drop in files of your own: they are shown here before and after."
    return _pairs(model, before, model.denoise(before)), words


def _pairs(model: Any, before: Any, after: Any) -> list[Pair]:
    if model.kind_.name == "table" or model.kind_.of_record:
        return [Pair("all", before, after)]
    return [Pair(f"row {row}", rows(before, row, row + 1), rows(after, row, row + 1)) for row in range(len(before))]


def html(kind: Any, pair: Pair) -> str:
    """A pair as HTML: pictures under a divider, tables and curves below one another, all else side by side."""
    name = escape(pair.name)
    if kind.name == "image":
        first, second = (drawn.address(drawn.pixels_of(kind, np.asarray(each).squeeze())) for each in (pair.before, pair.after))
        small = " pixels" if np.asarray(pair.before).squeeze().shape[0] < 128 else ""
        pictures = f'<img src="{first}" alt="{name}, before"><img class="after" src="{second}" alt="{name}, after">'
        moved = "oninput=\"this.parentNode.style.setProperty('--at', this.value + '%')\""
        says = f'aria-label="{name}: how much is shown as it was before"'
        slider = f'<input type="range" min="0" max="100" value="50" {says} {moved}>'
        return f'<figure><div class="under{small}">{pictures}{slider}</div><figcaption>{name}</figcaption></figure>'
    if kind.name == "table":  # of all rows, with what has changed in colour
        cells, mended = (shown.values("table", each) for each in (pair.before, pair.after))
        return f"<h3>Before</h3>{shown.html('table', cells)}<h3>After</h3>{shown.html('table', mended, cells)}"
    if kind.name == "series":
        both = pair.before, pair.after
        before, after = (kind.samples(each).T if kind.of_record else kind.to_tensor(each).numpy()[0] for each in both)
        return drawn.curves(after, kind.channels, f"{pair.name}, before dashed and after", expected=before)
    before, after = (shown.values(kind.name, each) for each in (pair.before, pair.after))
    strips = ((shown.html(kind.name, before), f"{name}, before"), (shown.html(kind.name, after, before), "after"))
    return f'<div class="pair">{"".join(f"<div>{strip}<p class=note>{said}</p></div>" for strip, said in strips)}</div>'


async def _download(run: Run, path: str, button: Any, told: Any) -> None:
    told.clear()
    button.props("disabled")
    await fetch(run, told, _clean_all, run, path)
    button.props(remove="disabled")


def _clean_all(run: Run, path: str) -> Path:
    """All that lies at a path, cleaned: pictures in a folder, under their names and in their formats; or one file of rows."""
    target = free_stem(run.path / "cleaned" / plain_name(Path(path).stem))
    return making.mend(run.model(), path, target)
