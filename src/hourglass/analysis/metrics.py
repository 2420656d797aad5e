"""How good a model is in numbers: its reconstructions, and its codes.

The functions of two arrays take data as it comes; uint8 counts as pixels and is brought to the scale from 0 to 1. The
functions of a model, `reconstruction` and `codes`, measure on the scale that the networks see: pixels from 0 to 1, columns in
standard deviations, so that no column counts more because of its unit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from hourglass.data.some import spread
from hourglass.errors import DataError
from hourglass.estimators import BaseAutoencoder
from hourglass.kinds import Album, as_raw
from hourglass.kinds.base import ragged
from hourglass.kinds.image import TOPS

__all__ = [
    "before_and_after",
    "clustering_nmi",
    "codes",
    "exact",
    "explained_variance",
    "knn_accuracy",
    "linear_probe_accuracy",
    "mse",
    "psnr",
    "reconstruction",
    "scaled",
    "ssim",
    "survival",
    "trustworthiness",
]


def __dir__() -> list[str]:
    return __all__


Array = NDArray[Any]
MAX_NEIGHBOURHOOD = 2000  # rows of a trustworthiness within `codes`: its time and memory grow with their square
SSIM_PAD = 5  # pixels that SSIM's window of 11 reaches beyond a border, mirrored


class Measure(NamedTuple):
    """A line of what `quality` finds."""

    measure: str
    samples: float
    real: float  # the same of rows that are real
    good: str  # "more", "less" or "as real"


# Reconstructions: X and X2, of one shape


def mse(X: Any, X2: Any) -> float:
    """Mean squared error over all elements.

    Parameters
    ----------
    X, X2 : array or table of shape (n, ...)
        Data and its reconstruction.

    Returns
    -------
    float
        In squared units of the data; of uint8, on the scale from 0 to 1.

    Raises
    ------
    DataError
        The shapes differ, or there are no rows.

    Examples
    --------
    >>> mse([[0.0, 1.0]], [[0.0, 0.5]])
    0.125
    """
    before, after = _pair(X, X2)
    return float(np.square(before - after, dtype=np.float64).mean())


def psnr(X: Any, X2: Any, *, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio, 10 log10(data_range² / mse), of all elements together.

    Parameters
    ----------
    X, X2 : array of shape (n, ...)
        Images and their reconstructions.
    data_range : float, optional
        Largest less smallest possible value, in units of X; unless given 255 of uint8, 65,535 of uint16, and 1.0 of all others.
        Where uint16 holds pixels of fewer bits, give theirs, such as 4095.

    Returns
    -------
    float
        In dB, infinite where nothing differs, NaN where a value is.

    Raises
    ------
    DataError
        The shapes differ, or there are no rows.

    Examples
    --------
    >>> round(psnr([[0.0, 1.0]], [[0.0, 0.9]]), 2)
    23.01
    """
    error = mse(_unit(X), _unit(X2))
    return 10 * math.log10(_range(X, data_range) ** 2 / error) if error != 0 else math.inf


def ssim(X: Any, X2: Any, *, data_range: float | None = None) -> float:
    """Structural similarity, with a Gaussian window of 11 x 11 pixels (standard deviation 1.5), averaged over the images.

    Images are mirrored at their borders, so that each pixel counts; scikit-image leaves five pixels at each border out of its mean.

    Parameters
    ----------
    X, X2 : array of shape (n, height, width) or (n, height, width, channels)
        Images and their reconstructions, at least 6 pixels on each side.
    data_range : float, optional
        Largest less smallest possible value, in units of X; unless given 255 of uint8, 65,535 of uint16, and 1.0 of all others.
        Where uint16 holds pixels of fewer bits, give theirs, such as 4095.

    Returns
    -------
    float
        1 where nothing differs.

    Raises
    ------
    DataError
        The shapes differ, there are no rows, the arrays are no images, or the images are too small.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    before, after = map(_channels_first, _pair(_unit(X), _unit(X2)))
    total, span = 0.0, _range(X, data_range)
    for one, other in zip(torch.split(after, 256), torch.split(before, 256), strict=True):
        summed = structural_similarity_index_measure(one, other, data_range=span, reduction="sum")
        assert isinstance(summed, torch.Tensor)  # a tuple only where asked for
        total += summed.item()
    return total / len(before)


def explained_variance(X: Any, X2: Any) -> float:
    """Share of the total variance of X about its column means that survives: 1 - Σ (X - X2)² / Σ (X - mean)².

    For a reconstruction by PCA from the rows that it was fitted on, this is the sum of its ``explained_variance_ratio_``.

    Parameters
    ----------
    X, X2 : array or table of shape (n, ...)
        Data and its reconstruction.

    Returns
    -------
    float
        At most 1; below 0 where the means alone would be nearer to X; NaN where the rows of X are all alike.

    Raises
    ------
    DataError
        The shapes differ, or there are no rows.

    Examples
    --------
    >>> explained_variance([[0.0], [2.0]], [[0.5], [2.0]])
    0.875
    """
    before, after = _pair(X, X2)
    if (before == before[:1]).all():
        return math.nan
    total = len(before) * np.var(before, axis=0, dtype=np.float64).sum()
    return float(1 - np.square(before - after, dtype=np.float64).sum() / total)


# Codes


def trustworthiness(X: Any, Z: Any, *, n_neighbors: int = 5) -> float:
    """How far the neighbours of each code are neighbours in the data too; time and memory grow with n².

    Parameters
    ----------
    X : array or table of shape (n, ...)
        Data.
    Z : array or table of shape (n, codes)
        Its codes.
    n_neighbors : int, default=5
        Size of a neighbourhood, below n / 2.

    Returns
    -------
    float
        From 0 to 1, higher is better.

    References
    ----------
    Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", 2001; here `sklearn.manifold.trustworthiness`.
    """
    from sklearn.manifold import trustworthiness as measured

    return float(measured(_flat(X), _flat(Z), n_neighbors=n_neighbors))


def knn_accuracy(Z_train: Any, y_train: Any, Z_test: Any, y_test: Any, *, n_neighbors: int = 5) -> float:
    """Share of test rows whose label the nearest training codes guess, by majority.

    Parameters
    ----------
    Z_train, Z_test : array or table of shape (n, codes)
        Codes.
    y_train, y_test : array of shape (n,)
        Labels.
    n_neighbors : int, default=5
        How many vote.

    Returns
    -------
    float
        From 0 to 1.
    """
    from sklearn.neighbors import KNeighborsClassifier

    return float(KNeighborsClassifier(n_neighbors).fit(_flat(Z_train), y_train).score(_flat(Z_test), y_test))


def linear_probe_accuracy(Z_train: Any, y_train: Any, Z_test: Any, y_test: Any) -> float:
    """Share of test rows whose label a logistic regression guesses that was fitted on the standardised training codes.

    Parameters
    ----------
    Z_train, Z_test : array or table of shape (n, codes)
        Codes.
    y_train, y_test : array of shape (n,)
        Labels.

    Returns
    -------
    float
        From 0 to 1.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(probe.fit(_flat(Z_train), y_train).score(_flat(Z_test), y_test))


def clustering_nmi(Z: Any, labels: Any, *, random_state: Any = 0) -> float:
    """Normalised mutual information of the labels and as many k-means clusters of the codes as there are labels.

    Parameters
    ----------
    Z : array or table of shape (n, codes)
        Codes.
    labels : array of shape (n,)
        Labels.
    random_state : int or RandomState, default=0
        Seed of k-means, which starts ten times.

    Returns
    -------
    float
        From 0, nothing in common, to 1, the same grouping.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score

    means = KMeans(len(np.unique(labels)), n_init=10, random_state=random_state)
    return float(normalized_mutual_info_score(labels, means.fit_predict(_flat(Z))))


# All of them, of a fitted model


def reconstruction(model: BaseAutoencoder, X: Any, condition: Any = None) -> dict[str, float]:
    """Measure what of X survives the waist.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        Data, best of rows that the model was not trained on.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row of X, or one for all.

    Returns
    -------
    dict of float
        ``mse`` and ``explained_variance``; of images also ``psnr`` (dB) and, unless they have under 6 pixels on a side, ``ssim``.
        Pixels are on the scale from 0 to 1, columns in standard deviations.

    Raises
    ------
    DataError
        X doesn't fit the fitted model, or is rows of symbols, of which `exact` says how many survive.
    """
    return figures(model, *before_and_after(model, X, condition))


def figures(model: BaseAutoencoder, before: Array, after: Array) -> dict[str, float]:
    """The figures of `reconstruction` for what `before_and_after` gives."""
    values = {"mse": mse(before, after), "explained_variance": explained_variance(before, after)}
    if model.kind_.name == "image":
        values["psnr"] = psnr(before, after)
        if min(before.shape[1:3]) > SSIM_PAD:
            values["ssim"] = ssim(before, after)
    return values


def codes(model: BaseAutoencoder, X_train: Any, y_train: Any, X_test: Any, y_test: Any) -> dict[str, float]:
    """Measure what the codes know of labels that training never saw, and how far they keep neighbours together.

    Parameters
    ----------
    model : estimator
        Fitted.
    X_train, X_test : as in ``fit``
        Data.
    y_train, y_test : array of shape (n,)
        Labels.

    Returns
    -------
    dict of float
        ``trustworthiness`` (of at most 2,000 test rows, evenly spaced), ``knn_accuracy``, ``linear_probe_accuracy`` and
        ``clustering_nmi`` (of the test rows), each from 0 to 1.

    Raises
    ------
    DataError
        The data doesn't fit the fitted model.
    """
    Z_train, Z_test = np.asarray(model.transform(X_train)), np.asarray(model.transform(X_test))
    some = spread(len(Z_test), MAX_NEIGHBOURHOOD)
    return {
        "trustworthiness": trustworthiness(scaled(model, X_test)[some], Z_test[some]),
        "knn_accuracy": knn_accuracy(Z_train, y_train, Z_test, y_test),
        "linear_probe_accuracy": linear_probe_accuracy(Z_train, y_train, Z_test, y_test),
        "clustering_nmi": clustering_nmi(Z_test, y_test),
    }


def before_and_after(model: BaseAutoencoder, X: Any, condition: Any = None) -> tuple[Array, Array]:
    """X and its reconstruction, both as `scaled` has them."""
    check_is_fitted(model)
    raw = model._raw(X)
    if model.kind_.name == "table":  # before categories and whole numbers are rounded to
        after = model._passed(raw, condition, lambda inner, x, given=None: inner.reconstruct(x, given)).numpy()
    else:
        after = scaled(model, model.reconstruct(raw, condition))
    before, after = scaled(model, raw), np.nan_to_num(after)  # NaN: behind the end of a row
    return np.where(np.isnan(before), after, before), after  # what is missing has no error


def exact(model: BaseAutoencoder, X: Any, condition: Any = None) -> float:
    """The share of rows of symbols that are rebuilt without a single fault.

    Parameters
    ----------
    model : estimator
        Fitted on strings, lists of symbols, molecules or melodies.
    X : as in ``fit``
        Data.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row, or one for all.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    DataError
        The data is of another kind.
    """
    check_is_fitted(model)
    if not model.kind_.symbolic:
        raise DataError(f"Only rows of symbols are rebuilt exactly or not. The model was fitted on {model.kind_.describe()}.")

    def whole(inner: Any, x: torch.Tensor, given: torch.Tensor | None = None) -> torch.Tensor:
        behind = x.sum(-1) == 0  # the end, (batch, length)
        same: torch.Tensor = inner.reconstruct(x, given, brief=True).argmax(-1) == x.argmax(-1)
        return (same | behind).all(1)

    return float(model._passed(X, condition, whole).double().mean())


def survival(model: BaseAutoencoder, X: Any, condition: Any = None) -> float:
    """How much of X survives the waist, as one share: of rows of symbols `exact`, of all others `explained_variance`.

    Parameters
    ----------
    model : estimator
        A fitted one.
    X : as in ``fit``
        Data.
    condition : as in ``fit``, optional
        For models that were fitted with one: one for each row, or one for all.

    Returns
    -------
    float
        1 is all.
    """
    check_is_fitted(model)
    if model.kind_.symbolic:
        return exact(model, X, condition)
    return explained_variance(*before_and_after(model, X, condition))


def scaled(model: BaseAutoencoder, X: Any) -> Array:
    """X on the scale that the networks see.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        Data.

    Returns
    -------
    ndarray of shape (n, ...), float
        Pixels from 0 to 1; columns less their mean, in standard deviations, both as learned in ``fit``.
    """
    if model.kind_.symbolic:
        raise DataError(f"Errors of numbers can't be measured on {model.kind_.describe()}. Use metrics.exact(model, X).")
    return model.kind_.arrange(model._seen(X))


def total_variation(first: Iterable[Hashable], second: Iterable[Hashable]) -> float:
    """Total variation distance of the shares that things have in two piles: half of the sum of their differences."""
    counts = [Counter(first), Counter(second)]
    totals = [max(count.total(), 1) for count in counts]
    return sum(abs(counts[0][thing] / totals[0] - counts[1][thing] / totals[1]) for thing in counts[0] | counts[1]) / 2


def rounded(value: float, digits: int = 3) -> str:
    """A number as it is read: of so many digits, or all of a larger whole part."""
    whole = 10**digits - 0.5 <= abs(value) < 1e15
    return f"{value:,.0f}" if whole else f"{value:,.{digits}g}"


def _pair(X: Any, X2: Any) -> tuple[Array, Array]:
    before, after = _numbers(X), _numbers(X2)
    if before.shape != after.shape:
        raise DataError(f"A reconstruction has the shape of its data. X has {before.shape}, X2 has {after.shape}.")
    if before.size == 0:
        raise DataError(f"There is nothing to measure in arrays of shape {before.shape}. Give at least one row.")
    return before, after


def _numbers(X: Any) -> Array:
    raw = as_raw(X)
    if isinstance(raw, Album):
        _require_one_size(raw)
    values = np.asarray(raw)
    if values.dtype == np.uint8:
        return values / np.float32(TOPS["uint8"])
    if values.dtype == np.float16:  # squares of its values are beyond it
        return values.astype(np.float32)
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _unit(X: Any) -> Array:
    """Pixels of 16 bits on the scale from 0 to 1; in tables such numbers are what they are."""
    raw = as_raw(X)
    if isinstance(raw, Album):
        _require_one_size(raw)
        return np.stack([_unit(picture) for picture in raw])
    values = _numbers(raw)
    return values / TOPS["uint16"] if getattr(raw, "dtype", None) == np.uint16 else values


def _require_one_size(pictures: Album) -> None:
    shapes = [picture.shape for picture in pictures]
    if len(set(shapes)) > 1:
        raise DataError(ragged(shapes))


def _range(X: Any, data_range: float | None) -> float:
    """A range in units of X, on the scale that `_unit` brings pixels to."""
    raw = as_raw(X)
    pixels = raw[0] if isinstance(raw, Album) else raw
    return 1.0 if data_range is None else data_range / TOPS.get(str(getattr(pixels, "dtype", "")), 1)


def _flat(X: Any) -> Array:
    values = _numbers(X)
    return values.reshape(len(values), -1)


def _channels_first(images: Array) -> torch.Tensor:
    if images.ndim not in (3, 4) or min(images.shape[1:3]) <= SSIM_PAD:
        raise DataError(
            f"SSIM takes images (n, height, width) or (n, height, width, channels) of at least {SSIM_PAD + 1} pixels "
            f"on each side. Got an array of shape {images.shape}."
        )
    pixels = torch.from_numpy(np.ascontiguousarray(images, np.float32))
    return pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)  # (n, channels, height, width)
