"""Distributions that are fitted to the codes of a trained model, for waists that have none of their own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.densities import LOG_2PI, in_blocks
from hourglass.parts.networks import Added, linear, undrawn
from hourglass.parts.objectives import Learner, Loss

WIDTH = 128  # of the state that remembers what was drawn so far
WIDE, BLOCKS = 512, 3  # of the network that says where codes flow
WAVES = 16  # sines and as many cosines that tell it the time
STEPS = 20  # from noise to codes
NEARBY = 1e-2  # deviations apart, to tell a slope by


class FullMixture(nn.Module):
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
        z = torch.randn(times, self.mean.shape[1], generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        for number, (mean, root) in enumerate(zip(self.mean, self.root, strict=True)):
            mine = chosen == number  # so that no root is copied for each row
            z[mine] = mean + z[mine] @ root.T
        return z

    def log_density(self, z: Tensor) -> Tensor:
        """Logarithm of the density at codes z (batch, codes), in nats."""
        return in_blocks(self._log_density, z, self.mean.numel())

    def _log_density(self, z: Tensor) -> Tensor:
        apart = (z[:, None] - self.mean).permute(1, 2, 0)  # (components, codes, batch)
        whitened = torch.linalg.solve_triangular(self.root, apart, upper=False)
        volume = self.root.diagonal(dim1=1, dim2=2).log().sum(1)
        each = -0.5 * (whitened.square().sum(1).T + z.shape[1] * LOG_2PI) - volume
        return torch.logsumexp(self.log_weight + each, 1)


class Flow(Learner):
    """Codes that flow from normal noise, at time 0, to where codes are, at time 1, with a velocity that is learned.

    It trains like a model: ``loss`` is what the loop minimises, here of squared velocities. (Lipman et al., "Flow Matching for
    Generative Modeling", 2023, equation 23; Liu, Gong and Liu, "Flow Straight and Fast", 2023, equation 1.)
    """

    mean: Tensor
    scale: Tensor
    waves: Tensor

    def __init__(self, codes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(codes))
        self.register_buffer("scale", torch.ones(codes))
        self.register_buffer("waves", torch.linspace(0, 5, WAVES).exp())
        self.way_in = linear(codes + 2 * WAVES, WIDE, generator)
        self.blocks = nn.Sequential(*(_added(WIDE, generator) for _ in range(BLOCKS)))
        self.way_out = nn.Sequential(nn.LayerNorm(WIDE), linear(WIDE, codes, generator, gain=0.0))

    def velocity(self, x: Tensor, time: Tensor) -> Tensor:
        """Where standardised codes x (batch, codes) are going at a time (batch, 1)."""
        told = torch.cat([x, (time * self.waves).sin(), (time * self.waves).cos()], 1)
        output: Tensor = self.way_out(self.blocks(self.way_in(told)))
        return output

    def loss(self, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        """Squared distance of the velocity from that of the straight line on which noise comes to codes x (batch, codes)."""
        x = (x - self.mean) / self.scale
        noise = torch.empty_like(x).normal_(generator=generator)
        time = torch.rand(len(x), 1, generator=generator, device=x.device)
        squared = (self.velocity(torch.lerp(noise, x, time), time) - (x - noise)).square().sum(1).mean()
        return Loss(squared, squared.new_zeros(()))

    def draw(self, generator: torch.Generator, times: int) -> Tensor:
        """Codes (times, codes)."""
        x = torch.randn(times, len(self.mean), generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        for step in range(STEPS):
            x = x + self._half_way(x, step / STEPS, 1 / STEPS)[0] / STEPS
        return self.mean + self.scale * x

    def log_density(self, z: Tensor) -> Tensor:
        """Logarithm of the density at codes z (batch, codes), in nats, estimated from slopes of the velocity in a random direction.

        log p(z) = log N(x(0)) - Σ log scale - ∫ ∇·v dt, with ∇·v = E eᵀ ∂v/∂x e (Grathwohl et al., "FFJORD", 2019, eq. 4 and 8).
        """
        x, total = (z - self.mean) / self.scale, -self.scale.log().sum()
        signs = torch.Generator(z.device).manual_seed(0)
        for step in range(STEPS, 0, -1):
            velocity, middle, time = self._half_way(x, step / STEPS, -1 / STEPS)
            e = torch.randint(2, x.shape, generator=signs, device=x.device) * 2.0 - 1
            ahead, behind = (self.velocity(middle + nearby * e, time) for nearby in (NEARBY, -NEARBY))
            total = total - (e * (ahead - behind)).sum(1) / (2 * NEARBY * STEPS)
            x = x - velocity / STEPS
        return total - 0.5 * (x.square().sum(1) + x.shape[1] * LOG_2PI)

    def _half_way(self, x: Tensor, time: float, step: float) -> tuple[Tensor, Tensor, Tensor]:
        """The velocity in the middle of a step from codes x (batch, codes), and place and time there."""
        now = x.new_full((len(x), 1), time)
        middle = x + step / 2 * self.velocity(x, now)
        return self.velocity(middle, now + step / 2), middle, now + step / 2


def _added(width: int, generator: torch.Generator) -> nn.Module:
    """What a layer adds to a place: nothing at first."""
    return Added(
        nn.LayerNorm(width),
        linear(width, width, generator, gain=math.sqrt(2)),
        nn.SiLU(),
        linear(width, width, generator, gain=0.0),
    )


class Autoregressive(Learner):
    """Places one after the other, each by those before it: a gated recurrent network over indices (batch, places).

    It trains like a model: ``loss`` is what the loop minimises. (Cho et al., "Learning Phrase Representations using RNN
    Encoder-Decoder", 2014, equations 5 to 8.)
    """

    def __init__(self, choices: int, places: int, generator: torch.Generator) -> None:
        super().__init__()
        self.choices, self.places = choices, places
        self.words = linear(choices + 1, WIDTH, generator)  # the last stands before the first place
        self.step = undrawn(nn.GRUCell(WIDTH, WIDTH, device="meta"))
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
        weight = self.out.weight
        return weight.new_zeros(n, WIDTH), weight.new_full((n,), self.choices, dtype=torch.long)

    def _next(self, state: Tensor, before: Tensor) -> Tensor:
        moved: Tensor = self.step(self.words.weight.T[before] + self.words.bias, state)
        return moved
