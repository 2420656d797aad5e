"""The detector: what it flags, what it promises, what it refuses."""

import copy
import datetime as dt

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import ks_2samp, kstwobign
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import hourglass as hg
from hourglass.estimators.detection import members, recipes
from hourglass.estimators.detection.drift import compare
from hourglass.estimators.detection.members import sorts
from hourglass.estimators.detection.recipes import rank
from hourglass.parts.alarm import Alarm

rng = np.random.default_rng(0)
MIXING = rng.normal(size=(3, 8))


def draw(n):
    return rng.normal(size=(n, 3)) @ MIXING + 0.1 * rng.normal(size=(n, 8))


USUAL, NEW = draw(1200), draw(2000)
PLAIN = hg.Autoencoder(3, max_epochs=5)


@pytest.fixture(scope="module")
def ensemble():
    return hg.AnomalyDetector(alarm_rate=0.05, max_epochs=10, random_state=0).fit(USUAL)


@pytest.fixture(scope="module", params=["ensemble", "estimator"])
def detector(request, ensemble):
    return ensemble if request.param == "ensemble" else hg.AnomalyDetector(PLAIN, alarm_rate=0.05, random_state=0).fit(USUAL)


@parametrize_with_checks(
    [hg.AnomalyDetector(max_epochs=1, random_state=0), hg.AnomalyDetector(hg.Autoencoder(2, max_epochs=3), random_state=0)]
)
@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning", "ignore::UserWarning")
def test_scikit_learn(estimator, check, monkeypatch):
    monkeypatch.setattr(members, "STEPS", 10)
    check(estimator)


@pytest.mark.parametrize(("n", "columns"), [(100, 30), (200, 300)])
def test_the_rate_is_kept_where_there_are_many_columns_for_the_rows(n, columns):
    def usual(n, seed):
        return np.random.default_rng(seed).standard_t(5, (n, columns))

    found = [hg.AnomalyDetector(alarm_rate=0.05, max_epochs=1, random_state=0).fit(usual(n, seed)) for seed in range(6)]
    new = usual(1000, 6)
    assert 0.025 < np.mean([(one.predict(new) == -1).mean() for one in found]) < 0.075
    assert not any(one.drift(new).drifted for one in found)


def test_the_rate_is_kept_where_rows_are_a_good_part_of_what_they_are_scaled_by():
    def raised(seed):
        usual = np.random.default_rng(seed).normal(size=(430, 30))
        one = hg.AnomalyDetector(alarm_rate=0.2, max_epochs=1, neighbours=0, random_state=0).fit(usual[:30])
        return (one.predict(usual[30:]) == -1).mean()

    assert np.mean([raised(seed) for seed in range(40)]) == pytest.approx(6 / 31, abs=0.025)


def test_the_promised_rate_of_false_alarms_is_kept(detector):
    assert (detector.p_values(NEW) <= 0.05).mean() == pytest.approx(0.05, abs=0.03)
    np.testing.assert_array_equal(detector.predict(NEW) == -1, detector.p_values(NEW) <= 0.05)
    np.testing.assert_allclose(detector.decision_function(NEW), detector.score_samples(NEW) - detector.offset_)


def test_rows_that_break_the_pattern_are_seen(detector):
    broken = NEW.copy()
    broken[:, 4] = rng.permutation(broken[:, 4])
    scores = -np.r_[detector.score_samples(NEW), detector.score_samples(broken)]
    assert roc_auc_score(np.r_[np.zeros(2000), np.ones(2000)], scores) > 0.9


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"])
def test_far_out_of_range_is_an_alarm_for_every_activation(activation):
    estimator = hg.Autoencoder(3, encoder=hg.Dense(activation=activation), decoder=hg.Dense(activation=activation), max_epochs=2)
    found = hg.AnomalyDetector(estimator, alarm_rate=0.01, random_state=0).fit(USUAL)
    for far in (10, 100, 1000):
        one = NEW[:40].copy()
        one[:, 2] = USUAL[:, 2].mean() + far * USUAL[:, 2].std()
        assert (found.predict(one) == -1).all()
        assert (found.predict(USUAL.mean(0, keepdims=True) - far * USUAL.std(0)) == -1).all()


def test_another_rate_needs_no_other_fit(detector):
    scores = detector.score_samples(NEW)
    strict = (detector.set_alarm_rate(0.01).predict(NEW) == -1).sum()
    loose = (detector.set_alarm_rate(0.1).predict(NEW) == -1).sum()
    detector.set_alarm_rate(0.05)
    assert strict < loose
    np.testing.assert_array_equal(detector.score_samples(NEW), scores)


def test_false_discoveries_are_limited(detector):
    far = NEW[:100] + 100
    assert (detector.predict(np.r_[NEW[:900], far], fdr=0.2)[900:] == -1).all()


def test_a_file_gives_the_same_numbers(detector, tmp_path):
    detector.save(tmp_path / "model.safetensors")
    loaded = hg.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.p_values(NEW), detector.p_values(NEW))
    assert loaded.offset_ == detector.offset_
    assert hg.info(tmp_path / "model.safetensors")["estimator"] == "AnomalyDetector"


def test_the_same_seed_gives_the_same_numbers():
    first, second = (hg.AnomalyDetector(PLAIN, random_state=3).fit(USUAL).score_samples(NEW) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_device_is_of_the_run_and_not_of_the_file(detector, tmp_path):
    assert clone(hg.AnomalyDetector(device="cpu")).device == "cpu"
    on_processor = clone(detector).set_params(device="cpu").fit(USUAL)
    np.testing.assert_array_equal(on_processor.score_samples(NEW), detector.score_samples(NEW))
    assert {tensor.device.type for tensor in on_processor.model_.state_dict().values()} == {"cpu"}
    on_processor.save(tmp_path / "model.safetensors")
    loaded = hg.load(tmp_path / "model.safetensors")
    assert loaded.device is None
    if loaded.estimator_ is not None:
        assert on_processor.estimator_.device == "cpu"
        assert loaded.estimator.device is None


def test_a_detector_is_where_its_estimator_is_unless_it_has_a_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    apart = hg.Autoencoder(2, device="cpu")
    asked = [hg.AnomalyDetector(), hg.AnomalyDetector(apart), hg.AnomalyDetector(apart, device="cuda:1"), hg.AnomalyDetector(PLAIN)]
    assert [str(det._device) for det in asked] == ["cuda", "cpu", "cuda:1", "cuda"]
    assert recipes._of_symbols(hg.AnomalyDetector(device="cpu")).device == "cpu"


def test_an_estimator_keeps_rows_from_all_of_the_data():
    sorted_by_site = np.random.default_rng(1).normal(size=(1000, 3)) + np.repeat([[0], [20]], 500, 0)
    found = hg.AnomalyDetector(hg.Autoencoder(2, max_epochs=1), neighbours=50, random_state=0).fit(sorted_by_site)
    second = found._alarm.neighbours.kept[:, 0] > 0
    assert 10 < int(second.sum()) < 40


def test_without_neighbours_no_row_is_kept():
    found = hg.AnomalyDetector(neighbours=0, max_epochs=1, random_state=0).fit(USUAL)
    assert found._alarm.neighbours is None
    assert found.predict(NEW[:5] + 100).tolist() == [-1] * 5


def test_contamination_flags_that_share_of_the_training_rows():
    found = hg.AnomalyDetector(PLAIN, contamination=0.1, random_state=0).fit(USUAL)
    assert (found.predict(USUAL) == -1).mean() == pytest.approx(0.1, abs=0.005)


def test_ctrl_c_keeps_a_detector_that_works(monkeypatch):
    def press(progress, epoch):
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("hourglass.estimators.progress.TrainingProgress.show", press)
    with pytest.warns(hg.HourglassWarning, match="stopped by hand after 3 epochs"):
        det = hg.AnomalyDetector(random_state=0).fit(USUAL)
    assert len(det.history_) == 3
    assert det.predict(np.full((1, 8), 50.0)).item() == -1


def test_images_with_an_estimator():
    digits = hg.datasets.load("digits").x_train[:500]
    found = hg.AnomalyDetector(hg.Autoencoder(16, max_epochs=3), random_state=0).fit(digits)
    assert found.predict(255 - digits[:20]).tolist() == [-1] * 20


@pytest.mark.parametrize("rate", [0, -0.1, 0.6, True, "often"])
def test_a_rate_out_of_bounds(rate):
    sentence = r"The 'alarm_rate' parameter of AnomalyDetector must be 'auto' or a float above 0 and at most 0.5. Got "
    with pytest.raises(hg.ParameterError, match=sentence):
        hg.AnomalyDetector(alarm_rate=rate).fit(USUAL)


def test_other_parameters_out_of_bounds():
    with pytest.raises(hg.ParameterError, match=r"The 'neighbours' parameter .* must be an int of at least 0 or None. Got -1"):
        hg.AnomalyDetector(neighbours=-1).fit(USUAL)
    with pytest.raises(hg.ParameterError, match=r"The 'estimator' parameter .* must be an autoencoder or None. Got 3 instead."):
        hg.AnomalyDetector(3).fit(USUAL)


def test_too_few_rows_for_the_rate():
    with pytest.warns(
        hg.HourglassWarning, match="20 rows are too few to promise an alarm rate of 0.001: only rows stranger"
    ) as all_said:
        _alarm_of(20)
    assert str(all_said[-1].message).endswith(". Fit on at least 5,000 rows.")


def test_rows_to_fit_on_fill_the_folds_of_all_members():
    few = hg.AnomalyDetector(alarm_rate=0.05, max_epochs=1, random_state=0)
    with pytest.warns(hg.HourglassWarning) as said:
        few.fit(USUAL[:20])
    assert "Only 18 rows tell what is usual: fit on at least 30, better 1,000" in str(said[0].message)
    assert str(said[1].message).endswith(". Fit on at least 21 rows.")
    with pytest.warns(hg.HourglassWarning) as said:
        few.fit(USUAL[:21])
    assert len(said) == 1


def _alarm_of(n):
    with pytest.warns(hg.HourglassWarning, match="tell what is usual"):
        found = hg.AnomalyDetector(PLAIN, alarm_rate=0.05, random_state=0).fit(USUAL[: 5 * n])
    return found.set_alarm_rate(0.001)


def test_names_of_columns_are_those_of_the_last_fit():
    frame = pl.DataFrame(USUAL[:300, :3], schema=["a", "b", "c"])
    found = hg.AnomalyDetector(hg.Autoencoder(2, max_epochs=1), alarm_rate=0.1, random_state=0).fit(frame)
    assert found.feature_names_in_.tolist() == found.estimator_.feature_names_in_.tolist() == ["a", "b", "c"]
    assert found.n_features_in_ == 3
    assert not hasattr(found.fit(USUAL[:300]), "feature_names_in_")
    assert found.n_features_in_ == 8
    found.predict(NEW[:2])  # a warning would be an error


def test_equal_rows():
    with (
        pytest.raises(hg.DataError, match="All 50 rows are equal, so there is nothing to learn"),
        pytest.warns(hg.HourglassWarning),
    ):
        hg.AnomalyDetector().fit(np.ones((50, 3)))


def test_p_values_by_hand():
    alarm = Alarm((0,), 4)
    alarm.reference = torch.tensor([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(alarm.p_values(torch.tensor([0.0, 2.0, 2.5, 9.0])), [1.0, 0.8, 0.6, 0.2])
    assert alarm.threshold(0.4) == 3.0  # two of five places are above it


def test_a_planted_fault_is_named_first(ensemble):
    found = copy.deepcopy(ensemble).set_alarm_rate(0.01)
    faulty, columns = NEW[:200].copy(), rng.integers(8, size=200)
    faulty[np.arange(200), columns] += 6 * USUAL.std(0)[columns]
    first = found.explain(faulty).group_by("row", maintain_order=True).first()
    assert len(first) > 190
    named = [int(name[1:]) for name in first["column"]]
    assert np.mean(np.array(named) == columns[first["row"]]) >= 0.95
    line = first.row(0, named=True)
    assert line["observed"] == pytest.approx(faulty[line["row"], int(line["column"][1:])], rel=1e-4)
    assert line["low"] < line["expected"] < line["high"]
    usual = np.quantile(USUAL[:, int(line["column"][1:])], [1 / 32, 31 / 32])
    np.testing.assert_allclose([line["low"], line["high"]], usual, rtol=1e-4)


CITIES = {"Rome": "it", "Paris": "fr", "Oslo": "no"}


def orders(n, seed=0):
    draw = np.random.default_rng(seed)
    city = draw.choice(list(CITIES), n)
    start, seconds = dt.datetime(2026, 1, 1), draw.integers(0, 86400 * 40, n)
    return pl.DataFrame(
        {
            "order": [f"A{seed}-{i}" for i in range(n)],
            "city": city,
            "language": [CITIES[name] for name in city],
            "price": draw.lognormal(3, 1, n),
            "items": draw.poisson(3, n),
            "age": [None if hidden else value for hidden, value in zip(draw.random(n) < 0.2, draw.normal(40, 9, n), strict=True)],
            "at": [start + dt.timedelta(seconds=int(s) - int(s) % 86400 + 8 * 3600 + int(s) % 36000) for s in seconds],
        }
    )


IDENTIFIED = {"order": "identifier"}


@pytest.fixture(scope="module")
def mixed():
    return hg.AnomalyDetector(alarm_rate=0.05, columns=IDENTIFIED, max_epochs=10, random_state=0).fit(orders(2000))


def one(**cells):
    """A usual row with other cells."""
    row = orders(40, seed=5).filter(city="Rome", items=3)[:1].with_columns(price=pl.lit(20.0), age=pl.lit(40.0))
    return row.with_columns(**{name: pl.lit(value, dtype=row.schema[name]) for name, value in cells.items()})


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"language": "fr"}, ("city", "language"), "of the training rows), expected"),
        ({"city": "Atlantis"}, ("city",), "city is a rare or unknown level (0.00% of the training rows), expected 'Rome'"),
        ({"price": 1e6}, ("price",), "price is 1,000,000, expected"),
        ({"items": None}, ("items",), "items is missing, as in 0.00% of the training rows"),
        ({"at": dt.datetime(2027, 1, 5, 3)}, ("at",), "at is 2027-01-05 03:00:00, expected about 1"),
    ],
    ids=["pair", "unknown level", "number", "gap", "time"],
)
def test_a_strange_cell_of_any_type_is_named(mixed, cells, column, words):
    found = mixed.explain(one(**cells))
    assert found["column"][0] in column
    assert words in found["reason"][0]
    assert found["share"].sum() == pytest.approx(1)


def test_usual_rows_of_a_later_year_raise_no_alarm(mixed):
    later = orders(2000, seed=1).with_columns(pl.col("at").dt.offset_by("1y"))
    assert (mixed.predict(later) == -1).mean() == pytest.approx(0.05, abs=0.02)


def test_usual_rows_of_a_later_month_raise_no_alarm_where_dates_are_numbers():
    draw = np.random.default_rng(0)
    march, april = (
        pl.DataFrame({"day": 20240000 + 100 * month + draw.integers(1, 29, 1000), "x": draw.normal(size=1000)}) for month in (3, 4)
    )
    found = hg.AnomalyDetector(alarm_rate=0.05, max_epochs=2, random_state=0).fit(march)
    assert (found.predict(april) == -1).mean() == pytest.approx(0.05, abs=0.02)


def test_alarms_name_their_reasons(mixed):
    rows = pl.concat([one(), one(price=1e6)])
    found = mixed.alarms(rows, reasons=2)
    assert found.columns == ["row", "score", "p_value", "alarm", "reason1", "reason2"]
    assert found["alarm"].to_list() == [False, True]
    assert found["reason1"][0] is None
    assert found["reason1"][1].startswith("price is 1,000,000")
    others = mixed.explain(rows).filter(row=1)["share"]
    assert others[1] < 0.01 * others[0] and found["reason2"][1] is None  # what is next to not to blame is no reason
    together = mixed.alarms(one(price=1e6, items=90), reasons=3)
    assert [together[f"reason{i}"][0][:5] for i in (1, 2)] == ["price", "items"]
    np.testing.assert_allclose(found["score"], -mixed.score_samples(rows))


def test_a_mixed_table_in_a_file(mixed, tmp_path):
    mixed.save(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.score_samples(orders(50, 3)), mixed.score_samples(orders(50, 3)))
    assert loaded.explain(one(price=1e6)).equals(mixed.explain(one(price=1e6)))


def test_drift_names_what_moved(mixed):
    same = mixed.drift(orders(800, seed=2))
    assert not same.drifted
    assert same.p_value > 0.001
    moved = mixed.drift(orders(800, seed=2).with_columns(items=pl.col("items") + 2))
    assert moved.drifted
    assert moved.columns["column"][0] == "items"
    counts = [np.histogram(orders(2000)["items"] + shift, range(30))[0].cumsum() / 2000 for shift in (0, 2)]
    assert moved.columns["moved"][0] == pytest.approx(np.abs(counts[0] - counts[1]).max(), abs=0.06)
    gaps = mixed.drift(orders(800, seed=2).with_columns(age=pl.lit(None, dtype=pl.Float64)))
    assert gaps.columns.row(0)[:2] == ("age", pytest.approx(0.8, abs=0.03))


@pytest.mark.parametrize("n", [1, 5, 100])
def test_drift_is_the_distance_of_two_samples(detector, n):
    rows = NEW[:n] + 0.2
    theirs = ks_2samp(detector.score_samples(rows), -detector._alarm.reference.numpy(), method="asymp")
    assert detector.drift(rows).moved == pytest.approx(theirs.statistic, abs=2e-3)
    assert detector.drift(NEW[:1]).moved >= 0


@pytest.mark.parametrize("n", [300, 20_000])
def test_columns_of_few_values_do_not_drift_by_themselves(n):
    def rows(n, seed, moved=0.0):
        draw = np.random.default_rng(seed)
        return torch.from_numpy(np.where(draw.random((n, 6)) < 0.9, np.nan, draw.normal(moved, size=(n, 6)))).float()

    learned, names, scores = rows(n, 0), tuple("abcdef"), torch.linspace(-2, 2, n)
    alarm = Alarm.learn(tuple(range(6)), learned)
    alarm.reference = scores
    assert sum(bool(compare(alarm, names, rows(400, seed), scores).which) for seed in range(1, 11)) <= 1
    assert set(compare(alarm, names, rows(2000, 11, moved=3.0), scores).which) == set(names)
    one, new = Alarm.learn((0,), learned[:, :1]), rows(400, 1)[:, :1]
    one.reference = scores
    (_, moved, p_value, missing, was), k = compare(one, ("a",), new, scores).columns.row(0), int((~new.isnan()).sum())
    looked_at = len(range(0, n, n // 4096 + 1)) * (1 - was)  # of the training rows, those that have a value
    assert missing == pytest.approx(1 - k / 400)
    assert p_value == pytest.approx(kstwobign.sf(moved * np.sqrt(k * looked_at / (k + looked_at))), rel=1e-3)


def test_rows_of_a_few_sorts_keep_the_rate_whatever_rounding_does():
    def rows(n, seed):
        draw = np.random.default_rng(seed)
        first = draw.choice(["x", "y", "z"], n, p=[0.5, 0.3, 0.2])
        second = np.where(draw.random(n) < 0.9, first, draw.choice(["x", "y", "z"], n))
        return pl.DataFrame({"a": first, "b": second, "c": draw.choice(["u", "v"], n)})

    new = rows(2000, 9)
    for estimator in (hg.Autoencoder(1, max_epochs=5), None):
        epochs = 1 if estimator is None else None
        one = hg.AnomalyDetector(estimator, alarm_rate=0.05, max_epochs=epochs, random_state=5).fit(rows(600, 5))
        alarm = one.predict(new) == -1
        assert alarm.mean() < 0.08
        np.testing.assert_array_equal(alarm, one.p_values(new) <= 0.05)
        assert one.drift(new).p_value > 0.01


def test_rows_of_which_few_are_equal_keep_the_rate():
    """Of 125 sorts, 500 rows have about four of each, and many sorts once or twice."""
    shares = []
    for seed in range(3):
        rows, new = np.split(np.random.default_rng(seed).integers(0, 5, (4500, 3)), [500])
        shares.append((hg.AnomalyDetector(alarm_rate=0.05, max_epochs=1, random_state=seed).fit(rows).predict(new) == -1).mean())
    assert 0.03 < np.mean(shares) < 0.08


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_rows_of_two_sorts_are_both_usual(dtype):
    rows = np.random.default_rng(0).integers(0, 2, (400, 1)) * np.array([[1, 3]]).astype(dtype)
    found = hg.AnomalyDetector(alarm_rate=0.05, max_epochs=1, random_state=0).fit(rows[:300])
    assert (found.predict(rows[300:]) == 1).all()
    assert not found.drift(rows[300:]).drifted
    assert found.predict(np.array([[1.0, 0.0], [0.0, 3.0]], dtype)).tolist() == [-1, -1]


def test_which_rows_are_equal_and_known_to_all_members():
    x = torch.tensor([[1, torch.nan], [2, 0], [3, 0], [1, torch.nan], [5, 0], [3, 0], [2, 0], [2, 0], [4, 0]])
    which, one, known = sorts(x)  # of the folds 0, 1, 2, 0, 1, 2 ...
    assert torch.equal(x[one[which]].nan_to_num(-1), x.nan_to_num(-1))
    assert known[which].tolist() == [False, True, False, False, False, False, True, True, False]


def test_dirty_training_data():
    dirt = NEW[:120] + 4 * rng.normal(size=(120, 8))
    judged, labels = np.r_[NEW[200:1200], NEW[1200:1400] + 4 * rng.normal(size=(200, 8))], np.r_[np.zeros(1000), np.ones(200)]
    areas = {}
    for contaminated in (False, True):
        found = hg.AnomalyDetector(contaminated=contaminated, max_epochs=3, random_state=0).fit(np.r_[USUAL, dirt])
        areas[contaminated] = roc_auc_score(labels, -found.score_samples(judged))
        assert (found.p_values(judged)[1000:] <= 0.05).mean() > (0.9 if contaminated else 0)
    assert areas[True] >= areas[False] - 0.001
    assert areas[True] > 0.97


def test_a_cluster_in_dirty_training_data_does_not_hide_its_likes():
    cluster = np.full(8, 1.5) * USUAL.std(0) * [1, -1, 1, -1, 1, -1, 1, -1] + 0.01 * rng.normal(size=(100, 8))
    for contaminated in (False, True):
        found = hg.AnomalyDetector(contaminated=contaminated, max_epochs=2, random_state=0).fit(np.r_[USUAL[:900], cluster[:40]])
        assert (found.p_values(cluster[40:]) <= 0.05).mean() == contaminated


@pytest.mark.parametrize(("contaminated", "kept", "expected"), [(False, 5000, 1), (True, 5000, 250), (True, 101, 6), (True, 40, 5)])
def test_distances_are_measured_beyond_a_twentieth_of_what_may_be_dirty(contaminated, kept, expected):
    assert rank(hg.AnomalyDetector(contaminated=contaminated), kept) == expected


def test_of_dirty_rows_a_fifth_is_not_learned_from_and_a_tenth_not_usual():
    found = hg.AnomalyDetector(contaminated=True, max_epochs=1, random_state=0).fit(USUAL[:200])
    alarm = found.model_.alarm
    assert (len(alarm.neighbours.kept), int(alarm.learned)) == (160, 180)
    assert len(alarm.reference) == 3 * (160 // 3) + 20  # as many of each fold, and those between
    assert (alarm.reference.diff() >= 0).all()


@pytest.mark.parametrize("contaminated", [False, True])
@pytest.mark.parametrize("estimator", [None, hg.Autoencoder(2, max_epochs=1)])
def test_a_file_says_how_rows_were_doubted_when_it_was_fitted(contaminated, estimator, tmp_path):
    settings = {"neighbours": 50, "random_state": 0} | ({"max_epochs": 1} if estimator is None else {})
    found = hg.AnomalyDetector(estimator, contaminated=contaminated, **settings).fit(USUAL[:200])
    scores = found.score_samples(NEW[:50])
    found.set_params(contaminated=not contaminated).save(tmp_path / "d.safetensors")
    loaded = hg.load(tmp_path / "d.safetensors")
    assert loaded.contaminated == contaminated
    loaded.save(tmp_path / "again.safetensors")
    for path in ("d.safetensors", "again.safetensors"):
        np.testing.assert_array_equal(hg.load(tmp_path / path).score_samples(NEW[:50]), scores)


@pytest.mark.parametrize("contaminated", [False, True])
def test_training_rows_are_scored_where_some_may_be_dirty_alone(contaminated, monkeypatch):
    scored, score = [], Alarm.forward
    monkeypatch.setattr(Alarm, "forward", lambda alarm, x, errors: scored.append(len(x)) or score(alarm, x, errors))
    hg.AnomalyDetector(contaminated=contaminated, max_epochs=1, random_state=0).fit(USUAL[:200])
    assert scored == ([198, 2, 20] if contaminated else [])  # those held out, those in no fold, and those of the second fit aside


def test_each_dirty_row_is_judged():
    rows = USUAL[:200].copy()  # of which two are in no fold of as many rows as the others
    for row in (145, 146, 164):
        wild = rows.copy()
        wild[row] = 1000
        found = hg.AnomalyDetector(contaminated=True, max_epochs=1, random_state=0).fit(wild)
        assert (found.p_values(wild[row : row + 1] / 2) < 0.01).all()


def test_the_mean_error_of_a_gap():
    x = torch.tensor([[1.0, torch.nan], [2.0, 3.0], [3.0, 5.0]])
    alarm = Alarm.learn((0, 1), x)
    np.testing.assert_allclose(alarm.rarity, [np.log(5), np.log(5 / 2)], rtol=1e-6)
    alarm.calibrate(x, torch.tensor([[1.0, 0.0], [4.0, 4.0], [9.0, 16.0]]))
    np.testing.assert_allclose(alarm.spread, [4, 9])  # squares of the mean roots 2 and 3, as gaps don't count
    relative = alarm.relative(torch.tensor([[torch.nan, 4.0]]), torch.tensor([[0.0, 18.0]]))
    np.testing.assert_allclose(relative, [[np.log(5), 2]], rtol=1e-6)
    np.testing.assert_allclose(alarm.outside(torch.tensor([[torch.nan, torch.nan], [0.0, 7.0]])), [[2, 0], [-1, 2]])


def test_callbacks_see_each_epoch_of_the_ensemble_and_can_end_it():
    seen = []
    det = hg.AnomalyDetector(
        max_epochs=9, callbacks=(lambda det, epoch: seen.append(epoch.epoch) or epoch.epoch == 2,), random_state=0
    )
    assert len(det.fit(USUAL).history_) == 2
    assert seen == [1, 2]


@pytest.mark.parametrize("contaminated", [False, True])
def test_a_callback_that_scores_is_told_that_the_detector_is_not_fitted(contaminated):
    said = []

    def score(det, epoch):
        with pytest.raises(NotFittedError) as error:
            det.score_samples(NEW)
        said.append(str(error.value))

    settings = {"max_epochs": 1, "contaminated": contaminated, "random_state": 0}
    found = hg.AnomalyDetector(**settings, callbacks=(score,)).fit(USUAL[:200])
    assert len(said) == 1 + contaminated
    assert said[0].startswith("This AnomalyDetector instance is not fitted yet.")
    np.testing.assert_array_equal(found.score_samples(NEW), hg.AnomalyDetector(**settings).fit(USUAL[:200]).score_samples(NEW))


@pytest.fixture(scope="module", params=[None, PLAIN, hg.VariationalAutoencoder(2, max_epochs=1)])
def watch(request):
    epochs = 1 if request.param is None else None
    return hg.AnomalyDetector(request.param, alarm_rate=0.05, max_epochs=epochs, random_state=0).fit(USUAL.astype("f4")[:300])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("columns", {"x0": "categorical"}, "columns={'x0': 'categorical'}"),
        ("max_epochs", 2, "max_epochs=2"),
        ("max_seconds", 9.0, "max_seconds=9.0"),
    ],
)
def test_what_an_estimator_has_its_own_of_is_said_to_be_unused(name, value, said):
    inner = hg.Autoencoder(2, max_epochs=1, random_state=0)
    det = hg.AnomalyDetector(inner, alarm_rate=0.1, random_state=0, **{name: value})
    with pytest.warns(hg.HourglassWarning) as caught:
        det.fit(USUAL[:200])
    assert [str(warning.message) for warning in caught] == [
        f"{said} of AnomalyDetector is not used, as the estimator has its own: say it there, Autoencoder({name}=...)."
    ]
    assert len(det.history_) == 1
    hg.AnomalyDetector(inner, alarm_rate=0.1, max_epochs=1, random_state=0).fit(USUAL[:200])  # which is the same in both


@pytest.mark.parametrize("value", [np.float32(1e20), np.float32(1e30), np.float32(-9.96921e36), 1e300])
def test_a_value_too_large_to_reckon_with_is_an_alarm_everywhere(watch, value):
    strange = np.stack([np.full(8, value), np.r_[value, USUAL[0, 1:]]]).astype(np.asarray(value).dtype)
    assert watch.predict(strange).tolist() == [-1, -1]
    assert (watch.decision_function(strange) < 0).all()
    assert watch.alarms(strange)["alarm"].all()
    np.testing.assert_allclose(watch.p_values(strange), watch._alarm.least_rate, rtol=1e-6)
    blame = watch.explain(strange)
    assert blame.filter(row=1)["column"][0] == "x0"
    np.testing.assert_allclose(blame.group_by("row").agg(pl.col("share").sum())["share"], 1)
    if watch.estimator is not None:
        assert (watch.estimator_.score_samples(strange) < -1e30).all()


@pytest.mark.parametrize("reasons", [-1, 1.5, True])
def test_how_many_reasons_are_named_is_a_count(detector, reasons):
    with pytest.raises(hg.ParameterError) as error:
        detector.alarms(NEW[:5], reasons=reasons)
    assert str(error.value) == f"The 'reasons' of alarms must be an int of at least 0. Got {reasons!r} instead."
    with pytest.raises(hg.ParameterError) as error:
        detector.explain(NEW[:5], most=reasons)
    assert str(error.value) == f"The 'most' that are named must be an int of at least 0 or None. Got {reasons!r} instead."
