"""Pictures of what a model draws: samples, ways between rows, what codes stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from hourglass.analysis import drawing, structures
from hourglass.analysis.diagnosis import Diagnosis, diagnose
from hourglass.analysis.metrics import scaled
from hourglass.analysis.waves import grid_of_curves
from hourglass.data.some import spread
from hourglass.errors import DataError, ParameterError
from hourglass.estimators.generating import GeneratingAutoencoder
from hourglass.kinds import length, taken
from hourglass.kinds.windows import Windows
from hourglass.parts.base import is_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COMPARED = 5000  # rows among which the nearest one is looked for
GRIDS = {"image": drawing.grid_of_images, "series": grid_of_curves}  # kinds of which many are drawn side by side
PRIOR_REACH = 3.0  # standard deviations of a prior


def samples(model: GeneratingAutoencoder, *, n: int = 64, across: int = 8, condition: Any = None, random_state: Any = 0) -> Figure:
    """Draw samples of a model.

    Parameters
    ----------
    model : estimator
        Fitted, with a prior or a sampler.
    n : int, default=64
        How many.
    across : int, default=8
        Images, or series, a line.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each sample, or one for all.
    random_state : int, RandomState or Generator, default=0
        The same seed gives the same samples.

    Returns
    -------
    matplotlib.figure.Figure
        A grid of images, of molecules, or of series as small curves, of at most four channels; melodies as piano rolls, other rows
        of symbols as text; of tables a heat map, a line a column (at most 20) and a column a row.

    Raises
    ------
    ParameterError
        The model has no distribution to draw from, or a condition is missing.
    """
    drawn = _shown(model, model.sample(n, condition=condition, random_state=random_state))
    lines = [drawn[start : start + across] for start in range(0, n, across)] if model.kind_.name in GRIDS else [drawn]
    return _lines(model, lines, [f"{n:,} samples"])


def nearest(model: GeneratingAutoencoder, X: Any, *, n: int = 8, condition: Any = None, random_state: Any = 0) -> Figure:
    """Draw samples of rows of symbols, and below each the nearest of known rows: is it new?

    Parameters
    ----------
    model : estimator
        Fitted on rows of symbols, with a prior or a sampler.
    X : as in ``fit``
        Known rows, best those of training; of more than 5,000, as many are looked at, evenly spaced.
    n : int, default=8
        How many.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each sample, or one for all.
    random_state : int, RandomState or Generator, default=0
        The same seed gives the same samples.

    Returns
    -------
    matplotlib.figure.Figure
        Molecules with their Tanimoto similarity, other rows, melodies among them, with the symbols that would have to be changed.

    Raises
    ------
    DataError
        The model was fitted on something else.
    """
    check_is_fitted(model)
    kind: Any = model.kind_
    if not kind.symbolic:
        raise DataError(f"The nearest rows are drawn of rows of symbols. The model was fitted on {kind.describe()}.")
    rows = structures.rows_of(kind, X)
    known = [rows[i] for i in spread(len(rows), MOST_COMPARED)]
    return structures.beside_nearest(kind, model.sample(n, condition=condition, random_state=random_state), known)


def interpolation(
    model: GeneratingAutoencoder, X: Any, *, n: int = 4, steps: int = 8, path: str = "straight", condition: Any = None
) -> Figure:
    """Draw the ways from some rows to others through the codes.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        Data, of two rows at least: ways lead from n rows to n others, all of them evenly spaced.
    n, steps : int, default=4 and 8
        How many ways, and images of each, both ends included.
    path : {"straight", "spherical"}, default="straight"
        See ``interpolate``.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for all rows.

    Returns
    -------
    matplotlib.figure.Figure
        A line a way; of tables a heat map each.

    Raises
    ------
    DataError
        X doesn't fit the model, or is a single row.
    """
    drawing.require_count(n)
    raw = model._checked(X)
    ends = spread(length(raw), 2 * n)
    half = len(ends) // 2
    pairs = zip(ends[:half], ends[half : 2 * half], strict=True) if half else [(0,)]
    ways = [
        _shown(model, model.interpolate(taken(raw, np.array(pair)), steps=steps, path=path, condition=condition)) for pair in pairs
    ]
    return _lines(model, ways, [f"way {i + 1}" for i in range(len(ways))])


def traversal(
    model: GeneratingAutoencoder, X: Any, *, codes: Sequence[int] | None = None, n: int = 6, steps: int = 8, condition: Any = None
) -> Figure:
    """Draw what codes stand for: each moves while the others stay as they are in the row in the middle of the data.

    Parameters
    ----------
    model : estimator
        Fitted, with a waist of numbers.
    X : as in ``fit``
        Data.
    codes : sequence of int, optional
        Which; the n unless given that the decoder makes most of, the strongest first.
    n : int, default=6
        How many.
    steps : int, default=8
        Places of each: from -3 to 3 standard deviations of the prior; without one, as far as codes of X reach.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row of X.

    Returns
    -------
    matplotlib.figure.Figure
        A line a code; of tables a heat map each.

    Raises
    ------
    DataError
        X doesn't fit the model.
    ParameterError
        There is no such code.
    """
    drawing.require_count(n)
    raw = model._checked(X)
    Z = np.asarray(model.transform(raw, condition))
    if codes is None and len(Z) == 1:
        codes = range(min(n, Z.shape[1]))
    elif codes is None:
        codes = strongest(diagnose(model, raw, condition=condition), n)
    for code in codes:
        if not is_count(code, 0) or code >= Z.shape[1]:
            raise ParameterError(f"The 'codes' of a traversal are among 0 to {Z.shape[1] - 1}. Got {code!r}.")
    middle = int(np.square(Z - Z.mean(0)).sum(1).argmin())
    row, known = taken(raw, np.array([middle])), of_rows(condition, np.array([middle]))
    has_prior = model.model_.bottleneck.prior is not None
    lines = []
    for code in codes:
        reach = PRIOR_REACH if has_prior else float(np.quantile(np.abs(Z[:, code]), 0.99))
        lines.append(_shown(model, model.traverse(code, row, steps=steps, reach=reach, condition=known)))
    return _lines(model, lines, [f"code{code}" for code in codes], named=True)


def strongest(doctor: Diagnosis, n: int) -> list[int]:
    """The n codes, at most, that the decoder makes most of, the strongest first."""
    codes: list[int] = np.argsort(-doctor.codes["worth"].to_numpy(), kind="stable")[:n].tolist()
    return codes


def _shown(model: GeneratingAutoencoder, made: Any) -> Any:
    """New data on the scale that is drawn, of a record the windows that stand side by side in it; rows of symbols as they are."""
    if model.kind_.of_record:
        made = Windows(made, model.kind_.shape[-1], model.kind_.shape[-1])
    return made if model.kind_.symbolic else scaled(model, made)


def _lines(model: GeneratingAutoencoder, lines: list[Any], names: list[str], *, named: bool = False) -> Figure:
    """Lines of images or series, named where they are ``named``; of tables a heat map each; of symbols drawings or text."""
    if model.kind_.symbolic:
        return structures.drawn(model.kind_, structures.named(names, lines))
    if model.kind_.name in GRIDS:
        return GRIDS[model.kind_.name](lines, names if named else ())
    return drawing.heat_maps(list(zip(names, lines, strict=True)), model.kind_.element_names, model.kind_.column_of)


def of_rows(condition: Any, rows: NDArray[np.intp]) -> Any:
    """The conditions of rows of these numbers, of one for each or of one for all."""
    raw = condition if condition is None or getattr(condition, "shape", None) else np.atleast_1d(np.asarray(condition))
    return raw if raw is None or len(raw) == 1 else taken(raw, rows)
