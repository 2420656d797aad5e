"""The ``hourglass`` command: each command is a few calls of the public library."""

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import hourglass as hg

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(
    help="Squeeze a pile of unlabelled data through a narrow waist, and use what survives.\n\nBegin with: hourglass demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Need(StrEnum):
    """What a model is fitted for."""

    compress = "compress"


Data = Annotated[str, typer.Argument(help="A file, a folder of images, or the name of a dataset (see: hourglass datasets).")]
Model = Annotated[Path, typer.Argument(help="A model file, from hourglass fit.")]
Kind = Annotated[str | None, typer.Option(help="table or image; inferred unless given.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same numbers.")]
Epochs = Annotated[int | None, typer.Option(help="How often to go over the data at most.")]
Seconds = Annotated[float | None, typer.Option(help="How long to train at most.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out images that can't be read, and count them.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
WIDTHS = "2,4,8,16,32,64"


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")] = Path("hourglass-demo"),
    seconds: Annotated[float, typer.Option(help="How long to train at each of six widths.")] = 6.0,
) -> None:
    """Train on handwritten digits and show what survives the squeeze.

    Example: hourglass demo
    """
    digits = hg.datasets.load("digits")
    _say(f"{len(digits.x_train):,} handwritten digits of 28 x 28 = 784 pixels; about {6 * seconds:.0f} seconds of training.\n")
    estimator = hg.Autoencoder(max_seconds=seconds, random_state=0)
    sweep = hg.sweep(digits.x_train, X_test=digits.x_test, estimator=estimator, random_state=0, verbose=True)
    model = sweep.models[32]
    model.save(output / "model.safetensors")
    hg.write(output / "codes.parquet", _codes(model, digits.x_test))
    hg.write(output / "reconstructions", model.reconstruct(digits.x_test[:100]))
    _save_figure(hg.plots.reconstructions(sweep, digits.x_test), output / "squeeze.png")
    hg.report(model, digits.x_test, output / "report.html", y=digits.y_test, sweep=sweep, title="Handwritten digits")
    at = sweep.frame.row(by_predicate=_pl().col("codes") == 32, named=True)
    _say(
        f"\nEach digit went through a waist of 32 numbers, 784 / 32 = {784 / 32:.1f} times narrower than the picture, and was redrawn "
        f"from them.\nOf what makes digits differ, {at['explained_variance']:.1%} survived; PCA keeps "
        f"{at['pca_explained_variance']:.1%} in as many numbers.\n"
    )
    _show_files(
        output,
        {
            "report.html": "the whole story with pictures; open it in a browser",
            "squeeze.png": "the same digits redrawn from 2, 4, 8 ... 64 numbers",
            "codes.parquet": "32 numbers for each of 1,000 digits the model never saw",
            "reconstructions/": "100 of them, redrawn",
            "model.safetensors": "the model",
        },
    )
    _say(
        "\nNext, with your own data (a CSV, a Parquet, an .npy or a folder of images):\n"
        "  hourglass fit DATA -o model.safetensors\n"
        "  hourglass encode model.safetensors DATA -o codes.parquet\n"
        "  hourglass report model.safetensors DATA -o report.html"
    )


@app.command()
def fit(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write.")] = Path("model.safetensors"),
    need: Annotated[Need, typer.Option("--for", help="What the model is for.")] = Need.compress,
    bottleneck: Annotated[int, typer.Option("-b", "--bottleneck", help="How many numbers are kept of each row.")] = 32,
    kind: Kind = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the layers before the waist, such as 256,128.")] = None,
    max_epochs: Epochs = None,
    max_seconds: Seconds = None,
    seed: Seed = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the run in this file, and go on from it if it exists.")] = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model to data and write it to a file.

    Example: hourglass fit digits -o model.safetensors
    """
    X = _load(data, skip_bad)
    if kind is None:
        inferred = hg.infer(X)
        _say(f"Taken for kind '{inferred.kind}': {inferred.reason}. Choose another with --kind.")
    model = hg.Autoencoder(
        bottleneck,
        kind=kind,
        hidden=None if hidden is None else tuple(_numbers(hidden, "--hidden")),
        max_epochs=max_epochs,
        max_seconds=max_seconds,
        random_state=seed,
        checkpoint=checkpoint,
        verbose=not quiet,
    ).fit(X)
    model.save(output)
    last = model.history_[-1]
    _say(f"Trained on {model.kind_.describe()} for {last['epoch']} epochs in {last['seconds']:.1f} s.")
    _say(_survival(model, X))
    _say(f"Wrote {output}. Next: hourglass encode {output} {data} -o codes.parquet")


@app.command()
def encode(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .parquet, .csv or .npy file.")] = Path("codes.parquet"),
    skip_bad: SkipBad = False,
) -> None:
    """Write the codes of data: a few numbers a row.

    Example: hourglass encode model.safetensors digits -o codes.parquet
    """
    fitted = hg.load(model)
    codes = _codes(fitted, _load(data, skip_bad))
    hg.write(output, codes)
    _say(f"Wrote {codes.height:,} rows of {codes.width} codes to {output}.")


@app.command()
def decode(
    model: Model,
    codes: Annotated[Path, typer.Argument(help="A file of codes, from hourglass encode.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A folder (images as PNG), or a .npy, .csv or .parquet file.")],
) -> None:
    """Rebuild data from codes.

    Example: hourglass decode model.safetensors codes.parquet -o rebuilt/
    """
    rebuilt = hg.load(model).inverse_transform(hg.read(codes))
    hg.write(output, rebuilt)
    _say(f"Wrote {len(rebuilt):,} rows to {output}.")


@app.command()
def reconstruct(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="A folder (images as PNG), or a .npy, .csv or .parquet file.")],
    skip_bad: SkipBad = False,
) -> None:
    """Pass data through the waist and back, and write what survives.

    Example: hourglass reconstruct model.safetensors digits -o rebuilt/
    """
    fitted = hg.load(model)
    X = _load(data, skip_bad)
    rebuilt = fitted.reconstruct(X)
    hg.write(output, rebuilt, like=None if skip_bad else data)
    _say(f"Wrote {len(rebuilt):,} rows to {output}. {_survival(fitted, X)}")


@app.command()
def sweep(
    data: Data,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A chart (.png, .svg, .pdf) or the table (.csv, .parquet).")
    ] = None,
    bottlenecks: Annotated[str, typer.Option(help="The widths to try.")] = WIDTHS,
    kind: Kind = None,
    max_epochs: Epochs = None,
    max_seconds: Annotated[float | None, typer.Option(help="How long to train at most, at each width.")] = None,
    seed: Seed = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Try several widths of the waist, beside PCA, and recommend one.

    Example: hourglass sweep digits --bottlenecks 2,8,32 -o sweep.png
    """
    estimator = hg.Autoencoder(kind=kind, max_epochs=max_epochs, max_seconds=max_seconds, random_state=seed)
    widths = _numbers(bottlenecks, "--bottlenecks")
    result = hg.sweep(_load(data, skip_bad), bottlenecks=widths, estimator=estimator, random_state=seed, verbose=not quiet)
    if output is not None and output.suffix in (".png", ".svg", ".pdf"):
        _save_figure(result.plot(), output)
    elif output is not None:
        hg.write(output, result.frame)
    _print(_table("What survives at each width", result.frame))
    _say(result.reason)
    if output is not None:
        _say(f"Wrote {output}.")


@app.command()
def report(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="The page's title.")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Write one page of pictures and figures about a model, which opens offline.

    Example: hourglass report model.safetensors digits -o report.html
    """
    hg.report(hg.load(model), _load(data, skip_bad), output, title=title)
    _say(f"Wrote {output}. Open it in a browser.")


@app.command()
def info(model: Model) -> None:
    """Say what a model file holds.

    Example: hourglass info model.safetensors
    """
    for name, value in hg.info(model).items():
        _say(f"{name:<12}{value}")


@app.command()
def datasets() -> None:
    """List the named datasets.

    Example: hourglass datasets
    """
    _print(_table("Named datasets", _pl().DataFrame([hg.datasets.describe(name) for name in hg.datasets.names()])))


def main() -> None:
    """Run the command; bad input ends it with one clear line and exit code 1, Ctrl-C with 130."""
    warnings.showwarning = _show_warning
    try:
        app()
    except (hg.HourglassError, BrokenPipeError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 (the command's own voice)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201
        sys.exit(130)


def _load(data: str, skip_bad: bool = False) -> Any:
    """Data by path, or by name; a path wins."""
    if not Path(data).exists() and (data in hg.datasets.names() or (not Path(data).suffix and "/" not in data)):
        return hg.datasets.load(data).x_train
    return hg.read(data, skip_bad=skip_bad)


def _codes(model: Any, X: Any) -> Any:
    return _pl().DataFrame(model.transform(X), schema=list(model.get_feature_names_out()))


def _survival(model: Any, X: Any) -> str:
    share = hg.metrics.reconstruction(model, X)["explained_variance"]
    codes = len(model.get_feature_names_out())
    return f"{codes} numbers in place of {model.n_features_in_} keep {share:.1%} of the variance of this data."


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",") if number.strip()]
    except ValueError as error:
        raise hg.ParameterError(f"{option} takes whole numbers with commas between them, such as 8,16,32. Got {text!r}.") from error


def _table(title: str, frame: Any) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(name.replace("_", " "), justify="right" if dtype.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*[f"{value:.4g}" if isinstance(value, float) else str(value) for value in row])
    return table


def _show_files(folder: Path, files: dict[str, str]) -> None:
    _say(f"In {folder}/:")
    for name, what in files.items():
        _say(f"  {name:<20}{what}")


def _save_figure(figure: Any, path: Path) -> None:
    from hourglass.data import atomic

    with atomic(path) as beside:
        figure.savefig(beside, dpi=144, bbox_inches="tight")


def _pl() -> Any:
    import polars

    return polars


def _say(text: str) -> None:
    typer.echo(text)


def _print(renderable: Any) -> None:
    from rich.console import Console

    Console().print(renderable)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, hg.HourglassWarning):
        print(f"Warning: {message}", file=sys.stderr)  # noqa: T201
