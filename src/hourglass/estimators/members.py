"""An ensemble that learns to rebuild hidden columns from the others: its members share the rows out, so each row is new to one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hourglass.model import Hourglass
from hourglass.parts import Gaussian, Hide, Plain, ResidualBlocks
from hourglass.parts.scaling import Scaling
from hourglass.training import Batches, Plan, Trainer

MEMBERS = 3
BLOCKS = ResidualBlocks(width=128, blocks=2)
GROUPS = 12  # so many times some of the columns are hidden, until each was hidden once
MOST_HELD_OUT = 2048  # rows a member that choose the best weights
PLAN = Plan(20, None, 128, "adam", 2e-3, "cosine", 20, None)
STEPS = 100  # an epoch


def build(columns: int, scaling: Scaling, generator: torch.Generator) -> Hourglass:
    """The ensemble, freshly drawn."""
    shape = (MEMBERS, columns)
    return Hourglass(
        shape,
        scaling=scaling,
        corruption=Hide(0.6),
        encoder=BLOCKS.encoder(shape, BLOCKS.width, generator),
        bottleneck=Plain(BLOCKS.width).build(),
        decoder=BLOCKS.decoder(shape, BLOCKS.width, generator),
        likelihood=Gaussian().build(shape),
    )


def trainer(model: Hourglass, x: Tensor, plan: Plan, generator: torch.Generator) -> tuple[Trainer, Tensor]:
    """What trains the members on rows x (n, columns), and the member (n,) that each row is held out from."""
    order = torch.randperm(len(x), generator=generator)
    fold = torch.empty(len(x), dtype=torch.long)
    fold[order] = torch.arange(len(x)) % MEMBERS
    learned = _by_member(lambda k: order[fold[order] != k])
    held_out = _by_member(lambda k: order[fold[order] == k][:MOST_HELD_OUT])
    train = Batches(x, learned, model.scaling, per_epoch=STEPS * min(plan.batch_size, len(learned)))
    return Trainer(model, train, Batches(x, held_out, model.scaling), plan, generator), fold


def _by_member(rows: Callable[[int], Tensor]) -> Tensor:
    """Rows of each member, as many of each (m, members)."""
    each = [rows(member) for member in range(MEMBERS)]
    return torch.stack([some[: min(map(len, each))] for some in each], 1)


def expected(model: Hourglass, x: Tensor) -> Tensor:
    """What each member expects of each element of x (n, columns), having seen none of its group: (n, members, columns)."""
    columns = x.shape[1]
    groups = min(GROUPS, columns)
    group = torch.randperm(columns, generator=torch.Generator().manual_seed(0)) % groups
    stacked = x[:, None].expand(len(x), MEMBERS, columns)
    found = torch.empty_like(stacked, memory_format=torch.contiguous_format)
    for number in range(groups):
        hidden = group == number
        rebuilt = model.reconstruct(stacked.masked_fill(hidden, torch.nan))
        found[..., hidden] = rebuilt[..., hidden]
    return found
