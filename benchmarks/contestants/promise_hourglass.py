"""Twelve made hearts at 125 Hz, a quarter of an hour learned from: false alarms in the half hour after, in the mean."""

import numpy as np

import hourglass as hg
from benchmarks.common import QUICK, SEED, report
from benchmarks.series import heart

RATE = 125.0
LEARNED, JUDGED = (int(60 * minutes * RATE) for minutes in ((5, 5) if QUICK else (15, 30)))
RATES = 0.05, 0.01


def false_alarms(number: int) -> list[float]:
    rng = np.random.default_rng([SEED, number])
    usual, after = heart(LEARNED, RATE, rng), heart(JUDGED, RATE, rng)
    detector = hg.AnomalyDetector(random_state=number).fit(hg.Record(usual, RATE))
    p_values = detector.p_values(hg.Record(after, RATE))
    return [float((p_values <= rate).mean()) for rate in RATES]


found = np.array([false_alarms(number) for number in range(2 if QUICK else 12)])
at_5, at_1 = found.mean(0)
error_5, error_1 = found.std(0, ddof=1) / len(found) ** 0.5
report(false_alarms_5=at_5, error_5=error_5, false_alarms_1=at_1, error_1=error_1)
