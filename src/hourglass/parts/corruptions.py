"""What is damaged on purpose before encoding, so that the model learns to rebuild the clean from the damaged."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from hourglass.parts.base import Part, is_number

Strength = float | tuple[float, float]  # a number, or a range that each row draws its own from


def is_strength(value: object, least: float = 0, most: float = math.inf) -> bool:
    """Whether a value is a number between these two, or a pair of such numbers in rising order."""
    numbers = value if isinstance(value, tuple) else (value, value)
    return len(numbers) == 2 and all(map(is_number, numbers)) and least <= numbers[0] <= numbers[1] <= most


def strengths(strength: Strength, x: Tensor, generator: torch.Generator | None) -> Tensor:
    """The strength for each row of x (batch, 1 ...)."""
    each = x.new_empty(len(x), *(1,) * (x.ndim - 1))
    return each.uniform_(*strength, generator=generator) if isinstance(strength, tuple) else each.fill_(strength)


def strongest(strength: Strength) -> float:
    """The upper end of a range; else the number itself."""
    return strength[1] if isinstance(strength, tuple) else strength


@dataclass(frozen=True)
class Corruption(Part):
    """Base of the corruptions: called with x (batch, ...) in the scaled space and a generator, gives a damaged copy."""

    @property
    def hides(self) -> bool:
        """Whether what is damaged becomes NaN."""
        return False

    @property
    def everywhere(self) -> bool:
        """Whether the damage may be anywhere, so that all has to be rebuilt; or just at the marks, and the rest is intact."""
        return not self.hides

    def marks(self, seen: Tensor) -> Tensor | None:
        """Where something damaged stands out, which the encoder is told: not 0 there; None where nothing ever does.

        Of pictures (batch, channels, height, width) it is (batch, 1, height, width), else of the shape of what is seen.
        """
        return seen.isnan() if self.hides else None

    def suspects(self, seen: Tensor) -> Tensor | None:
        """Which elements may be damaged, as far as can be seen, so have to be rebuilt: a mask that fits them; None for all."""
        marks = None if self.everywhere else self.marks(seen)
        return None if marks is None else marks != 0

    @property
    def lattice(self) -> int:
        """Spacing of the pixels that are hidden together when a picture is mended in turns; 1: all is mended at once."""
        return 1

    @property
    def blind(self) -> bool:
        """Whether x is noisy itself, and what should come out is unknown: so nothing that is rebuilt may have been seen."""
        return self.lattice > 1

    @property
    def made_for(self) -> frozenset[str]:
        """What x has to be, nothing for any numbers.

        Of "image" it is (batch, channels, height, width), of "series" (batch, channels, time), of "symbols" (batch, length,
        symbols), ones among zeros.
        """
        return frozenset()

    def longest(self, lengths: Tensor) -> Tensor:
        """What rows of symbols of these lengths (n,) may grow to, so that there is room for it."""
        return lengths

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A damaged copy of x, of the same shape."""

    def __add__(self, other: Corruption) -> Together:
        return Together((self, other))


@dataclass(frozen=True)
class Together(Corruption):
    """Several corruptions, one after the other; what erases comes last. Written as a sum.

    Parameters
    ----------
    parts : tuple of corruptions
        At least one.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Speckle(0.2) + hg.SaltAndPepper(0.1)
    Together(parts=(Speckle(std=0.2), SaltAndPepper(share=0.1)))
    """

    parts: tuple[Corruption, ...]

    def __post_init__(self) -> None:
        valid = isinstance(self.parts, tuple) and self.parts and all(isinstance(part, Corruption) for part in self.parts)
        self._require("parts", bool(valid), "a tuple of corruptions")
        flat = [inner for part in self.parts for inner in (part.parts if isinstance(part, Together) else (part,))]
        object.__setattr__(self, "parts", tuple(sorted(flat, key=lambda part: part.hides)))

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts))

    @property
    def hides(self) -> bool:
        return any(part.hides for part in self.parts)

    @property
    def everywhere(self) -> bool:
        return any(part.everywhere for part in self.parts)

    def marks(self, seen: Tensor) -> Tensor | None:
        found = [marks for part in self.parts if (marks := part.marks(seen)) is not None]
        return reduce(lambda first, second: torch.where(second != 0, second, first), found) if found else None

    @property
    def lattice(self) -> int:
        return max(part.lattice for part in self.parts)

    @property
    def made_for(self) -> frozenset[str]:
        return frozenset[str]().union(*(part.made_for for part in self.parts))

    def longest(self, lengths: Tensor) -> Tensor:
        return reduce(lambda found, part: part.longest(found), self.parts, lengths)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        for part in self.parts:
            x = part(x, generator)
        return x


@dataclass(frozen=True)
class Noise(Corruption):
    """White Gaussian noise.

    Parameters
    ----------
    std : float or (float, float)
        Its standard deviation, in units of the scaled data: standardised columns, or pixels from 0 to 1. From a range (low, high)
        each row draws its own.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Noise(0.1)
    Noise(std=0.1)
    """

    std: Strength

    def __post_init__(self) -> None:
        self._require("std", is_strength(self.std), "a float of at least 0, or a range of them")

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x + strengths(self.std, x, generator) * torch.empty_like(x).normal_(generator=generator)


@dataclass(frozen=True)
class Mask(Corruption):
    """Elements set to zero: the mean of a standardised column, black in a picture.

    Parameters
    ----------
    share : float
        The probability of each element to be erased, from 0 to 1.

    References
    ----------
    Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008, section 2.3.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Mask(0.3)
    Mask(share=0.3)
    """

    share: float

    def __post_init__(self) -> None:
        self._require("share", is_number(self.share) and 0 <= self.share <= 1, "a float from 0 to 1")

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x * torch.empty_like(x).bernoulli_(1 - self.share, generator=generator)


@dataclass(frozen=True)
class Hide(Corruption):
    """Elements hidden, to be rebuilt from what they have in common with the others.

    The encoder sees zeros there, and beside the elements which ones are hidden. How many are hidden differs from row to row: the
    share is drawn between 0 and ``share``.

    Parameters
    ----------
    share : float
        The largest share of a row that is hidden, from 0 to 1.
    together : tuple of int, optional
        The column that each element of the last axis belongs to, where some are hidden together or not at all. Of tables unless
        given, those that a cell becomes.
    rest : bool, default=False
        Whether the elements that aren't hidden have to be rebuilt as well.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Hide(0.6)
    Hide(share=0.6, together=None, rest=False)
    """

    share: float = 0.6
    together: tuple[int, ...] | None = None
    rest: bool = False

    def __post_init__(self) -> None:
        self._require("share", is_number(self.share) and 0 <= self.share <= 1, "a float from 0 to 1")

    @property
    def hides(self) -> bool:
        return True

    @property
    def everywhere(self) -> bool:
        return self.rest

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        share = self.share * torch.empty_like(x[..., :1]).uniform_(generator=generator)  # of each row
        chance = torch.empty_like(x).uniform_(generator=generator)
        if self.together is not None:
            chance = chance[..., list(self.together)]
        return x.masked_fill(chance < share, torch.nan)
