"""Networks for rows of symbols: (length, symbols), at each position a one among zeros, and zeros behind the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.errors import ParameterError
from hourglass.parts.base import is_count
from hourglass.parts.networks import Network, linear

GAIN = math.sqrt(2)
CERTAIN = 100.0  # a logit above zeros that leaves no doubt


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
        for name in ("widths", "hidden"):
            widths = getattr(self, name)
            valid = isinstance(widths, (tuple, list)) and len(widths) > 0 and all(map(is_count, widths))
            self._require(name, valid, "a tuple of at least one positive int")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        length, symbols = _required(shape)
        layers: list[nn.Module] = []
        for before, after in pairwise((self.embedding, *self.widths)):
            layers += [_Strided(before, after, self.stride, generator), nn.LayerNorm(after), nn.SiLU()]
            length = math.ceil(length / self.stride)
        return nn.Sequential(
            _Embedding(symbols, self.embedding, generator), *layers, nn.Flatten(), linear(length * self.widths[-1], n, generator)
        )

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(*self._plan(shape, n, generator), _Logits(self.embedding, shape[1]))

    def _plan(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> list[nn.Module]:
        """Layers from codes (batch, n) to a vector for each position (batch, length, embedding)."""
        length, _ = _required(shape)
        layers: list[nn.Module] = []
        for before, after in pairwise((n, *self.hidden)):
            layers += [linear(before, after, generator, gain=GAIN), nn.LayerNorm(after), nn.SiLU()]
        return [*layers, _Laid(self.hidden[-1], length, self.embedding, generator), nn.LayerNorm(self.embedding), nn.SiLU()]


@dataclass(frozen=True)
class Recurrent(OneShot):
    """One symbol after the other: dense layers plan a vector for each position, which a recurrent network reads as it writes.

    It also reads the symbol before. In training, and where the likelihood of a row is asked for, it reads the row itself, else what
    it has written so far.

    Parameters
    ----------
    embedding, widths, stride, hidden
        As in `OneShot`.
    units : int, default=256
        Width of the recurrent network, a GRU.
    word_dropout : float, default=0.2
        Share of the symbols that it is not shown in training, so that it has to rely on the codes.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, equations 5 to 8. Bowman et al., "Generating
    Sentences from a Continuous Space", 2016, section 3.1 (word dropout).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Recurrent(units=128).word_dropout
    0.2
    """

    units: int = 256
    word_dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("units", is_count(self.units), "a positive int")
        valid = not isinstance(self.word_dropout, (str, bool)) and 0 <= self.word_dropout < 1
        self._require("word_dropout", valid, "a float from 0 to below 1")

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        plan = nn.Sequential(*self._plan(shape, n, generator))
        embed = _Embedding(shape[1], self.embedding, generator)
        return _Writer(plan, embed, self.units, self.word_dropout, generator)


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


class _Writer(nn.Module):
    """From codes (batch, n) to logits (batch, length, symbols), one position after the other."""

    reads = True

    def __init__(self, plan: nn.Module, embed: _Embedding, units: int, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        self.plan = plan
        self.embed = embed
        self.dropout = dropout
        symbols, width = embed.embedding.shape
        self.recurrent = nn.GRU(2 * width, units, batch_first=True, device="meta").to_empty(device="cpu")
        self.write = _Logits(units + 2 * width, symbols)
        with torch.no_grad():
            for parameter in self.recurrent.parameters():
                nn.init.zeros_(parameter)
                for gate in parameter.chunk(3) if parameter.ndim == 2 else ():
                    nn.init.orthogonal_(gate, generator=generator)

    def forward(
        self,
        z: Tensor,
        x: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> Tensor:
        plan = self.plan(z)  # (batch, length, embedding)
        if x is None:
            return self._written(plan, generator, temperature, top_p)
        before = functional.pad(x, (0, 0, 1, 0))[:, :-1].to(plan)  # at the first position there is none
        if self.training and self.dropout:
            before = before * (torch.rand(before.shape[:2], device=before.device) >= self.dropout)[..., None]
        return self._step(plan, before, None)[0]

    def _step(self, plan: Tensor, before: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits (batch, places, symbols) of places whose plan is known and the symbol before, and the state at the end."""
        seen = torch.cat([plan, self.embed(before)], -1)
        h, state = self.recurrent(seen, state)
        return self.write(torch.cat([h, seen], -1)), state

    def _written(self, plan: Tensor, generator: torch.Generator | None, temperature: float, top_p: float) -> Tensor:
        """Logits, each place seeing what was chosen before; where symbols are drawn, logits that leave no doubt of them."""
        found, state = [], None
        before = plan.new_zeros(len(plan), 1, len(self.embed.embedding))
        for place in torch.split(plan, 1, 1):
            logits, state = self._step(place, before, state)  # (batch, 1, symbols)
            chosen = logits.argmax(-1)
            if generator is not None:
                chosen = torch.multinomial(sharpened(logits[:, 0], temperature, top_p).softmax(-1), 1, generator=generator)
            before = functional.one_hot(chosen, logits.shape[-1]).to(plan)
            found.append(logits if generator is None else CERTAIN * before)
        return torch.cat(found, 1)


class _Embedding(nn.Module):
    """Ones among zeros (batch, length, symbols) to vectors (batch, length, width), zeros to zeros."""

    def __init__(self, symbols: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(symbols, width, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.embedding


class _Laid(nn.Module):
    """A linear map for each position: (batch, before) to (batch, length, width)."""

    def __init__(self, before: int, length: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        drawn = torch.randn(length, width, before, generator=generator)  # of three axes, as Muon would take long over them together
        self.weight = nn.Parameter(drawn * (2 / before) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(length, width))

    def forward(self, h: Tensor) -> Tensor:
        length, width, _ = self.weight.shape
        return functional.linear(h, self.weight.flatten(0, 1), self.bias.flatten()).reshape(len(h), length, width)


class _Logits(nn.Module):
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
        output: Tensor = self.linear(whole.reshape(len(h), -1, self.stride * h.shape[2]))
        return output


def _required(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ParameterError(f"A OneShot network takes rows of symbols (length, symbols). Got elements of shape {tuple(shape)}.")
    return shape[0], shape[1]
