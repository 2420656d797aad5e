"""Every call of Hourglass that more than one contestant makes: the parameter names stand here and nowhere else."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from torch import nn

from benchmarks.common import BATCH, CODES, CONVOLVED, CONVOLVED_BATCH, CONVOLVED_EPOCHS, EPOCHS, LEARNING_RATE, SEED, mse
from benchmarks.layers import decoder, encoder
from hourglass import Autoencoder  # imported here and now, so that no stopwatch counts it


def _dense(before: int, after: int) -> nn.Linear:
    """A layer that begins as Keras begins one; with torch's own weights some of the 32 ReLUs stay dead."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _encoder(shape: tuple[int, ...], codes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), _dense(784, codes), nn.ReLU())


def _decoder(shape: tuple[int, ...], codes: int) -> nn.Module:
    return nn.Sequential(_dense(codes, 784), nn.Sigmoid())


def article(**changes: Any) -> Autoencoder:
    """The classic 784-32-784."""
    return _as_keras(**({"encoder": _encoder, "decoder": _decoder, "max_epochs": EPOCHS, "batch_size": BATCH} | changes))


def convolutional(name: str) -> Autoencoder:
    """The convolutional one for pictures of a name."""
    return _as_keras(
        encoder=partial(encoder, filters=CONVOLVED[name]),
        decoder=partial(decoder, filters=CONVOLVED[name]),
        max_epochs=CONVOLVED_EPOCHS,
        batch_size=CONVOLVED_BATCH,
    )


def _as_keras(**changes: Any) -> Autoencoder:
    """Trained as Keras does it: nothing held out, one learning rate from first step to last."""
    settings = {
        "optimizer": "adam",
        "schedule": "constant",
        "learning_rate": LEARNING_RATE,
        "validation_fraction": 0,
        "random_state": SEED,
    }
    return Autoencoder(CODES, **(settings | changes))


def test_mse(model: Autoencoder, images: np.ndarray) -> float:
    """Mean squared error a pixel in units of [0, 1]; Hourglass rebuilds uint8 as uint8, whose rounding is in the figure."""
    return mse(images, model.reconstruct(images).astype(np.float32) / 255)
