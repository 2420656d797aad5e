"""A day of a made heart at 500 Hz, one channel: the share of false alarms, the time, the memory, and the rate of a stream."""

import numpy as np

import hourglass as hg
from benchmarks.common import QUICK, SEED, Stopwatch, peak_mb, report
from benchmarks.series import heart

RATE = 500.0
DAY = 400_000 if QUICK else 43_200_000


rng = np.random.default_rng(SEED)
usual, day = heart(int(3600 * RATE) if not QUICK else 100_000, RATE, rng), heart(DAY, RATE, rng)
detector = hg.AnomalyDetector(random_state=SEED).fit(hg.Record(usual, RATE))
before = peak_mb()
with Stopwatch() as scoring:
    p_values = detector.p_values(hg.Record(day, RATE))
above = peak_mb() - before
stream, some = detector.stream(), day[:1_000_000]
with Stopwatch() as streaming:
    found = [stream.push(some[first : first + 500]) for first in range(0, len(some), 500)]
scores = np.concatenate([*found, stream.finish()])
report(
    score_s=scoring.seconds,
    above_mb=above,
    of_scores_mb=p_values.nbytes / 1e6,
    stream_per_s=len(some) / streaming.seconds,
    stream_off=np.abs(scores - detector.score_samples(hg.Record(some, RATE))).max(),
    false_alarms_1=(p_values <= 0.01).mean(),
    false_alarms_01=(p_values <= 0.001).mean(),
)
