"""Melodies of the page, to be heard and taken along: as WAV and as MIDI, at addresses that say the notes themselves."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response

import hourglass as hg
from hourglass.data.midi import midi_of
from hourglass.data.sound import wav_of
from hourglass.server.limits import Refusal
from hourglass.server.melodies import WANTED, melody

FORMS: dict[str, tuple[str, Any]] = {"wav": ("audio/wav", wav_of), "mid": ("audio/midi", midi_of)}


def heard(form: str, tune: str) -> Response:
    """A melody, given as JSON as the service takes it, as the file of a form."""
    media_type, written = FORMS.get(form, ("", None))
    try:
        if written is None:
            raise Refusal(404, f"A melody is a file of {' or '.join(FORMS)}.")
        content = written([melody(json.loads(tune))])
    except Refusal as refusal:
        return refusal.response()
    except json.JSONDecodeError:
        return Refusal(422, WANTED).response()
    except hg.MissingExtraError as error:
        return Refusal(501, str(error)).response()
    return Response(content, media_type=media_type, headers={"cache-control": "private, max-age=3600"})
