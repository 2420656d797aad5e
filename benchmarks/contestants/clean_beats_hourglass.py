"""A cleaner of heartbeats that was told what damage to expect, named by the argument."""

import sys

import hourglass as hg
from benchmarks.common import SEED, Stopwatch, report
from benchmarks.series import damaged, snr

DAMAGE = {
    "white": hg.Noise(0.3),
    "wander": hg.BaselineWander(0.5) + hg.Noise(0.1),
    "hum": hg.MainsHum(0.3, period=6.0) + hg.Noise(0.1),
}
learned, clean, noisy = damaged(sys.argv[1])
with Stopwatch() as watch:
    cleaner = hg.DenoisingAutoencoder(kind="series", corruption=DAMAGE[sys.argv[1]], random_state=SEED).fit(learned)
    mended = cleaner.denoise(noisy)
report(snr=snr(clean, mended), before=snr(clean, noisy), seconds=watch.seconds)
