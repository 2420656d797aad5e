"""What is damaged on purpose before encoding, so that the model learns to rebuild the clean from the damaged."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hourglass.parts.base import Part


@dataclass(frozen=True)
class Corruption(Part):
    """Base of the corruptions: called with x (batch, ...) in the scaled space and a generator, gives a damaged copy."""

    hides: ClassVar[bool] = False  # whether what is damaged becomes NaN

    @property
    def all_counts(self) -> bool:
        """Whether what isn't damaged has to be rebuilt as well."""
        return True

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A damaged copy of x, of the same shape."""


@dataclass(frozen=True)
class Noise(Corruption):
    """White Gaussian noise.

    Parameters
    ----------
    std : float
        Its standard deviation, in units of the scaled data: standardised columns, or pixels from 0 to 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Noise(0.1)
    Noise(std=0.1)
    """

    std: float

    def __post_init__(self) -> None:
        self._require("std", self.std >= 0, "a float of at least 0")

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x + self.std * torch.empty_like(x).normal_(generator=generator)


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
        self._require("share", 0 <= self.share <= 1, "a float from 0 to 1")

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
        The column that each element of the last axis belongs to, where some are hidden together or not at all.
    rest : bool, default=False
        Whether the elements that aren't hidden have to be rebuilt as well.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Hide(0.6)
    Hide(share=0.6, together=None, rest=False)
    """

    hides: ClassVar[bool] = True
    share: float = 0.6
    together: tuple[int, ...] | None = None
    rest: bool = False

    def __post_init__(self) -> None:
        self._require("share", 0 <= self.share <= 1, "a float from 0 to 1")

    @property
    def all_counts(self) -> bool:
        return self.rest

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        share = self.share * torch.empty_like(x[..., :1]).uniform_(generator=generator)  # of each row
        chance = torch.empty_like(x).uniform_(generator=generator)
        if self.together is not None:
            chance = chance[..., list(self.together)]
        return x.masked_fill(chance < share, torch.nan)
