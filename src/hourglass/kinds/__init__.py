"""The kinds of data: a registry, and ``infer``, which picks one and says why."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from hourglass import data
from hourglass.errors import DataError
from hourglass.kinds.base import Album, Kind, length, ragged, rows, taken
from hourglass.kinds.image import ImageKind, is_picture
from hourglass.kinds.series import Series, SeriesKind
from hourglass.kinds.table import TableKind, container_of
from hourglass.kinds.windows import Ragged, Windows

KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (SeriesKind, TableKind, ImageKind)}

__all__ = [
    "KINDS",
    "Album",
    "Inference",
    "Kind",
    "Series",
    "as_raw",
    "infer",
    "kind_from_config",
    "kind_name",
    "length",
    "rows",
    "taken",
]


class Inference(NamedTuple):
    """Which kind of data a pile was taken for, and why."""

    kind: str
    reason: str


def infer(raw: Any) -> Inference:
    """Pick the kind of data.

    Parameters
    ----------
    raw : array, table, path or list of paths
        The data.

    Returns
    -------
    Inference
        The kind's name and, in words, the reason.

    Examples
    --------
    >>> import numpy as np
    >>> import hourglass as hg
    >>> hg.infer(np.zeros((10, 28, 28), np.uint8))
    Inference(kind='image', reason='an array of shape (10, 28, 28) is 10 pictures')
    """
    found = as_raw(raw)
    for name, kind in KINDS.items():
        reason = kind.recognise(found)
        if reason is not None:
            return Inference(name, reason)
    raise DataError(
        f"Expected 2D array or images, got {found.ndim}D array of shape {found.shape} instead. A table is (n, columns), images are "
        "(n, height, width) or (n, height, width, channels). Reshape your data."
    )


def as_raw(X: Any, *, apart: bool = False, kind: str | Series | None = None) -> Any:
    """Data as an array or a table: paths are read, lists become arrays, sparse matrices are refused.

    Pictures of differing sizes become an `Album`; where pictures may stay ``apart``, so does a path to some, and none is read yet.
    Of the ``kind`` of series, rows may differ in length.
    """
    if isinstance(X, (str, os.PathLike)) or (isinstance(X, (list, tuple)) and X and all(map(_is_path, X))):
        return Album(data.Pictures(X)) if apart and data.holds_pictures(X) else as_raw(data.read(X), kind=kind)
    if container_of(X) != "numpy":
        return X.to_frame() if hasattr(X, "to_frame") else X
    if hasattr(X, "toarray"):
        raise DataError("Sparse data is not supported: pass a dense array, X.toarray().")
    if isinstance(X, (Album, data.Record, data.Pictures, Ragged, Windows)):
        return Album(X) if isinstance(X, data.Pictures) else X
    if isinstance(X, (list, tuple)) and len({np.shape(row) for row in X}) > 1:
        if kind_name(kind) != "series" and all(isinstance(row, np.ndarray) and is_picture(row) for row in X):
            return Album(X)
        if kind_name(kind) == "series" and all(np.ndim(row) in (1, 2) for row in X):
            return Ragged(X)
        raise DataError(ragged([np.shape(row) for row in X]))
    return np.asarray(X)


def kind_name(kind: str | Series | None) -> str | None:
    """The name of a kind that may be asked for by a part."""
    return "series" if isinstance(kind, Series) else kind


def kind_from_config(config: dict[str, Any]) -> Kind:
    """The kind that ``Kind.to_config`` wrote."""
    return KINDS[config["kind"]].from_config(config)


def _is_path(item: Any) -> bool:
    return isinstance(item, (str, os.PathLike))
