"""Heartbeats, the series of NAB, and how well steps are told apart."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.metrics import roc_auc_score

from benchmarks.common import QUICK, SEED, at_hand

LEARNED = 0.15  # of each series of NAB, from its beginning
WINDOW = 128  # samples of the peers' windows, and of ours where a series has no period
BUFFERS = (0, 25, 50, 75, 100)  # samples that an event is widened by, for VUS-PR
THRESHOLDS = 250


def beats() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The usual ones of the 500 training beats of ECG5000, the 4,500 test beats (n, 140), and which of those are strange."""
    with np.load(at_hand("ecg5000.npz")) as file:
        usual = file["x_train"][file["y_train"] == 1]
        return usual[:100] if QUICK else usual, file["x_test"], (file["y_test"] != 1).astype(int)


def nab() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, values (n,) and labels of the steps of each series of NAB: 1 within one of its windows."""
    import polars as pl

    with zipfile.ZipFile(at_hand("nab.zip")) as archive:
        windows = json.loads(archive.read("labels/combined_windows.json"))
        names = sorted(name for name in archive.namelist() if name.endswith(".csv"))
        for name in names[5:8] if QUICK else names:
            frame = pl.read_csv(io.BytesIO(archive.read(name)), try_parse_dates=True)
            stamps = frame["timestamp"].to_numpy().astype("datetime64[us]")
            labels = np.zeros(len(stamps), int)
            for first, last in windows[name.removeprefix("data/")]:
                labels |= (stamps >= np.datetime64(first)) & (stamps <= np.datetime64(last))
            yield name.removeprefix("data/"), frame["value"].to_numpy().astype(float), labels


def judged(score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict[str, float]:
    """Means over the series with an event of the figures of ``score(first part, whole series)``, a number a step."""
    found = []
    for _, values, labels in nab():
        scores = score(values[: int(LEARNED * len(values))], values)
        if labels.any():
            found.append((roc_auc_score(labels, scores), vus_pr(labels, scores)))
    auroc, volume = np.mean(found, 0)
    return {"auroc": auroc, "vus_pr": volume}


def of_windows(score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Of a score of windows one of steps: the mean over the windows around each."""

    def of_steps(first: np.ndarray, whole: np.ndarray) -> np.ndarray:
        window = min(WINDOW, len(first) // 4)
        mean, std = first.mean(), first.std() or 1.0
        learned, seen = (sliding_window_view((values - mean) / std, window) for values in (first, whole))
        scores = score(learned, seen)
        total, count = (np.convolve(values, np.ones(window)) for values in (scores, np.ones(len(scores))))
        return total / count

    return of_steps


def vus_pr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Volume under the surface of precision and recall: the area under their curve, averaged over how far events are widened.

    A label falls off as the root of 1 - d / b within b samples of an event; recall counts the share of events that were found at
    all. Paparrizos et al., "Volume Under the Surface", 2022, section 4, with five widths.
    """
    edges = np.flatnonzero(np.diff(np.r_[0, labels, 0]))
    events = list(zip(edges[::2], edges[1::2], strict=True))
    order = np.argsort(-scores, kind="stable")
    cuts = np.unique(np.linspace(1, len(scores), THRESHOLDS).round().astype(int))
    return float(np.mean([_area(labels, events, order, cuts, buffer) for buffer in BUFFERS]))


def _area(labels: np.ndarray, events: list[tuple[int, int]], order: np.ndarray, cuts: np.ndarray, buffer: int) -> float:
    steps, soft, rank = np.arange(len(labels)), labels.astype(float), np.empty(len(labels), int)
    rank[order] = np.arange(len(order))
    first_found = []
    for start, end in events:
        away = np.maximum(np.maximum(start - steps, steps - end + 1), 0)
        near = away <= buffer
        if buffer:
            soft[near] = np.maximum(soft[near], np.sqrt(1 - away[near] / buffer))
        first_found.append(rank[near].min())
    true = np.cumsum(soft[order])[cuts - 1]
    found = np.mean([first < cuts for first in first_found], 0)
    recall = np.minimum(true / ((labels.sum() + soft.sum()) / 2), 1) * found
    precision = true / cuts
    return float(np.sum(np.diff(np.r_[0, recall]) * precision))


def heart(n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """A record (n,) of beats of one shape, whose height and distance vary, in noise; rate in samples a second."""
    time = np.arange(int(0.7 * rate)) / rate
    bumps = ((1.0, 0.2, 0.008), (-0.2, 0.225, 0.01), (0.15, 0.05, 0.02), (0.3, 0.45, 0.04))
    beat = sum(height * np.exp(-((time - place) ** 2) / 2 / width**2) for height, place, width in bumps).astype(np.float32)
    record, start = 0.02 * rng.standard_normal(n, dtype=np.float32), 0
    while start + len(beat) < n:
        record[start : start + len(beat)] += beat * (1 + 0.05 * rng.normal())
        start += int(rate * (0.85 + 0.04 * rng.normal()))
    return record


# Cleaning


def damaged(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 500 training beats, the test beats, and the same damaged; every beat has a standard deviation of 1."""
    with np.load(at_hand("ecg5000.npz")) as file:
        learned, clean = file["x_train"], file["x_test"][:500] if QUICK else file["x_test"]
    rng = np.random.default_rng(SEED)
    step = np.linspace(0, 1, clean.shape[1])
    white = rng.normal(size=clean.shape)
    phase, periods = rng.uniform(size=(2, len(clean), 1)), rng.uniform(0.5, 2, (2, len(clean), 1))
    slow = np.sin(2 * np.pi * (periods * step + phase)).sum(0)  # of two waves, whose square is 1 in the mean
    hum = np.sqrt(2) * np.sin(2 * np.pi * (np.arange(clean.shape[1]) / 6 + phase[0]))
    added = {"white": 0.3 * white, "wander": 0.5 * slow + 0.1 * white, "hum": 0.3 * hum + 0.1 * white}[kind]
    return learned, clean, (clean + added).astype(np.float32)


def snr(clean: np.ndarray, other: np.ndarray) -> float:
    """Signal to noise in dB, the mean over the beats."""
    return float(np.mean(10 * np.log10(np.square(clean).sum(1) / np.square(clean - other).sum(1))))
