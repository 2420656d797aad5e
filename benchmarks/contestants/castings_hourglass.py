"""AnomalyDetector() with nothing set, trained on good castings."""

from sklearn.metrics import roc_auc_score

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.detectors import castings
from hourglass import AnomalyDetector

usual, judged, labels = castings()
with Stopwatch() as watch:
    detector = AnomalyDetector(random_state=SEED).fit(usual)
    scores = -detector.score_samples(judged)
alarms = detector.p_values(judged) <= 0.05
report(
    auroc=roc_auc_score(labels, scores),
    seconds=watch.seconds,
    false_alarms_5=alarms[labels == 0].mean(),
    found_5=alarms[labels == 1].mean(),
)
