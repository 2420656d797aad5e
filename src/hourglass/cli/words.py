"""What the commands say: sentences, tables, a histogram."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from shlex import quote
from time import monotonic
from typing import TYPE_CHECKING, Any

import typer

import hourglass as hg

if TYPE_CHECKING:
    from rich.table import Table

NAMES = {"corruption": "damage", "columns": "column", "random_state": "seed"}  # options that are called otherwise in Python
_SAME = "bottlenecks?|hidden|kind|max_epochs|max_seconds|checkpoint|condition|temperature|top_p"
_SAME += "|rows|steps|path|reasons|radius|bars|like"
_ANY = f"({'|'.join(NAMES)}|{_SAME})"


def _option(name: str) -> str:
    return f"--{NAMES.get(name, name).replace('_', '-')}"


OPTIONS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"columns=\{'([^']*)': '([^']*)'\}", lambda said: f"--column {quote(f'{said[1]}={said[2]}')}"),
    (r"columns=\{'([^']*)': \.\.\.\}", lambda said: f"--column {quote(f'{said[1]}=TYPE')}"),
    (r"in columns=", "with --column"),
    (r"kind=(?:hg\.)?Series\((window|rate)=([^)]+)\)", r"--\1 \2"),
    (r"kind=(?:hg\.)?Melodies\(bars=(\d+)\)", r"--bars \1"),
    (r"pass skip_bad=True", "say --skip-bad"),
    (r"Leave it out, or (mend it|write what it stands for)\.", r"Leave it out, as --skip-bad does of a file, or \1."),
    (r"(is empty\. Leave it out)\.", r"\1, as --skip-bad does of a file."),
    (r"pass mask=, or floats with NaN in its place", "name a --mask"),
    (r"strength and mask are for pictures", "--strength is for pictures"),
    (r", for example by \.drop\('[^']*'\)", ""),
    (r" Fit one to the codes of your data: model\.fit_sampler.*; in the shell, hourglass", " Make one that has: hourglass"),
    (rf"\b{_ANY}=(?=[\w'\"])", lambda said: f"{_option(said[1])} "),
    (rf"\b{_ANY}=(?=[., ])", lambda said: _option(said[1])),
    (rf"[Tt]he '{_ANY}'( parameter)?( of (a |the )?\w+| that are added)?(?= )", lambda said: _option(said[1])),
    (r"(--(?:kind|damage|checkpoint)) '([^' ]+)'", r"\1 \2"),
)
P_VALUES = (1.0, 0.5, 0.1, 0.05, 0.01, 0.001)
NUMBERS = 50  # characters of a line of the histogram but for its bar, and how many rows there are
FEWEST = 10  # characters of a bar that says anything
PAUSE = 5.0  # seconds between two lines on how far it is, at least


def say(text: str) -> None:
    """A line on the terminal."""
    typer.echo(text)


def say_rows(rows: Any) -> None:
    """Rows of symbols on the terminal, a line each."""
    for row in rows:
        say(row if isinstance(row, str) else " ".join(row))


def show(renderable: Any) -> None:
    """A table on the terminal."""
    from rich.console import Console

    Console().print(renderable)


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """One line for each of the library's own warnings; those of other libraries are not for the user."""
    if issubclass(category, hg.HourglassWarning):
        typer.echo(f"Warning: {in_the_shell(str(message))}", err=True)


def in_the_shell(sentence: str) -> str:
    """A sentence of the library on one line, with options in place of what would be typed in Python."""
    line = " ".join(part.strip() for part in sentence.splitlines())
    for python, shell in OPTIONS:
        line = re.sub(python, shell, line)
    return line


def counted(count: int, thing: str) -> str:
    """How many there are of something: 1 row, 2 rows."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


class Pace:
    """How far a table is scored that takes long: a line now and then, the later the less often."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.began = self.said = monotonic()

    def show(self, rows: int) -> None:
        """Take in how many rows are done."""
        now = monotonic()
        if not self.silent and now - self.said >= max(PAUSE, (now - self.began) / 10):
            self.said = now
            typer.echo(f"Scoring: {counted(rows, 'row')}, {rows / (now - self.began):,.0f} rows/s", err=True)


def percent(survived: float) -> str:
    """A share that survived, in words."""
    if 0.9995 <= survived < 1:
        return "over 99.9%"  # only all is 100%
    return f"{survived:.1%}" if survived > 0 else "nothing"


def passes(model: Any) -> str:
    """How long a model was trained."""
    seconds = model.history_[-1]["seconds"] if model.history_ else 0.0
    return f"{counted(len(model.history_), 'epoch')} in {seconds:.1f} s"


def demo_result(sweep: Any, width: int) -> str:
    """What the demo showed."""
    row = next(row for row in sweep.frame.iter_rows(named=True) if row["codes"] == width)
    return (
        f"Each digit went through a waist of {width} numbers, {784 / width:.1f} times fewer than its 784 pixels, "
        f"and was redrawn from them.\nOf what makes digits differ, {percent(row['explained_variance'])} survived, measured on "
        "1,000 digits that the model never saw.\nPrincipal component analysis (PCA), the classical method, keeps "
        f"{row['pca_explained_variance']:.1%} in as many numbers.\n{sweep.comparison}"
    )


def sweep_table(frame: Any) -> Table:
    """The frame of a sweep, for people."""
    from rich.table import Table

    table = Table(title="What survives at each width, measured on rows held out", title_justify="left")
    for name in ("numbers", "error", "survives", "error of PCA", "survives PCA", "seconds"):
        table.add_column(name, justify="right")
    for codes, mse, share, pca_mse, pca_share, seconds in frame.iter_rows():
        table.add_row(f"{codes:,}", f"{mse:#.3g}", f"{share:.1%}", f"{pca_mse:#.3g}", f"{pca_share:.1%}", f"{seconds:.1f}")
    return table


def histogram(tally: list[int], rows: int) -> Table:
    """How many rows have a p-value below each limit, beside how many usual rows would; with bars where there is room for them."""
    from rich.console import Console
    from rich.table import Table

    room = min(40, Console().width - NUMBERS - len(f"{rows:,}"))
    bars = room >= FEWEST
    plain: dict[str, Any] = {} if bars else {"box": None, "padding": (0, 1, 0, 0)}
    table = Table(title="Strangeness of the rows, most usual first", title_justify="left", **plain)
    for name in ("p-value", "rows", "share", "of usual rows" if bars else "of usual", *[""] * bars):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for (limit, below), (within, farther) in zip(pairwise((*P_VALUES, 0.0)), pairwise((*tally, 0)), strict=True):
        count = within - farther
        words = f"{below:g} to {limit:g}" if below else f"up to {limit:g}"
        bar = ["█" * round(room * count / rows)] * bars
        table.add_row(words, f"{count:,}", f"{count / rows:.2%}", f"{limit - below:.1%}", *bar)
    return table


def rows_table(frame: Any) -> Table:
    """A frame of few rows, for people."""
    from rich.table import Table
    from rich.text import Text  # in which brackets are brackets, as those of SMILES

    table = Table()
    for name in frame.columns:
        table.add_column(Text(name), overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(Text(f"{value:.3g}" if isinstance(value, float) else str(value)) for value in row))
    return table
