"""What a run has in every view: how far it is and a way to stop it; and to begin, to begin again, to delete it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import run as threads
from nicegui import ui

import hourglass as hg
from hourglass.server.studio import widgets as w
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.runs import Asked, Run

TICK = 0.7  # seconds between two looks at the files


class Progress:
    """A bar below what is being done, and a button that stops it.

    Parameters
    ----------
    run : Run
    kept : str
        What stopping keeps.
    """

    def __init__(self, run: Run, kept: str) -> None:
        self.run = run
        with w.box("row apart"):
            self.stage = w.text("h2", run.stage)
            self.stop = w.button("Stop", run.stop, title=kept)
        with w.box("bar waiting", role="progressbar", aria_label="Progress", aria_valuemin="0", aria_valuemax="100") as self.bar:
            self.filled = w.box("filled")

    def show(self, share: float) -> None:
        """Show how far it is; as long as that is nowhere, or nobody knows since it is to stop, the bar only wanders."""
        w.set_text(self.stage, self.run.stage)
        if self.run.stopping:
            self.stop.props("disabled")
            self.bar.classes(add="waiting").props(remove="aria-valuenow")
        elif share:
            self.bar.classes(remove="waiting").props(f"aria-valuenow={100 * share:.0f}")
            self.filled.style(f"width: {100 * share:.1f}%")


def address(run: Run, view: str) -> str:
    """Where a view shows a run."""
    return f"/{view}?run={quote(run.name)}"


async def fetch(run: Run, told: Any, make: Callable[..., Path], *given: Any) -> Path | None:
    """Let the browser download what work makes in the folder of a run, though the button may have gone by then.

    None where that can't be made; why is ``told`` in a place that stays.
    """
    client = ui.context.client
    try:
        path = await w.aside(make, *given)
    except hg.HourglassError as error:
        with told:
            w.notice(str(error))
        return None
    client.download(f"/files/{quote(run.name)}/{quote(path.relative_to(run.path).as_posix())}")
    return path


def choose(run: Run, runs: list[Run], view: str) -> None:
    """A menu of the models that a view can show."""
    named = {one.name: one for one in runs}
    w.choice("Model", {name: name for name in named}, run.name, lambda name: ui.navigate.to(address(named[name], view)))


async def begin(run: Run, view: str) -> None:
    """Train, and look on in a view."""
    await threads.io_bound(run.start)
    ui.navigate.to(address(run, view))


def begin_new(words: str, note: str, folder: Folder, asked: Callable[[], Asked], view: str) -> Any:
    """A button that trains as it is asked for, once however often it is pressed; and the place below it that tells why it can't."""
    begun = list[Run]()

    async def start() -> None:
        if begun:
            return
        told.clear()
        try:
            begun.append(folder.new_run(asked()))
            await begin(begun[0], view)
        except (OSError, hg.HourglassError) as error:
            begun.clear()
            with told:
                w.notice(
                    f"Can't write '{folder.path}': {error.strerror}. Free some space." if isinstance(error, OSError) else str(error)
                )

    with w.box("row"):
        w.button(words, start, "primary")
        w.text("span", note, "note")
    told = w.box("told")
    return told


def try_again(run: Run, view: str) -> None:
    """A button that trains once more."""
    w.button("Try again", lambda: begin(run, view), "primary")


def delete(words: str, run: Run, view: str, classes: str) -> None:
    """A button that deletes a run, if that is meant, and goes back to a view."""

    async def remove() -> None:
        await threads.io_bound(run.remove)
        ui.navigate.to(f"/{view}")

    question = json.dumps(f"Delete {run.name} and all that it made?")
    w.button(words, None, classes).on("click", remove, js_handler=f"() => confirm({question}) && emit()")
