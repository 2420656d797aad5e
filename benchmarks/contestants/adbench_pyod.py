"""One of PyOD's detectors, named by the argument, on the tables of ADBench."""

import sys

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.common import Stopwatch, report
from benchmarks.detectors import adbench, peer, split

found = []
for name, X, y in adbench():
    usual, judged, labels = split(X, y, 0.5)
    with Stopwatch() as watch:
        scores = np.nan_to_num(peer(sys.argv[1])(usual)(judged))
    found.append((roc_auc_score(labels, scores), average_precision_score(labels, scores), watch.seconds))
    print(name, found[-1], file=sys.stderr, flush=True)

auroc, aupr, seconds = np.array(found).T
report(auroc=auroc.mean(), aupr=aupr.mean(), median_s=float(np.median(seconds)), slowest_s=seconds.max())
