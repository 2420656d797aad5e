"""The convolutional autoencoder in pythae's ``AE``, trained by its ``BaseTrainer``: ``convolution_pythae digits|faces``.

The layers are those that Hourglass gets, as torch modules. Not equal, and not to be made so: what ``article_pythae`` says.
"""

import logging
import sys
import tempfile
import time

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

from benchmarks.common import (
    CODES,
    CONVOLVED,
    CONVOLVED_BATCH,
    CONVOLVED_EPOCHS,
    LEARNING_RATE,
    SEED,
    later_rate,
    mse,
    pictures,
    pixels,
    report,
)
from benchmarks.layers import decoder, encoder


class Encoder(BaseEncoder):
    def __init__(self, shape):
        super().__init__()
        self.layers = encoder(shape, CODES, CONVOLVED[sys.argv[1]])

    def forward(self, x):
        return ModelOutput(embedding=self.layers(x))


class Decoder(BaseDecoder):
    def __init__(self, shape):
        super().__init__()
        self.layers = decoder(shape, CODES, CONVOLVED[sys.argv[1]])

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


class Watch(TrainingCallback):
    def __init__(self):
        self.ends = []

    def on_epoch_end(self, training_config, **kwargs):
        self.ends.append(time.perf_counter())


logging.disable(logging.INFO)
torch.manual_seed(SEED)
x_train, x_test = pictures(sys.argv[1])
shape, watch = (1, *x_train.shape[1:]), Watch()
x, x_later = (torch.from_numpy(pixels(images)).reshape(-1, *shape) for images in (x_train, x_test))

with tempfile.TemporaryDirectory() as folder:
    model = AE(AEConfig(input_dim=shape, latent_dim=CODES), encoder=Encoder(shape), decoder=Decoder(shape))
    settings = BaseTrainerConfig(
        output_dir=folder,
        num_epochs=CONVOLVED_EPOCHS,
        per_device_train_batch_size=CONVOLVED_BATCH,
        learning_rate=LEARNING_RATE,
        optimizer_cls="Adam",
        seed=SEED,
    )
    BaseTrainer(model, BaseDataset(x, torch.ones(len(x))), training_config=settings, callbacks=[watch]).train()

model.eval()
with torch.no_grad():
    rebuilt = torch.cat([model.reconstruct(batch) for batch in x_later.split(1_000)]).numpy()
report(images_per_s=later_rate(watch.ends, len(x_train)), test_mse=mse(x_test, rebuilt))
