"""What the works on generation share: binarised digits, layers, and how samples and synthetic tables are judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from benchmarks.common import QUICK, SEED, at_hand, mnist
from hourglass.analysis.samples import Features, classifier, density_coverage, frechet_distance, precision_recall
from hourglass.analysis.synthetic import column_shapes, pair_correlations, trained_on_synthetic

HIDDEN, CODES = (200, 200), 50  # of Burda et al.
SPEED_EPOCHS = 2 if QUICK else 4
SPEED_BATCH = 128
SAMPLES = 200 if QUICK else 5_000  # of the importance-weighted estimate
FEW = 5 if QUICK else 20  # digits that pythae estimates, one after the other
MANY = 50 if QUICK else 1_000  # that Hourglass does
SAMPLED_EPOCHS = 1 if QUICK else 20
SAMPLED_HIDDEN, SAMPLED_CODES = 512, 16  # those of pythae's own networks
JUDGED_BY = 500 if QUICK else 20_000  # labelled digits that the classifier learns from
DRAWN = 300 if QUICK else 10_000
TABLES = 2 if QUICK else 5  # synthetic ones, of whose figures the mean counts


def binarised(images: np.ndarray) -> np.ndarray:
    """Black or white, 0 or 255, each pixel drawn once and for all with its grey as the chance of white: from one seed for all."""
    return ((np.random.default_rng(0).random(images.shape) < images / 255) * 255).astype(np.uint8)


def judge() -> Features:
    """The classifier over whose features samples of digits are judged, the same for everyone."""
    x_train, y_train, x_test, y_test = mnist("x_train", "y_train", "x_test", "y_test")
    return classifier(x_train[:JUDGED_BY], y_train[:JUDGED_BY], x_test, y_test)


def samples_judged(drawn: np.ndarray) -> dict[str, float]:
    """Samples of digits (n, 28, 28), bytes, against the test digits: the Fréchet distance of all, the others of 2,000."""
    (x_test,) = mnist("x_test")
    of = judge().of
    real, mine = of(x_test[:DRAWN]), of(drawn)
    near, dense = precision_recall(real[:2_000], mine[:2_000]), density_coverage(real[:2_000], mine[:2_000])
    return {"frechet": frechet_distance(real, mine), **near._asdict(), **dense._asdict()}


def cards() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Card transactions with their class, shuffled: 70% to learn from, 30% to judge by."""
    frame = pl.read_csv(at_hand("creditcard_fraud_subset.csv.gz"))
    frame = frame[np.random.default_rng(SEED).permutation(len(frame))]
    frame = frame[:1_500] if QUICK else frame
    cut = int(0.7 * len(frame))
    return frame[:cut], frame[cut:]


def cards_judged(draw: Callable[[int], pl.DataFrame], train: pl.DataFrame, test: pl.DataFrame) -> dict[str, float]:
    """Synthetic tables of transactions, ``draw(seed)``, against those that nobody learned from: means over some of them."""
    tables = [draw(seed) for seed in range(TABLES)]
    return {
        "auroc": float(np.mean([trained_on_synthetic(table, test, "Class", like=train) for table in tables])),
        "auroc_of_real": trained_on_synthetic(train, test, "Class", like=train),
        "shapes": float(np.mean([column_shapes(test, table, like=train)["likeness"].mean() for table in tables])),
        "pairs": float(np.mean([pair_correlations(test, table, like=train) for table in tables])),
    }
