"""The page of a model that mends rows of symbols: rows before and after, and how many edits they are from clean ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from hourglass.analysis import structures
from hourglass.analysis.metrics import Array
from hourglass.analysis.page import Card, mended_share, percent, rendered_of, training_card
from hourglass.analysis.sequences import edits
from hourglass.data.some import spread
from hourglass.kinds import taken
from hourglass.kinds.token import END

if TYPE_CHECKING:
    from hourglass.estimators import DenoisingAutoencoder

MOST_TRIED = 256  # rows that are mended
MOST_DRAWN = 6  # of them
PILES = ("as it should be", "as it came", "mended")


class Tried(NamedTuple):
    """Rows clean, damaged, mended, and what becomes of clean ones."""

    rows: tuple[Any, ...]  # three piles of raw rows
    edits: tuple[Array, Array, Array]  # (n,) of those damaged, mended and mended without need, from the clean ones


def rewriting_page(model: DenoisingAutoencoder, raw: Any, title: str | None) -> str:
    """The page of a model that mends rows of symbols in HTML."""
    raw = model._checked(raw)
    tried = _tried(model, taken(raw, spread(len(raw), MOST_TRIED)))
    before, after, kept = tried.edits
    gone = mended_share(before.sum(), after.sum())
    drawn = {"mended": spread(len(before), MOST_DRAWN), "worst": np.argsort(-after, kind="stable")[:MOST_DRAWN]}
    pictures = {
        name: structures.compared(
            model.kind_, [(pile, [rows[i] for i in some]) for pile, rows in zip(PILES, tried.rows, strict=True)]
        )
        for name, some in drawn.items()
    }
    cards = [
        Card("Right", percent((after == 0).mean()), f"of the rows; {percent((before == 0).mean())} before"),
        Card("Edits", f"{after.mean():.2f}", f"a row from the truth; {before.mean():.2f} before"),
        Card("Left alone", percent((kept == 0).mean()), "of the rows that were clean come back as they were"),
    ]
    return rendered_of(
        model,
        raw,
        "rewriting.html.j2",
        pictures,
        title,
        headline=f"From {before.mean():.2f} to {after.mean():.2f} edits a row: {gone} of the damage is mended",
        corruption=model.model_.corruption,
        tried=f"{len(before):,} row{'s' * (len(before) != 1)}",
        cards=[*cards, *training_card(model)],
    )


def _tried(model: DenoisingAutoencoder, raw: Any) -> Tried:
    """Rows damaged as the model learned it, and mended."""
    kind, inner = model.kind_, model.model_
    generator = torch.Generator(model._device).manual_seed(0)
    with torch.inference_mode():
        clean = inner.scaling(kind.to_tensor(raw).to(model._device)).float()
        seen = inner.corruption(clean, generator)
        piles = [inner.scaling.inverse(x).cpu() for x in (clean, seen, inner.mend(seen), inner.mend(clean))]
    numbers = [[row[: int((row != END).cumprod(0).sum())].tolist() for row in pile] for pile in piles]
    apart = [np.array([edits(row, [other])[0] for row, other in zip(pile, numbers[0], strict=True)]) for pile in numbers[1:]]
    rows = tuple(kind.from_tensor(pile) for pile in piles[:3])
    return Tried(rows, (apart[0], apart[1], apart[2]))
