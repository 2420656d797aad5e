"""Strange rows of symbols: what is foretold worst, in nats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hourglass.estimators.detection.watch import ErrorWatch
from hourglass.parts.alarm import FIRST_GAP, SMALLEST, Alarm
from hourglass.parts.neighbours import Neighbours

if TYPE_CHECKING:
    import polars as pl


class SymbolAlarm(Alarm):
    """From the nats of a row's symbols to its score; higher is stranger.

    Two terms are alarming each by itself: the logarithm of the mean nats of a symbol, the end of the row among them, and that of
    its worst symbol; both from the median of rows held out, in what would be their standard deviations if they were normal above
    it. No training row is kept; out of range are symbols that no training row had.

    Below, x (n, symbols) are how often each symbol comes; errors (n, length) are nats.
    """

    def __init__(self, column_of: tuple[int, ...], references: int, neighbours: Neighbours | None = None) -> None:
        super().__init__(column_of, references, neighbours)
        self.centre, self.scale = torch.zeros(2), torch.zeros(2)

    def calibrate(self, held_out: Tensor, errors: Tensor) -> None:
        """Learn from rows held out, and from their nats, what is usual."""
        self._calibrate_scores(held_out, errors)

    def terms(self, x: Tensor, errors: Tensor) -> Tensor:
        """The two terms of each row (n, 2)."""
        return torch.log(torch.stack([errors.sum(1) / x.sum(1), errors.amax(1)], 1) + SMALLEST)

    def outside(self, x: Tensor) -> Tensor:
        """Of each symbol that no training row had, `FIRST_GAP` for each time it comes; 0 for the others (n, symbols)."""
        return FIRST_GAP * x * (self.points[-1] == 0)


class SymbolWatch(ErrorWatch):
    """From rows x (n, length, symbols) to scores, by the nats of each symbol when it is rebuilt."""

    def seen(self, x: Tensor) -> Tensor:
        return counts(x)

    def names(self, kind: Any) -> tuple[str, ...]:
        """Those of the symbols."""
        return symbols_of(kind)

    def errors(self, x: Tensor) -> Tensor:
        """Nats (n, length)."""
        return self._rebuilt(x)[0]

    def _rebuilt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Nats (n, length), and the likeliest symbol of each position (n, length)."""
        output = self.model.decode(self.model.encode(x).z, None, x)
        return self.model.likelihood.nll(x, output).sum(-1), output.argmax(-1)

    def positions(self, x: Tensor) -> Tensor:
        """Nats, what stands at each position and what was expected there (n, 3, length)."""
        nats, expected = self._rebuilt(x)
        return torch.stack([nats, x.argmax(-1).to(nats), expected.to(nats)], 1)


def counts(x: Tensor) -> Tensor:
    """How often each symbol comes (n, symbols) in rows x (n, length, symbols), the end among them."""
    return x.sum(1)


def symbols_of(kind: Any) -> tuple[str, ...]:
    """The symbols of a kind, first the end."""
    return ("the end", *(symbol or kind.unseen for symbol in kind.alphabet))


def blank(kind: Any, references: int) -> SymbolAlarm:
    """An alarm for a file to fill."""
    return SymbolAlarm(tuple(range(1 + len(kind.alphabet))), references)


def learn(model: Any, kind: Any, counted: Tensor, aside: Tensor, at_once: int) -> SymbolWatch:
    """Learn what is usual from counts (n, symbols) of rows that were learned from, and from rows (m, length, symbols) held out."""
    alarm = SymbolAlarm.learn(tuple(range(1 + len(kind.alphabet))), counted)
    watch = SymbolWatch(model, alarm)
    alarm.calibrate(counts(aside), torch.cat([watch.errors(part) for part in torch.split(aside, at_once)]))
    return watch


def explained(detector: Any, strange: Any, rows: NDArray[np.intp], p_values: NDArray[Any], most: int | None) -> pl.DataFrame:
    """A line for each of at most ``most`` positions of each strange row, the one that costs most first."""
    import polars as pl

    kind, lines = detector.kind_, []
    names = symbols_of(kind)
    found = detector._collect(strange, lambda watch, x: watch.positions(x)).numpy() if len(rows) else np.empty((0, 3, 0))
    for raw, row, p_value, (nats, seen, wanted) in zip(kind.rows_of(strange), rows, p_values, found, strict=True):
        for place in np.argsort(-nats, kind="stable")[:most]:
            if nats[place] <= 0:  # behind the end
                break
            where = kind.place_name(raw, place)
            here, there = (kind.symbol_name(raw, names[int(numbers[place])]) for numbers in (seen, wanted))
            if place == len(nats) - 1 and here == kind.unseen and kind.exceeds(raw):
                here = f"more than {len(nats)} {kind.piece}s"
            instead = f" where {there} is expected" if here != there else ""
            reason = f"{where}: {here}{instead}, which costs {nats[place]:.1f} nats"
            lines.append((int(row), float(p_value), where, float(nats[place] / nats.sum()), here, there, reason))
    schema = {"row": pl.Int64, "p_value": pl.Float64, "column": pl.String, "share": pl.Float64}
    frame = pl.DataFrame(lines, schema=schema | dict.fromkeys(("observed", "expected", "reason"), pl.String), orient="row")
    origins = pl.DataFrame({"row": rows, **kind.origins(strange)})
    return origins.join(frame, on="row", maintain_order="right")
