"""The kinds of data: a registry, and ``infer``, which picks one and says why."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from hourglass import data
from hourglass.data.readers import READERS
from hourglass.data.record import float_of, joined
from hourglass.errors import DataError, ModelFileError, shown
from hourglass.kinds.base import Album, Kind, length, ragged, rows, taken, taken_by_numpy
from hourglass.kinds.columns import counted_from
from hourglass.kinds.frames import is_sparse, is_table, tabled
from hourglass.kinds.image import ImageKind, is_picture, of_differing_depth, turned
from hourglass.kinds.melody import Melodies, MelodyKind
from hourglass.kinds.molecule import MoleculeKind
from hourglass.kinds.series import Series, SeriesKind
from hourglass.kinds.table import TableKind
from hourglass.kinds.token import TokenKind, WordKind, as_objects, is_listed
from hourglass.kinds.windows import Ragged, Windows

KINDS: dict[str, type[Kind]] = {
    kind.name: kind for kind in (SeriesKind, MoleculeKind, TableKind, ImageKind, MelodyKind, TokenKind, WordKind)
}

__all__ = [
    "KINDS",
    "Album",
    "Inference",
    "Kind",
    "Melodies",
    "Series",
    "as_objects",
    "as_raw",
    "counted_from",
    "infer",
    "kind_from_config",
    "kind_name",
    "length",
    "rows",
    "taken",
]


LOOKED_AT = 100  # strings, to tell whether they are paths
MOST_DENSE = 10**9  # bytes of the dense array that a sparse matrix is made


class Inference(NamedTuple):
    """Which kind of data a pile was taken for, and why."""

    kind: str
    reason: str


def infer(raw: Any) -> Inference:
    """Pick the kind of data.

    Parameters
    ----------
    raw : array, table, list of strings, path or list of paths
        The data. Strings are paths where most of them name files, or end as pictures do.

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
    found = as_raw(raw, sparse=True)
    for name, kind in KINDS.items():
        reason = kind.recognise(found)
        if reason is not None:
            return Inference(name, reason)
    if isinstance(found, np.ndarray) and found.dtype == object and found.ndim == 1 and any(isinstance(row, str) for row in found):
        TokenKind.learn(found)  # names the row that is no string
    many = found.ndim == 4 and found.shape[3] > 0
    advice = f" If they are pictures of {found.shape[3]} channels, say kind='image'." if many else " Reshape your data."
    raise DataError(
        f"Expected 2D array or images, got {found.ndim}D array of shape {found.shape} instead. A table is (n, columns), images are "
        f"(n, height, width) or (n, height, width, channels).{turned(found) or advice}"
    )


def as_raw(X: Any, *, apart: bool = False, kind: str | Series | Melodies | None = None, sparse: bool = False) -> Any:
    """Data as an array or a table: paths are read, lists become arrays, sparse matrices too unless they may be ``sparse``.

    Several records become one with seams, pictures of differing sizes or depths an `Album`; where pictures may stay ``apart``, so
    does a path to some, and none is read yet. Of the ``kind`` of series, rows may differ in length.
    """
    name = kind_name(kind)
    _refuse_torch_data(X)
    if isinstance(X, tuple) and hasattr(X, "_fields"):  # such as a dataset
        raise DataError(
            f"A {type(X).__name__} is several piles ({', '.join(X._fields)}). Pass one of them, such as its {X._fields[0]}."
        )
    of_strings = name != "melody" and getattr(KINDS.get(name or ""), "symbolic", False)
    if of_strings and isinstance(X, str) and not (os.path.exists(X) or X.lower().endswith(tuple(READERS))):  # noqa: PTH110 (any string)
        raise DataError(f"Data is a list of rows or a path, and there is no file {shown(X)}. For a single row, give [{shown(X)}].")
    if isinstance(X, (str, os.PathLike)) or (_are_paths(X) and not of_strings):
        return Album(data.Pictures(X)) if apart and data.reads_pictures(X) else as_raw(data.read(X), kind=kind)
    if is_sparse(X):
        return _of_sparse(X, name, kept=sparse)
    table = tabled(X)
    if is_table(table) and (hasattr(table, "columns") or hasattr(table, "to_frame")):  # else a bare array of pandas or pyarrow
        return table.to_frame() if hasattr(table, "to_frame") else table
    if isinstance(X, data.Pictures):
        return Album(X.readable())
    if isinstance(X, (list, tuple)) and X and all(isinstance(row, data.Record) for row in X):
        X = joined(X)
    if isinstance(X, (Album, data.Record, Ragged, Windows)):
        return X
    return _as_rows([X] if isinstance(X, data.Melody) else X, name)


def _of_sparse(X: Any, name: str | None, *, kept: bool) -> Any:
    """A sparse matrix for fast access to rows, or the dense array that it stands for."""
    if name not in (None, "table") or X.ndim != 2:
        raise DataError("Sparse data is not supported here, where it is no table: pass a dense array, X.toarray().")
    size = math.prod(X.shape) * X.dtype.itemsize
    if not kept and size > MOST_DENSE:
        raise DataError(
            f"The sparse matrix takes {size / 1e9:,.1f} GB as a dense array, which is made here of up to {MOST_DENSE / 1e9:g} GB. "
            "Pass fewer rows, X.toarray(), or codes of it, as an Autoencoder gives them."
        )
    return X.tocsr() if kept else X.toarray()


def kind_name(kind: str | Series | Melodies | None) -> str | None:
    """The name of a kind that may be asked for by a part."""
    return kind.kind if isinstance(kind, (Series, Melodies)) else kind


def kind_from_config(config: dict[str, Any]) -> Kind:
    """The kind that ``Kind.to_config`` wrote."""
    known = KINDS.get(config["kind"])
    if known is None:
        raise ModelFileError(f"The file holds an unknown kind of data, {config['kind']!r}. Update Hourglass to read it.")
    return known.from_config(config)


def _are_paths(X: Any) -> bool:
    """Whether these are paths and not just strings: most name files, or end as pictures do."""
    if not isinstance(X, (list, tuple)) or not X or not all(isinstance(item, (str, os.PathLike)) for item in X):
        return False
    some = X[:LOOKED_AT]
    return 2 * sum(map(_is_path, some)) > len(some)


def _is_path(item: Any) -> bool:
    return isinstance(item, os.PathLike) or item.lower().endswith((*data.ENDINGS, *data.TUNES)) or os.path.isfile(item)  # noqa: PTH113 (any string)


def _refuse_torch_data(X: Any) -> None:
    """Refuse the datasets and loaders of torch, if it is there: they needn't end, and some look like pictures."""
    torch_data = sys.modules.get("torch.utils.data")
    if torch_data is None or not isinstance(X, (torch_data.Dataset, torch_data.DataLoader)):
        return
    loads = isinstance(X, torch_data.DataLoader)
    how = "torch.cat([x for x, *_ in loader])" if loads else "torch.stack([dataset[i][0] for i in range(len(dataset))])"
    raise DataError(f"The {type(X).__name__} of torch is no array. Pass one of all its rows, without the labels: {how}.numpy().")


def _as_rows(X: Any, kind: str | None) -> Any:
    """Lists and arrays as an array; pictures of differing sizes or depths as an `Album`, series of differing length as `Ragged`."""
    if isinstance(X, np.ma.MaskedArray):
        return _unmasked(X, kind)
    if not isinstance(X, (list, tuple)):
        return _as_array(X)
    if X and all(isinstance(row, str) or is_listed(row) for row in X):
        return _of_strings(X)
    shapes = [np.shape(row) for row in X]
    differing = len(set(shapes)) > 1
    pictures = kind != "series" and all(isinstance(row, np.ndarray) and is_picture(row) for row in X)
    if pictures and (differing or of_differing_depth(X)):
        return Album(X)
    if not differing:
        return _as_array(X)
    if kind == "series" and all(len(shape) in (1, 2) for shape in shapes):
        return Ragged(X)
    raise DataError(ragged(shapes))


def _unmasked(X: Any, kind: str | None) -> np.ndarray[Any, Any]:
    """A masked array as one with gaps where it is masked, which only a table may have."""
    mask = np.ma.getmaskarray(X)
    if not mask.any():
        return np.asarray(X)
    if X.ndim != 2 or kind not in (None, "table"):
        raise DataError(
            f"The array of shape {X.shape} has a mask, and only a table may have gaps. Fill it, as in X.filled(0), or leave out "
            "what is masked."
        )
    of_numbers = X.dtype.kind in "fiub"
    found: np.ndarray[Any, Any] = np.array(X.data, dtype=float_of(X.dtype) if of_numbers else object)
    found[mask] = np.nan if of_numbers else None
    return found


def _as_array(X: Any) -> np.ndarray[Any, Any]:
    """Rows as an array: of objects, if some of them are text and others are not."""
    found = np.asarray(taken_by_numpy(X))
    if found.dtype.kind in "US" and isinstance(X, (list, tuple)):
        found = np.asarray(X, dtype=object)
    if found.ndim == 0:
        single = isinstance(X, np.ndarray)
        what = "None" if X is None else "an array of a single number" if single else f"a value of the type {type(X).__name__}"
        how = " Make a list of it." if isinstance(X, Iterable) and not single else ""
        raise DataError(f"Data is an array, a table, a list of rows or a path. Got {what}.{how}")
    return found


def _of_strings(X: Any) -> np.ndarray[Any, Any]:
    """Strings, or lists of strings that differ in length, as an array (n,) of objects."""
    if not isinstance(X[0], str) and len({len(row) for row in X}) == 1 and len(X[0]):
        return np.asarray(X)  # of one length: rows and columns
    return as_objects(X)
