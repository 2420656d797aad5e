"""What commands write of rows, a line each: what says which row it is, beside what was found of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hourglass as hg
from hourglass.errors import suggest

LARGEST = 3.4e38  # in single precision, nearly


def in_single(detector: Any, batch: Any) -> Any:
    """The numbers of a table in single precision, which is quicker, unless that rounds them too much or makes infinity of them."""
    import polars as pl

    is_table = isinstance(batch, pl.DataFrame) and detector.kind_.name == "table"
    if not is_table or isinstance(detector, hg.OnnxModel) or detector.model_.scaling.far:
        return batch
    exact = {column.name for column in detector.kind_.columns if column.type != "numeric"}  # 20250129 needs all digits
    numbers = [column for column in batch if column.dtype == pl.Float64 and column.name not in exact]
    return batch.with_columns(column.cast(pl.Float32) for column in numbers if _fits_single(column))


def _fits_single(column: Any) -> bool:
    low, high = column.min() or 0.0, column.max() or 0.0
    return bool(-LARGEST <= low <= high <= LARGEST)


def identifiers(model: Any, batch: Any, data: str) -> list[str]:
    """The columns of the data that say which row is which: identifiers, rows of symbols themselves, and the files of a folder."""
    from hourglass.data.molecules import smiles_column
    from hourglass.data.tables import FILE

    columns = getattr(batch, "columns", [])
    known = [FILE] if Path(data).is_dir() else []
    if model.kind_.name == "series":
        known += [model.kind_.time, model.kind_.identifier]
    if model.kind_.name == "table":
        known += [column.name for column in model.kind_.columns if column.type == "identifier"]
    if model.kind_.symbolic and columns:
        known.append(smiles_column(columns) or columns[0])
    return [name for name in dict.fromkeys(known) if name in columns]


def one_a_row(detector: Any, batch: Any) -> Any:
    """What has a line for each row of a batch: it itself, strings as a table; of series one below the other their identifiers."""
    import polars as pl

    kind = detector.kind_
    if kind.symbolic and kind.name != "melody" and not hasattr(batch, "columns"):
        return pl.DataFrame({"smiles" if kind.name == "molecule" else "text": list(batch)})
    if kind.name != "series" or kind.of_record or kind.identifier is None or not hasattr(batch, "columns"):
        return batch
    return batch[[kind.identifier]].unique(maintain_order=True)


def placed(rows: Any, places: dict[str, Any]) -> Any:
    """A line for each row (row, and of windows of tunes the number of theirs), with the columns that say where rows are from.

    They have a value for each row, or one for all.
    """
    import polars as pl

    number = "tune" if "tune" in rows.columns else "row"
    columns = [
        pl.lit(values).alias(name) if isinstance(values, str) else pl.Series(name, values)[rows[number].to_list()]
        for name, values in places.items()
    ]
    others = [name for name in rows.columns if name not in {"row", *places}]
    return rows.with_columns(columns)[["row", *(name for name in places if name != "row"), *others]]


def beside(model: Any, X: Any, places: dict[str, Any], data: str) -> list[Any]:
    """Columns that say what each row of codes is of: its file, identifiers, tune; of a window of a record where it starts."""
    import numpy as np
    import polars as pl

    from hourglass.data.record import in_time, when
    from hourglass.kinds import as_raw

    if model.kind_.of_record:
        windows = model.kind_.opened(as_raw(X, kind="series"))
        record, starts = windows.record, windows.starts
        order = in_time(record)
        rows = starts if record.place is None else order[np.searchsorted(record.place, starts, sorter=order)]
        return [pl.Series("start", rows), pl.Series("time", [when(record, start) for start in starts])]
    lines = one_a_row(model, X)
    origins = model.kind_.origins(as_raw(X, kind=model.kind_.name))
    numbers = range(len(next(iter(origins.values()), lines)))
    found = placed(pl.DataFrame({"row": numbers, **origins}), places)
    names = identifiers(model, lines, data)
    return [*(lines[name] for name in names), *found.select(name for name in found.columns if name in {*origins, *places})]


def of_events(detector: Any, batch: Any, events: Any, keys: list[str]) -> Any:
    """Events of a record by number, with the times of their first and last row and of their peak, and columns of the first."""
    import polars as pl

    from hourglass.data.record import when

    ends = {"start": events["start"], "end": events["end"] - 1, "peak": events["peak"]}
    if detector.kind_.time in getattr(batch, "columns", []):
        times = [batch[detector.kind_.time][rows].alias(f"{name}_time") for name, rows in ends.items()]
    else:
        record = detector.kind_.opened(batch).record
        known = ends if record.rate else {}
        times = [pl.Series(f"{name}_time", [when(record, row) for row in rows], pl.String) for name, rows in known.items()]
    found = with_keys(events.rename({"start": "row"}), batch[events["start"]] if keys else batch, keys, 0).drop("time")
    found = found.rename({"row": "start"}).with_row_index("event", 1).with_columns(times)
    first = ["event", "start", "end", "peak", *(column.name for column in times)]
    return found.select(*first, pl.exclude(first))


def with_keys(found: Any, batch: Any, keys: list[str], first_row: int) -> Any:
    """What was found, rows counted from the first batch, with columns copied from the data."""
    import polars as pl

    keys, columns = list(dict.fromkeys(keys)), getattr(batch, "columns", [])
    for name in keys:
        if name not in columns:
            hint = suggest(name, columns) if len(columns) else "Its columns have no names: leave --key out."
            raise hg.DataError(f"--key: the data has no column '{name}'. {hint}")
    copied = [batch[name].alias(name if name not in found.columns else f"{name}_") for name in keys]
    return found.with_columns(pl.col("row") + first_row).select("row", *copied, pl.exclude("row"))


def rounded(found: Any) -> Any:
    """What was found with scores and p-values as they are read: of six digits, which keep their order."""
    from polars import selectors as cs

    return found.with_columns(cs.by_name("score", "p_value", "share", require_all=False).round_sig_figs(6))
