"""The quantised waist: codes that are one of a few, so that an example is a handful of whole numbers."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.parts.base import are_counts, is_count, is_positive
from hourglass.parts.bottlenecks import Bottleneck, BottleneckModule, Code
from hourglass.parts.precision import in_full, in_single

ROUNDS = 10  # of k-means, at the start
FADING = 0.99  # share of a code's counts that is kept at each step
UNUSED = 0.1  # of the rows that a code would have if all had as many: below it, the code begins anew


@dataclass(frozen=True)
class Quantized(Bottleneck):
    """Base of the quantised bottlenecks: ``places``, in each of which stands one of some vectors."""

    @property
    @abstractmethod
    def choices(self) -> int:
        """How many vectors there are to choose from."""

    @property
    @abstractmethod
    def places(self) -> int:
        """How many vectors make a code."""


class QuantizedModule(BottleneckModule):
    """What every built quantised bottleneck offers besides."""

    def indices(self, z: Tensor) -> Tensor:
        """Which vector stands in each place of codes (batch, codes): (batch, places)."""
        raise NotImplementedError

    def vectors(self, indices: Tensor) -> Tensor:
        """The codes (batch, codes) of indices (batch, places)."""
        raise NotImplementedError


@dataclass(frozen=True)
class VectorQuantized(Quantized):
    """A codebook: in each place stands the nearest of ``codes`` vectors, and the encoder is pressed to stay near it.

    The vectors are moving averages of what is nearest to them. They begin as the means that k-means finds in the first batch; those
    that hardly anything is near to begin anew at what a row has in its place.

    Parameters
    ----------
    codes : int, default=512
        How many vectors there are to choose from.
    dim : int, default=8
        How many numbers a vector has.
    places : int, default=16
        How many vectors make a code.
    commitment : float, default=0.25
        What the encoder's squared distance from the vectors costs, in nats.

    References
    ----------
    van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning", 2017, equation 3 and appendix A.1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.VectorQuantized(256, dim=4, places=16)
    VectorQuantized(codes=256, dim=4, places=16, commitment=0.25)
    """

    codes: int = 512
    dim: int = 8
    places: int = 16
    commitment: float = 0.25

    def __post_init__(self) -> None:
        self._require("codes", is_count(self.codes, 2), "an int of at least 2")
        for name in ("dim", "places"):
            self._require(name, is_count(getattr(self, name)), "a positive int")
        self._require("commitment", is_positive(self.commitment), "a positive float")

    @property
    def width(self) -> int:
        return self.places * self.dim

    @property
    def choices(self) -> int:
        return self.codes

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _VectorQuantized(self)


class _VectorQuantized(QuantizedModule):
    book: Tensor
    count: Tensor
    total: Tensor
    begun: Tensor

    def __init__(self, asked: VectorQuantized) -> None:
        super().__init__()
        self.dim = asked.dim
        self.commitment = asked.commitment
        self.register_buffer("book", torch.zeros(asked.codes, asked.dim))
        self.register_buffer("count", torch.zeros(asked.codes))  # rows near each vector, fading
        self.register_buffer("total", torch.zeros(asked.codes, asked.dim))  # and their sum
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def indices(self, z: Tensor) -> Tensor:
        return nearest(z.view(z.shape[0], -1, self.dim), self.book)

    def vectors(self, indices: Tensor) -> Tensor:
        return self.book[indices].flatten(1)

    def forward(self, h: Tensor, generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        h = in_full(h)
        with in_single(h):
            if self.training and generator is not None:
                self._follow(h.detach().reshape(-1, self.dim), generator)
            z = self.vectors(self.indices(h)).to(h)
        cost = self.commitment * (h - z.detach()).square().sum(1)
        return Code(h + (z - h).detach(), cost)  # the gradient passes as if nothing had been chosen

    @torch.no_grad()
    def _follow(self, vectors: Tensor, generator: torch.Generator) -> None:
        """Move the codebook after vectors (n, dim) of a batch."""
        if not self.begun:
            self.book.copy_(means(vectors, len(self.book), generator))
            self.total.copy_(self.book)
            self.count.fill_(1.0)
            self.begun.fill_(True)
        chosen = functional.one_hot(nearest(vectors, self.book), len(self.book)).to(vectors)  # (n, codes)
        self.count.lerp_(chosen.sum(0), 1 - FADING)
        self.total.lerp_(chosen.T @ vectors, 1 - FADING)
        unused = self.count < UNUSED * self.count.mean()
        rows = torch.randint(len(vectors), (len(self.book),), generator=generator, device=vectors.device)
        self.total[unused] = vectors[rows][unused] * self.count.mean()
        self.count[unused] = self.count.mean()
        self.book.copy_(self.total / self.count[:, None])


@dataclass(frozen=True)
class FiniteScalar(Quantized):
    """A codebook that needs not be learned: each number of a place is rounded to one of a few levels, any of them.

    Parameters
    ----------
    levels : tuple of int, default=(8, 5, 5, 5)
        How many levels each number of a place has: 8 x 5 x 5 x 5 = 1,000 codes.
    places : int, default=16
        How many of them make a code.

    References
    ----------
    Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", 2024, section 3.1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.FiniteScalar((8, 8, 8), places=16)
    FiniteScalar(levels=(8, 8, 8), places=16)
    """

    levels: tuple[int, ...] = (8, 5, 5, 5)
    places: int = 16

    def __post_init__(self) -> None:
        self._require("levels", are_counts(self.levels, 2), "a tuple of ints of at least 2")
        self._require("places", is_count(self.places), "a positive int")

    @property
    def width(self) -> int:
        return self.places * len(self.levels)

    @property
    def choices(self) -> int:
        return math.prod(self.levels)

    def build(self, shape: tuple[int, ...] = ()) -> BottleneckModule:
        return _FiniteScalar(self.levels)


class _FiniteScalar(QuantizedModule):
    levels: Tensor
    steps: Tensor

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("steps", torch.tensor([math.prod(levels[:i]) for i in range(len(levels))]), persistent=False)

    def indices(self, z: Tensor) -> Tensor:
        places = z.view(z.shape[0], -1, len(self.levels))
        return (self._level(places) * self.steps).sum(-1)

    def vectors(self, indices: Tensor) -> Tensor:
        level = indices[..., None] // self.steps % self.levels
        return self._number(level.float()).flatten(1)

    def forward(self, h: Tensor, generator: torch.Generator | None = None, encoded: Tensor | None = None) -> Code:
        bounded = in_full(h).tanh().view(h.shape[0], -1, len(self.levels))  # -1 to 1
        z = self._number(self._level(bounded).to(bounded))
        return Code((bounded + (z - bounded).detach()).flatten(1), h.new_zeros(h.shape[0]))

    def _level(self, bounded: Tensor) -> Tensor:
        """The level nearest to numbers from -1 to 1, counted from 0."""
        return ((bounded + 1) / 2 * (self.levels - 1)).round().long()

    def _number(self, level: Tensor) -> Tensor:
        """Where a level lies between -1 and 1."""
        return level / (self.levels - 1) * 2 - 1


def nearest(vectors: Tensor, book: Tensor) -> Tensor:
    """Which row of a book (codes, dim) is nearest to vectors (..., dim)."""
    return (book.square().sum(1) - 2 * vectors.to(book) @ book.T).argmin(-1)


def means(vectors: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """The k means (k, dim) of vectors (n, dim): Lloyd's algorithm; those near nothing stay where they are.

    It begins at vectors that are drawn one after the other, each with a probability that grows with its squared distance from those
    before (Arthur and Vassilvitskii, "k-means++", 2007, section 2.2).
    """
    book = vectors[torch.randint(len(vectors), (1,), generator=generator, device=vectors.device)]
    away = vectors.new_full((len(vectors),), torch.inf)
    for _ in range(k - 1):
        away = torch.minimum(away, (vectors - book[-1]).square().sum(1))
        chosen = torch.multinomial(away + 1e-12, 1, generator=generator)
        book = torch.cat([book, vectors[chosen]])
    for _ in range(ROUNDS):
        near = functional.one_hot(nearest(vectors, book), k).to(vectors)
        count = near.sum(0)[:, None]
        book = torch.where(count > 0, near.T @ vectors / count.clamp(min=1), book)
    return book
