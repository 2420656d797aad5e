"""Clean chest X-rays of noise, and guess the half that is missing: python examples/clean_xrays.py pneumoniamnist.npz

The file is MedMNIST's (medmnist.com, CC BY 4.0). What a model fills in is a guess, and no basis for a diagnosis.
"""

import sys

import numpy as np
import torch

import hourglass as hg

with np.load(sys.argv[1]) as file:
    learned, others = file["train_images"], file["test_images"]

for text in ("noise:25", "half"):
    model = hg.DenoisingAutoencoder(corruption=text, max_seconds=120, random_state=0, verbose=True).fit(learned)
    x = torch.from_numpy(others / np.float32(255))[:, None]  # (batch, channels, height, width)
    before = hg.corruption(text)(x, torch.Generator().manual_seed(0))[:, 0].numpy()
    after = model.denoise(before)
    figures = (hg.metrics.psnr(others, np.nan_to_num(pictures)) for pictures in (before, after))
    print(text, "PSNR {:.2f} dB before, {:.2f} dB after".format(*figures))
    hg.plots.mended(before[:8], after[:8], others[:8]).savefig(f"xrays-{model.corruption[:4]}.png", dpi=200, bbox_inches="tight")
