"""DenoisingAutoencoder on the data of the first argument with the damage of the second, trained for the seconds of the third."""

import sys

from benchmarks.common import QUICK, SEED, Stopwatch, report
from benchmarks.pictures import DAMAGES, damaged, data, megapixels, quality
from hourglass import DenoisingAutoencoder

where, damage, seconds = sys.argv[1:]
learned, clean = data(where)
model = DenoisingAutoencoder(corruption=DAMAGES[damage][0], max_seconds=3 if QUICK else float(seconds), random_state=SEED)
with Stopwatch() as fitting:
    model.fit(learned)
seen = damaged(clean, damage)
model.denoise(seen)  # so that nothing is set up any more while it is timed
with Stopwatch() as watch:
    cleaned = model.denoise(seen)
report(**quality(clean, cleaned), mp_per_s=megapixels(clean) / watch.seconds, fit_s=fitting.seconds)
