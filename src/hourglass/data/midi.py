"""MIDI: melodies of its bytes and back, by symusic."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from hourglass.data.melody import Melody, Note, bar_of, key_of, mode_of, top_line
from hourglass.errors import DataError, MissingExtraError, warn

TICKS = 480  # of a quarter, in files that are written
TEMPO = 120  # quarters a minute
LOUD = 90  # of 127
UNTOLD = "4/4"  # the metre until one is told
FINEST = 3  # a start that is no whole part of a 16th up to a third was played, or is finer than is kept
HALF = Fraction(1, 2)
BREATH = Fraction(1, 8)  # of a played note: up to which a silence behind it is part of it, as editors and players shorten notes
THIRDS = tuple(Fraction(4 * third, 3) for third in range(4))  # of a quarter, in 16ths


class _Instrument(NamedTuple):
    """What sounds by one name."""

    name: str
    notes: list[Any]


def read_midi(raw: bytes, name: str) -> tuple[list[Melody], int]:
    """The melodies of a file, cut where metre or key change, and how many notes below the top line were left out.

    Of several instruments, that which lies highest among those with at least half as many notes as any; drums are none. Starts that
    are played are set to the nearest 16th, or third of a quarter, a quarter at a time. A melody is called as the track is, or, if
    there are several, as the file. Raises `DataError` where there is no note.
    """
    score = _symusic().Score.from_midi(raw)
    if score.ticks_per_quarter <= 0:
        raise ValueError("its header gives no length of a quarter")
    sounding = [track for track in score.tracks if len(track.notes)]
    tracks = _instruments([track for track in sounding if not track.is_drum])
    alone = len(tracks) == 1 and not any(track.is_drum for track in sounding)
    if not tracks:
        raise DataError("there is nothing but drums" if sounding else "there is no note")
    most = max(len(track.notes) for track in tracks)
    highest = max((track for track in tracks if 2 * len(track.notes) >= most), key=_height)

    def in_16ths(ticks: int) -> Fraction:
        return Fraction(4 * ticks, score.ticks_per_quarter)

    line, below = top_line([(n.pitch, in_16ths(n.time), in_16ths(max(n.duration, 1))) for n in highest.notes])
    changes: list[tuple[Fraction, str | None, str | None]] = [
        (in_16ths(sign.time), f"{sign.numerator}/{sign.denominator}", None) for sign in score.time_signatures
    ]
    changes += [(in_16ths(sign.time), None, key_of(sign.key, "m" if sign.tonality else "")) for sign in score.key_signatures]
    title = (highest.name if alone else "") or name  # beside others, a track is called as its instrument is
    pieces = _pieces(_on_grid(line), sorted(changes, key=lambda change: change[0]), title)
    return pieces, below + sum(len(track.notes) for track in tracks if track is not highest)


def midi_of(melodies: Sequence[Melody]) -> bytes:
    """A file of melodies, one after the other, each from a bar line on."""
    symusic = _symusic()
    score = symusic.Score(TICKS)
    score.tempos.append(symusic.Tempo(0, TEMPO))
    track = symusic.Track(melodies[0].name, 0, False)
    begin = Fraction(0)

    def ticks(sixteenths: Fraction) -> int:
        return round(sixteenths * TICKS / 4)

    for melody in melodies:
        beats, unit = map(int, melody.metre.split("/"))
        score.time_signatures.append(symusic.TimeSignature(ticks(begin), beats, unit))
        minor = mode_of(melody.key or "") == "m"
        score.key_signatures.append(symusic.KeySignature(ticks(begin), melody.sharps, int(minor)))
        for pitch, start, duration in melody.notes:
            first, last = ticks(begin + start), ticks(begin + start + duration)
            track.notes.append(symusic.Note(first, last - first, pitch, LOUD))
        begin += melody.bars * melody.bar
    score.tracks.append(track)
    found: bytes = score.dumps_midi()
    return found


def _instruments(tracks: Sequence[Any]) -> list[_Instrument]:
    """Tracks, of which those of one name that take turns are one: where the sound is changed on the way, symusic begins another."""
    found: list[_Instrument] = []
    for track in tracks:
        notes = list(track.notes)
        same = next((one for one in found if one.name == track.name and _take_turns(one.notes, notes)), None)
        if same is None:
            found.append(_Instrument(track.name, notes))
        else:
            same.notes.extend(notes)
    return found


def _take_turns(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether no note of one sounds beside one of the other."""
    spans = sorted((note.time, note.time + note.duration, which) for which, notes in enumerate((first, second)) for note in notes)
    ends = [0, 0]
    for start, end, which in spans:
        if start < ends[1 - which]:
            return False
        ends[which] = max(ends[which], end)
    return True


def _height(track: _Instrument) -> float:
    return float(sum(note.pitch for note in track.notes) / len(track.notes))


def _pieces(line: Sequence[Note], changes: Sequence[tuple[Fraction, str | None, str | None]], name: str) -> list[Melody]:
    """Melodies of a line that is cut where the metre or the key changes."""
    metre, key = UNTOLD, None
    begins: list[tuple[Fraction, str, str | None]] = []
    for at, other_metre, other_key in changes:
        metre, key = other_metre or metre, other_key or key
        begins = [*(begins[:-1] if begins and begins[-1][0] == at else begins), (at, metre, key)]
    if not begins or begins[0][0] > 0:
        begins.insert(0, (Fraction(0), UNTOLD, None))
    stretches = [begins[0]] + [after for before, after in pairwise(begins) if before[1:] != after[1:]]
    ends = [at for at, _, _ in stretches[1:]] + [line[-1].start + 1]
    found, strange = list[Melody](), list[str]()
    for (begin, metre, key), end in zip(stretches, ends, strict=True):
        inside = [note for note in line if begin <= note.start < end]
        if inside and not _is_metre(metre):
            strange.append(metre)
        elif inside:
            bar = bar_of(metre)
            first = begin + (inside[0].start - begin) // bar * bar  # where its first bar that isn't silent begins
            found.append(Melody(tuple(note._replace(start=note.start - first) for note in inside), metre, key, name))
    if strange and not found:
        raise DataError(f"the metre is {strange[0]}, and bars need one such as 4/4")
    if strange:
        words = f"What '{name}' has in {' and '.join(dict.fromkeys(strange))} was left out: bars need a metre such as 4/4."
        warn(words)
    return found


def _is_metre(text: str) -> bool:
    with contextlib.suppress(DataError):
        return bar_of(text) > 0
    return False


def _on_grid(line: Sequence[Note]) -> list[Note]:
    """Notes whose starts are 16ths or thirds of a quarter, where they were not written so."""
    starts = [note.start for note in line]
    if any(start.denominator > FINEST for start in starts):
        quarters: dict[int, list[Fraction]] = {}
        for start in starts:
            quarters.setdefault(int(start // 4), []).append(start % 4)
        in_thirds = {number for number, within in quarters.items() if _thirds_fit(within)}
        starts = [4 * (s // 4) + _nearest(s % 4, THIRDS) if int(s // 4) in in_thirds else Fraction(round(s)) for s in starts]
    found: list[Note] = []
    for note, start, after in zip(line, starts, [*starts[1:], None], strict=True):
        if after is not None and after <= start:  # two have become one
            continue
        end = note.start + note.duration
        if end.denominator > FINEST:
            breath = max(HALF, BREATH * note.duration)
            end = after if after is not None and abs(after - end) <= breath else Fraction(round(end))
        end = max(end, start + HALF) if after is None else min(max(end, start + HALF), after)
        found.append(Note(note.pitch, start, end - start))
    return found


def _thirds_fit(within: Sequence[Fraction]) -> bool:
    """Whether starts within a quarter are nearer to its thirds than to its 16ths."""
    return sum(abs(s - _nearest(s, THIRDS)) for s in within) < sum(abs(s - round(s)) for s in within)


def _nearest(value: Fraction, choices: Sequence[Fraction]) -> Fraction:
    return min(choices, key=lambda choice: abs(choice - value))


def _symusic() -> Any:
    try:
        import symusic
    except ImportError as error:
        raise MissingExtraError("MIDI needs symusic. Run: pip install 'hourglass-ae[melodies]'") from error
    return symusic
