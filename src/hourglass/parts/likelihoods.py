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

from hourglass.errors import ParameterError
from hourglass.parts.base import Part, is_count
from hourglass.parts.bell import bell

Runs = tuple[tuple[int, int], ...]
Measure = Callable[[Tensor, Tensor], Tensor]
SMALLEST = 1e-6  # a probability below it counts as this
LOG_2PI = math.log(2 * math.pi)
LEAST = -12.0  # logarithm of a learned variance: without an end to it, one element that is rebuilt perfectly would drown the others
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # what each scale of MS-SSIM weighs, from fine to coarse


def gaussian_nll(target: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Negative log-density of a normal distribution, in nats an element: ½ (log 2π + log σ² + (x - μ)² / σ²)."""
    return 0.5 * (LOG_2PI + log_variance + (target - mean).square() * torch.exp(-log_variance))


def bernoulli_nll(target: Tensor, logits: Tensor) -> Tensor:
    """Cross entropy of targets in [0, 1] with Bernoulli probabilities sigmoid(logits), in nats an element."""
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")


def similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Structural similarity of pictures (batch, channels, height, width) from 0 to 1, by pixel, and what contrast has in it.

    SSIM = (2 μx μy + c₁) (2 σxy + c₂) / ((μx² + μy² + c₁) (σx² + σy² + c₂)), of which the factors with c₂ are contrast and
    structure (Wang et al. 2004, equation 13): means and variances under a Gaussian window of standard deviation 1.5 and, where
    there is room, 11 pixels, with the picture mirrored at its borders.
    """
    down, across = (_window(size, x) for size in x.shape[2:])

    def blurred(picture: Tensor) -> Tensor:
        return down @ picture @ across.T

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x.square(), blurred(y * y) - mean_y.square()
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1) * contrast, contrast


def multiscale_similarity(x: Tensor, y: Tensor, scales: int) -> Tensor:
    """SSIM at several scales (batch,), each half as fine as the one before: Π contrastₛ^βₛ, at the last one the whole of SSIM.

    Wang, Simoncelli and Bovik 2003, equation 7, whose five exponents, for fewer scales, are brought to a sum of 1. Contrast counts
    where the window lies within the picture; one below zero, which has no root, counts as next to nothing.
    """
    share = torch.tensor(SCALES[:scales], dtype=x.dtype, device=x.device)
    means = []
    for scale in range(scales):
        whole, contrast = similarities(x, y)
        top, left = (_reach(size) for size in x.shape[2:])
        last = scale == scales - 1
        means.append((whole if last else contrast[..., top : x.shape[2] - top, left : x.shape[3] - left]).flatten(1).mean(1))
        if not last:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return (torch.stack(means, 1).clamp(min=SMALLEST) ** (share / share.sum())).prod(1)


def _reach(size: int) -> int:
    """How many pixels the window reaches to either side: 5, or as many as a small picture has room for."""
    return min(5, (size - 1) // 2)


def _window(size: int, like: Tensor) -> Tensor:
    """The Gaussian window as a matrix (size, size) that blurs a column of pixels, mirrored at its ends."""
    reach = _reach(size)
    weights = bell(reach, 1.5, like)
    pixels = torch.eye(size, dtype=like.dtype, device=like.device)
    return (functional.pad(pixels, (reach, reach), mode="reflect").unfold(1, len(weights), 1) @ weights).T


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


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)


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

    def of_samples(self, target: Tensor, outputs: Tensor) -> Tensor:
        """`of_rows` for several outputs (samples, batch, ...) of each target (batch, ...): (samples, batch)."""
        repeated = target.expand_as(outputs).flatten(0, 1)
        return self.of_rows(repeated, outputs.flatten(0, 1)).view(outputs.shape[:2])

    def drawn(self, target: Tensor, generator: torch.Generator) -> Tensor:
        """What training takes for a target, where that is left to chance."""
        return target

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Elements drawn from their distributions, of the output's shape."""
        raise NotImplementedError

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
        """Whether how far elements are from what is expected of them was learned, so that they can be drawn."""
        return True

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
        positive = not isinstance(self.variance, (str, bool)) and 0 < self.variance < math.inf
        self._require("variance", known or positive, "a positive float, 'shared', 'element' or 'row'")

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
        return gaussian_nll(target, output, torch.tensor(self.log_variance, dtype=output.dtype, device=output.device))

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return output + math.exp(0.5 * self.log_variance) * _normal(output, generator)

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

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return output + (0.5 * self.log_variance.clamp(min=LEAST)).exp() * _normal(output, generator)

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
    def __init__(self, draws: bool = False) -> None:
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
        logits = output.float() if output.dtype == torch.bfloat16 else output
        return functional.softplus(logits).sum() - torch.dot(target.flatten(), logits.flatten())

    def drawn(self, target: Tensor, generator: torch.Generator) -> Tensor:
        return torch.bernoulli(target, generator=generator) if self.draws else target

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return torch.bernoulli(output.sigmoid(), generator=generator)

    def mean(self, output: Tensor) -> Tensor:
        return output.sigmoid()


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
        logits = output.float() if output.dtype == torch.bfloat16 else output
        of_places: Tensor = known.sum(-1) * logits.logsumexp(-1) - torch.linalg.vecdot(known.to(logits.dtype), logits)
        return of_places.flatten(1).sum(1)

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        return self.of_rows(target, output).sum()


@dataclass(frozen=True)
class Structural(Likelihood):
    """Another likelihood of pictures, and a penalty for structure that is lost: soft edges, flat texture.

    The penalty is no density, so the sum is not a likelihood in nats any more, and compares with nothing but itself. Each
    pixel costs ``weight`` times 1 - SSIM at its place; with several scales, ``weight`` times 1 - MS-SSIM of its picture.
    Reconstructions and their errors are those of ``base``.

    Parameters
    ----------
    base : likelihood part, default=Gaussian()
        The likelihood that the penalty is added to.
    weight : float, default=0.05
        What a pixel without any likeness costs, in the units of ``base``.
    scales : int, default=1
        At how many sizes, each half of the one before, pictures are compared: 1 to 5. The smallest has to have 3 pixels on a side.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", 2004, equation
    13. Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", 2003, equation 7.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Structural(hg.Gaussian(), weight=0.1)
    Structural(base=Gaussian(variance=1.0), weight=0.1, scales=1)
    """

    base: Likelihood = Gaussian()
    weight: float = 0.05
    scales: int = 1

    def __post_init__(self) -> None:
        valid = isinstance(self.base, Likelihood) and not isinstance(self.base, Structural)
        self._require("base", valid, "another likelihood part")
        self._require("weight", not isinstance(self.weight, (str, bool)) and 0 < self.weight < math.inf, "a positive float")
        self._require("scales", is_count(self.scales) and self.scales <= len(SCALES), f"an int from 1 to {len(SCALES)}")

    @property
    def takes_logits(self) -> bool:  # type: ignore[override]
        return self.base.takes_logits

    @property
    def any_size(self) -> bool:
        return self.base.any_size

    @property
    def learns(self) -> bool:
        return self.base.learns

    def build(self, shape: tuple[int, ...], categories: Runs = ()) -> LikelihoodModule:
        least = 3 * 2 ** (self.scales - 1)
        if len(shape) != 3 or 0 < min(shape[1:]) < least:
            what = f"pictures of {shape[1]} x {shape[2]} pixels" if len(shape) == 3 else "a table"
            raise ParameterError(
                f"Structural with scales={self.scales} compares pictures of at least {least} pixels on each side. Got {what}."
            )
        return _Structural(self.base.build(shape), self.weight, self.scales)


class _Structural(LikelihoodModule):
    def __init__(self, base: LikelihoodModule, weight: float, scales: int) -> None:
        super().__init__()
        self.base = base
        self.weight = weight
        self.scales = scales

    def nll(self, target: Tensor, output: Tensor) -> Tensor:
        return self.base.nll(target, output) + self._penalty(target, output).expand_as(target)

    def total(self, target: Tensor, output: Tensor) -> Tensor:
        penalty = self._penalty(target, output)
        return self.base.total(target, output) + penalty.sum() * (target.numel() / penalty.numel())

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        return self.base.sample(output, generator)

    def start(self, variance: Tensor) -> None:
        self.base.start(variance)

    def mean(self, output: Tensor) -> Tensor:
        return self.base.mean(output)

    def errors(self, target: Tensor, mean: Tensor) -> Tensor:
        return self.base.errors(target, mean)

    def _penalty(self, target: Tensor, output: Tensor) -> Tensor:
        """What a pixel costs beyond ``base``: (batch, channels, height, width), or (batch, 1, 1, 1), for each of a picture."""
        with torch.autocast(target.device.type, enabled=False):  # variances are small differences of large numbers
            x, y = target, self.base.mean(output).to(target.dtype)
            alike = similarities(x, y)[0] if self.scales == 1 else multiscale_similarity(x, y, self.scales)[:, None, None, None]
            return self.weight * (1 - alike)
