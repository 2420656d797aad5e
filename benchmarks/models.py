"""Every call of Hourglass that more than one contestant makes: the parameter names stand here and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

import hourglass as hg
from benchmarks.common import BATCH, CODES, EPOCHS, LEARNING_RATE, SEED, mse


def article(**changes: Any) -> hg.Autoencoder:
    """The classic 784-32-784, trained as Keras does it: nothing held out, one learning rate from first step to last."""
    settings = {
        "encoder": nn.Sequential(nn.Flatten(), nn.Linear(784, CODES), nn.ReLU()),
        "decoder": nn.Sequential(nn.Linear(CODES, 784), nn.Sigmoid()),
        "max_epochs": EPOCHS,
        "batch_size": BATCH,
        "optimizer": "adam",
        "schedule": "constant",
        "learning_rate": LEARNING_RATE,
        "validation_fraction": 0,
        "random_state": SEED,
    }
    return hg.Autoencoder(CODES, **(settings | changes))


def test_mse(model: hg.Autoencoder, images: np.ndarray) -> float:
    """Mean squared error a pixel in units of [0, 1]; Hourglass rebuilds uint8 as uint8, whose rounding is in the figure."""
    return mse(images, model.reconstruct(images).astype(np.float32) / 255)
