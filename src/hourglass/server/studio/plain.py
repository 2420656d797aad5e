"""Plain files, which others may delete meanwhile: names that are one part of a path, JSON that is written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hourglass.data import atomic

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LONGEST, SHORT = 60, 15  # letters of a name, and of what it ends in
Made = dict[str, Any]
Form = TypeVar("Form", bound="DataclassInstance")


def plain_name(text: str) -> str:
    """A name that is one part of a path, made of whatever was typed."""
    letters = re.sub(r"[^\w.-]+", "-", text.strip()).strip("-._")
    ending = "".join(Path(letters).suffixes[-2:])
    ending = ending if len(ending) <= SHORT else Path(letters).suffix[:SHORT]
    return letters.removesuffix(ending)[: LONGEST - len(ending)].strip("-._") + ending or "unnamed"


def free(path: Path) -> Path:
    """The path, or one beside it that is not taken."""
    name, ending = path.name.removesuffix("".join(path.suffixes[-2:])), "".join(path.suffixes[-2:])
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{name}-{number}{ending}")
    return found


def free_stem(path: Path) -> Path:
    """The path, which may get an ending yet, or one beside it: nothing there is called so, whatever it ends in."""
    number, found = 1, path
    while any(other.name == found.name or other.name.startswith(f"{found.name}.") for other in path.parent.glob("*")):
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def changed_at(path: Path) -> int:
    """When a file was changed, in nanoseconds; 0 where there is none, or a link to nothing."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def read_words(path: Path) -> str:
    """What a file says; nothing if it isn't there."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def read_json(path: Path) -> Made:
    """What a file holds; nothing if it isn't there, or isn't whole."""
    try:
        found = json.loads(read_words(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def read_form(path: Path, form: type[Form]) -> Form | None:
    """What a file holds as a dataclass, without fields that only a later version knows; nothing if it isn't that."""
    known = {field.name for field in dataclasses.fields(form)}
    try:
        return form(**{name: value for name, value in read_json(path).items() if name in known})
    except TypeError:  # fields are missing
        return None


def write_json(path: Path, what: Made) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as beside:
        beside.write_text(json.dumps(what), encoding="utf-8")
