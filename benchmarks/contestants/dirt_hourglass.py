"""AnomalyDetector(), told when its training rows are dirty, on tables of ADBench."""

import numpy as np

from benchmarks.common import SEED, report
from benchmarks.detectors import Score, lost_to_dirt
from hourglass import AnomalyDetector


def ours(usual: np.ndarray, *, contaminated: bool = False) -> Score:
    detector = AnomalyDetector(contaminated=contaminated, random_state=SEED).fit(usual)
    return lambda x: -detector.score_samples(x)


report(**lost_to_dirt(ours, lambda rows: ours(rows, contaminated=True)))
