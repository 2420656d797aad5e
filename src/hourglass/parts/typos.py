"""What happens to rows of symbols: x is (batch, length, symbols), a one among zeros at each place; the first symbol is the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hourglass.parts.corruptions import Corruption, Strength, is_strength, strengths, strongest
from hourglass.parts.sequence import END

SWAPPED, LEFT_OUT, DOUBLED, PUT_IN, WHOLE = range(5)  # what happens to a symbol


@dataclass(frozen=True)
class SymbolDamage(Corruption):
    """Base of what happens to rows of symbols: each symbol suffers one of some ``faults`` with a chance of ``share``."""

    faults: ClassVar[tuple[int, ...]]
    share: Strength = 0.1

    def __post_init__(self) -> None:
        self._require("share", is_strength(self.share, most=1), "a float from 0 to 1, or a range of them")

    @property
    def made_for(self) -> frozenset[str]:
        return frozenset({"symbols"})

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        there, number = x.sum(-1) > 0, x.argmax(-1)  # (batch, length)
        which, other, hit = (torch.empty_like(x[..., 0]).uniform_(generator=generator) for _ in range(3))
        fault = torch.tensor(self.faults, device=x.device)[(which * len(self.faults)).long()]
        safe = (hit >= strengths(self.share, x, generator)[..., 0]) | ((number == END) & (fault != PUT_IN))
        return edited(x, there, number, another(number, other, x.shape[2]), fault.masked_fill(safe, WHOLE))


@dataclass(frozen=True)
class Typos(SymbolDamage):
    """Slips of the pen: a symbol is swapped for another one, left out, doubled, or another one is put in before it, as often each.

    A row that is as long as x takes it loses at its end what is put in.

    Parameters
    ----------
    share : float or (float, float)
        How many of the symbols, from 0 to 1. From a range (low, high) each row draws its own.

    References
    ----------
    Damerau, "A Technique for Computer Detection and Correction of Spelling Errors", 1964 (the single faults; transpositions, his
    fourth, are left out).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Typos(0.1)
    Typos(share=0.1)
    """

    faults: ClassVar[tuple[int, ...]] = (SWAPPED, LEFT_OUT, DOUBLED, PUT_IN)

    def longest(self, lengths: Tensor) -> Tensor:
        return lengths + (strongest(self.share) * lengths).ceil().long()


@dataclass(frozen=True)
class SwapSymbols(SymbolDamage):
    """Symbols swapped for others: what stays in its place, as notes do in a bar.

    Parameters
    ----------
    share : float or (float, float)
        How many of the symbols, from 0 to 1. From a range (low, high) each row draws its own.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.SwapSymbols((0.0, 0.2))
    SwapSymbols(share=(0.0, 0.2))
    """

    faults: ClassVar[tuple[int, ...]] = (SWAPPED,)


def another(number: Tensor, chance: Tensor, symbols: int) -> Tensor:
    """A symbol other than each, and not the end, by chances from 0 to 1; the same where there is no other."""
    letters = symbols - 1
    step = 1 + (chance * (letters - 1)).long()
    return torch.where(number == END, (chance * letters).long() + 1, (number - 1 + step) % letters + 1)


def edited(x: Tensor, there: Tensor, number: Tensor, other: Tensor, fault: Tensor) -> Tensor:
    """Rows x (batch, length, symbols) with a fault at each place; all else is (batch, length).

    ``there`` are places up to the end, ``number`` what stands at them, ``other`` what would take its place or be put in before.
    """
    length, nothing = x.shape[1:]
    count = (1 + (fault == DOUBLED).long() + (fault == PUT_IN).long() - (fault == LEFT_OUT).long()) * there
    place = count.cumsum(1) - count  # where the first of those goes that a place becomes
    first = torch.where((fault == SWAPPED) | (fault == PUT_IN), other, number)
    row = torch.full((len(x), length + 1), nothing, device=x.device)  # what is beyond goes to the last place, and is forgotten
    row.scatter_(1, place.where(count > 0, length).clamp(max=length), first)
    row.scatter_(1, (place + 1).where(count > 1, length).clamp(max=length), number)
    stop = count.sum(1, keepdim=True).clamp(max=length)
    ended = ((number == END) & there).any(1, keepdim=True)
    row.scatter_(1, stop.where(~ended, length), END)  # a row as long as x has no end, but has one when it is shorter
    return x.new_zeros(*x.shape[:2], nothing + 1).scatter_(2, row[:, :length, None], 1.0)[..., :nothing]
