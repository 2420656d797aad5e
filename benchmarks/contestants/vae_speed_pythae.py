"""The same variational autoencoder in pythae: epochs an hour, and digits a second of ``get_nll``, which takes them one by one.

Not equal, and not to be made so: ``get_nll`` encodes each digit anew for every sample; it is given 20 digits where Hourglass has
1,000. Its batches of samples are those of its default.
"""

import torch

from benchmarks.common import SEED, Stopwatch, later_rate, mnist, pixels, report
from benchmarks.generation import CODES, FEW, HIDDEN, SAMPLES, SPEED_BATCH, SPEED_EPOCHS, binarised
from benchmarks.pythae_models import trained, vae

torch.manual_seed(SEED)
x_train, x_test = mnist("x_train", "x_test")
model = vae(HIDDEN, CODES)
ends = trained(model, torch.from_numpy(pixels(x_train)), SPEED_EPOCHS, SPEED_BATCH).ends
judged = torch.from_numpy(pixels(binarised(x_test)[:FEW]))
with torch.inference_mode():
    model.get_nll(judged[:1], n_samples=100)
    with Stopwatch() as watch:
        nats = -model.get_nll(judged, n_samples=SAMPLES)
report(epochs_per_hour=3600 * later_rate(ends, len(x_train)) / len(x_train), digits_per_s=len(judged) / watch.seconds, nats=nats)
