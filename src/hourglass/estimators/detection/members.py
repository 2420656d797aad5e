"""An ensemble that learns to rebuild hidden columns from the others: its members share the rows out, so each row is new to one."""

from __future__ import annotations

import torch
from torch import Tensor

from hourglass.batches import Batches
from hourglass.estimators.assembly import default_likelihood
from hourglass.estimators.detection.watch import ColumnWatch
from hourglass.kinds import Kind
from hourglass.model import Hourglass
from hourglass.parts import Hide, Plain, blocks
from hourglass.parts.alarm import Alarm
from hourglass.parts.networks import Gaps, on_processor
from hourglass.parts.scaling import Scaling
from hourglass.training import Plan, Trainer

MEMBERS = 3
WIDTH, BLOCKS = 128, 2  # of the networks
GROUPS = 12  # so many times some of the columns are hidden, until each was hidden once
MOST_HELD_OUT = 2048  # rows a member that choose the best weights
PLAN = Plan(max_epochs=10, batch_size=128, optimizer="adam", learning_rate=4e-3, schedule="cosine", patience=10)
STEPS = 100  # an epoch
WIDE = 512  # elements of a row from where on there are fewer steps, for each costs more
SUSPECTS = 6  # columns that are looked at more closely


class EnsembleWatch(ColumnWatch):
    """From scaled rows x (n, elements) to scores, by an ensemble.

    Parameters
    ----------
    model : Hourglass
        As `build` makes it.
    alarm : Alarm
        What judges the errors.
    """

    placed_by = "scaled numbers"
    group: Tensor

    def __init__(self, model: Hourglass, alarm: Alarm) -> None:
        super().__init__(model, alarm)
        group, self.groups = groups(alarm.column_of)
        self.register_buffer("group", group, persistent=False)

    def place(self, x: Tensor) -> Tensor:
        return self.seen(x).nan_to_num(0)

    def expected(self, x: Tensor) -> Tensor:
        """What the elements (n, elements) are expected to be by a member that sees none of their group; they take turns.

        X is drawn into the range of the training rows: a wild column doesn't upset what is expected of others.
        """
        x = self.alarm.within(x)
        found = torch.empty_like(x)
        for first in range(0, self.groups, MEMBERS):
            turns = torch.arange(first, first + MEMBERS, device=x.device)
            hidden = self.group == turns[:, None]  # (members, elements)
            rebuilt = self.model.reconstruct(x[:, None].masked_fill(hidden, torch.nan))
            found = torch.where(hidden.any(0), (rebuilt * hidden).sum(1), found)
        return found

    def errors_out_of_fold(self, x: Tensor) -> Tensor:
        """Errors (m * members, columns) of rows that are new to each member, x (m, members, elements)."""
        expected = torch.empty_like(x)
        for number in range(self.groups):
            hidden = self.group == number
            expected[..., hidden] = self.model.reconstruct(x.masked_fill(hidden, torch.nan))[..., hidden]
        return self.errors_from(x.flatten(0, 1), expected.flatten(0, 1))

    def blame(self, x: Tensor, expected: Tensor) -> Tensor:
        """How much each column adds to a row's strangeness (n, columns): how much less strange the whole row is without it.

        A strange cell makes its neighbours look strange as well, so the columns first suspected are hidden in turn.
        """
        suspected = super().blame(x, expected)
        if suspected.shape[1] == 1:
            return suspected
        found = torch.zeros_like(suspected)
        for column in suspected.topk(min(SUSPECTS, suspected.shape[1]), dim=1).indices.unbind(1):
            without = x.masked_fill(self.alarm.column_of == column[:, None], torch.nan)
            rest = self.alarm.blame(without, self.errors(without)).scatter(1, column[:, None], 0)
            found.scatter_(1, column[:, None], (suspected.sum(1) - rest.sum(1)).clamp(min=0)[:, None])
        return found.where(found.sum(1, keepdim=True) > 0, suspected)


def build(kind: Kind, scaling: Scaling, generator: torch.Generator) -> Hourglass:
    """The ensemble, freshly drawn."""
    (elements,), chance = kind.shape, on_processor(generator)
    shape = (MEMBERS, elements)
    return Hourglass(
        shape,
        scaling=scaling,
        corruption=Hide(0.6, kind.column_of if kind.categories else None),
        gaps=Gaps(torch.isnan),
        encoder=blocks.encoder((MEMBERS, 2 * elements), WIDTH, BLOCKS, chance),
        bottleneck=Plain(WIDTH).build(),
        decoder=blocks.decoder(shape, WIDTH, BLOCKS, chance),
        likelihood=default_likelihood(kind).build(shape, kind.categories),
    ).to(generator.device)


def trainer(model: Hourglass, x: Tensor, plan: Plan, generator: torch.Generator) -> tuple[Trainer, list[Tensor]]:
    """What trains the members on rows x (n, elements), and of each member the rows that it doesn't see."""
    folds = list(torch.randperm(len(x), generator=generator, device=x.device).tensor_split(MEMBERS))
    learned = side_by_side([torch.cat(folds[:k] + folds[k + 1 :]) for k in range(MEMBERS)])
    steps = max(STEPS * min(WIDE, x.shape[1]) // x.shape[1], STEPS // 4)
    train = Batches(x, learned, model.scaling, per_epoch=steps * min(plan.batch_size, len(learned)))
    held_out = side_by_side([fold[:MOST_HELD_OUT] for fold in folds])
    return Trainer(model, train, Batches(x, held_out, model.scaling), plan, generator), folds


def side_by_side(rows: list[Tensor]) -> Tensor:
    """Rows of each member, as many of each (m, members)."""
    return torch.stack([some[: min(map(len, rows))] for some in rows], 1)


def sorts(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which of the sorts of equal rows each of x (m, elements) is, (m,); a row of each, and whether all members know it (sorts,).

    The folds take turns in x. A member that has not seen a row knows its like nevertheless, if that is in another fold.
    """
    which: Tensor = torch.unique(x.nan_to_num(torch.inf), dim=0, return_inverse=True)[1]
    row, count = torch.arange(len(x), device=x.device), int(which.max()) + 1
    ends = [row.new_zeros(count).scatter_reduce(0, which, row % MEMBERS, how, include_self=False) for how in ("amin", "amax")]
    return which, row.new_zeros(count).scatter_(0, which, row), ends[0] < ends[1]


def groups(column_of: Tensor) -> tuple[Tensor, int]:
    """The group (elements,) that each element is hidden with, those of one column together, and how many groups there are."""
    columns = int(column_of[-1]) + 1
    count = min(GROUPS, columns)
    turn = torch.randperm(columns, generator=torch.Generator().manual_seed(0)) % count
    return turn.to(column_of.device)[column_of], count
