"""How far the output is from the input: the negative log-likelihood of each element, in nats."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.parts.base import Part

Runs = tuple[tuple[int, int], ...]
Measure = Callable[[Tensor, Tensor], Tensor]
SMALLEST = 1e-6  # a probability below it counts as this
LOG_2PI = math.log(2 * math.pi)


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
        """Negative log-likelihood summed over each example (batch,), in nats."""
        return self.nll(target, output).flatten(1).sum(1)

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        """Negative log-likelihood summed over everything, in nats, as training wants it."""
        return self.nll(target, output).sum()

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

    @abstractmethod
    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        """The torch module of this likelihood."""


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Normal distribution around the output; with a fixed variance, training minimises the mean squared error.

    Parameters
    ----------
    variance : float, "shared" or "element", default=1.0
        A fixed variance; one learned variance for all elements; or a learned one for each element (each column, each pixel).
        In units of the scaled data: standardised columns, or pixels from 0 to 1.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Gaussian(variance="shared")
    Gaussian(variance='shared')
    """

    variance: float | Literal["shared", "element"] = 1.0

    def __post_init__(self) -> None:
        known = self.variance in ("shared", "element")
        positive = not isinstance(self.variance, (str, bool)) and 0 < self.variance < math.inf
        self._require("variance", known or positive, "a positive float, 'shared' or 'element'")

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        if isinstance(self.variance, str):
            return _LearnedGaussian(shape if self.variance == "element" else ())
        return _FixedGaussian(self.variance)


class _FixedGaussian(LikelihoodModule):
    def __init__(self, variance: float) -> None:
        super().__init__()
        self.log_variance = math.log(variance)

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return gaussian_nll(target, output, torch.tensor(self.log_variance, dtype=output.dtype, device=output.device))

    def of_rows(self, target: Tensor, output: Tensor) -> Tensor:
        difference = (target - output).flatten(1)  # (batch, elements)
        squared: Tensor = torch.linalg.vecdot(difference, difference)  # of nll, a third of the passes over memory
        return 0.5 * (squared * math.exp(-self.log_variance) + difference.shape[1] * (LOG_2PI + self.log_variance))

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        squared: Tensor = _SquaredError.apply(output, target)  # type: ignore[no-untyped-call]
        return 0.5 * (squared * math.exp(-self.log_variance) + target.numel() * (LOG_2PI + self.log_variance))


class _LearnedGaussian(LikelihoodModule):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(shape))

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return gaussian_nll(target, output, self.log_variance.clamp(min=-20))  # a perfectly rebuilt element has no bound


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Cross entropy with probabilities from 0 to 1: for black-and-white pictures and yes/no columns.

    The decoder gives logits; the reconstruction is their sigmoid. Targets between 0 and 1 are taken as probabilities.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Bernoulli()
    Bernoulli()
    """

    takes_logits: ClassVar[bool] = True

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        return _Bernoulli()


class _Bernoulli(LikelihoodModule):
    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return bernoulli_nll(target, output)

    def mean(self, output: Tensor) -> Tensor:
        return output.sigmoid()


@dataclass(frozen=True)
class Mixed(Likelihood):
    """A distribution for each column of a table: normal for numbers, one of its levels for a category. Missing cells cost nothing.

    Parameters
    ----------
    variance : float, "shared" or "element", default=1.0
        That of the numbers, as in `Gaussian`.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Mixed(variance="element")
    Mixed(variance='element')
    """

    masks: ClassVar[bool] = True
    variance: float | Literal["shared", "element"] = 1.0

    def __post_init__(self) -> None:
        Gaussian(self.variance)

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        return _Mixed(Gaussian(self.variance).build(shape), categories)


class _Mixed(LikelihoodModule):
    """Columns side by side on the last axis; a category is a run of ones and zeros there, its output a run of logits."""

    def __init__(self, numbers: LikelihoodModule, categories: Runs) -> None:
        super().__init__()
        self.numbers = numbers
        self.categories = categories

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return self._by_column(target, output, self.numbers.nll, lambda logits: functional.log_softmax(logits, -1))

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        plain = not self.categories and not target.isnan().any()
        return self.numbers.total(target, output) if plain else super().total(target, output)

    def mean(self, output: Tensor) -> Tensor:
        return self._joined(output, lambda numbers, _: numbers, lambda logits, _: logits.softmax(-1))

    def errors(self, target: Tensor, mean: Tensor) -> Tensor:
        """Squared errors of numbers, nats of categories; 0 where the target is missing."""
        return self._by_column(target, mean, super().errors, lambda p: p.clamp(min=SMALLEST).log())

    def _by_column(self, target: Tensor, given: Tensor, of_numbers: Measure, log_probability: Callable[[Tensor], Tensor]) -> Tensor:
        missing = target.isnan()
        known = target.masked_fill(missing, 0)  # as the gradient of a NaN is one, even where it is masked

        def of_category(part: Tensor, places: slice) -> Tensor:
            return -known[..., places] * log_probability(part)

        found = of_numbers(known, given)
        return self._joined(given, lambda _, places: found[..., places], of_category).masked_fill(missing, 0)

    def _joined(
        self, given: Tensor, of_numbers: Callable[[Tensor, slice], Tensor], of_category: Callable[[Tensor, slice], Tensor]
    ) -> Tensor:
        """Functions of the numbers and of the categories among the elements, side by side."""
        pieces, end = [], 0
        for first, last in (*self.categories, (given.shape[-1], given.shape[-1])):
            numbers, category = slice(end, first), slice(first, last)
            pieces += [of_numbers(given[..., numbers], numbers), of_category(given[..., category], category)]
            end = last
        return torch.cat(pieces, -1) if self.categories else pieces[0]
