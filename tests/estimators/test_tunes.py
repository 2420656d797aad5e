"""Models of melodies: samples, ways and tunes that go on."""

import pytest

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
    return hg.VariationalAutoencoder(hg.Variational(8, beta=0.1), max_epochs=30, random_state=0).fit(tunes)


def test_rows_are_windows(vae, tunes):
    assert vae.kind_.describe() == "melodies of 2 bars"
    windows = sum(-(-melody.bars // 2) for melody in tunes)
    assert vae.transform(tunes).shape == (windows, 8) and len(vae.reconstruct(tunes)) == windows
    drawn = vae.sample(5, random_state=0)
    assert len(drawn) == 5 and all(isinstance(melody, hg.Melody) for melody in drawn)
    assert drawn == vae.sample(5, random_state=0)


def test_a_saved_model_is_the_same(vae, tunes, tmp_path):
    vae.save(tmp_path / "tunes.safetensors")
    again = hg.load(tmp_path / "tunes.safetensors")
    assert again.kind_ == vae.kind_ and again.sample(3, random_state=1) == vae.sample(3, random_state=1)
    three = hg.Autoencoder(2, kind=hg.Melodies(bars=3), max_epochs=1, random_state=0).fit(tunes)
    three.save(tmp_path / "three.safetensors")
    assert hg.load(tmp_path / "three.safetensors").kind == hg.Melodies(bars=3)


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
    assert said == "A way needs a note in each window. Tune 1 has none in bars 0 to 1."
    assert sentence(hg.DataError, vae.interpolate, hg.Melody([]), tune(0)) == (
        "A way needs a note in each window. Tune 0 has none in bars 0 to 1."
    )
    assert sentence(hg.DataError, vae.transform, [hg.Melody([])]) == "There is no note in these tunes. Leave them out."


def test_a_tune_goes_on(vae):
    longer = hg.continued(vae, tune(2, bars=3), bars=4, random_state=0)
    assert longer.cut(0, 3).notes == tune(2, bars=3).notes and longer.name == "from 2"
    assert longer.bars == 7 and longer == hg.continued(vae, tune(2, bars=3), bars=4, random_state=0)
    new = longer.cut(3, 4)
    follows = [note.pitch - 60 for note in tune(2, bars=7).cut(3, 4).notes]
    right = sum((n.pitch - 60, n.start) == (p, 4 * i) for i, (n, p) in enumerate(zip(new.notes, follows, strict=False)))
    assert right >= 6  # of 16; of notes that know nothing of the tune 2 are


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
    assert sentence(hg.DataError, hg.continued, vae, tune(0, metre="7/4")) == (
        "Row 0 has the metre 7/4, which the model has never seen. Leave the row out, or fit a model on data that has it."
    )
    assert sentence(hg.DataError, hg.continued, vae, hg.Melody([])) == (
        "A tune goes on from its last bars, of which 1 count here, and there is no note."
    )
    assert sentence(hg.DataError, hg.AnomalyDetector().fit, tunes).startswith("AnomalyDetector can't judge melodies.")
