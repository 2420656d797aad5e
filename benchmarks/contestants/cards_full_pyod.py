"""PyOD's AutoEncoder with its defaults (32 rows a batch, 10 epochs) on the same 284,807 transactions. Its fit ends with a scoring
of all rows; the second one is timed alone."""

from benchmarks.common import Stopwatch, report
from benchmarks.detectors import full_size_cards, peer

rows = full_size_cards()
with Stopwatch() as fitting:
    score = peer("AutoEncoder")(rows)
with Stopwatch() as scoring:
    scores = score(rows)

assert scores.shape == (len(rows),)
report(fit_s=fitting.seconds, score_s=scoring.seconds)
