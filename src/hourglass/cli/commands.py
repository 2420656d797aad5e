"""The ``hourglass`` command: each command is a few calls of the public library."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

import hourglass as hg
from hourglass.cli.files import (
    CHARTS,
    TABLES,
    column_types,
    dataset_named,
    identifiers,
    in_batches,
    in_files,
    load,
    load_autoencoder,
    load_cleaner,
    marked,
    noise_from,
    numbered,
    of_same_names,
    place_of,
    require_writable,
    save_figure,
    save_overlays,
    series_kind,
    whole_numbers,
    with_keys,
)
from hourglass.cli.fitting import FITTERS, Asked, Need, require_needed
from hourglass.cli.mending import Mended
from hourglass.cli.words import P_VALUES, demo_result, histogram, percent, say, show, show_warning, sweep_table

app = typer.Typer(
    help="Squeeze a pile of unlabelled data through a narrow waist, and use what survives.\n\nBegin with: hourglass demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
DEMO_WIDTH = 32
DEMO_FILES = {
    "report.html": "the whole story with pictures; open it in a browser",
    "squeeze.png": "the same digits redrawn from 2, 4, 8 ... 64 numbers",
    "codes.parquet": f"{DEMO_WIDTH} numbers for each of 1,000 digits that the model never saw",
    "reconstructions/": "100 of them, redrawn",
    "model.safetensors": "the model",
}
DEMO_NEXT = """
Next, with your own data (a CSV, a Parquet, an .npy or a folder of images):
  hourglass fit DATA -o model.safetensors
  hourglass encode model.safetensors DATA -o codes.parquet
  hourglass report model.safetensors DATA -o report.html"""


Data = Annotated[str, typer.Argument(help="A file, a folder of images, or the name of a dataset (see: hourglass datasets).")]
Model = Annotated[Path, typer.Argument(help="A model file, from hourglass fit.")]
Rebuilt = Annotated[Path, typer.Option("-o", "--output", help="A folder (images as PNG), or a .npy, .csv, .parquet or .smi file.")]
Kind = Annotated[
    str | None,
    typer.Option(help="table, image, series, molecule, token or words; inferred unless given, series of records alone."),
]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same numbers.")]
Epochs = Annotated[int | None, typer.Option(help="How often to go over the data at most.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out images that can't be read, and count them.")]
Condition = Annotated[
    str | None, typer.Option(help="What is asked for, of a model that was fitted with --condition: a level of that column.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def _say_version(asked: bool) -> None:
    if asked:
        say(f"hourglass {version('hourglass-ae')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")]


@app.callback()
def common(version: Version = False) -> None:
    """Take the options that stand before a command."""


@app.command()
def demo(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")] = Path("hourglass-demo"),
    seconds: Annotated[float, typer.Option(help="How long to train at each of six widths.")] = 6.0,
) -> None:
    """Train on handwritten digits and show what survives.

    Example: hourglass demo
    """
    require_writable(output / "report.html")
    digits = hg.datasets.load("digits")
    say(f"{len(digits.x_train):,} handwritten digits of 28 x 28 = 784 pixels; {6 * seconds:.0f} seconds of training in all.\n")
    estimator = hg.Autoencoder(max_seconds=seconds, random_state=0)
    sweep = hg.sweep(digits.x_train, X_test=digits.x_test, estimator=estimator, random_state=0, verbose=True)
    model = sweep.models[DEMO_WIDTH]
    model.save(output / "model.safetensors")
    hg.write(output / "codes.parquet", _codes(model, digits.x_test))
    hg.write(output / "reconstructions", model.reconstruct(digits.x_test[:100]))
    save_figure(hg.plots.reconstructions(sweep, digits.x_test), output / "squeeze.png")
    hg.report(model, digits.x_test, output / "report.html", y=digits.y_test, sweep=sweep, title="Handwritten digits")
    say(f"\n{demo_result(sweep, DEMO_WIDTH)}\n\nIn {output}/:")
    for name, what in DEMO_FILES.items():
        say(f"  {name:<20}{what}")
    say(DEMO_NEXT)


@app.command()
def fit(
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write.")] = Path("model.safetensors"),
    need: Annotated[Need, typer.Option("--for", help="What the model is for.")] = Need.compress,
    bottleneck: Annotated[
        int | None,
        typer.Option("-b", "--bottleneck", help="How many numbers are kept of each row: 32, or all to clean pictures."),
    ] = None,
    kind: Kind = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the layers before the waist, such as 256,128.")] = None,
    max_epochs: Epochs = None,
    max_seconds: Annotated[float | None, typer.Option(help="How long to train at most.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="What a column of a table is: NAME=numeric, boolean, categorical, datetime, identifier, left out; "
            "of series time, id, value."
        ),
    ] = None,
    window: Annotated[int | None, typer.Option(help="Of a record: samples of the windows that it is cut to.")] = None,
    rate: Annotated[float | None, typer.Option(help="Of series: samples a second, where the data doesn't say.")] = None,
    damage: Annotated[
        str | None, typer.Option(help="For cleaning: what has to be mended, such as noise:25, blur:1-2+noise:5, saltpepper:0.1.")
    ] = None,
    contaminated: Annotated[
        bool, typer.Option("--contaminated", help="For flagging: up to a tenth of the rows may be strange.")
    ] = False,
    condition: Annotated[
        str | None,
        typer.Option(help="For generating: a column by which samples can be asked for; of a dataset with labels, label."),
    ] = None,
    seed: Seed = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the run in this file, and go on from it if it exists.")] = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model to data and write it to a file.

    Ctrl-C ends training early and keeps the best model so far.

    Example: hourglass fit digits -o model.safetensors
    """
    require_writable(output)
    layers = None if hidden is None else tuple(whole_numbers(hidden, "--hidden"))
    training: dict[str, Any] = {
        "columns": column_types(column),
        "max_epochs": max_epochs,
        "max_seconds": max_seconds,
        "random_state": seed,
        "verbose": not quiet,
    }
    network = {"kind": series_kind(kind, window, rate), "hidden": layers, "checkpoint": checkpoint}
    require_needed(need, damage, condition)
    FITTERS[need](Asked(data, output, bottleneck, network, training, damage, contaminated, condition, skip_bad))


@app.command()
def generate(
    model: Model,
    *,
    output: Rebuilt,
    n: Annotated[int, typer.Option("-n", help="How many.")] = 64,
    condition: Condition = None,
    seed: Seed = None,
) -> None:
    """Draw new data from a model.

    A folder gets a PNG for each picture, a file all rows. Models that were not fitted to generate draw from a distribution that was
    fitted to their codes, see the guide.

    Example: hourglass generate model.safetensors -n 64 -o samples/
    """
    fitted = load_autoencoder(model)
    made = fitted.sample(n, condition=condition, random_state=seed)
    hg.write(output, made)
    say(f"Wrote {len(made):,} new rows to {output}.")


@app.command()
def interpolate(
    model: Model,
    data: Data,
    *,
    output: Rebuilt,
    rows: Annotated[str, typer.Option(help="The rows to go by, counted from 0, such as 0,7 or 0,7,12.")] = "0,1",
    steps: Annotated[int, typer.Option(help="Rows from one to the next, both of them included.")] = 8,
    path: Annotated[str, typer.Option(help="straight or spherical.")] = "straight",
    condition: Condition = None,
    skip_bad: SkipBad = False,
) -> None:
    """Go from one row to another by way of their codes.

    Example: hourglass interpolate model.safetensors digits --rows 0,7 -o way/
    """
    fitted, X = load_autoencoder(model), load(data, skip_bad)
    ends = numbered(X, whole_numbers(rows, "--rows"))
    way = fitted.interpolate(ends, steps=steps, path=path, condition=condition)
    hg.write(output, way)
    say(f"Wrote {len(way):,} new rows to {output}, from row {rows.replace(',', ' to row ')}.")


@app.command()
def encode(
    model: Model,
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .parquet, .csv or .npy file.")] = Path("codes.parquet"),
    skip_bad: SkipBad = False,
) -> None:
    """Write the codes of data: a few numbers a row.

    They come in the order of the rows, or in that of the images' names.

    Example: hourglass encode model.safetensors digits -o codes.parquet
    """
    codes = _codes(load_autoencoder(model), load(data, skip_bad))
    hg.write(output, codes)
    say(f"Wrote {codes.height:,} rows of {codes.width} codes to {output}.")


@app.command()
def decode(
    model: Model,
    codes: Annotated[Path, typer.Argument(help="A file of codes, from hourglass encode.")],
    *,
    output: Rebuilt,
) -> None:
    """Rebuild data from codes.

    Example: hourglass decode model.safetensors codes.parquet -o rebuilt/
    """
    rebuilt = load_autoencoder(model).inverse_transform(hg.read(codes))
    hg.write(output, rebuilt)
    say(f"Wrote {len(rebuilt):,} rows to {output}.")


@app.command()
def reconstruct(model: Model, data: Data, *, output: Rebuilt, skip_bad: SkipBad = False) -> None:
    """Pass data through the waist and back.

    The images of a folder keep their names, unless some are left out.

    Example: hourglass reconstruct model.safetensors digits -o rebuilt/
    """
    fitted, X = load_autoencoder(model), load(data, skip_bad)
    rebuilt = fitted.reconstruct(X)
    hg.write(output, rebuilt, like=None if skip_bad else data)  # which images were left out, the reader doesn't tell
    say(f"Wrote {len(rebuilt):,} rows to {output}; {_survived(fitted, X)}.")


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
) -> None:
    """Score rows and flag the strange ones.

    The file gets a line for each row, or sample of a record: its number, its identifiers, score, p-value, whether it raised an
    alarm, and why. Tables may be larger than memory.

    Example: hourglass detect detector.safetensors new.csv -o alarms.parquet
    """
    from hourglass.data import appending

    require_writable(output, TABLES)
    if picture is not None:
        require_writable(picture, CHARTS)
    detector = hg.load(model)
    if not hasattr(detector, "p_values"):
        raise hg.ModelFileError(f"'{model}' is no detector. Make one with: hourglass fit DATA --for flag")
    if heatmaps is not None and detector.kind_.name != "image":
        raise hg.ParameterError(f"--heatmaps is for images, and '{model}' was fitted on {detector.kind_.describe()}.")
    if picture is not None and detector.kind_.name != "series":
        raise hg.ParameterError(f"--picture is for series, and '{model}' was fitted on {detector.kind_.describe()}.")
    if alarm_rate is not None:
        detector.set_alarm_rate(alarm_rate)
    tally = [0] * len(P_VALUES)
    rows = alarms = 0
    of_record = getattr(detector.kind_, "of_record", False)
    with appending(output) as append:
        for batch in in_batches(detector, data, skip_bad):
            found = with_keys(detector.alarms(batch, reasons=reasons), batch, key or identifiers(detector, batch), rows)
            append(found)
            if heatmaps is not None:
                save_overlays(detector, batch, found["alarm"].to_numpy(), None if skip_bad else data, heatmaps)
            if picture is not None:
                save_figure(hg.plots.timeline(detector, batch) if of_record else hg.plots.waves(detector, batch), picture)
            rows, alarms = rows + found.height, alarms + int(found["alarm"].sum())
            tally = [count + int((found["p_value"] <= limit).sum()) for count, limit in zip(tally, P_VALUES, strict=True)]
    share = f"{alarms / rows:.2%}; of usual rows, {detector.alarm_rate_:.2%} would"
    show(histogram(tally, rows))
    say(f"{alarms:,} of {rows:,} {'samples are part of an event' if of_record else 'rows raised an alarm'} ({share}).")
    say(f"Wrote {output}.")
    if picture is not None:
        say(f"Wrote {picture}.")
    if heatmaps is not None and alarms:
        say(f"Wrote {alarms:,} pictures to {heatmaps}.")
    if fail_over is not None and alarms > fail_over:
        raise typer.Exit(3)


@app.command()
def denoise(
    model: Model,
    data: Data,
    *,
    output: Rebuilt,
    strength: Annotated[
        str | None, typer.Option(help="How strong the noise is, in grey levels of 255; or auto, which estimates it.")
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="Pictures of the same names, not black where something is damaged.")] = None,
    reference: Annotated[Path | None, typer.Option(help="Clean pictures of the same names, to measure against.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="A picture of some before and after (.png, .svg, .pdf).")] = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Mend damaged data with a model that was fitted for cleaning.

    Pictures keep their names, size, depth, format and what else their files say.

    Example: hourglass denoise cleaner.safetensors scans/ -o clean/
    """
    from rich.progress import track

    if sheet is not None:
        require_writable(sheet, CHARTS)
    cleaner, noise = load_cleaner(model), noise_from(strength)
    X = in_files(data, skip_bad)
    if not hasattr(X, "names"):
        if mask is not None or reference is not None or sheet is not None:
            raise hg.ParameterError(f"--mask, --reference and --sheet are for picture files, and '{data}' is something else.")
        hg.write(output, cleaner.denoise(X, strength=noise))
        say(f"Wrote {len(X):,} rows to {output}.")
        return
    place, masks, references = place_of(output, X), of_same_names(mask, "--mask"), of_same_names(reference, "--reference")
    seen = Mended(cleaner)
    for picture in track(X, "Mending", disable=quiet):
        damaged = None if masks is None else [marked(masks(picture.name))]
        (cleaned,) = cleaner.denoise([picture.pixels], strength=noise, mask=damaged)
        picture.write(place(picture.name), cleaned)
        seen.take_in(picture.pixels, cleaned, None if references is None else references(picture.name).pixels)
    for line in seen.words(estimated=strength == "auto"):
        say(line)
    if sheet is not None:
        save_figure(hg.plots.mended(*seen.examples()), sheet)
        say(f"Wrote {sheet}.")
    say(f"Wrote {seen.count:,} pictures to {output}.")


@app.command()
def sweep(
    data: Data,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A chart (.png, .svg, .pdf) or the table (.csv, .parquet).")
    ] = None,
    bottlenecks: Annotated[str, typer.Option(help="The widths to try.")] = "2,4,8,16,32,64",
    kind: Kind = None,
    max_epochs: Epochs = None,
    max_seconds: Annotated[float | None, typer.Option(help="How long to train at most, at each width.")] = None,
    seed: Seed = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Try several widths of the waist and recommend one.

    Beside each stands principal component analysis (PCA), the classical method, with as many numbers.

    Example: hourglass sweep digits --bottlenecks 2,8,32 -o sweep.png
    """
    if output is not None:
        require_writable(output, (*CHARTS, *TABLES))
    widths = whole_numbers(bottlenecks, "--bottlenecks")
    estimator = hg.Autoencoder(kind=kind, max_epochs=max_epochs, max_seconds=max_seconds, random_state=seed)
    result = hg.sweep(load(data, skip_bad), bottlenecks=widths, estimator=estimator, random_state=seed, verbose=not quiet)
    if output is not None and output.suffix.lower() in CHARTS:
        save_figure(result.plot(), output)
    elif output is not None:
        hg.write(output, result.frame)
    show(sweep_table(result.frame))
    say(f"{result.reason}\n{result.comparison}")
    if output is not None:
        say(f"Wrote {output}.")


@app.command()
def report(
    model: Model,
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="The page's title.")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Write a page of pictures and figures about a model.

    It is one file, which opens offline. Of a detector it shows the alarms. Of a named dataset it shows the test images.

    Example: hourglass report model.safetensors digits -o report.html
    """
    require_writable(output)
    named = dataset_named(data)
    X, y = (load(data, skip_bad), None) if named is None else (named.x_test, named.y_test)
    hg.report(hg.load(model), X, output, y=y, title=title)
    say(f"Wrote {output}. Open it in a browser.")


@app.command()
def info(model: Model) -> None:
    """Say what a model file holds.

    Example: hourglass info model.safetensors
    """
    for name, value in hg.info(model).items():
        say(f"{name:<12}{value}")


@app.command()
def datasets() -> None:
    """List the named datasets.

    Example: hourglass datasets
    """
    for name in hg.datasets.names():
        facts = hg.datasets.describe(name)
        say(f"{name:<12}{facts['about']}")
        for fact in ("shapes", "licence", "source"):
            say(f"{'':<12}{facts[fact]}")


def main() -> None:
    """Run the command; bad input ends it with one clear line and exit code 1, Ctrl-C with 130."""
    warnings.showwarning = show_warning
    try:
        app()
    except hg.HourglassError as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


def _codes(model: Any, X: Any) -> Any:
    import polars as pl

    return pl.DataFrame(model.transform(X), schema=list(model.get_feature_names_out()))


def _survived(model: Any, X: Any) -> str:
    """What a pass through the waist left of rows, in words."""
    if model.kind_.symbolic:
        return f"{percent(hg.metrics.exact(model, X))} of them came back without a fault"
    return f"{percent(hg.metrics.explained_variance(*hg.metrics.before_and_after(model, X)))} of their variance survived"
