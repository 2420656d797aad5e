"""`Melody`: one line of notes in bars, and what is done with it as such: cut, joined, transposed, written."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from numbers import Integral
from operator import attrgetter
from typing import Any, NamedTuple

from hourglass.errors import DataError, ParameterError, shown

FIFTHS = "FCGDAEB"  # in which sharps are added, each a fifth above the one before
KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)\s*")
MODES = {"": 0, "lyd": 1, "mix": -1, "dor": -2, "m": -3, "phr": -4, "loc": -5}  # sharps beside those of the major key
OTHERWISE = {"maj": "", "ion": "", "min": "m", "aeo": "m"}  # what modes are called too
MOST_SHARPS = 7  # of a key, and flats
MOST_BARS = 100_000  # two days of 4/4; a few bytes of a damaged file can claim more than fits into memory
MAJOR = (0, 2, 4, 5, 7, 9, 11)  # semitones above the tonic
_start = attrgetter("start")
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Note(NamedTuple):
    """A note: its pitch as MIDI counts, 60 being the middle C; when it starts and how long it is, in 16ths."""

    pitch: int
    start: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Melody:
    """A melody: notes one after the other, in bars of one metre.

    Parameters
    ----------
    notes : sequence of Note, or of (pitch, start, duration)
        In the order of their starts, which are counted in 16ths from a bar line: a tune with an upbeat begins with rests. Triplets
        have fractions, ``Fraction(4, 3)`` for three in a quarter.
    metre : str, default="4/4"
        Beats of a bar and what a beat is, which is a half, a quarter, an 8th or a 16th.
    key : str, optional
        As in "D", "Bb", "Em" or "Ador", with 7 sharps or flats at most.
    name : str, optional
        The title.

    Raises
    ------
    DataError
        Notes that are none, overlap, are outside of 0 to 127 or have no length; a metre or a key that is none; more than 100,000
        bars.

    Examples
    --------
    >>> import hourglass as hg
    >>> tune = hg.Melody([(62, 0, 4), (64, 4, 2), (66, 6, 2), (67, 8, 8)], key="G", name="Up")
    >>> tune
    Melody('Up', 4 notes in 1 bar of 4/4, key G)
    >>> tune.transposed(2).notes[0].pitch
    64
    """

    notes: tuple[Note, ...]
    metre: str = "4/4"
    key: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if type(self.notes) is not tuple or not all(map(_is_exact, self.notes)):
            object.__setattr__(self, "notes", tuple(_exact(number, note) for number, note in enumerate(self.notes)))
        bar_of(self.metre)
        if self.key is not None:
            sharps_of(self.key)  # an unknown one is refused
        end = Fraction(0)
        for number, note in enumerate(self.notes):
            if not 0 <= note.pitch <= 127 or note.duration <= 0 or note.start < end:
                what = "overlaps the one before" if note.start < end else "has no length or a pitch outside of 0 to 127"
                raise DataError(f"Note {number} of a melody {what}: {note.pitch} at {note.start} for {note.duration}.")
            end = note.start + note.duration
        if self.bars > MOST_BARS:
            raise DataError(f"A melody has {MOST_BARS:,} bars at most, silent ones too. Got {self.bars:,}.")

    def __repr__(self) -> str:
        notes, bars = (f"{count} {what}{'s' * (count != 1)}" for count, what in ((len(self), "note"), (self.bars, "bar")))
        of = [f"{notes} in {bars} of {self.metre}"]
        return f"Melody({', '.join([repr(self.name)] * bool(self.name) + of + [f'key {self.key}'] * bool(self.key))})"

    def __len__(self) -> int:
        return len(self.notes)

    @property
    def bar(self) -> int:
        """16ths of a bar."""
        return bar_of(self.metre)

    @property
    def bars(self) -> int:
        """How many bars there are, the last perhaps not full."""
        return -int(-(self.notes[-1].start + self.notes[-1].duration) // self.bar) if self.notes else 0

    @property
    def sharps(self) -> int:
        """Sharps of the key, flats being negative: of the one that is told, else of the one that most notes are in."""
        return sharps_of(self.key) if self.key is not None else likeliest_sharps(self)

    def transposed(self, semitones: int) -> Melody:
        """The same melody, higher or lower.

        Parameters
        ----------
        semitones : int
            How much higher.

        Returns
        -------
        Melody
            With its key transposed too.
        """
        _require_whole("semitones", semitones)
        key = None if self.key is None else key_of(sharps_of(self.key) + 7 * semitones, mode_of(self.key))
        return replace(self, notes=tuple(note._replace(pitch=note.pitch + semitones) for note in self.notes), key=key)

    def cut(self, first: int, bars: int) -> Melody:
        """Some of its bars, with starts counted from there; notes that go on beyond them are shortened.

        Parameters
        ----------
        first, bars : int
            The first bar, counted from 0, and how many.

        Returns
        -------
        Melody
        """
        _require_whole("first", first, 0)
        _require_whole("bars", bars, 0)
        begin, end = first * self.bar, (first + bars) * self.bar
        inside = self.notes[bisect_left(self.notes, begin, key=_start) : bisect_left(self.notes, end, key=_start)]
        notes = tuple(note._replace(start=note.start - begin, duration=min(note.duration, end - note.start)) for note in inside)
        return replace(self, notes=notes)

    def windows(self, bars: int = 2, step: int | None = None) -> list[Melody]:
        """Pieces of some bars, none of them silent.

        Parameters
        ----------
        bars : int, default=2
            Of each piece.
        step : int, optional
            Bars from the start of a piece to that of the next: as many as it has, unless given.

        Returns
        -------
        list of Melody
            None of a melody that has fewer bars.
        """
        step = bars if step is None else step
        _require_whole("bars", bars, 1)
        _require_whole("step", step, 1)
        pieces = (self.cut(first, bars) for first in range(0, self.bars - bars + 1, step))
        return [piece for piece in pieces if piece.notes]

    def then(self, other: Melody) -> Melody:
        """A melody that goes on with another one, from the next bar line."""
        if other.metre != self.metre:
            raise DataError(f"A melody in {self.metre} can't go on in {other.metre}. Join those of one metre.")
        return replace(self, notes=(*self.notes, *later(other, self.bars)))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the melody as MIDI (``.mid``), in ABC (``.abc``) or as sound (``.wav``).

        Parameters
        ----------
        path : path
            Where to.

        Raises
        ------
        FileError
            An unknown ending, or a file that can't be written.
        MissingExtraError
            MIDI takes symusic, which isn't installed.
        """
        from hourglass.data.writers import write

        write(path, [self])


def _is_exact(note: Any) -> bool:
    return type(note) is Note and (*map(type, note),) == (int, Fraction, Fraction)


def _exact(number: int, note: Any) -> Note:
    try:
        pitch, start, duration = (Fraction(value.item() if hasattr(value, "item") else value) for value in note)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"Note {number} of a melody must be three numbers: pitch, start, duration. Got {shown(note)}.") from None
    if pitch.denominator != 1:
        raise DataError(f"Note {number} of a melody has a pitch that is no whole number: {float(pitch):g}.")
    return Note(int(pitch), start, duration)


def _require_whole(name: str, number: Any, least: int | None = None) -> None:
    if not isinstance(number, Integral) or (least is not None and int(number) < least):
        rule = "an int" if least is None else f"an int of at least {least}"
        raise ParameterError(f"The '{name}' must be {rule}. Got {shown(number)} instead.")


def later(melody: Melody, bars: int) -> tuple[Note, ...]:
    """The notes of a melody that begins so many bars later."""
    return tuple(note._replace(start=note.start + bars * melody.bar) for note in melody.notes)


@lru_cache
def bar_of(metre: str) -> int:
    """16ths of a bar of a metre such as "6/8"."""
    beats, _, unit = str(metre).partition("/")  # whatever came
    if not (beats.isdecimal() and unit in ("2", "4", "8", "16") and 0 < int(beats) <= 32):
        raise DataError(f"A metre is written as '4/4' or '6/8', with at most 32 beats. Got {metre!r}.")
    return int(beats) * 16 // int(unit)


@lru_cache
def sharps_of(key: str) -> int:
    """Sharps of a key such as "D", "Em" or "Ador"; flats are negative."""
    match = KEY.fullmatch(str(key))
    if match is not None and mode_of(key) in MODES:
        raised = {"b": -1, "": 0, "#": 1}[match[2]]
        sharps = FIFTHS.index(match[1]) - FIFTHS.index("C") + len(FIFTHS) * raised + MODES[mode_of(key)]
        if abs(sharps) <= MOST_SHARPS:
            return sharps
    raise DataError(f"A key is written as 'D', 'Bb', 'Em' or 'Ador', and has {MOST_SHARPS} sharps or flats at most. Got {key!r}.")


def mode_of(key: str) -> str:
    """The mode of a key as `MODES` has it: nothing of a major one, "m" of a minor one."""
    said = key[1:].lstrip("#b").strip().lower()[:3]
    return OTHERWISE.get(said, said)


def key_of(sharps: int, mode: str = "") -> str:
    """The key of a mode with so many sharps, those of 5 flats to 6 sharps standing for all."""
    place = (sharps + 5) % 12 - 5 - MODES[mode] + FIFTHS.index("C")  # of the tonic among the fifths
    turn, letter = divmod(place, len(FIFTHS))
    return FIFTHS[letter] + ("#" * turn or "b" * -turn) + mode


def keyed(melody: Melody) -> Melody:
    """The melody with its key told: of some of its bars alone another one may be likelier."""
    return melody if melody.key is not None else replace(melody, key=key_of(melody.sharps))


def named(pitch: int) -> str:
    """The name of a pitch: 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def pitch_of(name: str) -> int | None:
    """The pitch of a name, None of what is none."""
    letters, octave = name.rstrip("-0123456789"), name.lstrip("ABCDEFG#")
    return 12 * (int(octave) + 1) + NAMES.index(letters) if letters in NAMES and octave else None


def share_in_key(pitches: Sequence[int], sharps: int) -> float:
    """The share of pitches that a major scale with so many sharps has."""
    return sum((pitch - 7 * sharps) % 12 in MAJOR for pitch in pitches) / max(len(pitches), 1)


def likeliest_sharps(melody: Melody) -> int:
    """The sharps of the scale that most time of a melody is spent in; of several the fewest."""
    weight = [0.0] * 12
    for note in melody.notes:
        weight[note.pitch % 12] += float(note.duration)
    return max(sorted(range(-5, 7), key=abs), key=lambda sharps: sum(weight[(step + 7 * sharps) % 12] for step in MAJOR))


def top_line(notes: Sequence[tuple[int, Fraction, Fraction]]) -> tuple[list[Note], int]:
    """Of notes that sound together the highest, and how many others there were; each ends where the next begins at the latest."""
    line: list[Note] = []
    for pitch, start, duration in sorted(notes, key=lambda note: (note[1], -note[0])):
        if line and line[-1].start == start:
            continue
        if line and line[-1].start + line[-1].duration > start:
            if line[-1].pitch > pitch:  # a lower one below what still sounds
                continue
            line[-1] = line[-1]._replace(duration=start - line[-1].start)
        line.append(Note(pitch, start, duration))
    return line, len(notes) - len(line)


def as_melodies(raw: Any) -> list[Melody]:
    """A melody or a list of such."""
    melodies = [raw] if isinstance(raw, Melody) else list(raw) if isinstance(raw, (list, tuple)) else []
    if not melodies or not all(isinstance(melody, Melody) for melody in melodies):
        raise ParameterError("Melodies are a list of hourglass.Melody, of one at least.")
    return melodies
