"""The detector with nothing set on each series of NAB, trained on its beginning."""

import warnings

import hourglass as hg
from benchmarks.common import SEED, Stopwatch, report
from benchmarks.series import judged


def score(first, whole):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.HourglassWarning)  # that few samples promise little
        return -hg.AnomalyDetector(random_state=SEED).fit(hg.Record(first)).score_samples(hg.Record(whole))


with Stopwatch() as watch:
    figures = judged(score)
report(**figures, seconds=watch.seconds)
