"""Melodies: windows of a few bars as rows of symbols, a symbol for each 16th, or 32nd where bars are short."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hourglass.data import Melody
from hourglass.data.melody import Note, bar_of, key_of, keyed, named, pitch_of
from hourglass.errors import DataError
from hourglass.kinds.base import as_tensor, described, refuse_columns
from hourglass.kinds.token import UNSEEN, TokenKind, as_objects
from hourglass.parts.base import Part, is_count

if TYPE_CHECKING:
    from torch import Tensor

HOLD, REST, THREE = "-", ".", "3"  # what a position has that no note begins at; "3": the next three are thirds of four positions
MEANT = {HOLD: "a note held", REST: "a rest", THREE: "three in the time of four"}
UNIT, THIRD, FOUR = 12, 16, 48  # a position, a third of four and four of them, in twelfths of a position
SHORT = 8  # 16ths of a bar, up to which positions are 32nds
_as_melody = attrgetter(*(field.name for field in fields(Melody)))  # all that a melody is
HEAD = 2  # symbols before the first position: metre and key


@dataclass(frozen=True)
class Melodies(Part):
    """The kind of melodies, with what is to be known of them: an estimator's ``kind``.

    Parameters
    ----------
    bars : int, default=2
        Bars of the windows that tunes are cut to: 2 or 16, as a rule.

    Examples
    --------
    >>> import hourglass as hg
    >>> hg.Melodies(bars=16)
    Melodies(bars=16)
    """

    kind: ClassVar[str] = "melody"
    bars: int = 2

    def __post_init__(self) -> None:
        self._require("bars", is_count(self.bars), "a positive int")


@dataclass(frozen=True, eq=False, repr=False)
class Window(Melody):
    """A few bars of a tune, and where they stand: the number of the tune among others, and of the first bar in it, from 0.

    Wherever it stands, it equals a melody of the same bars.
    """

    tune: int = 0
    first: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Melody) and _as_melody(self) == _as_melody(other)

    def __hash__(self) -> int:
        return hash(_as_melody(self))

    @cached_property
    def written(self) -> list[list[str]]:
        """The symbols of each bar, which the pages of a model ask for many times."""
        return _written(self)


@dataclass(frozen=True)
class MelodyKind(TokenKind):
    """Windows of melodies. The symbols are the metre, the key's sharps, then a position each for the 16ths, or 32nds of short bars.

    At a position a note begins, named as it would be in C major, or the one before is held, or there is a rest (Roberts et al.,
    "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music", 2018, section 5.1). Where three notes share
    four positions, "3" and three of them take their place. Of notes that begin nearer to one another than that, the one on the
    position is kept, else the longest.
    """

    name: ClassVar[str] = "melody"
    ending: ClassVar[str] = ""
    symbol: ClassVar[str] = "position"
    samples_from_means: ClassVar[bool] = True  # codes as drawn make tunes that repeat themselves less
    bars: int = 2

    @classmethod
    def _symbols(cls, rows: Sequence[Any], first_row: int = 0) -> Iterator[Sequence[str]]:
        return ([*_head(row), *chain.from_iterable(bars_of(row))] for row in rows)

    @classmethod
    def joined(cls, symbols: Sequence[str]) -> Any:
        return melody_of(symbols)

    @classmethod
    def recognise(cls, raw: Any) -> str | None:
        if not isinstance(raw, np.ndarray) or raw.ndim != 1 or not len(raw) or not isinstance(raw[0], Melody):
            return None
        return f"a list of {len(raw)} tunes is melodies"

    @classmethod
    def learn(
        cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False, asked: Part | None = None
    ) -> Self:
        refuse_columns(columns, "melodies")
        bars = (asked if isinstance(asked, Melodies) else Melodies()).bars
        tunes = cls.rows_of(raw)
        longest = max(tune.bars for tune in tunes)
        if longest < bars:
            raise DataError(
                f"Windows are of {bars} bars, and the longest tune has {longest}. "
                f"Give longer ones, or kind=hg.Melodies(bars={max(longest, 1)})."
            )
        metres = {tune.metre for tune in tunes}
        keys = {key_of(tune.sharps) for tune in tunes}
        pitches = [note.pitch - tonic_of(tune.sharps) for tune in tunes for note in tune.notes]
        heard = map(named, range(min(pitches), max(pitches) + 1))
        alphabet = (HOLD, REST, THREE, *sorted(metres), *sorted(keys), *heard, *[UNSEEN] * timeless)
        return cls((HEAD + bars * max(map(positions_of, metres)), 1 + len(alphabet)), "str", alphabet, bars=bars)

    @classmethod
    def rows_of(cls, raw: Any) -> list[Melody]:
        rows = raw.tolist() if isinstance(raw, np.ndarray) else raw
        if isinstance(rows, list) and all(isinstance(row, Melody) for row in rows):
            return rows
        raise DataError(f"Melodies are a list of hourglass.Melody, as hourglass.read gives them. Got {described(raw, typed=True)}.")

    def opened(self, raw: Any) -> Any:
        """Windows one after the other; where a tune is at its end, the last one is filled with rests."""
        return self._windows(raw, self.bars)

    def learned(self, raw: Any) -> Any:
        """Windows from each bar line on that are whole, or the single one of what has no more bars."""
        return self._windows(raw, 1)

    def _windows(self, raw: Any, step: int) -> Any:
        """Windows, none silent, from each ``step``-th bar line, in the keys of their tunes."""
        windows = [
            window
            for number, tune in enumerate(self.rows_of(raw))
            for window in ([tune] if self._is_window(tune) else self._cut(keyed(tune), number, step))
        ]
        heard = [window for window in windows if window.notes]
        if not heard and len(raw):
            raise DataError("There is no note in these tunes. Leave them out.")
        return as_objects(heard)

    def _is_window(self, tune: Melody) -> bool:
        """Whether it is one already, which needs no second cut."""
        return isinstance(tune, Window) and tune.key is not None and tune.bars <= self.bars

    def _cut(self, tune: Melody, number: int, step: int) -> Iterator[Window]:
        """Windows of a tune with that number, from each ``step``-th bar line."""
        for first in range(0, max(tune.bars - self.bars + step, 1), step):
            bars = tune.cut(first, self.bars)
            place = (tune.tune, tune.first + first) if isinstance(tune, Window) else (number, first)  # of a window, where it stands
            yield Window(bars.notes, bars.metre, bars.key, bars.name, *place)

    def origins(self, raw: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Of each window the number of its tune, the name of that, and its first bar, counted from 1."""
        windows = self.opened(raw).tolist()
        return {
            "tune": np.array([window.tune for window in windows], np.int64),
            "name": np.array([window.name for window in windows], str),
            "bar": np.array([window.first + 1 for window in windows], np.int64),
        }

    def place_name(self, row: Any, place: int) -> str:
        if place < HEAD:
            return ("metre", "key")[place]
        bar, position = divmod(place - HEAD, positions_of(row.metre))
        beats = bar_of(row.metre) * int(row.metre.split("/")[1]) / 16
        return f"bar {getattr(row, 'first', 0) + bar + 1}, beat {1 + position * beats / positions_of(row.metre):g}"

    def symbol_name(self, row: Any, symbol: str) -> str:
        pitch = pitch_of(symbol)
        return MEANT.get(symbol) or super().symbol_name(row, symbol) if pitch is None else named(pitch + tonic_of(row.sharps))

    def to_array(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        """Numbers of all windows of tunes, a window each bar: a single one of what has no more bars than a window."""
        rows = [row for tune in self.rows_of(raw) for row in windows_of(tune, self.bars)]
        return self._numbered(rows, len(rows), first_row)

    def from_array(self, numbers: np.ndarray[Any, Any], like: Any = None) -> list[Melody]:
        """Melodies of no more bars than a window has, however much is written behind the last."""
        return [melody.cut(0, self.bars) for melody in super().from_array(numbers, like)]

    def beginning(self, melody: Melody, bars: int) -> Tensor:
        """Numbers (1, length) of a window of which only the first bars are known, -1 where they are not."""
        row = [*_head(melody), *chain.from_iterable(bars_of(melody, bars))]
        values = as_tensor(self._numbered([row], 1)).long()
        values[:, len(row) : HEAD + self.bars * positions_of(melody.metre)] = -1
        return values

    @property
    def unseen(self) -> str:
        return "a metre, a key or a note never seen"

    def called(self, symbol: str) -> str:
        """A metre, a key or a note."""
        if pitch_of(symbol) is None:
            return f"the {'metre' if '/' in symbol else 'key'} {symbol}"
        return f"the note {symbol} (as if in C major)"

    def roomy(self) -> Self:
        """As it is: bars have their length."""
        return self

    def describe(self) -> str:
        return f"melodies of {self.bars} bar{'s' * (self.bars != 1)}"


def windows_of(melody: Melody, bars: int) -> list[list[str]]:
    """The symbols of each window of some bars that begins at a bar line, none silent; fewer bars are filled with rests."""
    written = bars_of(melody, bars)
    windows = []
    for first in range(len(written) - bars + 1):
        symbols = list(chain.from_iterable(written[first : first + bars]))
        begins = next((place for place, symbol in enumerate(symbols) if symbol not in (HOLD, REST, THREE)), None)
        if begins is not None:  # what is held from before is not heard
            windows.append(
                [*_head(melody), *(REST if symbol == HOLD else symbol for symbol in symbols[:begins]), *symbols[begins:]]
            )
    return windows


def bars_of(melody: Melody, least: int = 0) -> list[list[str]]:
    """The symbols of each bar, metre and key left out; where there are fewer than the ``least``, rests follow."""
    written = melody.written if isinstance(melody, Window) else _written(melody)
    return written + [[REST] * positions_of(melody.metre)] * (least - len(written))


def _written(melody: Melody) -> list[list[str]]:
    """The symbols of each bar there is."""
    unit, bar, down = UNIT * finer(melody.metre), UNIT * positions_of(melody.metre), tonic_of(melody.sharps)
    notes = [(round(unit * note.start), round(unit * (note.start + note.duration)), note.pitch) for note in melody.notes]
    thirds = _in_thirds([start for start, _, _ in notes], bar)
    begun = _begun(notes, thirds, bar * melody.bars - UNIT)
    written, sounding = [], 0
    for line in range(0, bar * melody.bars, bar):
        symbols: list[str] = []
        place = line
        while place < line + bar:
            spots = [place, place + THIRD, place + 2 * THIRD] if place in thirds else [place]
            symbols += [THREE] * (place in thirds)
            place += FOUR if place in thirds else UNIT
            for spot in spots:
                note = begun.get(spot)
                sounding = sounding if note is None else note[1]
                held = HOLD if 2 * (sounding - spot) >= UNIT else REST
                symbols.append(held if note is None else named(note[2] - down))
        written.append(symbols)
    return written


def _head(melody: Melody) -> tuple[str, str]:
    return melody.metre, key_of(melody.sharps)


def melody_of(symbols: Sequence[str]) -> Melody:
    """The melody of any symbols: what is out of its place is taken as held."""
    head = [symbol for symbol in symbols[:HEAD] if symbol[:1] not in (HOLD, REST, UNSEEN)]
    metre = next((symbol for symbol in head if "/" in symbol), "4/4")
    key = next((symbol for symbol in head if "/" not in symbol and not symbol[-1].isdigit()), "C")
    up = tonic_of(Melody((), key=key).sharps)
    notes: list[Note] = []
    place, thirds, sounds = Fraction(0), 0, False
    for number, symbol in enumerate(symbols[HEAD:], HEAD):
        if symbol == THREE and not thirds and number + 3 < len(symbols):
            thirds = 3
            continue
        length = Fraction(THIRD if thirds else UNIT, UNIT * finer(metre))
        thirds = max(thirds - 1, 0)
        pitch = pitch_of(symbol)
        if pitch is not None:
            notes.append(Note(min(max(pitch + up, 0), 127), place, length))
        elif symbol != REST and sounds:
            notes[-1] = notes[-1]._replace(duration=notes[-1].duration + length)
        sounds = pitch is not None or (sounds and symbol != REST)
        place += length
    return Melody(tuple(notes), metre, key)


def tonic_of(sharps: int) -> int:
    """Semitones from C to the tonic of the major key with so many sharps, the nearer way."""
    return (7 * sharps + 5) % 12 - 5


def finer(metre: str) -> int:
    """Positions of a 16th."""
    return 2 if bar_of(metre) <= SHORT else 1


def positions_of(metre: str) -> int:
    """Positions of a bar."""
    return finer(metre) * bar_of(metre)


def _in_thirds(starts: Sequence[int], bar: int) -> set[int]:
    """Where four positions begin that notes divide in three, within a bar; no other note begins in them, and none overlap."""
    found: set[int] = set()
    for start in starts:
        first = start - 4 * (start % UNIT)  # where start is the second or the third of three: 16 or 32 units on
        if start % UNIT not in (4, 8) or first < 0 or first % bar + FOUR > bar:
            continue
        inside = starts[bisect_right(starts, first) : bisect_left(starts, first + FOUR)]
        if all(other - first in (THIRD, 2 * THIRD) for other in inside) and not any(abs(first - other) < FOUR for other in found):
            found.add(first)
    return found


def _begun(notes: Sequence[tuple[int, int, int]], thirds: set[int], last: int) -> dict[int, tuple[int, int, int]]:
    """The note that begins at each place, up to the last: of several the nearest, then the longest."""
    found: dict[int, tuple[int, int, int]] = {}
    for note in notes:
        start, end, _ = note
        in_thirds = start - 4 * (start % UNIT) in thirds and start % UNIT in (4, 8)
        place = start if in_thirds else min(UNIT * ((start + UNIT // 2) // UNIT), last)
        other = found.get(place)
        if other is None or (abs(start - place), start - end) < (abs(other[0] - place), other[0] - other[1]):
            found[place] = note
    return found
