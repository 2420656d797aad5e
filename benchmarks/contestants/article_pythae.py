"""The classic 784-32-784 in pythae: its ``AE`` with the same two layers, trained by its ``BaseTrainer``.

Not equal, and not to be made so: the loss is summed over the pixels (784 times the mean; Adam is blind to it but for its
epsilon), the best epoch's weights are copied and the final model is written to a folder, and there is always a progress bar.
"""

import logging
import tempfile

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import nn

from benchmarks.common import BATCH, CODES, EPOCHS, LEARNING_RATE, SEED, Stopwatch, mnist, mse, pixels, report


class Encoder(BaseEncoder):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(784, CODES), nn.ReLU())

    def forward(self, x):
        return ModelOutput(embedding=self.layers(x))


class Decoder(BaseDecoder):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(CODES, 784), nn.Sigmoid())

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


logging.disable(logging.INFO)
torch.manual_seed(SEED)
x_train, x_test = mnist("x_train", "x_test")
x = torch.from_numpy(pixels(x_train))

with tempfile.TemporaryDirectory() as folder, Stopwatch() as watch:
    model = AE(AEConfig(input_dim=(784,), latent_dim=CODES), encoder=Encoder(), decoder=Decoder())
    settings = BaseTrainerConfig(
        output_dir=folder,
        num_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        optimizer_cls="Adam",
        seed=SEED,
    )
    BaseTrainer(model, BaseDataset(x, torch.ones(len(x))), training_config=settings).train()

model.eval()
with torch.no_grad():
    reconstruction = model.reconstruct(torch.from_numpy(pixels(x_test))).numpy()
report(fit_s=watch.seconds, test_mse=mse(x_test, reconstruction))
