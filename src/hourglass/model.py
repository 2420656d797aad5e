"""The parts wired together."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hourglass.parts.bottlenecks import Code, Codes
from hourglass.parts.corruptions import Corruption
from hourglass.parts.likelihoods import LikelihoodModule
from hourglass.parts.scaling import Scaling


class Loss(NamedTuple):
    """The loss of a batch, in nats an example."""

    nll: Tensor  # scalar: negative log-likelihood, summed over the example
    cost: Tensor  # scalar: cost of the bottleneck

    @property
    def total(self) -> Tensor:
        """What training minimises."""
        return self.nll + self.cost


class Hourglass(nn.Module):
    """An autoencoder: scaling, corruption, encoder, bottleneck, decoder and likelihood in a row.

    "raw" below is a tensor of numbers as the kind of data gives them, "x" the scaled floats that the networks see (batch, *shape).
    Missing elements of x are NaN; ``gaps`` is what the encoder sees in their place.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        scaling: Scaling,
        encoder: nn.Module,
        bottleneck: nn.Module,
        decoder: nn.Module,
        likelihood: LikelihoodModule,
        corruption: Corruption | None = None,
        gaps: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.corruption = corruption
        self.scaling = scaling
        self.gaps = gaps or nn.Identity()
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.likelihood = likelihood
        self.convolves = any(parameter.ndim == 4 for parameter in self.parameters())
        if self.convolves:
            for order in (torch.channels_last, torch.contiguous_format):  # the first is the one that processors convolve fastest in
                self.to(memory_format=order)  # type: ignore[call-overload]
                if self.runs():
                    break

    def runs(self) -> bool:
        """Whether a row passes: a user's network may refuse an order of memory or a precision that it doesn't expect."""
        before = self.training
        try:
            with torch.no_grad():
                self.eval().nll(torch.zeros(1, *(size or 1 for size in self.shape), device=next(self.parameters()).device))
        except Exception:  # whatever a network of someone else's raises
            return False
        finally:
            self.train(before)
        return True

    def encode(self, x: Tensor, generator: torch.Generator | None = None) -> Code:
        """Codes (batch, codes) of x and their cost (batch,); what an open waist lets pass is a list of tensors."""
        h = self.encoder(self.gaps(x))
        code: Code = self.bottleneck(h.flatten(1) if isinstance(h, Tensor) else h, generator)  # (batch, in_features)
        return code

    def decode(self, z: Codes) -> Tensor:
        """The decoder's output (batch, *shape) for codes: what the likelihood takes, not yet a reconstruction."""
        output: Tensor = self.decoder(z)
        return output.reshape(len(z), *self.shape) if isinstance(z, Tensor) else output

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean of the likelihood (batch, *shape) for codes of x."""
        return self.likelihood.mean(self.decode(self.encode(x).z))

    def mend(self, x: Tensor) -> Tensor:
        """What x (batch, *shape) was before it was damaged: rebuilt where it may be, which is everywhere unless marks say more."""
        if self.corruption is not None and self.corruption.blind:
            return self._mended_in_turns(x, self.corruption.lattice)
        rebuilt = self.reconstruct(x)
        suspects = None if self.corruption is None else self.corruption.suspects(x)
        return rebuilt if suspects is None else torch.where(suspects, rebuilt, x)

    def _mended_in_turns(self, x: Tensor, lattice: int) -> Tensor:
        """Pictures x (batch, channels, height, width), each pixel rebuilt without having been seen."""
        mended = torch.empty_like(x)
        for row, column in product(range(lattice), repeat=2):
            turn = (..., slice(row, None, lattice), slice(column, None, lattice))
            hidden = x.clone()
            hidden[turn] = torch.nan
            mended[turn] = self.reconstruct(hidden)[turn]
        return mended

    def nll(self, x: Tensor) -> Tensor:
        """Negative log-likelihood of x's own reconstruction (batch,), in nats."""
        return self.likelihood.of_rows(x, self.decode(self.encode(x).z))

    def loss(self, x: Tensor, generator: torch.Generator | None = None) -> Loss:
        """Loss of a batch: x is damaged, if the model has a corruption, and has to be rebuilt undamaged."""
        seen = x if self.corruption is None else self.corruption(x, generator)
        code = self.encode(seen, generator)
        output = self.decode(code.z)
        counted = None if self.corruption is None else self.corruption.counted(x, seen)
        return Loss(self._nll(x, output, counted) / len(x), code.cost.mean())

    def _nll(self, x: Tensor, output: Tensor, counted: Tensor | None) -> Tensor:
        if counted is None:
            return self.likelihood.total(x, output)
        return torch.where(counted, self.likelihood.nll(x, output), 0).sum()
