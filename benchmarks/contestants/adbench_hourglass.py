"""AnomalyDetector() with nothing set, on the tables of ADBench; beside it scikit-learn's 5 nearest neighbours (mean distance),
table by table, for the median difference and the wins."""

import sys

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from benchmarks.common import SEED, Stopwatch, report
from benchmarks.detectors import adbench, split
from hourglass import AnomalyDetector

found, gains, alarms = [], [], []
for name, X, y in adbench():
    usual, judged, labels = split(X, y, 0.5)
    with Stopwatch() as watch:
        detector = AnomalyDetector(random_state=SEED).fit(usual)
        scores = -detector.score_samples(judged)
    found.append((roc_auc_score(labels, scores), average_precision_score(labels, scores), watch.seconds))
    scaler = StandardScaler().fit(usual)
    distances = NearestNeighbors(n_neighbors=5).fit(scaler.transform(usual)).kneighbors(scaler.transform(judged))[0].mean(1)
    gains.append((found[-1][0] - roc_auc_score(labels, distances), found[-1][1] - average_precision_score(labels, distances)))
    p_values = detector.p_values(judged[labels == 0])
    alarms.append((len(p_values), (p_values <= 0.05).sum(), (p_values <= 0.01).sum()))
    print(name, found[-1], gains[-1], file=sys.stderr, flush=True)

auroc, aupr, seconds = np.array(found).T
gain_auroc, gain_aupr = np.array(gains).T
rows, at_5, at_1 = np.array(alarms).sum(0)
report(
    auroc=auroc.mean(),
    aupr=aupr.mean(),
    above_knn_auroc=gain_auroc.mean(),
    above_knn_aupr=gain_aupr.mean(),
    median_above_knn_auroc=float(np.median(gain_auroc)),
    median_above_knn_aupr=float(np.median(gain_aupr)),
    wins_auroc=float((gain_auroc > 0).sum()),
    wins_aupr=float((gain_aupr > 0).sum()),
    false_alarms_5=at_5 / rows,
    false_alarms_1=at_1 / rows,
    median_s=float(np.median(seconds)),
    slowest_s=seconds.max(),
)
