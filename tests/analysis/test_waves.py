import re
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from matplotlib.dates import date2num
from scipy.ndimage import gaussian_filter1d
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import hourglass as hg
from hourglass.analysis.waves import _channels

rng = np.random.default_rng(0)
rows = np.sin(np.arange(60) / 6 + 0.1 * rng.normal(size=(80, 1))) + 0.05 * rng.normal(size=(80, 60))
odd = rows[:20].copy()
odd[3, 20:30] += 3
long = np.column_stack([np.sin(np.arange(9000) / 8), np.cos(np.arange(9000) / 8)]) + 0.1 * rng.normal(size=(9000, 2))


@pytest.fixture(scope="module")
def det():
    return hg.AnomalyDetector(kind="series", random_state=0).fit(rows)


@pytest.fixture(scope="module")
def watch():
    return hg.AnomalyDetector(alarm_rate=0.1, random_state=0).fit(hg.Record(long[:4000], 10, names=["in", "out"]))


@pytest.fixture(scope="module")
def sick():
    values = long[4000:].copy()
    values[1000:1100, 1] += 3
    return hg.Record(values, 10, names=["in", "out"])


def test_typical_rows_stand_beside_the_strangest(det):
    figure = hg.plots.waves(det, odd, n=3)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 6
    assert titles[1].startswith("3: p = ")  # the first of the strangest
    expected, seen = figure.axes[1].lines
    np.testing.assert_allclose(seen.get_ydata(), odd[3])
    assert np.abs(expected.get_ydata() - odd[3])[20:30].min() > 1
    assert len(figure.axes[1].collections) == 1  # the error, shaded


def test_waves_of_an_autoencoder_and_of_a_record(watch, sick):
    ae = hg.Autoencoder(4, kind="series", max_epochs=2, random_state=0).fit(rows)
    assert "nats" in hg.plots.waves(ae, odd, n=2).axes[0].get_title(loc="left")
    assert re.match(r"\d+, (in|out): p = 0\.\d+", hg.plots.waves(watch, sick, n=1).axes[1].get_title(loc="left"))
    assert len(hg.plots.reconstructions(ae, odd).axes) == 4
    assert len(hg.plots.reconstructions(hg.Autoencoder(4, max_epochs=1).fit(sick), sick).axes) == 4


def test_a_record_stands_above_its_score_with_its_events(watch, sick):
    figure = hg.plots.timeline(watch, sick)
    first, second, score = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("in", "out")
    assert score.get_xlabel() == "minutes"
    events = watch.events(sick)
    spans = [patch for patch in score.patches if patch.get_width() > 0]
    assert len(spans) == events.height
    place = [float(span.get_x()) * 600 for span in spans]
    np.testing.assert_allclose(place, events["start"])
    threshold = next(line for line in score.lines if line.get_label() == "threshold")
    assert threshold.get_ydata()[0] == -watch.offset_


def test_the_channels_to_blame_are_drawn_though_their_names_have_commas():
    names = ("in", "out", "c", "d", "e", "pressure", "pressure, bar")
    events = pl.DataFrame({"channels": ["e, pressure, bar"]})
    assert [names[channel] for channel in _channels(events, names)] == ["in", "e", "pressure", "pressure, bar"]


def test_the_axis_of_a_record_with_a_start_is_its_time(watch, sick):
    start = datetime(2026, 3, 29, 1, 50, tzinfo=UTC)
    figure = hg.plots.timeline(watch, hg.Record(sick.values, 10, names=sick.names, start=start))
    figure.canvas.draw()
    score = figure.axes[-1]
    assert score.get_xlabel() == "time"
    left, right = score.get_xlim()
    assert left < date2num(start.replace(tzinfo=None)) < right
    assert "01:55" in [label.get_text() for label in score.get_xticklabels()]
    span = next(patch for patch in score.patches if patch.get_width() > 0)
    seconds = 86400 * (span.get_x() - date2num(start.replace(tzinfo=None)))
    assert seconds == pytest.approx(watch.events(sick)["start"][0] / 10, abs=1e-3)


def test_windows_of_a_record_that_are_drawn_do_not_overlap(watch, sick):
    titles = [axes.get_title(loc="left") for axes in hg.plots.waves(watch, sick, n=3).axes]
    numbers = [int(title.split(",")[0]) for title in titles]
    windows = watch.kind_.opened(sick)
    for column in (numbers[::2], numbers[1::2]):
        assert np.diff(np.sort(windows.starts[column])).min() >= windows.window


def test_a_row_without_a_single_value_is_drawn():
    pairs = np.stack([rows, rows[::-1]], axis=2)
    det = hg.AnomalyDetector(kind="series", random_state=0).fit(pairs)
    new = pairs[:10].copy()
    new[3] = np.nan
    titles = [axes.get_title(loc="left") for axes in hg.plots.waves(det, new, n=2).axes]
    assert any(title.startswith("3, ") for title in titles[1::2])


def test_what_is_refused(det, sick):
    with pytest.raises(NotFittedError):
        hg.plots.waves(hg.AnomalyDetector(), rows)
    with pytest.raises(hg.DataError, match="timeline is for a detector that was fitted on a record"):
        hg.plots.timeline(det, sick)
    with pytest.raises(hg.DataError, match=r"waves is for series. The model was fitted on a table of 3 numeric columns."):
        hg.plots.waves(hg.Autoencoder(1, max_epochs=1).fit(rng.normal(size=(20, 3))), np.zeros((2, 3)))


def test_the_map_of_a_memory_is_that_of_what_it_compares(det):
    axes, bar = hg.plots.code_map(det, odd).axes
    (drawn,) = axes.collections
    scores = np.asarray(drawn.get_array())
    np.testing.assert_allclose(scores, np.sort(-det.score_samples(odd)))  # the strangest on top
    assert bar.get_ylabel() == "score"
    level, gain = odd.mean(1, keepdims=True), odd.std(1, keepdims=True)
    seen = gaussian_filter1d((odd - level) / gain, 0.6, mode="nearest", radius=2)  # a hundredth of 60 samples
    places = PCA(2, svd_solver="full").fit_transform(seen)[np.argsort(-det.score_samples(odd))]
    np.testing.assert_allclose(np.abs(drawn.get_offsets()), np.abs(places), atol=1e-4)
    assert axes.get_title(loc="left").startswith("60 smoothed samples, by PCA (")


def test_the_map_of_windows_has_the_score_of_their_strangest_step(watch, sick):
    axes, _ = hg.plots.code_map(watch, sick).axes
    windows, steps = watch.kind_.opened(sick), -watch.score_samples(sick)
    expected = [steps[start : start + windows.window].max() for start in windows.starts]
    np.testing.assert_allclose(axes.collections[0].get_array(), np.sort(expected))


def test_the_map_of_an_estimator_is_that_of_its_codes():
    own = hg.AnomalyDetector(hg.Autoencoder(2, kind="series", max_epochs=2, random_state=0), random_state=0).fit(
        np.tile(rows, (2, 1))
    )
    axes, _ = hg.plots.code_map(own, odd).axes
    order = np.argsort(-own.score_samples(odd))
    np.testing.assert_allclose(axes.collections[0].get_offsets(), own.estimator_.transform(odd)[order], rtol=1e-5)
    named = hg.plots.code_map(own, odd, np.arange(20) % 2).axes[0]
    assert [text.get_text() for text in named.texts] == ["0", "1"]
    with pytest.raises(hg.DataError, match="Labels are one a row, so 20 of them"):
        hg.plots.code_map(own, odd, [1])


def test_pages(det, watch, sick, tmp_path):
    page = hg.report(det, odd, tmp_path / "rows.html").read_text()
    assert "Typical and strangest" in page
    assert "The map of the rows" in page
    assert "placed by its smoothed samples, which the detector compares it by" in page
    assert "that the detector remembers" in page
    assert "samples 1" in page or "samples 2" in page
    page = hg.report(watch, sick, tmp_path / "record.html").read_text()
    assert "The record and its events" in page
    assert "1 event raised an alarm" in page
    assert "The map of the windows" in page
    assert "of 5,000 samples" in page
    page = hg.report(hg.Autoencoder(4, kind="series", max_epochs=1).fit(rows), odd, tmp_path / "ae.html").read_text()
    assert "in standard deviations of a channel" in page
