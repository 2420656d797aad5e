"""Melodies as objects of JSON."""

from __future__ import annotations

import re
from typing import Any

import hourglass as hg
from hourglass.server.limits import Refusal

LATEST = 2**16  # the 16th at which a melody has to be at its end
TIME = re.compile(r"\d{1,5}(/\d{1,3})?")
FIELDS = {"notes", "metre", "key", "name"}
WANTED = (
    'A melody is an object such as {"notes": [[62, 0, 4], [64, 4, 2]], "metre": "4/4", "key": "G"}: of each note its pitch, and '
    'its start and duration in 16ths, as whole numbers or as fractions such as "4/3".'
)


def melody(row: Any) -> hg.Melody:
    """The melody that an object stands for."""
    if not isinstance(row, dict) or not row.keys() <= FIELDS or not isinstance(row.get("notes"), list):
        raise Refusal(422, WANTED)
    if not all(value is None or isinstance(value, str) for name, value in row.items() if name != "notes"):
        raise Refusal(422, WANTED)
    try:
        notes: Any = [(pitch, _time(start), _time(duration)) for pitch, start, duration in row["notes"] if type(pitch) is int]
        tune = hg.Melody(notes, **{name: value for name, value in row.items() if name != "notes" and value is not None})
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise Refusal(422, str(error) if isinstance(error, hg.DataError) else WANTED) from None
    if len(notes) < len(row["notes"]) or not notes:
        raise Refusal(422, WANTED)
    if tune.bars * tune.bar > LATEST:
        raise Refusal(413, f"A melody may have {LATEST:,} 16ths. Cut it.")
    return tune


def _time(value: Any) -> Any:
    if type(value) in {int, str} and TIME.fullmatch(str(value)):
        return value
    raise ValueError(value)
