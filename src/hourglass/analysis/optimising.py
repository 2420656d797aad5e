"""Looking in the space of codes for rows that are better than those that are known."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.stats import norm
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hourglass.analysis.around import alike, as_column, has_symbols, key
from hourglass.analysis.metrics import Array
from hourglass.data.some import spread
from hourglass.errors import DataError, ParameterError
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.estimators.parameters import seed_from
from hourglass.estimators.tunes import require_codes
from hourglass.kinds import as_raw, length, taken
from hourglass.parts.base import is_count, one_of

if TYPE_CHECKING:
    import polars as pl

MOST_KNOWN, MOST_LEARNED = 20_000, 300  # rows that are looked at, and that a property is learned from
STARTS, TRIES, STEPS = 20, 2000, 20  # good rows to start from, codes that are weighed up, and steps uphill
REACH = (0.05, 1.0)  # of a code's standard deviation: how far from a good row codes are drawn
TINY = 1e-3  # of it: differences that make a gradient
DECODED = 5  # candidates for each one that is asked for


def optimise(
    model: GeneratingAutoencoder,
    target: Any,
    X: Any,
    *,
    n: int = 20,
    minimise: bool = False,
    surrogate: Any = "gaussian-process",
    search: str = "bayesian",
    rounds: int = 3,
    keep: Callable[[Any], Any] | None = None,
    random_state: Any = 0,
) -> pl.DataFrame:
    """Look in the space of codes for rows that are better than those of X.

    A regression on codes foretells the property. Codes near those of the best rows are weighed up by it, decoded, and told from one
    another and from X; where the property is a function, it is measured, and the regression learns from that in the next round.

    Parameters
    ----------
    model : estimator
        Fitted, with a waist of numbers.
    target : callable, or array of shape (m,)
        The property: a function from rows, as ``sample`` gives them, to numbers; or its values for the m rows of X. New rows whose
        number is not finite are left out.
    X : as in ``fit``
        What is known, best the training data; of more than 20,000 rows as many are looked at, evenly spaced. The property is
        learned from 300 of them.
    n : int, default=20
        How many to give at most.
    minimise : bool, default=False
        Whether less is better.
    surrogate : {"gaussian-process", "ridge"} or regressor, default="gaussian-process"
        What foretells the property of codes; a regressor of scikit-learn whose ``predict`` takes ``return_std``.
    search : {"bayesian", "gradient"}, default="bayesian"
        Codes drawn around those of the best rows, of which the largest expected improvement counts; or steps uphill from them.
    rounds : int, default=3
        How often the property is measured, if it is a function.
    keep : callable, optional
        From rows to truth values: which of them are wanted at all.
    random_state : int or RandomState, default=0
        The same seed gives the same rows.

    Returns
    -------
    polars.DataFrame
        The best first: ``candidate``, the row, or where rows are not of symbols ``code``, for ``inverse_transform``; ``value`` as
        measured, if the property is a function; ``predicted`` before that and its standard deviation ``std``; ``nearest``, the
        most similar row of X, with ``similarity`` (of molecules, Tanimoto) or ``edits``; of other kinds its number in X, with the
        ``distance`` of the codes.

    Raises
    ------
    DataError
        There are not as many values as rows, or they are not finite.
    ParameterError
        A surrogate or a search of another name, a surrogate that doesn't say how sure it is, or a model with a condition.

    References
    ----------
    Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998, equation 15 (expected
    improvement). Gómez-Bombarelli et al., "Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules",
    2018 (in the codes of molecules).

    Examples
    --------
    >>> from itertools import product
    >>> import hourglass as hg
    >>> lines = ["".join(letters) for letters in product("abc", repeat=4)][::2]
    >>> vae = hg.VariationalAutoencoder(hg.Variational(4, beta=0.1), max_epochs=20, random_state=0).fit(lines)
    >>> optimise(vae, lambda rows: [row.count("a") for row in rows], lines, rounds=1, random_state=0).columns
    ['candidate', 'value', 'predicted', 'std', 'nearest', 'edits']
    """
    import polars as pl

    require_codes(model)
    propose = one_of(search, SEARCHES, "search", "optimise")
    regression = _regression(surrogate, model._waist.width)
    for name, count in (("n", n), ("rounds", rounds)):
        if not is_count(count):
            raise ParameterError(f"The '{name}' parameter of optimise must be a positive int. Got {count!r} instead.")
    if model.condition_kind_ is not None:
        raise ParameterError("optimise takes models that were fitted on rows alone. This one was fitted with a condition.")
    rng, sign = np.random.default_rng(seed_from(random_state)), -1.0 if minimise else 1.0
    known = _Known(model, target, X, sign)
    Z, y, found = known.Z, known.y, _Found(known.kind, known.keys)
    for _ in range(rounds if known.measures else 1):
        _fit(regression, Z, y)
        codes = propose(regression, Z, y, rng)[: DECODED * n]
        made = model._decoded(torch.from_numpy(codes.astype(np.float32)), None)
        numbers = found.new(made, keep)
        if not numbers.size:
            continue
        made, codes = taken(made, numbers), codes[numbers]
        foretold = _foretold(regression, codes)
        values = sign * known.measured(made) if known.measures else foretold[0]
        told = np.flatnonzero(np.isfinite(values))  # what can't be measured is no candidate
        codes, values = codes[told], values[told]
        found.add(taken(made, told), codes, values, *(each[told] for each in foretold))
        if known.measures:
            Z, y = np.concatenate([Z, codes]), np.concatenate([y, values])
    if not found.lines:
        raise DataError("Nothing new was found near the best rows. Ask for more of them, or train the model for longer.")
    best = sorted(found.lines, key=lambda line: -line.value)[:n]
    rows = [line.row for line in best]
    columns: dict[str, Any] = (
        {"candidate": as_column("candidate", known.kind, rows)}
        if known.symbolic
        else {"code": [line.code.tolist() for line in best]}
    )
    columns |= {"value": [sign * line.value for line in best]} if known.measures else {}
    columns |= {"predicted": [sign * line.predicted for line in best], "std": [line.std for line in best]}
    return pl.DataFrame([*pl.DataFrame(columns), *known.nearest(rows, np.stack([line.code for line in best]))])


class _Line(NamedTuple):
    """A candidate."""

    row: Any
    code: Array
    value: float  # what it is ranked by, more is better
    predicted: float  # before it was measured
    std: float


class _Found:
    """Candidates, each of them once."""

    def __init__(self, kind: Any, known: set[Any]) -> None:
        self.kind = kind
        self.lines: list[_Line] = []
        self.seen = set(known)

    def new(self, made: Any, keep: Callable[[Any], Any] | None) -> Array:
        """The numbers of rows that are not known, and wanted."""
        numbers = np.arange(len(made))
        if isinstance(made, list):  # of symbols, which can be equal
            once = {key(row): number for number, row in reversed(list(enumerate(made))) if has_symbols(self.kind, row)}
            numbers = np.array(sorted(number for name, number in once.items() if name not in self.seen), int)
            self.seen |= set(once)
        return numbers if keep is None or not numbers.size else numbers[np.asarray(keep(taken(made, numbers)), bool)]

    def add(self, rows: Any, *beside: Array) -> None:
        """Take candidates in."""
        each = rows if isinstance(rows, list) else [None] * len(rows)
        self.lines += [_Line(*line) for line in zip(each, *beside, strict=True)]


class _Known:
    """Rows that are known: some of them, their codes, and of those that are learned from the property."""

    def __init__(self, model: GeneratingAutoencoder, target: Any, X: Any, sign: float) -> None:
        self.kind: Any = model.kind_
        self.symbolic, self.measures, self.target = self.kind.symbolic, callable(target), target
        raw = model._checked(as_raw(X, kind=self.kind.name))
        values = None if self.measures else _numbers(target)
        if values is not None and values.shape != (length(raw),):
            raise DataError(f"A property has a value for each of the {length(raw):,} rows. Got an array of shape {values.shape}.")
        some = spread(length(raw), MOST_KNOWN)
        self.rows = taken(raw, some)
        if self.symbolic:  # molecules as they are written when they are decoded
            self.rows = self.kind.from_tensor(self.kind.to_tensor(self.rows))
        self.codes = np.asarray(model.transform(self.rows), np.float64)
        self.numbers = some
        self.keys = set(map(key, self.rows)) if self.symbolic else set()
        learned = spread(len(some), MOST_LEARNED)
        if values is not None:
            order = np.argsort(-sign * values[some], kind="stable")
            learned = np.unique(np.concatenate([order[: MOST_LEARNED // 2], spread(len(some), MOST_LEARNED // 2)]))
        self.Z = self.codes[learned]
        self.y = sign * (values[some][learned] if values is not None else self.measured(taken(self.rows, learned)))
        if not np.isfinite(self.y).all():
            raise DataError("The property has values that are not finite. Leave those rows out.")

    def measured(self, rows: Any) -> Array:
        """The property of rows, as it is."""
        values = np.asarray(self.target(rows), np.float64)
        if values.shape != (len(rows),):
            raise DataError(f"The property takes {len(rows)} rows and has to give as many numbers. Got shape {values.shape}.")
        return values

    def nearest(self, rows: list[Any], codes: Array) -> list[Any]:
        """The known row that is most like each one, and how like it is."""
        import polars as pl
        from scipy.spatial.distance import cdist

        if self.symbolic:
            best, _, likeness = alike(self.kind, rows, self.rows)
            return [as_column("nearest", self.kind, [self.rows[i] for i in best]), likeness]
        away = cdist(codes, self.codes)
        return [pl.Series("nearest", self.numbers[away.argmin(1)]), pl.Series("distance", away.min(1))]


def _numbers(target: Any) -> Array:
    """The values of a property, which tables may have as text, such as ">10"."""
    try:
        return np.asarray(target, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"A property is a function of rows, or a number for each of them, not text ({error}).") from error


def expected_improvement(mean: Array, std: Array, best: float) -> Array:
    """The mean of what normal numbers, of these means and standard deviations (n,), are above the best, where they are above it."""
    above = mean - best
    u = above / np.maximum(std, 1e-12)
    found: Array = above * norm.cdf(u) + std * norm.pdf(u)
    return found


def _bayesian(regression: Any, Z: Array, y: Array, rng: Any) -> Array:
    """Codes around those of the best rows, the largest expected improvement first."""
    starts = Z[np.argsort(-y, kind="stable")[:STARTS]]
    low, high = np.log(REACH)
    reach = np.exp(rng.uniform(low, high, (TRIES, 1)))
    codes = starts[rng.integers(len(starts), size=TRIES)] + reach * Z.std(0) * rng.normal(size=(TRIES, Z.shape[1]))
    mean, std = _foretold(regression, codes)
    likely: Array = codes[np.argsort(-expected_improvement(mean, std, y.max()), kind="stable")]
    return likely


def _gradient(regression: Any, Z: Array, y: Array, rng: Any) -> Array:
    """Codes on the ways uphill from those of the best rows, the highest first."""
    codes, scale, found = Z[np.argsort(-y, kind="stable")[:STARTS]], Z.std(0) + 1e-12, []
    width = Z.shape[1]
    for _ in range(STEPS):
        aside = codes[:, None] + TINY * np.concatenate([np.diag(scale), -np.diag(scale)])  # (starts, 2 codes, codes)
        ahead = regression.predict(aside.reshape(-1, width)).reshape(len(codes), 2, width)
        slope = ahead[:, 0] - ahead[:, 1]  # in standard deviations of each code
        codes = codes + scale * slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12) / STEPS * np.sqrt(width)
        found.append(codes)
    ways = np.concatenate(found)
    uphill: Array = ways[np.argsort(-regression.predict(ways), kind="stable")]
    return uphill


def _regression(surrogate: Any, width: int) -> Any:
    if isinstance(surrogate, str):
        return one_of(surrogate, SURROGATES, "surrogate", "optimise")(width)
    if not isinstance(surrogate, BaseEstimator):
        raise ParameterError(f"The 'surrogate' parameter of optimise must be a name or a regressor. Got {surrogate!r} instead.")
    return clone(surrogate)


def _foretold(regression: Any, codes: Array) -> tuple[Array, Array]:
    """What a regression says of codes, and how sure it is."""
    try:
        mean, std = regression.predict(codes, return_std=True)
    except TypeError as error:
        raise ParameterError(
            f"A 'surrogate' of optimise says how sure it is: its predict takes return_std=True. Got {regression!r}."
        ) from error
    return mean, std


def _fit(regression: Any, Z: Array, y: Array) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a kernel's width at its limit: it is as good as it gets
        regression.fit(Z, y)


def _gaussian_process(width: int) -> Any:
    usual = np.sqrt(2 * width)  # distance of two rows, each code in its standard deviations
    kernel = ConstantKernel() * RBF(usual, (usual / 10, 100 * usual)) + WhiteKernel(0.1, (1e-6, 10.0))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))


SURROGATES: dict[str, Callable[[int], Any]] = {
    "gaussian-process": _gaussian_process,
    "ridge": lambda width: make_pipeline(StandardScaler(), BayesianRidge()),
}
SEARCHES: dict[str, Callable[[Any, Array, Array, Any], Array]] = {"bayesian": _bayesian, "gradient": _gradient}
