"""What happens to series on purpose: a wandering baseline, the hum of the mains, spans that were dropped."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hourglass.parts.corruptions import Corruption, Strength, is_strength, strengths

SLOW = (0.5, 2.0)  # periods of a wandering baseline within a window
WAVES = 2  # that it is made of


@dataclass(frozen=True)
class Artefact(Corruption):
    """Base of what happens to series alone."""

    @property
    def made_for(self) -> frozenset[str]:
        return frozenset({"series"})


@dataclass(frozen=True)
class BaselineWander(Artefact):
    """A baseline that wanders, as breath and loose electrodes make it: slow waves, half a period to two in a window.

    Parameters
    ----------
    std : float or (float, float)
        Standard deviation of the wander, in those of the series. From a range (low, high) each window draws its own.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.BaselineWander(0.5)
    BaselineWander(std=0.5)
    """

    std: Strength = 0.5

    def __post_init__(self) -> None:
        self._require("std", is_strength(self.std), "a float of at least 0, or a range of them")

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        time = torch.linspace(0, 1, x.shape[2], dtype=x.dtype, device=x.device)
        added = torch.zeros_like(x)
        for _ in range(WAVES):
            periods, phase = (x.new_empty(*x.shape[:2], 1).uniform_(*ends, generator=generator) for ends in (SLOW, (0.0, 1.0)))
            added += torch.sin(2 * math.pi * (periods * time + phase))
        return x + strengths(self.std, x, generator) * added / math.sqrt(WAVES / 2)


@dataclass(frozen=True)
class MainsHum(Artefact):
    """The hum of the mains: one wave, the same in all channels, at a phase of its own in each window.

    Parameters
    ----------
    std : float or (float, float)
        Standard deviation of the hum, in those of the series. From a range (low, high) each window draws its own.
    period : float or (float, float)
        Samples of a wave: the sampling rate over 50 or 60 Hz. From a range each window draws its own.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.MainsHum(0.3, period=360 / 60)
    MainsHum(std=0.3, period=6.0)
    """

    std: Strength = 0.3
    period: Strength = (2.5, 10.0)

    def __post_init__(self) -> None:
        self._require("std", is_strength(self.std), "a float of at least 0, or a range of them")
        self._require("period", is_strength(self.period, least=2), "a float of at least 2, or a range of them")

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        step = torch.arange(x.shape[2], dtype=x.dtype, device=x.device)
        phase = x.new_empty(len(x), 1, 1).uniform_(generator=generator)
        wave = torch.sin(2 * math.pi * (step / strengths(self.period, x, generator) + phase))
        return x + math.sqrt(2) * strengths(self.std, x, generator) * wave


@dataclass(frozen=True)
class DropSpans(Artefact):
    """A span without samples in each window, in all channels.

    Parameters
    ----------
    share : float or (float, float)
        Of the window; from a range each window draws its own.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.DropSpans((0.0, 0.3))
    DropSpans(share=(0.0, 0.3))
    """

    share: Strength = (0.0, 0.3)

    def __post_init__(self) -> None:
        self._require("share", is_strength(self.share, most=1), "a float from 0 to 1, or a range of them")

    @property
    def hides(self) -> bool:
        return True

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        length = x.shape[2]
        long = (strengths(self.share, x, generator) * length).round()
        start = (x.new_empty(len(x), 1, 1).uniform_(generator=generator) * (length - long + 1)).floor()
        step = torch.arange(length, dtype=x.dtype, device=x.device)
        return x.masked_fill((step >= start) & (step < start + long), torch.nan)
