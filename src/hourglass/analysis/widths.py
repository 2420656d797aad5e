"""The central knob: how wide the waist should be, found by trying."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hourglass.analysis import drawing
from hourglass.analysis.metrics import Array, before_and_after, explained_variance, mse, scaled
from hourglass.errors import DataError, ParameterError, StoppedWarning, hearing, warn
from hourglass.estimators import Autoencoder, BaseAutoencoder
from hourglass.estimators.parameters import seed_from
from hourglass.kinds import KINDS, Kind, as_raw, infer, kind_name, length, taken
from hourglass.kinds.frames import as_frame
from hourglass.parts import Bottleneck
from hourglass.parts.base import is_count, one_of
from hourglass.parts.bottlenecks import Numbers

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

WIDTHS = (2, 4, 8, 16, 32, 64)
ENOUGH = 0.95  # share of the best explained variance that a recommended width reaches
MEASURED = {"explained_variance": "explained variance", "right": "share of right symbols"}  # columns, and in words
MOST_SPREAD = 5000  # rows of symbols, spread out to ones and zeros, that PCA learns from


@dataclass(frozen=True, eq=False)
class Sweep:
    """What `sweep` found.

    Attributes
    ----------
    frame : polars.DataFrame
        A row a width: ``codes``, ``mse`` and ``explained_variance`` on held-out rows, ``pca_mse`` and ``pca_explained_variance`` of
        PCA with as many components, ``seconds`` of fitting. Of rows of symbols ``wrong`` and ``right``, the shares of symbols that
        are rebuilt so, take the place of the first two, ``pca_wrong`` and ``pca_right`` that of the others.
    models : dict of int to estimator
        The fitted model of each width.
    """

    frame: pl.DataFrame
    models: dict[int, BaseAutoencoder] = field(repr=False)

    @property
    def recommended(self) -> int:
        """The smallest width whose explained variance, or share of right symbols, is at least 95% of the best one in the sweep."""
        return int(self._enough["codes"])

    @property
    def reason(self) -> str:
        """The rule behind ``recommended`` with its numbers, in one sentence."""
        chosen, best = self._enough, self._best
        return (
            f"{chosen['codes']} is the smallest width whose {MEASURED[self.measure]} on held-out rows "
            f"({chosen[self.measure]:.1%}) is at least {ENOUGH:.0%} of the best in the sweep "
            f"({best[self.measure]:.1%} with {best['codes']})."
        )

    @property
    def comparison(self) -> str:
        """Whether the networks are worth their while, in one sentence that names the widths at which PCA keeps more."""
        codes, mine, theirs = (self.frame[name].to_list() for name in ("codes", *self.errors))
        lost = [str(width) for width, error, other in zip(codes, mine, theirs, strict=True) if error > other]
        if not lost:
            return "The autoencoder keeps more than PCA at every width."
        where = "at every width" if len(lost) == len(codes) else f"with {', '.join(lost)} numbers"
        return f"PCA keeps more than the autoencoder {where}: train longer or on more data there, or use PCA."

    def plot(self) -> Figure:
        """Draw the error over the width, beside that of PCA, with the recommended width marked.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return widths(self)

    @property
    def measure(self) -> str:
        """The column that says how much survives: "explained_variance", or "right" of rows of symbols."""
        return next(name for name in MEASURED if name in self.frame.columns)

    @property
    def errors(self) -> tuple[str, str]:
        """The columns of what is lost, and of what PCA loses."""
        error = "mse" if "mse" in self.frame.columns else "wrong"
        return error, f"pca_{error}"

    @property
    def _best(self) -> dict[str, Any]:
        return max(self.frame.iter_rows(named=True), key=lambda row: row[self.measure])

    @property
    def _enough(self) -> dict[str, Any]:
        best = self._best[self.measure]
        least = best - (1 - ENOUGH) * abs(best)  # 95% of the best, also where training failed and all are negative
        return next(row for row in self.frame.sort("codes").iter_rows(named=True) if row[self.measure] >= least)


def sweep(
    X: Any,
    *,
    bottlenecks: Iterable[int] = WIDTHS,
    X_test: Any = None,
    estimator: BaseAutoencoder | None = None,
    verbose: bool = False,
    random_state: Any = None,
) -> Sweep:
    """Fit a model at each width of the waist and measure it on held-out rows, beside PCA.

    Parameters
    ----------
    X : as in ``fit``
        The data.
    bottlenecks : iterable of int, default=(2, 4, 8, 16, 32, 64)
        Widths; those that are not below the number of features are left out, with a warning.
    X_test : as in ``fit``, optional
        Rows to measure on; a fifth of X is held out unless given.
    estimator : estimator, optional
        What is fitted, as a clone with another bottleneck; if that is a part, as a copy with another ``n``. An ``Autoencoder``
        unless given.
    verbose : bool, default=False
        Show each fit's progress and result.
    random_state : int, RandomState or Generator, optional
        Seed of the split, of PCA and of each fit. The estimator keeps its own unless given.

    Returns
    -------
    Sweep
        Errors are on the scale that the networks see: pixels from 0 to 1, columns in standard deviations. PCA works there too, so
        that the comparison is fair; it has fewer components than asked for where there are fewer rows. Of rows of symbols PCA sees
        ones and zeros, of at most 5,000 rows, and the largest number of a position is its symbol.

    Raises
    ------
    ParameterError
        ``bottlenecks`` are no positive ints, or the estimator is none that has codes.
    DataError
        No width is below the number of features, the data can't be used or is a record, or all held-out rows are alike.
    KeyboardInterrupt
        Ctrl-C ends the whole sweep, not only the running fit.

    Examples
    --------
    >>> import hourglass as hg
    >>> from sklearn.datasets import load_wine
    >>> found = hg.sweep(load_wine().data, bottlenecks=(1, 4), estimator=hg.Autoencoder(max_epochs=20), random_state=0)
    >>> found.recommended
    4
    """
    import polars as pl

    asked = {"X_test": X_test, "estimator": estimator, "verbose": verbose, "random_state": random_state}
    found = list(by_width(X, bottlenecks, **asked))
    return Sweep(pl.DataFrame([one.figures for one in found]), {one.width: one.model for one in found})


class Width(NamedTuple):
    """What a sweep found at one width, and the rows that it was found on."""

    width: int
    model: BaseAutoencoder
    figures: dict[str, Any]  # a row of the frame
    train: Any
    test: Any


def by_width(
    X: Any, bottlenecks: Iterable[int], *, X_test: Any, estimator: BaseAutoencoder | None, verbose: bool, random_state: Any
) -> Iterator[Width]:
    """A `sweep`, a width at a time."""
    blank = Autoencoder() if estimator is None else estimator
    if not isinstance(blank, BaseAutoencoder):
        raise ParameterError(f"The 'estimator' parameter of sweep must be an autoencoder. Got {type(blank).__name__} instead.")
    raw = as_raw(X, kind=blank.kind)
    kind = kind_of(raw, blank)
    tried = _below(_ordered(bottlenecks), kind.dimensions)
    seed = seed_from(random_state) % 2**32  # scikit-learn knows no more
    train, test = _split(raw, kind, seed) if X_test is None else (raw, as_raw(X_test, kind=blank.kind))
    models = {width: _unfitted(blank, width, verbose, None if random_state is None else seed) for width in tried}
    by_pca: dict[int, Figures] = {}
    said: set[str] = set()
    for number, (width, model) in enumerate(models.items(), 1):
        began = time.perf_counter()
        with _ended_by_ctrl_c(said):
            model.fit(train)
        seconds = time.perf_counter() - began
        figures, compared = (_symbols if model.kind_.symbolic else _numbers)(model, train, test)
        by_pca = by_pca or compared(tried, seed)  # all models scale alike, so the first will do
        beside = {f"pca_{name}": value for name, value in by_pca[width].items()}
        found = {"codes": width, **figures, **beside, "seconds": seconds}
        if verbose:
            _say(found, number, len(tried))
        yield Width(width, model, found, train, test)


def widths(sweep: Sweep) -> Figure:
    """Draw the error of a sweep over the width, beside that of PCA, with the recommended width marked.

    Parameters
    ----------
    sweep : Sweep
        What `hourglass.sweep` gave.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.ticker import NullLocator

    codes, mine, theirs = (sweep.frame[name].to_list() for name in ("codes", *sweep.errors))
    lost = "mean squared error" if sweep.measure == "explained_variance" else "share of symbols wrong"
    figure, axes = drawing.one_plot(3.0, "numbers kept of each row", f"{lost}, held out")
    axes.plot(codes, theirs, color=drawing.ORANGE, lw=1.6, ls=(0, (4, 2)), marker="s", ms=4, label="PCA")
    axes.plot(codes, mine, color=drawing.BLUE, lw=1.8, marker="o", ms=5, label="autoencoder")
    axes.set_xscale("log", base=2)
    axes.set_xticks(codes, [str(width) for width in codes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.08 * max(mine + theirs) or 1)
    chosen = sweep.recommended
    drawing.mark(axes, chosen, mine[codes.index(chosen)], f"recommended: {chosen}")
    drawing.legend(axes)
    return figure


def _ordered(bottlenecks: Iterable[int]) -> list[int]:
    given = list(bottlenecks) if isinstance(bottlenecks, Iterable) else []
    if not given or not all(map(is_count, given)):
        raise ParameterError(
            f"The 'bottlenecks' parameter of sweep must be one or more positive ints. Got {bottlenecks!r} instead."
        )
    return sorted({int(width) for width in given})


def _below(widths: list[int], features: int) -> list[int]:
    """The widths that squeeze; the others are said."""
    wide = ", ".join(str(width) for width in widths if width >= features)
    kept = [width for width in widths if width < features]
    if not kept:
        raise DataError(f"No bottleneck of the sweep ({wide}) is below the number of features, {features}. Give narrower ones.")
    if wide:
        warn(f"Bottlenecks that are not below the number of features, {features}, are left out of the sweep: {wide}.")
    return kept


def _split(raw: Any, kind: Kind, seed: int) -> tuple[Any, Any]:
    """Four fifths of the rows to learn from, and the rest; of series that lie one below the other in a table, of the series."""
    from sklearn.model_selection import train_test_split

    identifier = getattr(kind, "identifier", None)
    row = np.arange(length(raw)) if identifier is None else np.unique(as_frame(raw)[identifier].to_numpy(), return_inverse=True)[1]
    n = int(row.max(initial=-1)) + 1
    if n < 5:
        raise DataError(f"A sweep holds out a fifth of the rows, so it needs at least 5. Got {n}: give more, or X_test.")
    train, test = train_test_split(np.arange(n), test_size=0.2, random_state=seed)
    if identifier is None:
        return taken(raw, train), taken(raw, test)
    held_out = np.isin(row, test)  # a sample is where its series is
    return taken(raw, np.flatnonzero(~held_out)), taken(raw, np.flatnonzero(held_out))


def _unfitted(estimator: BaseAutoencoder, width: int, verbose: bool, seed: int | None) -> BaseAutoencoder:
    """A clone of this width."""
    from sklearn.base import clone

    part = estimator.bottleneck
    if isinstance(part, Bottleneck) and not isinstance(part, Numbers):
        raise ParameterError(f"A sweep changes how many numbers are kept, and {part} doesn't say that. Give a number, or Plain(n).")
    changed: dict[str, Any] = {"bottleneck": dataclasses.replace(part, n=width) if isinstance(part, Numbers) else width}
    if verbose:
        changed["verbose"] = True
    if seed is not None:
        changed["random_state"] = seed
    model: BaseAutoencoder = clone(estimator).set_params(**changed)
    return model


@contextmanager
def _ended_by_ctrl_c(said: set[str]) -> Iterator[None]:
    """Let Ctrl-C, which a fit takes as its own early end and says so in a warning, end everything; say nothing again."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("error", StoppedWarning)
        try:
            yield
        except StoppedWarning as warning:
            raise KeyboardInterrupt from warning
    for one in told:
        if str(one.message) not in said:
            said.add(str(one.message))
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def kind_of(raw: Any, estimator: BaseAutoencoder) -> Kind:
    """What an estimator would take data for; a record has no rows."""
    named = one_of(kind_name(estimator.kind) or infer(raw).kind, KINDS, "kind", type(estimator).__name__)
    asked = None if isinstance(estimator.kind, str) else estimator.kind
    with hearing():  # the first fit says it anyway
        kind: Kind = named.learn(raw, estimator.columns, asked=asked)
    if kind.of_record:
        raise DataError("A sweep takes rows, and this is one long record. Give its windows as rows (n, time, channels).")
    return kind


Figures = dict[str, float]
Compared = Callable[[Sequence[int], int], dict[int, Figures]]  # of widths and a seed: the figures of PCA at each width


def _numbers(model: BaseAutoencoder, train: Any, test: Any) -> tuple[Figures, Compared]:
    """How well held-out rows of numbers are rebuilt, and what gives the same of PCA."""
    before, after = before_and_after(model, test)

    def compared(widths: Sequence[int], seed: int) -> dict[int, Figures]:
        known = np.nan_to_num(scaled(model, train))  # a gap is the mean of its column
        return _by_pca(known, before, widths, seed, partial(_quality, before.reshape(len(before), -1)))

    return _quality(before, after), compared


def _symbols(model: BaseAutoencoder, train: Any, test: Any) -> tuple[Figures, Compared]:
    """How well held-out rows of symbols are rebuilt, those that can be read, and what gives the same of PCA."""
    kind: Any = model.kind_
    readable = kind.readable(test)
    if not len(readable):
        raise DataError("Each held-out row of the sweep has a symbol that was never seen, or is too long. Give others as X_test.")
    x, rebuilt = model._seen(readable).numpy(), model._passed(readable, None, lambda inner, x: inner.reconstruct(x)).numpy()

    def right(after: Array) -> Figures:
        counted = x.any(-1)  # what lies behind the end doesn't
        share = float((after.reshape(x.shape).argmax(-1) == x.argmax(-1))[counted].mean())
        return {"wrong": 1 - share, "right": share}

    def compared(widths: Sequence[int], seed: int) -> dict[int, Figures]:
        rows = kind.opened(train)
        some = np.random.default_rng(seed).permutation(length(rows))[:MOST_SPREAD]
        return _by_pca(model._seen(taken(rows, some)).numpy(), x, widths, seed, right)

    return right(rebuilt), compared


def _by_pca(train: Array, test: Array, widths: Sequence[int], seed: int, figures: Callable[[Array], Figures]) -> dict[int, Figures]:
    """The figures of PCA at each width, of one fit: its first components are those of a narrower one."""
    from sklearn.decomposition import PCA

    flat, rows = test.reshape(len(test), -1), train.reshape(len(train), -1)
    most = min(widths[-1], len(rows) - 1, rows.shape[1])  # n centred rows span n - 1 directions
    pca = PCA(most, random_state=seed).set_output(transform="default").fit(rows)
    Z = pca.transform(flat)
    return {width: figures(Z[:, :width] @ pca.components_[:width] + pca.mean_) for width in widths}


def _quality(before: Array, after: Array) -> dict[str, float]:
    share = explained_variance(before, after)
    if math.isnan(share):
        raise DataError("All held-out rows of the sweep are alike, so nothing can be told from them. Give other ones as X_test.")
    return {"mse": mse(before, after), "explained_variance": share}


def _say(record: dict[str, Any], number: int, of: int) -> None:
    from rich.console import Console

    measure, what = ("right", "of the symbols") if "right" in record else ("explained_variance", "of the variance")
    codes, share, by_pca = record["codes"], record[measure], record[f"pca_{measure}"]
    keep = f"{codes} number{'s keep' if codes > 1 else ' keeps'} {f'{share:.1%}' if share > 0 else 'nothing'} {what}"
    Console(stderr=True, highlight=False).print(f"Width {number} of {of}: {keep} (PCA {by_pca:.1%})")
