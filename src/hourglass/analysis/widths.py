"""The central knob: how wide the waist should be, found by trying."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hourglass.analysis import drawing
from hourglass.analysis.metrics import Array, before_and_after, explained_variance, mse, scaled
from hourglass.data import Record
from hourglass.errors import DataError, HourglassWarning, ParameterError
from hourglass.estimators import Autoencoder, BaseAutoencoder
from hourglass.estimators.parameters import seed_from
from hourglass.kinds import KINDS, as_raw, infer, kind_name, length
from hourglass.parts import Bottleneck
from hourglass.parts.base import is_count
from hourglass.parts.bottlenecks import Numbers

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

WIDTHS = (2, 4, 8, 16, 32, 64)
ENOUGH = 0.95  # share of the best explained variance that a recommended width reaches
STOPPED = "Training was stopped by hand"  # how the warning of a fit begins that Ctrl-C ended


@dataclass(frozen=True, eq=False)
class Sweep:
    """What `sweep` found.

    Attributes
    ----------
    frame : polars.DataFrame
        A row a width: ``codes``, ``mse`` and ``explained_variance`` on held-out rows, ``pca_mse`` and ``pca_explained_variance`` of
        PCA with as many components, ``seconds`` of fitting.
    models : dict of int to estimator
        The fitted model of each width.
    """

    frame: pl.DataFrame
    models: dict[int, BaseAutoencoder] = field(repr=False)

    @property
    def recommended(self) -> int:
        """The smallest width whose explained variance is at least 95% of the best one in the sweep."""
        return int(self._enough["codes"])

    @property
    def reason(self) -> str:
        """The rule behind ``recommended`` with its numbers, in one sentence."""
        chosen, best = self._enough, self._best
        return (
            f"{chosen['codes']} is the smallest width whose explained variance on held-out rows "
            f"({chosen['explained_variance']:.1%}) is at least {ENOUGH:.0%} of the best in the sweep "
            f"({best['explained_variance']:.1%} with {best['codes']})."
        )

    @property
    def comparison(self) -> str:
        """Whether the networks are worth their while, in one sentence that names the widths at which PCA keeps more."""
        codes, mine, theirs = (self.frame[name].to_list() for name in ("codes", "mse", "pca_mse"))
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
    def _best(self) -> dict[str, Any]:
        return max(self.frame.iter_rows(named=True), key=lambda row: row["explained_variance"])

    @property
    def _enough(self) -> dict[str, Any]:
        best = self._best["explained_variance"]
        least = best - (1 - ENOUGH) * abs(best)  # 95% of the best, also where training failed and all are negative
        return next(row for row in self.frame.sort("codes").iter_rows(named=True) if row["explained_variance"] >= least)


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
        that the comparison is fair; it has fewer components than asked for where there are fewer rows.

    Raises
    ------
    ParameterError
        ``bottlenecks`` are no positive ints.
    DataError
        No width is below the number of features, the data can't be used, is a record or rows of symbols, or all held-out rows are
        alike.
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
    raw = as_raw(X)
    blank = Autoencoder() if estimator is None else estimator
    _require_rows_of_numbers(raw, blank)
    tried = _below(_ordered(bottlenecks), math.prod(raw.shape[1:]))
    seed = seed_from(random_state)
    train, test = _split(raw, seed) if X_test is None else (raw, as_raw(X_test))
    models = {width: _unfitted(blank, width, verbose, None if random_state is None else seed) for width in tried}
    records: list[dict[str, Any]] = []
    with _ended_by_ctrl_c():
        for width, model in models.items():
            began = time.perf_counter()
            model.fit(train)
            seconds = time.perf_counter() - began
            before, after = before_and_after(model, test)
            if not records:  # all models scale alike, so the first will do
                by_pca = _by_pca(np.nan_to_num(scaled(model, train)), before, tried, seed)  # a gap is the mean of its column
            records.append({"codes": width, **_quality(before, after), **by_pca[width], "seconds": seconds})
            if verbose:
                _say(records[-1], len(records), len(tried))
    import polars as pl

    return Sweep(pl.DataFrame(records), models)


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

    codes, mine, theirs = (sweep.frame[name].to_list() for name in ("codes", "mse", "pca_mse"))
    figure, axes = drawing.one_plot(3.0, "numbers kept of each row", "mean squared error, held out")
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


def _require_rows_of_numbers(raw: Any, estimator: BaseAutoencoder) -> None:
    """Refuse a record, which has no rows to hold out, and rows of symbols, of which PCA knows nothing."""
    if isinstance(raw, Record):
        raise DataError("A sweep takes rows, and this is one long record. Give its windows as rows (n, time, channels).")
    kind = KINDS.get(kind_name(estimator.kind) or infer(raw).kind)
    if kind is not None and kind.symbolic:
        raise DataError(
            f"A sweep measures errors of numbers, beside PCA, and this is data of kind {kind.name!r}. "
            "Fit a model of each width, and compare their metrics.exact(model, X_test)."
        )


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
        message = f"Bottlenecks that are not below the number of features, {features}, are left out of the sweep: {wide}."
        warnings.warn(message, HourglassWarning, stacklevel=3)
    return kept


def _split(raw: Any, seed: int) -> tuple[Any, Any]:
    from sklearn.model_selection import train_test_split

    if length(raw) < 5:
        raise DataError(f"A sweep holds out a fifth of the rows, so it needs at least 5. Got {length(raw)}: give more, or X_test.")
    train, test = train_test_split(raw, test_size=0.2, random_state=seed)
    return train, test


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
def _ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C, which a fit takes as its own early end and says so in a warning, end everything."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", STOPPED, HourglassWarning)
        try:
            yield
        except HourglassWarning as warning:
            if not str(warning).startswith(STOPPED):  # another one, made an error by the caller's filters
                raise
            raise KeyboardInterrupt from warning


def _by_pca(train: Array, test: Array, widths: Sequence[int], seed: int) -> dict[int, dict[str, float]]:
    """The figures of PCA at each width, of one fit: its first components are those of a narrower one."""
    from sklearn.decomposition import PCA

    flat, rows = test.reshape(len(test), -1), train.reshape(len(train), -1)
    pca = PCA(min(widths[-1], len(rows) - 1, rows.shape[1]), random_state=seed).fit(rows)  # n centred rows span n - 1 directions
    Z = pca.transform(flat)
    return {
        width: {f"pca_{name}": value for name, value in _quality(flat, Z[:, :width] @ pca.components_[:width] + pca.mean_).items()}
        for width in widths
    }


def _quality(before: Array, after: Array) -> dict[str, float]:
    share = explained_variance(before, after)
    if math.isnan(share):
        raise DataError("All held-out rows of the sweep are alike, so nothing can be told from them. Give other ones as X_test.")
    return {"mse": mse(before, after), "explained_variance": share}


def _say(record: dict[str, Any], number: int, of: int) -> None:
    from rich.console import Console

    codes, share, by_pca = record["codes"], record["explained_variance"], record["pca_explained_variance"]
    keep = f"{codes} number{'s keep' if codes > 1 else ' keeps'} {f'{share:.1%}' if share > 0 else 'nothing'} of the variance"
    Console(stderr=True, highlight=False).print(f"Width {number} of {of}: {keep} (PCA {by_pca:.1%})")
