"""What a person sees while a model trains."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from hourglass.training import Epoch, Plan


class TrainingProgress:
    """A line on the terminal's standard error: how far, the loss, examples a second, time left."""

    def __init__(self, plan: Plan, silent: bool = False) -> None:
        self.plan = plan
        columns = (TextColumn("Training"), BarColumn(bar_width=24), TextColumn("{task.fields[figures]}"))
        self.bar = Progress(*columns, console=Console(stderr=True), disable=silent)
        self.task = self.bar.add_task("train", total=1.0, figures="first epoch ...")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def show(self, epoch: Epoch) -> None:
        """Draw the line anew after an epoch."""
        share = self._share(epoch)
        left = epoch.seconds * (1 - share) / share
        held_out = "" if epoch.validation is None else f", held out {epoch.validation:,.2f}"
        of = "" if self.plan.max_epochs is None else f" of {self.plan.max_epochs}"
        figures = (
            f"epoch {epoch.epoch}{of}, loss {epoch.train:,.2f}{held_out} nats, "
            f"{epoch.examples_per_second:,.0f} examples/s, {_clock(left)} left"
        )
        self.bar.update(self.task, completed=share, figures=figures)

    def finish(self, epoch: Epoch) -> None:
        """Say the last figures when training is over, be it early."""
        self.show(epoch)
        self.bar.update(self.task, completed=1.0)

    def _share(self, epoch: Epoch) -> float:
        by_epochs = epoch.epoch / self.plan.max_epochs if self.plan.max_epochs else 0.0
        by_seconds = epoch.seconds / self.plan.max_seconds if self.plan.max_seconds else 0.0
        return min(max(by_epochs, by_seconds, 1e-9), 1.0)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
