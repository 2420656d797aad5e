"""How strange a row is: errors of its columns and its distance to rows seen before, as one calibrated score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from hourglass.parts.neighbours import Neighbours
from hourglass.parts.scaling import ends
from hourglass.parts.tracing import traced

SMALLEST = 1e-6  # a mean error below it counts as this: a column that is always rebuilt exactly
FIRST_GAP = 2.0  # standard deviations that the first gap ever in a column counts as
BEYOND = 1.5  # of the score, for each standard deviation outside the range of the training rows
UPPER = 0.95  # the quantile of a term that tells its scale
NORMAL = 1.645  # standard deviations to that quantile of a normal distribution
POINTS = 33  # of the distribution of each element that are kept
SAMPLE = 4096  # training rows that they are taken from
SLACK = 1e-5  # of a score, by which rounding may raise that of a row above that of its like in the reference
LEAST_SCALE = 1e-3  # of a term: where all usual rows are alike, a smaller one would make much of rounding


class Alarm(nn.Module):
    """From the errors of a row's columns to its score; higher is stranger.

    Two terms are alarming each by itself, so that their soft maximum (the logarithm of the sum of exponentials) counts: the
    logarithm of the mean root error, each column's over its own mean on rows held out; and, where rows are kept, the logarithm of
    the distance to the nearest of them; both from the median of rows held out, in what would be their standard deviations if they
    were normal above it. Added to it is how far the row lies outside the range of the training rows, where errors mean nothing,
    since networks may rebuild anything there. The error of a missing cell is minus the logarithm of how often the column had one.

    Below, x (n, elements) are rows, of which each element belongs to a column; errors are (n, columns).

    Parameters
    ----------
    column_of : tuple of int
        The column of each element.
    references : int
        How many scores of rows held out are kept.
    neighbours : Neighbours, optional
        What tells the distance.
    """

    spread: Tensor  # (columns,) square of the mean root error, on rows held out
    column_of: Tensor  # (elements,)
    first: Tensor  # (columns,) element of each column
    begins: Tensor  # (elements,) whether an element is the first of its column
    rarity: Tensor  # (columns,) error of a missing cell
    gapless: Tensor  # (columns,) FIRST_GAP where no training row had a gap, else 0
    points: Tensor  # (POINTS, elements) of the training rows' distribution, from the smallest to the largest value
    shares: Tensor  # (POINTS, elements) of the training rows that are at most there
    learned: Tensor  # () how many training rows there were
    centre: Tensor  # (terms,) of the terms, on rows held out
    scale: Tensor  # (terms,)
    reference: Tensor  # (references,) scores of rows held out, in rising order

    def __init__(self, column_of: tuple[int, ...], references: int, neighbours: Neighbours | None = None) -> None:
        super().__init__()
        self.neighbours = neighbours or None  # where no row is kept, there is no distance
        elements, columns, terms = len(column_of), column_of[-1] + 1, 2 if self.neighbours else 1
        first = [i for i, column in enumerate(column_of) if i == 0 or column != column_of[i - 1]]
        self.register_buffer("column_of", torch.tensor(column_of), persistent=False)
        self.register_buffer("first", torch.tensor(first), persistent=False)
        self.register_buffer("begins", torch.tensor([i in set(first) for i in range(elements)]), persistent=False)
        self.widths = [end - begin for begin, end in pairwise((*first, elements))]
        sizes = {
            "spread": (columns,),
            "rarity": (columns,),
            "gapless": (columns,),
            "points": (POINTS, elements),
            "shares": (POINTS, elements),
        }
        sizes |= {"centre": (terms,), "scale": (terms,), "learned": (), "reference": (references,)}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size))

    @classmethod
    def learn(cls, column_of: tuple[int, ...], x: Tensor, neighbours: Neighbours | None = None) -> Self:
        """What training rows x say; `calibrate` has to follow."""
        alarm = cls(column_of, 0, neighbours).to(x.device)
        alarm.learned = torch.tensor(float(len(x)), device=x.device)
        missing = x[:, alarm.first].isnan().sum(0)
        alarm.rarity, alarm.gapless = -torch.log((missing + 1) / (len(x) + 2)), FIRST_GAP * (missing == 0)
        some = x[:: _step(len(x))]
        inner = some.nanquantile(torch.linspace(0, 1, POINTS, device=x.device), dim=0)[1:-1]
        low, high = ends(x)
        alarm.points = torch.cat([low[None], inner, high[None]])
        alarm.shares = shares_up_to(alarm.points, some)
        return alarm

    def calibrate(self, held_out: Tensor, errors: Tensor) -> None:
        """Learn from rows held out, and from their errors, what is usual."""
        known = ~held_out[:, self.first].isnan()
        self.spread = (errors.sqrt().sum(0) / known.sum(0).clamp(min=1)).square().clamp(min=SMALLEST)
        self._calibrate_scores(held_out, errors)

    def _calibrate_scores(self, held_out: Tensor, errors: Tensor) -> None:
        """Learn what terms and scores are usual."""
        terms = self.terms(held_out, errors)
        self.centre, scale = centred_upwards(terms)
        self.scale = scale.clamp(min=LEAST_SCALE)
        self.reference = self.combined(terms, held_out).sort().values

    def add_references(self, scores: Tensor) -> None:
        """Let p-values refer to more rows that were held out, by their scores (n,)."""
        self.reference = torch.cat([self.reference, scores]).sort().values

    def forward(self, x: Tensor, errors: Tensor) -> Tensor:
        """Scores (n,)."""
        return self.combined(self.terms(x, errors), x)

    def by_column(self, errors: Tensor) -> Tensor:
        """Errors of elements (n, elements), added up over each column."""
        if max(self.widths) == 1:
            return errors
        if traced():  # ONNX adds at an index slowly, and was seen not to add at all
            return torch.stack([own.sum(1) for own in torch.split(errors, self.widths, 1)], 1)
        return errors.new_zeros(errors.shape[0], len(self.first)).index_add_(1, self.column_of, errors)

    def relative(self, x: Tensor, errors: Tensor) -> Tensor:
        """Errors over what is usual for their column (n, columns)."""
        return torch.where(x[:, self.first].isnan(), self.rarity, errors / self.spread)

    def fault(self, x: Tensor, errors: Tensor) -> Tensor:
        """How far each row is from what is expected of it (n,)."""
        return self.relative(x, errors).sqrt().mean(1)

    def terms(self, x: Tensor, errors: Tensor) -> Tensor:
        """The two terms of each row (n, terms), not yet in standard deviations."""
        found = [torch.log(self.fault(x, errors) + SMALLEST)]
        if self.neighbours:
            found.append(self.neighbours(x))
        return torch.stack(found, 1)

    def combined(self, terms: Tensor, x: Tensor) -> Tensor:
        """The score (n,) of rows with these terms (n, terms)."""
        far: Tensor = torch.linalg.vector_norm(self.outside(x), dim=1)
        return strangest_if_nan(self.joined((terms - self.centre) / self.scale) + BEYOND * far)

    def joined(self, terms: Tensor) -> Tensor:
        """How strange rows are (n,) by their terms (n, terms), in standard deviations: the largest counts most."""
        strange: Tensor = torch.logsumexp(terms, dim=1)
        return strange

    @contextmanager
    def of_the_others(self, x: Tensor) -> Iterator[None]:
        """Meanwhile each of the training rows x is compared with the range of all others, as a new row is with that of all.

        A row is outside of that only where it has the end of the range to itself, and by as much as it is beyond the next one. Left
        inside its own range, a training row would seem more usual than a new one, the more so the more columns there are.
        """
        whole = self.points
        low, high = (x.nan_to_num(end).topk(2, 0, largest=end < 0).values[1] for end in (torch.inf, -torch.inf))
        others = torch.where(
            low.isfinite() & high.isfinite(), torch.stack([low, high]), whole[[0, -1]]
        )  # a single value has no next
        self.points = torch.cat([others[:1], whole[1:-1], others[1:]])
        try:
            yield
        finally:
            self.points = whole

    def outside(self, x: Tensor) -> Tensor:
        """How far each element lies outside the range of the training rows (n, elements).

        A first gap in a column counts `FIRST_GAP`.
        """
        beyond: Tensor = (x - self.within(x)).nan_to_num(0)
        return beyond + x.isnan() * (self.gapless[self.column_of] * self.begins)

    def within(self, x: Tensor) -> Tensor:
        """x, drawn into the range of the training rows."""
        return x.clamp(self.points[0], self.points[-1])

    def plausible(self, expected: Tensor) -> Tensor:
        """What is expected, drawn into that range; NaN, which networks make of enormous values, is the middle of it."""
        return torch.where(expected.isnan(), self.points[POINTS // 2], self.within(expected))

    def blame(self, x: Tensor, errors: Tensor) -> Tensor:
        """How much each column adds to a row's strangeness (n, columns): its relative error, and how far out of range it is."""
        return self.relative(x, errors) + self.by_column((BEYOND * self.outside(x)).square())

    def p_values(self, scores: Tensor) -> Tensor:
        """Conformal p-values (n,): the share of held-out rows, and of the row itself, that are at least as strange.

        Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2.
        """
        n, limits = len(self.reference), beyond(self.reference.double())
        below = torch.searchsorted(limits, scores.to(limits).contiguous())
        return (self.of_one + n - below.double()) / (n + self.of_one)

    def places(self, scores: Tensor) -> Tensor:
        """Where scores (n,) lie among the reference, in whole numbers (n,) that are the same for what only rounding tells apart."""
        own = self.reference.double()
        x = scores.to(own).contiguous()
        return torch.searchsorted(beyond(own), x) + torch.searchsorted(own, beyond(x), right=True)

    def threshold(self, rate: float) -> float:
        """The score that only a share ``rate`` of usual rows is above; the highest known, where the reference is too small."""
        n = len(self.reference)
        return float(self.reference[n - max(int(rate * (n + self.of_one) - self.of_one + 1 + 1e-9), 1)])

    @property
    def of_one(self) -> float:
        """How many scores of the reference count as one independent one."""
        return 1.0

    @property
    def looked_at(self) -> int:
        """How many training rows the distribution of each element is told from."""
        return math.ceil(int(self.learned) / _step(int(self.learned)))

    @property
    def least_rate(self) -> float:
        """The smallest rate of false alarms that the reference can promise."""
        return self.of_one / (len(self.reference) + self.of_one)


def _step(n: int) -> int:
    """From each of n training rows to the next whose elements are looked at."""
    return n // SAMPLE + 1


def beyond(scores: Tensor) -> Tensor:
    """What is above scores (n,) by more than rounding."""
    return scores + SLACK * (1 + scores.abs())


def strangest_if_nan(scores: Tensor) -> Tensor:
    """Scores, of which NaN is the highest there can be: only values too large to reckon with have one."""
    return torch.where(scores.isnan(), torch.inf, scores)


def centred_upwards(terms: Tensor) -> tuple[Tensor, Tensor]:
    """Of each term (n, terms) the median, and the standard deviation that a normal one with its 95th percentile would have.

    (q(0.95) - q(0.5)) / 1.645; where the two are equal, the standard deviation itself. Only strange rows are to be told apart, so
    what counts is how terms rise above the usual: repeated rows, at no distance from one another, would stretch a scale that
    looked downwards as well.
    """
    median, high = terms.median(0).values, terms.kthvalue(math.ceil(UPPER * len(terms)), dim=0).values
    scale = (high - median) / NORMAL
    return median, torch.where(scale > SMALLEST, scale, terms.std(0, correction=0).clamp(min=SMALLEST))


def shares_up_to(points: Tensor, x: Tensor) -> Tensor:
    """The share of the rows x (n, elements) that are at most as large as each point (points, elements); gaps don't count."""
    return torch.stack([(x <= point).sum(0) for point in beyond(points)]) / (~x.isnan()).sum(0)
