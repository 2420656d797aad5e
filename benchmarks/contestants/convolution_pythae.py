"""The convolutional autoencoder in pythae's ``AE``, trained by its ``BaseTrainer``: ``convolution_pythae digits|faces``.

The layers are those that Hourglass gets, as torch modules. Not equal, and not to be made so: what ``article_pythae`` says.
"""

import sys

import torch

from benchmarks.common import CODES, CONVOLVED, CONVOLVED_BATCH, CONVOLVED_EPOCHS, SEED, later_rate, mse, pictures, pixels, report
from benchmarks.layers import decoder, encoder
from benchmarks.pythae_models import autoencoder, trained

torch.manual_seed(SEED)
x_train, x_test = pictures(sys.argv[1])
shape, widths = (1, *x_train.shape[1:]), CONVOLVED[sys.argv[1]]
x, x_later = (torch.from_numpy(pixels(images)).reshape(-1, *shape) for images in (x_train, x_test))
model = autoencoder(shape, CODES, encoder(shape, CODES, widths), decoder(shape, CODES, widths))
ends = trained(model, x, CONVOLVED_EPOCHS, CONVOLVED_BATCH).ends
with torch.no_grad():
    rebuilt = torch.cat([model.reconstruct(batch) for batch in x_later.split(1_000)]).numpy()
report(images_per_s=later_rate(ends, len(x_train)), test_mse=mse(x_test, rebuilt))
