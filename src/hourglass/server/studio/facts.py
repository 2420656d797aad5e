"""What there is to say about data before anything is learned from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import hourglass as hg
from hourglass.errors import hearing
from hourglass.kinds import KINDS, as_raw, infer
from hourglass.kinds.columns import Column as Known
from hourglass.kinds.columns import shown, to_numbers
from hourglass.kinds.frames import as_frame
from hourglass.kinds.image import channels_of
from hourglass.kinds.table import TableKind
from hourglass.server.studio import rows
from hourglass.server.studio.sources import Source

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 24
BINS = 24
MOST_LEVELS = 12  # bars of a column of categories
SAID = "you said so"
CONTAINER = re.compile(r"^a \w+ table(?= has)")  # a file of the studio is no data frame
OTHERWISE = re.compile(r"with columns=\{.*?\}")  # how a column is taken for something else in Python; here, in the list of columns


class Column(NamedTuple):
    """A column of a table: what it is taken for and why, what it is made of."""

    name: str
    type: str
    why: str
    missing: float  # share of the rows
    counts: list[int]  # bars of its histogram
    summary: str  # what the bars reach from and to, or the most common levels


class Facts(NamedTuple):
    """What is known of data."""

    kind: str
    reason: str
    figures: dict[str, str]
    examples: rows.Values
    columns: list[Column]
    warnings: list[str]
    kinds: list[str]  # that it could be taken for


def facts(source: Source) -> Facts:
    """Read data and look at it."""
    with hearing() as told:
        raw = source.read()
        kinds = kinds_for(raw)
        if isinstance(raw, list):
            raw = as_raw(raw, kind=source.kind)
        kind, reason = _taken_for(raw, source.kind)
        columns = _columns(raw, source.columns) if kind == "table" else []
        raw = rows.without_others(kind, raw)
        figures = _figures(kind, raw, columns)
        shown = rows.values(kind, rows.part(kind, raw, 8 if kind == "table" else EXAMPLES))
    words = [OTHERWISE.sub("below", sentence) for sentence in told]
    return Facts(kind, reason, figures, shown, columns, words, list(dict.fromkeys([kind, *kinds])))


def _taken_for(raw: Any, said: str | None) -> tuple[str, str]:
    """A kind, and why: the one that was said, which data need not look like, or else what it looks like."""
    try:
        found = infer(raw)
    except hg.DataError:
        if said is None:
            raise
        return said, SAID
    return (found.kind, CONTAINER.sub("it", found.reason)) if said in (None, found.kind) else (said, SAID)


def kinds_for(raw: Any) -> list[str]:
    """The kinds that data could be taken for at all."""
    if isinstance(raw, hg.Record):
        return ["series"]
    if hasattr(raw, "columns"):
        return list(dict.fromkeys([infer(raw).kind, "table", "series"]))
    if getattr(raw, "ndim", 1) == 1 and infer(raw).kind == "melody":
        return ["melody"]
    if getattr(raw, "dtype", np.dtype(float)).kind in "OU":
        return [name for name, kind in KINDS.items() if kind.symbolic and name != "melody"]
    if getattr(raw, "ndim", 1) == 2:
        return ["table", "series"]
    return ["image", "series"] if getattr(raw, "ndim", 1) == 3 else ["image"]


def _figures(kind: str, raw: Any, columns: list[Column]) -> dict[str, str]:
    n = len(raw)
    if isinstance(raw, hg.Record):
        rate = {} if raw.rate is None else {"samples a second": f"{raw.rate:g}"}
        gaps = float(np.isnan(raw.values).mean())
        return {"samples": f"{n:,}", "channels": f"{raw.shape[1]}", **rate, "missing": _share(gaps)}
    if columns or hasattr(raw, "columns"):
        missing = {"missing": _share(sum(c.missing for c in columns) / len(columns))} if columns else {}
        return {"rows" if columns else "samples": f"{n:,}", "columns": f"{len(columns or raw.columns)}", **missing}
    if kind == "image":
        sizes = {np.asarray(raw[number]).shape[:2] for number in range(min(n, 200))}
        size = " × ".join(str(side) for side in sizes.pop()) if len(sizes) == 1 else "differing"
        channels = channels_of(np.asarray(raw[0]))
        colours = {1: "grey", 3: "colour", 4: "colour, transparency"}.get(channels, f"{channels} channels")
        return {"pictures": f"{n:,}", "pixels": size, "colours": colours}
    if kind == "melody":
        return {"melodies": f"{n:,}", "notes": f"{sum(len(tune.notes) for tune in raw):,}"}
    if kind == "series":
        lengths = {len(raw[number]) for number in range(min(n, 200))}
        reach = f"{min(lengths):,}" if len(lengths) == 1 else f"{min(lengths):,} to {max(lengths):,}"
        return {"series": f"{n:,}", "samples of each": reach}
    return _of_strings(raw)


def _of_strings(raw: Any) -> dict[str, str]:
    n = len(raw)
    longest = max(len(row) for row in raw)
    return {"rows": f"{n:,}", "different": f"{len({str(row) for row in raw}):,}", "longest": f"{longest} symbols"}


def _columns(raw: Any, types: dict[str, str]) -> list[Column]:
    kind, frame = TableKind.learn(raw, types or None), as_frame(raw)
    return [_column(known, frame[known.name]) for known in kind.known]


def _column(known: Known, series: pl.Series) -> Column:
    counts, summary = _spread(known, series)
    gaps = (series.fill_nan(None) if series.dtype.is_float() else series).null_count()  # of an array the kind counts none
    return Column(known.name, known.type, known.why, known.missing or gaps / len(series), counts, summary)


def _spread(column: Known, series: pl.Series) -> tuple[list[int], str]:
    """The bars of a column, and what they reach over."""
    known = series.drop_nulls()
    if not len(known):
        return [], "empty"
    if column.type in ("numeric", "datetime"):
        numbers = to_numbers(column, known)
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return [], "empty"
        low, high = (shown(column, end).strip("'") for end in (numbers.min(), numbers.max()))
        return np.histogram(numbers, BINS)[0].tolist(), f"{low} to {high}"
    common = known.cast(str, strict=False).value_counts(sort=True)
    levels = [str(level) for level in common[:, 0][:3].to_list()]
    return common[:, 1][:MOST_LEVELS].to_list(), f"{len(common):,} different: {', '.join(levels)}{' …' if len(common) > 3 else ''}"


def _share(share: float) -> str:
    return "none" if share == 0 else f"{share:.1%}" if share >= 0.001 else "under 0.1%"
