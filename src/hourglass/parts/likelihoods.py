"""How far the output is from the input: the negative log-likelihood of each element, in nats."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.errors import ParameterError
from hourglass.parts.base import Part, is_positive
from hourglass.parts.densities import LOG_2PI
from hourglass.parts.tracing import traced

Runs = tuple[tuple[int, int], ...]
LEAST = -12.0  # logarithm of a learned variance: without an end to it, one element that is rebuilt perfectly would drown the others


def gaussian_nll(target: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Negative log-density of a normal distribution, in nats an element: ½ (log 2π + log σ² + (x - μ)² / σ²)."""
    return 0.5 * (LOG_2PI + log_variance + (target - mean).square() * torch.exp(-log_variance))


def bernoulli_nll(target: Tensor, logits: Tensor) -> Tensor:
    """Cross entropy of targets in [0, 1] with Bernoulli probabilities sigmoid(logits), in nats an element."""
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")


class _SquaredError(torch.autograd.Function):
    """Σ (x - y)² with one buffer: autograd's own chain of a difference, a square and a sum passes over memory three times more."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, target: Tensor) -> Tensor:
        difference = output - target
        ctx.save_for_backward(difference)
        flat = difference.flatten()
        return torch.dot(flat, flat)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference.mul_(2 * grad), None  # in place: a second backward pass is an error, not a wrong number


class LikelihoodModule(nn.Module):
    """What every built likelihood offers. The decoder's output and the target are of one shape (batch, ...)."""

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        """Negative log-likelihood of each element, in nats, of the target's shape."""
        raise NotImplementedError

    def of_rows(self, target: Tensor, output: Tensor) -> Tensor:
        """Negative log-likelihood summed over each example (batch,), in nats; missing elements, which are NaN, cost nothing."""
        return self.nll(target, output).masked_fill(target.isnan(), 0).flatten(1).sum(1)

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        """Negative log-likelihood summed over everything, in nats, as training wants it."""
        return self.nll(target, output).sum()

    def of_samples(self, target: Tensor, outputs: Tensor) -> Tensor:
        """`of_rows` for several outputs (samples, batch, ...) of each target (batch, ...): (samples, batch)."""
        repeated = target.expand_as(outputs).flatten(0, 1)
        return self.of_rows(repeated, outputs.flatten(0, 1)).view(outputs.shape[:2])

    def drawn(self, target: Tensor, generator: torch.Generator) -> Tensor:
        """What training takes for a target, where that is left to chance."""
        return target

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Elements drawn from their distributions, of the output's shape."""
        raise ParameterError(
            f"{type(self).__name__} has no 'sample', so elements can't be drawn from it. "
            "Take their means, noisy=False, or write one."
        )

    def start(self, variance: Tensor) -> None:
        """Begin with the variance (...) of each element, where one is learned."""

    def mean(self, output: Tensor) -> Tensor:
        """The expected value of each element: the reconstruction."""
        return output

    def errors(self, target: Tensor, mean: Tensor) -> Tensor:
        """How far each element lies from a reconstruction, of the target's shape: its squared error."""
        return (target - mean).square()


@dataclass(frozen=True)
class Likelihood(Part):
    """Base of the likelihoods.

    ``build(shape, categories)`` makes the module for elements of that shape (without the batch). Of a table with categorical
    columns, ``categories`` has the first and the last place but one of each of their runs of levels along the last axis.
    """

    takes_logits: ClassVar[bool] = False  # whether the module itself squashes the decoder's output to 0..1
    masks: ClassVar[bool] = False  # whether missing elements, which are NaN, cost nothing

    @property
    def any_size(self) -> bool:
        """Whether elements may have any size: nothing is learned for each of their places."""
        return False

    @property
    def learns(self) -> bool:
        """Whether how far elements are from what is expected of them is learned: samples of a table are then drawn, else means."""
        return False

    @abstractmethod
    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        """The torch module of this likelihood."""


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Normal distribution around the output; with a fixed variance, training minimises the mean squared error.

    Parameters
    ----------
    variance : float, "shared", "element" or "row", default=1.0
        A fixed variance; one learned variance for all elements; a learned one for each element (each column, each pixel); or that
        under which each row is likeliest, which is its mean squared error: then rows that are rebuilt well weigh as much as those
        that can't be. In units of the scaled data: standardised columns, or pixels from 0 to 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Gaussian(variance="shared")
    Gaussian(variance='shared')
    """

    variance: float | Literal["shared", "element", "row"] = 1.0

    def __post_init__(self) -> None:
        known = self.variance in ("shared", "element", "row")
        self._require("variance", known or is_positive(self.variance), "a positive float, 'shared', 'element' or 'row'")

    @property
    def any_size(self) -> bool:
        return self.variance != "element"

    @property
    def learns(self) -> bool:
        return self.variance in ("shared", "element")

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        if self.variance == "row":
            return _RowGaussian()
        if isinstance(self.variance, str):
            return _LearnedGaussian(shape if self.variance == "element" else ())
        return _FixedGaussian(self.variance)


class _FixedGaussian(LikelihoodModule):
    def __init__(self, variance: float) -> None:
        super().__init__()
        self.log_variance = math.log(variance)

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return gaussian_nll(target, output, output.new_full((), self.log_variance))

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return output + math.exp(0.5 * self.log_variance) * torch.empty_like(output).normal_(generator=generator)

    def of_rows(self, target: Tensor, output: Tensor) -> Tensor:
        difference = (target - output).flatten(1)  # (batch, elements)
        squared: Tensor = torch.linalg.vecdot(difference, difference)  # of nll, a third of the passes over memory
        known: Tensor | int = difference.shape[1]
        if traced() or squared.isnan().any():  # something is missing
            missing = target.isnan().flatten(1)
            difference = difference.masked_fill(missing, 0)
            squared, known = torch.linalg.vecdot(difference, difference), (~missing).sum(1).to(squared)
        return 0.5 * (squared * math.exp(-self.log_variance) + known * (LOG_2PI + self.log_variance))

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        squared: Tensor = _SquaredError.apply(output, target)  # type: ignore[no-untyped-call]
        return 0.5 * (squared * math.exp(-self.log_variance) + target.numel() * (LOG_2PI + self.log_variance))


class _LearnedGaussian(LikelihoodModule):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(shape))

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return output + (0.5 * self.log_variance.clamp(min=LEAST)).exp() * torch.empty_like(output).normal_(generator=generator)

    def start(self, variance: Tensor) -> None:
        known = variance.flatten() if self.log_variance.ndim else variance.mean()
        with torch.no_grad():
            self.log_variance.copy_(known.clamp(min=1e-4).log().reshape(self.log_variance.shape))

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return gaussian_nll(target, output, self.log_variance.clamp(min=LEAST))


class _RowGaussian(LikelihoodModule):
    """½ (log 2π + log v + (x - μ)² / v) with v = mean (x - μ)² of the row: its sum is ½ D (log 2πe + log v).

    v is where its own derivative is nothing, so that it may stand apart from the gradient.
    """

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        squared = (target - output).detach().square()
        variance = squared.mean(tuple(range(1, squared.ndim)), keepdim=True)  # (batch, 1 ...)
        return gaussian_nll(target, output, variance.clamp(min=math.exp(LEAST)).log())

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        raise ParameterError(
            "Gaussian('row') knows the variance of a row only beside the row itself, so elements can't be drawn from it. "
            "Take their means, noisy=False, or fit with Gaussian('shared')."
        )


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Cross entropy with probabilities from 0 to 1: for black-and-white pictures and yes/no columns.

    The decoder gives logits; the reconstruction is their sigmoid. Targets between 0 and 1 are taken as probabilities.

    Parameters
    ----------
    drawn : bool, default=False
        Whether training draws each target afresh, 0 or 1 with its probability, at each step.

    References
    ----------
    Salakhutdinov and Murray, "On the Quantitative Analysis of Deep Belief Networks", 2008, section 5 (targets drawn).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Bernoulli(drawn=True)
    Bernoulli(drawn=True)
    """

    takes_logits: ClassVar[bool] = True
    drawn: bool = False

    def __post_init__(self) -> None:
        self._require("drawn", isinstance(self.drawn, bool), "True or False")

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        return _Bernoulli(self.drawn)


class _Bernoulli(LikelihoodModule):
    def __init__(self, draws: bool) -> None:
        super().__init__()
        self.draws = draws

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return bernoulli_nll(target, output)

    def of_rows(self, target: Tensor, output: Tensor) -> Tensor:
        return self.of_samples(target, output[None])[0]

    def of_samples(self, target: Tensor, outputs: Tensor) -> Tensor:
        logits = outputs.flatten(2)  # (samples, batch, elements)
        ones = (target.to(logits.dtype).flatten(1)[:, None] @ logits.permute(1, 2, 0)).squeeze(1)  # of log(1 + e^l) - x l, Σ x l
        return functional.softplus(logits).sum(2) - ones.T

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        return functional.softplus(output).sum() - torch.dot(target.flatten(), output.flatten())

    def drawn(self, target: Tensor, generator: torch.Generator) -> Tensor:
        return torch.bernoulli(target, generator=generator) if self.draws else target

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return torch.bernoulli(output.sigmoid(), generator=generator)

    def mean(self, output: Tensor) -> Tensor:
        return output.sigmoid()
