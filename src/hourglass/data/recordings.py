"""Sound: a WAV file as a record, a channel for each of the file's, and back."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from hourglass.data.record import Record
from hourglass.errors import FileError, warn

COMPRESSED = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".wma")
NAMES = {1: ("sound",), 2: ("left", "right")}


def read_wav(path: Path) -> Record:
    """Read a WAV file: samples from -1 to 1, as floats of 32 bits; a file of floats has the values that it has."""
    from scipy.io import wavfile

    with warnings.catch_warnings(record=True) as told:  # of chunks beside the sound, such as titles, and of an early end
        warnings.simplefilter("always", wavfile.WavFileWarning)
        rate, samples = wavfile.read(path)
    if samples.size == 0:
        raise FileError(f"'{path}' has no sound in it.")
    if any("prematurely" in str(one.message) for one in told):
        warn(f"'{path}' ends before it should by its header, after {len(samples):,} samples. If it was cut short, copy it again.")
    if samples.dtype.kind in "iu":  # those of 8 bits are unsigned; of 24 bits, they come as 32
        middle, full = (128, 128) if samples.dtype == np.uint8 else (0, -float(np.iinfo(samples.dtype).min))
        samples = samples.astype(np.float32)
        samples -= middle
        samples /= full
    return Record(samples, rate, names=NAMES.get(1 if samples.ndim == 1 else samples.shape[1]))


def write_wav(path: Path, raw: Record) -> None:
    """Write a record as a WAV file of floats of 32 bits, which nothing is lost in and nothing is cut off from."""
    from scipy.io import wavfile

    rate = getattr(raw, "rate", None)  # of an array, nobody said
    if rate is None or rate != round(rate):
        raise ValueError("sound has a whole number of samples a second, as in hg.Record(values, rate=16000)")
    if np.isnan(raw.values).any():
        raise ValueError("sound has no gaps")
    wavfile.write(path, round(rate), raw.values.astype(np.float32))
