"""A day of a made heart at 500 Hz, one channel: the share of false alarms, the time, the memory, and the rate of a stream."""

import resource

import numpy as np

import hourglass as hg
from benchmarks.common import QUICK, SEED, Stopwatch, report

RATE = 500.0
DAY = 400_000 if QUICK else 43_200_000


def heart(n: int, rng: np.random.Generator) -> np.ndarray:
    """A record (n,) of beats of one shape, whose height and distance vary, in noise."""
    time = np.arange(350) / RATE
    bumps = ((1.0, 0.2, 0.008), (-0.2, 0.225, 0.01), (0.15, 0.05, 0.02), (0.3, 0.45, 0.04))
    beat = sum(height * np.exp(-((time - place) ** 2) / 2 / width**2) for height, place, width in bumps).astype(np.float32)
    record, start = 0.02 * rng.standard_normal(n, dtype=np.float32), 0
    while start + len(beat) < n:
        record[start : start + len(beat)] += beat * (1 + 0.05 * rng.normal())
        start += int(RATE * (0.85 + 0.04 * rng.normal()))
    return record


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


rng = np.random.default_rng(SEED)
usual, day = heart(int(3600 * RATE) if not QUICK else 100_000, rng), heart(DAY, rng)
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
