"""Commands that raise alarms, and say whether new data is still of the sort that was learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import hourglass as hg
from hourglass.cli.app import Data, Model, Quiet, SkipBad, app
from hourglass.cli.files import (
    CHARTS,
    TABLES,
    in_batches,
    load,
    load_detector,
    require_unread_pictures,
    require_writable,
    save_figure,
    save_overlays,
)
from hourglass.cli.rows import identifiers, in_single, of_events, one_a_row, placed, rounded, with_keys
from hourglass.cli.words import P_VALUES, Pace, counted, histogram, rows_table, say, show
from hourglass.errors import warn

MOST_MOVED = 10  # columns that are shown
FEWEST = 30  # rows of which a distribution says something


@app.command()
def detect(
    model: Model,
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .parquet, .csv or .tsv file.")] = Path("alarms.parquet"),
    alarm_rate: Annotated[float | None, typer.Option(help="The share of usual rows that may raise an alarm.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A column to copy beside each row; identifiers are unless given.")] = None,
    reasons: Annotated[int, typer.Option(help="How many columns, or regions of a picture, to name for each alarm.")] = 3,
    picture: Annotated[
        Path | None,
        typer.Option(help="For series: a picture of the record and its events, or of the strangest rows (.png, .svg, .pdf)."),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="For a record: a table of its events: begin, end, peak, channels and reason (.csv, .tsv, .parquet)."),
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option(help="A folder: for images, each alarm is drawn there under its score map, as PNG.")
    ] = None,
    fail_over: Annotated[int | None, typer.Option(help="Exit with code 3 if there are more alarms than that.")] = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Score rows and flag the strange ones.

    The file gets a line for each row, or sample of a record: its number, its identifiers, score, p-value, whether it raised an
    alarm, and why. Tables may be larger than memory. A model in ONNX, from hourglass export, says all of it but why.

    Example: hourglass detect detector.safetensors new.csv -o alarms.parquet
    """
    from hourglass.data import appending
    from hourglass.kinds import counted_from

    require_writable(output, TABLES, model, data)
    for path, endings, option in ((picture, CHARTS, "--picture"), (events, TABLES, "--events")):
        if path is not None:
            require_writable(path, endings, model, data, option=option)
    if events is not None and events.resolve() == output.resolve():
        raise hg.ParameterError(f"-o and --events both name '{output}'. Name another file with one of them.")
    detector = load_detector(model, exported=True)
    _require_suited(detector, model, data, picture=picture, heatmaps=heatmaps, events=events)
    if alarm_rate is not None:
        detector.set_alarm_rate(alarm_rate)
    tally = [0] * len(P_VALUES)
    rows, alarms, happened = 0, 0, []
    of_record, pace = detector.kind_.of_record, Pace(quiet)
    with appending(output) as append:
        for batch, places in in_batches(detector, data, skip_bad):
            with counted_from(rows):
                found = detector.alarms(in_single(detector, batch), reasons=reasons)
            lines = one_a_row(detector, batch)
            found = with_keys(found, lines, key or identifiers(detector, lines, data), 0 if of_record else rows)
            found = placed(found, places)
            append(found if output.suffix.lower() == ".parquet" else rounded(found))
            if heatmaps is not None:
                save_overlays(detector, batch, found["alarm"].to_numpy(), places.get("file"), heatmaps)
            if picture is not None or events is not None:
                happened += _of_series(detector, batch, places, key or [], picture)
            rows, alarms = rows + found.height, alarms + int(found["alarm"].sum())
            tally = [count + int((found["p_value"] <= limit).sum()) for count, limit in zip(tally, P_VALUES, strict=True)]
            pace.show(rows)
    if events is not None:
        _write_events(events, happened)
    rate, unit = detector.alarm_rate_, "sample" if of_record else "row"
    paced = f": {3600 * rate:.3g} s of an hour" if of_record and detector.kind_.rate else ""
    promised = f"{rate:.2%}" if rate >= 1e-4 else f"{100 * rate:.2g}%"
    share = f"{alarms / rows:.2%}; of usual {unit}s, {promised} would{paced}"
    show(histogram(tally, rows))
    are = "is" if rows == 1 else "are"
    say(f"{alarms:,} of {counted(rows, unit)} {f'{are} part of an event' if of_record else 'raised an alarm'} ({share}).")
    say(f"Wrote {output}.")
    for path in (events, picture):
        if path is not None:
            say(f"Wrote {path}.")
    if heatmaps is not None and alarms:
        say(f"Wrote {counted(alarms, 'picture')} to {heatmaps}.")
    if fail_over is not None and alarms > fail_over:
        raise typer.Exit(3)


def _require_suited(
    detector: Any, model: Path, data: str, *, picture: Path | None, heatmaps: Path | None, events: Path | None
) -> None:
    """Refuse options that are for other detectors, or other data."""
    kind = detector.kind_
    if isinstance(detector, hg.OnnxModel) and (picture is not None or heatmaps is not None):
        raise hg.ParameterError(f"--picture and --heatmaps need the .safetensors file, and '{model}' has scores alone.")
    for option, path, what, suited in (
        ("--heatmaps", heatmaps, "images", kind.name == "image"),
        ("--picture", picture, "series", kind.name == "series"),
        ("--events", events, "records", kind.of_record),
    ):
        if path is not None and not suited:
            raise hg.ParameterError(f"{option} is for {what}, and '{model}' was fitted on {kind.describe()}.")
    if picture is not None and kind.of_record and Path(data).is_dir():
        raise hg.ParameterError(f"--picture is of one record, and '{data}' is a folder. Name a file of it.")
    if heatmaps is not None:
        require_unread_pictures(heatmaps, data, "--heatmaps")


def _of_series(detector: Any, batch: Any, places: dict[str, Any], keys: list[str], picture: Path | None) -> list[Any]:
    """The events of a record as a table, if it is one, and the picture of series where it is asked for."""
    import polars as pl

    if not detector.kind_.of_record:
        if picture is not None:
            save_figure(hg.plots.waves(detector, batch), picture)
        return []
    found = detector.events(batch)
    if picture is not None:
        save_figure(hg.plots.timeline(detector, batch, found), picture)
    return [of_events(detector, batch, found, keys).select(*(pl.lit(each).alias(name) for name, each in places.items()), pl.all())]


def _write_events(path: Path, tables: list[Any]) -> None:
    import polars as pl

    lines = pl.concat(tables)
    hg.write(path, lines if path.suffix.lower() == ".parquet" else rounded(lines))


@app.command()
def drift(
    model: Model,
    data: Data,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A .parquet, .csv or .tsv file: a line for each column.")
    ] = None,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with code 3 if the data has changed.")] = False,
    skip_bad: SkipBad = False,
) -> None:
    """Say whether data has changed, and what of it has moved.

    Scores are compared with those of usual rows, and each column with that of the training rows. Give it some hundreds of rows.

    Example: hourglass drift detector.safetensors new.csv --fail
    """
    if output is not None:
        require_writable(output, TABLES, model, data)
    detector = load_detector(model)
    rows = load(data, skip_bad)
    if len(rows) < FEWEST and detector.kind_.name != "melody":  # a tune is many rows
        warn(f"{counted(len(rows), 'row')} can hardly tell whether data has changed: give some hundreds.")
    found = detector.drift(in_single(detector, rows))
    show(rows_table(found.columns[:MOST_MOVED]))
    say(f"The scores have moved by {found.moved:.3g} (p-value {found.p_value:.2g}).")
    say(found.words)
    if output is not None:
        hg.write(output, found.columns)
        say(f"Wrote {output}.")
    if fail and found.drifted:
        raise typer.Exit(3)
