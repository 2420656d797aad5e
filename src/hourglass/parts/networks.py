"""Encoders and decoders: how much structure of the data is assumed."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from hourglass.errors import ParameterError
from hourglass.parts.base import Part, is_count, one_of

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


@dataclass(frozen=True)
class Network(Part):
    """Base of the networks: builds an encoder from elements of ``shape`` to ``n`` numbers, or a decoder the other way."""

    @abstractmethod
    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        """A module from (batch, *shape) to (batch, n)."""

    @abstractmethod
    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        """A module from (batch, n) to (batch, *shape)."""


@dataclass(frozen=True)
class Dense(Network):
    """Fully connected layers: nothing is assumed of the data.

    Parameters
    ----------
    hidden : tuple of int, optional
        Widths of the layers between the input and the waist; the decoder has them in reverse. Chosen from the sizes of input and
        waist unless given: see `hidden_widths`. ``()`` is a single linear map on either side.
    activation : str, default="silu"
        The function between layers: "relu", "leaky_relu", "elu", "gelu", "silu" or "tanh".
    residual : bool, default=True
        Whether the layers, each normalised, only add to a linear map from end to end, which starts as PCA: the model then bends
        from there. False gives the layers alone, as in textbooks.

    References
    ----------
    Ba, Kiros and Hinton, "Layer Normalization", 2016, equation 4. Saxe et al., "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", 2014, section 3 (orthogonal weights at the start).

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Dense(hidden=(256, 128), activation="relu")
    Dense(hidden=(256, 128), activation='relu', residual=True)
    """

    hidden: tuple[int, ...] | None = None
    activation: str = "silu"
    residual: bool = True

    def __post_init__(self) -> None:
        widths = () if self.hidden is None else self.hidden
        valid = isinstance(widths, (tuple, list)) and all(is_count(width) for width in widths)
        self._require("hidden", valid, "a tuple of positive ints, or None")
        one_of(self.activation, ACTIVATIONS, "activation", "Dense")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(nn.Flatten(), self._net([math.prod(shape), *self._widths(shape, n), n], generator))

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(self._net([n, *reversed(self._widths(shape, n)), math.prod(shape)], generator), nn.Unflatten(1, shape))

    def _widths(self, shape: tuple[int, ...], n: int) -> tuple[int, ...]:
        return hidden_widths(math.prod(shape), n) if self.hidden is None else tuple(self.hidden)

    def _net(self, widths: list[int], generator: torch.Generator) -> nn.Module:
        if len(widths) == 2:
            return _linear(widths[0], widths[1], generator)
        residual = self.residual
        layers: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            norm = [nn.LayerNorm(after)] if residual else []
            layers += [_linear(before, after, generator, gain=math.sqrt(2)), *norm, ACTIVATIONS[self.activation]()]
        layers.append(_linear(widths[-2], widths[-1], generator, gain=0.0 if residual else 1.0))
        bent = nn.Sequential(*layers)
        return Residual(_linear(widths[0], widths[-1], generator), bent) if residual else bent


class Residual(nn.Module):
    """A linear map, and what a network adds to it: nothing at first."""

    def __init__(self, linear: nn.Linear, bent: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.bent = bent

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(x) + self.bent(x)
        return output


def linear_path(network: nn.Module) -> nn.Linear | None:
    """The linear map from one end of a dense network to the other, if it has one."""
    return next((module.linear for module in network.modules() if isinstance(module, Residual)), None)


def hidden_widths(inputs: int, n: int) -> tuple[int, ...]:
    """The widths of a dense encoder that is told nothing: two layers, about as wide as the input, and never below the waist."""
    width = max(min(max(2 ** round(math.log2(inputs)), 128), 256), 2 * n)
    return (width, width // 2)


def _linear(before: int, after: int, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    """A linear layer with orthogonal weights times a gain, drawn from our generator instead of the global one."""
    layer = nn.Linear(before, after, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        nn.init.zeros_(layer.bias)
        if gain == 0:
            nn.init.zeros_(layer.weight)
        else:
            nn.init.orthogonal_(layer.weight, gain, generator=generator)
    return layer


Factory = Callable[[tuple[int, ...], int], nn.Module]
"""A user's own network: a function of the elements' shape and the number of codes that returns a module."""


def dry_run(module: nn.Module, role: str, given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Pass two rows of zeros through a user's module; a mismatch becomes an error that names both shapes."""
    before = module.training
    try:
        with torch.no_grad():
            output: Tensor = module.eval()(torch.zeros(2, *given))
    except (RuntimeError, ValueError, IndexError) as error:
        first = str(error).splitlines()[0]
        raise ParameterError(f"The {role} can't take a batch of shape {_shown(given)}: {first}.") from error
    finally:
        module.train(before)
    if output.shape[0] != 2 or output[0].numel() != math.prod(wanted):
        raise ParameterError(
            f"The {role} makes {_shown(tuple(output.shape[1:]))} of a batch of shape {_shown(given)}; "
            f"the model needs {_shown(wanted)}."
        )


def _shown(shape: tuple[int, ...]) -> str:
    return f"(batch, {', '.join(str(size) for size in shape)})"
