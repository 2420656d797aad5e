"""``python -m benchmarks.fetch FOLDER``: write mnist.npz there, by Hourglass's own loader, before anything is measured."""

import sys
from pathlib import Path

import numpy as np

import hourglass as hg

np.savez_compressed(Path(sys.argv[1]) / "mnist.npz", **hg.datasets.load("mnist")._asdict())
