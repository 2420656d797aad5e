"""The command itself: what all of its commands share, and how it ends."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

import hourglass as hg
from hourglass.cli.words import in_the_shell, say, show_warning

app = typer.Typer(
    help="Squeeze a pile of unlabelled data through a narrow waist, and use what survives.\n\nBegin with: hourglass demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# How often a thread of torch's looks whether the others are done, before it sleeps. GNU's OpenMP looks 300,000 times by default;
# on a machine with other work to do, that keeps busy the very processors that the others wait for.
LOOKS = "3000"

Data = Annotated[
    str, typer.Argument(help="A file, a folder of images or tunes, or the name of a dataset (see: hourglass datasets).")
]
Model = Annotated[Path, typer.Argument(help="A model file, from hourglass fit.")]
REBUILT = (
    "A folder (images as PNG, melodies as MIDI and WAV), or a .npy, .csv, .parquet, .txt, .smi, .sdf, .mid, .abc or .wav file; "
    ".svg or .png draw molecules."
)
# As text, since a slash at the end, which says that it is a folder, is lost to a Path.
Rebuilt = Annotated[str, typer.Option("-o", "--output", metavar="PATH", help=REBUILT)]
Kind = Annotated[
    str | None,
    typer.Option(
        help="table, image, series, melody, molecule, token or words; inferred unless given; series only for WFDB and WAV files."
    ),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        help="What a column of a table is: NAME=numeric, boolean, categorical, datetime, identifier, left out; "
        "for series time, id, value."
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same numbers.")]
Epochs = Annotated[int | None, typer.Option(help="How often to go over the data at most.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out images, tunes, molecules or lines that can't be read, and count them.")
]
Condition = Annotated[
    str | None, typer.Option(help="What is asked for, of a model that was fitted with --condition: a level of that column.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def _say_version(asked: bool) -> None:
    if asked:
        say(f"hourglass {hg.__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")]


@app.callback()
def common(version: Version = False) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command; bad input ends it with one clear line and exit code 1, Ctrl-C with 130."""
    warnings.showwarning = show_warning
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", LOOKS)  # read when torch is imported
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what a log of another encoding can't hold
    try:
        app()
    except hg.HourglassError as error:
        typer.echo(f"Error: {in_the_shell(str(error))}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is not None or error.errno is None:  # else it was written to what this is shown on
            which = "a file" if error.filename is None else f"'{error.filename}'"
            typer.echo(f"Error: Can't open {which}: {error.strerror or error}. Check its path and permissions.", err=True)
            sys.exit(1)
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (the system's)
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # for what has yet to be written when Python ends
        typer.echo(f"Error: Can't write what is to be said here: {error.strerror}.", err=True)
        sys.exit(1)
