"""What all contestants share: the data, the measure of error and the line they print. NumPy alone, so that nobody pays for
another's import."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

QUICK = os.environ.get("BENCHMARK_QUICK") == "1"  # a rehearsal: one epoch of a few rows, to see that the scripts run
SEED = int(os.environ.get("BENCHMARK_SEED", "0"))  # the number of the round, so the median error is one over seeds

EPOCHS = 1 if QUICK else 20
BATCH = 256
LEARNING_RATE = 1e-3
CODES = 32
CONVOLVED = {"digits": (16, 32), "faces": (16, 32, 64)}  # filters of the levels of the convolutional work, each half as large
CONVOLVED_EPOCHS = 2 if QUICK else 3
CONVOLVED_BATCH = 128


def at_hand(name: str) -> Path:
    """The path of a file of data."""
    return Path(os.environ["HOURGLASS_DATA"]) / name


def mnist(*names: str) -> list[np.ndarray]:
    """The named arrays of MNIST: ``x_train`` is uint8 (60000, 28, 28). Unread arrays aren't unpacked."""
    with np.load(at_hand("mnist.npz")) as file:
        return [file[name][:2_048] if QUICK else file[name] for name in names]


def pictures(name: str) -> list[np.ndarray]:
    """What to learn from and what to judge by, uint8: digits of 28 x 28 pixels, or aligned faces of 64 x 64."""
    if name == "digits":
        return mnist("x_train", "x_test")
    with np.load(at_hand("lfw_aligned_64.npz")) as file:
        faces = np.random.default_rng(0).permutation(file["x"])[: 600 if QUICK else None]
    return [faces[300:], faces[:300]]


def pixels(images: np.ndarray) -> np.ndarray:
    """uint8 (n, 28, 28) as float32 (n, 784) between 0 and 1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def mse(images: np.ndarray, reconstruction: np.ndarray) -> float:
    """Mean squared error a pixel, in units of [0, 1]: of uint8 ``images`` and float (n, 784) ``reconstruction``."""
    difference = pixels(images) - np.asarray(reconstruction, dtype=np.float32).reshape(len(images), -1)
    return float(np.mean(np.square(difference), dtype=np.float64))


def million(rows: np.ndarray) -> np.ndarray:
    """``rows`` over and over, until there are a million; filled in place, so that nothing but the result is ever held."""
    result = np.empty((20_000 if QUICK else 1_000_000, *rows.shape[1:]), rows.dtype)
    for start in range(0, len(result), len(rows)):
        result[start : start + len(rows)] = rows[: len(result) - start]
    return result


class Stopwatch:
    """``with Stopwatch() as watch: ...`` leaves ``watch.seconds``."""

    seconds = float("nan")

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


def later_rate(ends: list[float], images: int) -> float:
    """Images a second after the first epoch, whose end is past all that is compiled or set up but once."""
    return images * (len(ends) - 1) / (ends[-1] - ends[0])


def megabytes(maxrss: float) -> float:
    """Of what the kernel says (Linux counts it in KiB, macOS in bytes)."""
    return maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    return megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def held_mb() -> float:
    """The memory that this process holds now; where the system doesn't tell, the most that it has held."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6 if statm.exists() else peak_mb()


def report(**figures: float) -> None:
    """Print the figures of this contestant, the last line of its output."""
    print(json.dumps(figures), flush=True)
