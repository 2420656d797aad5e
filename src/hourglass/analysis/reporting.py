"""The report: one HTML file that opens anywhere, with no network and no scripts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from hourglass.analysis.alarm_page import alarm_page
from hourglass.analysis.mending_page import mending_page
from hourglass.analysis.model_page import model_page
from hourglass.analysis.page import mends
from hourglass.analysis.rewriting_page import rewriting_page
from hourglass.data import atomic
from hourglass.errors import FileError, ParameterError
from hourglass.estimators import AnomalyDetector, BaseAutoencoder
from hourglass.kinds import as_raw

if TYPE_CHECKING:
    from hourglass.analysis.comparison import Comparison
    from hourglass.analysis.widths import Sweep


def report(
    model: BaseAutoencoder | AnomalyDetector,
    X: Any,
    path: str | os.PathLike[str],
    *,
    y: Any = None,
    condition: Any = None,
    sweep: Sweep | None = None,
    comparison: Comparison | None = None,
    title: str | None = None,
) -> Path:
    """Write one HTML page that shows what a fitted model keeps and what it loses, or what a detector flags, in words for everybody.

    The page holds its pictures itself and asks no other machine for anything.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        What to measure and to draw, best of rows that the model was not trained on.
    path : path
        The file to write, ending in ``.html``.
    y : array of shape (n,), optional
        Labels, which colour the map of the codes; that of a detector is coloured by the score.
    condition : as in ``fit``, optional
        Of models that were fitted with one: one for each row of X, or one for all.
    sweep : Sweep, optional
        What `hourglass.sweep` gave: adds the choice of the width.
    comparison : Comparison, optional
        What `hourglass.compare_detectors` gave: adds, for a detector, the classical ones beside it.
    title : str, optional
        Stands above the headline; what the data is, unless given.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    DataError
        X doesn't fit the model, or y is not one label a row.
    FileError
        The file can't be written, or doesn't end in ``.html``.
    ParameterError
        A condition is missing, or given to a model that was fitted without.
    """
    if Path(path).suffix.lower() != ".html":
        raise FileError(f"Can't write a page to '{path}'. Name a file that ends in .html.")
    check_is_fitted(model)
    if condition is not None and getattr(model, "condition_kind_", None) is None:
        raise ParameterError("The model was fitted without a condition, so its page can't be given one. Leave condition= out.")
    raw = as_raw(X, apart=mends(model), kind=model.kind_.name)
    if isinstance(model, AnomalyDetector):
        page = alarm_page(model, raw, comparison, title)
    elif mends(model):
        page = (rewriting_page if model.kind_.symbolic else mending_page)(model, raw, title)
    else:
        page = model_page(model, raw, y, condition, sweep=sweep, title=title)
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return Path(path)
