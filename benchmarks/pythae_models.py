"""pythae's models with the layers that Hourglass gets, and its trainer: what more than one contestant calls."""

from __future__ import annotations

import logging
import tempfile
import time
from itertools import pairwise

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, VAE, AEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

from benchmarks.common import LEARNING_RATE, SEED

logging.disable(logging.INFO)


class Encoder(BaseEncoder):
    """A user's layers from pixels to codes; of a variational model they give logarithms of variances behind the means."""

    def __init__(self, layers: nn.Module, variational: bool = False):
        super().__init__()
        self.variational = variational
        self.layers = layers

    def forward(self, x):
        h = self.layers(x)
        if not self.variational:
            return ModelOutput(embedding=h)
        mean, log_variance = h.chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """A user's layers from codes to pixels."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


class Watch(TrainingCallback):
    """When epochs ended."""

    def __init__(self):
        self.ends = []

    def on_epoch_end(self, training_config, **kwargs):
        self.ends.append(time.perf_counter())


def autoencoder(shape: tuple[int, ...], codes: int, encoder: nn.Module, decoder: nn.Module) -> AE:
    """The plain autoencoder of these layers."""
    return AE(AEConfig(input_dim=shape, latent_dim=codes), encoder=Encoder(encoder), decoder=Decoder(decoder))


def vae(hidden: tuple[int, ...], codes: int) -> VAE:
    """The variational autoencoder of dense layers."""
    config = VAEConfig(input_dim=(784,), latent_dim=codes, reconstruction_loss="bce")
    return VAE(config, encoder=Encoder(_dense(784, *hidden, 2 * codes), True), decoder=Decoder(_drawing(hidden, codes)))


def plain(hidden: tuple[int, ...], codes: int) -> AE:
    """The plain one of the same layers."""
    return autoencoder((784,), codes, _dense(784, *hidden, codes), _drawing(hidden, codes))


def _drawing(hidden: tuple[int, ...], codes: int) -> nn.Module:
    return nn.Sequential(_dense(codes, *reversed(hidden), 784), nn.Sigmoid())


def _dense(*widths: int) -> nn.Sequential:
    """Linear layers with SiLU between them."""
    parts: list[nn.Module] = []
    for before, after in pairwise(widths):
        parts += [nn.Linear(before, after), nn.SiLU()]
    return nn.Sequential(*parts[:-1])


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
