"""Melodies as such, and in files: ABC, MIDI, sound. All files are made here."""

import contextlib
import struct
import warnings
import zipfile
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

import hourglass as hg
from hourglass.data import abc
from hourglass.data.melody import bar_of, key_of, likeliest_sharps, mode_of, sharps_of, top_line
from hourglass.data.sound import RATE, SIXTEENTH

THIRD = Fraction(4, 3)
SCALE = hg.Melody([(60, 0, 4), (62, 4, 4), (64, 8, 4), (65, 12, 4), (67, 16, 16)], name="Up")


def tune(body, metre="4/4", key="C", unit="1/8"):
    return f"X:1\nT:One\nM:{metre}\nL:{unit}\nK:{key}\n{body}\n"


def pitches(text):
    return [note.pitch for melody in abc.read_tune(text) for note in melody.notes]


def plain(melody):
    return [tuple(note) for note in melody.notes]


def midi(*events, tracks=1, quarter=480):
    """The bytes of a MIDI file of one track of events, each with its wait in ticks below 128 ahead."""
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 1, tracks, quarter) + b"MTrk" + struct.pack(">I", len(body)) + body


# Melodies


def test_a_melody_says_what_it_is():
    assert repr(SCALE) == "Melody('Up', 5 notes in 2 bars of 4/4)"
    assert repr(hg.Melody([(62, 0, 4)], "6/8", "D")) == "Melody(1 note in 1 bar of 6/8, key D)"
    assert (SCALE.bar, SCALE.bars, SCALE.sharps) == (16, 2, 0)
    assert hg.Melody([]).bars == 0


@pytest.mark.parametrize(
    ("notes", "options", "said"),
    [
        ([(60, 0, 4), (62, 2, 4)], {}, "Note 1 of a melody overlaps the one before: 62 at 2 for 4."),
        ([(128, 0, 4)], {}, "Note 0 of a melody has no length or a pitch outside of 0 to 127: 128 at 0 for 4."),
        ([(60, 0, 0)], {}, "Note 0 of a melody has no length or a pitch outside of 0 to 127: 60 at 0 for 0."),
        ([(60, 0)], {}, "Note 0 of a melody must be three numbers: pitch, start, duration. Got (60, 0)."),
        ([(60, 0, 4), 62], {}, "Note 1 of a melody must be three numbers: pitch, start, duration. Got 62."),
        ([("C4", 0, 4)], {}, "Note 0 of a melody must be three numbers: pitch, start, duration. Got ('C4', 0, 4)."),
        (
            [(60, float("nan"), 4)],
            {},
            "Note 0 of a melody must be three numbers: pitch, start, duration. Got (60, nan, 4).",
        ),
        ([(60.5, 0, 4)], {}, "Note 0 of a melody has a pitch that is no whole number: 60.5."),
        ([], {"metre": None}, "A metre is written as '4/4' or '6/8', with at most 32 beats. Got None."),
        ([], {"key": 5}, "A key is written as 'D', 'Bb', 'Em' or 'Ador', and has 7 sharps or flats at most. Got 5."),
        ([], {"metre": "waltz"}, "A metre is written as '4/4' or '6/8', with at most 32 beats. Got 'waltz'."),
        (
            [],
            {"key": "H"},
            "A key is written as 'D', 'Bb', 'Em' or 'Ador', and has 7 sharps or flats at most. Got 'H'.",
        ),
        (
            [],
            {"key": "C#lyd"},
            "A key is written as 'D', 'Bb', 'Em' or 'Ador', and has 7 sharps or flats at most. Got 'C#lyd'.",
        ),
        ([(60, 1_600_000, 1)], {}, "A melody has 100,000 bars at most, silent ones too. Got 100,001."),
    ],
)
def test_what_is_no_melody_is_refused(notes, options, said, sentence):
    assert sentence(hg.DataError, hg.Melody, notes, **options) == said


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda tune: tune.transposed(0.5), "The 'semitones' must be an int. Got 0.5 instead."),
        (lambda tune: tune.cut(-1, 2), "The 'first' must be an int of at least 0. Got -1 instead."),
        (lambda tune: tune.cut(0, "2"), "The 'bars' must be an int of at least 0. Got '2' instead."),
        (lambda tune: tune.windows(0), "The 'bars' must be an int of at least 1. Got 0 instead."),
        (lambda tune: tune.windows(2, step=0), "The 'step' must be an int of at least 1. Got 0 instead."),
    ],
)
def test_bars_and_semitones_are_whole(ask, said, sentence):
    assert sentence(hg.ParameterError, ask, SCALE) == said


def test_bars_are_cut_and_joined():
    first, second = SCALE.windows(1)
    assert plain(second) == [(67, 0, 16)]
    assert first.then(second) == SCALE
    assert SCALE.windows(2) == [SCALE] and SCALE.windows(3) == []
    held = hg.Melody([(60, 8, 16)])
    assert plain(held.cut(0, 1)) == [(60, 8, 8)] and plain(held.cut(1, 1)) == []
    assert len(hg.Melody([(60, 0, 64)]).windows(2, step=1)) == 1  # the others are silent


def test_a_melody_is_one_whatever_its_notes_come_in():
    notes = [hg.data.melody.Note(60, 0, 4), hg.data.melody.Note(62, 4, Fraction(4))]
    melody = hg.Melody(notes)
    assert melody == hg.Melody([(60, 0, 4), (62, 4, 4)]) and hash(melody) == hash(hg.Melody(tuple(notes)))
    assert [type(time) for note in melody.notes for time in note[1:]] == [Fraction] * 4
    assert hg.Melody(iter(notes)) == melody
    assert hg.Melody(np.array([(60, 0, 4), (62, 4, 4)], np.float32)) == melody


def test_melodies_of_two_metres_are_not_joined(sentence):
    said = sentence(hg.DataError, SCALE.then, hg.Melody([(60, 0, 4)], "6/8"))
    assert said == "A melody in 4/4 can't go on in 6/8. Join those of one metre."


def test_transposed_melodies_keep_all_but_their_height():
    moved = hg.Melody([(62, 0, 4), (64, 4, 4)], key="D").transposed(3)
    assert plain(moved) == [(65, 0, 4), (67, 4, 4)] and moved.key == "F"
    assert hg.Melody([], key="E minor").transposed(2).key == "F#m" and hg.Melody([], key="Ador").transposed(-2).key == "Gdor"
    assert [hg.Melody([], key="C").transposed(steps).key for steps in range(12)] == [
        "C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "sharps"),
    [
        *(("C", 0), ("G", 1), ("F", -1), ("Am", 0), ("Em", 1), ("Ador", 1), ("Gmix", 0), ("Bb", -2), ("F#m", 3)),
        *(("Dmin", -1), ("D minor", -1), ("G#m", 5), ("Ebm", -6), ("D Phrygian", -2), ("Flyd", 0)),
    ],
)
def test_keys_have_sharps(key, sharps):
    assert sharps_of(key) == sharps
    again = key_of(sharps, mode_of(key))
    assert (sharps_of(again) % 12, mode_of(again)) == (sharps % 12, mode_of(key))  # enharmonic


def test_keys_with_more_than_six_sharps_are_written_with_flats():
    assert [key_of(sharps) for sharps in (-7, -5, 6, 7)] == ["B", "Db", "F#", "Db"]
    assert [key_of(sharps, "m") for sharps in (-6, 0, 5, 7)] == ["D#m", "Am", "G#m", "Bbm"]


def test_where_no_key_is_told_it_is_heard():
    d_major = hg.Melody([(62 + step, 2 * i, 2) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11))])
    assert likeliest_sharps(d_major) == d_major.sharps == 2


def test_of_notes_that_sound_together_the_highest_is_taken():
    notes = [
        (60, Fraction(0), Fraction(8)),
        (64, Fraction(0), Fraction(4)),
        (67, Fraction(2), Fraction(4)),
        (50, Fraction(3), Fraction(1)),
    ]
    line, below = top_line(notes)
    assert [tuple(note) for note in line] == [(64, 0, 2), (67, 2, 4)] and below == 2


# ABC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (tune("CDEF GABc|"), [60, 62, 64, 65, 67, 69, 71, 72]),
        (tune("C,c c'2 z4|", key="C"), [48, 72, 84]),
        (tune("FCFC c2 f2|", key="D"), [66, 61, 66, 61, 73, 78]),
        (tune("G4 B4|", key="G#m"), [68, 71]),
        (tune("F4 c4|", key="D clef=treble"), [66, 73]),
        (tune("F8|", key=""), [65]),
        (tune("^FF=FF _BBb2|F2 B6|"), [66, 66, 65, 65, 70, 70, 82, 65, 71]),  # an accidental holds to the end of the bar
        (tune('"Am7"A2 !trill!B2 {cd}e2 "D"D2|'), [69, 71, 76, 62]),
        (tune("[CEG]4 [A,2F2]2|"), [67, 65]),
        (tune("C8|[K:D]C8|"), [60, 61]),
        (tune("V:1\nC8|\nV:2\nE8|\nV:1\nD8|"), [60, 62]),
        (tune("C8&G8|D8|% c8|"), [60, 62]),
        (tune("^c8-|c4 c4|", key="F"), [73, 72]),  # and over its bar line where the note is tied
        (tune("^c8-|d4 c4|"), [73, 74, 72]),
        (tune("^c8-|C4 =c4|"), [73, 60, 72]),
        (tune("[C^c]8-|[Cc]8|c8|"), [73, 72]),
        (tune("c4 f4|g8|", key="HP"), [73, 78, 79]),  # the Highland pipes
        (tune("c4 f4|g8|", key="Hp % pipes"), [73, 78, 79]),
        (tune("F4 B4|", key="D Phr ^f"), [66, 70]),  # with accidentals beside those of the mode
        (tune("G4 c4|", key="Ador ^g"), [68, 72]),
        (tune("B4 e4|f8|", key="D exp _b _e"), [70, 75, 77]),  # with these alone
        (tune("F4 c4|", key="exp ^f"), [66, 72]),
        (tune("F4 c4|", key="^f"), [66, 72]),
        (tune("F4 c4|", key="none"), [65, 72]),
        (tune("F4 c4|", key="dmaj"), [66, 73]),
        (tune("B4 c4|", key="bb"), [70, 72]),
        (tune("F4 c4|[K:clef=bass]F4 c4|[K:bass middle=D]F8|", key="D"), [66, 73, 66, 73, 66]),
        (tune("F4 c4|[K:=f]F4 c4|", key="D clef=treble % F is sharp"), [66, 73, 65, 73]),
        (tune("C8|[K:C octave=-1]C8|", key="C octave=1"), [72, 48]),
        (tune("V:1 octave=-1\nC8|\nV:2 octave=2\nE8|\nV:1\nD8|"), [48, 50]),
        (tune("C8|").replace("K:", "V:1 octave=-1\nV:2 octave=1\nK:"), [48]),
        (tune("V:2\nC8|").replace("K:", "V:1 octave=-1\nV:2 octave=1\nK:"), [72]),
        (tune("C8|\nV:2\nE8|\nV:1\nD8|"), [60, 62]),  # what comes before the first V: is the first voice
        (tune("C8|\nV:T\nD8|\nV:B\nE8|").replace("K:", "V:T\nV:B\nK:"), [60, 62]),
        (tune("C8|\nF:|\nG8|"), [60, 65, 67]),  # a note and a repeat, no field
        (tune('["Am"CEG]4 [!f!ce]2 [c!fermata!e]2|'), [67, 76, 76]),
    ],
)
def test_abc_has_pitches(text, expected):
    assert pitches(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C2 D/E/ F//G// A4 z/z/|", [(0, 4), (4, 1), (5, 1), (6, Fraction(1, 2)), (Fraction(13, 2), Fraction(1, 2)), (7, 8)]),
        ("C>D E<F G4|", [(0, 3), (3, 1), (4, 1), (5, 3), (8, 8)]),
        ("(3CDE F2 G4|", [(0, THIRD), (THIRD, THIRD), (2 * THIRD, THIRD), (4, 4), (8, 8)]),
        ("C4-C2 D2-|D8|", [(0, 12), (12, 20)]),  # ties, also over a bar line
        ("[c-e-]4|[ce]4|", [(0, 16)]),  # of chords that of the top note
        ("[c-e]8|[ce]8|", [(0, 16), (16, 16)]),
        ('["Am"CEG]2 [!f!ce]2 [c!fermata!e]4|', [(0, 4), (4, 4), (8, 8)]),
        ("C4 z4|Z|D8|", [(0, 8), (32, 16)]),
        ("C8|Z3|D8|", [(0, 16), (64, 16)]),
        ("C4 Z2 D2|E8|", [(0, 8), (12, 4), (16, 16)]),  # a slip of the pen, z being meant
        ("G2|C8|D6:|", [(12, 4), (16, 16), (32, 12)]),  # an upbeat is at the end of its bar, a bar that lacks its upbeat has a rest
        ("C8|D4|E4|F8|", [(0, 16), (16, 8), (24, 8), (32, 16)]),  # two halves of a bar
    ],
)
def test_abc_has_lengths(body, expected):
    (melody,) = abc.read_tune(tune(body))
    assert [(note.start, note.duration) for note in melody.notes] == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("dmaj", "D"),
        ("D Phr ^f", "Dphr"),
        ("D exp _b _e", "Dphr"),  # called as the mode that has most of its accidentals
        ("D exp _b ^f", "Dmix"),
        ("Eb exp _b _e", "Eblyd"),
        ("bass", "C"),
        ("Am clef=bass", "Am"),
    ],
)
def test_abc_has_keys(key, expected):
    (melody,) = abc.read_tune(tune("C8|", key=key))
    assert melody.key == expected


def test_a_clef_cuts_no_tune():
    (melody,) = abc.read_tune(tune("C8|[K:clef=bass]D8|[K:D treble-8]E8|", key="D"))
    assert melody.key == "D" and len(melody) == 3


@pytest.mark.parametrize(
    ("body", "together"),
    [
        ("C8|\nW: [Chorus]\nW: Tom & Jerry\n", False),
        ('C8 "[Am]"|', False),
        ("C8|\nw: la\n[CE]8|", True),
        ('["Am"CE]8|', True),
        ("C8&E8|", True),
        ("V:1\nC8|\nV:2\nE8|", True),
    ],
)
def test_whether_notes_sound_together_is_told(body, together):
    assert abc.has_chords(tune(body)) is together


def test_a_unit_of_another_voice_is_not_that_of_the_first():
    (melody,) = abc.read_tune(tune("V:1\nC8|\nV:2\nL:1/16\n[L:1/16]E16|\nV:1\nD8|"))
    assert plain(melody) == [(60, 0, 16), (62, 16, 16)]


def test_text_between_tunes_is_no_tune():
    first, second = tune("C8|\n\nD8|\n \n\nE8|"), tune("\nF8\nG8|")
    first = first.replace("D8|", "%%begintext\nA bad dance|\n%%endtext\nD8|")
    text = f"{first}\nA bad dance, from Cadgwith.\n\n|: too :|\n\n{second}"
    assert [pitches(part) for part in abc.tunes_of(text)] == [[60, 62, 64], [65, 67]]
    assert [pitches(part) for part in abc.tunes_of(text.replace("\n", "\r\n"))] == [[60, 62, 64], [65, 67]]


def test_metre_and_unit_may_be_told_ahead_of_all_tunes():
    text = "M:3/4\nL:1/16\n\nX:1\nK:C\nC12|\n\nX:2\nM:4/4\nL:1/8\nK:C\nC8|\n"
    (first,), (second,) = map(abc.read_tune, abc.tunes_of(text))
    assert (first.metre, plain(first), second.metre, plain(second)) == ("3/4", [(60, 0, 12)], "4/4", [(60, 0, 16)])


def test_where_the_metre_changes_a_tune_is_cut():
    text = tune("C8|D8|\nM:3/4\nE6|F6|")
    first, second = abc.read_tune(text)
    assert (first.metre, second.metre) == ("4/4", "3/4") and plain(second) == [(64, 0, 12), (65, 12, 12)]
    parts = abc.read_tune(tune("C8|D9|E8|"))  # nobody knows where in its bar that one would be
    assert [plain(part) for part in parts] == [[(60, 0, 16)], [(64, 0, 16)]]
    assert len(abc.read_tune(tune("C9|D9|"))) == 1  # none fits: taken as they come


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("T:No number\nK:C\nC8|\n", "'{path}' holds no tune. In ABC each begins with a line X: and its number."),
        (
            "X:7\nM:4/4\nC8|\n",
            "Tune 7 of '{path}': there is no key, a line K:, behind which the notes would begin. Leave it out, or mend it.",
        ),
        (tune("z8|"), "Tune 1 of '{path}': there is no note. Leave it out, or mend it."),
        (
            tune("C8|", metre="none"),
            "Tune 1 of '{path}': the metre is 'none', and bars need one such as 4/4. Leave it out, or mend it.",
        ),
        (
            "X:1\nK:D\nC8|\n",
            "Tune 1 of '{path}': there is no metre, a line M:, and bars need one such as 4/4. Leave it out, or mend it.",
        ),
        (
            tune("C8|c0 d8|"),
            "Tune 1 of '{path}': Note 1 of a melody has no length or a pitch outside of 0 to 127: 72 at 16 for 0. "
            "Leave it out, or mend it.",
        ),
        (
            tune("C8|", key="G#"),
            "Tune 1 of '{path}': A key is written as 'D', 'Bb', 'Em' or 'Ador', and has 7 sharps or flats at most. Got 'G#'. "
            "Leave it out, or mend it.",
        ),
        (
            tune("C8|", key="Zork"),
            "Tune 1 of '{path}': the key is 'Zork', and one is written as D, Bb, Em or Ador. Leave it out, or mend it.",
        ),
        (
            tune("C8|Z99999999|D8|"),
            "Tune 1 of '{path}': A melody has 100,000 bars at most, silent ones too. Got 100,000,001. Leave it out, or mend it.",
        ),
    ],
)
def test_bad_abc_is_told_with_its_tune(tmp_path, text, said, sentence):
    path = tmp_path / "bad.abc"
    path.write_text(text)
    assert sentence(hg.FileError, hg.read, path) == said.format(path=path)


def test_tunes_of_folders_and_zips_are_read_and_counted(tmp_path):
    folder = tmp_path / "tunes"
    folder.mkdir()
    (folder / "b.abc").write_text(tune("C8|[M:2/4]D4|") + "\n" + tune("[CE]8|"))
    (folder / "a.abc").write_bytes(tune("D8|").replace("One", "Früh").encode("latin-1"))
    (folder / "._c.abc").write_text("rubbish")
    with zipfile.ZipFile(tmp_path / "tunes.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"inner/{file.name}")
    words = (
        "Of 3 tunes 1 became several melodies, cut where metre or key change or a bar is too long for its metre; "
        "of 1 only the top line was taken, as notes sound together."
    )
    for source in (folder, tmp_path / "tunes.zip", [folder / "a.abc", folder / "b.abc"]):
        with pytest.warns(hg.HourglassWarning) as caught:
            found = hg.read(source)
        assert str(caught[0].message) == words
        assert [melody.name for melody in found] == ["Früh", "One", "One", "One"]
        assert [plain(melody)[0][0] for melody in found] == [62, 60, 62, 64]


def test_files_without_a_tune_are_skipped_where_that_is_asked_for(tmp_path, sentence):
    (tmp_path / "a.abc").write_text(tune("C8|"))
    (tmp_path / "b.abc").write_text("% nothing here\n")
    why = f"'{tmp_path / 'b.abc'}' holds no tune. In ABC each begins with a line X: and its number."
    with pytest.warns(hg.HourglassWarning) as caught:
        assert len(hg.read(tmp_path, skip_bad=True)) == 1
    assert str(caught[0].message) == f"Of 2 tunes 1 could not be read and were left out, the first as: {why}"
    assert sentence(hg.FileError, hg.read, tmp_path) == why
    assert sentence(hg.FileError, hg.read, tmp_path / "b.abc", skip_bad=True) == why


def test_bad_tunes_are_skipped_where_that_is_asked_for(tmp_path, sentence):
    (tmp_path / "a.abc").write_text(tune("C8|"))
    (tmp_path / "b.mid").write_bytes(b"MThd, but no more")
    with pytest.warns(hg.HourglassWarning, match="Of 2 tunes 1 could not be read and were left out, the first as: "):
        assert len(hg.read(tmp_path, skip_bad=True)) == 1
    assert sentence(hg.FileError, hg.read, tmp_path).startswith(
        f"'{tmp_path / 'b.mid'}' is damaged, or is not what its ending says ("
    )


# MIDI and sound


def test_a_line_goes_on_where_its_sound_is_changed(tmp_path):
    def note(pitch):
        return b"\x00\x90" + bytes([pitch]) + b"\x50\x83\x60\x80" + bytes([pitch]) + b"\x40"

    flute, violin = b"\x00\xc0\x49", b"\x00\xc0\x28"
    (tmp_path / "solo.mid").write_bytes(midi(flute, note(72), note(74), violin, note(60), note(62), note(64), flute, note(76)))
    (found,) = hg.read(tmp_path / "solo.mid")
    assert [note.pitch for note in found.notes] == [72, 74, 60, 62, 64, 76]


def test_what_midi_has_in_a_metre_that_is_none_is_left_out(tmp_path, sentence):
    def signed(metre, wait=b"\x00"):  # the power of two that a beat is
        return wait + b"\xff\x58\x04" + metre + b"\x18\x08"

    note, whole = [b"\x00\x90\x3c\x50", b"\x83\x60\x80\x3c\x40"], [b"\x00\x90\x40\x50", b"\x83\x60\x80\x40\x40"]
    (tmp_path / "odd.mid").write_bytes(midi(signed(b"\x04\x02"), *note, signed(b"\x03\x00"), *whole))
    with pytest.warns(hg.HourglassWarning) as caught:
        (melody,) = hg.read(tmp_path / "odd.mid")
    assert str(caught[0].message) == "What 'odd' has in 3/1 was left out: bars need a metre such as 4/4."
    assert plain(melody) == [(60, 0, 4)]
    (tmp_path / "odd.mid").write_bytes(midi(signed(b"\x04\x05"), *note))
    assert sentence(hg.FileError, hg.read, tmp_path / "odd.mid") == (
        f"'{tmp_path / 'odd.mid'}': the metre is 4/32, and bars need one such as 4/4. Leave it out, or mend it."
    )


LINES = st.lists(st.tuples(st.integers(40, 90), st.integers(0, 3), st.integers(1, 20)), min_size=1, max_size=30)


@given(LINES, st.sampled_from(["4/4", "6/8", "3/4", "5/4"]), st.integers(-5, 6), st.sampled_from(["", "m"]))
@settings(max_examples=40)
def test_midi_gives_back_what_was_written(tmp_path_factory, line, metre, sharps, mode):
    notes, at = [], Fraction(0)
    for pitch, gap, length in line:
        unit = THIRD if length % 5 == 0 else Fraction(1)
        notes.append((pitch, at + gap, length * unit))
        at += gap + length * unit
    melody = hg.Melody(notes, metre, key_of(sharps, mode), "Any")
    path = tmp_path_factory.mktemp("midi") / "any.mid"
    melody.write(path)
    (found,) = hg.read(path)
    silent = notes[0][1] // bar_of(metre) * bar_of(metre)
    assert [(n.pitch, n.start + silent, n.duration) for n in found.notes] == [tuple(n) for n in melody.notes]
    assert (found.metre, found.key, found.name) == (metre, key_of(sharps, mode), "Any")


@given(LINES, st.sampled_from(["4/4", "6/8", "3/4", "5/4", "7/16"]), st.integers(-7, 7), st.sampled_from(["", "m", "dor", "lyd"]))
@settings(max_examples=100)
def test_abc_gives_back_what_was_written(line, metre, sharps, mode):
    notes, at = [], Fraction(0)
    for pitch, gap, length in line:
        for part in range(3 if length % 5 == 0 else 1):
            unit = THIRD if length % 5 == 0 else Fraction(1)
            notes.append((pitch + part, at + gap, length * unit))
            at += gap + length * unit
    melody = hg.Melody(notes, metre, key_of(sharps, mode), "Any")
    tunes = abc.tunes_of(abc.abc_of([melody, SCALE, melody]).decode())
    assert len(tunes) == 3
    for text in (tunes[0], tunes[2]):
        assert abc.read_tune(text) == [melody]


def test_a_title_in_abc_is_one_line_and_may_have_a_percent_sign():
    (text,) = abc.tunes_of(abc.abc_of([hg.Melody([(60, 0, 4)], name="100% \r\nX:2")]).decode())
    assert text.splitlines()[1] == r"T:100\% X:2"
    assert [melody.name for melody in abc.read_tune(text)] == ["100% X:2"]
    assert abc.read_tune(tune("C8").replace("T:One", "T:One % of two"))[0].name == "One"


def test_abc_is_written_as_people_write_it(tmp_path):
    notes = [(62, 0, 4), (64, 4, THIRD), (66, 4 + THIRD, THIRD), (67, 4 + 2 * THIRD, THIRD), (61, 8, 12), (60, 22, 2), (73, 24, 1)]
    hg.Melody(notes, "4/4", "D", "Up").write(tmp_path / "up.abc")
    assert (tmp_path / "up.abc").read_text() == ("X:1\nT:Up\nM:4/4\nL:1/16\nK:D\nD4 (3E2F2G2 C8- | C4 z2=C2 ^cz7 |]\n")
    assert hg.read(tmp_path / "up.abc") == [hg.Melody(notes, "4/4", "D", "Up")]


def test_played_midi_is_set_to_16ths_and_thirds(tmp_path):
    waits = [
        (0, 115),
        (10, 100),
        (15, 110),
        (8, 125),
        (2, 150),
        (12, 148),
        (13, 140),
    ]  # ticks of 120 a 16th: silence, then the note
    events = []
    for number, (gap, length) in enumerate(waits):
        pitch = bytes([60 + number])
        long = bytes([0x80 | length >> 7, length & 0x7F])
        events += [bytes([gap]) + b"\x90" + pitch + b"\x50", long + b"\x80" + pitch + b"\x40"]
    (tmp_path / "played.mid").write_bytes(midi(*events))
    (found,) = hg.read(tmp_path / "played.mid")
    assert [note.start for note in found.notes] == [0, 1, 2, 3, 4, 4 + THIRD, 4 + 2 * THIRD]


def test_midi_of_several_instruments_gives_the_highest_without_drums(tmp_path):
    events = [
        b"\x00\x99\x24\x50",
        b"\x00\x90\x30\x50",
        b"\x00\x91\x48\x50",
        b"\x00\x91\x4c\x50",
        b"\x78\x81\x48\x40",
        b"\x00\x81\x4c\x40",
        b"\x00\x80\x30\x40",
        b"\x00\x89\x24\x40",
    ]
    (tmp_path / "band.mid").write_bytes(midi(*events))
    with pytest.warns(hg.HourglassWarning, match="of 1 only the top line was taken"):
        (found,) = hg.read(tmp_path / "band.mid")
    assert plain(found) == [(0x4C, 0, 1)] and found.metre == "4/4" and found.name == "band"


@pytest.mark.parametrize(("others", "name"), [([], "Lead"), ([1], "song"), ([9], "song")])
def test_midi_of_several_tracks_is_called_as_its_file(tmp_path, others, name):
    def track(channel):
        body = b"\x00\xff\x03\x04Lead" + bytes([0, 0x90 | channel, 60, 80, 120, 0x80 | channel, 60, 64]) + b"\x00\xff\x2f\x00"
        return b"MTrk" + struct.pack(">I", len(body)) + body

    head = b"MThd" + struct.pack(">IHHH", 6, 1, 1 + len(others), 480)
    (tmp_path / "song.mid").write_bytes(head + b"".join(map(track, [0, *others])))
    with contextlib.nullcontext() if others != [1] else pytest.warns(hg.HourglassWarning, match="only the top line"):
        (found,) = hg.read(tmp_path / "song.mid")
    assert found.name == name


def test_notes_that_were_played_shorter_than_written_have_no_rest_behind_them(tmp_path):
    lengths = [(1823, 97), (864, 96), (432, 48), (700, 260), (479, 1)]  # ticks: notes, and silence behind them
    events, gap = [], 0
    for number, (length, silence) in enumerate(lengths):
        ahead, behind = (bytes([0x80 | ticks >> 7, ticks & 0x7F]) for ticks in (gap, length))
        events += [ahead + b"\x90" + bytes([60 + number, 80]), behind + b"\x80" + bytes([60 + number, 64])]
        gap = silence
    (tmp_path / "played.mid").write_bytes(midi(*events))
    (found,) = hg.read(tmp_path / "played.mid")
    assert plain(found) == [(60, 0, 16), (61, 16, 8), (62, 24, 4), (63, 28, 6), (64, 36, 4)]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (midi(), "'{path}': there is no note. Leave it out, or mend it."),
        (midi(b"\x00\x99\x24\x50", b"\x60\x89\x24\x40"), "'{path}': there is nothing but drums. Leave it out, or mend it."),
        (
            midi(b"\x00\x90\x24\x50", b"\xff\xff\xff\x7f\x80\x24\x40", quarter=1),
            "'{path}': A melody has 100,000 bars at most, silent ones too. Got 67,108,864. Leave it out, or mend it.",
        ),
        (b"RIFF" + midi(b"\x00\x90\x24\x50")[4:], "'{path}' is damaged, or is not what its ending says ("),
        (midi(b"\x00\x90\x24\x50")[:26], "'{path}' is damaged, or is not what its ending says ("),
        (
            midi(b"\x00\x90\x24\x50", b"\x60\x80\x24\x40", quarter=0),
            "'{path}' is damaged, or is not what its ending says (its header",
        ),
    ],
)
def test_bad_midi_is_told(tmp_path, raw, said, sentence):
    path = tmp_path / "bad.mid"
    path.write_bytes(raw)
    assert sentence(hg.FileError, hg.read, path).startswith(said.format(path=path))


def test_midi_is_cut_where_the_metre_changes(tmp_path):
    melodies = [SCALE, hg.Melody([(60, 0, 12), (62, 12, 12)], "3/4")]
    hg.write(tmp_path / "two.mid", melodies)
    with pytest.warns(hg.HourglassWarning, match="Of 1 tune 1 became several melodies"):
        found = hg.read(tmp_path / "two.mid")
    assert [plain(melody) for melody in found] == [plain(melody) for melody in melodies]
    assert [melody.metre for melody in found] == ["4/4", "3/4"]


def test_a_wav_has_the_length_and_the_pitch_of_the_notes(tmp_path):
    hg.Melody([(69, 0, 8), (81, 8, 8)]).write(tmp_path / "a.wav")
    rate, sound = wavfile.read(tmp_path / "a.wav")
    assert rate == RATE and sound.dtype == np.int16 and len(sound) == round(16 * SIXTEENTH * RATE)
    for half, frequency in zip(np.split(sound, 2), (440, 880), strict=True):
        spectrum = np.abs(np.fft.rfft(half))
        assert np.fft.rfftfreq(len(half), 1 / rate)[spectrum.argmax()] == pytest.approx(frequency, abs=rate / len(half))
    assert 0.4 < np.abs(sound).max() / 2**15 < 0.9


def test_silence_is_written_too(tmp_path):
    with pytest.warns(hg.HourglassWarning) as caught:
        hg.write(tmp_path / "new", [hg.Melody([])])
    words = f"1 of 1 melodies in '{tmp_path / 'new'}' have no note, so they are silent: 0."
    assert str(caught[0].message) == words
    assert len(wavfile.read(tmp_path / "new" / "00000.wav")[1]) == 0
    assert len(hg.plots.piano_rolls([hg.Melody([])]).axes[0].patches) == 0


def test_melodies_are_written_to_a_folder_as_midi_and_sound(tmp_path, sentence):
    hg.write(tmp_path / "new", [SCALE, SCALE.transposed(2)])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["00000.mid", "00000.wav", "00001.mid", "00001.wav"]
    assert plain(hg.read(tmp_path / "new")[1]) == plain(SCALE.transposed(2))
    hg.write(f"{tmp_path / 'tunes.new'}/", [SCALE])
    assert sorted(path.name for path in (tmp_path / "tunes.new").iterdir()) == ["00000.mid", "00000.wav"]
    said = sentence(hg.ParameterError, hg.write, tmp_path / "a.mid", [1, 2])
    assert said == "Melodies are a list of hourglass.Melody, of one at least."


def test_midi_says_what_it_needs(tmp_path, monkeypatch, sentence):
    monkeypatch.setitem(__import__("sys").modules, "symusic", None)
    said = sentence(hg.MissingExtraError, SCALE.write, tmp_path / "a.mid")
    assert said == "MIDI needs symusic. Run: pip install 'hourglass-ae[melodies]'"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (tmp_path / "a.abc").write_text(tune("C8|"))
        assert len(hg.read(tmp_path / "a.abc")) == 1  # ABC needs nothing
