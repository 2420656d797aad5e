"""One of PyOD's detectors, named by the argument, trained on the pixels of good castings."""

import sys

from sklearn.metrics import roc_auc_score

from benchmarks.common import Stopwatch, pixels, report
from benchmarks.detectors import castings, peer

usual, judged, labels = castings()
with Stopwatch() as watch:
    scores = peer(sys.argv[1])(pixels(usual))(pixels(judged))
report(auroc=roc_auc_score(labels, scores), seconds=watch.seconds)
