"""A PCA on windows of each series of NAB, trained on its beginning: the error beside 90% of the variance, or PyOD's score."""

import sys

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.common import Stopwatch, report
from benchmarks.series import judged, of_windows


def error(learned, seen):
    if learned.std() == 0:
        return np.abs(seen - learned[0]).mean(1)
    pca = PCA(0.9, svd_solver="full").fit(learned)
    return np.sqrt(np.square(seen - pca.inverse_transform(pca.transform(seen))).sum(1))


def weighted(learned, seen):
    from pyod.models import pca

    return pca.PCA(standardization=False).fit(learned).decision_function(seen) if learned.std() else error(learned, seen)


with Stopwatch() as watch:
    figures = judged(of_windows({"PCA": error, "PyOD-PCA": weighted}[sys.argv[1]]))
report(**figures, seconds=watch.seconds)
