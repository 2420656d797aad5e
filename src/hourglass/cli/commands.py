"""Commands that fit a model, use it and look at it: each is a few calls of the public library."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which
from typing import Annotated, Any

import typer

import hourglass as hg
from hourglass.cli.app import Column, Data, Epochs, Kind, Model, Quiet, Rebuilt, Seed, SkipBad, app
from hourglass.cli.files import (
    CHARTS,
    TABLES,
    column_types,
    dataset_named,
    kind_of,
    load,
    load_model,
    load_untold,
    load_with_places,
    require_suited,
    require_target,
    require_unread_pictures,
    require_writable,
    save_figure,
    whole_numbers,
)
from hourglass.cli.fitting import FITTERS, Asked, Need, require_needed
from hourglass.cli.rows import beside
from hourglass.cli.words import counted, demo_result, percent, say, show, sweep_table

CODES = (".parquet", ".csv", ".tsv", ".npy")  # what codes are written to
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
    if which("hourglass") is None:
        say(f"\nYour shell doesn't know hourglass yet. Type first: source {Path(sys.prefix, 'bin', 'activate')}")


@app.command()
def fit(
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write.")] = Path("model.safetensors"),
    need: Annotated[Need, typer.Option("--for", help="What the model is for.")] = Need.compress,
    bottleneck: Annotated[
        int | None,
        typer.Option(
            "-b",
            "--bottleneck",
            help="How many numbers to keep of each row: 32 unless given; to generate 16 (for symbols 64); fewer for narrow tables.",
        ),
    ] = None,
    kind: Kind = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the layers before the waist, such as 256,128.")] = None,
    max_epochs: Epochs = None,
    max_seconds: Annotated[float | None, typer.Option(help="How long to train at most.")] = None,
    column: Column = None,
    window: Annotated[int | None, typer.Option(help="For a record: samples of the windows that it is cut into.")] = None,
    bars: Annotated[int | None, typer.Option(help="For tunes: bars of the windows that they are cut into; 2 unless given.")] = None,
    rate: Annotated[float | None, typer.Option(help="For series: samples a second, if the data doesn't say.")] = None,
    damage: Annotated[
        str | None, typer.Option(help="For cleaning: what has to be mended, such as noise:25, blur:1-2+noise:5, typos:0.1.")
    ] = None,
    contaminated: Annotated[
        bool, typer.Option("--contaminated", help="For flagging: up to a tenth of the rows may be strange.")
    ] = False,
    condition: Annotated[
        str | None,
        typer.Option(help="For generating: a column by which samples can be asked for; for a dataset with labels, label."),
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
    require_writable(output, (".safetensors",), data)
    if checkpoint is not None and checkpoint.resolve() == output.resolve():
        raise hg.ParameterError(f"'{output}' can't be both model and checkpoint. Name another file with --checkpoint.")
    layers = None if hidden is None else tuple(whole_numbers(hidden, "--hidden"))
    training: dict[str, Any] = {
        "columns": column_types(column),
        "max_epochs": max_epochs,
        "max_seconds": max_seconds,
        "random_state": seed,
        "verbose": not quiet,
    }
    network = {"kind": kind_of(kind, window, rate, bars), "hidden": layers, "checkpoint": checkpoint}
    require_needed(need, damage, condition, contaminated)
    FITTERS[need](Asked(data, output, bottleneck, network, training, damage, contaminated, condition, skip_bad))


@app.command()
def encode(
    model: Model,
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .parquet, .csv, .tsv or .npy file.")] = Path("codes.parquet"),
    skip_bad: SkipBad = False,
) -> None:
    """Write the codes of data: a few numbers a row.

    They come in the order of the rows, or in that of the images' names. What says which row is which, files of a folder and
    identifiers of a table, where windows of a record start, stands beside them, but not in an .npy.

    Example: hourglass encode model.safetensors digits -o codes.parquet
    """
    import polars as pl

    require_writable(output, CODES, model, data)
    fitted = load_untold(model)
    X, places = load_with_places(data, skip_bad)
    codes = _codes(fitted, X)
    hg.write(output, codes if output.suffix.lower() == ".npy" else pl.DataFrame([*beside(fitted, X, places, data), *codes]))
    say(f"Wrote {counted(codes.height, 'row')} of {counted(codes.width, 'code')} to {output}.")


@app.command()
def decode(
    model: Model,
    codes: Annotated[Path, typer.Argument(help="A file of codes, from hourglass encode.")],
    *,
    output: Rebuilt,
    like: Annotated[
        str | None, typer.Option(help="The data that the codes are of: a record gets its length and its times from there.")
    ] = None,
) -> None:
    """Rebuild data from codes.

    Example: hourglass decode model.safetensors codes.parquet -o rebuilt/
    """
    require_target(output, model, codes, like)
    fitted = load_untold(model)
    require_suited(output, fitted.kind_)
    Z: Any = hg.read(codes)
    names = list(fitted.get_feature_names_out())
    alike = {} if like is None else {"like": load(like, skip_bad=False)}
    rebuilt = fitted.inverse_transform(Z[names] if set(names) <= set(getattr(Z, "columns", ())) else Z, **alike)
    hg.write(output, rebuilt)
    say(f"Wrote {counted(len(rebuilt), 'row')} to {Path(output)}.")


@app.command()
def reconstruct(model: Model, data: Data, *, output: Rebuilt, skip_bad: SkipBad = False) -> None:
    """Pass data through the waist and back.

    The images of a folder keep their names.

    Example: hourglass reconstruct model.safetensors digits -o rebuilt/
    """
    from hourglass.data import is_folder, write_images

    require_target(output, model, data)
    require_unread_pictures(Path(output), data)
    fitted = load_untold(model)
    require_suited(output, fitted.kind_)
    X, places = load_with_places(data, skip_bad)
    rebuilt = fitted.reconstruct(X)
    if fitted.kind_.name == "image" and is_folder(output):
        write_images(output, rebuilt, places.get("file"))
    else:
        hg.write(output, rebuilt)
    say(f"Wrote {counted(len(rebuilt), 'row')} to {Path(output)}; {_survived(fitted, X)}.")


@app.command()
def sweep(
    data: Data,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A chart (.png, .svg, .pdf) or the table (.csv, .tsv, .parquet).")
    ] = None,
    bottlenecks: Annotated[str, typer.Option(help="The widths to try.")] = "2,4,8,16,32,64",
    kind: Kind = None,
    max_epochs: Epochs = None,
    max_seconds: Annotated[float | None, typer.Option(help="How long to train at most, at each width.")] = None,
    column: Column = None,
    seed: Seed = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Try several widths of the waist and recommend one.

    Beside each stands principal component analysis (PCA), the classical method, with as many numbers.

    Example: hourglass sweep digits --bottlenecks 2,8,32 -o sweep.png
    """
    if output is not None:
        require_writable(output, (*CHARTS, *TABLES), data)
    widths = whole_numbers(bottlenecks, "--bottlenecks")
    columns = column_types(column)
    estimator = hg.Autoencoder(kind=kind, columns=columns, max_epochs=max_epochs, max_seconds=max_seconds, random_state=seed)
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
    condition: Annotated[
        str | None, typer.Option(help="For a model that was fitted with --condition: the same column, or label.")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Write a page of pictures and figures about a model.

    It is one file, which opens offline. For a detector it shows the alarms, for a named dataset the test images.

    Example: hourglass report model.safetensors digits -o report.html
    """
    from hourglass.data.tables import apart

    require_writable(output, (".html",), model, data)
    fitted, named = load_model(model), dataset_named(data)
    X, y = (load(data, skip_bad), None) if named is None else (named.x_test, named.y_test)
    X, known = apart(data, X, y, condition)
    hg.report(fitted, X, output, y=y, condition=known, title=title)
    say(f"Wrote {output}. Open it in a browser.")


@app.command()
def export(
    model: Model,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .onnx file to write.")] = Path("model.onnx"),
    compare: Annotated[
        str | None, typer.Option(help="Data to compare the two on, beside rows that are made up: a file, a folder or a dataset.")
    ] = None,
) -> None:
    """Write a model as one ONNX file, which runs anywhere.

    Scaling, likelihood and threshold are inside. It is written only if onnxruntime gives the same numbers.

    Example: hourglass export model.safetensors -o model.onnx
    """
    require_writable(output, (".onnx",), model)
    fitted = load_model(model)
    if fitted.kind_.symbolic:
        say("A decoder of symbols is written out position by position, which takes minutes.")
    fitted.export_onnx(output, None if compare is None else load(compare, skip_bad=False))
    outputs = ", ".join(hg.OnnxModel(output).outputs)
    say(f"Wrote {output}, which gives {outputs}. onnxruntime gave the numbers of '{model}', to 1e-4 of each.")


@app.command()
def info(model: Model) -> None:
    """Say what a model file holds.

    For a table, it says what each column was taken for, and why.

    Example: hourglass info model.safetensors
    """
    for name, value in hg.info(model).items():
        say(f"{name:<12}{value.replace(chr(10), chr(10) + 12 * ' ')}")


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


def _codes(model: Any, X: Any) -> Any:
    import polars as pl

    return pl.DataFrame(model.transform(X), schema=list(model.get_feature_names_out()))


def _survived(model: Any, X: Any) -> str:
    """What a pass through the waist left of rows, in words."""
    what = "of them came back without a fault" if model.kind_.symbolic else "of their variance survived"
    return f"{percent(hg.metrics.survival(model, X))} {what}"
