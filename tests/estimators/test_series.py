"""Detectors, autoencoders and cleaners of series."""

import warnings

import numpy as np
import polars as pl
import pytest
from scipy.signal import savgol_filter
from sklearn.metrics import roc_auc_score

import hourglass as hg
from hourglass.estimators.detection import detector, running

rng = np.random.default_rng(0)
STEP = np.linspace(0, 1, 100)


def bump(place, width, height):
    return height * np.exp(-((STEP - place) ** 2) / 2 / width**2)


def beats(n, *, turned=False):
    """Beats (n, 100) of a heart; with the last wave upside down where they are ``turned``."""
    rows = [
        bump(0.3 + 0.01 * rng.normal(), 0.02, 5) + bump(0.7, 0.06, (-1 if turned else 1) * rng.uniform(0.8, 1.2)) for _ in range(n)
    ]
    return (np.array(rows) + 0.05 * rng.normal(size=(n, 100))).astype(np.float32)


usual, fresh, strange = beats(200), beats(400), beats(50, turned=True)


@pytest.fixture(scope="module")
def det():
    return hg.AnomalyDetector(kind="series", random_state=0).fit(usual)


def test_strange_beats_are_told_from_usual_ones(det):
    scores = -det.score_samples(np.concatenate([fresh, strange]))
    assert roc_auc_score(np.repeat([0, 1], [400, 50]), scores) == 1
    assert 0.01 < (det.predict(fresh) == -1).mean() < 0.1  # 5% are promised, by 200 rows
    assert det.kind_.scale == "window"


def test_gain_and_offset_do_not_count(det):
    np.testing.assert_allclose(det.score_samples(7 * fresh.astype(float) - 20), det.score_samples(fresh.astype(float)), atol=1e-5)


def test_another_rate_and_another_time_are_less_strange_than_another_shape(det):
    place = (STEP - 0.5) * 1.05 + 0.51
    moved, other = (np.array([np.interp(place, STEP, row) for row in rows]) for rows in (fresh, strange))
    assert det.score_samples(moved).min() > det.score_samples(other).max()


def test_a_saved_detector_gives_the_same_numbers(det, tmp_path):
    det.save(tmp_path / "d.safetensors")
    again = hg.load(tmp_path / "d.safetensors")
    np.testing.assert_array_equal(again.score_samples(fresh), det.score_samples(fresh))
    assert hg.info(tmp_path / "d.safetensors")["bottleneck"] == "which window of those remembered is the nearest"


def damaged(how):
    row = fresh[0].copy()
    part = row[44:64]
    row[44:64] = {"missing": np.nan, "flat": part[0], "high": part + 3, "rough": part + rng.normal(size=20)}[how]
    return row


@pytest.mark.parametrize(
    ("how", "said"),
    [("missing", "no values for 20 samples"), ("flat", "a flat line"), ("high", "its level is"), ("rough", "as rough")],
)
def test_explain_marks_the_part_of_the_beat_and_names_what_is_the_matter(det, how, said):
    row = np.array([damaged(how)])
    lines = det.explain(row)
    found = lines.row(0, named=True)
    assert 40 <= found["start"] < found["end"] <= 68
    assert said in " ".join(lines["reason"])
    assert found["reason"].startswith(f"samples {found['start']}-{found['end'] - 1}: ")
    assert det.explain(row, most=1).equals(lines[:1])
    assert det.explain(row, most=0).equals(lines[:0])


@pytest.mark.parametrize("value", [np.float32(1e30), np.float32(-3e38), np.float64(1e200)])
def test_a_value_too_large_to_square_is_named(det, watcher, value):
    said = f"a spike to {value:.4g}, expected "
    row = fresh[:1].astype(value.dtype)
    row[0, 50] = value
    (found,) = det.explain(row, most=1).iter_rows(named=True)
    assert found["start"] <= 50 < found["end"]
    assert said in found["reason"]
    assert np.isfinite(found["expected"])
    record = plant(4000, 4).astype(value.dtype)
    record[1000, 1] = value
    (event,) = watcher.events(hg.Record(record, 50, names=NAMES), most=1).iter_rows(named=True)
    assert event["start"] <= 1000 < event["end"]
    assert event["channels"] == "level"
    assert event["reason"].startswith(f"level: {said}")


def test_explain_of_no_alarm_is_an_empty_frame(det):
    calm = fresh[det.predict(fresh) == 1][:3]
    assert det.explain(calm).columns == [
        "row",
        "p_value",
        "channel",
        "start",
        "end",
        "peak",
        "share",
        "observed",
        "expected",
        "reason",
    ]
    assert det.explain(calm).is_empty()
    assert det.alarms(calm)["alarm"].sum() == 0


def test_rows_of_differing_length_are_scored():
    rows = [row[: 90 + i % 11] for i, row in enumerate(usual)]
    ragged = hg.AnomalyDetector(kind="series", random_state=0).fit(rows)
    scores = -ragged.score_samples([row[:95] for row in np.concatenate([fresh, strange])])
    assert roc_auc_score(np.repeat([0, 1], [400, 50]), scores) > 0.99


def test_strange_rows_among_the_training_rows_are_left_out(tmp_path):
    dirty = np.concatenate([strange[:20], usual])
    plain, robust = (hg.AnomalyDetector(kind="series", contaminated=c, random_state=0).fit(dirty) for c in (False, True))
    assert (plain.predict(strange[20:]) == -1).mean() < 0.5
    assert (robust.predict(strange[20:]) == -1).all()
    assert (robust.predict(fresh) == -1).mean() < 0.1
    robust.save(tmp_path / "r.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "r.safetensors").score_samples(fresh), robust.score_samples(fresh))


def test_channels_are_blamed():
    both = np.stack([usual, usual[:, ::-1]], 2)
    two = hg.AnomalyDetector(kind="series", random_state=0).fit(both)
    odd = np.stack([fresh[:30], fresh[:30, ::-1]], 2)
    odd[:, 20:30, 1] += 3
    assert (two.explain(odd).group_by("row").first()["channel"] == "x1").mean() > 0.95


def test_an_estimator_can_be_the_detector_of_rows(tmp_path):
    own = hg.AnomalyDetector(hg.Autoencoder(4, kind="series", max_epochs=5, random_state=0), random_state=0).fit(usual)
    assert roc_auc_score(np.repeat([0, 1], [400, 50]), -own.score_samples(np.concatenate([fresh, strange]))) > 0.99
    assert (own.predict(fresh) == -1).mean() < 0.15
    found = own.explain(np.array([damaged("high")])).row(0, named=True)
    assert 40 <= found["start"] < found["end"] <= 68
    assert "its level is" in found["reason"]
    own.save(tmp_path / "o.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "o.safetensors").score_samples(fresh), own.score_samples(fresh))


def test_an_estimator_can_learn_from_rows_of_differing_length_in_a_table():
    rows = [row[: 90 + i % 11] for i, row in enumerate(usual[:160])]
    frame = pl.DataFrame({"beat": np.repeat(np.arange(160), list(map(len, rows))), "x": np.concatenate(rows)})
    settings = {"kind": "series", "columns": {"beat": "id"}, "max_epochs": 2, "random_state": 0}
    own = hg.AnomalyDetector(hg.Autoencoder(4, **settings), alarm_rate=0.1, random_state=0).fit(frame)
    assert own.score_samples(frame).shape == (160,)


# Records


def plant(n, seed):
    """Three channels (n, 3) of a period of 60, with noise."""
    noise, t = np.random.default_rng(seed), 2 * np.pi * np.arange(n) / 60
    waves = np.stack([np.sin(t) + 0.5 * np.sin(2 * t + 1), 5 * np.cos(t) + np.sin(3 * t), 0.2 * np.sin(t)], 1)
    return waves + 0.1 * np.array([1, 5, 0.2]) * noise.normal(size=(n, 3)) + 10


NAMES = ("flow", "level", "heat")


@pytest.fixture(scope="module")
def sick():
    values = plant(6000, 2)
    values[1000:1060, 1] = np.nan
    values[2000:2100, 0] = values[2000, 0]
    values[3000:3400, 2] += 0.8
    values[4500:4550, 1] += 20 * np.random.default_rng(0).normal(size=50)
    values[5500, 0] += 5
    return hg.Record(values, 50, names=NAMES)


@pytest.fixture(scope="module")
def watcher():
    return hg.AnomalyDetector(alarm_rate=0.02, random_state=0).fit(hg.Record(plant(12_000, 1), 50, names=NAMES))


def test_faults_of_a_record_are_events_with_a_channel_and_a_name(watcher, sick):
    found = watcher.events(sick)
    assert found.columns == ["start", "end", "peak", "time", "score", "p_value", "channels", "share", "reason"]
    assert found["channels"].to_list() == ["level", "flow", "heat", "level", "flow"]
    assert found["time"][0] == "20 s"
    for start, planted in zip(found["start"], (1000, 2000, 3000, 4500, 5500), strict=True):
        assert abs(start - planted) <= 5
    for end, planted in zip(found["end"], (1060, 2100, 3400, 4550, 5501), strict=True):
        assert abs(end - planted) <= 5
    words = ("no values for 60 samples", "a flat line", "its level is", "as rough as expected", "a spike to")
    for reason, said in zip(found["reason"], words, strict=True):
        assert said in reason
    assert (found["p_value"] <= 0.02).all()
    assert watcher.events(sick, most=2).height == 2
    assert watcher.explain(sick).equals(found)


def test_a_record_is_scored_once_to_explain_it(watcher, sick, monkeypatch):
    scored = []
    monkeypatch.setattr(detector, "scored_steps", lambda *given: scored.append(1) or running.scored_steps(*given))
    assert watcher.explain(sick).height == 5
    assert scored == [1]


def test_a_step_has_the_alarm_of_its_event(watcher, sick):
    lines = watcher.alarms(sick)
    assert lines.height == 6000
    assert lines.filter("alarm")["event"].unique(maintain_order=True).to_list() == [1, 2, 3, 4, 5]
    assert lines["reason1"].drop_nulls().len() == 5


def test_an_event_of_many_channels_names_the_one_most_to_blame():
    waves = np.sin(np.arange(9000)[:, None] / 9 + np.arange(16))
    values = waves + 0.3 * np.random.default_rng(0).normal(size=(9000, 16))
    many = hg.AnomalyDetector(random_state=0, alarm_rate=0.1).fit(hg.Record(values[:6000]))
    values[7000:7200] = 1e6  # all channels are to blame alike
    (event,) = many.events(hg.Record(values[6000:]), most=1).iter_rows(named=True)
    assert event["share"] == pytest.approx(1 / 16)
    assert event["reason"].startswith(f"{event['channels']}: a flat line at 1e+06")


def test_a_usual_record_raises_next_to_nothing(watcher):
    calm = hg.Record(plant(20_000, 3), 50, names=NAMES)
    assert watcher.score_samples(calm).shape == (20_000,)
    assert (watcher.predict(calm) == -1).mean() < 0.06


def spoiled(values, places):
    """A record in which the level and the swing are others for 80 samples at a time; and labels (n,) of these."""
    labels = np.zeros(len(values), int)
    for place in places:
        values[place : place + 80] = 0.3 * values[place : place + 80][::-1] + np.array([8.5, 8, 7])
        labels[place : place + 80] = 1
    return hg.Record(values, 50, names=NAMES), labels


@pytest.mark.parametrize("estimator", [None, hg.Autoencoder(8, max_epochs=30, random_state=0)])
def test_strange_stretches_of_the_training_record_are_left_out(estimator, tmp_path):
    dirty, _ = spoiled(plant(12_000, 1), range(700, 12_000, 1600))
    new, labels = spoiled(plant(6000, 2), (1000, 2500, 4000))
    settings = {"alarm_rate": 0.1, "random_state": 0}
    plain, robust = (hg.AnomalyDetector(estimator, contaminated=c, **settings).fit(dirty) for c in (False, True))
    quality = [roc_auc_score(labels, -found.score_samples(new)) for found in (plain, robust)]
    assert quality[1] > max(0.95, quality[0])
    assert [min(abs(robust.events(new)["start"] - place)) <= 20 for place in (1000, 2500, 4000)] == [True] * 3
    assert (robust.predict(hg.Record(plant(20_000, 3), 50, names=NAMES)) == -1).mean() < 0.15
    robust.save(tmp_path / "r.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "r.safetensors").score_samples(new), robust.score_samples(new))


def test_a_tenth_of_weak_periods_does_not_vouch_for_itself():
    rng = np.random.default_rng(0)

    def hum(periods):
        """Periods of 100 samples, a tenth of them weak; and labels (n,) of these."""
        time = 2 * np.pi * np.arange(100 * periods) / 100
        labels = np.repeat(rng.permutation(np.arange(periods) < periods // 10), 100)
        wave = 0.3 * np.sin(time) + 0.5 * np.sin(2 * time + 1) + 0.2 * np.sin(3 * time + 2) + 0.3 * rng.normal(size=len(time))
        return np.where(labels, 0.3, 1) * wave, labels

    new, labels = hum(40)
    dirty, _ = hum(120)
    plain, robust = (hg.AnomalyDetector(contaminated=c, random_state=0).fit(hg.Record(dirty, 100)) for c in (False, True))
    quality = [roc_auc_score(labels, -found.score_samples(hg.Record(new, 100))) for found in (plain, robust)]
    assert quality[1] > max(0.85, quality[0] + 0.2)


def test_an_estimator_can_be_the_detector_of_a_record(sick):
    own = hg.AnomalyDetector(hg.Autoencoder(8, max_epochs=30, random_state=0), alarm_rate=0.05, random_state=0)
    own.fit(hg.Record(plant(24_000, 1), 50, names=NAMES))
    found = own.events(sick)
    for place, said in ((1000, "no values for 60 samples"), (2000, "a flat line"), (3000, "its level is"), (4500, "as rough")):
        assert any(abs(line["start"] - place) <= 25 and said in line["reason"] for line in found.iter_rows(named=True))
    stream, values = own.stream(), sick.values
    parts = np.concatenate([stream.push(values[:2500]), stream.push(values[2500:]), stream.finish()])
    np.testing.assert_allclose(parts, own.score_samples(sick), atol=1e-5)
    held_out = len(own.model_.alarm.reference)
    assert 0.15 * 24_000 < held_out <= 0.2 * 24_000 + 5  # a fifth of the record
    assert (own.predict(hg.Record(plant(20_000, 3), 50, names=NAMES)) == -1).mean() < 0.1
    assert own.estimator_.transform(sick).shape == (len(own.kind_.opened(sick)), 8)


def test_windows_held_out_share_no_sample_with_those_learned_from():
    from hourglass.estimators.detection.beats import parted
    from hourglass.kinds.windows import Windows

    windows = Windows(hg.Record(np.zeros(20_000)), 100, 25)
    learned, held_out = (windows.starts[some] for some in parted(windows))
    fifths = np.concatenate([np.arange(3200, 4000) + 4000 * part for part in range(5)])  # the last one of each of five parts
    assert np.isin(held_out, fifths).all()
    assert np.isin(held_out + 99, fifths).all()
    assert not np.isin(learned[:, None] + np.arange(100), fifths).any()
    assert len(held_out) == 5 * (1 + (800 - 100) // 25)


def test_a_stream_gives_the_same_numbers(watcher, sick):
    batch, stream, found, first = watcher.score_samples(sick), watcher.stream(), [], 0
    while first < len(sick):
        size = int(rng.integers(1, 400))
        found.append(stream.push(sick.values[first : first + size]))
        first = min(first + size, len(sick))
        assert first - sum(map(len, found)) <= stream.delay
    found.append(stream.finish())
    np.testing.assert_allclose(np.concatenate(found), batch, atol=1e-5)


def test_a_stream_keeps_no_buffer_that_is_filled_anew(watcher, sick):
    stream, buffer, found = watcher.stream(), np.empty((20, 3)), []
    for first in range(0, 400, 20):
        buffer[:] = sick.values[first : first + 20]
        found.append(stream.push(buffer))
    whole = watcher.stream().push(sick.values[:400])
    np.testing.assert_allclose(np.concatenate(found), whole[: sum(map(len, found))], rtol=1e-9)


def test_a_wrong_sampling_rate_is_named(watcher):
    (reason,) = watcher.events(plant(12_000, 5)[::2])["reason"]
    assert reason.startswith("its period is 30 samples, that of the training 60: is the sampling rate 0.5 times")


def test_scores_of_a_table_with_gaps_in_time_are_those_of_its_rows():
    values = plant(3000, 1)[:, 0]
    frame = pl.DataFrame({"time": np.arange(3000) / 2, "x": values})
    timed = hg.AnomalyDetector(kind="series", random_state=0, alarm_rate=0.1).fit(frame)
    holes = frame.filter(~pl.int_range(pl.len()).is_between(1500, 1539))
    assert timed.score_samples(holes).shape == (2960,)
    assert timed.alarms(holes).height == 2960
    assert "no values for 40 samples" in " ".join(timed.events(holes)["reason"])


@pytest.mark.filterwarnings("ignore:Column 'time'")
def test_alarms_of_rows_out_of_order_are_those_of_the_rows_in_order():
    frame = pl.DataFrame({"time": np.arange(14_000) / 2, "x": plant(14_000, 1)[:, 0]})
    timed = hg.AnomalyDetector(kind="series", random_state=0, alarm_rate=0.02).fit(frame[:12_000])
    new = frame[12_000:].with_columns(x=pl.when(pl.int_range(2000).is_between(700, 760)).then(14.0).otherwise("x"))
    usual, (event,) = timed.alarms(new), timed.events(new).iter_rows(named=True)
    assert (abs(event["start"] - 700) < 5, abs(event["end"] - 761) < 5) == (True, True)

    turned = [*range(800, 2000), *range(730, 800), *range(730)]  # the event begins in the third part and ends in the second
    found, (same,) = timed.alarms(new[turned]), timed.events(new[turned]).iter_rows(named=True)
    np.testing.assert_array_equal(found["score"], usual["score"].to_numpy()[turned])
    assert found["event"].to_list() == usual["event"][turned].to_list()
    assert found["reason1"].to_list() == usual["reason1"][turned].to_list()
    assert [turned[same["start"]], turned[same["end"] - 1], turned[same["peak"]]] == [
        event["start"],
        event["end"] - 1,
        event["peak"],
    ]
    assert same["time"] == event["time"]

    twice = [
        *range(event["peak"] + 1),
        *range(event["peak"], 2000),
    ]  # the row of the peak is there twice, and the second one counts
    found, (same,) = timed.alarms(new[twice]), timed.events(new[twice]).iter_rows(named=True)
    np.testing.assert_array_equal(found["score"], usual["score"].to_numpy()[twice])
    assert (same["start"], same["peak"], same["end"]) == (event["start"], event["peak"] + 1, event["end"] + 1)


def test_a_record_detector_is_kept_in_a_file(watcher, sick, tmp_path):
    watcher.save(tmp_path / "w.safetensors")
    again = hg.load(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(again.score_samples(sick), watcher.score_samples(sick))
    assert again.events(sick).equals(watcher.events(sick))


def test_the_promise_of_a_short_record_is_told():
    with pytest.warns(hg.HourglassWarning, match="windows' worth of samples are too few to promise an alarm rate of 0.01"):
        hg.AnomalyDetector(alarm_rate=0.01, random_state=0).fit(hg.Record(plant(3000, 1)))


def test_drift_of_a_record(watcher):
    assert not watcher.drift(hg.Record(plant(6000, 7), 50, names=NAMES)).drifted
    assert not watcher.drift(hg.Record(plant(60_000, 8), 50, names=NAMES)).drifted
    moved = watcher.drift(hg.Record(plant(6000, 7) + np.array([0, 10, 0]), 50, names=NAMES))
    assert moved.which[0].startswith("level, samples ")


def test_what_is_refused(watcher, det):
    with pytest.raises(hg.DataError, match="is for a detector that was fitted on a record"):
        det.stream()
    with pytest.raises(hg.DataError, match=r"^The stream has 3 channels: give samples \(m, 3\). Got shape \(4, 2\).$"):
        watcher.stream().push(np.zeros((4, 2)))
    with pytest.raises(hg.DataError, match=r"Got shape \(3,\).$"):
        watcher.stream().push(np.zeros(3))
    ended = watcher.stream()
    ended.push(np.zeros((4, 3)))
    with pytest.raises(hg.DataError, match=r"^The stream ended after 4 samples, fewer than the "):
        ended.finish()
    with pytest.raises(hg.DataError, match="is too short for windows of"):
        hg.AnomalyDetector(kind=hg.Series(window=60)).fit(hg.Record(plant(100, 1)))
    with pytest.raises(hg.ParameterError, match="The 'neighbours' parameter of AnomalyDetector can't be 0 for series"):
        hg.AnomalyDetector(kind="series", neighbours=0).fit(usual)
    with pytest.raises(hg.DataError, match=r"^Found 3 rows, while a minimum of 5 is required to tell what is usual.$"):
        hg.AnomalyDetector(kind="series").fit(usual[:3])
    own = hg.Autoencoder(2, kind="series", max_epochs=1)
    with pytest.raises(hg.ParameterError, match="'neighbours' parameter of AnomalyDetector is not for an estimator of series"):
        hg.AnomalyDetector(own, neighbours=5).fit(usual)
    with pytest.raises(
        hg.DataError, match=r"^The record of 700 samples is too short for an estimator with windows of 175: a fifth"
    ):
        hg.AnomalyDetector(own).fit(hg.Record(plant(700, 1)))
    with pytest.raises(hg.ParameterError, match="can't be scaled by window"):
        hg.Autoencoder(2, kind=hg.Series(scale="window")).fit(usual)


# Autoencoders and cleaners


@pytest.mark.parametrize("network", ["dense", "temporal"])
def test_codes_and_reconstructions_in_units_and_length(network):
    settings = {"encoder": network, "decoder": network, "max_epochs": 5, "random_state": 0}
    ae = hg.Autoencoder(6, kind="series", **settings).fit(100 * usual)
    assert ae.transform(100 * fresh).shape == (400, 6)
    rebuilt = ae.reconstruct(100 * fresh)
    assert rebuilt.shape == fresh.shape
    assert np.square(rebuilt - 100 * fresh).mean() < 0.05 * np.var(100 * fresh)
    np.testing.assert_allclose(ae.inverse_transform(ae.transform(100 * fresh)), rebuilt, atol=1e-3)


def test_a_record_through_the_waist_and_back(sick, tmp_path):
    learned = hg.Record(plant(2000, 1), 50, names=NAMES)
    ae = hg.Autoencoder(4, max_epochs=10, random_state=0).fit(learned)
    rebuilt = ae.reconstruct(learned)
    assert (rebuilt.shape, rebuilt.names, rebuilt.rate) == ((2000, 3), NAMES, 50)
    assert np.square(rebuilt.values - learned.values).mean() < 0.1 * np.square(learned.values - 10).mean()
    np.testing.assert_allclose(ae.inverse_transform(ae.transform(learned)).values, rebuilt.values, atol=1e-5)
    ae.save(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "a.safetensors").reconstruct(learned).values, rebuilt.values)


def test_gaps_are_filled_by_what_belongs_there():
    rows = beats(300).astype(float)
    rows[::2, 25:35] = np.nan
    ae = hg.Autoencoder(6, kind="series", max_epochs=40, random_state=0).fit(rows)
    holes = fresh.astype(float).copy()
    holes[:, 60:75] = np.nan
    assert np.square(ae.reconstruct(holes)[:, 60:75] - fresh[:, 60:75]).mean() < 0.1 * np.square(fresh[:, 60:75]).mean()


@pytest.mark.parametrize("damage", ["white:0.5", "hum:0.5"])
def test_a_cleaner_of_beats_is_better_than_a_filter(damage):
    import torch

    dae = hg.DenoisingAutoencoder(kind="series", corruption=damage, max_epochs=60, random_state=0).fit(beats(1000))
    std = float(fresh.std())
    noisy = std * hg.corruption(damage)(torch.from_numpy(fresh / std)[:, None], torch.Generator().manual_seed(0))[:, 0].numpy()
    filters = [savgol_filter(noisy, w, p, axis=1) for w in (5, 7, 9, 11, 15, 21) for p in (2, 3)]
    classical = min(np.square(some - fresh).mean() for some in filters)
    assert np.square(dae.denoise(noisy) - fresh).mean() < 0.5 * classical


def test_a_detector_of_a_record_warns_of_nothing_it_can_keep():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hg.AnomalyDetector(alarm_rate=0.1, random_state=0).fit(hg.Record(plant(6000, 1)))


def test_a_table_of_samples_is_mended_as_a_table():
    frame = pl.DataFrame({"time": np.arange(400) / 50, "load": np.sin(np.arange(400) / 5)})
    mended = hg.DenoisingAutoencoder(2, kind="series", max_epochs=1, random_state=0).fit(frame).denoise(frame)
    assert mended.columns == frame.columns
    assert mended["time"].equals(frame["time"])


def test_the_kind_of_a_detector_is_that_of_its_estimator():
    rng = np.random.default_rng(0)
    rows = [np.sin(np.arange(length) / 5) + 0.1 * rng.normal(size=length) for length in rng.integers(40, 60, 160)]
    det = hg.AnomalyDetector(hg.Autoencoder(4, kind="series", max_epochs=1), random_state=0).fit(rows)
    assert det.kind_.name == "series"
    assert det.score_samples(rows[:3]).shape == (3,)
    assert hg.diagnose(det.estimator_, rows).rows == 160


def test_a_stream_takes_what_a_batch_takes():
    record = hg.Record((100 * np.sin(np.arange(3000) / 9)).astype(np.int16), 100.0)
    det = hg.AnomalyDetector(random_state=0).fit(record)
    whole = (100 * np.sin(np.arange(400) / 9)).astype(np.int16)
    stream = det.stream()
    scores = np.concatenate([stream.push(whole[:150]), stream.push(whole[150:]), stream.finish()])
    np.testing.assert_allclose(scores, det.score_samples(hg.Record(whole, 100.0)), atol=1e-5)
    stream = det.stream()
    with pytest.raises(hg.DataError, match="Sample 2 of the stream is infinite"):
        stream.push(np.array([1.0, 2.0, np.inf]))


def test_a_stream_finds_channels_by_name(watcher, sick):
    some, names = sick.values[:400], list(sick.names)
    whole = watcher.stream().push(some)
    assert len(whole)
    turned = pl.DataFrame(some[:, ::-1], schema=names[::-1]).with_columns(time=pl.int_range(400))
    for samples in (turned, turned.to_pandas(), hg.Record(some[:, ::-1], sick.rate, names=names[::-1])):
        np.testing.assert_array_equal(watcher.stream().push(samples), whole)
    assert len(watcher.stream().push(turned[:1])) == 0
    with pytest.raises(hg.DataError, match=f"The record has no channel {names[0]!r}"):
        watcher.stream().push(turned.drop(names[0]))


def hums(n, period, seed=0):
    """A record of n samples of a square or, of another period, a triangular wave."""
    rng = np.random.default_rng(seed)
    time = np.arange(n)
    wave = np.sign(np.sin(2 * np.pi * time / 40)) if period == 40 else 2 * np.abs(2 * (time / period % 1) - 1) - 1
    return hg.Record(wave + 0.1 * rng.normal(size=n), rate=100, names=["hum"])


def test_a_detector_learns_from_several_records():
    square, other = hums(12_000, 40), hums(12_000, 29)
    new = hums(3000, 29, seed=1)
    for records, (low, high) in {(square,): (0.9, 1), (square, other): (0, 0.1)}.items():
        det = hg.AnomalyDetector(alarm_rate=0.05, random_state=0).fit(list(records))
        assert low <= (det.p_values(new) <= 0.05).mean() <= high
    with pytest.raises(hg.DataError, match=r"^Got 2 records: a model learns from several, and looks at one at a time\.$"):
        det.predict([square, other])


def test_an_autoencoder_learns_from_several_records():
    records, new = [hums(4000, 40), hums(4000, 29)], hums(2000, 29, seed=1)
    alone, together = (hg.VariationalAutoencoder(4, max_epochs=20, random_state=0).fit(some) for some in (records[:1], records))
    assert hg.metrics.survival(together, new) > 0.8 > 0.6 > hg.metrics.survival(alone, new)
    assert together.fit_sampler(records).sample(3, random_state=0).shape == (3 * together.kind_.shape[1], 1)


def test_a_detector_of_several_records_takes_a_contamination():
    records = [hums(3000, 40), hums(2000, 40, seed=1)]
    det = hg.AnomalyDetector(contamination=0.1, random_state=0).fit(records)
    scores = np.concatenate([det.score_samples(record) for record in records])
    assert (scores < det.offset_).mean() == pytest.approx(0.1, abs=0.001)


def test_a_folder_of_tables_is_records_where_a_window_is_asked_for(tmp_path):
    for day in range(3):
        table = pl.DataFrame({"time": np.arange(1000) / 100, "hum": hums(1000, 40, seed=day).values[:, 0]})
        hg.write(tmp_path / "days" / f"{day}.csv", table)
    new = hums(1000, 40, seed=9)
    new.values[500:540] = 0
    hg.write(tmp_path / "new.csv", new)

    det = hg.AnomalyDetector(kind=hg.Series(window=80), random_state=0).fit(tmp_path / "days")

    assert (det.kind_.length, det.kind_.rate) == (3000, pytest.approx(100))
    worst = det.events(tmp_path / "new.csv").sort("score").row(-1, named=True)
    assert (worst["start"], worst["end"]) == (pytest.approx(500, abs=5), pytest.approx(540, abs=5))


def test_records_that_differ_are_not_learned_from_together():
    record = hums(100, 40)
    with pytest.raises(hg.DataError, match="Record 1 is at 50 Hz; the first is at 100 Hz"):
        hg.AnomalyDetector().fit([record, hg.Record(record.values, 50, names=["hum"])])
    with pytest.raises(hg.DataError, match="Record 1 has the channels heat; the first has hum"):
        hg.AnomalyDetector().fit([record, hg.Record(record.values, 100, names=["heat"])])


def test_a_table_of_a_few_rows_promises_what_an_array_of_them_does():
    rows = np.sin(np.arange(50) / 4 + rng.uniform(0, 6, (40, 1))) + 0.1 * rng.normal(size=(40, 50))
    long = pl.DataFrame({"beat": np.repeat(np.arange(40), 50), "mv": rows.ravel()})
    for data, columns in ((rows, None), (long, {"beat": "id"})):
        found = hg.AnomalyDetector(kind="series", columns=columns, random_state=0).fit(data)
        assert found.alarm_rate_ == 0.05


def test_usual_gaps_of_a_record_raise_no_alarm():
    values = np.sin(np.arange(8000) / 8) + 0.05 * rng.normal(size=8000)
    for start in range(200, 8000, 500):
        values[start : start + 20] = np.nan
    found = hg.AnomalyDetector(random_state=0).fit(hg.Record(values[:6000]))
    assert float(found._alarm.usual[0, 0]) == 20
    assert not len(found.events(hg.Record(values[6000:])))
