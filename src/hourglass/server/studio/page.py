"""The frame around the views: address, header, navigation, theme; and the server behind it."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import RedirectResponse
from nicegui import app as pages
from nicegui import ui

import hourglass as hg
from hourglass.server.limits import OwnMachine
from hourglass.server.running import bound
from hourglass.server.studio import files
from hourglass.server.studio import widgets as w
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.heard import heard
from hourglass.server.studio.runs import Run
from hourglass.server.studio.views import alarms, data, map, squeeze, train

HOST = "127.0.0.1"  # the studio is for who sits at the machine


class View(NamedTuple):
    """A view: what it is called in the address and on the page, what it is for, and what draws it."""

    name: str
    title: str
    lead: str
    draw: Callable[[Folder, Run | None], None]


VIEWS = (
    View("data", "Data", "Load a pile of data, and see what it is taken for.", data.draw),
    View("train", "Train", "Say what you need. A model learns it from your data, without labels.", train.draw),
    View("squeeze", "Squeeze", "How few numbers does a row need? Move the slider and look.", squeeze.draw),
    View("map", "Map", "Every row as a point: what is alike lies together.", map.draw),
    View("alarms", "Alarms", "What stands out, and why.", alarms.draw),
)


def serve(folder: str | os.PathLike[str], *, port: int, browser: bool, ready: Callable[[str], None]) -> None:
    """Serve the studio of a folder until Ctrl-C."""
    with bound(HOST, port) as listener:
        app = build(Folder(Path(folder).resolve()))
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        ready(f"The studio of {folder} is at {address}. Ctrl-C ends it; training goes on.")
        if browser:
            pages.on_startup(lambda: webbrowser.open(address))
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def build(folder: Folder) -> FastAPI:
    """The pages of a folder as an application."""
    try:
        folder.make()
    except OSError as error:
        raise hg.FileError(f"Can't write '{folder.path}': {error.strerror}. Choose another folder.") from error
    app = FastAPI(openapi_url=None)
    pages.add_static_files("/studio", w.ASSETS)
    _pages(folder)
    files.add(app, folder)
    app.get("/melody.{form}")(heard)
    app.add_middleware(OwnMachine)
    ui.run_with(
        app, title="Hourglass", favicon=w.ASSETS / "icon.svg", tailwind=False, show_welcome_message=False, reconnect_timeout=30
    )
    return app


# The frame


def _pages(folder: Folder) -> None:
    @ui.page("/")
    def first() -> Response:
        return RedirectResponse("/train" if folder.source else "/data")

    @ui.page("/{name}")
    def show(name: str, run: str = "") -> Response | None:
        view = next((view for view in VIEWS if view.name == name), None)
        if view is None:
            return RedirectResponse("/data")
        ui.page_title(f"{view.title} · Hourglass")
        whole = ui.context.client.page_container.default_slot.children[0]
        whole.props("role=presentation")  # it is a main, and there is one of our own within
        ui.add_head_html('<link rel="stylesheet" href="/studio/studio.css"><script src="/studio/studio.js"></script>')
        with w.box("frame"):
            w.link("Skip to content", "#main", "skip")
            _header(folder)
            _navigation(view, run)
            with w.box(f"view view-{view.name}", "main", id="main", tabindex="-1"):
                w.text("h1", view.title)
                w.text("p", view.lead, "lead")
                try:
                    view.draw(folder, folder.run(run) if run else None)
                except hg.HourglassError as error:
                    w.notice(str(error))
        return None


def _header(folder: Folder) -> None:
    with w.box("top", "header"):
        with w.box("brand", "a", href="/", aria_label="Hourglass, first page"):
            w.markup("span", w.ICONS["hourglass"], "mark")
            w.text("span", "Hourglass", "word")
        source = folder.source
        with w.box("chosen", "a", href="/data"):
            w.text("span", "Data", "unseen")
            w.text("span", source.title if source else "no data yet")
        with w.box("button quiet round", "button", type="button", aria_label="Light or dark", title="Light or dark") as switch:
            w.markup("span", w.ICONS["theme"], "icon")
        switch.on("click", js_handler="() => studio.switchTheme()")


def _navigation(shown: View, run: str) -> None:
    with w.box("views", "nav", aria_label="Views"):
        for view in VIEWS:
            target = f"/{view.name}" + (f"?run={quote(run)}" if run else "")
            current = {"aria_current": "page"} if view is shown else {}
            with w.box("", "a", href=target, **current):
                w.markup("span", w.ICONS[view.name], "icon")
                w.text("span", view.title)
