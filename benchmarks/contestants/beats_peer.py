"""One of PyOD's detectors, named by the argument, trained on usual heartbeats; or PCA4, the error of four components."""

import sys

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from benchmarks.common import Stopwatch, report
from benchmarks.detectors import peer
from benchmarks.series import beats


def four_components(x):
    pca = PCA(4).fit(x)
    return lambda rows: np.square(rows - pca.inverse_transform(pca.transform(rows))).sum(1)


usual, judged, labels = beats()
with Stopwatch() as watch:
    fitted = four_components(usual) if sys.argv[1] == "PCA4" else peer(sys.argv[1])(usual)
    scores = fitted(judged)
report(auroc=roc_auc_score(labels, scores), seconds=watch.seconds)
