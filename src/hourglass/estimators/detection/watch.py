"""What a detector holds: a model that rebuilds rows, and the alarm that judges how well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from hourglass.kinds import Kind
from hourglass.model import Hourglass
from hourglass.parts.alarm import Alarm
from hourglass.parts.scaling import Scaling

WIDEST = 1024  # what a row counts as at least, see `rows_at_once`: numbers of all members, often in double precision


class Watch(nn.Module, ABC):
    """Base: from scaled rows x (n, *shape) to scores.

    Parameters
    ----------
    model : Hourglass
        Of an autoencoder.
    alarm : Alarm
        What judges the errors.
    """

    placed_by = "codes"  # what the numbers are that say where rows lie

    def __init__(self, model: Any, alarm: Alarm) -> None:
        super().__init__()
        self.model: Hourglass = model
        self.alarm = alarm

    @property
    def scaling(self) -> Scaling:
        """Of the model."""
        return self.model.scaling

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Scores (n,); higher is stranger."""

    def seen(self, x: Tensor) -> Tensor:
        """What the alarm sees of rows (n, elements)."""
        return x.flatten(1)

    def place(self, x: Tensor) -> Tensor:
        """Where rows lie (n, numbers): their codes, or what the detector says where there are none."""
        codes = self.model.encode(x).z
        assert isinstance(codes, Tensor)  # a model without a waist is no detector's
        return codes.flatten(1)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """What the columns are called that the alarm sees."""
        return kind.names

    def expected(self, x: Tensor) -> Tensor:
        """What the elements (n, elements) are expected to be."""
        return self.model.reconstruct(x).flatten(1)


class ErrorWatch(Watch):
    """Base of those whose scores come from errors."""

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.alarm(self.seen(x), self.errors(x))
        return scores

    @abstractmethod
    def errors(self, x: Tensor) -> Tensor:
        """Errors of rows (n, ...), as the alarm takes them."""


class ColumnWatch(ErrorWatch):
    """Of tables: the error of each column counts."""

    def errors(self, x: Tensor) -> Tensor:
        """Errors of rows (n, columns)."""
        return self.errors_from(x, self.expected(x))

    def errors_from(self, x: Tensor, expected: Tensor) -> Tensor:
        """Errors (n, columns) against what is expected, drawn into the range of the training rows."""
        plausible = self.alarm.plausible(expected.flatten(1)).reshape(x.shape)
        return self.alarm.by_column(self.model.likelihood.errors(x, plausible).flatten(1))

    def blame(self, x: Tensor, expected: Tensor) -> Tensor:
        """How much each column adds to a row's strangeness (n, columns)."""
        return self.alarm.blame(x, self.errors_from(x, expected))
