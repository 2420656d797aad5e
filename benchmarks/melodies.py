"""What the work on melodies shares: the tunes and their split, and how samples are judged."""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks.common import QUICK, at_hand
from hourglass import HourglassWarning, Melody, read
from hourglass.analysis.melodies import in_key, known, repetition, variation

BARS = 2
SECONDS = 5 if QUICK else 600
DRAWING = {"temperature": 1.0, "top_p": 0.8}  # how symbols are drawn
DRAWN = 200 if QUICK else 5_000


def tunes() -> tuple[list[Melody], list[Melody]]:
    """Tunes to learn from, and those of a tenth of the titles: the same split for everyone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HourglassWarning)  # of tunes that were cut
        found = read(at_hand("melodies_abc.zip"))
    titles = sorted({tune.name for tune in found})
    held_out = set(np.random.default_rng(0).permutation(titles)[: len(titles) // 10].tolist())
    train, test = ([tune for tune in found if (tune.name in held_out) is judged] for judged in (False, True))
    return (train[::8], test[::20]) if QUICK else (train, test)


def windows(found: list[Melody]) -> list[Melody]:
    """Windows of two bars, one from each bar line."""
    return [window for tune in found for window in tune.windows(BARS, step=1)]


def unseen(test: list[Melody], train: list[Melody]) -> list[Melody]:
    """Windows of tunes held out that stand in no other tune, transposed or not."""
    rows = windows(test)
    return [row for row, seen in zip(rows, known(rows, train), strict=True) if not seen]


def samples_judged(drawn: list[Melody], train: list[Melody], test: list[Melody]) -> dict[str, float]:
    """Melodies that were drawn against the windows of tunes held out, and their repetition over that of these."""
    real, heard = windows(test), [melody for melody in drawn if melody.notes]
    return {
        **{of: variation(real, heard, of) for of in ("pitch", "interval", "duration")},
        "in_key": in_key(heard),
        "in_key_of_real": in_key(real),
        "repetition": repetition(heard) / repetition(real),
        "known": float(known(heard, train).mean()),
        "known_of_real": float(known(real, train).mean()),
    }
