"""Distributions that are fitted to the codes of a trained model, for waists that have none of their own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.networks import linear
from hourglass.parts.objectives import Loss

WIDTH = 128  # of the state that remembers what was drawn so far


class Mixture(nn.Module):
    """A mixture of normal distributions with full covariances, of ``components`` and ``codes``."""

    log_weight: Tensor
    mean: Tensor
    root: Tensor

    def __init__(self, components: int, codes: int) -> None:
        super().__init__()
        self.register_buffer("log_weight", torch.zeros(components))
        self.register_buffer("mean", torch.zeros(components, codes))
        self.register_buffer("root", torch.zeros(components, codes, codes))  # of the covariances: lower triangular, by Cholesky

    def draw(self, generator: torch.Generator, times: int) -> Tensor:
        """Codes (times, codes)."""
        chosen = torch.multinomial(self.log_weight.exp(), times, replacement=True, generator=generator)
        noise = torch.randn(times, self.mean.shape[1], 1, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean[chosen] + (self.root[chosen] @ noise).squeeze(2)

    def log_density(self, z: Tensor) -> Tensor:
        """Logarithm of the density at codes z (batch, codes), in nats."""
        apart = (z[:, None] - self.mean)[..., None]  # (batch, components, codes, 1)
        whitened = torch.linalg.solve_triangular(self.root.expand(len(z), -1, -1, -1), apart, upper=False).squeeze(3)
        volume = self.root.diagonal(dim1=1, dim2=2).log().sum(1)
        each = -0.5 * (whitened.square().sum(2) + z.shape[1] * math.log(2 * math.pi)) - volume
        return torch.logsumexp(self.log_weight + each, 1)


class Autoregressive(nn.Module):
    """Places one after the other, each by those before it: a gated recurrent network over indices (batch, places).

    It trains like a model: ``loss`` is what the loop minimises. (Cho et al., "Learning Phrase Representations using RNN
    Encoder-Decoder", 2014, equations 5 to 8.)
    """

    def __init__(self, choices: int, places: int, generator: torch.Generator) -> None:
        super().__init__()
        self.choices, self.places = choices, places
        self.convolves, self.progress = False, 1.0
        self.words = linear(choices + 1, WIDTH, generator)  # the last stands before the first place
        self.step = nn.GRUCell(WIDTH, WIDTH, device="meta").to_empty(device="cpu")
        for parameter in self.step.parameters():
            nn.init.uniform_(parameter, -(WIDTH**-0.5), WIDTH**-0.5, generator=generator)
        self.out = linear(WIDTH, choices, generator)

    def loss(self, x: Tensor, generator: torch.Generator | None = None, given: Tensor | None = None) -> Loss:
        """Negative log-likelihood of indices x (batch, places), in nats a row."""
        nll = -self.log_density(x).mean()
        return Loss(nll, nll.new_zeros(()))

    def log_density(self, indices: Tensor) -> Tensor:
        """Logarithm of the probability of indices (batch, places), in nats."""
        state, before = self._begin(len(indices))
        total = state.new_zeros(len(indices))
        for place in indices.long().unbind(1):
            state = self._next(state, before)
            total = total - functional.cross_entropy(self.out(state), place, reduction="none")
            before = place
        return total

    def draw(self, generator: torch.Generator, times: int) -> Tensor:
        """Indices (times, places)."""
        state, before = self._begin(times)
        found = []
        for _ in range(self.places):
            state = self._next(state, before)
            before = torch.multinomial(self.out(state).softmax(1), 1, generator=generator).squeeze(1)
            found.append(before)
        return torch.stack(found, 1)

    def _begin(self, n: int) -> tuple[Tensor, Tensor]:
        device = self.out.weight.device
        return torch.zeros(n, WIDTH, device=device, dtype=self.out.weight.dtype), torch.full((n,), self.choices, device=device)

    def _next(self, state: Tensor, before: Tensor) -> Tensor:
        moved: Tensor = self.step(self.words.weight.T[before] + self.words.bias, state)
        return moved
