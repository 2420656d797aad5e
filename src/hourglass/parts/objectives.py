"""What training minimises: from a model and a batch to a loss in nats."""

from __future__ import annotations

import math
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from hourglass.parts.base import Part, is_amount, is_count
from hourglass.parts.bottlenecks import Code
from hourglass.parts.densities import Density, Normal


class Loss(NamedTuple):
    """The loss of a batch, in nats an example."""

    nll: Tensor  # scalar: negative log-likelihood, summed over the example
    cost: Tensor  # scalar: cost of the bottleneck
    kl: Tensor | None = None  # scalar: what of it is divergence of the posterior from the prior, unweighted

    @property
    def total(self) -> Tensor:
        """What training minimises."""
        return self.nll + self.cost


class Learner(nn.Module):
    """Base of what the training loop trains: it has a loss, and says what the loop has to know of it."""

    convolves = spells = False  # whether it has filters, or an embedding of symbols: with these half the precision may be quick
    steady = True  # whether the loss is the same all through training
    progress = 1.0  # how much of training has passed, from 0 to 1

    def loss(self, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        """The loss of a batch x (batch, ...); ``given`` (batch, conditions) is known beside it."""
        raise NotImplementedError

    def runs(self) -> bool:
        """Whether a row passes, in the precision that is tried."""
        return True


class Model(Protocol):
    """What objectives ask of a model; `hourglass.model.Hourglass` documents it."""

    training: bool
    progress: float

    def damaged(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]: ...
    def knowing(self, x: Tensor, seen: Tensor) -> AbstractContextManager[None]: ...
    def encode(self, x: Tensor, generator: torch.Generator | None = None, given: Tensor | None = None) -> Code: ...
    def posterior(self, x: Tensor, given: Tensor | None = None) -> Normal: ...
    def decode(self, z: Any, given: Tensor | None = None, x: Tensor | None = None) -> Tensor: ...
    def rebuilding(self, x: Tensor, seen: Tensor, output: Tensor) -> Tensor: ...
    def density(self) -> Density | None: ...
    def nll_of_samples(self, x: Tensor, z: Tensor, given: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Objective(Part):
    """Base of the objectives."""

    draws: ClassVar[bool] = True  # whether codes have to be drawn from a distribution for it, whose divergence it weighs itself
    steady: ClassVar[bool] = True  # whether it is the same all through training, so that held-out losses of epochs compare

    @abstractmethod
    def loss(self, model: Model, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        """The loss of a batch x (batch, *shape) as the networks see it; ``given`` (batch, conditions) is known beside it."""


@dataclass(frozen=True)
class Elbo(Objective):
    """Negative log-likelihood plus the cost of the waist: of a variational one with beta = 1, the bound on the evidence.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, equation 3.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Elbo()
    Elbo()
    """

    draws: ClassVar[bool] = False

    def loss(self, model: Model, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        nll, code = _passed(model, x, generator, given)
        return Loss(nll, code.cost.mean(), None if code.kl is None else code.kl.mean())


@dataclass(frozen=True)
class ImportanceWeighted(Objective):
    """The bound of ``k`` samples, -log 1/k Σ p(x, z) / q(z | x), tighter than that of one.

    Parameters
    ----------
    k : int, default=5
        Samples of each example; each costs the time of a decoder.
    doubly : bool, default=False
        Whether the encoder learns from doubly reparameterised gradients, whose noise doesn't grow with ``k``.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2016, equation 8. Tucker et al., "Doubly Reparameterized
    Gradient Estimators for Monte Carlo Objectives", 2019, equation 8.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.ImportanceWeighted(k=50)
    ImportanceWeighted(k=50, doubly=False)
    """

    k: int = 5
    doubly: bool = False

    def __post_init__(self) -> None:
        self._require("k", is_count(self.k), "a positive int")
        self._require("doubly", isinstance(self.doubly, bool), "True or False")

    def loss(self, model: Model, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        x, seen = model.damaged(x, generator)
        posterior = model.posterior(seen, given)
        z = posterior.draw(generator, self.k)  # (k, batch, codes)
        if self.doubly:
            posterior = Normal(posterior.mean.detach(), posterior.std.detach())
        prior = model.density()
        assert prior is not None
        nll = model.nll_of_samples(x, z, given)  # (k, batch)
        log_ratio = prior.log_density(z) - posterior.log_density(z)
        log_weight = log_ratio - nll
        bound = torch.logsumexp(log_weight, 0).mean() - math.log(self.k)
        share = log_weight.detach().softmax(0)
        if self.doubly and z.requires_grad:
            z.register_hook(lambda gradient: gradient * share[..., None])  # type: ignore[no-untyped-call]  # the second time that the encoder's part is weighed
        rebuilt = (share * nll.detach()).sum(0).mean()
        return Loss(rebuilt, -bound - rebuilt, -log_ratio.detach().mean())


@dataclass(frozen=True)
class TotalCorrelation(Objective):
    """The divergence in three: what codes say of the example, what they say of one another (``beta`` times), and each code's own.

    Over a batch q(z) is the mean of its posteriors, which leaves an error that depends on the size of the batch alone.

    Parameters
    ----------
    beta : float, default=6.0
        What a nat of total correlation costs: more presses codes to be independent of one another.

    References
    ----------
    Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018, equations 2 and 3.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.TotalCorrelation(beta=4)
    TotalCorrelation(beta=4)
    """

    beta: float = 6.0

    def __post_init__(self) -> None:
        self._require("beta", is_amount(self.beta), "a float of at least 0")

    def loss(self, model: Model, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        nll, code = _passed(model, x, generator, given)
        assert code.posterior is not None and code.kl is not None and isinstance(code.z, Tensor)
        kl = code.kl.mean()
        return Loss(nll, kl + (self.beta - 1) * total_correlation(code.z, code.posterior), kl)


@dataclass(frozen=True)
class Capacity(Objective):
    """The divergence pressed to a number of nats that rises evenly while training: codes are taken into use one after the other.

    Training goes on to the end and keeps the last weights, since held-out losses on the way are of fewer nats.

    Parameters
    ----------
    nats : float, default=25.0
        The divergence at the end, all codes together.
    gamma : float, default=100.0
        What a nat more or less costs.

    References
    ----------
    Burgess et al., "Understanding disentangling in beta-VAE", 2018, equation 8.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Capacity(nats=20)
    Capacity(nats=20, gamma=100.0)
    """

    steady: ClassVar[bool] = False
    nats: float = 25.0
    gamma: float = 100.0

    def __post_init__(self) -> None:
        for name in ("nats", "gamma"):
            self._require(name, is_amount(getattr(self, name)), "a float of at least 0")

    def loss(self, model: Model, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        nll, code = _passed(model, x, generator, given)
        assert code.kl is not None
        wanted = self.nats * (model.progress if model.training else 1.0)
        kl = code.kl.mean()
        return Loss(nll, self.gamma * (kl - wanted).abs(), kl)


OBJECTIVES: dict[str, type[Objective]] = {
    "elbo": Elbo,
    "importance-weighted": ImportanceWeighted,
    "total-correlation": TotalCorrelation,
    "capacity": Capacity,
}


def total_correlation(z: Tensor, posterior: Normal) -> Tensor:
    """How far codes z (batch, codes) are from independent, in nats: log q(z) - Σ log q(zᵢ), q the mean of posteriors."""
    each = Normal(posterior.mean[None], posterior.std[None]).log_densities(z[:, None])  # (batch, of posterior, codes)
    together = torch.logsumexp(each.sum(2), 1)
    apart = torch.logsumexp(each, 1).sum(1)
    return (together - apart).mean() + (z.shape[1] - 1) * math.log(len(z))


def _passed(model: Model, x: Tensor, generator: torch.Generator, given: Tensor | None) -> tuple[Tensor, Code]:
    """A batch through the model: its negative log-likelihood, the mean over the batch, and its codes."""
    x, seen = model.damaged(x, generator)
    with model.knowing(x, seen):
        code = model.encode(seen, generator, given)
        output = model.decode(code.z, given, x)
    return model.rebuilding(x, seen, output), code
