"""ABC, the notation of folk tunes in plain text: what melodies need of it, in and out (the ABC music standard 2.1).

A tune is read as it is written: repeats once, second endings after the first ones, the first voice, the top note of chords, without
grace notes, lyrics and chord symbols. Bars that lack a part are joined with the upbeat that follows, or filled with rests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import takewhile
from operator import itemgetter
from typing import NamedTuple

from hourglass.data.melody import FIFTHS, MODES, MOST_SHARPS, Melody, Note, bar_of, keyed, mode_of, sharps_of
from hourglass.errors import DataError

BESIDE = re.compile(r'"[^"]*"|![^!\s]*!|\+[a-zA-Z][^+\s]*\+')  # chord symbols and decorations, which may stand within chords
SYMBOLS = re.compile(
    r"\{[^}]*\}|%.*"  # grace notes, remarks
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]"
    r"|(?P<bar>:*\[?\|+[\]:|]*|::+)"
    r"|\((?P<tuplet>\d)(?::(?P<time>\d*))?(?::(?P<count>\d*))?"
    r"|\[(?P<chord>[_^=A-Ga-gx][^\]|]*)\](?P<chord_length>\d*/*\d*)"
    r"|(?P<accidental>[_^=]*)(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)"
    r"|[zx](?P<rest>\d*/*\d*)|[ZX](?P<bars>\d*)"
    r"|(?P<broken>>+|<+)|(?P<tie>-)|(?P<overlay>&)"
)
NOTE = re.compile(r"([_^=]*)([A-Ga-g])([,']*)(\d*/*\d*)(-?)")
CHORD = re.compile(r"\[[_^=]*[A-Ga-g][^\]|:]*\]|&")
VOICE = re.compile(r"(?:^|\[)V:\s*([^\s\]]+)", re.MULTILINE)
FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)")  # and no note with a repeat behind it
OCTAVE = re.compile(r"\boctave=([+-]?\d+)")
CLEF = re.compile(  # what a key may have beside it
    r"""(?<!\S)(?:[a-z]+=(?:"[^"]*"|\S*)|(?i:treble|bass|tenor|alto|(?:mezzo-?)?soprano|baritone|perc)\d?(?:[+-]\d+)?(?!\S))"""
)
REMARK = re.compile(r"(?<!\\)%.*")
ACCIDENTAL = re.compile(r"(\^+|_+|=)([A-Ga-g])")
TONIC = re.compile(r"([A-Ga-g])([#b]?)\s*([A-Za-z]*)")
TYPESET = re.compile(r"^%%begintext.*?(^%%endtext[^\n]*\n?|\Z)", re.MULTILINE | re.DOTALL)  # text for the printed page
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
IN_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # of tuplets; others depend on the metre
COMPOUND = ("6/8", "9/8", "12/8")
COMMON = {"C": "4/4", "C|": "2/2"}
ONE = Fraction(1)
LINE = 4  # bars of a line that is written


class _Event(NamedTuple):
    """A note or a rest as it is written."""

    pitch: int | None
    duration: Fraction  # 16ths
    tied: bool = False  # to the next one


Bar = list[_Event]


@dataclass
class _Piece:
    """A stretch of one metre and key: its bars, and whether a repeat ends each."""

    metre: str
    key: str
    bars: list[tuple[Bar, bool]] = field(default_factory=list)


def tunes_of(text: str) -> list[str]:
    """The tunes of a file, each from its ``X:`` on, with metre and unit that are told ahead of all, and without text."""
    text = TYPESET.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    ahead, *parts = re.split(r"^(?=X:)", text, flags=re.MULTILINE)
    told = "".join(f"{line}\n" for line in ahead.splitlines() if line.startswith(("M:", "L:")))
    return [_without_text(re.sub(r"^(?=K:)", lambda _: told, part, count=1, flags=re.MULTILINE)) for part in parts]


def _without_text(tune: str) -> str:
    """A tune up to the first empty line behind which there is text: no bar line comes before the next empty one."""
    key = re.search(r"^K:.*\s*", tune, re.MULTILINE)
    if key is None:
        return tune
    first, *others = re.split(r"\n\s*\n", tune[key.end() :])
    return tune[: key.end()] + "\n".join([first, *takewhile(lambda block: "|" in block, others)])


def has_chords(text: str) -> bool:
    """Whether notes of a tune sound together: chords, or more than one voice."""
    lines = (BESIDE.sub("", line) for line in text.partition("\nK:")[2].splitlines()[1:] if not FIELD.match(line))
    return any(CHORD.search(line) for line in lines) or len(set(VOICE.findall(text))) > 1


def read_tune(text: str) -> list[Melody]:
    """The melodies of a tune: one, or more where the metre or the key changes, or where a bar is too long for the metre.

    Where all bars are, the metre is wrong, and the notes are taken as they come. Raises `DataError` where there is no key, no metre
    or no note.
    """
    parts = re.split(r"^K:(.*)$", text, maxsplit=1, flags=re.MULTILINE)
    if len(parts) < 3:
        raise DataError("there is no key, a line K:, behind which the notes would begin")
    header, key, body = parts
    told = {match[1]: REMARK.sub("", match[2]).strip() for line in reversed(header.splitlines()) if (match := FIELD.match(line))}
    metre = told.get("M") or next(iter(re.findall(r"^M:([^%\n]*)", body, re.MULTILINE)), "").strip()
    voices = dict(re.findall(r"^V:\s*(\S+)(.*)", header, re.MULTILINE))
    reader = _Reader(_metre(metre), key, told.get("L", ""), voices)
    for line in body.splitlines():
        reader.read(line)
    pieces = reader.finished()
    if not any(event.pitch is not None for piece in pieces for bar, _ in piece.bars for event in bar):
        raise DataError("there is no note")
    title = told.get("T", "").replace(r"\%", "%")
    found = [melody for piece in pieces for melody in _melodies(piece, title)]
    return found or [
        melody for piece in pieces for melody in _melody([event for bar, _ in piece.bars for event in bar], piece, title)
    ]


class _Reader:
    """Goes over a tune's lines with all that a symbol's meaning depends on."""

    def __init__(self, metre: str, key: str, unit: str, voices: dict[str, str]) -> None:
        told, self.signature = _key(key)
        self.pieces = [_Piece(metre, told or "C")]
        self.unit = _unit(unit, metre)  # 16ths
        self.octave = _octave(key) or 0  # higher than written
        self.octaves = {voice: octave for voice, said in voices.items() if (octave := _octave(said)) is not None}
        self.first = next(iter(voices), "1")  # the voice until one is told
        self.bar: Bar = []
        self.accidentals: dict[str, int] = {}
        self.written: dict[int, int] = {}  # of the last symbol the pitches, by those that its letters have without accidentals
        self.held: dict[int, int] = {}  # the same of what is tied over the bar line
        self.tuplet = (0, ONE)  # notes to come, and what their lengths are multiplied by
        self.broken = ONE  # the same for the next note
        self.overlaid = self.silent = False  # in a part that is not the first
        self.voice: str | None = None

    def read(self, line: str) -> None:
        outer = FIELD.match(line)
        if outer:
            self.told(outer[1], outer[2].split("%")[0].strip())
            return
        for match in SYMBOLS.finditer(BESIDE.sub("", line)):
            if match["field"]:
                self.told(match["field"], match["value"].strip())
            elif match["bar"] and not self.silent:
                self.end_bar(match["bar"].startswith(":"))
            elif not (self.silent or self.overlaid):
                self.take(match)

    def take(self, match: re.Match[str]) -> None:
        """One symbol within a bar."""
        if match["letter"] or match["chord"]:
            self.written = {}
        if match["letter"]:
            self.add(self.pitch(match["accidental"], match["letter"], match["octave"]), match["length"])
        elif match["rest"] is not None:
            self.add(None, match["rest"])
        elif match["tuplet"]:
            size = int(match["tuplet"])
            time = int(match["time"] or IN_TIME.get(size, 3 if self.pieces[-1].metre in COMPOUND else 2))
            self.tuplet = int(match["count"] or size), Fraction(time, size or 1)
        elif match["broken"]:
            self.break_rhythm(match["broken"])
        elif match["tie"] and self.bar:
            self.bar[-1] = self.bar[-1]._replace(tied=True)
        elif match["chord"]:
            inner = [(self.pitch(*note[:3]), *note[3:]) for note in NOTE.findall(match["chord"])]
            pitch, _, tie = max(inner, key=itemgetter(0), default=(None, "", ""))
            self.add(pitch, inner[0][1] if inner else "", _times(match["chord_length"]), tied=bool(tie))
        elif match["bars"] is not None and self.bar:  # a slip of the pen: in a bar that has begun a rest is z
            self.add(None, match["bars"])
        elif match["bars"] is not None:
            self.bar.append(_Event(None, Fraction(int(match["bars"] or 1) * bar_of(self.pieces[-1].metre))))
        elif match["overlay"]:
            self.overlaid = True

    def told(self, name: str, value: str) -> None:
        """A field of information, on a line of its own or in brackets."""
        if name == "V":
            voice = next(iter(value.split()), "")
            begun = self.bar or any(piece.bars for piece in self.pieces)
            self.voice = self.voice or (self.first if begun else voice)
            self.silent = voice != self.voice
            self.shift(value)
        elif name == "L" and not self.silent:
            self.unit = _unit(value, self.pieces[-1].metre)
        elif name == "M" and value and not self.silent:
            self.begin(_metre(value), self.pieces[-1].key)
        elif name == "K" and value and not self.silent:
            key, signature = _key(value)
            self.begin(self.pieces[-1].metre, key or self.pieces[-1].key)
            self.signature = signature if key else self.signature | signature
            self.shift(value)

    def begin(self, metre: str, key: str) -> None:
        """Another piece, if metre or key are others."""
        if (metre, key) != (self.pieces[-1].metre, self.pieces[-1].key):
            self.end_bar(False)
            self.pieces.append(_Piece(metre, key))

    def shift(self, value: str) -> None:
        """The octave that is told beside a voice or a key."""
        octave = _octave(value)
        if octave is not None and not self.silent:
            self.octaves[self.voice or self.first] = octave

    def pitch(self, accidental: str, letter: str, octave: str) -> int:
        """The pitch of a note; an accidental holds to the end of its bar, in all octaves, and over a tie."""
        name = letter.upper()
        if accidental:
            self.accidentals[name] = _raised(accidental)
        shift = self.accidentals.get(name, self.signature.get(name, 0))
        higher = self.octaves.get(self.voice or self.first, self.octave) + letter.islower()
        plain = 60 + STEPS[name] + 12 * (higher + octave.count("'") - octave.count(","))
        tied = not accidental and not self.bar and plain in self.held
        self.written[plain] = self.held[plain] if tied else plain + shift
        return self.written[plain]

    def add(self, pitch: int | None, length: str, more: Fraction = ONE, *, tied: bool = False) -> None:
        left, factor = self.tuplet
        duration = _lasting(length, self.unit, self.broken, factor if left else ONE)
        self.tuplet, self.broken = (max(left - 1, 0), factor), ONE
        self.bar.append(_Event(pitch, duration if more is ONE else duration * more, tied))

    def break_rhythm(self, signs: str) -> None:
        """Dot the note before and shorten the next, or the other way round."""
        short = Fraction(1, 2 ** len(signs))
        before, self.broken = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        if self.bar:
            self.bar[-1] = self.bar[-1]._replace(duration=self.bar[-1].duration * before)

    def end_bar(self, repeats: bool) -> None:
        if self.bar:
            self.pieces[-1].bars.append((self.bar, repeats))
            self.held = self.written if self.bar[-1].tied else {}
        self.bar, self.accidentals, self.overlaid = [], {}, False

    def finished(self) -> list[_Piece]:
        self.end_bar(True)
        return self.pieces


def _melodies(piece: _Piece, name: str) -> Iterator[Melody]:
    """The melodies of a stretch, which is cut where a bar is too long."""
    length = bar_of(piece.metre)
    line: Bar = []
    waiting: Bar = []  # a bar that lacks a part
    missing = Fraction(0)  # of it

    def fill(*, behind: bool) -> None:
        rest = [_Event(None, missing)]
        line.extend(waiting + rest if behind else rest + waiting)
        waiting.clear()

    for bar, repeats in piece.bars:
        total = sum((event.duration for event in bar), Fraction(0))
        if waiting and total == missing:  # the other part of the bar
            line += waiting + bar
            waiting.clear()
            continue
        if waiting:
            fill(behind=False)
        if total < length:
            waiting, missing = bar[:], length - total
            if repeats and line:  # an upbeat belongs to what is repeated
                fill(behind=True)
        elif total % length == 0:
            line += bar
        else:
            yield from _melody(line, piece, name)
            line.clear()
    if waiting:
        fill(behind=bool(line))
    yield from _melody(line, piece, name)


def _melody(line: Bar, piece: _Piece, name: str) -> Iterator[Melody]:
    """The melody of events one after the other, if there is a note."""
    notes: list[Note] = []
    start, tied = Fraction(0), False
    for event in line:
        if tied and notes and event.pitch == notes[-1].pitch:
            notes[-1] = notes[-1]._replace(duration=notes[-1].duration + event.duration)
        elif event.pitch is not None:
            notes.append(Note(event.pitch, start, event.duration))
        start, tied = start + event.duration, event.tied
    if notes:
        yield Melody(tuple(notes), piece.metre, piece.key, name)


@lru_cache
def _times(text: str) -> Fraction:
    """What a length behind a note multiplies: nothing 1, ``3/2``, ``/`` one half, ``//`` a quarter."""
    above, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()  # type: ignore[union-attr]
    return Fraction(int(above or 1), int(below or 2 ** len(slashes)) or 1)


@lru_cache(4096)
def _lasting(length: str, unit: Fraction, broken: Fraction, factor: Fraction) -> Fraction:
    return _times(length) * unit * broken * factor


def _unit(text: str, metre: str) -> Fraction:
    """16ths of the unit of lengths, which depends on the metre where it is not told."""
    if re.fullmatch(r"\d+/[1-9]\d*", text):
        return 16 * Fraction(text)
    return Fraction(1 if bar_of(metre) < 12 else 2)


def _metre(text: str) -> str:
    metre = COMMON.get(text, text.replace(" ", ""))
    try:
        bar_of(metre)
    except DataError:
        came = f"the metre is {text!r}" if text else "there is no metre, a line M:"
        raise DataError(f"{came}, and bars need one such as 4/4") from None
    return metre


def _key(text: str) -> tuple[str | None, dict[str, int]]:
    """The key, as in "D" or "Em", and how far letters are raised in it; no key where nothing but a clef or accidentals are told."""
    said = CLEF.sub("", text.split("%", maxsplit=1)[0])
    told = {letter.upper(): _raised(signs) for signs, letter in ACCIDENTAL.findall(said)}
    name = ACCIDENTAL.sub("", said).strip()
    if not name:
        return None, told
    if name.lower() == "none":
        return "C", told
    if re.match(r"H[Pp]\b", name):
        name = "Amix"  # the scale of the Highland pipes
    match = TONIC.match("C exp" if name == "exp" else name)
    tonic, mode = (match[1].upper() + match[2], mode_of(f"C{match[3]}")) if match else ("", "")
    if match is None or (match[1].islower() and mode not in (*MODES, "exp")):
        raise DataError(f"the key is {text.strip()!r}, and one is written as D, Bb, Em or Ador")
    if mode == "exp":  # nothing but the accidentals behind it: called as the mode that has most of them
        keys = [tonic + mode for mode, more in MODES.items() if abs(sharps_of(tonic) + more) <= MOST_SHARPS]
        return min(keys, key=lambda key: _differing(_signature(key), told)), told
    key = tonic + mode * (mode in MODES)  # else something else stands behind it
    return key, _signature(key) | told


def _differing(one: dict[str, int], other: dict[str, int]) -> int:
    """How many letters are raised in one way and in the other."""
    return sum(one.get(letter, 0) != other.get(letter, 0) for letter in FIFTHS)


def _octave(text: str) -> int | None:
    """How many octaves higher than written notes are, if that is told."""
    match = OCTAVE.search(text)
    return None if match is None else int(match[1])


def _raised(accidental: str) -> int:
    return accidental.count("^") - accidental.count("_")


@lru_cache
def _signature(key: str) -> dict[str, int]:
    sharps = sharps_of(key)
    changed = FIFTHS[:sharps] if sharps > 0 else FIFTHS[sharps:] if sharps < 0 else ""
    return dict.fromkeys(changed, 1 if sharps > 0 else -1)


# Writing


def abc_of(melodies: Sequence[Melody]) -> bytes:
    """A file of melodies, a tune each: lengths in 16ths, four bars a line, the last one filled with rests."""
    return "\n".join(_tune(number, keyed(melody)) for number, melody in enumerate(melodies, 1)).encode()


def _tune(number: int, melody: Melody) -> str:
    title = " ".join(melody.name.split()).replace("%", r"\%")
    bars = [_bar(events, melody) for events in _bars(melody)]
    lines = [" | ".join(bars[start : start + LINE]) for start in range(0, len(bars), LINE)]
    header = f"X:{number}\n{f'T:{title}' + chr(10) if title else ''}M:{melody.metre}\nL:1/16\nK:{melody.key}\n"
    return header + " |\n".join(lines) + " |]\n"


def _bars(melody: Melody) -> list[Bar]:
    """Notes and rests of each bar; a note that goes on in the next is tied to what is left of it there."""
    found: list[Bar] = [[] for _ in range(melody.bars)]
    end = Fraction(0)  # of what is written

    def add(pitch: int | None, until: Fraction) -> None:
        nonlocal end
        while end < until:
            number = int(end // melody.bar)
            last = min(until, Fraction((number + 1) * melody.bar))
            found[number].append(_Event(pitch, last - end, pitch is not None and last < until))
            end = last

    for note in melody.notes:
        add(None, note.start)
        add(note.pitch, note.start + note.duration)
    add(None, Fraction(melody.bars * melody.bar))
    return found


def _bar(events: Bar, melody: Melody) -> str:
    """A bar, with blanks between its beats; three notes in the time of two as triplets."""
    signature, accidentals = _signature(melody.key or "C"), dict[str, int]()
    beat = 6 if melody.metre in COMPOUND else 4
    text, start, triplet = "", Fraction(0), 0
    for place, event in enumerate(events):
        if text and not triplet and start % beat == 0:
            text += " "
        three = events[place : place + 3]
        if not triplet and event.duration.denominator == 3 and [each.duration for each in three] == [event.duration] * 3:
            text, triplet = f"{text}(3", 3
        length = event.duration * 3 / 2 if triplet else event.duration
        triplet = max(triplet - 1, 0)
        name = "z" if event.pitch is None else _spelled(event.pitch, signature, accidentals)
        text += f"{name}{'' if length == 1 else length}{'-' * event.tied}"
        start += event.duration
    return text


def _spelled(pitch: int, signature: dict[str, int], accidentals: dict[str, int]) -> str:
    """The letter of a pitch, with an accidental where it isn't in the key, or another has come before in the bar."""
    sharp = 1 if sum(signature.values()) >= 0 else -1
    ways = [(letter, shift) for shift in (0, sharp) for letter, step in STEPS.items() if (step + shift - pitch) % 12 == 0]
    letter, shift = next((way for way in ways if signature.get(way[0], 0) == way[1]), ways[0])
    told = letter in accidentals or signature.get(letter, 0) != shift
    if told:
        accidentals[letter] = shift
    octave = (pitch - shift - STEPS[letter]) // 12 - 5
    height = letter.lower() + "'" * (octave - 1) if octave > 0 else letter + "," * -octave
    return {1: "^", 0: "=", -1: "_"}[shift] * told + height
