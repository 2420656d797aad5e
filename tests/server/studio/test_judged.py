"""Alarms in numbers: counts at a rate, what raised them, marks, and what a cleaner shows."""

from __future__ import annotations

import re
import warnings
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import hourglass as hg

pytest.importorskip("nicegui")

from hourglass.server.studio import making
from hourglass.server.studio.judged import Judged, Marks, at_rate, judge
from hourglass.server.studio.sources import Source
from hourglass.server.studio.views import alarms, cleaner


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    a = rng.normal(size=150)
    return pl.DataFrame({"a": a, "b": 2 * a + rng.normal(0, 0.1, 150), "town": ["Oslo", "Bergen", "Bergen"] * 50})


@pytest.fixture(scope="module")
def judged(table):
    detector = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(table[:100])
    strange = table[100:].with_columns(a=pl.when(pl.int_range(50) == 7).then(30.0).otherwise("a"))
    return judge(detector, strange, "strange.csv")


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.05, 0.1, 0.25, 0.5])
def test_the_count_at_a_rate_is_that_of_the_detector(judged, rate):
    detector = judged.detector
    before = detector.alarm_rate_, detector.offset_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.HourglassWarning)
        detector.set_alarm_rate(rate)
    alarms = detector.predict(judged.raw) == -1
    detector.alarm_rate_, detector.offset_ = before
    assert judged.count(rate) == alarms.sum()
    assert set(judged.order[: judged.count(rate)]) == set(np.flatnonzero(alarms))
    assert judged.promised(rate) == pytest.approx(50 * rate)


def test_what_raised_an_alarm(judged):
    before = judged.detector.offset_
    (alarm,) = judged.alarms(0.05, [7])
    assert (alarm.row, alarm.title) == (7, "Row 7")
    assert alarm.reasons[0].startswith("a is 30")
    assert re.search(r"<span>a</span><b>\d+%</b>", alarm.html)
    assert judged.order[0] == 7
    assert judged.detector.offset_ == before  # the rate was its own again


def test_a_rate_that_cannot_be_promised_is_said(table):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.HourglassWarning)
        detector = hg.AnomalyDetector(hg.Autoencoder(1, max_epochs=1), random_state=0).fit(table[:80, :2])  # 16 rows are held out
    strange = table[100:, :2].with_columns(a=pl.when(pl.int_range(50) == 7).then(300.0).otherwise("a"))
    found = judge(detector, strange, "strange.csv")
    assert found.rates == (pytest.approx(1 / 17), 0.5)
    assert found.p_values[7] == pytest.approx(1 / 17)
    assert found.count(0.05) == found.count(1 / 17) == (found.p_values < 1 / 16).sum() > 0
    assert found.words(learned=False) == (
        "Judged: strange.csv. It was asked to promise a rate of 5.0%, but has only 16 rows to tell what is usual by, enough for "
        "5.9%: the slider begins there. Train it on more."
    )


def test_new_rows_that_are_of_another_sort_say_so(table, judged):
    detector, moved = judged.detector, table.with_columns(b=pl.col("b") + 5)
    drift = judge(detector, moved, "moved.csv", new=True).drift
    assert drift.drifted and "b" in drift.which
    assert drift.words == detector.drift(moved).words
    assert judge(detector, moved, "moved.csv").drift is None
    assert judge(detector, moved[:99], "moved.csv", new=True).drift is None  # too few to tell


def test_why_rows_that_were_learned_from_raise_few_alarms(table, judged):
    beats = np.sin(np.linspace(0, 6, 40)) + np.random.default_rng(0).normal(0, 0.05, (120, 40))
    remembered = judge(hg.AnomalyDetector(kind="series", random_state=0).fit(beats), beats, "beats")
    assert remembered.count(0.5) == 0
    assert remembered.words(learned=True) == (
        "Judged: beats. The detector remembers these very rows, so none of them can raise an alarm: drop in new ones."
    )
    assert judge(judged.detector, table[:100], "a.csv").words(learned=True) == (
        "Judged: a.csv. The detector learned from these very rows, so they look more usual to it than others: drop in new ones."
    )
    assert judged.words(learned=False) == "Judged: strange.csv."


def test_alarms_say_which_row_it_is(table, tmp_path):
    named = table.with_columns(pl.Series("customer", [f"C-{i}" for i in range(150)]), row=pl.int_range(1000, 1150))
    columns = {"row": "identifier", "customer": "identifier"}
    detector = hg.AnomalyDetector(columns=columns, max_epochs=1, random_state=0).fit(named[:100])
    found = judge(detector, named[100:].with_columns(a=pl.when(pl.int_range(50) == 7).then(30.0).otherwise("a")), "strange.csv")
    assert found.alarms(0.05, [7])[0].names == "customer C-107, row 1107"
    kept = hg.read(found.keep(0.05, {}, tmp_path / "alarms.csv"))
    assert kept.columns[:4] == ["row", "customer", "row_", "score"]
    assert kept.row(0)[:3] == (7, "C-107", 1107)


def test_what_is_kept_of_alarms(judged, tmp_path):
    kept = hg.read(judged.keep(0.05, {7: "real"}, tmp_path / "alarms.csv"))
    assert kept["row"][0] == 7
    assert kept["mark"][0] == "real"
    assert kept.height == judged.count(0.05)


def test_marks_are_kept_for_each_data(tmp_path):
    marks = Marks(tmp_path / "marks.csv", "a.csv")
    marks.set(3, "real")
    marks.set(4, "fine")
    other = Marks(tmp_path / "marks.csv", "b.csv")
    other.set(3, "fine")
    again = Marks(tmp_path / "marks.csv", "a.csv")
    assert again.rows == {3: "real", 4: "fine"}
    again.set(3, "")
    again.set(4, "")
    assert pl.read_csv(tmp_path / "marks.csv").rows() == [("b.csv", 3, "fine")]
    other = Marks(tmp_path / "marks.csv", "b.csv")
    other.set(3, "")
    assert not (tmp_path / "marks.csv").exists()


def test_marks_that_two_pages_make_are_both_kept(tmp_path):
    one, other = Marks(tmp_path / "marks.csv", "007"), Marks(tmp_path / "marks.csv", "b.csv")
    one.set(3, "real")
    other.set(3, "fine")
    one.set(4, "fine")
    assert Marks(tmp_path / "marks.csv", "007").rows == {3: "real", 4: "fine"}
    assert Marks(tmp_path / "marks.csv", "b.csv").rows == {3: "fine"}


def test_marks_that_cannot_be_read_say_where(tmp_path, sentence):
    (tmp_path / "marks.csv").write_text("data,row,mark\na.csv,three,real\n")
    said = sentence(hg.FileError, Marks, tmp_path / "marks.csv", "a.csv")
    assert said.startswith(f"The marks in '{tmp_path}/marks.csv' can't be read: ")
    assert said.endswith("Mend that file, or delete it.")


def test_another_rate_leaves_the_detector_as_it_is(judged):
    before = judged.detector.alarm_rate_, judged.detector.offset_
    assert at_rate(judged.detector, 0.25).alarm_rate_ == 0.25
    assert (judged.detector.alarm_rate_, judged.detector.offset_) == before


def test_pictures_are_shown_beside_their_heat():
    small = hg.datasets.load("digits").x_train[:180, ::2, ::2]
    judged = judge(hg.AnomalyDetector(random_state=0).fit(small[:160]), small[160:], "digits")
    alarms = judged.alarms(0.5, judged.order[:2].tolist())
    assert [alarm.html.count("<img") for alarm in alarms] == [2, 2]
    assert "times the peak of a usual picture" in alarms[0].reasons[0]


def test_pictures_are_named_by_their_files(tmp_path):
    small = hg.datasets.load("digits").x_train[:180, ::2, ::2]
    hg.write(tmp_path / "seen", small[160:])
    (tmp_path / "seen" / "00007.png").rename(tmp_path / "seen" / "a scratch.png")
    new = Source(str(tmp_path / "seen"))
    detector = hg.AnomalyDetector(random_state=0).fit(small[:160])
    judged = judge(detector, new.read(), new.title, new.files())
    files = sorted(path.name for path in (tmp_path / "seen").iterdir())
    order = judged.order[:3].tolist()
    assert [alarm.names for alarm in judged.alarms(0.5, order)] == [f"file {files[row]}" for row in order]
    kept = hg.read(judged.keep(0.5, {}, tmp_path / "alarms.csv"))
    assert kept.columns[:3] == ["row", "file", "score"]
    assert kept["file"].to_list() == [files[row] for row in kept["row"]]
    assert hg.read(making.detect(detector, new.read(), tmp_path / "all.csv", new.files()))["file"].to_list() == files
    assert Source("digits").files() is None


def test_stretches_of_series_are_shaded():
    beats = np.sin(np.linspace(0, 6, 40)) + np.random.default_rng(0).normal(0, 0.05, (80, 40))
    detector = hg.AnomalyDetector(kind="series", random_state=0).fit(beats[:60])
    strange = beats[60:].copy()
    strange[3, 10:16] += 4
    (alarm,) = judge(detector, strange, "beats").alarms(0.05, [3])
    x, wide = re.search(r'<rect x="([\d.]+)" y="0" width="([\d.]+)"', alarm.html).groups()
    step = 320 / 39
    assert float(x) <= 11 * step
    assert float(x) + float(wide) >= 14 * step


def test_series_of_a_long_table_are_judged_one_by_one():
    beats = np.sin(np.linspace(0, 6, 40)) + np.random.default_rng(0).normal(0, 0.05, (80, 40))
    beats[63, 10:16] += 4
    long = pl.DataFrame({"beat": np.repeat(np.arange(80), 40), "volt": beats.ravel()})
    columns = {"beat": "id", "volt": "value"}
    detector = hg.AnomalyDetector(kind="series", columns=columns, random_state=0).fit(long[: 60 * 40])
    judged = judge(detector, long[60 * 40 :], "beats")
    assert (len(judged.scores), judged.order[0]) == (20, 3)
    (alarm,) = judged.alarms(0.05, [3])
    assert re.search(r'<path d="M([^"]*)"', alarm.html)[1].count("L") == 39  # all of its samples
    x, wide = re.search(r'<rect x="([\d.]+)" y="0" width="([\d.]+)"', alarm.html).groups()
    assert float(x) <= 11 * 320 / 39
    assert float(x) + float(wide) >= 14 * 320 / 39


@pytest.mark.parametrize(("rate", "first"), [(0.01, 47), (0.05, 5), (0.001, None)])
def test_bars_of_alarms_are_marked_also_where_all_lie_far_out(rate, first):
    alarm, kind = SimpleNamespace(least_rate=0.001), SimpleNamespace(of_record=False)
    detector = SimpleNamespace(kind_=kind, model_=SimpleNamespace(alarm=alarm))
    scores = np.append(np.linspace(0, 1, 99), 9.0)  # the bars reach to 8.2, and are 0.171 wide
    drawn = alarms._spread(Judged(detector, None, "rows", scores, 1 - np.arange(100) / 100), rate)
    strange = [float(x) for x in re.findall(r'class="strange" x="([\d.]+)"', drawn)]
    wanted = {} if first is None else {first, 47}
    assert strange == pytest.approx([100 / 48 * (place + 0.07) for place in sorted(wanted)], abs=0.01)


def test_events_of_a_record():
    load = np.sin(np.arange(5000) / 10) + 0.1 * np.random.default_rng(0).normal(size=5000)
    detector = hg.AnomalyDetector(alarm_rate=0.05, random_state=0).fit(hg.Record(load[:4000]))
    load[4500:4540] += 3
    judged = judge(detector, hg.Record(load[4000:]), "load")
    assert judged.noun == "samples"
    first = judged.event(judged.events(0.05).row(0, named=True))
    assert abs(first.row - 500) < 10
    assert '<rect x="' in first.html


@pytest.mark.filterwarnings("ignore:Only:hourglass.HourglassWarning")
def test_rows_of_symbols_are_shown_with_what_is_strange_in_them():
    detector = hg.AnomalyDetector(max_epochs=2, alarm_rate=0.2, random_state=0).fit(["abab", "ababab"] * 20)
    (alarm,) = judge(detector, ["abab", "abba"], "strings").alarms(0.5, [1])
    assert (alarm.row, alarm.title) == (1, "Row 1")
    assert "abba" in re.sub("<[^>]*>", "", alarm.html)
    assert "<span>position " in alarm.html


@pytest.mark.filterwarnings("ignore:Only:hourglass.HourglassWarning")
def test_windows_of_tunes_are_judged():
    tunes = [hg.Melody([(60 + (i * k) % 5, 4 * i, 4) for i in range(16)], "4/4", "C", f"by {k}") for k in range(1, 13)]
    judged = judge(hg.AnomalyDetector(max_epochs=1, alarm_rate=0.2, random_state=0).fit(tunes), tunes[:2], "tunes")
    assert len(judged.scores) == 4
    (alarm,) = judged.alarms(0.5, [3])
    assert alarm.title == "by 2, from bar 3"
    assert all(re.match(r"metre|key|bar [34], beat [1-4]", reason) for reason in alarm.reasons)
    assert '<svg class="roll"' in alarm.html and "<audio" in alarm.html


def test_an_autoencoder_raises_no_alarms(table):
    with pytest.raises(hg.DataError, match="Only a detector raises alarms"):
        judge(hg.Autoencoder(2, max_epochs=1, random_state=0).fit(table), table, "table")


@pytest.fixture(scope="module")
def dae(digits):
    return hg.DenoisingAutoencoder(corruption="noise:50", encoder=hg.Restorer((8, 8), 1), max_seconds=0.3, random_state=0).fit(
        digits
    )


def test_pictures_before_and_after(dae, digits, tmp_path):
    hg.write(tmp_path / "noisy", digits[:3])
    pairs, words = cleaner.cleaned(dae, str(tmp_path / "noisy"))
    assert [pair.name for pair in pairs] == ["00000.png", "00001.png", "00002.png"]
    np.testing.assert_array_equal(pairs[1].after, dae.denoise([digits[1]])[0])
    assert words.startswith("What was removed") or words == "Nothing was removed."
    shown = cleaner.html(dae.kind_, pairs[0])
    assert shown.count("data:image/png;base64,") == 2
    assert 'type="range"' in shown


def test_an_example_is_damaged_as_the_model_expects(dae):
    pairs, _ = cleaner.example(dae, Source("digits"))
    clean = hg.datasets.load("digits").x_test[0] / 255
    assert np.std(pairs[0].before[0] - clean) == pytest.approx(50 / 255, rel=0.1)


def test_tables_before_and_after(table, tmp_path):
    dae = hg.DenoisingAutoencoder(2, max_epochs=1, random_state=0).fit(table)
    table[:20].write_csv(tmp_path / "noisy.csv")
    pairs, words = cleaner.cleaned(dae, str(tmp_path / "noisy.csv"))
    assert words == "The first 12 of 20 rows."
    page = cleaner.html(dae.kind_, pairs[0])
    assert page.startswith("<h3>Before</h3>")
    assert page.count("<tr>") == 2 * (1 + 12)  # a head, and the rows


def test_rows_of_symbols_are_an_example_of_what_is_mended():
    words = np.array(["apple", "banana", "cherry"] * 10, dtype=object)
    model = hg.DenoisingAutoencoder(kind="token", max_epochs=1, random_state=0).fit(words)
    pairs, _ = cleaner.example(model, SimpleNamespace(unseen=lambda: words))
    assert [pair.name for pair in pairs] == [f"row {row}" for row in range(12)]
    assert all(len(pair.before) == len(pair.after) == 1 for pair in pairs)
    assert cleaner.html(model.kind_, pairs[0]).count("<code>") == 2


def test_a_record_before_and_after(tmp_path):
    frame = pl.DataFrame({"time": pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 2), "1m", eager=True)})
    frame = frame.with_columns(load=pl.int_range(frame.height).sin(), heat=pl.int_range(frame.height).cos())
    frame.write_csv(tmp_path / "day.csv")
    model = hg.DenoisingAutoencoder(4, kind="series", max_epochs=1, random_state=0).fit(frame)
    pairs, words = cleaner.cleaned(model, str(tmp_path / "day.csv"))
    assert words == "The first 1,000 of 1,441 samples."
    assert cleaner.html(model.kind_, pairs[0]).count("<figcaption>") == 2  # a curve for each channel
    made = making.mend(model, str(tmp_path / "day.csv"), tmp_path / "made")
    assert made == tmp_path / "made.csv"
    assert hg.read(made).columns == ["time", "load", "heat"]


def test_rows_of_a_table_are_an_example_of_what_is_filled_in(table):
    model = hg.DenoisingAutoencoder(1, corruption=hg.Hide(0.9), max_epochs=1, random_state=0).fit(table)
    pairs, words = cleaner.example(model, SimpleNamespace(unseen=lambda: table))
    assert words.startswith("Rows that the model knows, damaged on purpose.")
    ((_, before, after),) = pairs
    gaps = before.null_count().sum_horizontal()[0]
    assert (before.height, after.height) == (12, 12)
    assert gaps > 5
    assert after.null_count().sum_horizontal()[0] == 0
    page = cleaner.html(model.kind_, pairs[0])
    assert page.count("<td") == 2 * 12 * 3
    assert page.count('<td class="missing">') == gaps == page.count('<td class="changed">')
