"""What every part has in common: a frozen dataclass that prints, compares, clones and turns into JSON."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeGuard, TypeVar

from hourglass.errors import ModelFileError, ParameterError, suggest

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Base of the parts that a user passes in.

    A part only says what is wanted; ``build`` makes the torch module that does it. Being frozen, a part is its own clone,
    and scikit-learn reaches its fields by name (``bottleneck__k``).
    """

    _by_name: ClassVar[dict[str, type[Part]]] = {}

    def __init_subclass__(cls) -> None:
        Part._by_name[known_as(cls)] = cls

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The fields by name, and those of parts within it as ``base__k``, as scikit-learn's ``get_params``."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        inner = {name: value for name, value in found.items() if deep and isinstance(value, Part)}
        return found | {f"{name}__{deeper}": value for name, part in inner.items() for deeper, value in part.get_params().items()}

    def changed(self, name: str, values: dict[str, Any]) -> Self:
        """A copy with other values of fields, also of those of parts within it; ``name`` is what it is called by."""
        known, own = self.get_params(deep=False), {field: value for field, value in values.items() if "__" not in field}
        inner: dict[str, dict[str, Any]] = {}
        for field in values.keys() - own.keys():
            owner, _, deeper = field.partition("__")
            inner.setdefault(owner, {})[deeper] = values[field]
        for field in [*own, *inner]:
            if field not in known:
                raise ParameterError(f"The '{name}' {self!r} has no field {field!r}. {suggest(field, known)}")
        for owner, fields_ in inner.items():
            part = own.get(owner, known[owner])
            if not isinstance(part, Part):
                raise ParameterError(f"The '{name}__{owner}' {part!r} has no field {min(fields_)!r}, as it is no part.")
            own[owner] = part.changed(f"{name}__{owner}", fields_)
        return replace(self, **own)

    def __sklearn_clone__(self) -> Self:
        return self

    def to_config(self) -> dict[str, Any]:
        """The part as plain JSON: its name under ``part`` and its fields."""
        return {"part": known_as(type(self)), **{name: plain(value) for name, value in self.get_params(deep=False).items()}}

    @staticmethod
    def from_config(config: dict[str, Any]) -> Part:
        """The part that `to_config` wrote; only those are made that Hourglass knows, or that are the user's and imported."""
        values = {name: revived(value) for name, value in config.items() if name != "part"}
        known = called(config["part"], Part._by_name)
        if known is None:
            raise ModelFileError(f"The file asks for an unknown part, {config['part']!r}. {how_to_know(config['part'])}")
        if unknown := sorted(values.keys() - {field.name for field in fields(known)}):
            raise ModelFileError(f"The file asks for {config['part']} with an unknown {unknown[0]!r}. Update Hourglass to read it.")
        return known(**values)

    def __str__(self) -> str:
        """As it is written, with numbers of three digits."""
        return re.sub(r"\d+\.\d{4,}", lambda number: f"{float(number[0]):.3g}", repr(self))

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ParameterError(
                f"The '{name}' parameter of {type(self).__name__} must be {rule}. Got {getattr(self, name)!r} instead."
            )


def known_as(cls: type) -> str:
    """What a file calls a class: ours by its name, a user's by its module as well, so that neither is taken for the other."""
    return cls.__name__ if cls.__module__.partition(".")[0] == "hourglass" else f"{cls.__module__}.{cls.__qualname__}"


def called(name: str, known: dict[str, type[T]]) -> type[T] | None:
    """The class that a file calls so, if it is known; one of a user's may have been moved, if no other is called as it is."""
    moved = [cls for own, cls in known.items() if "." in own and own.rpartition(".")[2] == name.rpartition(".")[2]]
    return known.get(name) or (moved[0] if len(moved) == 1 else None)


def how_to_know(name: str) -> str:
    """What to do where a file asks for an unknown class."""
    return "Import your module that has it, and load again." if "." in name else "Update Hourglass to read it."


class Facts(dict[str, Any]):
    """What a model file says of itself; what it doesn't say is an error that names the file."""

    def __init__(self, facts: dict[str, Any], path: object) -> None:
        super().__init__(facts)
        self.path = str(path)

    def __missing__(self, name: str) -> Any:
        raise ModelFileError(f"{self.path!r} doesn't say {name!r}, which a model file has to: save the model again.")


def plain(value: Any) -> Any:
    """A part, a tuple or a number as plain JSON."""
    if isinstance(value, Part):
        return value.to_config()
    return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def revived(value: Any) -> Any:
    """What `plain` wrote; lists become tuples."""
    if isinstance(value, dict) and "part" in value:
        return Part.from_config(value)
    return tuple(revived(item) for item in value) if isinstance(value, list) else value


def as_json(config: Any) -> str:
    """A config as JSON; a number of NumPy is as good as one of Python."""
    return json.dumps(config, default=_number)


def _number(value: Any) -> Any:
    if not hasattr(value, "item"):
        raise TypeError(f"{value!r} can't be written as JSON.")
    return value.item()


def is_count(value: object, at_least: int = 1) -> bool:
    """Whether a value is a whole number (no bool) of at least ``at_least``."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= at_least


def are_counts(values: object, at_least: int = 1, *, fewest: int = 1) -> bool:
    """Whether values are a tuple or a list of at least ``fewest`` whole numbers of at least ``at_least``."""
    return isinstance(values, (tuple, list)) and len(values) >= fewest and all(is_count(value, at_least) for value in values)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number (no bool) that has an end."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_positive(value: object) -> TypeGuard[float]:
    """Whether a value is a number above 0 that has an end."""
    return is_number(value) and value > 0


def is_amount(value: object) -> TypeGuard[float]:
    """Whether a value is a number of at least 0 that has an end."""
    return is_number(value) and value >= 0


def is_rate(value: object) -> bool:
    """Whether a value can be a rate of alarms: above 0 and at most 0.5."""
    return is_number(value) and 0 < value <= 0.5


def require_rate(value: object) -> None:
    """Raise `ParameterError` where a value can't be a rate of alarms."""
    if not is_rate(value):
        raise ParameterError(f"The alarm rate must be a float above 0 and at most 0.5. Got {value!r} instead.")


def one_of(value: str, table: dict[str, Any], parameter: str, owner: str) -> Any:
    """The entry of a table of named choices, or an error that suggests the nearest name."""
    if value not in table:
        raise ParameterError(f"The '{parameter}' parameter of {owner} has no choice {value!r}. {suggest(value, table)}")
    return table[value]
