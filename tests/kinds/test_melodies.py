"""Melodies as rows of symbols: a position each 16th or 32nd, thirds of four of them, metre and key; windows."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hourglass as hg
from hourglass.data.melody import bar_of, key_of, named, pitch_of
from hourglass.kinds import KINDS, as_raw, kind_from_config
from hourglass.kinds.melody import bars_of, finer, melody_of, tonic_of, windows_of

KIND = KINDS["melody"]
THIRD = Fraction(4, 3)
TUNES = [
    hg.Melody([(62 + step, 4 * i, 4) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12))], key="D"),
    hg.Melody([(67, 0, 6), (71, 6, 6), (74, 12, 12), (67, 24, 6), (62, 30, 18)], "6/8", "G"),
]


def symbols(melody):
    return " ".join(windows_of(melody, melody.bars)[0])


def plain(melody):
    return [tuple(note) for note in melody.notes]


def test_positions_are_16ths_named_as_in_c():
    melody = hg.Melody([(62, 0, 3), (66, 3, 1), (69, 6, 6)], "6/8", "D")
    assert symbols(melody) == "6/8 D C4 - - E4 . . G4 - - - - -"
    assert symbols(melody.transposed(2)) == "6/8 E C4 - - E4 . . G4 - - - - -"  # all else is the same
    assert symbols(melody.transposed(5)) == "6/8 G C5 - - E5 . . G5 - - - - -"  # the nearer way from C to G is down
    assert melody_of(symbols(melody).split()) == melody


def test_three_in_a_quarter_take_its_four_positions():
    melody = hg.Melody([(60, 0, THIRD), (62, THIRD, THIRD), (64, 2 * THIRD, THIRD), (65, 4, 8)], "6/8", "C")
    assert symbols(melody) == "6/8 C 3 C4 D4 E4 F4 - - - - - - -"
    assert melody_of(symbols(melody).split()) == melody
    long = hg.Melody([(60, 0, 2 * THIRD), (64, 2 * THIRD, THIRD), (65, 4, 8)], "6/8", "C")
    assert symbols(long) == "6/8 C 3 C4 - E4 F4 - - - - - - -"


@pytest.mark.parametrize(
    ("starts", "written"),
    [
        ((0, "1/2", 1, "5/2"), "C4 D4 E4 - - F4 - -"),
        ((0, "2/3", "4/3", 2), "3 C4 D4 E4 F4 - - -"),  # three in an 8th
        ((0, "4/3", "8/3"), "3 C4 - D4 3 - E4 -"),  # three in a quarter
    ],
)
def test_positions_of_short_bars_are_32nds(starts, written):
    starts = [*map(Fraction, starts), Fraction(4)]
    notes = [(pitch, start, end - start) for pitch, start, end in zip((60, 62, 64, 65), starts, starts[1:], strict=False)]
    melody = hg.Melody(notes, "1/4", "C")
    assert symbols(melody) == f"1/4 C {written}"
    assert melody_of(symbols(melody).split()) == melody


def test_notes_that_are_too_quick_give_way_to_the_one_on_its_position():
    half = Fraction(1, 2)
    assert symbols(hg.Melody([(60, 0, half), (62, half, half), (64, 1, 11)], "3/4", "C")) == "3/4 C C4 E4" + 10 * " -"
    six = [(60 + i, i * Fraction(2, 3), Fraction(2, 3)) for i in range(6)]  # three in an 8th, twice
    assert symbols(hg.Melody(six, "3/4", "C")) == "3/4 C C4 C#4 D#4 E4" + 8 * " ."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C4 - - -", []),  # too short to have a metre and a key: the first two are their places
        ("4/4 C 3 C4 D4", [(60, 1, 1), (62, 2, 1)]),  # a mark without three behind it is a rest
        ("4/4 C - . 4/4 E4 G -", [(64, 3, 3)]),
        ("- - E4", [(64, 0, 1)]),
        ("", []),
    ],
)
def test_any_symbols_are_a_melody(text, expected):
    found = melody_of(text.split())
    assert plain(found) == expected and found.metre == "4/4"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("slot"), st.sampled_from("nhr"), st.integers(40, 80)),
        st.tuples(st.just("thirds"), st.lists(st.sampled_from("nhr"), min_size=3, max_size=3), st.integers(40, 80)),
    ),
    min_size=1,
    max_size=40,
)


@given(STEPS, st.sampled_from(["4/4", "6/8", "3/4", "2/4", "9/8"]), st.integers(-5, 6))
@settings(max_examples=100)
def test_a_melody_on_the_grid_comes_back(steps, metre, sharps):
    notes, place, sounds = [], Fraction(0), False
    for what, drawn, pitch in steps:
        unit, letters = (THIRD, drawn) if what == "thirds" else (Fraction(1), [drawn])
        if what == "thirds" and (place % bar_of(metre) + 4 > bar_of(metre) or "n" not in letters[1:]):
            continue
        for number, letter in enumerate(letters):
            if letter == "n":
                notes.append((pitch + number, place, unit))
            elif letter == "h" and sounds:
                notes[-1] = (*notes[-1][:2], notes[-1][2] + unit)
            sounds = letter == "n" or (sounds and letter == "h")
            place += unit
    if not notes:
        return
    melody = hg.Melody(notes, metre, key_of(sharps))
    back = melody_of([metre, key_of(sharps), *(symbol for bar in bars_of(melody) for symbol in bar)])
    assert [note[:2] for note in plain(back)] == [note[:2] for note in plain(melody)]
    last = back.notes[-1]
    assert plain(back)[:-1] == plain(melody)[:-1] or all(n.duration.denominator in (1, 3, finer(metre)) for n in back.notes)
    assert last.start + last.duration <= melody.bars * melody.bar


def test_names_of_pitches():
    assert [named(pitch) for pitch in (60, 61, 69, 11)] == ["C4", "C#4", "A4", "B-1"]
    assert all(pitch_of(named(pitch)) == pitch for pitch in range(128))
    assert [pitch_of(text) for text in ("-", ".", "3", "4/4", "D", "F#", "")] == [None] * 7
    assert [tonic_of(sharps) for sharps in range(-5, 7)] == [1, -4, 3, -2, 5, 0, -5, 2, -3, 4, -1, 6]


def test_windows_are_rows():
    kind = KIND.learn(as_raw(TUNES), asked=hg.Melodies(bars=1))
    assert kind.describe() == "melodies of 1 bar" and kind.bars == 1 and kind.symbolic
    assert kind.shape == (2 + 16, 1 + len(kind.alphabet)) and kind_from_config(kind.to_config()) == kind
    assert kind.alphabet[:8] == ("-", ".", "3", "4/4", "6/8", "D", "G", "C4")
    windows = kind.opened(as_raw(TUNES))
    assert windows.tolist() == [window for melody in TUNES for window in melody.windows(1)]
    assert set(windows) == {window for melody in TUNES for window in melody.windows(1)}
    assert list(zip(*kind.origins(windows).values(), strict=True)) == [
        (number, melody.name, first + 1) for number, melody in enumerate(TUNES) for first in range(len(melody.windows(1)))
    ]
    assert kind.opened(windows).tolist() == windows.tolist()
    assert all(again is window for again, window in zip(kind.opened(windows), windows, strict=True))  # none is cut anew
    values = kind.to_tensor(windows)
    assert values.shape == (5, 18) and (values[2:, 14:] == 0).all()  # a bar of 6/8 is shorter
    assert kind.from_tensor(values) == windows.tolist()
    assert torch.equal(kind.to_tensor(as_raw(TUNES)), values)  # a window each bar


def test_a_window_that_is_written_has_no_more_bars_than_the_others():
    kind = KIND.learn(as_raw(TUNES), asked=hg.Melodies(bars=1))
    values = kind.to_tensor(kind.opened(as_raw(TUNES[:1])))[:1]
    values[0, 0] = 1 + kind.alphabet.index("6/8")  # in which the 16 positions that are written are more than a bar
    (melody,) = kind.from_tensor(values)
    assert (melody.metre, melody.bars, plain(melody)) == ("6/8", 1, plain(TUNES[0].cut(0, 1))[:3])


def test_in_training_a_window_begins_at_each_bar_and_what_is_held_there_is_not_heard():
    held = hg.Melody([(60, 0, 20), (64, 20, 12), (67, 32, 16)])
    assert [" ".join(row[2:8]) for row in windows_of(held, 2)] == ["C4 - - - - -", ". . . . E4 -"]
    kind = KIND.learn(as_raw([held, held]))
    assert kind.to_tensor(as_raw([held])).shape == (2, 34)
    assert len(kind.opened(as_raw([held]))) == 2  # one after the other, the last filled with rests
    learned = kind.learned(as_raw([held]))
    assert [(window.first, window.bars) for window in learned] == [(0, 2), (1, 2)]
    assert torch.equal(kind.to_tensor(learned), kind.to_tensor(as_raw([held])))
    assert torch.equal(kind.to_tensor(as_raw([held.cut(2, 1)]))[0, 18:34], torch.full((16,), 2, dtype=torch.uint8))


def test_a_window_has_the_key_of_its_tune():
    notes = [(pitch, 4 * i, 4) for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72) * 2 + (66, 67, 69, 71))]
    tune = hg.Melody(notes)
    assert (tune.sharps, tune.cut(4, 1).sharps) == (0, 1)  # of its last bar alone G is likelier
    kind = KIND.learn(as_raw([tune]), asked=hg.Melodies(bars=1))
    windows = kind.opened(as_raw([tune]))
    assert [window.key for window in windows] == ["C"] * 5
    assert torch.equal(kind.to_tensor(windows), kind.to_tensor(as_raw([tune])))
    assert [window.key for window in kind.learned(as_raw([tune]))] == ["C"] * 5


def test_a_note_in_the_last_half_of_a_window_is_heard_at_its_last_position():
    late = hg.Melody([(60, Fraction(31, 2), Fraction(1, 2)), (62, 16, 16)], key="C")
    assert symbols(late).split()[17:19] == [".", "D4"]  # in the tune it gives way to the note on its position
    assert windows_of(late.cut(0, 1), 1) == [["4/4", "C", *["."] * 15, "C4"]]
    kind = KIND.learn(as_raw([late]), asked=hg.Melodies(bars=1))
    assert [len(kind.to_tensor(rows)) for rows in (kind.opened(as_raw([late])), kind.opened(as_raw([late.cut(0, 1)])))] == [2, 1]


def test_what_is_no_melody_is_refused(sentence):
    assert hg.infer(TUNES) == ("melody", "a list of 2 tunes is melodies")
    assert hg.infer(TUNES[0]).kind == "melody"
    assert sentence(hg.DataError, KIND.learn, as_raw([[1, 2], [3, 4]])) == (
        "Melodies are a list of hourglass.Melody, as hourglass.read gives them. Got an array of int64 of shape (2, 2)."
    )
    one_bar = as_raw([hg.Melody([(60, 0, 4)])] * 3)
    assert sentence(hg.DataError, KIND.learn, one_bar) == (
        "Windows are of 2 bars, and the longest tune has 1. Give longer ones, or kind=hg.Melodies(bars=1)."
    )
    kind = KIND.learn(as_raw(TUNES))
    assert sentence(hg.DataError, kind.to_tensor, as_raw([hg.Melody([(60, 0, 4)], "5/4", "D")])) == (
        "Row 0 has the metre 5/4, which the model has never seen. Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, kind.to_tensor, as_raw([hg.Melody([(60, 0, 4)], "4/4", "F")])) == (
        "Row 0 has the key F, which the model has never seen. Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, kind.to_tensor, as_raw([hg.Melody([(100, 0, 4)], key="D")])) == (
        "Row 0 has the note D7 (as if in C major), which the model has never seen. "
        "Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, kind.opened, as_raw([hg.Melody([])])) == "There is no note in these tunes. Leave them out."
    said = sentence(hg.ParameterError, hg.Melodies, bars=0)
    assert said == "The 'bars' parameter of Melodies must be a positive int. Got 0 instead."
