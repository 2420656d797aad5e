"""What a detector holds: a model that rebuilds rows, and the alarm that judges how well."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hourglass.estimators import members
from hourglass.kinds import Kind
from hourglass.model import Hourglass
from hourglass.parts.alarm import Alarm
from hourglass.parts.scaling import Scaling

SUSPECTS = 6  # columns that are looked at more closely
WIDTH = 1024  # numbers that a row becomes on the way, at least: those of all members, often in double precision


class Watch(nn.Module):
    """From scaled rows x (n, *shape) to scores.

    Parameters
    ----------
    model : Hourglass
        Of an autoencoder, or an ensemble of `members`.
    alarm : Alarm
        What judges the errors.
    ensemble : bool
        Which of the two the model is.
    """

    def __init__(self, model: Hourglass, alarm: Alarm, *, ensemble: bool) -> None:
        super().__init__()
        self.model = model
        self.alarm = alarm
        self.ensemble = ensemble
        self.group: Tensor
        if ensemble:
            group, self.groups = members.groups(alarm.column_of)
            self.register_buffer("group", group, persistent=False)

    @property
    def scaling(self) -> Scaling:
        """Of the model."""
        return self.model.scaling

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n,); higher is stranger."""
        scores: Tensor = self.alarm(self.seen(x), self.errors(x))
        return scores

    def seen(self, x: Tensor) -> Tensor:
        """What the alarm sees of rows (n, elements)."""
        return x.flatten(1)

    def place(self, x: Tensor) -> Tensor:
        """Where rows lie (n, numbers): their codes, or what their distance to others is told by where there are none."""
        if self.ensemble:
            return self.seen(x).nan_to_num(0)
        codes = self.model.encode(x).z
        assert isinstance(codes, Tensor)  # a model without a waist is no detector's
        return codes.flatten(1)

    @property
    def placed_by(self) -> str:
        """What these numbers are."""
        return "scaled numbers" if self.ensemble else "codes"

    def names(self, kind: Kind) -> tuple[str, ...]:
        """What the columns are called that the alarm sees."""
        return kind.names

    def expected(self, x: Tensor) -> Tensor:
        """What the elements (n, elements) are expected to be.

        The ensemble sees x drawn into the range of the training rows: a wild column doesn't upset what it expects of others.
        """
        if self.ensemble:
            return members.expected(self.model, self.alarm.within(x), self.group, self.groups)
        return self.model.reconstruct(x).flatten(1)

    def errors(self, x: Tensor, expected: Tensor | None = None) -> Tensor:
        """Errors (n, columns), against what is expected, drawn into the range of the training rows."""
        expected = self.expected(x) if expected is None else expected
        within = self.alarm.within(expected.flatten(1)).reshape(x.shape)
        return self.alarm.by_column(self.model.likelihood.errors(x, within).flatten(1))

    def blame(self, x: Tensor, expected: Tensor) -> Tensor:
        """How much each column adds to a row's strangeness (n, columns).

        A strange cell makes its neighbours look strange as well. So in the ensemble the columns first suspected are hidden in turn:
        what a column adds is how much less strange the whole row is without it.
        """
        suspected = self.alarm.blame(x, self.errors(x, expected))
        if not self.ensemble or suspected.shape[1] == 1:
            return suspected
        found = torch.zeros_like(suspected)
        for column in suspected.topk(min(SUSPECTS, suspected.shape[1]), dim=1).indices.unbind(1):
            without = x.masked_fill(self.alarm.column_of == column[:, None], torch.nan)
            rest = self.alarm.blame(without, self.errors(without)).scatter(1, column[:, None], 0)
            found.scatter_(1, column[:, None], (suspected.sum(1) - rest.sum(1)).clamp(min=0)[:, None])
        return found.where(found.sum(1, keepdim=True) > 0, suspected)
