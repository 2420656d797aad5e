"""pythae's models with the layers that Hourglass gets, and its trainer: what more than one contestant calls."""

from __future__ import annotations

import logging
import tempfile
import time

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, VAE, AEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

from benchmarks.common import LEARNING_RATE, SEED
from benchmarks.generation import layers

logging.disable(logging.INFO)


class Encoder(BaseEncoder):
    """From pixels (batch, 784) to codes, of a variational one with their logarithms of variances."""

    def __init__(self, hidden: tuple[int, ...], codes: int, variational: bool):
        super().__init__()
        self.variational = variational
        self.layers = layers(784, *hidden, codes * (1 + variational))

    def forward(self, x):
        h = self.layers(x)
        if not self.variational:
            return ModelOutput(embedding=h)
        mean, log_variance = h.chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """From codes to the probabilities of pixels."""

    def __init__(self, hidden: tuple[int, ...], codes: int):
        super().__init__()
        self.layers = nn.Sequential(layers(codes, *reversed(hidden), 784), nn.Sigmoid())

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


class Watch(TrainingCallback):
    """When epochs ended."""

    def __init__(self):
        self.ends = []

    def on_epoch_end(self, training_config, **kwargs):
        self.ends.append(time.perf_counter())


def vae(hidden: tuple[int, ...], codes: int) -> VAE:
    config = VAEConfig(input_dim=(784,), latent_dim=codes, reconstruction_loss="bce")
    return VAE(config, encoder=Encoder(hidden, codes, True), decoder=Decoder(hidden, codes))


def plain(hidden: tuple[int, ...], codes: int) -> AE:
    return AE(AEConfig(input_dim=(784,), latent_dim=codes), encoder=Encoder(hidden, codes, False), decoder=Decoder(hidden, codes))


def trained(model: AE | VAE, x: torch.Tensor, epochs: int, batch: int) -> Watch:
    """Train in place, as pythae does it: Adam at one rate; the last thing it does is to write the model to a folder."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            per_device_train_batch_size=batch,
            learning_rate=LEARNING_RATE,
            optimizer_cls="Adam",
            seed=SEED,
        )
        BaseTrainer(model, BaseDataset(x, torch.ones(len(x))), training_config=settings, callbacks=[watch]).train()
    model.eval()
    return watch
