"""What a fitted model makes of data, as files beside it: codes, alarms, mended data, new rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hourglass as hg
from hourglass.data import Pictures, Record, atomic, reads_pictures
from hourglass.data.tables import FILE
from hourglass.kinds.frames import as_frame, is_table
from hourglass.server.studio.sources import Source

if TYPE_CHECKING:
    import polars as pl

MOST_SHOWN = 2000  # rows that a report is about, or that are measured one by one: as many as tell


def encode(model: Any, X: Any, path: Path, files: Sequence[str] | None = None) -> Path:
    """The codes of data, as a table; of pictures each with its file."""
    import polars as pl

    codes = pl.DataFrame(model.transform(X), schema=list(model.get_feature_names_out()))
    hg.write(path, codes if files is None else codes.insert_column(0, pl.Series(FILE, files)))
    return path


def detect(model: Any, X: Any, path: Path, files: Sequence[str] | None = None) -> Path:
    """The `alarms` of data, as a table."""
    hg.write(path, alarms(model, X, identifiers(model, X, files)))
    return path


def alarms(model: Any, X: Any, names: pl.DataFrame) -> pl.DataFrame:
    """A line for each row: its number, its ``names`` (`identifiers`), score, p-value, whether it raised an alarm, and why."""
    import polars as pl

    found: pl.DataFrame = model.alarms(X, reasons=3)
    apart = names.rename({name: f"{name}_" for name in names.columns if name in found.columns})
    return found.select("row", *apart, pl.exclude("row"))


def identifiers(model: Any, X: Any, files: Sequence[str] | None = None) -> pl.DataFrame:
    """What names rows: the files of pictures, columns of a table that no model learns from; no columns where nothing does."""
    import polars as pl

    if files is not None:
        return pl.DataFrame({FILE: files})
    names = [column.name for column in model.kind_.columns if column.type == "identifier"] if model.kind_.name == "table" else []
    known = [name for name in names if name in getattr(X, "columns", [])]
    return as_frame(X)[known] if known else pl.DataFrame()


def mend(model: Any, data: str, path: Path) -> Path:
    """Damaged data mended; pictures in files keep their names, sizes and formats."""
    if not reads_pictures(data):
        return _written(model, model.denoise(Source(data).read()), path)
    with atomic(path) as folder:
        for picture in Pictures(data):
            (cleaned,) = model.denoise([picture.pixels])
            picture.write(folder / picture.name, cleaned)
    return path


def sample(model: Any, n: int, path: Path, condition: Any = None, seed: int | None = None) -> tuple[Path, Any]:
    """New rows."""
    made = model.sample(n, condition=condition, random_state=seed)
    return _written(model, made, path), made


def _written(model: Any, rows: Any, path: Path) -> Path:
    ending = ".csv" if isinstance(rows, Record) or is_table(rows) else model.kind_.ending
    whole = path.with_name(path.name + ending)
    hg.write(whole, rows)
    return whole
