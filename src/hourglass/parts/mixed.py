"""Likelihoods with categories: a distribution for each column of a table, symbols of an alphabet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from hourglass.parts.likelihoods import Gaussian, Likelihood, LikelihoodModule, Runs

Measure = Callable[[Tensor, Tensor], Tensor]
SMALLEST = 1e-6  # a probability below it counts as this


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
        self._require("variance", str(self.variance) != "row", "a positive float, 'shared' or 'element'")  # categories have none
        Gaussian(self.variance)

    @property
    def learns(self) -> bool:
        return isinstance(self.variance, str)

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

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        def level(logits: Tensor, _: slice) -> Tensor:
            if not logits.shape[-1]:  # behind the last category
                return logits
            chosen = torch.multinomial(logits.flatten(0, -2).softmax(-1), 1, generator=generator)
            return functional.one_hot(chosen.squeeze(1), logits.shape[-1]).reshape(logits.shape).to(logits)

        numbers = self.numbers.sample(output, generator)
        return self._joined(output, lambda _, places: numbers[..., places], level)

    def start(self, variance: Tensor) -> None:
        self.numbers.start(variance)

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


class _Categorical(_Mixed):
    def of_rows(self, target: Tensor, output: Tensor) -> Tensor:
        known = target.nan_to_num(0)
        of_places: Tensor = known.sum(-1) * output.logsumexp(-1) - torch.linalg.vecdot(known.to(output.dtype), output)
        return of_places.flatten(1).sum(1)

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        return self.of_rows(target, output).sum()


@dataclass(frozen=True)
class Categorical(Likelihood):
    """One of several levels, along the last axis of each element: for symbols, and whatever is a one among zeros.

    The decoder gives logits; the reconstruction is their softmax. Where a target is zeros throughout, as behind the end of a row of
    symbols, it costs nothing.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Categorical()
    Categorical()
    """

    takes_logits: ClassVar[bool] = True

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        return _Categorical(Gaussian().build(shape), ((0, shape[-1]),))
