"""The pieces that every view is put together from: headings, cards, buttons, fields. Plain HTML, styled by ``studio.css``."""

from __future__ import annotations

import re
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from contextvars import copy_context
from html import escape
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeVar

from nicegui import run as threads
from nicegui import ui
from nicegui.element import Element

import hourglass as hg
from hourglass.errors import hearing

Handler = Callable[..., Any]
Found = TypeVar("Found")
HERE = (  # what the library advises in Python, and what it means here
    (r"say kind='token' \(by characters\) or kind='words'", "take it for strings or for texts, in the view Data"),
    (r"say kind='table'", "take it for a table, in the view Data"),
    (r"say kind='(series)'", r"take them for \1, in the view Data"),
    (r"say kind='image'", "take them for pictures, in the view Data"),
    (r"X has (\d+) features, but \w+ is expecting (\d+) features as input", r"Rows have \1 columns here, and \2 where it learned"),
    (r"with columns=\{.*?\}", "in the view Data"),
    (r"(, or)? say columns=\{.*?\} when fitting", ""),
    (r", or (pass skip_bad=True|kind=hg\.Melodies\(bars=\d+\)|X_test)", ""),
    (
        r"Found array with (\d+) sample\(s\) \(shape=.*?\) while a minimum of (\d+) is required",
        r"These are too few rows: \1, and at least \2 are needed",
    ),
)
STARTS_AS = "defaultValue"  # not "value": that would be set anew, over what a person does meanwhile, with each change of the page
ASSETS = Path(__file__).with_name("assets")
ICONS = {path.stem: path.read_text() for path in (ASSETS / "icons").glob("*.svg")}


def text(tag: str, words: str, classes: str = "") -> Any:
    """An element with words in it, whatever they are."""
    return markup(tag, escape(words), classes)


def markup(tag: str, html: str, classes: str = "") -> Any:
    """An element with HTML of our own in it; words of others have to be escaped before."""
    return ui.html(html, sanitize=False, tag=tag).classes(classes)


def set_text(element: Any, words: str) -> None:
    """Other words in an element of `text`, without a redraw if they are the same."""
    if element.content != escape(words):
        element.set_content(escape(words))


def box(classes: str, tag: str = "div", **attributes: str) -> Element:
    """An element for others to stand in."""
    element = ui.element(tag).classes(classes)
    for name, value in attributes.items():
        element.props[name.replace("_", "-")] = value
    return element


def card(heading: str = "", classes: str = "", note: str = "") -> Element:
    """A panel with a heading."""
    panel = box(f"card {classes}", "section")
    with panel:
        if heading:
            text("h2", heading)
        if note:
            text("p", note, "note")
    return panel


def button(words: str, do: Handler | None, classes: str = "", **attributes: str) -> Element:
    """A button; ``primary`` is the one thing to do next, ``quiet`` has no frame."""
    element = box(f"button {classes}", "button", **{"type": "button", **attributes})
    with element:
        text("span", words)
    if do is not None:
        element.on("click", do, args=[])
    return element


def link(words: str, target: str, classes: str = "", **attributes: str) -> Element:
    """A link."""
    element = box(classes, "a", href=target, **attributes)
    with element:
        text("span", words)
    return element


def download(words: str, target: str, note: str = "") -> Element:
    """A link that fetches a file."""
    element = box("download", "a", href=target, download="")
    with element:
        markup("span", ICONS["download"], "icon")
        text("span", words)
        if note:
            text("small", note)
    return element


def field(label: str, value: str, change: Handler | None, *, hint: str = "", kind: str = "text", **attributes: str) -> Element:
    """A line to type into; ``change`` gets the text."""
    with box("field", "label"):
        text("span", label)
        line = box("input", "input", type=kind, **attributes, **{STARTS_AS: value})
        if change is not None:
            said = "(event) => { event.target.reportValidity(); emit(event.target.value); }"  # a number below the least is told
            line.on("change", lambda event: change(event.args), js_handler=said)
        if hint:
            text("small", hint)
    return line


def whole(label: str, value: int | None, change: Handler, least: int, *, hint: str = "") -> Element:
    """A whole number to type, at least so much; ``change`` gets it, or None where there is none."""

    def read(text: str) -> Any:
        return change(max(int(text), least) if text.isascii() and text.isdecimal() else None)

    shown = "" if value is None else str(value)
    return field(label, shown, read, hint=hint, kind="number", min=str(least), step="1")


def choice(label: str, options: Mapping[str, str], value: str, change: Handler, *, hidden: bool = False) -> Element:
    """One of a few, by name and words; ``change`` gets the name. A ``hidden`` label is read, not seen."""
    with box("field", "label"):
        text("span", label, "unseen" if hidden else "")
        menu = box("input", "select")
        with menu:
            for name, words in options.items():
                with box("", "option", value=name) as option:
                    text("span", words)
                if name == value:
                    option.props["selected"] = True
        _tells(menu, change)
    return menu


def _tells(element: Element, change: Handler, what: str = "event.target.value") -> None:
    """Let ``change`` get what a person sets an element to."""
    element.on("change", lambda event: change(event.args), js_handler=f"(event) => emit({what})")


def tick(label: str, value: bool, change: Handler, hint: str) -> Element:
    """A box to tick; ``change`` gets whether it is."""
    with box("tick", "label"):
        mark = box("", "input", type="checkbox", **({"checked": ""} if value else {}))
        _tells(mark, change, "event.target.checked")
        text("span", label)
        text("small", hint)
    return mark


def figures(named: Mapping[str, str]) -> Element:
    """Numbers with their names, side by side."""
    listed = box("figures", "dl")
    with listed:
        for name, value in named.items():
            with box(""):
                text("dt", name)
                text("dd", value)
    return listed


def in_place(words: str) -> str:
    """A sentence of the library, with what would be typed in Python in words of these pages."""
    for python, here in HERE:
        words = re.sub(python, here, words)
    return words


def notice(words: str, kind: str = "error") -> Element:
    """What went wrong, or is worth knowing (``info``), in a frame."""
    frame = box(f"notice {kind}", role="alert" if kind == "error" else "status")
    with frame:
        markup("span", ICONS[kind], "icon")
        text("p", in_place(words))
    return frame


def empty(heading: str, words: str, words_of_link: str = "", target: str = "") -> Element:
    """What stands where there is nothing yet, and where to go."""
    frame = box("empty")
    with frame:
        markup("div", ICONS["hourglass"], "motif")
        text("h2", heading)
        text("p", words)
        if words_of_link:
            link(words_of_link, target, "button primary")
    return frame


def busy(words: str) -> Element:
    """Something that takes a moment."""
    frame = box("busy", role="status")
    with frame:
        markup("span", "", "spinner")
        text("span", words)
    return frame


def drop_zone(heading: str, words: str, take: Handler) -> Element:
    """Where files are dropped or chosen; ``take`` gets the path that they have in the studio's folder then."""

    async def arrived(event: Any) -> None:
        set_text(told, words)
        if "path" in event.args:
            working = take(event.args["path"])
            if isawaitable(working):
                await working
        else:
            set_text(told, event.args["failed"])

    zone = box("drop", "label")
    with zone:
        markup("span", ICONS["upload"], "icon")
        text("strong", heading)
        text("span", "or choose one", "or")
        told = text("small", words)
        told.props["aria-live"] = "polite"
        chooser = box("unseen", "input", type="file", multiple="")
    again = "event.target.value = ''"  # forgets the files; else the same, once it is mended, could not be chosen again
    chooser.on("change", js_handler=f"(event) => {{ studio.send([...event.target.files], {zone.id}); {again}; }}")
    zone.on("dragover.prevent", js_handler="(event) => event.currentTarget.classList.add('over')")
    zone.on("dragleave", js_handler="(event) => event.currentTarget.classList.remove('over')")
    zone.on("drop.prevent", js_handler=f"(event) => studio.drop(event, {zone.id})")
    ui.on(f"sending{zone.id}", lambda event: set_text(told, event.args["words"]))
    ui.on(f"sent{zone.id}", arrived)
    return zone


def radios(label: str, name: str, options: Mapping[str, str], value: str, change: Handler, *, cards: bool = False) -> Element:
    """One of a few, all in sight, side by side or as cards; words may be HTML of our own."""
    group = box("needs" if cards else "segments", "fieldset")
    with group:
        text("legend", label)
        for option, words in options.items():
            with box("", "label"):
                one = box("unseen", "input", type="radio", name=name, value=option, **({"checked": ""} if option == value else {}))
                markup("span", words)
                _tells(one, change)
    return group


def slider(
    label: str,
    low: float,
    high: float,
    value: float,
    change: Handler,
    *,
    settle: Handler | None = None,
    step: float | None = None,
    hidden: bool = False,
) -> Element:
    """A number between two; ``change`` gets it while it moves, ``settle`` where it ends. A ``hidden`` label is read, not seen."""
    wide = (high - low) or 1
    with box("knob slide", "label"):
        text("span", label, "unseen" if hidden else "")
        reach = {"min": str(low), "max": str(high), "step": str(step or wide / 200)}  # first, or a browser cuts the value to 100
        line = box("", "input", type="range", **reach, **{STARTS_AS: str(value)})
        line.style(f"--at: {100 * (value - low) / wide:.1f}%")
        filled = f"event.target.style.setProperty('--at', `${{100 * (event.target.value - {low}) / {wide}}}%`)"
        handler = f"(event) => {{ {filled}; emit(Number(event.target.value)); }}"
        line.on("input", lambda event: change(event.args), js_handler=handler, throttle=0.03)
        if settle is not None:
            line.on("change", lambda event: settle(event.args), js_handler=handler)
    return line


async def aside(do: Callable[..., Found], *given: Any) -> Found:
    """What work gives that is done in a thread of its own, while the page goes on.

    Whatever goes wrong is an error that a page can show.
    """
    try:
        found = await threads.io_bound(copy_context().run, do, *given)  # so what is said there is heard here
    except hg.HourglassError:
        raise
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}"
        raise hg.HourglassError(f"Something is wrong with Hourglass ({said}). The terminal of the studio says more.") from error
    if found is None:  # the server is ending
        raise CancelledError
    return found


async def shown(place: Element, words: str, do: Callable[..., Found], *given: Any) -> Found | None:
    """The same, with words in a place meanwhile, and then a notice for each warning that came.

    None where an error is shown there, or where other work has taken the place by now.
    """
    place.clear()
    with place:
        waiting = busy(words)
    found, error = None, ""
    with hearing() as told:
        try:
            found = await aside(do, *given)
        except hg.HourglassError as caught:
            error = str(caught)
    if waiting.is_deleted:
        return None
    place.clear()
    with place:
        for sentence in dict.fromkeys(told):
            notice(sentence, "info")
        if error:
            notice(error)
    return found
