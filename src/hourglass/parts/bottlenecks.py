"""The waist: what is kept of the encoder's output, and what that costs in nats."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hourglass.parts.base import Part, is_count
from hourglass.parts.densities import Density, Normal
from hourglass.parts.priors import PriorModule

Codes = Tensor | list[Tensor]
"""(batch, codes); of an open waist all that passes it."""


class Code(NamedTuple):
    """What comes out of a bottleneck: the codes, and what they cost."""

    z: Codes
    cost: Tensor  # (batch,), nats, as training counts them
    posterior: Normal | None = None  # what z was drawn from
    kl: Tensor | None = None  # (batch,), nats: divergence of the posterior from the prior, of a sample where it has no closed form


class BottleneckModule(nn.Module):
    """What every built bottleneck offers.

    ``forward(h, generator=None, encoded=None)`` takes the encoder's output (batch, in_features) and gives a `Code`; without a
    generator nothing is left to chance. ``encoded`` is the encoder's output for the inputs that a prior has.
    """

    progress: float = 1.0  # how much of training has passed, from 0 to 1

    def __init__(self) -> None:
        super().__init__()
        self.prior: PriorModule | None = None  # what codes can be drawn from without further ado

    def density(self, encoded: Tensor | None = None) -> Density | None:
        """The prior as it stands."""
        return None

    def posterior(self, h: Any) -> Normal:
        """The distribution that the encoder's output h (batch, in_features) stands for, where codes are drawn from one."""
        raise NotImplementedError


@dataclass(frozen=True)
class Bottleneck(Part):
    """Base of the bottlenecks."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers a code has."""

    @property
    def in_features(self) -> int:
        """How many numbers the encoder has to give."""
        return self.width

    @property
    def capacity(self) -> int:
        """How many numbers of an example may differ from zero: with as many as the input has, the model can copy."""
        return self.width

    @property
    def drawn(self) -> bool:
        """Whether codes are drawn from a distribution."""
        return False

    @property
    def weighed(self) -> bool:
        """Whether the cost of codes is anything but their plain divergence from the prior."""
        return False

    @abstractmethod
    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        """The torch module of this bottleneck, for elements of a shape."""


@dataclass(frozen=True)
class Numbers(Bottleneck):
    """Base of the bottlenecks of ``n`` numbers."""

    n: int

    def __post_init__(self) -> None:
        self._require("n", is_count(self.n), "a positive int")

    @property
    def width(self) -> int:
        return self.n


@dataclass(frozen=True)
class Plain(Numbers):
    """The plain waist: ``n`` numbers, free of cost.

    Parameters
    ----------
    n : int
        Width of the waist, the number of codes.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Plain(32)
    Plain(n=32)
    """

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _Plain()


class _Plain(BottleneckModule):
    def forward(self, h: Tensor, generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        return Code(h, h.new_zeros(h.shape[0]))


@dataclass(frozen=True)
class Open(Bottleneck):
    """No waist: everything passes, and what keeps the model from copying is the damage that it has to mend. There are no codes.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Open()
    Open()
    """

    @property
    def width(self) -> int:
        return 0

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _Open()


class _Open(BottleneckModule):
    def forward(self, h: list[Tensor], generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        return Code(h, h[0].new_zeros(h[0].shape[0]))


@dataclass(frozen=True)
class TopK(Numbers):
    """The sparse waist: of ``n`` codes, the ``k`` largest of each example survive, if positive; the rest are zero.

    Parameters
    ----------
    n : int
        Width of the waist, the number of codes.
    k : int
        How many codes of an example may differ from zero, at most ``n``.

    References
    ----------
    Makhzani and Frey, "k-Sparse Autoencoders", 2013, section 2.1; with the ReLU before the selection as in Gao et al., "Scaling
    and evaluating sparse autoencoders", 2024, section 2.3.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.TopK(256, k=16)
    TopK(n=256, k=16)
    """

    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("k", is_count(self.k) and self.k <= self.n, f"a positive int of at most n={self.n}")

    @property
    def capacity(self) -> int:
        return self.k

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _TopK(self.k)


class _TopK(BottleneckModule):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, h: Tensor, generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        kept = h.relu().topk(self.k, dim=1, sorted=False)  # (batch, k)
        z = torch.zeros_like(h).scatter(1, kept.indices, kept.values)  # (batch, codes)
        return Code(z, h.new_zeros(h.shape[0]))
