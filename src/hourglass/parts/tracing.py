"""Whether a graph is being made of what runs: no branch may then depend on numbers, and every row goes the same way."""

from __future__ import annotations

import torch


def traced() -> bool:
    """Whether torch follows what is done with tensors, to write it down, in place of doing it."""
    return torch.compiler.is_compiling()


class Settled:
    """What of a module has to be known before it can be traced: numbers that decide, and what is made when first needed."""

    def settle_for_tracing(self) -> None:
        """Read or make it."""
        raise NotImplementedError
