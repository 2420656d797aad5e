"""Distributions of codes: independent normal ones, and mixtures of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
BLOCK = 2**21  # differences between codes and components that are held at a time


class Normal(NamedTuple):
    """A normal distribution for each code, independent of the others."""

    mean: Tensor  # (..., codes)
    std: Tensor  # (..., codes)

    def draw(self, generator: torch.Generator, times: int | None = None) -> Tensor:
        """Codes (..., codes), or (times, ..., codes), whose gradient reaches mean and standard deviation."""
        shape = self.mean.shape if times is None else (times, *self.mean.shape)
        noise = torch.randn(shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean + self.std * noise

    def log_density(self, z: Tensor) -> Tensor:
        """Logarithm of the density at codes z (..., codes), in nats, summed over the codes."""
        return self.log_densities(z).sum(-1)

    def log_densities(self, z: Tensor) -> Tensor:
        """The same for each code (..., codes)."""
        return -0.5 * (LOG_2PI + ((z - self.mean) / self.std).square()) - self.std.log()

    def kl(self, other: Normal) -> Tensor:
        """Kullback-Leibler divergence from another, of each code (..., codes), in nats.

        log(σ₂ / σ₁) + (σ₁² + (μ₁ - μ₂)²) / 2 σ₂² - 1/2.
        """
        ratio = self.std / other.std
        return 0.5 * (ratio.square() + ((self.mean - other.mean) / other.std).square() - 1) - ratio.log()


class Mixture(NamedTuple):
    """A mixture of such distributions."""

    log_weight: Tensor  # (components,), of which the exponentials add up to 1
    components: Normal  # mean and standard deviation (components, codes)

    def draw(self, generator: torch.Generator, times: int) -> Tensor:
        """Codes (times, codes)."""
        chosen = torch.multinomial(self.log_weight.exp(), times, replacement=True, generator=generator)
        return Normal(self.components.mean[chosen], self.components.std[chosen]).draw(generator)

    def log_density(self, z: Tensor) -> Tensor:
        """Logarithm of the density at codes z (..., codes), in nats."""

        def of_rows(z: Tensor) -> Tensor:
            return torch.logsumexp(self.log_weight + self.components.log_density(z[:, None]), 1)

        return in_blocks(of_rows, z.flatten(0, -2), self.components.mean.numel()).view(z.shape[:-1])


def in_blocks(of_rows: Callable[[Tensor], Tensor], z: Tensor, wide: int) -> Tensor:
    """A function of codes z (n, codes), where it holds so many numbers for each, of some at a time: (n,)."""
    return torch.cat([of_rows(some) for some in torch.split(z, max(BLOCK // wide, 1))])


Density = Normal | Mixture
