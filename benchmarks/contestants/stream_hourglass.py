"""`hourglass detect` on a Parquet of 5 GB, which it reads a batch at a time, with the score of Autoencoder(8)."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.common import QUICK, SEED, Stopwatch, megabytes, report
from benchmarks.detectors import cards
from hourglass import AnomalyDetector, Autoencoder

BYTES = 5e7 if QUICK else 5e9
X, y = cards()
usual, names = X[y == 0], [f"x{i}" for i in range(X.shape[1])]
rng = np.random.default_rng(SEED)
with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
    model, data, output = (f"{folder}/{name}" for name in ("model.safetensors", "data.parquet", "alarms.parquet"))
    table = pa.table(dict(zip(names, usual.T, strict=True)))
    AnomalyDetector(Autoencoder(8, random_state=SEED), alarm_rate=0.001).fit(table).save(model)
    with parquet.ParquetWriter(data, table.schema, compression="none", use_dictionary=False) as writer:
        rows = 0
        while Path(data).stat().st_size < BYTES:
            part = usual[rng.integers(len(usual), size=200_000)] + 0.1 * usual.std(0) * rng.normal(size=(200_000, usual.shape[1]))
            writer.write_table(pa.table(dict(zip(names, part.T, strict=True))))
            rows += len(part)
    command = [sys.executable, "-m", "hourglass", "detect", model, data, "-o", output]
    with Stopwatch() as watch:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert parquet.read_metadata(output).num_rows == rows
    size_gb = Path(data).stat().st_size / 1e9
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
report(rows_per_s=rows / watch.seconds, detect_mb=megabytes(peak), size_gb=size_gb)
