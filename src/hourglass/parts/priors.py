"""What codes are distributed like before anything is seen: where samples are drawn from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hourglass.parts.base import Part, is_count
from hourglass.parts.densities import Density, Mixture, Normal


class PriorModule(nn.Module):
    """What every built prior offers: ``forward`` gives the density as it stands.

    ``inputs`` (components, *shape) are what a prior would like to have encoded; it is then given the posteriors of these.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inputs: nn.Parameter | None = None

    def forward(self, encoded: Normal | None = None) -> Density:
        raise NotImplementedError

    def start(self, x: Tensor, generator: torch.Generator) -> None:
        """Take what can be taken from the data x (n, *shape), before training begins."""


@dataclass(frozen=True)
class Prior(Part):
    """Base of the priors: ``build`` makes the module for ``n`` codes of elements of a shape."""

    @abstractmethod
    def build(self, n: int, shape: tuple[int, ...]) -> PriorModule:
        """The torch module of this prior."""


@dataclass(frozen=True)
class StandardNormal(Prior):
    """Every code normal with mean 0 and standard deviation 1: nothing to learn, and the divergence from it in closed form.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Variational(16, prior=hg.StandardNormal())
    Variational(n=16, beta=1.0, free_bits=0.0, warmup=0.0, prior=StandardNormal())
    """

    def build(self, n: int, shape: tuple[int, ...]) -> PriorModule:
        return _StandardNormal(n)


class _StandardNormal(PriorModule):
    zeros: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("zeros", torch.zeros(n), persistent=False)

    def forward(self, encoded: Normal | None = None) -> Density:
        return Normal(self.zeros, torch.ones_like(self.zeros))


@dataclass(frozen=True)
class MixturePrior(Prior):
    """A mixture of normal distributions, learned together with the model: room for clusters.

    Parameters
    ----------
    components : int, default=10
        How many of them.

    References
    ----------
    Dilokthanakul et al., "Deep Unsupervised Clustering with Gaussian Mixture Variational Autoencoders", 2016. Tomczak and Welling,
    "VAE with a VampPrior", 2018, equation 16 (a mixture with parameters of its own).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.MixturePrior(20)
    MixturePrior(components=20)
    """

    components: int = 10

    def __post_init__(self) -> None:
        self._require("components", is_count(self.components), "a positive int")

    def build(self, n: int, shape: tuple[int, ...]) -> PriorModule:
        return _MixturePrior(self.components, n)


class _MixturePrior(PriorModule):
    def __init__(self, components: int, n: int) -> None:
        super().__init__()
        apart = torch.randn(components, n, generator=torch.Generator().manual_seed(0))
        self.mean = nn.Parameter(apart)
        self.log_std = nn.Parameter(torch.zeros(components, n))
        self.logits = nn.Parameter(torch.zeros(components))

    def forward(self, encoded: Normal | None = None) -> Density:
        return Mixture(self.logits.log_softmax(0), Normal(self.mean, self.log_std.exp()))


@dataclass(frozen=True)
class VampPrior(Prior):
    """The mean of the posteriors of some inputs that are learned, which begin as rows of the data.

    Parameters
    ----------
    inputs : int, default=100
        How many of them. Each step encodes all of them, which takes its time.

    References
    ----------
    Tomczak and Welling, "VAE with a VampPrior", 2018, equation 9.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.VampPrior(200)
    VampPrior(inputs=200)
    """

    inputs: int = 100

    def __post_init__(self) -> None:
        self._require("inputs", is_count(self.inputs), "a positive int")

    def build(self, n: int, shape: tuple[int, ...]) -> PriorModule:
        return _VampPrior(self.inputs, shape)


class _VampPrior(PriorModule):
    def __init__(self, inputs: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.inputs = nn.Parameter(torch.zeros(inputs, *shape))

    def forward(self, encoded: Normal | None = None) -> Density:
        assert encoded is not None
        uniform = encoded.mean.new_full((len(encoded.mean),), 1 / len(encoded.mean))
        return Mixture(uniform.log(), encoded)

    def start(self, x: Tensor, generator: torch.Generator) -> None:
        assert self.inputs is not None
        chosen = torch.randint(len(x), (len(self.inputs),), generator=generator, device=x.device)
        with torch.no_grad():
            self.inputs.copy_(x[chosen].nan_to_num(0))
