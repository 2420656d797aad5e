"""AnomalyDetector() with nothing set, trained on 60% of the usual card transactions."""

from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.detectors import cards, split
from hourglass import AnomalyDetector

usual, judged, labels = split(*cards(), 0.6)
with Stopwatch() as watch:
    scores = -AnomalyDetector(random_state=SEED).fit(usual).score_samples(judged)
report(auroc=roc_auc_score(labels, scores), ap=average_precision_score(labels, scores), seconds=watch.seconds)
