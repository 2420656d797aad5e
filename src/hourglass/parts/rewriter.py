"""The network that corrects rows of symbols: it reads a row both ways, then writes it anew, looking across to what it has read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.base import are_counts, is_count, is_number
from hourglass.parts.networks import Network, linear
from hourglass.parts.sequence import SMALL, Dilated, Embedding, Logits, Neighbours, OneShot, Writer, symbolic

REACH = 16  # places before and behind that a head tells apart by their distance
NEARBY = 0.5  # how much less, at first, a head minds each place than the next one nearer to its own


@dataclass(frozen=True)
class Rewriter(Network):
    """Symbols are written one after the other, each from those before and from what was read: there is no waist.

    The encoder embeds the symbols and passes them through dilated convolutions that look both ways. The decoder's look back alone,
    over what it has written and what was read at the same place, and behind the first of them is attention to all that was read, by
    content and by distance: so what was left out or put in moves nothing out of its sight.

    Parameters
    ----------
    width : int, default=128
        Of the vectors of symbols and of the layers.
    dilations : tuple of int, default=(1, 3, 9)
        How far apart the three places are that each convolution sees.
    heads : int, default=4
        Of attention; ``width`` is a multiple of it.
    word_dropout : float, default=0.1
        Share of the symbols written before that it is not shown in training, so that it has to rely on what it has read.

    References
    ----------
    Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015, section 3. Gehring et
    al., "Convolutional Sequence to Sequence Learning", 2017, section 3. Raffel et al., "Exploring the
    Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020, section 2.1 (distances).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Rewriter(64)
    Rewriter(width=64, dilations=(1, 3, 9), heads=4, word_dropout=0.1)
    """

    habits: ClassVar[dict[str, Any]] = OneShot.habits
    width: int = 128
    dilations: tuple[int, ...] = (1, 3, 9)
    heads: int = 4
    word_dropout: float = 0.1

    def __post_init__(self) -> None:
        self._require("width", is_count(self.width), "a positive int")
        self._require("dilations", are_counts(self.dilations), "a tuple of at least one positive int")
        self._require("heads", is_count(self.heads) and self.width % self.heads == 0, f"a divisor of width={self.width}")
        self._require("word_dropout", is_number(self.word_dropout) and 0 <= self.word_dropout < 1, "a float from 0 to below 1")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return _Reading(symbolic(self, shape)[1], self.width, tuple(self.dilations), generator)

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        embed = Embedding(shape[1], self.width, generator)
        reader = _LookingAcross(self.width, tuple(self.dilations), self.heads, generator)
        return _Rewriting(nn.Identity(), embed, reader, Logits(self.width, shape[1]), self.word_dropout)


class _Reading(nn.Module):
    """From ones among zeros (batch, length, symbols) to those and what each place is in its row (batch, length, width)."""

    def __init__(self, symbols: int, width: int, dilations: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.embed = Embedding(symbols, width, generator)
        self.layers = nn.ModuleList(_Around(width, dilation, generator) for dilation in dilations)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> list[Tensor]:
        there, h = x.sum(-1, keepdim=True) > 0, self.embed(x)
        for layer in self.layers:
            h = layer(h, there)
        return [x, self.norm(h) * there]


class _Around(Neighbours):
    """What three places, ``dilation`` apart, add to the one in the middle; what is not ``there`` adds nothing."""

    def forward(self, h: Tensor, there: Tensor) -> Tensor:
        beside = (0, 0, self.dilation, self.dilation)
        return h + self.added(functional.pad(self.norm(h) * there, beside), h.shape[1])


class _Rewriting(Writer):
    """From what was read to logits (batch, length, symbols): it is the plan, and can be looked across to meanwhile."""

    reader: _LookingAcross

    def planned(self, z: list[Tensor], length: int | None = None) -> tuple[Tensor, Any]:
        seen, read = z
        there = seen.sum(-1) > 0
        there[:, 0] = True  # so that there is always something to see
        return read, _Looking(0, self.reader.across.known(read), there, [None] * len(self.reader.back))


class _Looking(NamedTuple):
    """Where writing is: the number of the next place, what is known of what was read, and what convolutions keep."""

    place: int
    known: tuple[Tensor, Tensor]  # (batch, heads, length, width / heads)
    there: Tensor  # (batch, length), whether something was read
    kept: list[Any]


class _LookingAcross(nn.Module):
    """Convolutions that look back, and behind the first of them attention: (batch, places, 2 * width) to (batch, places, width)."""

    def __init__(self, width: int, dilations: tuple[int, ...], heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.join = linear(2 * width, width, generator)
        self.back = nn.ModuleList(Dilated(width, dilation, generator) for dilation in dilations)
        self.across = _Attention(width, heads, generator)
        self.norm = nn.LayerNorm(width)

    def forward(self, shown: Tensor, state: _Looking) -> tuple[Tensor, _Looking]:
        h, kept = self.join(shown), []
        for number, (layer, past) in enumerate(zip(self.back, state.kept, strict=True)):
            h, passed = layer(h, past)
            kept.append(passed)
            if number == 0:
                h = h + self.across(h, state.known, state.there, state.place)
        return self.norm(h), state._replace(place=state.place + shown.shape[1], kept=kept)


class _Attention(nn.Module):
    """What places h (batch, places, width), the first of that number, take of what was read (batch, length, width)."""

    def __init__(self, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.ask = linear(width, width, generator)
        self.key = linear(width, width, generator)
        self.value = linear(width, width, generator)
        self.outer = linear(width, width, generator, gain=SMALL)
        apart = torch.arange(-REACH, REACH + 1).abs()
        self.distance = nn.Parameter((-NEARBY * apart).expand(heads, 1, -1).clone())  # of three axes, as it is no map of features

    def known(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of what was read."""
        return self._split(self.key(read)), self._split(self.value(read))

    def forward(self, h: Tensor, known: tuple[Tensor, Tensor], there: Tensor, first: int) -> Tensor:
        places = torch.arange(first, first + h.shape[1], device=h.device)
        apart = (torch.arange(there.shape[1], device=h.device) - places[:, None]).clamp(-REACH, REACH)
        bias = self.distance[:, 0, apart + REACH].masked_fill(~there[:, None, None], -torch.inf)  # (batch, heads, places, length)
        asked = self._split(self.ask(self.norm(h)))
        found = functional.scaled_dot_product_attention(asked, *known, bias.to(asked))
        output: Tensor = self.outer(found.transpose(1, 2).flatten(2))
        return output

    def _split(self, h: Tensor) -> Tensor:
        """Heads apart: (batch, heads, places, width / heads)."""
        return h.reshape(*h.shape[:2], self.heads, -1).transpose(1, 2)
