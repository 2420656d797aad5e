"""The detector on pictures: what it flags, where, and what it lets pass."""

import copy

import numpy as np
import pytest
import torch

import hourglass as hg
from hourglass.estimators.detection import pictures
from hourglass.estimators.detection.regions import Region, regions, told
from hourglass.kinds.image import ImageKind

SIDE = 40
rng = np.random.default_rng(0)


def parts(n, shift=1.0, turn=2.0):
    """Rings with four holes and some texture, each shifted and turned by chance."""
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    away, angle = rng.uniform(-shift, shift, (2, n, 1, 1)), np.radians(rng.uniform(-turn, turn, (n, 1, 1)))
    y, x = down - away[0], across - away[1]
    y, x = y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
    soft = lambda d: 1 / (1 + np.exp(-2 * d))  # noqa: E731
    radius = np.hypot(y, x)
    shown = 0.25 + 0.5 * soft(15 - radius) * soft(radius - 5)
    for cy, cx in ((-10, 0), (10, 0), (0, -10), (0, 10)):
        shown -= 0.4 * soft(2.5 - np.hypot(y - cy, x - cx))
    shown += 0.04 * np.sin(1.3 * y + 0.8) * soft(15 - radius) + 0.02 * rng.normal(size=shown.shape)
    return np.rint(255 * shown.clip(0, 1)).astype(np.uint8)


def planted(pictures):
    """The same with a dark or light patch of 4 x 4 pixels each, and its corners (n, 2)."""
    marked, corners = pictures.copy(), rng.integers(6, SIDE - 10, (len(pictures), 2))
    for picture, (top, left) in zip(marked, corners, strict=True):
        patch = picture[top : top + 4, left : left + 4].astype(int)
        picture[top : top + 4, left : left + 4] = np.where(patch.mean() > 110, patch - 90, patch + 90).clip(0, 255)
    return marked, corners


USUAL = parts(300, shift=3, turn=5)


@pytest.fixture(scope="module")
def detector():
    return hg.AnomalyDetector(alarm_rate=0.05, random_state=0).fit(USUAL)


def test_parts_that_are_shifted_and_turned_keep_the_promise(detector):
    assert (detector.predict(parts(300, shift=3, turn=5)) == -1).mean() < 0.12
    assert (detector.predict(parts(300)) == -1).mean() < 0.12


def test_shifted_parts_pass_where_the_training_parts_lay_still():
    found = hg.AnomalyDetector(alarm_rate=0.05, random_state=0).fit(parts(300, shift=1, turn=1))
    assert (found.predict(parts(200, shift=2, turn=3)) == -1).mean() < 0.13


def test_a_blemish_is_an_alarm_and_the_first_box_covers_it(detector):
    marked, corners = planted(parts(100, shift=3, turn=5))
    alarms = detector.predict(marked) == -1
    assert alarms.mean() > 0.9
    found = detector.explain(marked).unique("row", keep="first", maintain_order=True)
    covered = [
        top - 2 <= corners[row][0] + 1.5 <= bottom + 1 and left - 2 <= corners[row][1] + 1.5 <= right + 1
        for row, top, left, bottom, right in found.select("row", "top", "left", "bottom", "right").iter_rows()
    ]
    assert len(covered) == alarms.sum()
    assert np.mean(covered) > 0.9
    assert ((found["bottom"] - found["top"]) <= 16).mean() > 0.9


@pytest.mark.parametrize("settings", [{}, {"neighbours": 0}], ids=str)
def test_what_is_no_part_at_all_is_an_alarm(settings):
    found = hg.AnomalyDetector(alarm_rate=0.05, random_state=0, **settings).fit(USUAL[:200])
    noise = rng.integers(0, 256, (1, SIDE, SIDE))
    odd = np.concatenate([np.zeros((1, SIDE, SIDE)), np.full((1, SIDE, SIDE), 255), 255 - USUAL[:1], noise]).astype(np.uint8)
    assert found.predict(odd).tolist() == [-1] * 4
    assert (found._alarm.neighbours is None) == bool(settings)


def test_maps_are_of_the_input_size_and_highest_at_the_blemish(detector):
    marked, corners = planted(parts(50))
    heat = detector.heatmaps(marked)
    assert heat.shape == marked.shape
    assert heat.dtype == np.float32
    peaks = np.array([np.unravel_index(one.argmax(), one.shape) for one in heat])
    assert (np.abs(peaks - corners - 1.5).max(1) <= 3.5).mean() > 0.9
    assert np.median(detector.heatmaps(parts(50)).max((1, 2))) == pytest.approx(1, abs=0.3)


def test_alarms_have_words(detector):
    marked, _ = planted(parts(3))
    frame = detector.alarms(np.concatenate([marked, USUAL[:1]]), reasons=1)
    assert frame.columns == ["row", "score", "p_value", "alarm", "reason1"]
    assert "pixels" in frame["reason1"][0]
    assert frame["reason1"][3] is None or frame["alarm"][3]


def test_what_is_brighter_than_white_is_said_once_a_call():
    deep = USUAL.astype(np.uint16) * 4
    found = hg.AnomalyDetector(alarm_rate=0.05, random_state=0).fit(deep)
    bright = deep[:3].copy()
    bright[0, :4, :4], bright[1, :4, :4] = 1500, 2000
    for work in (found.predict, found.p_values, found.explain, found.alarms, found.heatmaps, found.drift):
        with pytest.warns(hg.HourglassWarning, match="values up to 1,023, and these go to 2,000") as caught:
            work(bright)
        assert len(caught) == 1


def test_drift_of_pictures(detector):
    assert not detector.drift(parts(300, shift=3, turn=5)).drifted
    darker = detector.drift((0.8 * parts(100, shift=3, turn=5)).astype(np.uint8))
    assert darker.drifted
    assert darker.which[0].startswith("rows ")
    assert pictures._spans("row", 5, 3) == ["rows 0-1", "row 2", "rows 3-4"]


def test_a_file_gives_the_same_numbers_and_is_told_of(detector, tmp_path):
    detector.save(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors")
    marked, _ = planted(parts(5))
    np.testing.assert_array_equal(loaded.p_values(marked), detector.p_values(marked))
    np.testing.assert_array_equal(loaded.heatmaps(marked), detector.heatmaps(marked))
    assert hg.info(tmp_path / "m.safetensors")["bottleneck"] == "none: what is hidden is rebuilt from the rest"


def test_colour_floats_and_shapes_that_are_not_square():
    grey = parts(160)[:, 4:36] / 255
    colour = np.stack([grey, 0.8 * grey, 1 - grey], 3).astype(np.float32)
    found = hg.AnomalyDetector(alarm_rate=0.1, random_state=0).fit(colour)
    wrong = colour[:5].copy()
    wrong[:, 14:18, 10:14] = wrong[:, 14:18, 10:14, ::-1]  # every channel alone is possible there
    assert found.heatmaps(wrong).shape == (5, 32, 40)
    assert found.predict(wrong).tolist() == [-1] * 5
    np.testing.assert_allclose(found.score_samples(wrong.astype(np.float64)), found.score_samples(wrong), rtol=1e-3)


def test_the_last_rows_and_columns_are_looked_at_where_blocks_do_not_divide_the_picture(monkeypatch):
    front, shape = pictures.front_of(ImageKind((1, 130, 257), "uint8"), None, "")
    assert shape == (1, 65, 129)
    x = torch.rand(1, 1, 130, 257, generator=torch.Generator().manual_seed(0))
    assert front.net(x).shape == (1, *shape)
    torch.testing.assert_close(front.net(x)[0, 0, :, -1], x[0, 0, :, 256].reshape(65, 2).mean(1))
    monkeypatch.setattr(pictures, "ELEMENTS", 100)
    shown = np.random.default_rng(0).integers(90, 110, (160, 19, 17), np.uint8)
    found = hg.AnomalyDetector(alarm_rate=0.05, random_state=0).fit(shown)
    marked = shown[:3].copy()
    marked[0, -1, 8:10] = 255
    marked[1, 6:8, -1] = 255
    marked[2, 6:8, 6:8] = 255
    heat = found.heatmaps(marked)
    assert heat.shape == marked.shape
    assert found.predict(marked).tolist() == [-1] * 3
    peaks = [np.unravel_index(one.argmax(), one.shape) for one in heat]
    np.testing.assert_allclose(peaks, [(18, 8.5), (6.5, 16), (6.5, 6.5)], atol=1)


def test_features_of_your_own(tmp_path):
    features = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, stride=2, padding=1), torch.nn.ReLU())
    found = hg.AnomalyDetector(features=features, alarm_rate=0.05, random_state=0).fit(USUAL[:160])
    marked, _ = planted(parts(20))
    assert found.heatmaps(marked).shape == marked.shape
    assert (found.predict(marked) == -1).mean() > 0.5
    found.save(tmp_path / "m.safetensors")
    with pytest.raises(
        hg.ModelFileError, match=r"The features of .* is a network of your own, torch.*: pass it, as in hourglass.load"
    ):
        hg.load(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors", features=features)
    np.testing.assert_array_equal(loaded.p_values(marked), found.p_values(marked))


def test_channels_of_features_count_alike_however_loud_they_are():
    torch.manual_seed(0)
    features = torch.nn.Conv2d(1, 4, 3, stride=2, padding=1).requires_grad_(False)
    louder = copy.deepcopy(features)
    louder.weight[0] *= 1000
    louder.bias[0] *= 1000
    scores = [
        hg.AnomalyDetector(features=each, random_state=0).fit(USUAL[:160]).score_samples(USUAL[160:]) for each in (features, louder)
    ]
    np.testing.assert_allclose(*scores, atol=0.02)


def test_features_that_can_not_be_used():
    with pytest.raises(hg.ParameterError) as error:
        hg.AnomalyDetector(features=torch.nn.Flatten()).fit(USUAL)
    assert str(error.value) == (
        "The 'features' parameter of AnomalyDetector must make (batch, d, h, w) of a batch of shape (batch, 1, 40, 40), of at most "
        "65,536 numbers a picture. Of a batch of 2 it made shape (2, 1600)."
    )
    for rows, estimator, what in (
        (np.eye(20), None, "a table"),
        (USUAL, hg.Autoencoder(2), "an estimator, which has its own networks"),
    ):
        with pytest.raises(hg.ParameterError) as error:
            hg.AnomalyDetector(estimator, features=torch.nn.Identity()).fit(rows)
        assert str(error.value) == f"The 'features' parameter of AnomalyDetector is for images. It can't stand before {what}."


def test_an_estimator_has_maps_too():
    found = hg.AnomalyDetector(hg.Autoencoder(16, max_epochs=5), alarm_rate=0.05, random_state=0).fit(USUAL)
    marked, _ = planted(parts(40, shift=3, turn=5))
    assert (found.predict(marked) == -1).mean() > 0.5
    assert not found.explain(marked).is_empty()


def test_maps_are_of_images_alone():
    table = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(rng.normal(size=(100, 3)))
    with pytest.raises(hg.DataError) as error:
        table.heatmaps(np.zeros((2, 3)))
    assert str(error.value).startswith("heatmaps is for images. The detector was fitted on ")


def test_regions_of_a_map():
    heat = np.zeros((20, 30))
    heat[2:5, 3:9] = 1.0
    heat[15:18, 25:28] = 2.0
    first, second = regions(heat)
    assert first == Region(15, 25, 18, 28, 2.0, 18 / 36)
    assert second == Region(2, 3, 5, 9, 1.0, 18 / 36)
    assert regions(heat, 1) == [first]
    assert regions(heat, 0) == []
    assert len(regions(np.eye(12))) == 5  # unless asked otherwise
    assert len(regions(np.eye(12), 7)) == 7
    assert told(first, (20, 30)) == "bottom right, 3 x 3 pixels, 2.0 times the peak of a usual picture"
    assert told(Region(9, 14, 11, 16, 1.5, 1), (20, 30)) == "middle, 2 x 2 pixels, 1.5 times the peak of a usual picture"
    assert told(Region(0, 0, 20, 30, 3, 1), (20, 30)) == "the picture as a whole, 3.0 times the peak of a usual picture"


def test_maps_over_usual_pictures_stay_faint(detector):
    usual, (marked, _) = parts(5), planted(parts(5))
    tint = [np.ptp(hg.plots.overlays(detector, some).astype(int), axis=3).max((1, 2)) for some in (usual, marked)]
    assert (tint[0] < 100).all() and (tint[1] > 150).all()
