"""The classic autoencoder on MNIST, 784 -> 32 -> 784, trained as every first tutorial does it.

One dense layer on either side, ReLU on the code, sigmoid on the output, squared error, Adam at one rate, nothing held out.
`article_keras.py` is the same in Keras.
"""

import time

import numpy as np
from torch import nn

import hourglass as hg


def dense(before, after):
    """A layer that begins as Keras begins one; with torch's own smaller weights several of the 32 ReLUs never wake up."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def encoder(shape, codes):
    return nn.Sequential(nn.Flatten(), dense(784, codes), nn.ReLU())  # hg.Dense(hidden=()) would end without the ReLU


def decoder(shape, codes):
    return nn.Sequential(dense(codes, 784), nn.Sigmoid())


began = time.perf_counter()
mnist = hg.datasets.load("mnist")
model = hg.Autoencoder(
    32,
    encoder=encoder,
    decoder=decoder,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    max_epochs=20,
    batch_size=256,
    validation_fraction=0,
    random_state=0,
    verbose=True,
).fit(mnist.x_train)

x = mnist.x_test / np.float32(255)
error = np.mean((x - model.reconstruct(x)) ** 2)
print(f"test error {error:.5f} after {time.perf_counter() - began:.1f} s")
