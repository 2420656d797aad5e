"""What is measured of melodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hourglass as hg
from hourglass.analysis import melodies

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def line(pitches, length=2, metre="4/4"):
    return hg.Melody([(pitch, length * place, length) for place, pitch in enumerate(pitches)], metre)


def test_variation_is_half_of_the_differences_of_shares(sentence):
    first, second = [line([60, 62, 64, 64])], [line([60, 62, 62, 62], length=4)]
    assert melodies.variation(first, second) == pytest.approx((0 + 0.5 + 0.5) / 2)
    assert melodies.variation(first, second, "interval") == pytest.approx((abs(2 / 3 - 1 / 3) + abs(1 / 3 - 2 / 3)) / 2)
    assert melodies.variation(first, second, "duration") == 1
    assert melodies.variation(first, first * 3) == 0
    assert sentence(hg.ParameterError, melodies.variation, first, first, "pich") == (
        "The 'of' parameter of variation has no choice 'pich'. Did you mean 'pitch'?"
    )


@given(st.lists(st.integers(40, 80), min_size=1, max_size=12), st.integers(-12, 12))
def test_notes_are_as_much_in_key_transposed(pitches, semitones):
    share = melodies.in_key([line(pitches)])
    assert share == pytest.approx(melodies.in_key([line(pitches).transposed(semitones)]))
    assert share + 1e-9 >= 7 / 12 or len(set(pitches)) < 12


def test_notes_in_key():
    assert melodies.in_key([line(SCALE)]) == 1
    assert melodies.in_key([line([*SCALE[:4], 66, 67, 69, 71])]) == 7 / 8  # F and F sharp are in no scale together
    assert melodies.in_key([line(range(60, 72))]) == 7 / 12


def test_half_bars_that_repeat():
    assert melodies.repetition([line([60, 62, 64, 65] * 2)]) == 1
    assert melodies.repetition([line([60, 62, 64, 65, 60, 62, 64, 67])]) == 0
    assert melodies.repetition([line([60, 62, 64, 65, 67, 67, 67, 67, 60, 62, 64, 65])]) == 1 / 2
    assert melodies.repetition([line([60, 62, 64] * 2, metre="6/8"), line([60, 62, 64, 65, 67, 69], metre="6/8")]) == 1 / 2


def test_what_is_in_a_tune_is_known_at_any_height():
    tune = line([*SCALE, *SCALE[::-1], *SCALE])
    found = melodies.known([line(SCALE).transposed(5), line(SCALE[::-1]), line([*SCALE[:-1], 73]), line(SCALE, length=1)], [tune])
    assert found.tolist() == [True, True, False, False]


def test_quality_of_melodies_is_a_table_of_their_own():
    train = [line([*SCALE, *SCALE[::-1]]), line([*SCALE[2:], 60, 62])]
    test = [line([*SCALE[::-1], *SCALE])]
    quality = hg.quality([line(SCALE), line([61] * 8)], train, test)
    assert quality.frame["measure"].to_list() == [
        "pitch variation", "interval variation", "duration variation", "notes in key", "half bars repeated",
        "known, transposed or not",
    ]  # fmt: skip
    assert quality["notes in key"] == 1 and quality["duration variation"] == 0
    assert quality["known, transposed or not"] == 0.5 and quality["pitch variation"] == 0.5
    assert quality["half bars repeated"] == 0.5
    assert dict(zip(quality.frame["measure"], quality.frame["real"], strict=True))["known, transposed or not"] == 1
    assert "known, transposed or not" in str(quality)


def test_rebuilt_counts_notes_apart(sentence):
    tunes = [line(SCALE).transposed(step) for step in range(3)] * 4
    vae = hg.Autoencoder(4, kind=hg.Melodies(bars=1), max_epochs=1, random_state=0).fit(tunes)
    found = melodies.rebuilt(vae, tunes)
    same = [a.notes == b.notes and a.sharps == b.sharps for a, b in zip(vae.reconstruct(tunes), tunes, strict=True)]
    assert found["exact"] == hg.metrics.exact(vae, tunes) == sum(same) / 12
    assert 0 <= found["notes"] <= 1 and 0 <= found["symbols"] <= 1
    other = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(["ab", "ba"] * 5)
    said = sentence(hg.DataError, melodies.rebuilt, other, ["ab"])
    assert said == "Only melodies have notes. The model was fitted on rows of up to 2 characters, 2 different ones."


def test_piano_rolls_have_a_bar_for_each_note():
    figure = hg.plots.piano_rolls([line(SCALE), line(SCALE[:3])], names=["up"])
    first, second = figure.axes
    assert first.get_title(loc="left") == "up" and second.get_title(loc="left") == "4/4"
    assert len(first.patches) == 8 and len(second.patches) == 3
    assert first.patches[1].get_x() == 2 / 16 and first.patches[1].get_y() == 62 - 0.45
    assert [label.get_text() for label in first.get_yticklabels()] == ["C4", "C5"]
    (short, long) = hg.plots.piano_rolls(hg.Melody([(60, 0, 0.5), (60, 1, 4)])).axes[0].patches
    assert [16 * short.get_width(), 16 * long.get_width()] == pytest.approx([1 / 3, 3.65])  # struck again, and seen to be
