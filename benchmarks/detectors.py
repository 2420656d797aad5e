"""The detectors that take part in the works on alarms: each is a function from usual rows to a function from rows to scores.

The peers are PyOD's, with their defaults, and get columns standardised by the usual rows, as their manuals advise.
"""

from __future__ import annotations

import importlib
import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchmarks.common import QUICK, SEED, at_hand

Score = Callable[[np.ndarray], np.ndarray]
PEERS = {
    "AutoEncoder": ("auto_encoder", {"verbose": 0, "random_state": SEED}),
    "VAE": ("vae", {"verbose": 0, "random_state": SEED}),
    "DeepSVDD": ("deep_svdd", {"verbose": 0, "random_state": SEED}),
    "LUNAR": ("lunar", {}),
    "IForest": ("iforest", {"random_state": SEED}),
    "ECOD": ("ecod", {}),
    "COPOD": ("copod", {}),
    "KNN": ("knn", {"method": "mean"}),
    "LOF": ("lof", {"novelty": True}),
    "PCA": ("pca", {"random_state": SEED}),
    "OCSVM": ("ocsvm", {}),
    "GMM": ("gmm", {"random_state": SEED}),
}


def peer(name: str) -> Callable[[np.ndarray], Score]:
    """One of PyOD's detectors."""
    module, settings = PEERS[name]
    kind = getattr(importlib.import_module(f"pyod.models.{module}"), name)

    def fit(usual: np.ndarray) -> Score:
        scaler = StandardScaler().fit(usual)
        given = {**settings, "n_features": usual.shape[1]} if name == "DeepSVDD" else settings
        detector = kind(**given).fit(scaler.transform(usual))
        return lambda x: detector.decision_function(scaler.transform(x))

    return fit


def split(X: np.ndarray, y: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A shuffled share of the usual rows to learn from; the rest of them and all strange rows, with labels, to judge."""
    usual = np.random.default_rng(SEED).permutation(np.flatnonzero(y == 0))
    learned, rest = np.split(usual, [int(share * len(usual))])
    judged = np.r_[rest, np.flatnonzero(y == 1)]
    return X[learned], X[judged], y[judged]


def adbench() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, rows and labels of each table of ADBench at hand."""
    with zipfile.ZipFile(at_hand("adbench_23.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".npz"))
        for name in names[:2] if QUICK else names:
            with np.load(io.BytesIO(archive.read(name))) as table:
                yield Path(name).stem, table["X"].astype(np.float64), table["y"].ravel().astype(int)


def soiled() -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each table of ADBench: half of its usual rows, the same with up to a tenth of strange rows among them, and the rest.

    Name, clean rows, dirty rows, rows to judge, their labels. Tables with fewer than 300 usual rows, or where half of the strange
    rows are less than a twentieth, are left out.
    """
    for name, X, y in adbench():
        rng = np.random.default_rng(SEED)
        usual, strange = (rng.permutation(np.flatnonzero(y == label)) for label in (0, 1))
        half = len(usual) // 2
        dirt = min(half // 9, len(strange) // 2)
        if len(usual) >= 300 and dirt >= 0.05 * (half + dirt):
            judged = np.r_[usual[half:], strange[dirt:]]
            yield name, X[usual[:half]], X[np.r_[usual[:half], strange[:dirt]]], X[judged], y[judged]


def lost_to_dirt(clean: Callable[[np.ndarray], Score], dirty: Callable[[np.ndarray], Score]) -> dict[str, float]:
    """Mean AUROC of two ways to fit, one to clean rows and one to dirty ones, and what is lost between them."""
    found = []
    for name, *rows, judged, labels in soiled():
        scores = (fit(x)(judged) for fit, x in zip((clean, dirty), rows, strict=True))
        found.append([roc_auc_score(labels, np.nan_to_num(score)) for score in scores])
        print(name, found[-1], file=sys.stderr, flush=True)
    before, after = np.mean(found, 0)
    return {"clean": before, "dirty": after, "lost": before - after}


def cards() -> tuple[np.ndarray, np.ndarray]:
    """The card transactions, (n, 30), and which of them are frauds."""
    import polars as pl

    frame = pl.read_csv(at_hand("creditcard_fraud_subset.csv.gz"))
    frame = frame[::10] if QUICK else frame
    return frame.drop("Class").to_numpy().astype(np.float64), frame["Class"].to_numpy().astype(int)


def full_size_cards() -> np.ndarray:
    """284,807 transactions: the usual ones drawn again and again, each with a tenth of a standard deviation of noise.

    In single precision, as detectors compute in that of their input.
    """
    X, y = cards()
    usual = X[y == 0]
    rng = np.random.default_rng(SEED)
    n = 5_000 if QUICK else 284_807
    rows = usual[rng.integers(len(usual), size=n)] + 0.1 * usual.std(0) * rng.normal(size=(n, usual.shape[1]))
    return rows.astype(np.float32)


def castings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Good castings to learn from, (n, 64, 64) bytes; castings to judge, and which of those are defective."""
    with np.load(at_hand("casting_64.npz")) as file:
        good = file["x_train"][file["y_train"] == 0]
        return good[::10] if QUICK else good, file["x_test"], file["y_test"].astype(int)
