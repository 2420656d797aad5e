"""One of PyOD's detectors, named by the argument, trained on 60% of the usual card transactions."""

import sys

from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.common import Stopwatch, report
from benchmarks.detectors import cards, peer, split

usual, judged, labels = split(*cards(), 0.6)
with Stopwatch() as watch:
    scores = peer(sys.argv[1])(usual)(judged)
report(auroc=roc_auc_score(labels, scores), ap=average_precision_score(labels, scores), seconds=watch.seconds)
