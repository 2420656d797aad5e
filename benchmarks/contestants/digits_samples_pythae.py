"""The same net in pythae: ``digits_samples_pythae vae`` draws from the prior, ``... mixture`` from a mixture fitted to codes."""

import sys

import numpy as np
import torch
from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig, NormalSampler

from benchmarks.common import BATCH, SEED, Stopwatch, mnist, pixels, report
from benchmarks.generation import DRAWN, SAMPLED_CODES, SAMPLED_EPOCHS, SAMPLED_HIDDEN, samples_judged
from benchmarks.pythae_models import plain, trained, vae

torch.manual_seed(SEED)
np.random.seed(SEED)  # noqa: NPY002  # the mixture draws from it
(x_train,) = mnist("x_train")
x = torch.from_numpy(pixels(x_train))
model = (vae if sys.argv[1] == "vae" else plain)((SAMPLED_HIDDEN,), SAMPLED_CODES)
with Stopwatch() as watch:
    trained(model, x, SAMPLED_EPOCHS, BATCH)
with Stopwatch() as fitting:
    if sys.argv[1] == "vae":
        sampler = NormalSampler(model)
    else:
        sampler = GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10))
        sampler.fit(x)
drawn = sampler.sample(num_samples=DRAWN, batch_size=500).reshape(-1, 28, 28)
drawn = (255 * drawn).round().clamp(0, 255).to(torch.uint8).numpy()
report(**samples_judged(drawn), fit_s=watch.seconds, sampler_s=fitting.seconds)
