"""AnomalyDetector() with nothing set, fitted to 284,807 transactions, which it then scores."""

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.detectors import full_size_cards
from hourglass import AnomalyDetector

rows = full_size_cards()
with Stopwatch() as fitting:
    detector = AnomalyDetector(random_state=SEED).fit(rows)
with Stopwatch() as scoring:
    scores = detector.score_samples(rows)

assert scores.shape == (len(rows),)
report(fit_s=fitting.seconds, score_s=scoring.seconds)
