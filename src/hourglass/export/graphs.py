"""What is exported: the library's own modules, wired from the numbers that data has to the numbers that are asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hourglass.kinds import Kind
from hourglass.parts.alarm import beyond, strangest_if_nan
from hourglass.parts.tracing import Settled

BLOCK = 256  # scores of a reference that are looked at together


class Graph(nn.Module):
    """Base of what is exported: from numbers (n, *raw_shape) to named outputs.

    Parameters
    ----------
    kind : Kind
        Of the data.
    model : torch module
        A copy of it, whose ``scaling`` comes first, is what the graph runs.
    """

    names: tuple[str, ...]  # of the outputs
    codes = 0  # how many codes the decoder takes that stands beside, if there is one
    fills = False  # whether what is mended is gaps alone, so that all other cells of a table are as they came

    def __init__(self, kind: Kind, model: Any) -> None:
        super().__init__()
        self.kind = kind
        self.model = copy.deepcopy(model).cpu().eval()
        self.scaling = self.model.scaling
        for module in self.model.modules():
            if isinstance(module, Settled):
                module.settle_for_tracing()

    def scaled(self, numbers: Tensor) -> Tensor:
        """What networks see of numbers."""
        x: Tensor = self.scaling(self.kind.inward(numbers))
        return x.float()

    def unscaled(self, x: Tensor) -> Tensor:
        """The numbers (n, *raw_shape) of what networks see."""
        return self.kind.outward(self.scaling.inverse(x))

    def usual(self, x: Tensor) -> Tensor:
        """What the model makes of x (n, *shape), of the same shape."""
        rebuilt: Tensor = self.model.reconstruct(x)
        return rebuilt

    @property
    def input_dtype(self) -> torch.dtype:
        """What numbers the graph takes: of tables in double precision where columns lie far from zero, as times do."""
        if self.kind.symbolic:
            return torch.int64
        if self.kind.name == "image":
            return torch.uint8 if self.kind.dtype in ("bool", "uint8") else torch.float32
        return torch.float64 if self.scaling.far else torch.float32


def decoded_together(model: Any, *codes: Tensor) -> Sequence[Tensor]:
    """What the decoder makes of each of some codes, in one pass: the graph of one that writes symbol by symbol is long."""
    found: Sequence[Tensor] = model.decode(torch.cat(codes)).split([some.shape[0] for some in codes])
    return found


class AutoencoderGraph(Graph):
    """Codes, reconstructions and scores of rows; and what other codes are decoded to."""

    names: tuple[str, ...] = ("codes", "reconstruction", "score", "decoded")

    def __init__(self, kind: Kind, model: Any, codes: int) -> None:
        super().__init__(kind, model)
        self.codes = codes

    def forward(self, numbers: Tensor, codes: Tensor) -> tuple[Tensor, ...]:
        model, mean = self.model, self.model.likelihood.mean
        x = self.scaled(numbers)
        z = model.encode(x).z
        output, decoded = decoded_together(model, z, codes)
        score = -strangest_if_nan(model.likelihood.of_rows(x, model.decode(z, None, x) if model.reads else output))
        return z, self.unscaled(mean(output)), score, self.unscaled(mean(decoded))


class MendingGraph(AutoencoderGraph):
    """The same, and rows mended."""

    names = ("codes", "reconstruction", "score", "denoised", "decoded")

    def __init__(self, kind: Kind, model: Any, codes: int) -> None:
        super().__init__(kind, model, codes)
        self.fills = kind.name == "table" and not model.corruption.everywhere

    def forward(self, numbers: Tensor, codes: Tensor) -> tuple[Tensor, ...]:
        *found, decoded = super().forward(numbers, codes)
        return (*found, self.unscaled(self.model.mend(self.scaled(numbers))), decoded)


class WatchGraph(Graph):
    """Scores, p-values and alarms of rows, by what a detector holds."""

    names: tuple[str, ...] = ("score", "p_value", "alarm")

    def __init__(self, kind: Kind, watch: Any, threshold: float) -> None:
        super().__init__(kind, watch)
        reference = beyond(self.model.alarm.reference)
        padded = torch.full((-(-len(reference) // BLOCK) * BLOCK,), torch.inf)
        padded[: len(reference)] = reference
        self.blocks: Tensor
        self.register_buffer("blocks", padded.reshape(-1, BLOCK))
        self.count, self.of_one = len(reference), self.model.alarm.of_one
        self.threshold = threshold

    def usual(self, x: Tensor) -> Tensor:
        if self.kind.name == "image":  # whose model may see features
            return 0.5 + (x - 0.5) / 10
        expected: Tensor = self.model.expected(x)
        return expected.reshape(x.shape)

    def forward(self, numbers: Tensor) -> tuple[Tensor, ...]:
        strange = self.model(self.scaled(numbers))
        return -strange, self.p_values(strange), strange > self.threshold

    def p_values(self, strange: Tensor) -> Tensor:
        """The p-values of `Alarm`; as ONNX has no search, a block of the reference is found first, and then a place in it."""
        block = ((self.blocks[:, 0] < strange[:, None]).sum(1) - 1).clamp(min=0)
        below = block * BLOCK + (self.blocks[block] < strange[:, None]).sum(1)
        total = self.count + self.of_one
        shares: Tensor = (below.float() - total) / -total
        return shares


class DetectorGraph(WatchGraph):
    """The same of a detector whose estimator has codes: these, and its reconstructions, too."""

    names = ("codes", "reconstruction", *WatchGraph.names, "decoded")

    def __init__(self, kind: Kind, watch: Any, threshold: float, codes: int) -> None:
        super().__init__(kind, watch, threshold)
        self.codes = codes

    def forward(self, numbers: Tensor, codes: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        model = self.model.model
        z = model.encode(self.scaled(numbers)).z
        rebuilt, decoded = (self.unscaled(model.likelihood.mean(some)) for some in decoded_together(model, z, codes))
        return z, rebuilt, *super().forward(numbers), decoded
