"""Learn from clean photos what photos look like, damage others, and mend them: python examples/clean_photos.py CLEAN OTHERS DAMAGE

CLEAN and OTHERS are folders of pictures, of any sizes; DAMAGE is a text such as noise:25 or saltpepper:0.1.
"""

import sys

import numpy as np

import hourglass as hg

clean, others, damage = sys.argv[1:]
model = hg.DenoisingAutoencoder(corruption=damage, max_seconds=300, random_state=0, verbose=True).fit(clean)
model.save("cleaner.safetensors")

pictures = list(hg.read(others))
before = model.damage(pictures, random_state=0)
after = model.denoise(before)
for number, (picture, first, second) in enumerate(zip(pictures, before, after, strict=True)):
    figures = (hg.metrics.psnr(picture[None], np.nan_to_num(other)[None]) for other in (first, second))
    print("picture {}: PSNR {:.2f} dB before, {:.2f} dB after".format(number, *figures))
if np.isfinite(before[0]).all():
    print(hg.self_check(before, after).words)
hg.plots.mended(before, after, pictures).savefig("cleaned.png", dpi=200, bbox_inches="tight")
