"""The convolutional layers that Hourglass and pythae both get: torch alone, so that neither pays for the other's import."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def encoder(shape: tuple[int, ...], codes: int, filters: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((shape[0], *filters)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(filters[-1] * _smallest(shape, filters) ** 2, codes))


def decoder(shape: tuple[int, ...], codes: int, filters: tuple[int, ...]) -> nn.Sequential:
    small = _smallest(shape, filters)
    layers = [nn.Linear(codes, filters[-1] * small**2), nn.ReLU(), nn.Unflatten(1, (filters[-1], small, small))]
    for before, after in pairwise((*reversed(filters), shape[0])):
        layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Sigmoid())


def _smallest(shape: tuple[int, ...], filters: tuple[int, ...]) -> int:
    """The length of a side at the waist."""
    return int(shape[1] // 2 ** len(filters))
