import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hourglass as hg
from hourglass.data.record import joined, parts_of
from hourglass.errors import hearing
from hourglass.kinds import KINDS, kind_from_config
from hourglass.kinds.windows import Ragged, Windows, chosen_window, dominant_period, overlap_added, starts_of

SeriesKind = KINDS["series"]
rng = np.random.default_rng(0)
wave = np.sin(2 * np.pi * np.arange(1000) / 40)
finite = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(2, 9), st.integers(1, 3)), elements=finite))
def test_rows_come_back(x):
    kind = SeriesKind.learn(x)
    assert kind.to_tensor(x).shape == (len(x), x.shape[2], x.shape[1])
    np.testing.assert_array_equal(kind.from_tensor(kind.to_tensor(x), x), x)
    assert kind_from_config(kind.to_config()) == kind


@given(st.integers(10, 60), st.integers(2, 10), st.integers(1, 10))
def test_windows_overlap_to_the_record_they_were_cut_from(time, window, stride):
    record = hg.Record(rng.normal(size=(time, 2)))
    kind = SeriesKind.learn(record, asked=hg.Series(window=window, stride=min(stride, window)))
    found = kind.from_tensor(kind.to_tensor(record), kind.opened(record))
    np.testing.assert_allclose(found.values, record.values, atol=1e-12)


def test_overlap_add_leaves_no_seam():
    starts = starts_of(100, 20, 5)
    steps = np.ones((len(starts), 20, 1)) * np.arange(len(starts))[:, None, None]  # windows that disagree
    joined = overlap_added(steps, starts, 100)[:, 0]
    assert np.abs(np.diff(joined[20:80])).max() < 0.35  # a cut from one to the next would be a step of 1


def test_rows_of_differing_length_are_padded_with_a_mask_and_come_back_in_theirs():
    rows = [wave[:30].astype(np.float32), wave[:50], wave[:41]]
    kind = SeriesKind.learn(Ragged(rows))
    values = kind.to_tensor(Ragged(rows))
    assert values.shape == (3, 1, 50)
    assert values.isnan().sum((1, 2)).tolist() == [20, 0, 9]
    assert kind.gaps
    for row, back in zip(rows, kind.from_tensor(values, Ragged(rows)), strict=True):
        np.testing.assert_array_equal(row, back)


def test_a_record_and_a_table_with_times_are_the_same_to_a_model():
    kind = SeriesKind.learn(hg.Record(np.column_stack([wave, -wave]), 250, names=["I", "II"]))
    t = np.delete(np.arange(1000), [500, 501]) / 250
    columns = {"t": t, "II": np.delete(-wave, [500, 501]), "I": np.delete(wave, [500, 501])}
    timed = pd.DataFrame(columns).set_index(pd.to_datetime("2026-01-01") + pd.to_timedelta(t, unit="s")).drop(columns="t")
    for table in (pl.DataFrame(columns), timed):
        windows = kind.opened(table)
        assert (windows.record.rate, windows.record.names) == (pytest.approx(250), ("I", "II"))
        assert np.flatnonzero(np.isnan(windows.record.values[:, 1])).tolist() == [500, 501]
        back = kind.from_array(np.nan_to_num(kind.to_array(table)), windows)
        assert list(back.columns) == list(table.columns)
        np.testing.assert_allclose(back["II"], table["II"], atol=1e-12)
    with pytest.raises(hg.DataError, match="The model was fitted on a record at 250 Hz, and this one is at 360 Hz"):
        kind.opened(pl.DataFrame({"time (s)": np.arange(1000) / 360, "I": wave, "II": wave}))


def test_times_that_were_left_out_stay_left_out():
    frame = pl.DataFrame({"timestamp": np.arange(1000) // 250, "mv": wave})
    kind = SeriesKind.learn(frame, {"timestamp": "left out"}, asked=hg.Series(rate=250, window=50))
    assert (kind.opened(frame).record.rate, kind.opened(frame).record.names) == (250, ("mv",))


def test_long_form_is_rows_by_identifier():
    frame = pl.DataFrame({"beat": [1, 1, 1, 2, 2], "t": [0, 1, 2, 0, 1], "mv": [1.0, 2, 3, 4, 5]})
    kind = SeriesKind.learn(frame, {"beat": "id", "t": "time"})
    assert kind.describe() == "series of at most 3 samples"
    np.testing.assert_array_equal(kind.to_tensor(frame)[:, 0], [[1, 2, 3], [4, 5, np.nan]])


def test_rows_come_by_their_identifiers_and_each_in_the_order_of_its_times():
    january = dt.datetime(2024, 1, 20)
    rows = [(beat, january + dt.timedelta(days=day + later), day) for beat, later in (("b", 60), ("a", 0)) for day in range(50)]
    frame = pl.DataFrame(rows, ["beat", "t", "mv"], orient="row")
    frame = frame.with_columns(pl.col("t").dt.strftime("%d.%m.%Y"), pl.col("mv") + 100.0 * (pl.col("beat") == "a"))
    shuffled = frame.sample(fraction=1, shuffle=True, seed=0)
    first = shuffled["beat"].unique(maintain_order=True).to_list()
    for some, order in ((frame, ["b", "a"]), (shuffled, first)):
        found = SeriesKind.learn(some, {"beat": "id"}).to_array(some)
        np.testing.assert_array_equal(found, [np.arange(50.0) + 100 * (beat == "a") for beat in order])


def test_rows_at_differing_rates_are_told():
    rates = {"a": 250, "b": 360, "c": 255}
    frame = pl.concat(
        pl.DataFrame({"file": [name] * 50, "time": np.round(np.arange(50) / rate, 4), "mV": wave[:50]})
        for name, rate in rates.items()
    )
    said = "Rows are sampled at differing rates, such as 'b' at .* Hz and 'a' at 250 Hz, and compared sample by sample. Resample"
    with pytest.warns(hg.HourglassWarning, match=said):
        SeriesKind.learn(frame)
    assert SeriesKind.learn(frame.filter(pl.col("file") != "b")).describe() == "series of at most 50 samples"


def test_rows_as_long_as_records_are_told():
    with pytest.warns(
        hg.HourglassWarning, match="Rows of up to 40,000 samples are judged or rebuilt each as a whole. If they are long"
    ):
        SeriesKind.learn(np.random.default_rng(0).normal(size=(3, 40_000)))


def test_samples_with_times_are_brought_to_the_rate_that_was_asked_for():
    there = np.sort(rng.permutation(1000)[:400])  # the middle step is 2 s
    frame = pl.DataFrame({"t": there.astype(float), "x": wave[there]})
    kind = SeriesKind.learn(frame, asked=hg.Series(rate=1.0))
    windows = kind.opened(frame)
    assert (kind.rate, len(windows.record)) == (1, there[-1] - there[0] + 1)
    np.testing.assert_array_equal(windows.record.values[there - there[0], 0], wave[there])
    assert kind_from_config(kind.to_config()) == kind


def test_times_at_another_rate_are_refused_with_how_both_are_brought_to_one():
    frame = pl.DataFrame({"t": np.arange(1000) * 2.0, "x": wave})
    slower = frame.with_columns(pl.col("t") * 1.1)
    with pytest.raises(
        hg.DataError, match=r"at a sample every 2.2 s. Resample it, or fit with a rate that both are brought to"
    ) as error:
        SeriesKind.learn(frame).check(slower)
    assert str(error.value).endswith("kind=hg.Series(rate=0.5).")
    SeriesKind.learn(frame, asked=hg.Series(rate=0.5)).check(slower)


def test_what_is_said_twice_of_a_table_is_heard_once():
    frame = pl.DataFrame({"t": np.arange(1000.0)[::-1], "x": wave})
    with hearing() as told:
        SeriesKind.learn(frame).opened(frame)
    assert told == ["Column 't': 999 of 1,000 rows come after later ones, and were put in the order of time."]


def test_a_table_is_a_record_if_it_has_times_and_else_a_row_each():
    table = pl.DataFrame({"a": wave[:200], "b": -wave[:200]})
    assert SeriesKind.learn(table).describe() == "series of 2 samples"
    timed = table.with_columns(time=pl.int_range(pl.len()) * 0.5)
    kind = SeriesKind.learn(timed)
    assert kind.describe() == "a record of 2 channels at 2 Hz, in windows of 50 samples (its period is 40.25) every 12"
    back = kind.from_tensor(kind.to_tensor(timed), kind.opened(timed))
    assert back.columns == timed.columns
    np.testing.assert_allclose(back["a"], timed["a"], atol=1e-12)


def test_the_period_and_the_window_of_a_record():
    rng = np.random.default_rng(1)
    noisy = wave[:, None] + 0.3 * rng.normal(size=(1000, 1))
    assert dominant_period(noisy) == pytest.approx(40, abs=0.6)
    assert chosen_window(noisy)[0] == pytest.approx(160, abs=3)  # whole periods that reach 128 samples
    assert dominant_period(rng.normal(size=(1000, 1))) == 0
    assert chosen_window(rng.normal(size=(200, 1))) == (50, 0)  # a quarter of the record
    holes = noisy.copy()
    holes[100:150] = np.nan
    assert dominant_period(holes) == pytest.approx(40, abs=0.6)


def test_a_window_less_its_own_mean_over_its_own_deviation():
    kind = SeriesKind.learn(np.array([[1.0, 2, 3], [5, 5, 5]]), asked=hg.Series(scale="window"))
    scaled = kind.scaling()(torch.tensor([[[1.0, 2, 3]], [[5, 5, 5]], [[1, np.nan, 3]]], dtype=torch.float64))
    np.testing.assert_allclose(scaled[:, 0], [[-(1.5**0.5), 0, 1.5**0.5], [0, 0, 0], [-1, np.nan, 1]])


def test_infer_takes_records_for_series_and_leaves_arrays_what_they_were():
    assert hg.infer(hg.Record(wave)) == ("series", "a record of 1,000 samples")
    assert hg.infer(np.zeros((5, 9))).kind == "table"
    assert hg.infer(np.zeros((5, 9, 3))).kind == "image"


def test_channels_are_matched_by_name():
    record = hg.Record(np.column_stack([wave, -wave]), 100, names=["a", "b"])
    kind = SeriesKind.learn(record)
    turned = hg.Record(record.values[:, ::-1], 100, names=["b", "a"])
    np.testing.assert_array_equal(kind.fitting(turned).values, record.values)


record = hg.Record(np.column_stack([wave, -wave]), 100, names=["flow", "level"])
REFUSED = {
    "short": (record[:100], "The record has 100 samples, fewer than the 160 of a window. Give a longer one, or another window."),
    "rate": (
        hg.Record(record.values, 200, names=record.names),
        "The model was fitted on a record at 100 Hz, and this one is at 200 Hz. Resample it, or fit another model.",
    ),
    "channel": (
        hg.Record(wave, 100, names=["flow"]),
        "The record has no channel 'level', which the model was fitted on. It has: flow.",
    ),
    "more": (
        hg.Record(np.column_stack([wave, wave, wave]), 100, names=["flow", "level", "heat"]),
        "The record has a channel 'heat', which the model was not fitted on. Leave it out.",
    ),
    "unnamed": (
        np.zeros((500, 3)),
        "The record has 3 channels, and the model was fitted on 2 (flow, level). Give these alone, in this order.",
    ),
    "single": (
        np.zeros(500),
        "The record has 1 channel, and the model was fitted on 2 (flow, level). Give these alone, in this order.",
    ),
    "infinite": (
        hg.Record(np.where(np.arange(1000)[:, None] == 7, np.inf, record.values), 100, names=record.names),
        "Channel 'flow' is infinite at sample 7. Put NaN in its place.",
    ),
    "rows": (
        np.zeros((3, 160, 2)),
        "The model was fitted on a record of 2 channels at 100 Hz, in windows of 160 samples (its period is 40.04) every 40. "
        "Got an array of shape (3, 160, 2).",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_a_record_is_refused(case):
    raw, said = REFUSED[case]
    with pytest.raises(hg.DataError) as error:
        SeriesKind.learn(record).check(raw)
    assert str(error.value) == said


LEARNED = {
    "all missing": (np.full((4, 5), np.nan), "Channel 'x0' has no value at all: every sample is missing. Leave it out."),
    "infinite": (np.array([[1.0, np.inf]]), "The series holds inf in row 0, sample 1. Put NaN in its place."),
    "text": (np.array([["a", "b"]]), "Values of a series are numbers. Got an array of <U1 that holds other things."),
    "shape": (
        np.zeros((2, 2, 2, 2)),
        "Series are an array (n, time) or (n, time, channels), a list of arrays, a Record or a table with a column of times. "
        "Got an array of shape (2, 2, 2, 2).",
    ),
    "channels": (
        Ragged([np.zeros((3, 1)), np.zeros((3, 2))]),
        "Rows of a series are arrays (time,) or (time, channels), of as many channels each. Got shapes [(3, 1), (3, 2)].",
    ),
    "empty": (Ragged([wave[:3], wave[:0]]), "Row 1 of the series has no sample. Leave it out."),
    "infinite record": (
        hg.Record(np.where(np.arange(1000) == 7, np.inf, wave)),
        "Channel 'x0' is infinite at sample 7. Put NaN in its place.",
    ),
    "two of them": (
        hg.Record(np.stack([np.where(np.arange(1000) == place, np.inf, wave) for place in (9, 7)], 1), names=("flow", "level")),
        "Channel 'level' is infinite at sample 7. Put NaN in its place.",
    ),
}


@pytest.mark.parametrize("case", LEARNED)
def test_what_can_not_be_learned_from_is_refused(case):
    raw, said = LEARNED[case]
    with pytest.raises(hg.DataError) as error:
        SeriesKind.learn(raw)
    assert str(error.value) == said


def test_rows_that_do_not_fit_are_refused():
    kind = SeriesKind.learn(np.zeros((3, 9)) + np.arange(9))
    said = r"^The model was fitted on series of shape \(9,\). Got an array of shape \(3, 8\).$"
    with pytest.raises(hg.DataError, match=said):
        kind.check(np.zeros((3, 8)))
    with pytest.raises(hg.DataError, match=r"Got an array of shape \(9,\). A single row goes in as row\[None\].$"):
        kind.check(np.zeros(9))
    with pytest.raises(hg.DataError, match="Got one long record: cut it to rows, or fit on a record"):
        kind.check(hg.Record(wave))
    long = SeriesKind.learn(Ragged([wave[:5], wave[:7]]))
    with pytest.raises(hg.DataError, match=r"^The model was fitted on rows of at most 7 samples. Row 1 has 8.$"):
        long.to_tensor(Ragged([wave[:5], wave[:8]]))
    with pytest.raises(hg.DataError, match=r"^The model was fitted on rows of at most 7 samples. Row 2001 has 8.$"):
        long.to_tensor(Ragged([wave[:5], wave[:8]]), first_row=2000)
    with pytest.raises(hg.DataError, match=r"^The model was fitted on series of at most 7 samples. Got rows of 2 channels."):
        long.to_tensor(Ragged([np.zeros((5, 2)), np.zeros((3, 2))]))
    with pytest.raises(hg.ParameterError, match="The window and the stride of Series are for a long record"):
        SeriesKind.learn(np.zeros((3, 9, 2)) + np.arange(9)[:, None], asked=hg.Series(window=4))
    with pytest.raises(hg.DataError, match="The record is at 100 Hz, and kind= says 50 Hz"):
        SeriesKind.learn(record, asked=hg.Series(rate=50))


def test_windows_are_cut_when_they_are_asked_for():
    windows = Windows(hg.Record(np.arange(11.0)), 4, 3)
    assert windows.starts.tolist() == [0, 3, 6, 7]  # the last one ends where the record does
    assert windows[1][:, 0].tolist() == [3, 4, 5, 6]
    assert windows[2:].stacked()[:, 0].tolist() == [[6, 7, 8, 9], [7, 8, 9, 10]]


def test_times_in_the_index_of_a_pandas_frame():
    index = pd.date_range("2024-01-01", periods=1000, freq="10s", tz="Europe/Berlin", name="at")
    frame = pd.DataFrame({"load": wave}, index=index)
    kind = SeriesKind.learn(frame)
    assert kind.describe().startswith("a record at a sample every 10 s, in windows of ")
    back = kind.from_tensor(kind.to_tensor(frame), kind.opened(frame))
    assert back.index.name == "at"
    np.testing.assert_allclose(back["load"], wave, atol=1e-12)
    for table in (frame.rename_axis(None), frame.reset_index()):
        kind, later = SeriesKind.learn(table), table.iloc[300:]
        back = kind.from_tensor(kind.to_tensor(later), kind.opened(later))
        assert back.index.equals(later.index)
        assert (back.index.name, back.columns.tolist()) == (None, table.columns.tolist())


@pytest.mark.parametrize("length", [1000, 730, 990])
def test_codes_become_the_record_again_that_they_are_of(length):
    values = np.column_stack([wave, -wave]).astype(np.float32)
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    ae = hg.Autoencoder(8, max_epochs=2, random_state=0).fit(hg.Record(values, 100, names=["flow", "level"]))
    other = hg.Record(values[:length], 100, names=["flow", "level"], start=start)
    back, rebuilt = ae.inverse_transform(ae.transform(other), like=other), ae.reconstruct(other)
    np.testing.assert_array_equal(back.values, rebuilt.values)
    assert (len(back), back.start) == (length, start)


def test_where_codes_do_not_say_how_long_their_record_was_it_is_said(sentence):
    record = hg.Record(wave.astype(np.float32))
    ae = hg.Autoencoder(4, max_epochs=1, random_state=0).fit(record)
    assert len(ae.inverse_transform(ae.transform(record))) == 1000
    said = (
        "Codes don't say how long their record was: 16 windows are joined to 760 samples, 40 apart, though the last of a record "
        "may lie nearer. Pass the record as like=."
    )
    codes = ae.transform(record[:730])
    with pytest.warns(hg.HourglassWarning) as caught:
        assert len(ae.inverse_transform(codes)) == 760
    assert str(caught[0].message) == said
    words = "There are 16 codes, and what they are to be like has 22 rows. Give as many."
    assert sentence(hg.DataError, ae.inverse_transform, codes, like=record) == words


def test_rows_of_differing_length_come_back_of_codes_in_theirs():
    rows = [wave[:30].astype(np.float32), wave[:50].astype(np.float32)] * 6
    ae = hg.Autoencoder(4, kind="series", max_epochs=1, random_state=0).fit(rows)
    back = ae.inverse_transform(ae.transform(rows), like=rows)
    for one, other in zip(back, ae.reconstruct(rows), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_array_is_a_record_where_a_window_is_asked_for_and_else_rows():
    values = np.column_stack([wave, -wave])
    asked = SeriesKind.learn(values, asked=hg.Series(window=80))
    assert asked.describe().startswith("a record of 2 channels, in windows of 80 samples")
    said = r"is 1,000 rows of 2 samples. A long record of 2 channels is hg.Record\(X, rate\)."
    with pytest.warns(hg.HourglassWarning, match=said):
        assert SeriesKind.learn(values).describe() == "series of 2 samples"


def test_a_table_without_the_channels_of_a_record_is_refused(sentence):
    kind = SeriesKind.learn(hg.Record(wave))
    words = sentence(hg.DataError, kind.opened, pl.DataFrame({"height": [1.0, 2.0]}))
    assert words == "The table has no column 'x0', which the model was fitted on. It has: height."


def test_a_table_without_values_is_refused(sentence):
    words = "The table has no column of values, which series need. Give it one beside its times."
    assert sentence(hg.DataError, SeriesKind.learn, pl.DataFrame({"time": [1, 2]})) == words
    of_rows = SeriesKind.learn(np.arange(27.0).reshape(3, 9))
    assert sentence(hg.DataError, of_rows.opened, pl.DataFrame()) == words


def test_columns_that_are_left_out_stay_out():
    rows = pl.DataFrame(np.arange(12.0).reshape(3, 4), schema=["s0", "s1", "s2", "s3"])
    labelled = rows.with_columns(label=pl.Series(["a", "b", "a"]))
    kind = SeriesKind.learn(labelled, {"label": "left out"})
    np.testing.assert_array_equal(kind.to_tensor(labelled)[:, 0], rows.to_numpy())
    np.testing.assert_array_equal(kind.to_tensor(rows.select("s3", "s2", "s1", "s0"))[:, 0], rows.to_numpy())
    assert SeriesKind.learn(labelled, {"s1": "value", "s2": "value"}).to_tensor(labelled).shape == (3, 1, 2)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"x": [1.0, "u"] * 20}, "Column 'x' mixes types: 1.0 is a float, 'u' is a str. Give it one type."),
        ({0: np.arange(40.0), "0": np.arange(40.0)}, "The table has 2 columns called '0'. Rename all but one."),
    ],
)
def test_a_table_of_pandas_that_is_no_series_is_refused_as_any_table(columns, words, sentence):
    assert sentence(hg.DataError, SeriesKind.learn, pd.DataFrame(columns)) == words
    timed = pd.DataFrame(columns).set_index(pd.date_range("2024-01-01", periods=40))
    assert sentence(hg.DataError, SeriesKind.learn, timed) == words


def test_what_is_sparse_is_a_series_as_what_is_dense():
    sparse = pd.DataFrame({"time": np.arange(1000) / 10, "x": pd.arrays.SparseArray(np.where(wave > 0, wave, 0), fill_value=0)})
    dense = pl.DataFrame({"time": np.arange(1000) / 10, "x": np.where(wave > 0, wave, 0)})
    kind = SeriesKind.learn(sparse)
    assert kind.describe() == SeriesKind.learn(dense).describe()
    np.testing.assert_array_equal(kind.to_array(sparse), kind.to_array(dense))


def test_an_index_of_times_stands_beside_columns_that_are_numbers():
    frame = pd.DataFrame({0: wave, 1: -wave}, index=pd.date_range("2024-01-01", periods=1000, freq="1s"))
    kind = SeriesKind.learn(frame)
    assert (kind.time, kind.channels, kind.rate) == ("index", ("0", "1"), 1)
    np.testing.assert_array_equal(kind.opened(frame).record.values, np.column_stack([wave, -wave]))


@pytest.mark.parametrize(
    ("index", "rate"),
    [
        (pd.period_range("2024-01-01", periods=1000, freq="s"), 1),
        (pd.to_timedelta(np.arange(1000) / 4, unit="s").rename("spent"), 4),
        (pd.Index(np.arange(1000) * 250, name="time (ms)"), 4),
        (pd.Index(pd.date_range("2024-01-01", periods=1000, freq="10s").astype(str), name="logged"), 0.1),
        (pd.Index(np.arange(1000), name="row"), None),
    ],
)
def test_an_index_tells_times_by_its_type_its_text_or_its_name(index, rate):
    frame = pd.DataFrame(np.column_stack([wave, -wave]), index, pd.MultiIndex.from_tuples([("pump", 1), ("pump", 2)]))[:900]
    kind = SeriesKind.learn(frame)
    assert (kind.of_record, kind.rate) == (rate is not None, rate)
    if rate is not None:
        back = kind.from_tensor(kind.to_tensor(frame), kind.opened(frame))
        pd.testing.assert_frame_equal(back, frame)


@given(st.lists(st.integers(4, 30), min_size=1, max_size=4), st.integers(2, 4), st.integers(1, 4))
def test_no_window_reaches_across_a_seam(lengths, window, stride):
    whole = joined([hg.Record(np.full(length, float(number))) for number, length in enumerate(lengths)])
    windows = Windows(whole, window, min(stride, window))
    assert len(windows)
    for some in (windows, windows.at(windows.between()), windows.scattered()):
        assert all(np.ptp(one) == 0 for one in some)
    assert [len(part) for part in parts_of(whole)] == lengths


def test_channels_of_joined_records_stand_in_the_order_of_the_first():
    first = hg.Record([[1, 2], [3, 4]], names=["a", "b"])
    found = joined([first, hg.Record([[6, 5]], names=["b", "a"]), hg.Record([[7, 8]])])
    assert found.values.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert (found.seams.tolist(), repr(found)) == ([2, 3], "3 records of 4 samples x 2 channels")
