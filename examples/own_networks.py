"""Convolutions in place of dense layers: two functions of your own, each of which makes a torch module.

Pass the name of another dataset to take that instead of the small one: python own_networks.py mnist
"""

import sys

from torch import nn

import hourglass as hg


def encoder(shape, codes):
    channels, height, width = shape  # (1, 28, 28)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2, padding=1),  # (batch, 8, 14, 14)
        nn.SiLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),  # (batch, 16, 7, 7)
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(16 * (height // 4) * (width // 4), codes),
    )


def decoder(shape, codes):
    channels, height, width = shape
    return nn.Sequential(
        nn.Linear(codes, 16 * (height // 4) * (width // 4)),
        nn.SiLU(),
        nn.Unflatten(1, (16, height // 4, width // 4)),
        nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.ConvTranspose2d(8, channels, 4, stride=2, padding=1),
        nn.Sigmoid(),  # pixels lie between 0 and 1
    )


data = hg.datasets.load(sys.argv[1] if len(sys.argv) > 1 else "digits")
dense = hg.Autoencoder(16, max_seconds=20, random_state=0, verbose=True).fit(data.x_train)
convolutional = hg.Autoencoder(16, encoder=encoder, decoder=decoder, max_seconds=20, random_state=0, verbose=True).fit(data.x_train)

for name, model in {"dense": dense, "convolutional": convolutional}.items():
    weights = sum(tensor.numel() for tensor in model.model_.parameters())
    survives = hg.metrics.reconstruction(model, data.x_test)["explained_variance"]
    print(f"{name}: {weights:,} weights, {survives:.1%} of the variance of unseen digits survives")

convolutional.save("own-networks.safetensors")
again = hg.load("own-networks.safetensors", encoder=encoder, decoder=decoder)  # the file has the weights, not the code
hg.plots.reconstructions([dense, again], data.x_test).savefig("own-networks.png", dpi=150)
