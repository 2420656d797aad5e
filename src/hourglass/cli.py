"""The ``hourglass`` command: each command is a few calls of the public library."""

from __future__ import annotations

import sys
import warnings
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from shlex import quote
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

import hourglass as hg
from hourglass.errors import suggest

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(
    help="Squeeze a pile of unlabelled data through a narrow waist, and use what survives.\n\nBegin with: hourglass demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
CHARTS = (".png", ".svg", ".pdf")
TABLES = (".csv", ".tsv", ".parquet")
P_VALUES = (1.0, 0.5, 0.1, 0.05, 0.01, 0.001)
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


class Need(StrEnum):
    """What a model is fitted for."""

    compress = "compress"
    flag = "flag"


Data = Annotated[str, typer.Argument(help="A file, a folder of images, or the name of a dataset (see: hourglass datasets).")]
Model = Annotated[Path, typer.Argument(help="A model file, from hourglass fit.")]
Rebuilt = Annotated[Path, typer.Option("-o", "--output", help="A folder (images as PNG), or a .npy, .csv or .parquet file.")]
Kind = Annotated[str | None, typer.Option(help="table or image; inferred unless given.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same numbers.")]
Epochs = Annotated[int | None, typer.Option(help="How often to go over the data at most.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out images that can't be read, and count them.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def _say_version(asked: bool) -> None:
    if asked:
        _say(f"hourglass {version('hourglass-ae')}")
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
    _require_writable(output / "report.html")
    digits = hg.datasets.load("digits")
    _say(f"{len(digits.x_train):,} handwritten digits of 28 x 28 = 784 pixels; {6 * seconds:.0f} seconds of training in all.\n")
    estimator = hg.Autoencoder(max_seconds=seconds, random_state=0)
    sweep = hg.sweep(digits.x_train, X_test=digits.x_test, estimator=estimator, random_state=0, verbose=True)
    model = sweep.models[DEMO_WIDTH]
    model.save(output / "model.safetensors")
    hg.write(output / "codes.parquet", _codes(model, digits.x_test))
    hg.write(output / "reconstructions", model.reconstruct(digits.x_test[:100]))
    _save_figure(hg.plots.reconstructions(sweep, digits.x_test), output / "squeeze.png")
    hg.report(model, digits.x_test, output / "report.html", y=digits.y_test, sweep=sweep, title="Handwritten digits")
    _say(f"\n{_demo_result(sweep)}\n\nIn {output}/:")
    for name, what in DEMO_FILES.items():
        _say(f"  {name:<20}{what}")
    _say(DEMO_NEXT)


@app.command()
def fit(
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write.")] = Path("model.safetensors"),
    need: Annotated[Need, typer.Option("--for", help="What the model is for.")] = Need.compress,
    bottleneck: Annotated[int, typer.Option("-b", "--bottleneck", help="How many numbers are kept of each row.")] = 32,
    kind: Kind = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the layers before the waist, such as 256,128.")] = None,
    max_epochs: Epochs = None,
    max_seconds: Annotated[float | None, typer.Option(help="How long to train at most.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column of a table is: NAME=numeric, boolean, categorical, datetime, identifier, left out."),
    ] = None,
    contaminated: Annotated[
        bool, typer.Option("--contaminated", help="For flagging: up to a tenth of the rows may be strange.")
    ] = False,
    seed: Seed = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the run in this file, and go on from it if it exists.")] = None,
    skip_bad: SkipBad = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model to data and write it to a file.

    Ctrl-C ends training early and keeps the best model so far.

    Example: hourglass fit digits -o model.safetensors
    """
    _require_writable(output)
    layers = None if hidden is None else tuple(_numbers(hidden, "--hidden"))
    columns = _columns(column)
    X = _load(data, skip_bad)
    if kind is None:
        inferred = hg.infer(X)
        _say(f"Taken for kind '{inferred.kind}': {inferred.reason}. Choose another with --kind.")
    if need is Need.flag and (kind or hg.infer(X).kind) == "table":
        detector = hg.AnomalyDetector(
            contaminated=contaminated,
            columns=columns,
            max_epochs=max_epochs,
            max_seconds=max_seconds,
            random_state=seed,
            verbose=not quiet,
        )
        _save_detector(detector.fit(X), output, len(X))
        return
    model = hg.Autoencoder(
        bottleneck,
        kind=kind,
        columns=columns,
        hidden=layers,
        max_epochs=max_epochs,
        max_seconds=max_seconds,
        random_state=seed,
        checkpoint=checkpoint,
        verbose=not quiet,
    )
    if need is Need.flag:
        _save_detector(hg.AnomalyDetector(model, contaminated=contaminated, random_state=seed).fit(X), output, len(X))
        return
    model.fit(X)
    model.save(output)
    _say(f"Trained on {len(X):,} rows ({model.kind_.describe()}) for {_passes(model)}.")
    _say(f"{bottleneck:,} numbers in place of {model.n_features_in_:,} keep {_survival_of_unseen(model, data, X)}")
    _say(f"Wrote {output}. Next: hourglass report {quote(str(output))} {quote(data)}")


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
    codes = _codes(_autoencoder(model), _load(data, skip_bad))
    hg.write(output, codes)
    _say(f"Wrote {codes.height:,} rows of {codes.width} codes to {output}.")


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
    rebuilt = _autoencoder(model).inverse_transform(hg.read(codes))
    hg.write(output, rebuilt)
    _say(f"Wrote {len(rebuilt):,} rows to {output}.")


@app.command()
def reconstruct(model: Model, data: Data, *, output: Rebuilt, skip_bad: SkipBad = False) -> None:
    """Pass data through the waist and back.

    The images of a folder keep their names, unless some are left out.

    Example: hourglass reconstruct model.safetensors digits -o rebuilt/
    """
    fitted, X = _autoencoder(model), _load(data, skip_bad)
    rebuilt = fitted.reconstruct(X)
    hg.write(output, rebuilt, like=None if skip_bad else data)  # which images were left out, the reader doesn't tell
    _say(f"Wrote {len(rebuilt):,} rows to {output}; {_share(_survival(fitted, X))} of their variance survived.")


@app.command()
def detect(
    model: Model,
    data: Data,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .parquet, .csv or .tsv file.")] = Path("alarms.parquet"),
    alarm_rate: Annotated[float | None, typer.Option(help="The share of usual rows that may raise an alarm.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A column to copy beside each row; identifiers are unless given.")] = None,
    reasons: Annotated[int, typer.Option(help="How many columns to name for each alarm.")] = 3,
    fail_over: Annotated[int | None, typer.Option(help="Exit with code 3 if there are more alarms than that.")] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Score rows and flag the strange ones.

    The file gets a line for each row: its number, its identifiers, score, p-value, whether it raised an alarm, and why. Tables may
    be larger than memory.

    Example: hourglass detect detector.safetensors new.csv -o alarms.parquet
    """
    from hourglass.data import appending

    _require_writable(output, TABLES)
    detector = hg.load(model)
    if not hasattr(detector, "p_values"):
        raise hg.ModelFileError(f"'{model}' is no detector. Make one with: hourglass fit DATA --for flag")
    if alarm_rate is not None:
        detector.set_alarm_rate(alarm_rate)
    tally = [0] * len(P_VALUES)
    rows = alarms = 0
    with appending(output) as append:
        for batch in _batches(detector, data, skip_bad):
            found = _keyed(detector.alarms(batch, reasons=reasons), batch, key or _identifiers(detector, batch), rows)
            append(found)
            rows, alarms = rows + found.height, alarms + int(found["alarm"].sum())
            tally = [count + int((found["p_value"] <= limit).sum()) for count, limit in zip(tally, P_VALUES, strict=True)]
    share = f"{alarms / rows:.2%}; of usual rows, {detector.alarm_rate_:.2%} would"
    _print(_histogram(tally, rows))
    _say(f"{alarms:,} of {rows:,} rows raised an alarm ({share}).")
    _say(f"Wrote {output}.")
    if fail_over is not None and alarms > fail_over:
        raise typer.Exit(3)


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
        _require_writable(output, (*CHARTS, *TABLES))
    widths = _numbers(bottlenecks, "--bottlenecks")
    estimator = hg.Autoencoder(kind=kind, max_epochs=max_epochs, max_seconds=max_seconds, random_state=seed)
    result = hg.sweep(_load(data, skip_bad), bottlenecks=widths, estimator=estimator, random_state=seed, verbose=not quiet)
    if output is not None and output.suffix.lower() in CHARTS:
        _save_figure(result.plot(), output)
    elif output is not None:
        hg.write(output, result.frame)
    _print(_table(result.frame))
    _say(f"{result.reason}\n{result.comparison}")
    if output is not None:
        _say(f"Wrote {output}.")


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
    _require_writable(output)
    named = _named(data)
    X, y = (_load(data, skip_bad), None) if named is None else (named.x_test, named.y_test)
    hg.report(hg.load(model), X, output, y=y, title=title)
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
    for name in hg.datasets.names():
        facts = hg.datasets.describe(name)
        _say(f"{name:<12}{facts['about']}")
        for fact in ("shapes", "licence", "source"):
            _say(f"{'':<12}{facts[fact]}")


def main() -> None:
    """Run the command; bad input ends it with one clear line and exit code 1, Ctrl-C with 130."""
    warnings.showwarning = _show_warning
    try:
        app()
    except hg.HourglassError as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


# Data


def _save_detector(detector: Any, output: Path, n: int) -> None:
    detector.save(output)
    _say(f"Learned from {n:,} rows what is usual ({detector.kind_.describe()}), in {_passes(detector)}.")
    _say(f"Wrote {output}. Next: hourglass detect {quote(str(output))} NEW -o alarms.parquet")


def _autoencoder(path: Path) -> Any:
    model = hg.load(path)
    if not hasattr(model, "reconstruct"):
        raise hg.ModelFileError(f"'{path}' is a detector, which has no codes. Use it with: hourglass detect")
    return model


def _named(data: str) -> Any:
    """The dataset of that name, or None where ``data`` is a path."""
    path = Path(data)
    if path.exists() or path.suffix or path.name != data:
        return None
    if data not in hg.datasets.names():
        raise hg.DataError(f"'{data}' is no file, no folder and no dataset. {suggest(data, hg.datasets.names())}")
    return hg.datasets.load(data)


def _load(data: str, skip_bad: bool) -> Any:
    named = _named(data)
    return hg.read(data, skip_bad=skip_bad) if named is None else named.x_train


def _batches(detector: Any, data: str, skip_bad: bool) -> Any:
    """Tables in files a batch at a time, in single precision, which is quicker; everything else whole."""
    import polars as pl

    from hourglass.data import batches

    if Path(data).suffix.lower() in TABLES and detector.kind_.name == "table":
        return (batch.cast({pl.Float64: pl.Float32}) for batch in batches(data))
    return iter([_load(data, skip_bad)])


def _identifiers(detector: Any, batch: Any) -> list[str]:
    if detector.kind_.name != "table":
        return []
    known = detector.schema_.filter(detector.schema_["type"] == "identifier")["column"]
    return [name for name in known if name in getattr(batch, "columns", [])]


def _keyed(found: Any, batch: Any, keys: list[str], first_row: int) -> Any:
    """What was found, rows counted from the first batch, with columns copied from the data."""
    import polars as pl

    for name in keys:
        if name not in getattr(batch, "columns", []):
            raise hg.DataError(f"--key: the data has no column '{name}'. {suggest(name, getattr(batch, 'columns', []))}")
    copied = [batch[name].alias(name if name not in found.columns else f"{name}_") for name in keys]
    return found.with_columns(pl.col("row") + first_row).select("row", *copied, pl.exclude("row"))


def _codes(model: Any, X: Any) -> Any:
    import polars as pl

    return pl.DataFrame(model.transform(X), schema=list(model.get_feature_names_out()))


def _survival(model: Any, X: Any) -> float:
    return hg.metrics.explained_variance(*hg.metrics.before_and_after(model, X))


def _survival_of_unseen(model: Any, data: str, X: Any) -> str:
    """What survives of the test images of a named dataset; of other data there are none, so that is said."""
    named = _named(data)
    if named is not None:
        share = _share(_survival(model, named.x_test))
        return f"{share} of the variance of {len(named.x_test):,} test images that it never saw."
    return f"{_share(_survival(model, X))} of the variance of the rows it learned from; expect a little less of new ones."


def _columns(given: list[str] | None) -> dict[str, str] | None:
    """The types that --column gives."""
    for pair in given or []:
        if "=" not in pair:
            raise hg.ParameterError(f"--column takes NAME=TYPE, such as zip=categorical. Got {pair!r}.")
    return dict(pair.rsplit("=", 1) for pair in given) if given else None


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",") if number.strip()]
    except ValueError as error:
        raise hg.ParameterError(f"{option} takes whole numbers with commas between them, such as 8,16,32. Got {text!r}.") from error


# Files


def _require_writable(path: Path, endings: tuple[str, ...] = ()) -> None:
    """Refuse a place that can't be written, or an unknown ending, before the work instead of after it."""
    if endings and path.suffix.lower() not in endings:
        raise hg.FileError(f"Can't write '{path}' by its ending. Known: {', '.join(endings)}.")
    if path.is_dir():
        raise hg.FileError(f"Can't write '{path}': it is a folder. Name a file, such as {path / 'model.safetensors'}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise hg.FileError(f"Can't write '{path}': {error.strerror}. Choose another folder or free some space.") from error


def _save_figure(figure: Any, path: Path) -> None:
    from hourglass.data import atomic

    with atomic(path) as beside:
        figure.savefig(beside, dpi=200, bbox_inches="tight")


# Words


def _demo_result(sweep: Any) -> str:
    row = next(row for row in sweep.frame.iter_rows(named=True) if row["codes"] == DEMO_WIDTH)
    return (
        f"Each digit went through a waist of {DEMO_WIDTH} numbers, {784 / DEMO_WIDTH:.1f} times fewer than its 784 pixels, "
        f"and was redrawn from them.\nOf what makes digits differ, {_share(row['explained_variance'])} survived, measured on "
        "1,000 digits that the model never saw.\nPrincipal component analysis (PCA), the classical method, keeps "
        f"{row['pca_explained_variance']:.1%} in as many numbers.\n{sweep.comparison}"
    )


def _share(survived: float) -> str:
    return f"{survived:.1%}" if survived > 0 else "nothing"


def _passes(model: Any) -> str:
    epochs, seconds = len(model.history_), model.history_[-1]["seconds"] if model.history_ else 0.0
    return f"{epochs:,} epoch{'s' * (epochs != 1)} in {seconds:.1f} s"


def _table(frame: Any) -> Table:
    """The frame of a sweep, for people."""
    from rich.table import Table

    table = Table(title="What survives at each width, measured on rows held out", title_justify="left")
    for name in ("numbers", "error", "survives", "error of PCA", "survives PCA", "seconds"):
        table.add_column(name, justify="right")
    for codes, mse, share, pca_mse, pca_share, seconds in frame.iter_rows():
        table.add_row(f"{codes:,}", f"{mse:#.3g}", f"{share:.1%}", f"{pca_mse:#.3g}", f"{pca_share:.1%}", f"{seconds:.1f}")
    return table


def _histogram(tally: list[int], rows: int) -> Table:
    """How many rows have a p-value below each limit, beside how many usual rows would."""
    from rich.table import Table

    table = Table(title="Strangeness of the rows, most usual first", title_justify="left")
    for name in ("p-value", "rows", "share", "of usual rows"):
        table.add_column(name, justify="right")
    table.add_column("")
    for place, limit in enumerate(P_VALUES):
        below = P_VALUES[place + 1] if place + 1 < len(P_VALUES) else 0.0
        count = tally[place] - (tally[place + 1] if below else 0)
        words = f"{below:g} to {limit:g}" if below else f"up to {limit:g}"
        table.add_row(words, f"{count:,}", f"{count / rows:.2%}", f"{limit - below:.1%}", "█" * round(40 * count / rows))
    return table


def _say(text: str) -> None:
    typer.echo(text)


def _print(renderable: Any) -> None:
    from rich.console import Console

    Console().print(renderable)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, hg.HourglassWarning):
        typer.echo(f"Warning: {message}", err=True)
