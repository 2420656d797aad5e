"""The one training loop: an iterator of epoch records over any model whose ``loss`` is in nats."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hourglass.batches import Batch, Batches, Patches
from hourglass.errors import TrainingDivergedError
from hourglass.optimizers import OPTIMIZERS
from hourglass.parts.networks import seeded_by
from hourglass.parts.objectives import Learner
from hourglass.parts.precision import has_bfloat16

Tensors = dict[str, Tensor]
ACTIVATED = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU)  # whose units can die: below 0 little or nothing is learned

MOST_JUDGED, BATCHES_JUDGED = 1024, 16  # rows, and batches, of those held out that pass through the model together, at most


@dataclass(frozen=True)
class Epoch:
    """What one epoch of training gave. Losses are in nats an example; the rate is that of the last step."""

    epoch: int
    train: float
    validation: float | None
    seconds: float  # since training began
    examples_per_second: float
    learning_rate: float
    dead: float | None = None  # share of the units behind activations that are above 0 for no held-out row, so no longer learn
    kl: float | None = None  # what codes tell: divergence of the posteriors of held-out rows from the prior, where there are some


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train: for how long, in what steps. Without ``max_epochs`` and ``max_seconds`` there is no end to make progress to."""

    max_epochs: int | None = None
    max_seconds: float | None = None
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    patience: float | None = None  # None is a quarter of all epochs, at least 10
    gradient_clip: float | None = None


# Learning rate schedules: the share of the full rate as a function of progress, from 0 at the start to 1 at the end.


def one_cycle(progress: float) -> float:
    """Up along a cosine for 30% of the way, down to nothing along another (Smith and Topin 2017, "Super-Convergence")."""
    if progress < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / 0.3)) / 2  # from a twenty-fifth, as PyTorch's OneCycleLR
    return max((1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2, 1e-4)


def cosine(progress: float) -> float:
    """A warm-up of 5% of the way, then down along a cosine (Loshchilov and Hutter 2017, equation 5)."""
    return min(progress / 0.05, 1.0) * (1 + math.cos(math.pi * progress)) / 2


def constant(progress: float) -> float:
    """The full rate throughout."""
    return 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {"one-cycle": one_cycle, "cosine": cosine, "constant": constant}


class Trainer:
    """Trains a model in place; ``for epoch in trainer.epochs()`` goes on until the plan says enough.

    Parameters
    ----------
    model : Learner
        What to train.
    train, validation : Batches or Patches
        Rows to learn from, and rows held out to choose the best weights by; ``validation`` may be None.
    plan : Plan
        How long, and in what steps.
    generator : torch.Generator
        The only source of chance.
    """

    def __init__(
        self,
        model: Learner,
        train: Batches | Patches,
        validation: Batches | Patches | None,
        plan: Plan,
        generator: torch.Generator,
    ) -> None:
        self.model = model
        self.train = train
        self.validation = validation
        self.plan = plan
        self.generator = generator
        self.optimizers = OPTIMIZERS[plan.optimizer](model)
        self.in_half = takes_bfloat16(model, generator.device)
        self.history: list[Epoch] = []
        self.best: Tensors = _snapshot(model)
        self.best_epoch = 0
        self.best_loss: float | None = None
        self.start_loss: float | None = None  # held out, before the first step
        self.normalises = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())  # over a batch
        self._seconds_before = 0.0
        self._started = 0.0

    def follow(self, plan: Plan) -> None:
        """Go on by another plan; another optimiser begins without a memory."""
        if plan.optimizer != self.plan.optimizer:
            self.optimizers = OPTIMIZERS[plan.optimizer](self.model)
        self.plan = plan

    # The loop

    def epochs(self) -> Iterator[Epoch]:
        """Train until the epochs, the seconds or the patience are used up; the model then holds the last weights."""
        self._started = time.perf_counter()
        if not self.history:
            self.best_loss = self.start_loss = self._held_out()[0]
        while not self._finished():
            self.history.append(self._epoch())
            self._keep_best()
            yield self.history[-1]

    def go_over(self, train: Batches | Patches) -> Epoch:
        """One pass over other rows, without regard to the plan's end."""
        self.train = train
        self._seconds_before = self.history[-1].seconds if self.history else 0.0
        self._started = time.perf_counter()
        try:
            self.history.append(self._epoch())
        except TrainingDivergedError:
            self.restore_best()
            raise
        finally:
            self.model.eval()
        self._keep_best()
        return self.history[-1]

    def restore_best(self) -> None:
        """Give the model the weights with the lowest held-out loss; without held-out rows, those of the last epoch."""
        self.model.load_state_dict(self.best)

    def _finished(self) -> bool:
        plan, done = self.plan, len(self.history)
        return (
            (plan.max_epochs is not None and done >= plan.max_epochs)
            or (plan.max_seconds is not None and self._seconds() >= plan.max_seconds)
            or (self.validation is not None and self.model.steady and done - self.best_epoch >= self._patience())
        )

    def _patience(self) -> float:
        """How many epochs without a better held-out loss end training; of a plan in seconds, the epochs to come are foreseen."""
        if self.plan.patience is not None:
            return self.plan.patience
        return max(0.25 * len(self.history) / max(self._progress(0), 1e-9), 10)

    def _epoch(self) -> Epoch:
        began, seen, total, rate = time.perf_counter(), 0, 0.0, 0.0
        self.model.train()
        with seeded_by(self.generator, self.model):  # dropout, for one
            for number, batch in enumerate(self.train.shuffled(self.plan.batch_size, self.generator)):
                if number and len(batch) == 1 and self.normalises:
                    continue  # what is left over at the end: a row alone has no variance
                self.model.progress = self._progress(number)
                rate = self._rate(number)
                total += self._step(batch, number, rate) * len(batch)
                seen += len(batch)
                if self.plan.max_seconds is not None and self._seconds() >= self.plan.max_seconds:
                    break
        speed = seen / (time.perf_counter() - began)
        with watched_units(self.model) as alive:
            held_out, kl = self._held_out()
        dead = 1 - float(torch.cat(list(alive.values())).float().mean()) if alive else None
        return Epoch(len(self.history) + 1, total / seen, held_out, self._seconds(), speed, rate, dead, kl)

    def _held_out(self) -> tuple[float | None, float | None]:
        """Loss and divergence on the held-out rows, if any, with the same chance in each epoch, so that epochs compare."""
        self.model.eval()
        if self.validation is None:
            return None, None
        same = torch.Generator(self.generator.device).manual_seed(0)
        return mean_loss(self.model, self.validation, same, min(MOST_JUDGED, BATCHES_JUDGED * self.plan.batch_size))

    def _step(self, batch: Batch, number: int, rate: float) -> float:
        with torch.autocast(self.generator.device.type, torch.bfloat16, enabled=self.in_half):  # of the loss alone
            loss = self.model.loss(batch.x, self.generator, batch.given).total
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(batch, number, value)
        self.model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.plan.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.gradient_clip)
        for optimizer in self.optimizers:
            optimizer.step(rate)
        return value

    def _rate(self, number: int) -> float:
        return self.plan.learning_rate * SCHEDULES[self.plan.schedule](self._progress(number))

    def _progress(self, number: int) -> float:
        """How much of the plan is used up at a batch of the running epoch, from 0 to 1."""
        if self.plan.max_epochs is None and self.plan.max_seconds is None:
            return 1.0
        by_steps = by_seconds = 0.0
        if self.plan.max_epochs is not None:
            by_steps = (len(self.history) + number / self._steps()) / self.plan.max_epochs
        if self.plan.max_seconds is not None:
            by_seconds = self._seconds() / self.plan.max_seconds
        return min(max(by_steps, by_seconds), 1.0)

    def _steps(self) -> int:
        return math.ceil(len(self.train) / self.plan.batch_size)

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._started

    def _keep_best(self) -> None:
        """Remember the weights if they are the best so far; a held-out loss that is not finite never is."""
        loss = self.history[-1].validation
        if loss is None or self.best_loss is None or loss <= self.best_loss or not self.model.steady:
            self.best, self.best_epoch, self.best_loss = _snapshot(self.model), len(self.history), loss

    def _diverged(self, batch: Batch, number: int, value: float) -> TrainingDivergedError:
        where = first_non_finite(self.model, batch.x, batch.given)
        return TrainingDivergedError(
            f"The loss became {value} in epoch {len(self.history) + 1}, batch {number + 1}; the first tensor that went bad is "
            f"{where}. Lower learning_rate (now {self.plan.learning_rate:g}) or set gradient_clip; the last good weights are kept."
        )

    # Checkpoints

    def state(self) -> tuple[Tensors, dict[str, Any]]:
        """Everything that a later run needs to go on as if it had never stopped: tensors, and facts that fit in JSON."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors["generator"] = self.generator.get_state()
        for number, optimizer in enumerate(self.optimizers):
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in optimizer.state_dict().items()}
        facts = {
            "history": [asdict(epoch) for epoch in self.history],
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "start_loss": self.start_loss,
            "seconds": self._seconds(),
            "optimizer": self.plan.optimizer,
        }
        return tensors, facts

    def load_state(self, tensors: Tensors, facts: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.history = [Epoch(**epoch) for epoch in facts["history"]]
        self.best_epoch, self.best_loss, self.start_loss = (facts[name] for name in ("best_epoch", "best_loss", "start_loss"))
        self._seconds_before = facts["seconds"]
        self.model.load_state_dict(under(tensors, "model."))
        self.best = under(tensors, "best.")
        self.generator.set_state(tensors["generator"])
        if facts["optimizer"] == self.plan.optimizer:  # another begins without a memory
            for number, optimizer in enumerate(self.optimizers):
                optimizer.load_state_dict(under(tensors, f"optimizer.{number}."))


def takes_bfloat16(model: Learner, device: torch.device) -> bool:
    """Whether training steps are computed in bfloat16: by models that convolve or spell, where it is quick, unless they refuse."""
    with torch.autocast(device.type, torch.bfloat16):
        return (model.convolves or model.spells) and has_bfloat16(device) and model.runs()


def mean_loss(
    model: Learner, batches: Batches | Patches, generator: torch.Generator, batch_size: int
) -> tuple[float, float | None]:
    """The loss over all rows, in nats an example, by the formula of training with the model in evaluation mode.

    And the divergence in it, where the waist has one.
    """
    model.eval()
    total, divergence, diverges = 0.0, 0.0, False
    with torch.inference_mode():
        for batch in batches.ordered(batch_size):
            loss = model.loss(batch.x, generator, batch.given)
            total += loss.total.item() * len(batch)
            if loss.kl is not None:
                diverges, divergence = True, divergence + loss.kl.item() * len(batch)
    return total / len(batches), divergence / len(batches) if diverges else None


@contextmanager
def watched_units(model: nn.Module) -> Iterator[Tensors]:
    """For each activation that rows pass meanwhile, which of its units were above 0 for one of them at least."""
    alive: Tensors = {}

    def look(name: str, module: nn.Module, output: Tensor) -> None:
        above = output > 0
        above = above.any(0).flatten() if output.ndim != 4 else above.any(0).flatten(1).any(1)  # (units,); a channel is one
        fits = alive.get(name, above).shape == above.shape  # a module may stand in several places, of other widths
        place = name if fits else f"{name} of {len(above)}"
        alive[place] = above | alive.get(place, above)

    with _watched(model, look, ACTIVATED):
        yield alive


def first_non_finite(model: Learner, x: Tensor, given: Tensor | None) -> str:
    """The name of the first tensor on the way through the model that holds NaN or infinity, parameters before what they make."""
    if x.isinf().any():  # a missing element is NaN
        return "the input"
    found: list[str] = []

    def look(name: str, module: nn.Module, output: Any) -> None:
        named: list[tuple[str, Tensor]] = [(f"{name}.{key}", value) for key, value in module.named_parameters(recurse=False)]
        named += [(f"the output of {name}", value) for value in _tensors_in(output)]
        found.extend(key for key, value in named if not value.isfinite().all())

    with _watched(model, look), torch.no_grad():
        model.loss(x, torch.Generator(x.device).manual_seed(0), given)
    return found[0] if found else "the loss itself"


@contextmanager
def _watched(
    model: nn.Module, look: Callable[[str, nn.Module, Any], None], among: tuple[type[nn.Module], ...] = (nn.Module,)
) -> Iterator[None]:
    """Meanwhile, look at what each module within a model gives, by its name; at modules of those types alone."""
    handles = [
        module.register_forward_hook(lambda module, _, output, name=name: look(name, module, output))
        for name, module in model.named_modules()
        if name and isinstance(module, among)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _snapshot(model: nn.Module) -> Tensors:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _tensors_in(output: Any) -> Iterator[Tensor]:
    """The tensors of what a module gave, which may be a nest of tuples."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors_in(part)


def under(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors whose names begin so, by the rest of them."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
