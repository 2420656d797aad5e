"""The parts wired together."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import product

import torch
from torch import Tensor, nn

from hourglass.parts.alarm import strangest_if_nan
from hourglass.parts.bottlenecks import BottleneckModule, Code, Codes
from hourglass.parts.corruptions import Corruption, Noise
from hourglass.parts.densities import Density, Normal
from hourglass.parts.likelihoods import LikelihoodModule
from hourglass.parts.objectives import Elbo, Learner, Loss, Objective
from hourglass.parts.precision import in_full, in_single
from hourglass.parts.restorer import relative_contrast, told
from hourglass.parts.scaling import Conditions, Scaling
from hourglass.parts.sequence import Embedding, sharpened


class Hourglass(Learner):
    """An autoencoder: scaling, corruption, encoder, bottleneck, decoder and likelihood in a row.

    "raw" below is a tensor of numbers as the kind of data gives them, "x" the scaled floats that the networks see (batch, *shape).
    Missing elements of x are NaN; ``gaps`` is what the encoder sees in their place. ``given`` (batch, conditions) is what is known
    beside x, as ``conditions`` makes it, and told to encoder and decoder.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        scaling: Scaling,
        encoder: nn.Module,
        bottleneck: BottleneckModule,
        decoder: nn.Module,
        likelihood: LikelihoodModule,
        corruption: Corruption | None = None,
        gaps: nn.Module | None = None,
        objective: Objective | None = None,
        conditions: Conditions | None = None,
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
        self.objective = objective or Elbo()
        self.steady = self.objective.steady
        self.conditions = conditions
        self.reads: bool = getattr(decoder, "reads", False)
        self.spells = any(isinstance(module, Embedding) for module in encoder.modules())
        self.convolves = any(parameter.ndim == 4 for network in (encoder, decoder) for parameter in network.parameters())
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
                device = next(self.parameters()).device
                x = torch.zeros(1, *(size or 1 for size in self.shape), device=device)
                given = None if self.conditions is None else torch.zeros(1, self.conditions.width, device=device)
                self.eval().nll(x, given)
        except Exception:  # whatever a network of someone else's raises
            return False
        finally:
            self.train(before)
        return True

    @property
    def progress(self) -> float:
        """How much of training has passed, from 0 to 1."""
        return self.bottleneck.progress

    @progress.setter
    def progress(self, share: float) -> None:
        for module in self.bottleneck.modules():  # a waist may be within another
            if isinstance(module, BottleneckModule):
                module.progress = share

    def encode(self, x: Tensor, generator: torch.Generator | None = None, given: Tensor | None = None) -> Code:
        """Codes (batch, codes) of x and their cost (batch,); what an open waist lets pass is a list of tensors."""
        code: Code = self.bottleneck(self._encoded(x, given), generator, self._encoded_inputs())
        return code

    def posterior(self, x: Tensor, given: Tensor | None = None) -> Normal:
        """The distribution of the codes of x that a variational waist has."""
        return self.bottleneck.posterior(self._encoded(x, given))

    def density(self) -> Density | None:
        """The prior of the codes as it stands, if there is one."""
        return self.bottleneck.density(self._encoded_inputs())

    def decode(
        self,
        z: Codes,
        given: Tensor | None = None,
        x: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        brief: bool = False,
    ) -> Tensor:
        """The decoder's output (batch, *shape) for codes: what the likelihood takes, not yet a reconstruction.

        A decoder that ``reads`` what it has written is shown the target ``x``, where that is known, else what it wrote itself, the
        likeliest or with a ``generator`` a draw. Symbols are drawn with a temperature and of the likeliest alone, see `sharpened`.
        Where what is behind the ends of rows doesn't count, it may be ``brief``.
        """
        codes = self._beside(z, given) if isinstance(z, Tensor) else z
        output: Tensor
        if self.reads:
            output = self.decoder(codes, x, generator, temperature=temperature, top_p=top_p, brief=brief)
        else:
            output = self.decoder(codes)
            if (temperature, top_p) != (1, 1):
                output = sharpened(output, temperature, top_p)
        shape = self.shape if x is None else x.shape[1:]  # rows of symbols may have been cut behind the end of the longest
        return output.reshape(z.shape[0], *shape) if isinstance(z, Tensor) else output

    def _encoded(self, x: Tensor, given: Tensor | None = None) -> Codes:
        """What the encoder makes of x (batch, numbers), or of an open waist the tensors that pass."""
        h: Codes = self.encoder(self._beside(self.gaps(x), given))
        return h.flatten(1) if isinstance(h, Tensor) else h

    def _beside(self, x: Tensor, given: Tensor | None) -> Tensor:
        """X (batch, ...) with what is known beside it: more columns, more channels of a picture, more positions of symbols."""
        if given is None:
            return x
        given = given.to(x)
        return torch.cat([x, given if x.ndim == 2 else given[(..., *[None] * (x.ndim - 2))].expand(-1, -1, *x.shape[2:])], 1)

    def _encoded_inputs(self) -> Tensor | None:
        """What the encoder makes of the inputs that the prior has, if it has some."""
        prior = self.bottleneck.prior
        return None if prior is None or prior.inputs is None else self._encoded(prior.inputs)  # type: ignore[return-value]

    def reconstruct(self, x: Tensor, given: Tensor | None = None, target: Tensor | None = None, *, brief: bool = False) -> Tensor:
        """The mean of the likelihood (batch, *shape) for codes of x; a decoder that reads is shown the target, if there is one."""
        return self.likelihood.mean(self.decode(self.encode(x, None, given).z, given, target, brief=brief))

    def mend(self, x: Tensor, given: Tensor | None = None, target: Tensor | None = None, *, brief: bool = False) -> Tensor:
        """What x (batch, *shape) was before it was damaged: rebuilt where it may be, which is everywhere unless marks say more."""
        if self.corruption is not None and self.corruption.blind:
            return self._mended_in_turns(x, self.corruption.lattice)
        rebuilt = self.reconstruct(x, given, target, brief=brief)
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

    def nll(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Negative log-likelihood of x's own reconstruction (batch,), in nats."""
        return strangest_if_nan(self.likelihood.of_rows(x, self.decode(self.encode(x, None, given).z, given, x)))

    # Training

    def loss(self, x: Tensor, generator: torch.Generator, given: Tensor | None = None) -> Loss:
        """Loss of a batch: x is damaged, if the model has a corruption, and has to be rebuilt undamaged."""
        return self.objective.loss(self, x, generator, given)

    def damaged(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What has to be rebuilt, and what is seen of it."""
        x = self.likelihood.drawn(x, generator)
        return x, x if self.corruption is None else self.corruption(x, generator)

    def knowing(self, x: Tensor, seen: Tensor) -> AbstractContextManager[None]:
        """Meanwhile networks that ask for the strength of the noise know it, where x got nothing but noise."""
        asked = getattr(self.encoder, "relative", False) and isinstance(self.corruption, Noise)
        return told((self.encoder, self.decoder), relative_contrast(seen, x)) if asked else nullcontext()

    def rebuilding(self, x: Tensor, seen: Tensor, output: Tensor) -> Tensor:
        """Negative log-likelihood of x, all that counts of it, in nats an example: a scalar."""
        suspects = None if self.corruption is None else self.corruption.suspects(seen)
        output = in_full(output)
        with in_single(x):
            if suspects is None:
                return self.likelihood.total(x, output) / len(x)
            return torch.where(suspects, self.likelihood.nll(x, output), 0).sum() / len(x)

    def nll_of_samples(self, x: Tensor, z: Tensor, given: Tensor | None = None) -> Tensor:
        """-log p(x | z) of several codes z (samples, batch, codes) of each x: (samples, batch), in nats."""
        samples = len(z)
        repeated = None if given is None else given.repeat(samples, 1)
        target = x.repeat(samples, *[1] * (x.ndim - 1)) if self.reads else None
        output = self.decode(z.flatten(0, 1), repeated, target).view(samples, *x.shape)
        with in_single(x):
            return self.likelihood.of_samples(x, in_full(output))
