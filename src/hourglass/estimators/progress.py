"""What a person sees while a model trains."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from hourglass.training import Epoch, Plan

MANY_DEAD = 0.1  # share of dead units from where on it is said
PAUSE = 5.0  # seconds between two lines in a log, at least


class TrainingProgress:
    """How far training is, the loss, rows a second, time left.

    On a terminal that is one line, drawn anew after each epoch; it fits into 80 columns, and the bar takes what is left of them.
    Elsewhere, in a log or a notebook, it is a whole line now and then, at most one for each tenth of the way, and the last.
    """

    def __init__(self, plan: Plan, silent: bool = False, console: Console | None = None) -> None:
        self.plan = plan
        self.silent = silent
        self.console = console or Console(stderr=True)
        self.last: Epoch | None = None
        self.said = 0.0  # when the last line of a log was written, in seconds of training
        columns = (BarColumn(bar_width=None), TextColumn("{task.description}"))
        self.bar = Progress(*columns, console=self.console, expand=True, disable=silent or not self.console.is_terminal)
        self.task = self.bar.add_task("first epoch ...", total=1.0)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.bar.update(self.task, completed=1.0)  # also where patience ended it early
        self.bar.stop()
        if self.last is not None and self.said < self.last.seconds:
            self._log(self.last)

    def show(self, epoch: Epoch) -> None:
        """Take in an epoch that has ended."""
        self.last = epoch
        share = self._share(epoch)
        self.bar.update(self.task, completed=share, description=self._words(epoch))
        if epoch.seconds - self.said >= max(PAUSE, epoch.seconds / share / 10):
            self._log(epoch)

    def _log(self, epoch: Epoch) -> None:
        self.said = epoch.seconds
        if self.bar.disable and not self.silent:
            self.console.print(f"Training: {self._words(epoch)}", soft_wrap=True, highlight=False)

    def _words(self, epoch: Epoch) -> str:
        of = "" if self.plan.max_epochs is None else f"/{self.plan.max_epochs}"
        held_out = "" if epoch.validation is None else f", held out {epoch.validation:,.2f}"
        told = "" if epoch.kl is None else f" (KL {epoch.kl:,.1f})"
        left = epoch.seconds / self._share(epoch) - epoch.seconds
        speed = _short(epoch.examples_per_second)
        dead = f", {epoch.dead:.0%} of units dead" if epoch.dead is not None and epoch.dead >= MANY_DEAD else ""
        return f"epoch {epoch.epoch}{of}, loss {epoch.train:,.2f}{held_out}{told}{dead}, {speed} rows/s, {_clock(left)} left"

    def _share(self, epoch: Epoch) -> float:
        by_epochs = epoch.epoch / self.plan.max_epochs if self.plan.max_epochs else 0.0
        by_seconds = epoch.seconds / self.plan.max_seconds if self.plan.max_seconds else 0.0
        return min(max(by_epochs, by_seconds, 1e-9), 1.0)


def _short(number: float) -> str:
    return f"{number / 1000:,.1f}k" if number >= 1000 else f"{number:.0f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
