"""Rows beside what a model makes of them: computed when it is first asked for, as several pictures of a page need the same."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from hourglass.analysis.metrics import Array, before_and_after, exact
from hourglass.estimators import BaseAutoencoder


class Rebuilt:
    """Rows that pass a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted.
    X : as in ``fit``
        The rows, which nobody may change meanwhile.
    condition : as in ``fit``, optional
        What is known beside them.
    """

    def __init__(self, model: BaseAutoencoder, X: Any, condition: Any = None) -> None:
        self.model, self.X, self.condition = model, X, condition

    @cached_property
    def pair(self) -> tuple[Array, Array]:
        """The rows and their reconstructions, as the networks see them."""
        return before_and_after(self.model, self.X, self.condition)

    @cached_property
    def exact(self) -> float:
        """The share of rows of symbols that come back without a single fault."""
        return exact(self.model, self.X, self.condition)

    @cached_property
    def errors(self) -> Array:
        """The error of each row (n,): the mean squared one, of symbols in nats."""
        if self.model.kind_.symbolic:
            return -np.asarray(self.model.score_samples(self.X, self.condition))
        before, after = self.pair
        errors: Array = np.square(before - after).reshape(len(before), -1).mean(1, dtype=np.float64)
        return errors
