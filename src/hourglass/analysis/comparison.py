"""The honest table: the detector beside the classical ones, on the same rows, each with the same promise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

from hourglass.data import Record
from hourglass.errors import DataError
from hourglass.estimators import AnomalyDetector
from hourglass.kinds import as_raw, length

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.floating[Any]]
RATE = 0.05  # of false alarms that each is set to
CLOSE = 0.01  # of the area under the curve: a difference below it is none
OURS = "Hourglass"


def _neighbours(usual: Array, seed: int) -> Callable[[Array], Array]:
    found = NearestNeighbors(n_neighbors=min(5, len(usual))).fit(usual)
    return lambda x: found.kneighbors(x)[0].mean(1)


def _forest(usual: Array, seed: int) -> Callable[[Array], Array]:
    found = IsolationForest(random_state=seed % 2**32).fit(usual)
    return lambda x: -found.score_samples(x)


def _components(usual: Array, seed: int) -> Callable[[Array], Array]:
    found = PCA(0.9, svd_solver="full").set_output(transform="default").fit(usual)
    return lambda x: np.square(x - found.inverse_transform(found.transform(x))).mean(1)


CLASSICAL: dict[str, Callable[[Array, int], Callable[[Array], Array]]] = {
    "5 nearest neighbours": _neighbours,
    "isolation forest": _forest,
    "PCA": _components,
}


@dataclass(frozen=True)
class Comparison:
    """What `compare_detectors` found.

    Attributes
    ----------
    frame : polars.DataFrame
        A line for each detector, the best first if there are labels: detector, auroc and average_precision (null without labels),
        alarms (the share of X_test that raised one, each set to 5% false ones), false_alarms (of the rows labelled usual), caught
        (of the others), seconds (to fit and to score).
    verdict : str
        Whether the detector is worth its while, in one sentence.
    """

    frame: pl.DataFrame
    verdict: str


def compare_detectors(
    X_normal: Any, X_test: Any, y: Any = None, *, detector: AnomalyDetector | None = None, random_state: int = 0
) -> Comparison:
    """Put nearest neighbours, an isolation forest, PCA and the detector side by side.

    The classical ones are scikit-learn's and get the table as the networks see it: scaled, categories as ones and zeros, gaps
    filled with the mean. Each is set to 5% false alarms on a fifth of X_normal that it hasn't seen; the detector keeps its own
    promise.

    Parameters
    ----------
    X_normal : as in ``AnomalyDetector.fit``
        Usual rows, at least 30.
    X_test : as in ``fit``
        Rows to judge.
    y : array of shape (n,), optional
        What is known of X_test: 1, or True, for strange rows, 0 for usual ones. Nobody learns from it.
    detector : AnomalyDetector, optional
        Not yet fitted; the default one unless given.
    random_state : int, default=0
        For whoever draws lots.

    Returns
    -------
    Comparison
        ``frame`` and ``verdict``.

    Raises
    ------
    DataError
        The data can't be used, or y is not one label, 0 or 1, a row of X_test, of both sorts; a record has no rows.
    """
    import polars as pl

    new = as_raw(X_test)
    if y is not None and isinstance(new, Record):
        raise DataError(
            "A comparison judges the windows of this long record, and labels are of rows. "
            "Give its windows as rows (n, time, channels), or no labels."
        )
    labels = None if y is None else _labels(y, length(new))
    began = time.perf_counter()
    ours = clone(detector) if detector is not None else AnomalyDetector(random_state=random_state)
    ours.fit(X_normal).set_alarm_rate(RATE)
    lines = [_line(OURS, -ours.score_samples(X_test), -ours.offset_, labels, began)]
    usual, judged = (ours._seen(some).flatten(1).nan_to_num(0).float().numpy() for some in (X_normal, X_test))
    order = np.random.default_rng(random_state).permutation(len(usual))
    held_out, learned = usual[order[: len(order) // 5]], usual[order[len(order) // 5 :]]
    for name, fit in CLASSICAL.items():
        began = time.perf_counter()
        score = fit(learned, random_state)
        threshold = _threshold(score(held_out))
        lines.append(_line(name, score(judged), threshold, labels, began))
    frame = pl.DataFrame(lines)
    if labels is not None:
        frame = frame.sort("auroc", descending=True, maintain_order=True)
    return Comparison(frame, _verdict(frame, labelled=labels is not None))


def _threshold(scores: Array) -> float:
    """What a score like these (n,) is above with a chance of at most `RATE`; the highest of them, where they are few."""
    return float(np.sort(scores)[-max(int(RATE * (len(scores) + 1) + 1e-9), 1)])


def _labels(y: Any, n: int) -> NDArray[np.bool_]:
    labels = np.asarray(y)
    if labels.shape != (n,) or not np.isin(labels, (0, 1)).all() or len(np.unique(labels)) < 2:
        raise DataError(f"y needs a label for each of the {n} rows of X_test, 0 for usual and 1 for strange, and some of both.")
    return labels.astype(bool)


def _line(name: str, scores: Array, threshold: float, labels: NDArray[np.bool_] | None, began: float) -> dict[str, Any]:
    alarm = scores > threshold
    line: dict[str, Any] = {"detector": name, "auroc": None, "average_precision": None, "alarms": float(alarm.mean())}
    line |= {"false_alarms": None, "caught": None, "seconds": time.perf_counter() - began}
    if labels is not None:
        line |= {"auroc": float(roc_auc_score(labels, scores)), "average_precision": float(average_precision_score(labels, scores))}
        line |= {"false_alarms": float(alarm[~labels].mean()), "caught": float(alarm[labels].mean())}
    return line


def _verdict(frame: pl.DataFrame, *, labelled: bool) -> str:
    if not labelled:
        return "Without labels nobody can say which detector is right: look at rows on which they differ."
    area = dict(zip(frame["detector"], frame["auroc"], strict=True))
    best = max((name for name in area if name != OURS), key=area.__getitem__)
    if area[best] > area[OURS] + CLOSE:
        return f"A simpler one wins here: {best} ranks rows better ({area[best]:.3f} against {area[OURS]:.3f}). Use that."
    if area[best] > area[OURS] - CLOSE:
        return f"{best} does as well here ({area[best]:.3f} against {area[OURS]:.3f}), and is simpler."
    return f"{OURS} ranks rows best ({area[OURS]:.3f}); the next is {best} ({area[best]:.3f})."
