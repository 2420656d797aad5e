"""Models of melodies: samples, ways and tunes that go on."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

import hourglass as hg

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def tune(start, bars=6, metre="4/4"):
    bar = hg.Melody([], metre).bar
    notes = [(60 + SCALE[(start + i) % 8], 4 * i, 4) for i in range(bars * bar // 4)]
    return hg.Melody(notes, metre, "C", f"from {start}")


@pytest.fixture(scope="module")
def tunes():
    return [tune(start, bars=2 + start % 4) for start in range(24)]


@pytest.fixture(scope="module")
def vae(tunes):
    return hg.VariationalAutoencoder(hg.Variational(8, beta=0.1), max_epochs=40, random_state=0).fit(tunes)


def test_rows_are_windows(vae, tunes):
    assert vae.kind_.describe() == "melodies of 2 bars"
    windows = sum(-(-melody.bars // 2) for melody in tunes)
    assert vae.transform(tunes).shape == (windows, 8) and len(vae.reconstruct(tunes)) == windows
    drawn = vae.sample(5, random_state=0)
    assert len(drawn) == 5 and all(isinstance(melody, hg.Melody) for melody in drawn)
    assert drawn == vae.sample(5, random_state=0)


def test_each_pass_is_over_the_same_windows(tunes):
    model = hg.VariationalAutoencoder(2, batch_size=1000, random_state=0)
    windows = [len(model.partial_fit(tunes)._trainer.train) for _ in range(2)]
    assert windows == [sum(melody.bars - 1 for melody in tunes)] * 2  # one from each bar line but the last


def test_a_mixture_is_fitted_to_means(vae, tunes):
    codes = vae.transform(vae.kind_.learned(tunes))
    fitted = codes[np.arange(len(codes)) % 5 > 0]  # the others are held out
    mixture = copy.copy(vae).fit_sampler(tunes, "mixture", random_state=0).sampler_.module
    np.testing.assert_allclose(mixture.draw(torch.Generator().manual_seed(0), 20_000).var(0), fitted.var(0), rtol=0.1)


def test_a_saved_model_is_the_same(vae, tunes, tmp_path):
    vae.save(tmp_path / "tunes.safetensors")
    again = hg.load(tmp_path / "tunes.safetensors")
    assert again.kind_ == vae.kind_ and again.sample(3, random_state=1) == vae.sample(3, random_state=1)
    three = hg.Autoencoder(2, kind=hg.Melodies(bars=3), max_epochs=1, random_state=0).fit(tunes)
    three.save(tmp_path / "three.safetensors")
    assert hg.load(tmp_path / "three.safetensors").kind == hg.Melodies(bars=3)


def test_one_long_tune_is_many_rows(sentence):
    one = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(tune(0, bars=12))
    assert one.transform(tune(0, bars=12)).shape == (6, 2)
    assert sentence(hg.DataError, hg.VariationalAutoencoder(2).fit, tune(0, bars=2)) == (
        "Found array with 1 sample(s) (shape=(1,)) while a minimum of 2 is required: "
        "VariationalAutoencoder can't learn from 1 sample."
    )


def test_a_way_between_tunes_is_tunes(vae):
    a, b = tune(0), tune(3, bars=4)
    way = vae.interpolate(a, b, steps=3)
    assert [melody.bars for melody in way] == [4, 4, 4] and {melody.metre for melody in way} == {"4/4"}
    ends = [vae.reconstruct([melody.cut(0, 4)]) for melody in (a, b)]
    assert [end[0].then(end[1]).notes for end in ends] == [way[0].notes, way[-1].notes]
    single = vae.interpolate(a.cut(0, 2), b.cut(0, 2), steps=2)
    assert [melody.notes for melody in single] == [vae.reconstruct([melody.cut(0, 2)])[0].notes for melody in (a, b)]


def test_a_way_between_two_metres_is_refused(tunes, sentence):
    both = [*tunes, *(tune(start, metre="3/4") for start in range(4))]
    vae = hg.VariationalAutoencoder(2, decoder="one-shot", max_epochs=1, random_state=0).fit(both)
    said = sentence(hg.DataError, vae.interpolate, tune(0), tune(0, metre="3/4"))
    assert said == "Tunes of several windows need one metre to lead to one another. These are in 3/4 and 4/4."


def test_a_way_through_silence_is_refused(vae, sentence):
    late = hg.Melody([(60, 40, 4)], key="C")
    said = sentence(hg.DataError, vae.interpolate, tune(0), late)
    assert said == "A way needs a note in each window. Tune 1 has none in bars 1 to 2."
    assert sentence(hg.DataError, vae.interpolate, hg.Melody([]), tune(0)) == (
        "A way needs a note in each window. Tune 0 has none in bars 1 to 2."
    )
    assert sentence(hg.DataError, vae.transform, [hg.Melody([])]) == "There is no note in these tunes. Leave them out."


def test_a_silent_sample_is_near_to_none(vae, tunes):
    windows = vae.kind_.opened(np.array(tunes, dtype=object))
    found = vae.nearest([windows[3], hg.Melody([])], tunes)
    assert found["distance"][0] == 0 < found["distance"][1] and found["copy"].to_list() == [True, False]


def test_models_without_codes_make_no_tune(sentence):
    assert sentence(hg.ParameterError, hg.continued, hg.DenoisingAutoencoder(), tune(0)) == (
        "New rows come of codes, and a DenoisingAutoencoder has none. Fit an Autoencoder or a VariationalAutoencoder."
    )
    with pytest.raises(NotFittedError):
        hg.continued(hg.VariationalAutoencoder(), tune(0))


def test_a_tune_goes_on(vae):
    longer = hg.continued(vae, tune(2, bars=3), bars=4, random_state=0)
    assert longer.cut(0, 3).notes == tune(2, bars=3).notes and longer.name == "from 2"
    assert longer.bars == 7 and longer == hg.continued(vae, tune(2, bars=3), bars=4, random_state=0)
    new = longer.cut(3, 4)
    follows = [note.pitch - 60 for note in tune(2, bars=7).cut(3, 4).notes]
    right = sum((n.pitch - 60, n.start) == (p, 4 * i) for i, (n, p) in enumerate(zip(new.notes, follows, strict=False)))
    assert right >= 6  # of 16; of notes that know nothing of the tune 2 are


def test_what_is_cut_of_a_tune_keeps_its_key(tunes):
    vae = hg.VariationalAutoencoder(4, max_epochs=1, random_state=0).fit([*tunes, *(melody.transposed(7) for melody in tunes)])
    told = tune(0, bars=2).then(hg.Melody([(60 + SCALE[i % 4], 4 * i, 4) for i in range(8)])).transposed(7)
    untold = replace(told, key=None)
    assert (told.key, untold.sharps, untold.cut(2, 2).sharps) == ("G", 1, 0)  # without an F sharp C is as likely
    assert np.array_equal(vae.transform([untold]), vae.transform([told]))
    assert vae.interpolate(untold, tune(3, bars=4), steps=3) == vae.interpolate(told, tune(3, bars=4), steps=3)
    longer = hg.continued(vae, told, bars=2, random_state=0)
    assert hg.continued(vae, untold, bars=2, random_state=0) == replace(longer, key=None)


def test_a_tune_goes_on_over_silence(vae, monkeypatch):
    decoded = vae.kind_.from_tensor
    monkeypatch.setattr(type(vae.kind_), "from_tensor", lambda kind, values: [decoded(values)[0].cut(0, 1)])  # nothing new is heard
    assert hg.continued(vae, tune(0, bars=3), bars=3, random_state=0) == tune(0, bars=3)


def test_variations_are_melodies_that_differ(vae):
    found = hg.neighbours(vae, tune(0, bars=2), radius=4, n=3)
    assert 1 <= len(found) <= 3
    assert all(isinstance(melody, hg.Melody) and melody != tune(0, bars=2) for melody in found["neighbour"].to_list())
    assert found["edits"].min() >= 1


def test_melodies_are_optimised(vae, tunes):
    found = hg.optimise(vae, lambda rows: [len(row) for row in rows], tunes, n=2, surrogate="ridge", rounds=1, minimise=True)
    rows = [*found["candidate"].to_list(), *found["nearest"].to_list()]
    assert all(isinstance(row, hg.Melody) for row in rows)
    assert found["value"].to_list() == [len(row) for row in found["candidate"].to_list()]


def test_what_can_not_go_on_is_told(vae, tunes, sentence):
    single = hg.VariationalAutoencoder(2, decoder="one-shot", kind=hg.Melodies(bars=1), max_epochs=1, random_state=0).fit(tunes)
    assert sentence(hg.ParameterError, hg.continued, single, tune(0)) == (
        "A tune goes on by windows of two bars or more. The model was fitted on melodies of 1 bar."
    )
    assert sentence(hg.ParameterError, hg.continued, vae, tune(0), bars=0) == (
        "The number of 'bars' that are added must be a positive int. Got 0 instead."
    )
    assert sentence(hg.ParameterError, hg.continued, vae, [tune(0)]) == ("What goes on is a tune, a hourglass.Melody. Got a list.")
    assert sentence(hg.ParameterError, hg.continued, vae, 7) == ("What goes on is a tune, a hourglass.Melody. Got an int.")
    assert sentence(hg.ParameterError, hg.continued, hg.AnomalyDetector(), tune(0)) == (
        "New rows come of codes, and an AnomalyDetector has none. Fit an Autoencoder or a VariationalAutoencoder."
    )
    assert sentence(hg.DataError, hg.continued, vae, tune(0, metre="7/4")) == (
        "Row 0 has the metre 7/4, which the model has never seen. Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, hg.continued, vae, hg.Melody([])) == (
        "A tune goes on from its last bars, of which 1 count here, and there is no note."
    )


@pytest.fixture(scope="module")
def detector(tunes):
    small = {"embedding": 8, "widths": (16,), "hidden": (16,)}
    networks = {"encoder": hg.OneShot(**small), "decoder": hg.Causal(**small)}
    model = hg.VariationalAutoencoder(hg.Variational(8, beta=0.1), **networks, max_epochs=30, random_state=0)
    return hg.AnomalyDetector(model, alarm_rate=0.1, random_state=0).fit([tune(start % 8, bars=8) for start in range(60)])


def test_a_wrong_note_is_flagged_and_its_bar_named(detector):
    good, notes = tune(1, bars=6), list(tune(1, bars=6).notes)
    notes[14] = notes[14]._replace(pitch=61)  # of 24 notes: the third beat of the fourth bar, in place of a C5
    wrong = replace(good, notes=tuple(notes), name="wrong")
    scores = -detector.score_samples([good, wrong])
    assert scores.shape == (6,)  # a window of two bars each
    assert scores.argmax() == 4
    found = detector.alarms([good, wrong], reasons=1)
    assert found.columns == ["row", "tune", "name", "bar", "score", "p_value", "alarm", "reason1"]
    assert found.select("tune", "name", "bar").rows() == [
        *((0, "from 1", bar) for bar in (1, 3, 5)),
        *((1, "wrong", bar) for bar in (1, 3, 5)),
    ]
    line = detector.explain([good, wrong], most=1).row(0, named=True)
    assert (line["row"], line["tune"], line["name"], line["bar"]) == (4, 1, "wrong", 3)
    assert line["column"].startswith("bar 4, beat ")
    assert line["reason"].startswith(f"{line['column']}: {line['observed']} where {line['expected']} is expected, which costs ")
    assert detector.explain([tune(0, bars=2)]).columns == detector.explain([wrong]).columns  # no alarm, no line
    assert not detector.drift([tune(start, bars=8) for start in range(8)]).drifted


def test_a_note_beyond_all_that_were_heard_is_flagged(detector):
    notes = list(tune(1, bars=2).notes)
    notes[3] = notes[3]._replace(pitch=100)
    high = replace(tune(1, bars=2), notes=tuple(notes))
    assert detector.predict([tune(1, bars=2), high]).tolist() == [1, -1]
    assert detector.explain([high], most=1)["observed"].to_list() == ["a metre, a key or a note never seen"]


def test_notes_are_named_as_they_sound(detector):
    kind = detector.kind_
    assert kind.symbol_name(tune(1).transposed(2), "C4") == "D4"  # alphabets are as in C
    window = kind.opened(np.array([tune(0, bars=6)], dtype=object))[1]
    assert [kind.place_name(window, place) for place in (0, 1, 2, 17, 18)] == [
        "metre",
        "key",
        "bar 3, beat 1",
        "bar 3, beat 4.75",
        "bar 4, beat 1",
    ]
    assert [kind.symbol_name(window, symbol) for symbol in ("-", ".", "3", "4/4")] == [
        "a note held",
        "a rest",
        "three in the time of four",
        "4/4",
    ]


def test_a_detector_of_melodies_is_the_same_from_a_file(detector, tunes, tmp_path):
    detector.save(tmp_path / "d.safetensors")
    again = hg.load(tmp_path / "d.safetensors")
    np.testing.assert_array_equal(again.score_samples(tunes), detector.score_samples(tunes))
    assert "melodies raised an alarm" in hg.report(again, tunes, tmp_path / "r.html").read_text()


def test_strange_tunes_are_left_out_as_wholes(tunes):
    model = hg.VariationalAutoencoder(hg.Variational(4, beta=0.1), encoder="causal", decoder="causal", max_epochs=2, random_state=0)
    detector = hg.AnomalyDetector(model, alarm_rate=0.2, contaminated=True, random_state=0)
    with pytest.warns(hg.HourglassWarning, match="rows tell what is usual"):
        detector.fit(tunes)
    held_out = [-(-melody.bars // 2) for melody in tunes]
    assert len(detector.model_.alarm.reference) <= sum(sorted(held_out)[-4:])  # a fifth of 24 tunes, of which a tenth is left out
