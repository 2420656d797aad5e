"""How strange a row is: errors of its elements and its distance to rows seen before, as one calibrated score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST = 1e-6  # a mean square below it counts as this: an element that is always rebuilt exactly
BEYOND = 3.0  # of the score, for each standard deviation outside the range of the training rows
CHUNK = 1024  # rows whose distances are held at a time


class Alarm(nn.Module):
    """From the errors of a row's elements to its score; higher is stranger.

    The score adds up to three terms: the logarithm of the mean error, each element's error over its mean on rows held out;
    the logarithm of the distance to the nearest of the rows that are kept; both in standard deviations on rows held out; and how
    far the row lies outside the range of the training rows, where errors mean nothing, since networks may rebuild anything there.

    Parameters
    ----------
    columns, rows, references : int
        How many elements a row has, how many rows are kept, and how many scores of rows held out.
    """

    spread: Tensor  # (columns,) mean error of each element, on rows held out
    low: Tensor  # (columns,) range of the training rows
    high: Tensor  # (columns,)
    kept: Tensor  # (rows, columns) training rows to measure the distance to
    centre: Tensor  # (terms,) of the terms, on rows held out
    scale: Tensor  # (terms,)
    reference: Tensor  # (references,) scores of rows held out, in rising order

    def __init__(self, columns: int, rows: int, references: int) -> None:
        super().__init__()
        terms = 1 + (rows > 0)
        sizes = {"spread": (columns,), "low": (columns,), "high": (columns,), "kept": (rows, columns), "centre": (terms,)}
        for name, size in {**sizes, "scale": (terms,), "reference": (references,)}.items():
            self.register_buffer(name, torch.zeros(size))

    @staticmethod
    def learn(x: Tensor, kept: Tensor, held_out: Tensor, errors: Tensor) -> Alarm:
        """The alarm of training rows x (n, columns), those kept, held-out rows (m, columns) and the errors there (m, columns)."""
        alarm = Alarm(x.shape[1], len(kept), len(held_out))
        alarm.spread = errors.mean(0).clamp(min=SMALLEST)
        alarm.low, alarm.high, alarm.kept = x.amin(0), x.amax(0), kept
        terms = alarm.terms(held_out, errors)
        alarm.centre, alarm.scale = terms.mean(0), terms.std(0, correction=0).clamp(min=SMALLEST)
        alarm.reference = alarm.combined(terms, held_out).sort().values
        return alarm

    def forward(self, x: Tensor, errors: Tensor) -> Tensor:
        """Scores (n,) of rows x (n, columns) with these errors (n, columns)."""
        return self.combined(self.terms(x, errors), x)

    def terms(self, x: Tensor, errors: Tensor) -> Tensor:
        """The two terms of each row (n, terms), not yet in standard deviations."""
        found = [torch.log((errors / self.spread).mean(1) + SMALLEST)]
        if len(self.kept):
            found.append(torch.log(nearest(x, self.kept.to(x)) + SMALLEST) / 2)
        return torch.stack(found, 1)

    def combined(self, terms: Tensor, x: Tensor) -> Tensor:
        """The score (n,) of terms (n, terms) of rows x (n, columns)."""
        usual: Tensor = ((terms - self.centre) / self.scale).sum(1)
        far: Tensor = torch.linalg.vector_norm(self.outside(x), dim=1)
        return usual + BEYOND * far

    def outside(self, x: Tensor) -> Tensor:
        """How far each element lies outside the range of the training rows (n, columns)."""
        beyond: Tensor = x - self.within(x)
        return beyond

    def within(self, x: Tensor) -> Tensor:
        """x, drawn into the range of the training rows."""
        return x.clamp(self.low, self.high)

    def p_values(self, scores: Tensor) -> Tensor:
        """Conformal p-values (n,): the share of held-out rows, and of the row itself, that are at least as strange.

        Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2.
        """
        n = len(self.reference)
        below = torch.searchsorted(self.reference, scores.to(self.reference.dtype).contiguous())
        return (1.0 + n - below) / (n + 1)

    def threshold(self, rate: float) -> float:
        """The score that only a share ``rate`` of usual rows is above; the highest known, where the reference is too small."""
        n = len(self.reference)
        return float(self.reference[n - max(int(rate * (n + 1) + 1e-9), 1)])


def nearest(x: Tensor, kept: Tensor) -> Tensor:
    """Squared distance (n,) to the nearest kept row; a row that is itself among them is measured against the others."""
    squares = kept.square().sum(1)
    found = []
    for part in torch.split(x, CHUNK):
        own = part.square().sum(1, keepdim=True)
        distances = torch.addmm(squares, part, kept.T, alpha=-2).add_(own)
        least = distances.topk(min(2, len(kept)), largest=False).values  # (rows, 2)
        itself = least[:, :1] <= SMALLEST * (own + squares.mean())
        found.append(torch.where(itself, least[:, -1:], least[:, :1]).squeeze(1).clamp(min=0))
    return torch.cat(found)
