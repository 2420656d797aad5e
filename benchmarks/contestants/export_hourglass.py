"""60,000 digits scored by a detector with an autoencoder of 32 codes: by the library, or by onnxruntime from the exported file.

Both take as many threads as OMP_NUM_THREADS says, or as they like.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

import hourglass as hg
from benchmarks.common import Stopwatch, mnist, report

(x_train,) = mnist("x_train")
detector = hg.AnomalyDetector(hg.Autoencoder(32, max_epochs=1), random_state=0).fit(x_train[:10_000])
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "model.onnx"
    with Stopwatch() as export:
        detector.export_onnx(path, x_train[:1000])
    exported = hg.OnnxModel(path, threads=int(os.environ.get("OMP_NUM_THREADS", "0")) or None)
    scorer = exported if sys.argv[1] == "onnx" else detector
    scorer.score_samples(x_train[:1000])  # what is set up but once
    with Stopwatch() as watch:
        scores = scorer.score_samples(x_train)
    off = np.abs(scores - detector.score_samples(x_train)) / (1 + np.abs(scores))
    others = (exported.predict(x_train) != detector.predict(x_train)).sum()

report(
    rows_per_s=len(x_train) / watch.seconds,
    export_s=export.seconds,
    off=float(off.max()),
    other_alarms=float(others),
)
