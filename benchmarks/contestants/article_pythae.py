"""The classic 784-32-784 in pythae: its ``AE`` with the same two layers, trained by its ``BaseTrainer``.

Not equal, and not to be made so: the loss is summed over the pixels (784 times the mean; Adam is blind to it but for its
epsilon), the best epoch's weights are copied and the final model is written to a folder, and there is always a progress bar.
"""

import torch
from torch import nn

from benchmarks.common import BATCH, CODES, EPOCHS, SEED, Stopwatch, mnist, mse, pixels, report
from benchmarks.pythae_models import autoencoder, trained

torch.manual_seed(SEED)
x_train, x_test = mnist("x_train", "x_test")
x = torch.from_numpy(pixels(x_train))
with Stopwatch() as watch:
    encoder = nn.Sequential(nn.Linear(784, CODES), nn.ReLU())
    decoder = nn.Sequential(nn.Linear(CODES, 784), nn.Sigmoid())
    model = autoencoder((784,), CODES, encoder, decoder)
    trained(model, x, EPOCHS, BATCH)
with torch.no_grad():
    reconstruction = model.reconstruct(torch.from_numpy(pixels(x_test))).numpy()
report(fit_s=watch.seconds, test_mse=mse(x_test, reconstruction))
