"""Encoders and decoders: how much structure of the data is assumed."""

from __future__ import annotations

import math
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hourglass.errors import ParameterError, with_article
from hourglass.parts.base import Part, are_counts, one_of

Module = TypeVar("Module", bound=nn.Module)
Layer = TypeVar("Layer", nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)

GLOBAL = threading.RLock()  # held by who has torch's global generators
RANDOM = (nn.modules.dropout._DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)

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

    restores: ClassVar[bool] = False  # whether it corrects the picture that it is given, of any size, in place of drawing one
    habits: ClassVar[dict[str, Any]] = {"optimizer": "adam", "learning_rate": 5e-3, "schedule": "one-cycle"}  # measured to be good

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
        from there. False gives the layers alone, started at random, as in textbooks.

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
        self._require("hidden", are_counts(widths, fewest=0), "a tuple of positive ints, or None")
        one_of(self.activation, ACTIVATIONS, "activation", "Dense")

    def encoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(nn.Flatten(), self._net([math.prod(shape), *self._widths(shape, n), n], generator))

    def decoder(self, shape: tuple[int, ...], n: int, generator: torch.Generator) -> nn.Module:
        return nn.Sequential(self._net([n, *reversed(self._widths(shape, n)), math.prod(shape)], generator), nn.Unflatten(1, shape))

    def _widths(self, shape: tuple[int, ...], n: int) -> tuple[int, ...]:
        return hidden_widths(math.prod(shape), n) if self.hidden is None else tuple(self.hidden)

    def _net(self, widths: list[int], generator: torch.Generator) -> nn.Module:
        residual = self.residual
        if len(widths) == 2:
            straight = Straight if residual else nn.Linear
            return initialised(straight(widths[0], widths[1], device="meta"), generator, gain=1.0)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            norm = [nn.LayerNorm(after)] if residual else []
            layers += [linear(before, after, generator, gain=math.sqrt(2)), *norm, ACTIVATIONS[self.activation]()]
        layers.append(linear(widths[-2], widths[-1], generator, gain=0.0 if residual else 1.0))
        bent = nn.Sequential(*layers)
        return Residual(linear(widths[0], widths[-1], generator), bent) if residual else bent


class Added(nn.Sequential):
    """Layers that add to what they are given."""

    def forward(self, h: Tensor) -> Tensor:
        output: Tensor = h + super().forward(h)  # type: ignore[no-untyped-call]
        return output


class Gaps(nn.Module):
    """Fills missing and hidden elements (NaN) for the encoder, and tells it beside them which they are.

    Those of a table with the mean, which is zero, those of a picture (batch, channels, height, width) with what is around them.

    Parameters
    ----------
    marks : callable, optional
        From x to what is put beside it: a channel of a picture, else more of the axis ``beside``. Where it is not zero is a gap as
        well. None puts nothing there.
    beside : int, default=-1
        The axis, of anything but pictures: the last, of series that of the channels.
    """

    def __init__(self, marks: Callable[[Tensor], Tensor | None] | None, beside: int = -1) -> None:
        super().__init__()
        self.marks = marks
        self.beside = beside

    def forward(self, x: Tensor) -> Tensor:
        marks = None if self.marks is None else self.marks(x)
        if marks is None:
            return x.nan_to_num(0.0, posinf=torch.inf, neginf=-torch.inf)
        if x.ndim != 4:
            return torch.cat([x.masked_fill(x.isnan(), 0), marks.to(x.dtype)], self.beside)
        return torch.cat([filled(x.nan_to_num(0), (marks == 0).to(x.dtype)), marks.to(x.dtype)], 1)


def filled(x: Tensor, known: Tensor) -> Tensor:
    """Pictures x (batch, channels, height, width) with what is known of them, the nearer the more, where ``known`` is 0, else 1.

    Halved until something is known everywhere, then doubled again (Gortler et al., "The Lumigraph", 1996, section 3.4).
    """
    height, width = x.shape[-2:]
    if known.all() or max(height, width) == 1:
        return x
    padded = (0, width % 2, 0, height % 2)
    share = functional.avg_pool2d(functional.pad(known, padded), 2)
    mean = functional.avg_pool2d(functional.pad(x * known, padded), 2) / share.clamp(min=0.25)
    coarse = filled(mean, (share > 0).to(x.dtype))
    fine = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear")[..., :height, :width]
    return torch.where(known > 0, x, fine)


class Residual(nn.Module):
    """A linear map, and what a network adds to it: nothing at first. One that is ``kept`` stays as it is once it is PCA."""

    def __init__(self, linear: nn.Linear, bent: nn.Module, *, kept: bool = False) -> None:
        super().__init__()
        self.linear = linear
        self.bent = bent
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(x.flatten(1)) + self.bent(x)
        return output


class Straight(nn.Linear):
    """A linear map to which nothing is added, and which yet may start as that of a `Residual` does."""

    kept = False

    @property
    def linear(self) -> nn.Linear:
        return self


def linear_path(network: nn.Module) -> Residual | Straight | None:
    """The part of a network that has a linear map from one end to the other, if there is one."""
    return next((module for module in network.modules() if isinstance(module, (Residual, Straight))), None)


def hidden_widths(inputs: int, n: int) -> tuple[int, ...]:
    """The widths of a dense encoder that is told nothing: two layers, about as wide as the input, and never below the waist."""
    width = max(min(max(2 ** round(math.log2(inputs)), 128), 256), 2 * n)
    return (width, width // 2)


def linear(before: int, after: int, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    """A linear layer with orthogonal weights times a gain."""
    return initialised(nn.Linear(before, after, device="meta"), generator, gain)


def on_processor(generator: torch.Generator) -> torch.Generator:
    """What weights are drawn from, which are made there: the generator itself, or for one of another device one of its seed."""
    return generator if generator.device.type == "cpu" else torch.Generator().manual_seed(generator.initial_seed())


def draws(network: nn.Module) -> bool:
    """Whether a part of a network may draw from torch's global generators: dropout, or what is neither ours nor torch's."""
    return any(
        type(module).__module__.split(".")[0] not in ("hourglass", "torch")
        or isinstance(module, RANDOM)
        or bool(getattr(module, "dropout", 0))
        for module in network.modules()
    )


@contextmanager
def seeded_by(generator: torch.Generator, network: nn.Module | None = None) -> Iterator[None]:
    """For what draws from torch's global generators, as a user's network may: they go on from ours, and are put back.

    They belong to the whole process, so threads wait for one another, but not for a network that draws nothing.
    """
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    if network is not None and not draws(network):
        yield
        return
    with GLOBAL, torch.random.fork_rng(devices=[generator.device] if generator.device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def undrawn(layer: Module) -> Module:
    """A layer of torch's device "meta", given memory in which nothing is drawn; its own ``to_empty`` imports all of sympy."""
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(torch.empty(parameter.shape, dtype=parameter.dtype, device="cpu")))
    return layer


def initialised(layer: Layer, generator: torch.Generator, gain: float) -> Layer:
    """A layer without memory, given some: orthogonal weights times a gain, drawn from our generator instead of the global one."""
    layer = undrawn(layer)
    with torch.no_grad():
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
        if gain != 0:
            nn.init.orthogonal_(layer.weight, gain, generator=generator)
    return layer


def dry_run(module: nn.Module, role: str, given: tuple[int, ...], wanted: tuple[int, ...], advice: str = "") -> None:
    """Pass two rows of zeros through a user's module; a mismatch becomes an error that names both shapes, and ends in advice."""
    before = module.training
    try:
        with torch.no_grad():
            output: Any = module.eval()(torch.zeros(2, *given))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        first = str(error).splitlines()[0]
        raise ParameterError(f"The {role} can't take a batch of shape {batch_of(given)}: {first}.") from error
    finally:
        module.train(before)
    if not isinstance(output, Tensor):
        raise ParameterError(f"The {role} must make one tensor of a batch. It makes {with_article(type(output).__name__)}.{advice}")
    if output.shape[0] != 2 or output[0].numel() != math.prod(wanted):
        raise ParameterError(
            f"The {role} makes {batch_of(tuple(output.shape[1:]))} of a batch of shape {batch_of(given)}; "
            f"the model needs {batch_of(wanted)}.{advice}"
        )


def batch_of(shape: tuple[int, ...]) -> str:
    """The shape of a batch of such elements, as a sentence has it."""
    return f"(batch, {', '.join(str(size) for size in shape)})"
