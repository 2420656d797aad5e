"""The variational waist: a mean and a standard deviation in place of a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hourglass.parts.base import is_amount
from hourglass.parts.bottlenecks import Bottleneck, BottleneckModule, Code, Numbers, Plain
from hourglass.parts.densities import Density, Normal
from hourglass.parts.precision import in_full
from hourglass.parts.priors import Prior, StandardNormal
from hourglass.parts.quantized import Quantized

STANDARD, SIXTEEN = StandardNormal(), Plain(16)  # what is taken unless it is said
LOG_VARIANCES = (-16.0, 8.0)  # of a posterior; beyond, float32 has nothing to tell


@dataclass(frozen=True)
class Variational(Numbers):
    """The variational waist: the encoder gives a mean and a standard deviation for each code, and the code is drawn from these.

    It costs the Kullback-Leibler divergence of the posterior from the prior, in nats: in closed form for `StandardNormal`, else
    of the sample.

    Parameters
    ----------
    n : int
        Width of the waist, the number of codes.
    beta : float, default=1.0
        What a nat of divergence costs. 1 makes the loss a bound on the likelihood; more presses codes to be independent and few.
    free_bits : float, default=0.0
        Nats a code, in the mean over a batch, that cost no less if they are not used: keeps codes from being given up early.
    warmup : float, default=0.0
        Share of training over which the cost rises from nothing.
    prior : prior part, default=StandardNormal()
        What codes are distributed like before anything is seen.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, equations 3 and 10. Higgins et al., "beta-VAE", 2017, equation 4.
    Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", 2016, equation 15 (free bits). Sønderby et
    al., "Ladder Variational Autoencoders", 2016, section 2.3 (warm-up).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Variational(16, beta=4)
    Variational(n=16, beta=4, free_bits=0.0, warmup=0.0, prior=StandardNormal())
    """

    beta: float = 1.0
    free_bits: float = 0.0
    warmup: float = 0.0
    prior: Prior = STANDARD

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("beta", is_amount(self.beta), "a float of at least 0")
        self._require("free_bits", is_amount(self.free_bits), "a float of at least 0")
        self._require("warmup", is_amount(self.warmup) and self.warmup <= 1, "a float from 0 to 1")
        self._require("prior", isinstance(self.prior, Prior), "a prior part")

    @property
    def in_features(self) -> int:
        return 2 * self.n

    @property
    def drawn(self) -> bool:
        return True

    @property
    def weighed(self) -> bool:
        return self.beta != 1 or self.free_bits > 0 or self.warmup > 0

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _Variational(self, shape)


class _Variational(BottleneckModule):
    def __init__(self, asked: Variational, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.prior = asked.prior.build(asked.n, shape)
        self.beta = asked.beta
        self.free = asked.free_bits
        self.warmup = asked.warmup
        self.n = asked.n

    def posterior(self, h: Any) -> Normal:  # (batch, 2 codes): means, then log variances
        mean, log_variance = in_full(h).chunk(2, -1)
        return Normal(mean, (0.5 * log_variance.clamp(*LOG_VARIANCES)).exp())

    def density(self, encoded: Tensor | None = None) -> Density:
        assert self.prior is not None
        density: Density = self.prior(None if encoded is None else self.posterior(encoded))
        return density

    def forward(self, h: Tensor, generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        posterior, prior = self.posterior(h), self.density(encoded)
        z = posterior.mean if generator is None else posterior.draw(generator)
        if isinstance(prior, Normal):
            kls = posterior.kl(prior)  # (batch, codes)
        else:  # of the sample
            of_sample = posterior.log_density(z) - prior.log_density(z)
            kls = of_sample[:, None]  # (batch, 1)
        weight = self.beta * (min(self.progress / self.warmup, 1.0) if self.training and self.warmup else 1.0)
        kl = kls.sum(1)
        return Code(z, weight * (self._at_least(kls) if self.free else kl), posterior, kl)

    def _at_least(self, kls: Tensor) -> Tensor:
        """What divergences (batch, codes) cost (batch,), each code no less than what is free of it, in the mean over the batch."""
        free = self.free * self.n / kls.shape[1]
        return kls.mean(0).clamp(min=free).sum().expand(kls.shape[0])


@dataclass(frozen=True)
class Matched(Bottleneck):
    """Another waist whose codes, taken together, are pressed to be distributed like a standard normal, to draw from.

    Costs ``weight`` times the maximum mean discrepancy between the codes of a batch and normal ones, with the inverse
    multiquadratic kernel of seven widths, C / (C + |a - b|²).

    Parameters
    ----------
    base : bottleneck part, default=Plain(16)
        The waist whose codes are meant.
    weight : float, default=100.0
        What a discrepancy of 1 costs each example, in nats.

    References
    ----------
    Gretton et al., "A Kernel Two-Sample Test", 2012, equation 3. Tolstikhin et al., "Wasserstein Auto-Encoders", 2018, algorithm 2.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Matched(hg.Plain(8), weight=50)
    Matched(base=Plain(n=8), weight=50)
    """

    base: Bottleneck = SIXTEEN
    weight: float = 100.0

    def __post_init__(self) -> None:
        self._require("base", isinstance(self.base, Bottleneck) and self.base.width > 0, "a bottleneck part with codes")
        self._require("base", not isinstance(self.base, Quantized), "a bottleneck part whose codes are not quantised")
        self._require("weight", is_amount(self.weight), "a float of at least 0")

    @property
    def width(self) -> int:
        return self.base.width

    @property
    def in_features(self) -> int:
        return self.base.in_features

    @property
    def capacity(self) -> int:
        return self.base.capacity

    @property
    def drawn(self) -> bool:
        return self.base.drawn

    @property
    def weighed(self) -> bool:
        return True

    @property
    def prior(self) -> Prior | None:
        """That of the waist within, if it has one."""
        return getattr(self.base, "prior", None)

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _Matched(self, shape)


class _Matched(BottleneckModule):
    def __init__(self, asked: Matched, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.base = asked.base.build(shape)
        self.prior = self.base.prior or StandardNormal().build(asked.width, shape)
        self.weight = asked.weight

    def density(self, encoded: Tensor | None = None) -> Density | None:
        assert self.prior is not None
        density: Density | None = self.base.density(encoded) if self.base.prior else self.prior()
        return density

    def posterior(self, h: Any) -> Normal:
        posterior: Normal = self.base.posterior(h)
        return posterior

    def forward(self, h: Tensor, generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        code: Code = self.base(h, generator, encoded)
        if generator is None or h.shape[0] < 2:
            return code
        assert isinstance(code.z, Tensor)
        usual = torch.empty_like(code.z).normal_(generator=generator)
        return code._replace(cost=code.cost + self.weight * discrepancy(code.z, usual))


def discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """Maximum mean discrepancy of two samples (n, codes) of one size, squared, the unbiased estimate, which may be below 0.

    The kernel is the sum of C / (C + |x - y|²) over seven widths C = 2 codes s, s = 0.1, 0.2, 0.5, 1, 2, 5, 10: twice the number of
    codes is what two standard normal points are apart, squared.
    """
    widths = 2 * a.shape[1] * a.new_tensor((0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        squared = (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp(min=0)
        return (widths / (widths + squared[..., None])).sum(-1)

    n = len(a)
    within = kernel(a, a) + kernel(b, b)
    return (within.sum() - within.diagonal().sum()) / (n * (n - 1)) - 2 * kernel(a, b).mean()
