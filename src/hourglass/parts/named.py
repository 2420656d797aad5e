"""Corruptions as text."""

from __future__ import annotations

from typing import Any

from hourglass.errors import ParameterError
from hourglass.parts.artefacts import BaselineWander, DropSpans, MainsHum
from hourglass.parts.base import one_of
from hourglass.parts.corruptions import Corruption, Hide, Noise, Together
from hourglass.parts.damage import Blur, Fade, Jpeg, LowResolution, MotionBlur, Poisson, SaltAndPepper, Speckle
from hourglass.parts.erasures import BlindSpot, Erase, ErasePixels, HalfErased, Scratches
from hourglass.parts.typos import SwapSymbols, Typos

NAMES: dict[str, tuple[type[Corruption], float]] = {  # and the unit of the number behind the colon
    "noise": (Noise, 1 / 255),
    "poisson": (Poisson, 1),
    "speckle": (Speckle, 1),
    "saltpepper": (SaltAndPepper, 1),
    "blindspot": (BlindSpot, 1),
    "blur": (Blur, 1),
    "motion": (MotionBlur, 1),
    "lowres": (LowResolution, 1),
    "jpeg": (Jpeg, 1),
    "fade": (Fade, 1),
    "erase": (Erase, 1),
    "pixels": (ErasePixels, 1),
    "scratches": (Scratches, 1),
    "half": (HalfErased, 1),
    "white": (Noise, 1),
    "hide": (Hide, 1),
    "wander": (BaselineWander, 1),
    "hum": (MainsHum, 1),
    "spans": (DropSpans, 1),
    "typos": (Typos, 1),
    "swap": (SwapSymbols, 1),
}


def corruption(text: str) -> Corruption:
    """The corruption that a text names, such as ``noise:25``, ``noise:5-50`` or ``speckle:0.2+saltpepper:0.1``.

    The strength of noise is in grey levels of 255, that of the others as their first parameter; ``half`` has a side or nothing. Of
    tables and series, ``white:0.3`` is noise in standard deviations; of tables ``hide:0.5`` hides cells, up to half of a row; of
    series there are ``wander``, ``hum`` and ``spans``, of rows of symbols ``typos`` and ``swap``.

    Parameters
    ----------
    text : str
        Names, each with a colon and its strength, or range of strengths, behind it where it has one; several are joined by ``+``.

    Returns
    -------
    Corruption
        That part, or several one after the other.

    Raises
    ------
    ParameterError
        An unknown name, or a strength that is no number.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.corruption("blur:2+saltpepper:0.1")
    Together(parts=(Blur(std=2.0), SaltAndPepper(share=0.1)))
    """
    parts = [_named(*item.strip().partition(":")[::2]) for item in text.split("+")]
    return parts[0] if len(parts) == 1 else Together(tuple(parts))


def _named(name: str, strength: str) -> Any:
    kind: type[Any]
    kind, unit = one_of(name, NAMES, "corruption", "Hourglass")
    if not strength:
        if kind is Noise:
            units = "grey levels, as in 'noise:25'" if name == "noise" else "standard deviations, as in 'white:0.3'"
            raise ParameterError(f"The corruption {name!r} needs its strength in {units}.")
        return kind()
    if kind is HalfErased:
        return HalfErased(strength)
    try:
        numbers = tuple(float(number) * unit for number in strength.split("-"))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2):
        raise ParameterError(
            f"The corruption {name!r} takes a number or a range, as in '{name}:1' or '{name}:1-2'. Got {strength!r}."
        )
    return kind(numbers[0] if len(numbers) == 1 else numbers)
