"""What is damaged on purpose before encoding, so that the model learns to rebuild the clean from the damaged."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from hourglass.parts.base import Part


@dataclass(frozen=True)
class Corruption(Part):
    """Base of the corruptions: called with x (batch, ...) in the scaled space and a generator, gives a damaged copy."""

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
