"""Networks for rows of symbols: (length, symbols), at each position a one among zeros, and zeros behind the end."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.errors import ParameterError, warn
from hourglass.parts.base import are_counts, is_count, is_number
from hourglass.parts.networks import Network, linear, undrawn

GAIN = math.sqrt(2)
TAPS = 3  # places that a convolution looking back sees
END = 0  # the symbol that ends a row
SMALL = 0.1  # gain of what layers add at first
LARGE = 2**26  # weights of a decoder's last layer, beyond which training was measured to take gigabytes
CERTAIN = 100.0  # a logit above zeros that leaves no doubt


def symbolic(network: Network, shape: tuple[int, ...]) -> tuple[int, int]:
    """How many positions rows have, and how many symbols there are."""
    if len(shape) != 2:
        owner = type(network).__name__
        raise ParameterError(f"{owner} networks take rows of symbols (length, symbols). Got elements of shape {tuple(shape)}.")
    return shape[0], shape[1]


@dataclass(frozen=True)
class OneShot(Network):
    """All symbols of a row at once, none of them knowing what the others have become.

    The encoder embeds the symbols and passes them through strided convolutions, of which each makes one position of ``stride``
    neighbouring ones. The decoder's dense layers lay a vector for each position, of which the logits are linear.

    Parameters
    ----------
    embedding : int, default=64
        Width of the vector of a symbol.
    widths : tuple of int, default=(128, 256, 256)
        Channels of the strided convolutions.
    stride : int, default=2
        Positions that become one.
    hidden : tuple of int, default=(512,)
        Widths of the decoder's dense layers.

    References
    ----------
    Gu et al., "Non-Autoregressive Neural Machine Translation", 2018, section 3. Ba, Kiros and Hinton, "Layer Normalization", 2016,
    equation 4.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.OneShot(hidden=(256,))
    OneShot(embedding=64, widths=(128, 256, 256), stride=2, hidden=(256,))
    """

    habits: ClassVar[dict[str, Any]] = {"optimizer": "muon", "learning_rate": 6e-3, "schedule": "one-cycle", "batch_size": 128}
    embedding: int = 64
    widths: tuple[int, ...] = (128, 256, 256)
    stride: int = 2
    hidden: tuple[int, ...] = (512,)

    def __post_init__(self) -> None:
        self._require("embedding", is_count(self.embedding), "a positive int")
        self._require("stride", is_count(self.stride), "a positive int")
        self._require_counts("widths", "hidden")

    def _require_counts(self, *names: str) -> None:
        for name in names:
            self._require(name, are_counts(getattr(self, name)), "a tuple of at least one positive int")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        length, symbols = symbolic(self, shape)
        layers: list[nn.Module] = []
        for before, after in pairwise((self.embedding, *self.widths)):
            layers += [_Strided(before, after, self.stride, generator), nn.LayerNorm(after), nn.SiLU()]
            length = math.ceil(length / self.stride)
        return nn.Sequential(
            Embedding(symbols, self.embedding, generator, shape[0]),
            *layers,
            nn.Flatten(),
            linear(length * self.widths[-1], n, generator),
        )

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(self._plan(shape, n, generator), Logits(self.embedding, shape[1]))

    def _plan(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> _Plan:
        length, _ = symbolic(self, shape)
        weights = length * self.embedding * self.hidden[-1]
        if weights > LARGE:
            warn(
                f"For rows of {length:,} symbols the decoder takes {weights:,} weights, which are {4 * weights / 2**30:.1f} GB of "
                "memory and in training several times that. Cut rows that are longer than most, or leave them out."
            )
        layers: list[nn.Module] = []
        for before, after in pairwise((n, *self.hidden)):
            layers += [linear(before, after, generator, gain=GAIN), nn.LayerNorm(after), nn.SiLU()]
        return _Plan(nn.Sequential(*layers), _Laid(self.hidden[-1], length, self.embedding, generator))


@dataclass(frozen=True)
class Writing(OneShot):
    """Base of the networks whose decoder writes one symbol after the other, reading those before and a plan.

    Dense layers plan a vector for each position. In training, and where a likelihood is asked for, it reads the row itself,
    else what has been written so far.
    """

    word_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("word_dropout", is_number(self.word_dropout) and 0 <= self.word_dropout < 1, "a float from 0 to below 1")

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        plan = self._plan(shape, n, generator)
        embed = Embedding(shape[1], self.embedding, generator)
        reader, width = self._reader(generator)
        return Writer(plan, embed, reader, Logits(width, shape[1]), self.word_dropout)

    @abstractmethod
    def _reader(self, generator: torch.Generator) -> tuple[nn.Module, int]:
        """What reads vectors (batch, places, 2 * embedding) and a state, None at first, and what width it makes of a place."""


@dataclass(frozen=True)
class Causal(Writing):
    """One symbol after the other: convolutions that look back alone, over a plan and the symbols before.

    All positions of a row are learned from at once, so that it trains several times as fast as a recurrent network.

    Parameters
    ----------
    embedding, widths, stride, hidden
        As in `OneShot`; the embedding is the width of the convolutions as well.
    word_dropout : float, default=0.1
        Share of the symbols that it is not shown in training, so that it has to rely on the codes.
    dilations : tuple of int, default=(1, 3, 9)
        How far apart the three places are that each convolution sees.

    References
    ----------
    Van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016, section 2.1. Bowman et al., "Generating Sentences from a
    Continuous Space", 2016, section 3.1 (word dropout).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Causal(dilations=(1, 4)).embedding
    128
    """

    embedding: int = 128
    dilations: tuple[int, ...] = (1, 3, 9)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_counts("dilations")

    def _reader(self, generator: torch.Generator) -> tuple[nn.Module, int]:
        return _LookingBack(self.embedding, self.dilations, generator), self.embedding


@dataclass(frozen=True)
class Recurrent(Writing):
    """One symbol after the other: a recurrent network reads a plan and the symbols before as it writes.

    Parameters
    ----------
    embedding, widths, stride, hidden
        As in `OneShot`.
    word_dropout : float, default=0.1
        Share of the symbols that it is not shown in training, so that it has to rely on the codes.
    units : int, default=256
        Width of the recurrent network, a GRU.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, equations 5 to 8. Bowman et al., "Generating
    Sentences from a Continuous Space", 2016, section 3.1 (word dropout).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Recurrent(units=128).word_dropout
    0.1
    """

    units: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("units", is_count(self.units), "a positive int")

    def _reader(self, generator: torch.Generator) -> tuple[nn.Module, int]:
        return _Gated(2 * self.embedding, self.units, generator), self.units + 2 * self.embedding


def sharpened(logits: Tensor, temperature: float = 1.0, top_p: float = 1.0) -> Tensor:
    """Logits (..., symbols) to draw from: over the temperature, and of the symbols only the likeliest that make ``top_p`` together.

    Those are as few as reach it (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, equation 2), and the others
    have no chance.
    """
    logits = logits / temperature
    if top_p >= 1:
        return logits
    ordered = logits.softmax(-1).sort(-1, descending=True)
    beyond = ordered.values.cumsum(-1) - ordered.values >= top_p  # those before it make as much already
    return logits.masked_fill(beyond.scatter(-1, ordered.indices, beyond), -torch.inf)


class Writer(nn.Module):
    """From codes (batch, n) to logits (batch, length, symbols), one position after the other."""

    reads = True

    def __init__(self, plan: nn.Module, embed: Embedding, reader: nn.Module, write: Logits, dropout: float) -> None:
        super().__init__()
        self.plan = plan
        self.embed = embed
        self.reader = reader
        self.write = write
        self.dropout = dropout

    def forward(
        self,
        z: Any,
        x: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        brief: bool = False,
    ) -> Tensor:
        if x is None:
            return self._written(z, generator, temperature, top_p, brief=brief)
        before = functional.pad(x, (0, 0, 1, 0))[:, :-1].to(self.embed.embedding)  # at the first position there is none
        if self.training and self.dropout:
            before = before * (torch.rand(before.shape[:2], device=before.device) >= self.dropout)[..., None]
        return self._step(*self.planned(z, x.shape[1]), before)[0]

    def planned(self, z: Any, length: int | None = None) -> tuple[Tensor, Any]:
        """The plan of so many places, all unless it is said, and the state that reading begins in."""
        return self.plan(z, length), None

    def _step(self, plan: Tensor, state: Any, before: Tensor) -> tuple[Tensor, Any]:
        """Logits (batch, places, symbols) of places whose plan is known and the symbol before, and the state at the end."""
        h, state = self.reader(torch.cat([plan, self.embed(before)], -1), state)
        return self.write(h), state

    def _written(self, z: Any, generator: torch.Generator | None, temperature: float, top_p: float, *, brief: bool) -> Tensor:
        """Logits, each place seeing what was chosen before; where symbols are drawn, logits that leave no doubt of them.

        Where it is ``brief``, logits are 0 behind the place at which the last row ends, as nobody will look at what is there.
        """
        (plan, state), found = self.planned(z), []
        ended = torch.zeros(plan.shape[0], 1, dtype=torch.bool, device=plan.device)
        before = plan.new_zeros(plan.shape[0], 1, len(self.embed.embedding))
        for place in torch.split(plan, 1, 1):
            logits, state = self._step(place, state, before)  # (batch, 1, symbols)
            chosen = logits.argmax(-1)
            if generator is not None:
                chosen = torch.multinomial(sharpened(logits[:, 0], temperature, top_p).softmax(-1), 1, generator=generator)
            before = functional.one_hot(chosen, logits.shape[-1]).to(plan)
            found.append(logits if generator is None else CERTAIN * before)
            if brief:
                ended |= chosen == END
                if ended.all():
                    break
        behind, whole = plan.shape[1] - len(found), torch.cat(found, 1)
        return functional.pad(whole, (0, 0, 0, behind)) if behind else whole


class _Gated(nn.Module):
    """A GRU, and beside its units what it was shown: (batch, places, before) to (batch, places, units + before)."""

    def __init__(self, before: int, units: int, generator: torch.Generator) -> None:
        super().__init__()
        self.recurrent = undrawn(nn.GRU(before, units, batch_first=True, device="meta"))
        with torch.no_grad():
            for parameter in self.recurrent.parameters():
                nn.init.zeros_(parameter)
                for gate in parameter.chunk(3) if parameter.ndim == 2 else ():
                    nn.init.orthogonal_(gate, generator=generator)

    def forward(self, seen: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        h, state = self.recurrent(seen, state)
        return torch.cat([h, seen], -1), state


class _LookingBack(nn.Module):
    """Convolutions that add something to a place by it and those before: (batch, places, 2 * width) to (batch, places, width)."""

    def __init__(self, width: int, dilations: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.join = linear(2 * width, width, generator)
        self.layers = nn.ModuleList(Dilated(width, dilation, generator) for dilation in dilations)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Tensor, state: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        h, after = self.join(seen), []
        for number, layer in enumerate(self.layers):
            h, past = layer(h, None if state is None else state[number])
            after.append(past)
        return self.norm(h), after


class Neighbours(nn.Module):
    """Base of what three places, ``dilation`` apart, add to one of them."""

    def __init__(self, width: int, dilation: int, generator: torch.Generator) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.inner = linear(TAPS * width, width, generator, gain=GAIN)
        self.outer = linear(width, width, generator, gain=SMALL)

    def added(self, whole: Tensor, length: int) -> Tensor:
        """What is added to so many places, whose neighbours ``whole`` (batch, length + 2 * dilation, width) has as well."""
        places = [whole[:, start : start + length] for start in range(0, whole.shape[1] - length + 1, self.dilation)]
        output: Tensor = self.outer(functional.silu(self.inner(torch.cat(places, -1))))
        return output


class Dilated(Neighbours):
    """What three places, ``dilation`` apart, of which the last is its own, add to a place."""

    def forward(self, h: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        x, reach = self.norm(h), (TAPS - 1) * self.dilation
        whole = functional.pad(x, (0, 0, reach, 0)) if past is None else torch.cat([past, x], 1)  # (batch, reach + places, width)
        return h + self.added(whole, x.shape[1]), whole[:, -reach:]


class Embedding(nn.Module):
    """Ones among zeros (batch, length, symbols) to vectors (batch, length, width), zeros to zeros.

    Rows that were cut behind the end of the longest of them are filled up to ``length``, where one is given.
    """

    def __init__(self, symbols: int, width: int, generator: torch.Generator, length: int = 0) -> None:
        super().__init__()
        self.length = length
        self.embedding = nn.Parameter(torch.randn(symbols, width, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x @ self.embedding, (0, 0, 0, max(self.length - x.shape[1], 0)))


class _Plan(nn.Module):
    """From codes (batch, n) to a vector for each position (batch, length, width), or for the first of them alone."""

    def __init__(self, dense: nn.Module, laid: _Laid) -> None:
        super().__init__()
        self.dense = dense
        self.laid = laid
        self.norm = nn.LayerNorm(laid.weight.shape[1])

    def forward(self, z: Tensor, length: int | None = None) -> Tensor:
        return functional.silu(self.norm(self.laid(self.dense(z), length)))


class _Laid(nn.Module):
    """A linear map for each position: (batch, before) to (batch, length, width)."""

    def __init__(self, before: int, length: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        drawn = torch.randn(length, width, before, generator=generator)  # of three axes, as Muon would take long over them together
        self.weight = nn.Parameter(drawn * (2 / before) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(length, width, 1))  # of three axes as well

    def forward(self, h: Tensor, length: int | None = None) -> Tensor:
        weight, bias = self.weight[:length], self.bias[:length]
        return functional.linear(h, weight.flatten(0, 1), bias.flatten()).reshape(h.shape[0], *weight.shape[:2])


class Logits(nn.Module):
    """Vectors (batch, length, width) to logits (batch, length, symbols): at first all symbols are as likely."""

    def __init__(self, width: int, symbols: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(width, symbols))
        self.bias = nn.Parameter(torch.zeros(symbols))

    def forward(self, h: Tensor) -> Tensor:
        return h @ self.logits + self.bias


class _Strided(nn.Module):
    """A convolution without overlap: ``stride`` neighbours (batch, length, before) become one (batch, length / stride, after)."""

    def __init__(self, before: int, after: int, stride: int, generator: torch.Generator) -> None:
        super().__init__()
        self.stride = stride
        self.linear = linear(stride * before, after, generator, gain=GAIN)

    def forward(self, h: Tensor) -> Tensor:
        whole = functional.pad(h, (0, 0, 0, -h.shape[1] % self.stride))  # the last may lack neighbours
        output: Tensor = self.linear(whole.reshape(h.shape[0], -1, self.stride * h.shape[2]))
        return output
