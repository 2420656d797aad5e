"""The detector: what it flags, what it promises, what it refuses."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

import hourglass as hg
from hourglass.parts.alarm import Alarm, nearest

rng = np.random.default_rng(0)
MIXING = rng.normal(size=(3, 8))


def draw(n):
    return rng.normal(size=(n, 3)) @ MIXING + 0.1 * rng.normal(size=(n, 8))


USUAL, NEW = draw(1200), draw(2000)
PLAIN = hg.Autoencoder(3, max_epochs=5)


@pytest.fixture(scope="module", params=["ensemble", "estimator"])
def detector(request):
    estimator = None if request.param == "ensemble" else PLAIN
    return hg.AnomalyDetector(estimator, alarm_rate=0.05, max_epochs=10, random_state=0).fit(USUAL)


@parametrize_with_checks(
    [hg.AnomalyDetector(max_epochs=1, random_state=0), hg.AnomalyDetector(hg.Autoencoder(2, max_epochs=3), random_state=0)]
)
@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning", "ignore::UserWarning")
def test_scikit_learn(estimator, check):
    check(estimator)


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
@pytest.mark.parametrize("far", [10, 100, 1000])
def test_far_out_of_range_is_an_alarm_for_every_activation(activation, far):
    estimator = hg.Autoencoder(3, encoder=hg.Dense(activation=activation), decoder=hg.Dense(activation=activation), max_epochs=2)
    found = hg.AnomalyDetector(estimator, alarm_rate=0.01, random_state=0).fit(USUAL)
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


def test_without_neighbours_no_row_is_kept():
    found = hg.AnomalyDetector(neighbours=0, max_seconds=0.2, random_state=0).fit(USUAL)
    assert found._alarm.kept.numel() == 0
    assert found.predict(NEW[:5] + 100).tolist() == [-1] * 5


def test_contamination_flags_that_share_of_the_training_rows():
    found = hg.AnomalyDetector(PLAIN, contamination=0.1, random_state=0).fit(USUAL)
    assert (found.predict(USUAL) == -1).mean() == pytest.approx(0.1, abs=0.005)


def test_images_need_an_estimator():
    digits = hg.datasets.load("digits").x_train[:500]
    with pytest.raises(hg.ParameterError, match="needs an estimator for data of kind 'image', as in"):
        hg.AnomalyDetector().fit(digits)
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
    with pytest.warns(hg.HourglassWarning, match="20 rows are too few to promise an alarm rate of 0.001: only rows stranger"):
        _alarm_of(20)


def _alarm_of(n):
    with pytest.warns(hg.HourglassWarning, match="tell what is usual"):
        found = hg.AnomalyDetector(PLAIN, alarm_rate=0.05, random_state=0).fit(USUAL[: 5 * n])
    return found.set_alarm_rate(0.001)


def test_equal_rows():
    with (
        pytest.raises(hg.DataError, match="All 50 rows are equal, so there is nothing to learn"),
        pytest.warns(hg.HourglassWarning),
    ):
        hg.AnomalyDetector().fit(np.ones((50, 3)))


def test_the_nearest_row_is_that_of_scikit_learn():
    kept, x = (torch.from_numpy(some).float() for some in (USUAL[:300], NEW[:50]))
    wanted = NearestNeighbors(n_neighbors=2).fit(kept)
    np.testing.assert_allclose(nearest(x, kept).sqrt(), wanted.kneighbors(x)[0][:, 0], rtol=1e-3)
    np.testing.assert_allclose(nearest(kept, kept).sqrt(), wanted.kneighbors(kept)[0][:, 1], rtol=1e-3)


def test_p_values_by_hand():
    alarm = Alarm((0,), 0, 4)
    alarm.reference = torch.tensor([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(alarm.p_values(torch.tensor([0.0, 2.0, 2.5, 9.0])), [1.0, 0.8, 0.6, 0.2])
    assert alarm.threshold(0.4) == 3.0  # two of five places are above it


def test_a_planted_fault_is_named_first():
    found = hg.AnomalyDetector(max_epochs=10, random_state=0).fit(USUAL)
    faulty, columns = NEW[:200].copy(), rng.integers(8, size=200)
    faulty[np.arange(200), columns] += 6 * USUAL.std(0)[columns]
    first = found.explain(faulty).group_by("row", maintain_order=True).first()
    assert len(first) > 190
    named = [int(name[1:]) for name in first["column"]]
    assert np.mean(np.array(named) == columns[first["row"]]) >= 0.95
    line = first.row(0, named=True)
    assert line["observed"] == pytest.approx(faulty[line["row"], int(line["column"][1:])], rel=1e-4)
    assert line["low"] < line["expected"] < line["high"]
