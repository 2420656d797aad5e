import datetime as dt
import sys

import numpy as np
import polars as pl
import pytest
from scipy.io import wavfile

import hourglass as hg
from hourglass.data.record import joined, paced, record_of, when

NOON = dt.datetime(2024, 1, 1, 12)


def every(minutes, n):
    return [NOON + dt.timedelta(minutes=minutes * i) for i in range(n)]


def test_a_record_knows_its_shape_rate_and_names():
    record = hg.Record(np.zeros((500, 2), np.int16), 250, names=["a", "b"], start=NOON)
    assert record.shape == (500, 2)
    assert record.values.dtype == np.float32
    assert repr(record) == "Record of 500 samples x 2 channels at 250 Hz"
    assert record[250:].start == NOON + dt.timedelta(seconds=1)
    assert joined([record, record, record])[len(record) - 3 : 2 * len(record)].seams.tolist() == [3]
    assert when(record, 500) == "2024-01-01 12:00:02"
    assert (when(hg.Record([1.0], 2), 3), when(hg.Record([1.0]), 3)) == ("1.5 s", "3")
    assert (paced(250), paced(1 / 300)) == ("250 Hz", "a sample every 300 s")


def test_a_table_with_times_is_a_record_with_gaps():
    frame = pl.DataFrame({"stamp": every(5, 10), "x": np.arange(10.0)})[[0, 1, 2, 5, 6, 7, 8, 9]]
    record = record_of(frame)
    np.testing.assert_array_equal(record.values[:, 0], [0, 1, 2, np.nan, np.nan, 5, 6, 7, 8, 9])
    assert record.place.tolist() == [0, 1, 2, 5, 6, 7, 8, 9]
    assert record.rate == pytest.approx(1 / 300)
    assert record.names == ("x",)


def test_times_as_text_and_as_seconds():
    text = pl.DataFrame({"when": ["2024-01-01 00:00:00", "2024-01-01 00:00:10"], "x": [1.0, None]})
    assert record_of(text).rate == pytest.approx(0.1)
    assert np.isnan(record_of(text).values[1, 0])
    assert record_of(pl.DataFrame({"t": [0.0, 0.5, 1.0], "x": [1, 2, 3]})).rate == 2


def test_months_are_times():
    text = [f"{year}-{month:02}" for year in range(1990, 2000) for month in range(1, 13)]
    record = record_of(pl.DataFrame({"month": text, "sales": np.arange(120.0)}))
    assert record.values[:, 0].tolist() == list(range(120))
    assert record.start == dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
    assert 1 / record.rate == pytest.approx(30.44 * 86400, rel=0.001)


def test_names_that_are_patterns_to_polars():
    text = pl.DataFrame({"^t$": ["2024-01-01 00:00:00", "2024-01-01 00:00:10"], "^.*$": ["1", "2,5"], "^x$": [1.0, None]})
    record = record_of(text)
    np.testing.assert_array_equal(record.values, [[1, 1], [2.5, np.nan]])
    assert (record.names, record.rate) == (("^.*$", "^x$"), pytest.approx(0.1))


@pytest.mark.parametrize(
    ("form", "minutes", "n"),
    [
        ("%m/%d/%Y", 1440, 10),
        ("%d/%m/%Y", 1440, 10),
        ("%m/%d/%Y %H:%M", 5, 3000),
        ("%d.%m.%Y %H:%M:%S", 5, 9000),
        ("%Y-%m-%dT%H:%M:%SZ", 5, 9),
    ],
)
def test_of_day_and_month_the_one_that_goes_on_in_small_steps_is_the_day(form, minutes, n):
    record = record_of(pl.DataFrame({"when": [time.strftime(form) for time in every(minutes, n)], "x": np.arange(n)}))
    assert record.rate == pytest.approx(1 / (60 * minutes))
    assert record.start.replace(tzinfo=None) == (NOON if minutes < 1440 else NOON.replace(hour=0))
    np.testing.assert_array_equal(record.values[:, 0], np.arange(n))


def test_times_keep_the_clock_of_their_place():
    spring = dt.datetime(2024, 3, 31, 1, 0)  # at 2 clocks are put forward to 3
    times = pl.Series("t", [spring + dt.timedelta(minutes=30 * i) for i in (0, 1)]).dt.replace_time_zone("Europe/Berlin")
    record = record_of(pl.DataFrame({"t": times, "x": [1.0, 2.0]}))
    assert [when(record, step) for step in range(4)] == [f"2024-03-31 0{clock}:00" for clock in ("1:00", "1:30", "3:00", "3:30")]


def test_stamps_with_a_year_of_two_digits():
    stamps = [f"01/{day:02}/25 02:00 PM" for day in range(1, 15)]
    record = record_of(pl.DataFrame({"t": stamps, "x": range(14)}))
    assert (record.start, record.rate) == (dt.datetime(2025, 1, 1, 14, tzinfo=dt.UTC), 1 / 86400)


@pytest.mark.parametrize("rate", [128, 250, 256, 360, 512, 1000])
def test_stamps_rounded_to_milliseconds_still_tell_the_rate(rate):
    t, x = np.round(np.arange(4000) / rate, 3), np.arange(4000.0)
    record = record_of(pl.DataFrame({"t": t, "x": x}))
    assert (record.rate, record.place) == (pytest.approx(rate, rel=1e-9), None)
    np.testing.assert_array_equal(record.values[:, 0], x)
    dropped = np.delete(np.arange(4000), [700, 1500, 1501])
    record = record_of(pl.DataFrame({"t": t, "x": x})[dropped])
    assert record.rate == pytest.approx(rate, rel=1e-9)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(record.values[:, 0])), [700, 1500, 1501])


def test_a_clock_that_lags_is_no_gap():
    t = np.cumsum(np.random.default_rng(0).choice([300, 301], 3000, p=[0.7, 0.3]))
    record = record_of(pl.DataFrame({"t": t, "x": np.arange(3000.0)}))
    assert record.rate == pytest.approx((len(t) - 1) / (t[-1] - t[0]))
    np.testing.assert_array_equal(record.values[:, 0], np.arange(3000))


@pytest.mark.parametrize(
    ("stamps", "rate", "said"),
    [
        ([f"08:00:{second:02}" for second in range(58)], 1, "08:00:03"),
        ([f"00:00:00,{4 * i:03}" for i in range(9)], 250, "00:00:00.012"),
        ([f"'0:00.{4 * i:03}'" for i in range(9)], 250, "00:00:00.012"),
        (["23:59:58", "23:59:59", "00:00:00", "00:00:01"], 1, "day 2, 00:00:01"),
    ],
)
def test_clocks_without_a_date_are_times(stamps, rate, said):
    record = record_of(pl.DataFrame({"Zeit": stamps, "x": np.arange(len(stamps))}))
    assert (record.rate, record.names, when(record, 3)) == (rate, ("x",), said)


@pytest.mark.parametrize(
    ("name", "stamps", "rate", "said"),
    [
        ("Time (s)", [0.0, 0.004, 0.008], 250, "0.008 s"),
        ("time [ms]", [0, 4, 8], 250, "0.008 s"),
        ("elapsed_ms", [500, 504, 508], 250, "0.508 s"),
        ("timestamp", [480000, 480060, 480120], 1 / 60, "480,120 s"),
        ("t", [1234567.0, 1234567.5, 1234568.0], 2, "1,234,568 s"),
        ("timestamp", [1700000000000 + 500 * i for i in range(3)], 2, "2023-11-14 22:13:21"),
        ("epoch_ns", [1700000000000000000 + 4000000 * i for i in range(3)], 250, "2023-11-14 22:13:20.008"),
    ],
)
def test_numbers_are_times_in_their_unit(name, stamps, rate, said):
    record = record_of(pl.DataFrame({"t_min": [3.0, 1.0, 2.0], name: stamps}))
    assert (record.rate, record.names, when(record, 2)) == (pytest.approx(rate), ("t_min",), said)
    assert when(record[1:], 1) == said


def test_some_text_among_numbers_is_missing():
    frame = pl.DataFrame({"t": range(6), "x": ["1,5", "Bad Input", "2,5", "NA", "1.000,5", "off"]})
    with pytest.warns(hg.HourglassWarning) as said:
        record = record_of(frame)
    assert [str(one.message) for one in said] == [
        "Column 'x' holds text in row 1 ('Bad Input') and 1 other row, and numbers elsewhere. What is no number counts as missing."
    ]
    np.testing.assert_array_equal(record.values[:, 0], [1.5, np.nan, 2.5, np.nan, 1000.5, np.nan])


def test_spans_of_time_are_seconds():
    spans = [dt.timedelta(seconds=2 * i) for i in range(5)]
    record = record_of(pl.DataFrame({"t": spans, "x": spans}))
    assert (record.rate, record.start, record.names) == (0.5, None, ("x",))
    assert record.values[:, 0].tolist() == [0, 2, 4, 6, 8]


def test_samples_that_share_a_step_are_their_mean_and_that_is_said():
    frame = pl.DataFrame({"t": [0.0, 10.0, 20.0, 21.0, 30.0, 40.0, 50.0], "x": [0.0, 1, 2, 4, 5, 6, 7]})
    with pytest.warns(hg.HourglassWarning, match="1 of 7 samples stand closer to the one before than half the usual 10 s"):
        record = record_of(frame)
    assert record.values[:, 0].tolist() == [0, 1, 3, 5, 6, 7]


LATE = "rows come after later ones, and were put in the order of time"
TWICE = "rows have the time of another, and the last value of a time counts"
OCTOBER = [f"2026-10-25 0{hour}:{minute}0" for hour in (2, 2, 3) for minute in range(6)]
UNTIDY = {
    "late": ([0, 1, 3, 2], [[0], [1], [3], [2]], f"1 of 4 {LATE}", [0, 1, 2, 3], [0, 1, 3, 2]),
    "newest first": ([3, 2, 1, 0], [[3], [2], [1], [0]], f"3 of 4 {LATE}", [0, 1, 2, 3], [3, 2, 1, 0]),
    "late, and twice": (
        [1, 2, 0, 1, 3],
        [[9], [2], [0], [1], [3]],
        f"2 of 5 {LATE}; 1 of 5 {TWICE}",
        [0, 1, 2, 3],
        [1, 2, 0, 1, 3],
    ),
    "each line twice": ([0, 0, 1, 1], [[0], [0], [1], [1]], f"2 of 4 {TWICE}", [0, 1], [0, 0, 1, 1]),
    "a line for each sensor": ([0, 0, 1, 1], [[0, None], [None, 5], [1, None], [None, 6]], f"2 of 4 {TWICE}", [0, 1], [0, 0, 1, 1]),
    "clocks put back": (
        OCTOBER,
        [[i] for i in range(18)],
        "the clock was put back an hour at row 6 (2026-10-25 02:50, then 2026-10-25 02:00), where samples go on",
        range(18),
        None,
    ),
    "an hour that comes twice, and says the same": (
        OCTOBER,
        [[i] for i in (0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)],
        f"5 of 18 {LATE}; 6 of 18 {TWICE}",
        range(12),
        [*range(6), *range(12)],
    ),
}


@pytest.mark.parametrize("case", UNTIDY)
def test_stamps_are_put_in_order_and_it_is_said(case):
    stamps, rows, said, found, place = UNTIDY[case]
    frame = pl.DataFrame({"t": stamps}).hstack(pl.DataFrame(rows, schema=["x", "y"][: len(rows[0])], orient="row"))
    with pytest.warns(hg.HourglassWarning) as warned:
        record = record_of(frame)
    assert [str(one.message) for one in warned] == [f"Column 't': {said}."]
    assert record.values[:, 0].tolist() == list(found)
    assert (record.place if place is None else record.place.tolist()) == place
    if record.shape[1] > 1:
        assert record.values[:, 1].tolist() == [5, 6]


@pytest.mark.filterwarnings("ignore:Column 't'")
def test_times_after_clocks_were_put_back_are_those_of_the_rows(tmp_path):
    record = record_of(pl.DataFrame({"t": OCTOBER, "x": np.arange(18.0)}))
    assert [when(record, step) for step in range(18)] == [f"{stamp}:00" for stamp in OCTOBER]
    assert when(record[4:], 3) == when(record[7:], 0) == "2026-10-25 02:10:00"
    hg.write(tmp_path / "r.csv", record)
    assert pl.read_csv(tmp_path / "r.csv")["time"].str.slice(0, 16).str.replace("T", " ").to_list() == OCTOBER


@pytest.mark.filterwarnings("ignore:Column 'when'")
def test_of_day_and_month_the_one_in_order_is_the_day_whichever_end_the_newest_row_stands():
    stamps = [time.strftime("%d/%m/%Y") for time in every(1440, 60)]
    for order in (stamps[::-1], [*stamps[:30], *stamps[29:]], stamps[30:] + stamps[:30]):
        record = record_of(pl.DataFrame({"when": order, "x": np.arange(len(order))}))
        assert (len(record), record.start.replace(tzinfo=None)) == (60, NOON.replace(hour=0))


REFUSED = {
    "coarse": (
        pl.DataFrame({"t": [0, 0, 0, 1, 1, 1], "x": [0.0] * 6}),
        "The stamps of column 't' repeat in row 1 (0, then 0). Too coarse to tell samples apart, they can be left out: "
        "columns={'t': 'left out'}; then give rate and window.",
    ),
    "text": (
        pl.DataFrame({"t": [0, 1], "x": ["1.5", "off"]}),
        "Column 'x' holds text in row 1 ('off'), and values of a series are numbers. Correct it, or leave the column out: "
        "columns={'x': 'left out'}.",
    ),
    "a header among dates": (
        pl.DataFrame({"t": ["2024-01-01 00:00", "2024-01-01 00:01", "t", "2024-01-01 00:03"], "x": [0.0] * 4}),
        "Column 't' has no time in row 2, but 't'. Leave that row out.",
    ),
    "a header among clocks": (
        pl.DataFrame({"t": ["08:30:00", "t", "08:30:02"], "x": [0.0] * 3}),
        "Column 't' has no time in row 1, but 't'. Leave that row out.",
    ),
    "words": (
        pl.DataFrame({"time": ["a", "b", "c"], "x": [0.0] * 3}),
        "Column 'time' holds text that is no time, such as 'a'. Say what it is in columns=.",
    ),
    "no time": (pl.DataFrame({"t": [0, None, 2], "x": [0.0] * 3}), "Column 't' has no time in row 1. Leave that row out."),
    "coarse pairs": (
        pl.DataFrame({"t": [0, 0, 1, 1, 2, 2], "x": [0.0, 1, 2, 3, 4, 5]}),
        "The stamps of column 't' repeat in row 1 (0, then 0). Too coarse to tell samples apart, they can be left out: "
        "columns={'t': 'left out'}; then give rate and window.",
    ),
    "sparse": (
        pl.DataFrame({"t": [0, 1, 2, 3, 500], "x": [0.0] * 5}),
        "Column 't' has stamps that are 1 s apart in the middle, yet reach over 500 such steps in 5 rows. Cut the table at its "
        "long gaps, the longest before row 4 (3, then 500), leave out what is no time, or give the rate.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_tables_are_refused(case):
    frame, said = REFUSED[case]
    with pytest.raises(hg.DataError) as error:
        record_of(frame, {frame.columns[0]: "time"})
    assert str(error.value) == said


def test_bad_records_are_refused():
    with pytest.raises(hg.DataError, match=r"^The values of a record are numbers. Got an array of <U1.$"):
        hg.Record(["a"])
    with pytest.raises(hg.DataError, match=r"^A record is an array \(time,\) or \(time, channels\) with a sample at least"):
        hg.Record(np.zeros((2, 2, 2)))
    with pytest.raises(hg.DataError, match=r"^The record has 2 channels and 1 names. Give a name for each.$"):
        hg.Record(np.zeros((5, 2)), names=["a"])
    with pytest.raises(hg.ParameterError, match=r"^The 'rate' of a record must be a positive number of samples a second. Got 0"):
        hg.Record([1.0], 0)
    with pytest.raises(hg.ParameterError, match=r"no role 'tim' for 't' of series. Did you mean 'time'\?"):
        record_of(pl.DataFrame({"t": [0, 1], "x": [0, 1]}), {"t": "tim"})


def test_wfdb_records_are_read(tmp_path):
    pytest.importorskip("wfdb")
    counts = np.random.default_rng(0).integers(-500, 500, (400, 2)).astype("<i2")
    counts[5, 1] = -32768  # missing
    counts.tofile(tmp_path / "r1.dat")
    (tmp_path / "r1.hea").write_text("r1 2 360 400\nr1.dat 16 200/mV 16 0 0 0 0 I\nr1.dat 16 100/mV 16 0 0 0 0 II\n")
    for ending in ("hea", "dat"):
        record = hg.read(tmp_path / f"r1.{ending}")
        assert (record.rate, record.names, record.shape) == (360, ("I", "II"), (400, 2))
        np.testing.assert_allclose(record.values[6:], counts[6:] / [200, 100])
        assert np.argwhere(np.isnan(record.values)).tolist() == [[5, 1]]


@pytest.mark.parametrize(("here", "missing"), [("hea", "dat"), ("dat", "hea")])
def test_half_a_wfdb_record_says_what_is_missing(tmp_path, here, missing):
    pytest.importorskip("wfdb")
    (tmp_path / f"r1.{here}").write_text("r1 1 360 4\nr1.dat 16 200/mV 16 0 0 0 0 I\n")
    with pytest.raises(hg.FileError, match=rf"r1.{here}' is a part of a WFDB record, and beside it 'r1.{missing}' is missing"):
        hg.read(tmp_path / f"r1.{here}")


def test_wfdb_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    (tmp_path / "r1.hea").write_text("r1 1 360 400")
    with pytest.raises(hg.MissingExtraError, match=r"reading those takes wfdb: pip install 'hourglass-ae\[series\]'."):
        hg.read(tmp_path / "r1.hea")


def test_a_record_is_written_as_a_table(tmp_path):
    hg.write(tmp_path / "r.csv", hg.Record([[1.0, 2.0], [3.0, 4.0]], 2, names=["a", "b"]))
    assert (tmp_path / "r.csv").read_text() == "time,a,b\n0.0,1.0,2.0\n0.5,3.0,4.0\n"
    hg.write(tmp_path / "r.npy", hg.Record([1.0, 2.0]))
    assert np.load(tmp_path / "r.npy").tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_time_that_is_none_is_named(wrong):
    table = pl.DataFrame({"time": [0.0, 1.0, wrong, 3.0], "mV": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(hg.DataError, match=f"Column 'time' has no time in row 2, but {wrong}"):
        record_of(table)


def test_a_large_time_that_is_none_is_named():
    table = pl.DataFrame({"time": [1.7e12, float("nan"), 1.7e12 + 2], "mV": [1.0, 2.0, 3.0]})
    with pytest.raises(hg.DataError, match="Column 'time' has no time in row 1, but nan"):
        record_of(table)


def test_times_of_a_day_have_no_date():
    table = pl.DataFrame({"time": [dt.time(8, 0), dt.time(8, 1), dt.time(8, 2)], "mV": [1.0, 2.0, 3.0]})
    with pytest.raises(hg.DataError, match="Column 'time' holds times of a day without a date"):
        record_of(table)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-(2**15), 0, 2**14], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-1.5, 0, 0.5], np.float32), [-1.5, 0, 0.5]),
    ],
)
def test_sound_is_read_from_minus_one_to_one(tmp_path, samples, expected):
    wavfile.write(tmp_path / "a.wav", 8000, samples)

    record = hg.read(tmp_path / "a.wav")

    assert (record.rate, record.names, record.values.dtype) == (8000, ("sound",), np.float32)
    assert record.values[:, 0].tolist() == expected


def test_sound_comes_back_as_it_was_written(tmp_path):
    record = hg.Record(np.array([[0.25, -3], [1e-6, 0.5]], np.float32), rate=44100)

    hg.write(tmp_path / "a.wav", record)

    back = hg.read(tmp_path / "a.wav")
    assert (back.rate, back.names) == (44100, ("left", "right"))
    np.testing.assert_array_equal(back.values, record.values)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (hg.Record([1.0, 2]), "a whole number of samples a second"),
        ([0.5, 0.25], "a whole number of samples a second"),
        (hg.Record([1.0, 2], rate=0.5), "a whole number of samples a second"),
        (hg.Record([1.0, np.nan], rate=8000), "no gaps"),
    ],
)
def test_what_is_no_sound_is_not_written(tmp_path, record, why):
    with pytest.raises(hg.DataError, match=why):
        hg.write(tmp_path / "a.wav", record)
    assert not list(tmp_path.iterdir())


def test_sound_that_ends_too_early_is_told(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.arange(1000, dtype=np.int16))
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-600])
    with pytest.warns(hg.HourglassWarning, match=r"a.wav' ends before it should by its header, after 700 samples. If it was cut"):
        record = hg.read(tmp_path / "a.wav")
    np.testing.assert_array_equal(record.values[:, 0], np.arange(700, dtype=np.float32) / 2**15)


def test_clocks_beside_dates_are_to_be_joined_to_them(sentence):
    frame = pl.DataFrame({"date": ["2024-01-31"] * 3, "clock": ["08:30:00", "08:30:01", "08:30:02"], "x": [1.0, 2.0, 3.0]})
    assert sentence(hg.DataError, record_of, frame) == (
        "Column 'clock' holds text in row 0 ('08:30:00'), and values of a series are numbers. Join it to the column of the dates, "
        "as in '2024-01-31 08:30:00', or leave the column out: columns={'clock': 'left out'}."
    )


def test_sound_that_cant_be_read_says_why(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF    WAVEfmt ")
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    wavfile.write(tmp_path / "none.wav", 8000, np.zeros(0, np.int16))

    with pytest.raises(hg.FileError, match=r"a.wav' is damaged"):
        hg.read(tmp_path / "a.wav")
    with pytest.raises(hg.FileError, match=r"none.wav' has no sound in it"):
        hg.read(tmp_path / "none.wav")
    with pytest.raises(hg.FileError, match=r"a.mp3' is compressed sound, which isn't read. Convert it to WAV."):
        hg.read(tmp_path / "a.mp3")
    with pytest.raises(hg.ParameterError, match=r"Melodies are a list of hourglass.Melody"):
        hg.write(tmp_path / "a.mid", hg.Record([1.0, 2], rate=8000))


def test_a_folder_of_sound_is_one_record_with_seams(tmp_path):
    for name, n in {"b": 3, "a": 2}.items():
        hg.write(tmp_path / f"{name}.wav", hg.Record(np.full(n, n / 8), rate=8000))
    for source in (tmp_path, [tmp_path / "a.wav", tmp_path / "b.wav"]):
        record = hg.read(source)
        assert record.values[:, 0].tolist() == [0.25, 0.25, 0.375, 0.375, 0.375]
        assert (record.seams.tolist(), record.rate) == ([2], 8000)
    hg.write(tmp_path / "c.wav", hg.Record([0.5], rate=4000))
    with pytest.raises(hg.DataError, match=r"c.wav' is at 4000 Hz; the first is at 8000 Hz"):
        hg.read(tmp_path)
