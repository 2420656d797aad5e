"""Adam and Muon, lean: torch's own take 2 s to import and, on processors without bfloat16, up to ten times longer for a Muon step.

Each holds a part of a model's parameters and takes the rate at each step, since the schedule is the training loop's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from hourglass.parts.precision import has_bfloat16

BY_ADAM = {"bottleneck", "embedding", "logits"}  # parts of names of matrices that are no maps between features
State = dict[str, Tensor]


class Optimizer(ABC):
    """Base: a list of parameters, and tensors that go with them by name."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.tensors: dict[str, list[Tensor]] = {}

    @abstractmethod
    def step(self, rate: float) -> None:
        """Move the parameters along their gradients."""

    def state_dict(self) -> State:
        """The optimizer's memory, flat."""
        return {f"{name}.{i}": tensor for name, tensors in self.tensors.items() for i, tensor in enumerate(tensors)}

    def load_state_dict(self, state: State) -> None:
        """Take on what `state_dict` gave."""
        for name, tensors in self.tensors.items():
            for i, tensor in enumerate(tensors):
                tensor.copy_(state[f"{name}.{i}"])


class Adam(Optimizer):
    """Adam in one fused call (Kingma and Ba 2015, algorithm 1), with torch's usual constants."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters)
        self.tensors = {
            "mean": [torch.zeros_like(parameter) for parameter in self.parameters],
            "square": [torch.zeros_like(parameter) for parameter in self.parameters],
            "step": [torch.zeros((), dtype=torch.float32, device=parameter.device) for parameter in self.parameters],
        }

    @torch.no_grad()
    def step(self, rate: float) -> None:
        gradients = {i: parameter.grad for i, parameter in enumerate(self.parameters) if parameter.grad is not None}
        if not gradients:
            return
        means, squares, steps = ([self.tensors[name][i] for i in gradients] for name in ("mean", "square", "step"))
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            [self.parameters[i] for i in gradients],
            list(gradients.values()),
            means,
            squares,
            [],
            steps,
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


class Muon(Optimizer):
    """Muon for matrices: momentum, made orthogonal (Jordan et al. 2024), as large as an update of Adam (Liu et al. 2025, eq. 4).

    The filters of a convolution (out, in, height, width) are a matrix with a row for each: (out, in * height * width).
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters)
        self.tensors = {"momentum": [torch.zeros_like(parameter) for parameter in self.parameters]}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        alike: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
        for parameter, momentum in zip(self.parameters, self.tensors["momentum"], strict=True):
            if parameter.grad is not None:
                momentum.lerp_(parameter.grad, 0.05)
                ahead = parameter.grad.lerp(momentum, 0.95).flatten(1)  # Nesterov's look ahead
                alike[ahead.shape].append((parameter, ahead))
        for shape, some in alike.items():  # those of one shape together
            stack = torch.stack([ahead for _, ahead in some])
            updates = orthogonal(stack.bfloat16() if has_bfloat16(stack.device) else stack)  # precise enough for a direction
            for (parameter, _), update in zip(some, updates, strict=True):
                parameter.add_(update.reshape(parameter.shape), alpha=-rate * 0.2 * max(shape) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearly orthogonal matrix near each of some (..., rows, columns): singular values moved to about 1 by Newton and Schulz.

    X <- a X + (b A + c A²) X with A = X Xᵀ and (a, b, c) = (3.4445, -4.7750, 2.0315), five times, which sends singular values into
    0.7 to 1.2 (Jordan et al. 2024, "Muon").
    """
    wide = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT
    x: Tensor = wide / torch.linalg.matrix_norm(wide, keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x if wide is matrices else x.mT


def adam(model: nn.Module) -> list[Optimizer]:
    """Adam for everything."""
    return [Adam(model.parameters())]


def muon(model: nn.Module) -> list[Optimizer]:
    """Muon for matrices and filters of the networks, Adam for the rest."""
    named = dict(model.named_parameters())
    matrices = [name for name, parameter in named.items() if parameter.ndim in (2, 4) and BY_ADAM.isdisjoint(name.split("."))]
    return [Muon(named[name] for name in matrices), Adam(named[name] for name in named if name not in matrices)]


OPTIMIZERS: dict[str, Callable[[nn.Module], list[Optimizer]]] = {"adam": adam, "muon": muon}
