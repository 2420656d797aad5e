"""Commands that raise alarms, and say whether new data is still of the sort that was learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from hourglass.cli.rows import identifiers, in_single, one_a_row, placed, rounded, with_keys
from hourglass.cli.words import P_VALUES, Pace, counted, histogram, rows_table, say, show

MOST_MOVED = 10  # columns that are shown


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
        typer.Option(help="Of series: a picture of the record and its events, or of the strangest rows (.png, .svg, .pdf)."),
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option(help="A folder: of images, each alarm is drawn there under its score map, as PNG.")
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
    if picture is not None:
        require_writable(picture, CHARTS, model, data, option="--picture")
    detector = load_detector(model, exported=True)
    if isinstance(detector, hg.OnnxModel) and (picture is not None or heatmaps is not None):
        raise hg.ParameterError(f"--picture and --heatmaps need the .safetensors file, and '{model}' has scores alone.")
    if heatmaps is not None and detector.kind_.name != "image":
        raise hg.ParameterError(f"--heatmaps is for images, and '{model}' was fitted on {detector.kind_.describe()}.")
    if picture is not None and detector.kind_.name != "series":
        raise hg.ParameterError(f"--picture is for series, and '{model}' was fitted on {detector.kind_.describe()}.")
    if heatmaps is not None:
        require_unread_pictures(heatmaps, data, "--heatmaps")
    if alarm_rate is not None:
        detector.set_alarm_rate(alarm_rate)
    tally = [0] * len(P_VALUES)
    rows = alarms = 0
    of_record, pace = detector.kind_.of_record, Pace(quiet)
    with appending(output) as append:
        for batch, places in in_batches(detector, data, skip_bad):
            with counted_from(rows):
                found = detector.alarms(in_single(detector, batch), reasons=reasons)
            lines = one_a_row(detector, batch)
            found = placed(with_keys(found, lines, key or identifiers(detector, lines, data), rows), places)
            append(found if output.suffix.lower() == ".parquet" else rounded(found))
            if heatmaps is not None:
                save_overlays(detector, batch, found["alarm"].to_numpy(), places.get("file"), heatmaps)
            if picture is not None:
                save_figure(hg.plots.timeline(detector, batch) if of_record else hg.plots.waves(detector, batch), picture)
            rows, alarms = rows + found.height, alarms + int(found["alarm"].sum())
            tally = [count + int((found["p_value"] <= limit).sum()) for count, limit in zip(tally, P_VALUES, strict=True)]
            pace.show(rows)
    rate, unit = detector.alarm_rate_, "sample" if of_record else "row"
    paced = f": {3600 * rate:.3g} s of an hour" if of_record and detector.kind_.rate else ""
    share = f"{alarms / rows:.2%}; of usual {unit}s, {rate:.2%} would{paced}"
    show(histogram(tally, rows))
    are = "is" if rows == 1 else "are"
    say(f"{alarms:,} of {counted(rows, unit)} {f'{are} part of an event' if of_record else 'raised an alarm'} ({share}).")
    say(f"Wrote {output}.")
    if picture is not None:
        say(f"Wrote {picture}.")
    if heatmaps is not None and alarms:
        say(f"Wrote {counted(alarms, 'picture')} to {heatmaps}.")
    if fail_over is not None and alarms > fail_over:
        raise typer.Exit(3)


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
    found = detector.drift(in_single(detector, load(data, skip_bad)))
    show(rows_table(found.columns[:MOST_MOVED]))
    say(f"The scores have moved by {found.moved:.3g} (p-value {found.p_value:.2g}).")
    say(found.words)
    if output is not None:
        hg.write(output, found.columns)
        say(f"Wrote {output}.")
    if fail and found.drifted:
        raise typer.Exit(3)
