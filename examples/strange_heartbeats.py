"""Strange heartbeats: what usual ones look like is learned from a file of them, others are judged.

    python examples/strange_heartbeats.py ecg5000.npz

The file has x_train (n, time) with labels y_train, 1 for usual beats, and x_test; y_test is looked at for the last line alone.
"""

import sys

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

import hourglass as hg

with np.load(sys.argv[1]) as file:
    usual, new, strange = file["x_train"][file["y_train"] == 1], file["x_test"], file["y_test"] != 1

detector = hg.AnomalyDetector(kind="series", random_state=0).fit(usual)
alarms = detector.predict(new) == -1
print(f"{alarms.sum():,} of {len(new):,} beats raised an alarm; of usual ones, {detector.alarm_rate_:.0%} would.")
for row, reason in detector.explain(new, most=1).select("row", "reason").head(5).iter_rows():
    print(f"  beat {row:,}: {reason}")
hg.plots.waves(detector, new).savefig("beats.png", dpi=200)
hg.report(detector, new, "beats.html")
detector.save("beats.safetensors")
scores = -detector.score_samples(new)
print(f"Beside the labels: AUROC {roc_auc_score(strange, scores):.4f}, F1 {f1_score(strange, alarms):.4f}.")
