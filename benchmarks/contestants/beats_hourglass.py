"""The detector with nothing set, trained on usual heartbeats alone."""

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

import hourglass as hg
from benchmarks.common import SEED, Stopwatch, report
from benchmarks.series import beats

usual, judged, labels = beats()
with Stopwatch() as watch:
    detector = hg.AnomalyDetector(kind="series", random_state=SEED).fit(usual)
    scores = -detector.score_samples(judged)
alarms = detector.predict(judged) == -1
rng = np.random.default_rng(SEED)
other = rng.uniform(0.2, 5, (len(judged), 1)) * judged + rng.uniform(-3, 3, (len(judged), 1))  # another gain, another offset
place = np.linspace(-1, 1, judged.shape[1]) * rng.uniform(0.94, 1.06, (len(judged), 1))  # and rate
quicker = np.stack([np.interp(at, np.linspace(-1, 1, judged.shape[1]), beat) for at, beat in zip(place, other, strict=True)])
report(
    auroc=roc_auc_score(labels, scores),
    f1=f1_score(labels, alarms),
    false_alarms=alarms[labels == 0].mean(),
    auroc_other=roc_auc_score(labels, -detector.score_samples(quicker)),
    seconds=watch.seconds,
)
