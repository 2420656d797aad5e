"""Rows as they are shown: plain values that fit into a file, and HTML of those.

What is shown of a row depends on the kind of data: a picture as PNG in base64, a curve for each channel of a series, the cells of a
table as text by column, the notes of a melody, a string as it is.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from fractions import Fraction
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from hourglass.analysis.metrics import rounded
from hourglass.data import Record
from hourglass.data.some import spread
from hourglass.kinds import KINDS, rows, taken
from hourglass.kinds.base import Kind
from hourglass.kinds.frames import as_frame
from hourglass.kinds.image import as_unit, visible, white_among, white_of

SIDE = 160  # pixels of a picture's longer side at most
POINTS = 240  # of a curve
SPAN = 1000  # samples of a record that are shown
COLUMNS = 10  # of a table
Values = list[Any]


def part(kind: str, raw: Any, count: int) -> Any:
    """The first rows of data; of a record, its beginning."""
    if _is_long(kind, raw):
        return raw[:SPAN]
    return rows(raw, 0, min(count, len(raw)))


def some(kind: str, raw: Any, count: int) -> Any:
    """Rows from all over the data, as sorted data has one sort after the other; of a record all, see `stretch`."""
    return raw if _is_long(kind, raw) else taken(raw, spread(len(raw), count))


def stretch(kind: Kind, raw: Any) -> Any:
    """Of a record its beginning, as long as a window of the model at least; all other rows as they are."""
    return raw[: max(SPAN, kind.raw_shape[0] if kind.of_record else 0)] if _is_long(kind.name, raw) else raw


def _is_long(kind: str, raw: Any) -> bool:
    return kind == "series" and (isinstance(raw, Record) or hasattr(raw, "columns"))


def values(kind: str | Kind, raw: Any) -> Values:
    """What is shown of some rows; where the kind is a model's, pictures have the white that it learned."""
    if isinstance(kind, Kind):
        return _pictures(raw, kind) if kind.name == "image" else values(kind.name, raw)
    return _VALUES.get(kind, _strings)(without_others(kind, raw))


def without_others(kind: str, raw: Any) -> Any:
    """The rows of raw data; of a table that is taken for its column of strings, that column."""
    known: Any = KINDS.get(kind)
    return known.column_of_table(raw) if known is not None and known.symbolic and hasattr(raw, "columns") else raw


def html(kind: str, shown: Values, before: Values | None = None) -> str:
    """Rows as HTML; beside what they were ``before`` they passed through a model, differences are marked."""
    return _HTML.get(kind, _strings_html)(shown, before)


# Pictures


def png(pixels: NDArray[Any], side: int = SIDE) -> str:
    """A picture (height, width[, channels]), bytes or floats from 0 to 1, as PNG in base64, a large one shrunk."""
    from PIL import Image

    if pixels.dtype != np.uint8:
        pixels = np.rint(255 * np.clip(np.nan_to_num(pixels.astype(np.float64)), 0, 1)).astype(np.uint8)
    pixels = visible(pixels.reshape(*pixels.shape[:2], -1)).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if max(image.size) > side:
        image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _pictures(raw: Any, kind: Kind | None = None) -> Values:
    pictures = [np.asarray(raw[number]) for number in range(len(raw))]
    if kind is not None:
        return [png(as_unit(picture, white_of(picture, kind))) for picture in pictures]
    whites = {picture.dtype: white_among(pictures, str(picture.dtype)) for picture in pictures}
    return [png(as_unit(picture, whites[picture.dtype])) for picture in pictures]


def _pictures_html(shown: Values, before: Values | None) -> str:
    return _gallery("pictures", [f'<img src="data:image/png;base64,{escape(one)}" alt="">' for one in shown])


# Series


def _series(raw: Any) -> Values:
    if isinstance(raw, Record):
        return [[_curve(channel) for channel in raw.values.T]]
    if hasattr(raw, "columns"):
        numbers = as_frame(raw)[[name for name, dtype in as_frame(raw).schema.items() if dtype.is_numeric()]]
        return [[_curve(channel) for channel in numbers.to_numpy().T]]
    return [[_curve(channel) for channel in _channels(np.asarray(raw[number]))] for number in range(len(raw))]


def _channels(row: NDArray[Any]) -> NDArray[Any]:
    return row[None] if row.ndim == 1 else row.T


def _curve(samples: NDArray[Any]) -> list[float | None]:
    step = max(1, -(-len(samples) // POINTS))
    return [None if np.isnan(value) else float(f"{value:.4g}") for value in samples[::step].astype(np.float64)]


def _series_html(shown: Values, before: Values | None) -> str:
    drawn = []
    for number, row in enumerate(shown):
        other = before[number] if before and number < len(before) else []
        known = [value for channel in [*row, *other] for value in channel if value is not None]
        low, high = min(known, default=0.0), max(known, default=1.0)
        lines = [_line(channel, low, high, "wave") for channel in row]
        ghosts = [_line(channel, low, high, "ghost") for channel in other]
        drawn.append(f'<svg viewBox="0 0 200 60" preserveAspectRatio="none" aria-hidden="true">{"".join(ghosts + lines)}</svg>')
    return _gallery("waves", drawn)


def _line(channel: list[float | None], low: float, high: float, name: str) -> str:
    across, up = 200 / max(len(channel) - 1, 1), 54 / (high - low or 1)
    places = [f"{i * across:.1f},{57 - (value - low) * up:.1f}" for i, value in enumerate(channel) if value is not None]
    return f'<polyline class="{name}" points="{" ".join(places)}"/>'


# Melodies


def _melodies(raw: Any) -> Values:
    return [
        {
            "name": tune.name,
            "metre": tune.metre,
            "key": tune.key,
            "notes": [[note.pitch, _time(note.start), _time(note.duration)] for note in tune.notes],
        }
        for tune in rows(raw, 0, len(raw))
    ]


def _time(sixteenths: Fraction) -> int | str:
    return int(sixteenths) if sixteenths.denominator == 1 else str(sixteenths)


def _melodies_html(shown: Values, before: Values | None) -> str:
    """Each as a piano roll, a bar for each note, the higher the higher; below it what plays it, and a link to it as MIDI."""
    drawn = []
    for tune in shown:
        notes = [(pitch, float(Fraction(start)), float(Fraction(long))) for pitch, start, long in tune["notes"]]
        low, high = min((pitch for pitch, *_ in notes), default=0), max((pitch for pitch, *_ in notes), default=1)
        end, step = max((start + long for _, start, long in notes), default=1), 50 / (high - low + 1)
        places = [(200 * start / end, 5 + (high - pitch) * step, 190 * long / end) for pitch, start, long in notes]
        bars = "".join(f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{step:.1f}"/>' for x, y, wide in places)
        roll = f'<svg class="roll" viewBox="0 0 200 60" preserveAspectRatio="none" aria-hidden="true">{bars}</svg>'
        drawn.append(f'<div class="melody">{roll}{_player(tune) if notes else ""}</div>')
    return _gallery("waves", drawn)


def _player(tune: dict[str, Any]) -> str:
    """What plays a melody, and a link to it; nothing is fetched before it is asked for."""
    name, said = escape(tune["name"] or "melody"), quote(json.dumps(tune, separators=(",", ":")))
    sound = f'<audio controls preload="none" aria-label="{name}" src="/melody.wav?tune={said}"></audio>'
    return f'{sound}<a href="/melody.mid?tune={said}" download="{name}.mid">MIDI</a>'


# Tables


def _table(raw: Any) -> Values:
    frame = as_frame(raw)
    return [{name: cell(value) for name, value in row.items()} for row in frame[:, :COLUMNS].iter_rows(named=True)]


def cell(value: Any) -> str:
    """A cell of a table as text."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return rounded(value, digits=6) if isinstance(value, float) else str(value)


def _table_html(shown: Values, before: Values | None) -> str:
    if not shown:
        return ""
    lines = []
    for number, row in enumerate(shown):
        was = before[number] if before and number < len(before) else row
        lines.append("".join(_cell_html(value, was.get(name, value)) for name, value in row.items()))
    return grid(list(shown[0]), "".join(f"<tr>{line}</tr>" for line in lines), "rows")


def grid(names: Sequence[str], lines: str, look: str) -> str:
    """A table with the names of its columns above its ``lines``, which are HTML; ``look`` is a class of the style sheet."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    table = f'<table class="{look}"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _cell_html(value: str, was: str) -> str:
    missing = "" if value else ' class="missing"'
    changed = ' class="changed"' if value and value != was else ""
    return f"<td{missing or changed}>{escape(value) or '–'}</td>"


# Strings


def _strings(raw: Any) -> Values:
    return [row if isinstance(row, str) else " ".join(map(str, row)) for row in rows(raw, 0, len(raw))]


def _strings_html(shown: Values, before: Values | None) -> str:
    items = []
    for number, text in enumerate(shown):
        was = before[number] if before and number < len(before) else text
        letters = [
            escape(letter) if place < len(was) and was[place] == letter else f"<mark>{escape(letter)}</mark>"
            for place, letter in enumerate(text[:400])
        ]
        items.append(f"<code>{''.join(letters)}</code>")
    return _gallery("strings", items)


def _gallery(name: str, items: list[str]) -> str:
    return f'<div class="{name}">{"".join(items)}</div>'


_VALUES = {"image": _pictures, "series": _series, "table": _table, "melody": _melodies}
_HTML = {"image": _pictures_html, "series": _series_html, "table": _table_html, "melody": _melodies_html}
