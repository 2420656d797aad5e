"""How a melody sounds: a plucked string of a few partials, as samples and as a WAV file."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from hourglass.data.melody import Melody
from hourglass.data.midi import TEMPO

RATE = 22_050  # samples a second
SIXTEENTH = 60 / TEMPO / 4  # seconds
STRENGTHS = (1.0, 0.5, 0.3, 0.15, 0.08)  # of the partials of a string
ATTACK, RELEASE, DECAY = 0.005, 0.03, 1.2  # seconds; the last until it has fallen to 1/e
LOUD = 0.8  # of the loudest that 16 bits hold


def samples_of(melodies: Sequence[Melody]) -> NDArray[np.int16]:
    """Melodies one after the other, as samples (time,) at `RATE`."""
    lengths = [melody.bars * melody.bar for melody in melodies]
    sound = np.zeros(round(sum(lengths) * SIXTEENTH * RATE), np.float32)
    begin = 0
    for melody, length in zip(melodies, lengths, strict=True):
        for pitch, start, duration in melody.notes:
            first, last = (round(float(begin + at) * SIXTEENTH * RATE) for at in (start, start + duration))
            sound[first:last] += _plucked(440 * 2 ** ((pitch - 69) / 12), last - first)
        begin += length
    return np.asarray(sound * LOUD * np.iinfo(np.int16).max, np.int16)


def wav_of(melodies: Sequence[Melody]) -> bytes:
    """The WAV file of melodies, one after the other."""
    from scipy.io import wavfile

    buffer = BytesIO()
    wavfile.write(buffer, RATE, samples_of(melodies))
    return buffer.getvalue()


def _plucked(frequency: float, length: int) -> NDArray[np.float32]:
    """A tone of so many samples, from -1 to 1."""
    time = np.arange(length) / RATE
    partials = np.arange(1, len(STRENGTHS) + 1) * frequency
    heard = np.where(partials < RATE / 2, STRENGTHS, 0) / sum(STRENGTHS)
    tone = heard @ np.sin(2 * np.pi * partials[:, None] * time)
    edges = np.minimum(1, time / ATTACK) * np.minimum(1, time[::-1] / RELEASE)
    return np.asarray(tone * edges * np.exp(-time / DECAY), np.float32)
