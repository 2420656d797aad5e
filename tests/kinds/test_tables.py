"""Tables as people have them: what each column is taken for, its numbers, and its way back."""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import hourglass as hg
from hourglass.kinds import KINDS, as_raw, counted_from, kind_from_config, schema
from hourglass.kinds import columns as of_columns
from hourglass.kinds.table import TableKind
from hourglass.parts.cells import Cell
from hourglass.parts.scaling import expand, on_cycles

rng = np.random.default_rng(0)
N = 400
CITY = rng.choice(["Rome", "Paris", "Oslo"], N, p=[0.5, 0.3, 0.2]).tolist()
FRAME = pl.DataFrame(
    {
        "id": range(N),
        "amount": rng.lognormal(0, 1, N),
        "items": rng.poisson(3, N),
        "city": CITY,
        "gift": rng.random(N) < 0.3,
        "when": [dt.datetime(2026, 1, 1) + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 86400 * 60, N)],
        "day": [f"{dt.date(2024, 1, 1) + dt.timedelta(days=int(d))}" for d in rng.integers(0, 700, N)],
        "note": [f"a remark of many words, number {i}" for i in range(N)],
        "empty": pl.Series([None] * N, dtype=pl.Float64),
        "age": [None if i % 5 == 0 else float(i % 60) for i in range(N)],
    }
)
TYPES = {
    "id": "identifier",
    "amount": "numeric",
    "items": "numeric",
    "city": "categorical",
    "gift": "boolean",
    "when": "datetime",
    "day": "datetime",
    "note": "left out",
    "empty": "left out",
    "age": "numeric",
}
USED = [name for name, kind in TYPES.items() if kind not in ("identifier", "left out")]
KNOWN = {"id": "identifier", "note": "left out", "empty": "left out"}  # said beforehand, so nobody is warned


def learned(frame, **given):
    return KINDS["table"].learn(frame, **given)


@pytest.fixture(scope="module")
def model():
    return hg.Autoencoder(6, columns=KNOWN, max_epochs=40, random_state=0).fit(FRAME)


def test_what_each_column_is_taken_for():
    with pytest.warns(hg.HourglassWarning) as caught:
        schema = learned(FRAME).schema()
    assert dict(zip(schema["column"], schema["type"], strict=True)) == TYPES
    assert [str(warning.message) for warning in caught] == [
        "Column 'id' is an identifier (a number for each row). It is left out; choose otherwise with columns={'id': ...}.",
        "Column 'note' is of no use (free text, 400 different values in 400 rows). It is left out; "
        "choose otherwise with columns={'note': ...}.",
        "Column 'empty' is of no use (no row has a value). It is left out; choose otherwise with columns={'empty': ...}.",
    ]
    assert schema.filter(column="age")["missing"].item() == 0.2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "identifier") for name in ("order_id", "Order-Nr", "TransactionID", "customerId")),
        *((name, "numeric") for name in ("paid", "Idle", "GRID")),
    ],
)
def test_names_of_identifiers(name, kind):
    numbers = np.random.default_rng(0).permutation(10_000)[:40]
    assert schema.learn(pl.Series(name, numbers)).type == kind
    assert schema.learn(pl.Series(name, numbers).cast(pl.String)).type == kind


def test_types_survive_the_round_trip():
    frame = FRAME.select(USED)
    kind = learned(frame)
    back = kind.from_tensor(kind.to_tensor(frame))
    assert back.schema == frame.schema
    for name in set(USED) - {"amount"}:
        assert back[name].to_list() == frame[name].to_list(), name
    scaling = kind.scaling(kind.to_tensor(frame))
    again = kind.from_tensor(scaling.inverse(scaling(kind.to_tensor(frame))))
    for name in ("city", "gift", "items", "day"):
        assert again[name].to_list() == frame[name].to_list(), name
    np.testing.assert_allclose(again["amount"], frame["amount"], rtol=1e-9)


@pytest.mark.parametrize("convert", [pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, lambda frame: frame])
def test_every_library_gives_the_same_numbers(model, convert):
    np.testing.assert_array_equal(model.transform(convert(FRAME)), model.transform(FRAME))
    assert type(model.reconstruct(convert(FRAME))) is type(convert(FRAME))


def test_the_library_imputes(model):
    rebuilt = model.reconstruct(FRAME)
    assert rebuilt.schema == FRAME.schema
    assert rebuilt["age"].null_count() == 0
    assert rebuilt["note"].to_list() == FRAME["note"].to_list()
    assert (rebuilt["city"] == FRAME["city"]).mean() > 0.95


def test_a_missing_cell_is_filled_from_the_others():
    x = rng.normal(size=2000)
    table = pl.DataFrame({"a": x, "b": 2 * x + 1, "c": -x}).with_columns(b=pl.when(pl.int_range(2000) % 4 > 0).then("b"))
    rebuilt = hg.Autoencoder(2, max_epochs=60, random_state=0).fit(table).reconstruct(table)
    gaps = table["b"].is_null().to_numpy()
    assert np.abs(rebuilt["b"].to_numpy() - (2 * x + 1))[gaps].mean() < 0.3  # the mean would be off by 1.6


@pytest.mark.parametrize("gap", [None, np.nan])
def test_a_nan_is_a_gap_like_any_other(gap):
    table = pl.DataFrame({"a": [1.0, gap, 3.0, 5.0] * 10, "b": rng.normal(size=40)}, strict=False)
    for raw in (table, table.to_pandas()):
        kind = learned(raw)
        assert kind.gaps
        assert kind.columns[0].missing == 0.25
        assert kind.to_tensor(raw)[:, 0].isnan().tolist() == [False, True, False, False] * 10
        assert np.isfinite(hg.Autoencoder(1, max_epochs=2).fit(raw).score(raw))


def test_columns_are_found_by_name(model):
    np.testing.assert_array_equal(model.transform(FRAME.select(FRAME.columns[::-1])), model.transform(FRAME))
    np.testing.assert_array_equal(model.transform(FRAME.drop("id", "note", "empty")), model.transform(FRAME))


@pytest.mark.parametrize(
    ("renamed", "words"),
    [
        ({"V3": "v3"}, "'V3', which the model was fitted on. Did you rename it to 'v3'?"),
        ({"V3": "V_3", "V9": "other"}, "'V3' (and 1 more), which the model was fitted on. Did you rename it to 'V_3'?"),
        ({"V3": "weight"}, "'V3', which the model was fitted on. It has: V0, V1, V2, weight, V4, V5, V6, V7, V8, V9."),
    ],
)
def test_of_a_column_that_is_not_there_one_that_the_model_has_not_is_suggested(renamed, words, sentence):
    table = pl.DataFrame(rng.normal(size=(60, 10)), schema=[f"V{i}" for i in range(10)])
    for convert in (pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow):
        kind = learned(convert(table))
        assert sentence(hg.DataError, kind.check, convert(table.rename(renamed))) == f"The table has no column {words}"


def test_unseen_and_rare_levels_are_other():
    kind = learned(pl.DataFrame({"c": ["a"] * 50 + ["b"] * 49 + ["rare"]}))
    assert kind.columns[0].levels == ("a", "b", "other")
    assert kind.to_tensor(pl.DataFrame({"c": ["b", "new", "rare", None]})).flatten().nan_to_num(-1).tolist() == [1, 2, 2, -1]


def test_of_many_levels_the_frequent_ones_are_kept():
    words = [f"w{int(k)}" for k in rng.geometric(0.05, 5000)]
    column = learned(pl.DataFrame({"w": words})).columns[0]
    assert column.type == "categorical"
    assert len(column.levels) == 64
    assert words.count(column.levels[0]) == max(map(words.count, set(words)))


def test_a_million_levels():
    table = pl.DataFrame({"shop": [f"s{i % 1_000_000}" for i in range(1_100_000)], "x": np.arange(1_100_000) % 7})
    with pytest.warns(
        hg.HourglassWarning, match=r"Column 'shop' is an identifier \(1,000,000 different values in 1,100,000 rows\)"
    ):
        assert learned(table).shape == (1,)
    table = pl.DataFrame({"shop": [f"s{i % 2000}" for i in range(10_000)], "x": np.arange(10_000) % 7})
    said = r"'shop' is of no use \(2,000 levels, of which the 63 most frequent cover 3% of the rows\)"
    with pytest.warns(hg.HourglassWarning, match=said):
        learned(table)


def test_the_cycles_of_times():
    hours = pl.DataFrame({"t": [dt.datetime(2026, 1, 1) + dt.timedelta(hours=h) for h in range(24 * 20)]})
    cell = learned(hours).cells[0]
    assert (cell.plain, cell.cycles) == (True, (86400.0, 604800.0))
    assert not learned(hours, timeless=True).cells[0].plain
    kind = learned(hours)
    x = kind.scaling(kind.to_tensor(hours))(kind.to_tensor(hours))
    assert x.shape == (480, 5)
    torch.testing.assert_close(x[6, 1:3], torch.tensor([1.0, 0.0], dtype=x.dtype), atol=1e-9, rtol=0)  # six o'clock
    torch.testing.assert_close(x[0, 1:3], x[24, 1:3])


def test_text_that_reads_as_numbers_or_dates():
    kinds = learned(pl.DataFrame({"n": ["1.5", "2", "7"] * 20, "d": ["01.02.2026", "03.02.2026", "28.02.2026"] * 20})).columns
    assert [(column.type, column.why) for column in kinds] == [
        ("numeric", "text that reads as numbers"),
        ("datetime", "text that reads as dates"),
    ]


@pytest.mark.parametrize(
    ("form", "written"),
    [("%H:%M:%S", "03:12:09"), ("%H:%M", "03:12"), ("%I:%M %p", "03:12 AM"), ("%Y-%m-%d %H:%M:%S", "2026-01-01 03:12:09")],
)
def test_times_that_are_text_come_back_as_they_were_written(form, written):
    minutes = np.random.default_rng(0).permutation(1440)[:200].tolist()
    times = [dt.datetime(2026, 1, 1) + dt.timedelta(minutes=minute, seconds=30) for minute in minutes]
    frame = pl.DataFrame({"at": [time.strftime(form) for time in times]})
    kind = learned(frame)
    column = kind.columns[0]
    assert (column.type, column.format.replace("%.f", ""), column.decimals) == ("datetime", form, 0)
    assert (kind.from_array(kind.to_array(frame))["at"] == frame["at"]).all()
    rebuilt = kind.from_array(kind.to_array(pl.DataFrame({"at": [written]})) + 0.0625)
    assert rebuilt["at"].to_list() == [written]  # in whole seconds, as all that was learned from


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([1.0, None, 3.0], 0),  # as pandas has whole numbers beside gaps
        ([0.25, 12.5, 1e6 + 0.75], 2),
        (pl.Series([12.34, 0.1, 200000.25], dtype=pl.Float32), 2),
        (["1.234,5 €", "2,25 €", "7 €"], 2),
        (["1,234", "2"], 0),
        ([1, 2, 4], 0),
        ([dt.timedelta(seconds=1.5), dt.timedelta(hours=3)], 1),
        ([dt.datetime(2026, 1, 1, 3, 12, 9), dt.datetime(2026, 1, 2)], 0),
        ([0.1 + 0.2, 1.0], None),
        (pl.Series([1 / 3, 2.0], dtype=pl.Float32), None),
        ([1 / 3, 2.0], None),
        ([*[1.0] * 200, 0.5], 1),
        ([1e306, 0.5], None),
    ],
)
def test_numbers_get_no_more_decimals_than_were_learned_from(values, decimals):
    column = pl.Series("x", values)
    known = schema.learn(column)
    assert known.decimals == decimals
    found = of_columns.from_numbers(known, of_columns.rounded(known, of_columns.to_numbers(known, column) + 0.000012))
    if decimals is not None and column.dtype != pl.String:
        assert found.equals(column)
    assert str(of_columns.rounded(replace(known, decimals=0), np.array([-0.2]))[0]) == "0.0"


def test_new_rows_have_no_more_decimals_and_rebuilt_ones_all():
    frame = pl.DataFrame({"price": [1.25, 2.5, 3.75], "share": [1 / 3, 2 / 3, 1 / 7]})
    kind = learned(frame)
    numbers = kind.to_tensor(frame) + 0.0017
    new, rebuilt = kind.drawn(numbers), kind.from_tensor(numbers)
    assert new["price"].to_list() == [1.25, 2.5, 3.75]
    assert rebuilt["price"].to_list() == pytest.approx([1.2517, 2.5017, 3.7517])
    assert new["share"].to_list() == rebuilt["share"].to_list()


DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=day) for day in range(0, 60, 2)] * 2
COMPACT = [int(f"{day:%Y%m%d}") for day in DAYS]


@pytest.mark.parametrize(
    "column",
    [pl.Series(COMPACT), pl.Series(COMPACT, dtype=pl.Int32), pl.Series([None, *COMPACT[1:]]), pl.Series(COMPACT).cast(pl.String)],
    ids=["Int64", "Int32", "with a gap", "text"],
)
def test_dates_that_are_one_number(column):
    frame = pl.DataFrame({"day": column})
    kind = learned(frame)
    why = "text that reads as dates" if column.dtype == pl.String else "numbers that read as dates"
    assert (kind.columns[0].type, kind.columns[0].why) == ("datetime", why)
    seconds = kind.to_array(frame)[1:, 0].tolist()
    assert seconds == [(day - dt.date(1970, 1, 1)).days * 86400.0 for day in DAYS[1:]]
    assert kind.from_array(kind.to_array(frame)).equals(frame)
    for cell in (20240405, 20240405.0, "20240405", "2024-04-05", dt.date(2024, 4, 5)):
        assert kind.to_array(pl.DataFrame({"day": [cell]})).tolist() == [[19_818 * 86400]]


def test_dates_of_one_number_that_cannot_be_read_are_gaps():
    frame = pl.DataFrame({"day": [0, *COMPACT[1:]]})
    said = "Column 'day' is datetime, but for 0 in row 0 (rows are counted from 0). What can't be read counts as missing."
    with pytest.warns(hg.HourglassWarning) as caught:
        kind = learned(frame)
    assert [str(warning.message) for warning in caught] == [said]
    with pytest.warns(hg.HourglassWarning) as caught:
        opened = kind.opened(frame)
    assert [str(warning.message) for warning in caught] == [said]
    assert opened["day"].to_list() == [None, *COMPACT[1:]]


@pytest.mark.parametrize(
    "numbers",
    [
        np.random.default_rng(0).integers(19_000_101, 20_991_231, 60),
        [20240101] * 60,
        [2024, 2025, 2026] * 20,
        [11240101, 11240102] * 30,
    ],
    ids=["random", "one day", "years", "long ago"],
)
def test_numbers_that_are_no_dates(numbers):
    assert schema.learn(pl.Series("n", numbers)).type == "numeric"


def test_dates_of_pandas_come_back_without_a_clock():
    frame = pd.DataFrame({"day": pd.to_datetime(DAYS), "at": pd.to_datetime(DAYS) + pd.Timedelta(hours=9)})
    kind = learned(frame)
    assert [column.whole_days for column in kind.columns] == [True, False]
    found = kind.from_array(kind.to_array(frame) + 20_000.25)
    assert (found["day"] == frame["day"]).all()
    assert (found["at"] == frame["at"] + pd.Timedelta(seconds=20_000)).all()


def test_times_of_a_day_lie_on_its_cycle_and_are_no_dates(sentence):
    frame = pl.DataFrame({"at": [f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in (0, 30)]})
    kind = learned(frame)
    assert kind.columns[0].why == "text that reads as times of the day"
    assert (kind.cells[0].plain, kind.cells[0].cycles) == (True, (86400.0,))
    later = {"12:30": 45_000, "12:30:11": 45_011, "2:30 PM": 52_200, dt.time(3, 4): 11_040}
    for cell, seconds in later.items():
        assert kind.to_array(pl.DataFrame({"at": [cell]})).tolist() == [[seconds]]
    assert kind.from_array(np.array([[-5.0], [86_500.0]]))["at"].to_list() == ["00:00", "23:59"]
    assert sentence(hg.DataError, kind.to_array, pl.DataFrame({"at": ["2024-01-01"]})).startswith(
        "Column 'at' is datetime, and holds '2024-01-01' in row 0"
    )
    dates = learned(pl.DataFrame({"at": [f"2024-01-{day:02d}" for day in range(1, 29)]}))
    for cell in ("12:30", dt.time(12, 30)):
        assert sentence(hg.DataError, dates.to_array, pl.DataFrame({"at": [cell]})).startswith("Column 'at' is datetime, and holds")


@pytest.mark.parametrize(
    ("texts", "numbers", "why"),
    [
        (["$1,234.50", "$7", "-$2.5"], [1234.5, 7, -2.5], "text that reads as numbers, '$1,234.50' as 1234.50"),
        (["1.234,50 €", "7 €", "-2,5 €"], [1234.5, 7, -2.5], "text that reads as numbers, '1.234,50 €' as 1234.50"),
        (["12%", "7.5 %", "0 %"], [12, 7.5, 0], "text that reads as numbers, '12%' as 12"),
        (["1,100", "2,350", "7"], [1100, 2350, 7], "text that reads as numbers, '1,100' as 1100"),
    ],
)
def test_prices_and_percents_are_numbers_and_that_is_said(texts, numbers, why):
    column = pl.Series("price", texts * 20)
    known = schema.learn(column)
    assert (known.type, known.why) == ("numeric", why)
    np.testing.assert_array_equal(of_columns.to_numbers(known, column)[:3], numbers)
    np.testing.assert_array_equal(
        of_columns.to_numbers(known, pl.Series("price", map(float, numbers))), numbers
    )  # next month as numbers
    assert of_columns.from_numbers(known, np.array(numbers)).to_list() == numbers


def test_the_form_of_numbers_is_remembered_for_rows_that_do_not_show_it():
    known = schema.learn(pl.Series("a", ["1.100,5", "2.350"] * 20))
    assert of_columns.to_numbers(known, pl.Series("a", ["1.100"])).tolist() == [1100]
    assert of_columns.to_numbers(known, pl.Series("a", ["1.5", "2.25"])).tolist() == [1.5, 2.25]


PRICES = pl.DataFrame({"price": [f"{i % 30}.5" for i in range(100)], "x": rng.normal(size=100)})
UNREAD = PRICES.with_columns(price=pl.when(pl.int_range(100).is_in([7, 31])).then(pl.lit("n/d")).otherwise("price"))
SAID = (
    "Column 'price' is numeric, but for 'n/d' in row 7, 'n/d' in row 31 (rows are counted from 0). "
    "What can't be read counts as missing."
)


def as_objects_of(frame):
    return np.array(frame.rows(), dtype=object)


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, as_objects_of])
def test_a_few_cells_that_are_no_numbers_are_gaps(convert):
    name = "x0" if convert is as_objects_of else "price"
    with pytest.warns(hg.HourglassWarning) as caught:
        model = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(convert(UNREAD))
    assert [str(warning.message) for warning in caught] == [SAID.replace("price", name)]
    assert model.schema_["missing"].to_list() == [0.02, 0]
    gaps = PRICES.with_columns(price=pl.when(~pl.int_range(100).is_in([7, 31])).then("price"))
    with pytest.warns(hg.HourglassWarning) as caught:
        codes = model.transform(convert(UNREAD))
    assert {str(warning.message) for warning in caught} == {SAID.replace("price", name)}
    np.testing.assert_array_equal(codes, model.transform(convert(gaps)))
    with pytest.warns(hg.HourglassWarning):
        back = model.reconstruct(convert(UNREAD))
    assert type(back) is type(convert(UNREAD))


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_cells_that_are_no_numbers_among_those_of_floats(convert):
    numbers = PRICES.cast({"price": pl.Float64})
    detector = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(convert(numbers))
    with pytest.warns(hg.HourglassWarning) as caught:
        found = detector.alarms(convert(UNREAD))
    assert {str(warning.message) for warning in caught} == {SAID}
    empty = numbers.with_columns(price=pl.when(~pl.int_range(100).is_in([7, 31])).then("price"))
    assert found.equals(detector.alarms(convert(empty)))
    others = ~pl.int_range(100, eager=True).is_in([7, 31])
    assert found.filter(others).equals(detector.alarms(convert(numbers)).filter(others))


def test_rows_of_a_batch_are_counted_as_in_its_file(sentence):
    kind = learned(PRICES)
    endless = PRICES.with_columns(x=pl.when(pl.int_range(100) == 3).then(pl.lit(np.inf)).otherwise("x"))
    with counted_from(1000):
        with pytest.warns(hg.HourglassWarning) as caught:
            kind.opened(UNREAD)
        said = sentence(hg.DataError, kind.to_array, endless)
    assert [str(warning.message) for warning in caught] == [SAID.replace("row 7", "row 1007").replace("row 31", "row 1031")]
    assert said == "Column 'x' holds inf in row 1003 (counted from 0). Leave that row out, or its cell empty."
    assert "row 3 (counted" in sentence(hg.DataError, kind.to_array, endless)


def test_a_column_of_which_most_is_of_another_type_is_refused(sentence):
    model = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(PRICES)
    words = PRICES.with_columns(price=pl.when(pl.int_range(100) % 2 == 0).then("price").otherwise(pl.lit("cheap")))
    assert sentence(hg.DataError, model.transform, words[1:]) == (
        "Column 'price' is numeric, and holds 'cheap' in row 0 (counted from 0). "
        "Repair that cell, or say columns={'price': 'categorical'} when fitting."
    )


def test_what_to_say_of_a_column_that_is_mostly_numbers():
    nearly = pl.DataFrame({"a": ["n/d" if i < 107 else f"{i}.25" for i in range(2000)], "x": rng.normal(size=2000)})
    with pytest.warns(hg.HourglassWarning, match="1,894 different values in 2,000 rows, 94% of them numbers"):
        learned(nearly)
    half = pl.DataFrame({"a": ["n/d" if i % 4 == 0 else f"{i}.25" for i in range(400)], "x": rng.normal(size=400)})
    why = "301 different values in 400 rows, 75% of them numbers; as 'numeric', the others would be gaps"
    with pytest.warns(hg.HourglassWarning, match=f"Column 'a' is of no use .{why}.. It is left out"):
        learned(half)
    with pytest.warns(hg.HourglassWarning, match="Column 'a' is numeric, but for 'n/d' in row 0, .* and 97 more"):
        assert learned(half, columns={"a": "numeric"}).columns[0].missing == 0.25


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_columns_that_the_model_has_not_are_left_aside(model, convert):
    more = FRAME.with_columns(new=pl.lit("u"), other=1).select("new", *FRAME.columns, "other")
    with pytest.warns(hg.HourglassWarning) as caught:
        codes = model.transform(convert(more))
    assert {str(warning.message) for warning in caught} == {
        "The model was fitted without a column 'new' (and 1 more): what is in it is left aside."
    }
    np.testing.assert_array_equal(codes, model.transform(FRAME))
    with pytest.warns(hg.HourglassWarning):
        assert list(hg.kinds.frames.column_names(model.reconstruct(convert(more)))) == FRAME.columns


@pytest.mark.parametrize("words", [["True", "False"], ["TRUE", "FALSE"], ["true", "false"]])
def test_text_that_is_true_or_false_is_boolean(words):
    column = pl.Series("a", words * 20)
    known = schema.learn(column)
    assert (known.type, known.levels) == ("boolean", (words[1], words[0]))
    for same in (pl.Series([True, False]), pl.Series([1, 0]), pl.Series(["TRUE", "false"]), pl.Series(["1", "0"])):
        assert of_columns.to_numbers(known, same).tolist() == [1, 0]
    assert of_columns.from_numbers(known, np.array([1.0, 0.0])).to_list() == words
    with pytest.raises(hg.DataError, match="Column 'a' is boolean, and holds 'ja' in row 0"):
        of_columns.to_numbers(known, pl.Series(["ja", "nein"]))


def test_types_can_be_overruled():
    table = pl.DataFrame({"zip": [10, 20, 30, 10] * 20, "x": rng.normal(size=80)})
    kind = learned(table, columns={"zip": "categorical"})
    assert kind.columns[0].levels == ("10", "20", "30", "other")
    assert kind.from_tensor(kind.to_tensor(table)).equals(table)
    with pytest.raises(hg.ParameterError, match=r"has no type 'category' for 'zip'\. Did you mean 'categorical'\?"):
        learned(table, columns={"zip": "category"})
    with pytest.raises(hg.ParameterError, match=r"has no choice 'zap'\. Did you mean 'zip'\?"):
        learned(table, columns={"zap": "categorical"})


def test_heavy_tails_are_drawn_in():
    values = np.c_[rng.lognormal(0, 3, 3000), rng.normal(size=3000)]
    kind = learned(values)
    x = kind.scaling(kind.to_tensor(values))(kind.to_tensor(values)).numpy()
    np.testing.assert_allclose(x[:, 1], (values[:, 1] - values[:, 1].mean()) / values[:, 1].std())
    assert values[:, 0].max() > 20 * values[:, 0].std()
    assert 5 < x[:, 0].max() < values[:, 0].max() / values[:, 0].std()


def test_a_file_gives_the_same_numbers(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    loaded = hg.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.transform(FRAME), model.transform(FRAME))
    assert loaded.schema_.equals(model.schema_)
    assert loaded.columns == KNOWN


def test_errors_of_columns(model):
    errors = model.feature_errors(FRAME)
    assert errors.shape == FRAME.shape
    assert np.isnan(errors[:, [0, 7, 8]]).all()
    assert (errors[::5, 9] == 0).all()  # missing


def test_mixed_counts_nats_a_column():
    mixed = hg.Mixed().build((4,), ((1, 4),))
    target, output = torch.tensor([[0.5, 0.0, 1.0, 0.0], [torch.nan] * 4]), torch.tensor([[0.0, 1.0, 2.0, 3.0]] * 2)
    nats = mixed.of_rows(target, output)
    of_number = 0.5 * (np.log(2 * np.pi) + 0.25)
    of_category = -2 + np.log(np.exp([1, 2, 3]).sum())
    np.testing.assert_allclose(nats, [of_number + of_category, 0], rtol=1e-6)
    torch.testing.assert_close(mixed.total(target, output), nats.sum())
    output.requires_grad_()
    mixed.total(target, output).backward()
    assert output.grad.isfinite().all()
    assert (output.grad[1] == 0).all()


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (pd.DataFrame({"b": [1, "x", 2.5] * 20}), "Column 'b' mixes types: 1 is an int, 'x' is a str. Give it one type."),
        (
            pd.DataFrame({"b": pd.Series([2**70, 1], dtype=object)}),
            "Column 'b' holds an int that no column of a table can: 1180591620717411303424.",
        ),
        (
            pd.DataFrame(np.ones((3, 2)), columns=["a", 7]),
            "Of the names of the columns some are text, and 7 is not. Make them alike.",
        ),
        (
            pl.DataFrame({"a": [[1, 2], [3]], "b": [1, 2]}),
            "Column 'a' holds List values, not one number, word or date in each row. "
            "Unnest it into columns of its own, or leave it out: columns={'a': 'left out'}.",
        ),
        (
            pd.DataFrame(np.ones((3, 3)), columns=["a", "b", "a"]),
            "The table has 2 columns called 'a'. Rename all but one.",
        ),
        (
            pl.DataFrame({"a": [1.0, np.inf, 2.0]}),
            "Column 'a' holds inf in row 1 (counted from 0). Leave that row out, or its cell empty.",
        ),
        (
            pl.DataFrame({"a": pl.Series([None, None], dtype=pl.Float64)}),
            "No column is left to learn from: 'a' is of no use (no row has a value).",
        ),
        (
            pl.DataFrame({"a": [5.0] * 40, "b": ["x"] * 40}),
            "All 40 rows are equal, so there is nothing to learn. Check that the right file was read.",
        ),
    ],
    ids=["mixed types", "no column can", "names", "nested", "two of a name", "infinity", "all missing", "constant"],
)
@pytest.mark.filterwarnings("ignore:Column 'a' .and 1 more. is constant")
def test_what_cannot_be_learned_from(frame, sentence):
    with pytest.raises(hg.DataError) as caught:
        hg.Autoencoder(1, max_epochs=1).fit(frame)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((20, 30, 3), "Pictures (n, height, width) are kind='image', series (n, time, channels) kind='series'. "),
        (
            (20, 3, 8, 8),
            "Pictures (n, height, width, channels) are kind='image': where channels come first, pass X.transpose(0, 2, 3, 1). ",
        ),
        ((20, 3, 8, 8, 2), ""),
    ],
)
def test_arrays_that_are_of_another_kind(shape, how):
    with pytest.raises(hg.DataError) as caught:
        hg.Autoencoder(1, kind="table").fit(np.zeros(shape))
    assert str(caught.value) == (
        f"Expected 2D array, got {len(shape)}D array instead: a table has rows and columns. {how}"
        "To take all of a row as columns, pass X.reshape(len(X), -1)."
    )


def test_an_array_with_an_empty_column():
    with pytest.raises(hg.DataError, match=r"Column 1 has no value in any row\. Leave it out\."):
        learned(np.c_[np.arange(9.0), np.full(9, np.nan)])


def test_a_category_of_one_level_is_constant():
    with pytest.warns(hg.HourglassWarning) as caught:
        learned(pl.DataFrame({"a": ["x"] * 40, "b": rng.normal(size=40)}))
    assert str(caught[0].message) == "Column 'a' is constant, 'x' in every row: it teaches nothing and is rebuilt as it is."


def test_another_likelihood_beside_gaps():
    with pytest.raises(hg.ParameterError, match=r"can't be Gaussian\(variance=1.0\) for .* with missing cells. Use Mixed\(\)."):
        hg.Autoencoder(2, columns=KNOWN, likelihood=hg.Gaussian()).fit(FRAME)


@pytest.mark.parametrize("cycles", [(86400.0,), (86400.0, 604800.0), (86400.0, 604800.0, 31556952.0)])
def test_a_time_comes_back_from_its_cycles(cycles):
    times = torch.tensor([1.7e9, 1.71234567e9, 1.6e9], dtype=torch.float64)
    found = on_cycles(expand(times[:, None], (Cell(plain=False, cycles=cycles),)), cycles)
    for period in cycles[:1] if len(cycles) == 3 else cycles:  # a year is no whole number of weeks
        apart = (found - times + period / 2).remainder(period) - period / 2
        assert apart.abs().max() < 1
    apart = (found - times + cycles[-1] / 2).remainder(cycles[-1]) - cycles[-1] / 2
    assert apart.abs().max() < 4.01 * 86400


@pytest.mark.parametrize(
    ("place", "observed", "expected", "words"),
    [
        (0, 1234.5, 1200.123456, "price is 1,234.5, expected 1,200.12; usual are 10 to 2,000"),
        (0, 1e7, 0.1 + 0.2, "price is 10,000,000, expected 0.3; usual are 10 to 2,000"),
        (0, 20.0, 20.0000001, "price is 20, unusual beside the other columns; usual are 10 to 2,000"),
        (1, 0.0, 1.0, "city is 'Rome' (12.50% of the training rows), expected 'Oslo'"),
        (1, 0.0, 0.0, "city is 'Rome' (12.50% of the training rows), unusual beside the other columns"),
        (1, 2.0, 2.0, "city is a rare or unknown level (12.50% of the training rows), unusual beside the other columns"),
        (2, 3600.0, 7200.0, "at is 1970-01-01 01:00:00, expected about 02:00"),
        (2, 3600.0, 3610.0, "at is 1970-01-01 01:00:00, unusual beside the other columns"),
        (3, 11520.0, 43538.09416, "call is 3:12:00, expected 12:05:38; usual are 0:00:10 to 0:33:20"),
        (5, 2.0, 0.0, "shoe is a rare or unknown level (12.50% of the training rows), expected 36.5"),
        (4, 12.345, 11.1151, "cost is 12.345, expected 11.12; usual are 10 to 2,000"),
        (4, 12.34, 12.3442, "cost is 12.34, unusual beside the other columns; usual are 10 to 2,000"),
    ],
)
def test_why_a_cell_is_strange(place, observed, expected, words):
    columns = (
        of_columns.Column("price"),
        of_columns.Column("city", type="categorical", dtype="String", levels=("Rome", "Oslo", "other"), cell=Cell(3)),
        of_columns.Column("at", type="datetime", dtype="Datetime", cell=Cell(plain=False, cycles=(86400.0,))),
        of_columns.Column("call", dtype="Duration", decimals=0),
        of_columns.Column("cost", decimals=2),
        of_columns.Column("shoe", type="categorical", levels=("36.5", "37", "other"), cell=Cell(3)),
    )
    kind = KINDS["table"]((8,), "float64", columns, "polars")
    assert kind.reason(place, observed, expected, (10.0, 2000.0), 0.125) == words


def test_a_usual_range_of_one_number():
    kind = KINDS["table"]((1,), "float64")
    assert (kind.cells is kind.cells, kind.used is kind.used) == (True, True)  # made once, not for each reason
    assert kind.reason(0, 5.0, 0.0, (0.0, 0.0), 1.0) == "x0 is 5, expected 0; usual is 0"


def test_an_expected_time_is_told_on_the_cycle_that_is_furthest_off():
    at = of_columns.Column("at", type="datetime", cell=Cell(plain=False, cycles=(86400.0, 604800.0)))
    day, friday = 86400, 86400 * 1  # 1970-01-02 was a Friday
    assert of_columns.expected_time(at, friday + 3 * 3600, friday + 14.5 * 3600) == "about 14:30"
    assert of_columns.expected_time(at, friday + 3 * day + 1000, friday) == "on a Friday"
    assert of_columns.expected_time(at, friday + 10, friday) is None


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.Boolean])
def test_truths_come_back_as_they_were_written(dtype):
    frame = pl.DataFrame({"x": np.arange(40.0), "fraud": pl.Series([0, 1, None, 0] * 10).cast(dtype)})
    kind = KINDS["table"].learn(frame, {"fraud": "boolean"})
    assert kind.from_tensor(kind.to_tensor(frame))["fraud"].equals(frame["fraud"])


def test_the_level_of_a_number_does_not_depend_on_the_rows_beside_it():
    sizes = pl.DataFrame({"size": [36.0, 36.5, 37.0] * 20, "x": np.arange(60.0)})
    kind = KINDS["table"].learn(sizes, {"size": "categorical"})
    assert kind.columns[0].levels[:3] == ("36", "36.5", "37")
    together = kind.to_tensor(sizes[:3])
    torch.testing.assert_close(torch.cat([kind.to_tensor(sizes[i : i + 1]) for i in range(3)]), together)
    assert kind.from_tensor(together)["size"].to_list() == [36.0, 36.5, 37.0]


def test_rows_of_a_frame_are_counted_whatever_its_index():
    later = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)}, index=1.7e9 + 60.0 * np.arange(60))
    model = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(later)
    np.testing.assert_array_equal(model.transform(later), model.transform(later.reset_index(drop=True)))


@pytest.mark.parametrize(
    ("values", "type_", "first"),
    [
        (pd.cut(np.arange(40.0) % 8, [-1, 3, 9]), "categorical", 0),
        (pd.period_range("2024-01", periods=2, freq="M")[np.arange(40) % 2], "datetime", 1_704_067_200),
        (pd.period_range("2024Q1", periods=2, freq="Q")[np.arange(40) % 2], "categorical", 0),
        (pd.arrays.SparseArray(np.arange(40.0)), "numeric", 0),
        (pd.arrays.SparseArray(np.arange(40) % 3 == 0), "boolean", 1),
    ],
    ids=["intervals", "months", "quarters", "sparse numbers", "sparse truths"],
)
def test_columns_of_pandas_that_polars_has_no_type_for(values, type_, first):
    kind = KINDS["table"].learn(pd.DataFrame({"c": values, "x": np.arange(40.0)}))
    assert kind.columns[0].type == type_
    assert kind.to_array(pd.DataFrame({"c": values, "x": np.arange(40.0)}))[0, 0] == first


def test_intervals_of_pandas_come_back():
    frame = pd.DataFrame({"c": pd.cut(np.arange(40.0) % 8, [-1, 3, 9]), "x": np.arange(40.0) % 8}, index=np.arange(40)[::-1])
    frame.loc[7, "c"] = np.nan
    kind = KINDS["table"].learn(frame)
    assert kind.columns[0].levels == ("(3, 9]", "(-1, 3]", "other")
    for some in (frame, frame.dropna()):
        pd.testing.assert_frame_equal(kind.from_tensor(kind.to_tensor(some), some), some)


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_an_array_of_times_is_no_array_of_numbers(unit):
    days = np.datetime64("2024-01-01", unit) + np.arange(60).astype("timedelta64[D]")
    days = np.column_stack([days, days[::-1]])
    days[3, 0] = np.datetime64("NaT")
    kind = KINDS["table"].learn(days)
    assert [column.type for column in kind.columns] == ["datetime", "datetime"]
    np.testing.assert_array_equal(kind.to_array(days)[2:4], [[1704240000.0, 1708992000.0], [np.nan, 1708905600.0]])


def test_a_lazy_frame_is_collected():
    lazy = FRAME.lazy().select("amount", "city")
    assert hg.Autoencoder(1, max_epochs=1, random_state=0).fit(lazy).transform(lazy).shape == (N, 1)


def test_the_names_of_columns_stay_numbers():
    table = pd.DataFrame({0: np.arange(40.0), 7: np.arange(40.0) ** 2, 9: ["a", "b"] * 20})
    back = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(table).reconstruct(table)
    assert back.columns.tolist() == [0, 7, 9]


def test_a_time_in_another_zone_is_the_same_time():
    here = pl.DataFrame(
        {"t": pl.datetime_range(dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1), "7h", time_zone="America/New_York", eager=True)}
    )
    kind = KINDS["table"].learn(here)
    there = here.with_columns(pl.col("t").dt.convert_time_zone("UTC"))
    np.testing.assert_array_equal(kind.to_array(there), kind.to_array(here))


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("2024-03-{:02}T07:30:00.000000", "%Y-%m-%dT%H:%M:%S%.f"),
        ("2024-03-{:02}T07:30:00Z", "%Y-%m-%dT%H:%M:%S%.fZ"),
        ("2024-03-{:02} 07:30:00+0000", "%Y-%m-%d %H:%M:%S%.f%z"),
        ("{:02}.03.2024 07:30:00", "%d.%m.%Y %H:%M:%S%.f"),
        ("03/{:02}/2024 07:30", "%m/%d/%Y %H:%M"),
        ("2024/03/{:02}", "%Y/%m/%d"),
    ],
)
def test_dates_as_they_are_written(written, form):
    text = pl.Series("t", [written.format(day) for day in range(1, 29)])
    known = schema.learn(text)
    assert (known.type, known.format) == ("datetime", form)
    seconds = of_columns.to_numbers(known, text)
    assert seconds[13] == dt.datetime(2024, 3, 14, *((7, 30) if "07:30" in written else ()), tzinfo=dt.UTC).timestamp()
    assert of_columns.from_numbers(known, seconds)[13] == written.format(14).replace(".000000", "")


@pytest.mark.parametrize("form", ["%Y-%m", "%Y/%m", "%b %Y", "%b-%y"])
def test_months_come_back_as_the_nearest(form):
    months = [dt.date(1990 + month // 12, month % 12 + 1, 1) for month in range(48)]
    text = pl.Series("m", [f"{month:{form}}" for month in months])
    known = schema.learn(text)
    assert (known.type, known.format, known.cell.cycles) == ("datetime", form, (of_columns.YEAR,))  # all are first days: no week
    seconds = of_columns.to_numbers(known, text)
    assert seconds.tolist() == [(month - dt.date(1970, 1, 1)).days * 86400.0 for month in months]
    for days in (-13, 0, 13):
        assert of_columns.from_numbers(known, seconds + days * 86400).equals(text)
    assert of_columns.to_numbers(known, pl.Series("m", ["1994-03-14"])) == dt.datetime(1994, 3, 14, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("learned_as", "later"),
    [
        ("2024-03-14", "2024-03-14T00:00:00Z"),
        ("2024-03-14", "14-Mar-24"),
        ("14.03.2024", "14.03.2024 00:00"),
        ("14.03.2024", "14.03.24"),
        ("03/14/24", "3/14/2024 12:00 AM"),
        ("2024-03-14T00:00:00.000", "2024-03-14"),
    ],
)
def test_dates_in_another_form_that_can_mean_one_day_alone(learned_as, later):
    known = schema.learn(pl.Series("d", [learned_as] * 20))
    assert of_columns.to_numbers(known, pl.Series("d", [later, None]))[0] == dt.datetime(2024, 3, 14, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize("days", [["2024-03-14"], ["20240314", "20240315", "20240317"], ["2024-03"]])
def test_dates_whose_day_may_be_the_month_stay_refused(days):
    known = schema.learn(pl.Series("d", days * 20))
    with pytest.raises(hg.DataError, match="Column 'd' is datetime, and holds '03/04/2024' in row 0"):
        of_columns.to_numbers(known, pl.Series("d", ["03/04/2024"]))


def test_a_few_cells_that_are_no_dates_are_gaps():
    column = pl.Series("d", [f"14.03.{year}" for year in range(1950, 2000)] + ["unknown"])
    with pytest.warns(hg.HourglassWarning, match="Column 'd' is datetime, but for 'unknown' in row 50 "):
        known = schema.learn(column)
    assert known.format == "%d.%m.%Y"
    assert np.flatnonzero(np.isnan(of_columns.to_numbers(known, column))).tolist() == [50]


def test_times_learned_as_such_are_read_from_text():
    times = pl.Series("t", [dt.datetime(2024, 1, 1) + dt.timedelta(hours=7 * i) for i in range(100)])
    known = schema.learn(times)
    np.testing.assert_array_equal(of_columns.to_numbers(known, times.cast(pl.String)), of_columns.to_numbers(known, times))
    with pytest.raises(hg.DataError, match="Column 't' is datetime, and holds '01/02/2024' in row 0"):
        of_columns.to_numbers(known, pl.Series("t", ["01/02/2024"]))  # the first of February, or the second of January


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([dt.date(2020, 1, 1), dt.date(2021, 1, 1)], ["2020-01-01", "2021-01-01"]),
        ([dt.timedelta(seconds=1), dt.timedelta(seconds=2)], ["1000000", "2000000"]),
        ([Decimal("1.50"), Decimal("2.25")], ["1.50", "2.25"]),
        ([1.5, 2.0], [1.5, 2.0]),
    ],
)
def test_categories_that_are_no_words_come_back(values, levels):
    column = pl.Series("c", values * 20)
    known = schema.learn(column, "categorical")
    assert of_columns.from_numbers(known, of_columns.to_numbers(known, column))[:2].to_list() == levels


def test_gaps_that_were_not_there_in_training_cost_nothing_and_are_said(sentence):
    table = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    gap = table.iloc[:2].copy()
    gap.iloc[0, 1] = np.nan
    said = "Column 'b' has gaps, and had none when the model was fitted: its mean stands in for them."
    for model in (hg.Autoencoder(1, max_epochs=1, random_state=0), hg.VariationalAutoencoder(1, max_epochs=1, random_state=0)):
        model.fit(table)
        with pytest.warns(hg.HourglassWarning, match=said):
            scores = model.score_samples(gap)
        with pytest.warns(hg.HourglassWarning, match=said):
            errors = model.feature_errors(gap)
        assert errors[0, 1] == 0
        assert (np.isfinite(scores).all(), np.isfinite(errors).all()) == (True, True)
    plain = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(table)
    with pytest.warns(hg.HourglassWarning, match=said):
        nats = 0.5 * (plain.feature_errors(gap).sum(1) + np.log(2 * np.pi) * np.array([1, 2]))
    with pytest.warns(hg.HourglassWarning, match=said):
        np.testing.assert_allclose(plain.score_samples(gap), -nats, rtol=1e-5)
    assert sentence(hg.DataError, plain.partial_fit, gap) == (
        "Row 0 has a gap, and what this Autoencoder learned from first had none. "
        "Fill it, or begin with rows of which some have gaps."
    )
    numbers = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(table.to_numpy())
    with pytest.warns(hg.HourglassWarning, match="Column 'x1' has gaps, and had none when the model was fitted"):
        numbers.transform(gap.to_numpy())


def of_all(raw, **given):
    """Rows to numbers and back: the kind, the rows of codes alone, and those in the place of the first."""
    kind = learned(raw, **given)
    assert kind_from_config(json.loads(json.dumps(kind.to_config()))) == kind
    numbers = kind.to_array(raw)
    return kind, kind.from_array(numbers), kind.from_array(numbers, raw)


@pytest.mark.parametrize("gap", ["nan", "NaN", "NA", "+nan", " ", None])
def test_words_for_nothing_among_numbers_that_are_text_are_gaps(gap):
    kind = learned(pd.DataFrame({"a": ["1.5", " 2", gap, "4"] * 50, "b": ["u", "v"] * 100}))
    assert (kind.columns[0].type, kind.columns[0].missing, kind.gaps) == ("numeric", 0.25, True)
    np.testing.assert_array_equal(kind.to_array(pd.DataFrame({"a": ["7", gap], "b": ["u", "v"]})), [[7, 0], [np.nan, 1]])
    table = pd.DataFrame({"a": ["1.5", "2", gap, "4"] * 50, "b": rng.normal(size=200)})
    assert np.isfinite(hg.Autoencoder(1, max_epochs=1, random_state=0).fit(table).score(table))


def test_words_for_nothing_are_words_among_words():
    assert learned(pl.DataFrame({"a": ["NA", "IT"] * 20})).columns[0].levels == ("IT", "NA", "other")
    assert learned(pl.DataFrame({"a": ["NA", "nan"] * 20})).columns[0].type == "categorical"


@pytest.mark.parametrize("whole", [["01001", "20000"], ["007", "8"]])
def test_digits_behind_a_zero_are_a_code(whole):
    table = pl.DataFrame({"zip": whole * 20, "x": ["0.5", "0"] * 20})
    kind, _, back = of_all(table)
    assert [column.type for column in kind.columns] == ["categorical", "numeric"]
    assert back["zip"].equals(table["zip"])
    assert learned(table, columns={"zip": "numeric"}).to_array(table)[0, 0] == float(whole[0])


NAN = float("nan")


@pytest.mark.parametrize(
    ("rows", "types", "first"),
    [
        ([[1.0, "u"], [NAN, "v"]], ["numeric", "categorical"], [[1, 0], [np.nan, 1]]),
        ([[1, "u"], [2.5, "v"]], ["numeric", "categorical"], [[1, 0], [2.5, 1]]),
        (np.array([["u", 1.0], [NAN, 2.0]], dtype=object), ["categorical", "numeric"], [[0, 1], [np.nan, 2]]),
        (np.array([["u", 1], ["v", pd.NA]], dtype=object), ["categorical", "numeric"], [[0, 1], [1, np.nan]]),
        (np.array([[pd.Timestamp(0), "u"], [pd.NaT, "v"]], dtype=object), ["datetime", "categorical"], [[0, 0], [np.nan, 1]]),
    ],
    ids=["list with a gap", "list of ints and floats", "NaN beside text", "NA", "NaT"],
)
def test_rows_of_several_types(rows, types, first):
    raw = as_raw([*rows] * 20 if isinstance(rows, list) else np.tile(rows, (20, 1)))
    kind = learned(raw)
    assert [column.type for column in kind.columns] == types
    np.testing.assert_array_equal(kind.to_array(raw)[:2], first)
    assert kind.gaps == bool(np.isnan(first).any())


def test_numbers_that_pandas_calls_categories_are_categories():
    table = pd.DataFrame(
        {
            "whole": pd.Categorical([3, 1, 2, 1] * 20, categories=[1, 2, 3, 9], ordered=True),
            "float": pd.Categorical([1.5, 2.0, None, 2.0] * 20),
            "text": pd.Categorical(["u", "v", "v", "w"] * 20, categories=["w", "v", "u", "z"], ordered=True),
            "x": rng.normal(size=80),
        }
    )
    kind, alone, back = of_all(table)
    assert [column.type for column in kind.columns] == ["categorical"] * 3 + ["numeric"]
    assert kind.columns[0].levels == ("1", "2", "3", "other")
    pd.testing.assert_frame_equal(back, table)
    pd.testing.assert_frame_equal(alone, table)
    assert kind.to_array(table.astype({"whole": int}))[:3, 0].tolist() == [2, 0, 1]
    assert of_all(table, columns={"whole": "numeric"})[2]["whole"][:2].tolist() == [3, 1]
    rare = pd.DataFrame({"c": pd.Categorical([3, 1] * 40 + [7])})
    assert of_all(rare)[2]["c"].tolist()[-2:] == [1, "other"]


def test_types_come_back_whole():
    hours = [dt.timedelta(hours=i) for i in range(40)]
    times = pl.Series([dt.datetime(2024, 1, 1) + hour for hour in hours])
    table = pl.DataFrame(
        {
            "size": pl.Series(["u", "v"] * 20, dtype=pl.Enum(["v", "u", "z"])),
            "at": times.cast(pl.Datetime("ms")),
            "there": times.cast(pl.Datetime("ns", "Europe/Rome")),
            "took": pl.Series(hours, dtype=pl.Duration("ms")),
        }
    )
    for back in of_all(table)[1:]:
        assert back.equals(table)
        assert back.schema == table.schema


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt64, pl.Float16, pl.Float32], ids=str)
def test_numbers_of_all_types_come_back(dtype):
    table = pl.DataFrame({"n": pl.Series([3, 1, None, 2] * 15).cast(dtype), "x": np.arange(60.0)})
    for convert in (pl.DataFrame, pl.DataFrame.to_arrow):
        for back in of_all(convert(table))[1:]:
            assert type(back) is type(convert(table))
            assert back.equals(convert(table))


def test_decimals_come_back_as_such_within_what_they_hold():
    table = pl.DataFrame({"price": pl.Series([Decimal("1.50"), Decimal("12.25"), None] * 20, dtype=pl.Decimal(5, 2))})
    for back in of_all(table)[1:]:
        assert back.schema == table.schema
        assert back.equals(table)
    kind = learned(table)
    beyond = kind.from_array(np.array([[1e5], [-1e5], [7.256]]))
    assert beyond["price"].to_list() == [Decimal("999.99"), Decimal("-999.99"), Decimal("7.26")]
    assert kind.filled(table, np.full((60, 1), 3.14159))["price"][:3].to_list() == [*table["price"][:2], Decimal("3.14")]


def test_types_of_pyarrow_that_polars_has_not_come_back():
    days = [dt.datetime(2024, 1, 1) + dt.timedelta(days=day) for day in range(60)]
    table = pa.table(
        {
            "word": pa.array(["u", "v"] * 30, pa.string()),
            "level": pa.array(["u", "v"] * 30).dictionary_encode(),
            "at": pa.array(days, pa.timestamp("s")),
            "day": pa.array(days, pa.date64()),
            "clock": pa.array([dt.time(i % 24, 30) for i in range(60)], pa.time32("s")),
            "took": pa.array([dt.timedelta(minutes=i) for i in range(60)], pa.duration("s")),
        }
    )
    _, alone, back = of_all(table)
    assert back.schema == table.schema
    assert back.equals(table)
    assert alone.to_pylist() == [row | {"day": dt.datetime.combine(row["day"], dt.time())} for row in table.to_pylist()]


def test_a_table_of_which_all_is_to_be_left_out_is_refused():
    with pytest.raises(hg.DataError, match=r"^No column is left to learn from: 'a' is of no use \(as asked\) \(and 1 more\)\.$"):
        hg.AnomalyDetector(columns={"a": "left out", "b": "identifier"}).fit(pl.DataFrame({"a": range(60), "b": range(60)}))


def test_dictionaries_of_numbers_in_pyarrow_come_back_as_numbers():
    counts = pa.array([1, 2, None] * 20)
    _, alone, back = of_all(pa.table({"n": counts.dictionary_encode(), "x": [0.5, 1.5, 2.5] * 20}))
    assert back.schema == alone.schema == pa.schema({"n": pa.int64(), "x": pa.float64()})
    assert back["n"].combine_chunks().equals(counts)
    digits = pa.array([Decimal(2), Decimal(3)] * 30, pa.decimal256(40, 2))
    with pytest.raises(hg.DataError, match="Column 'n' holds a Decimal256Scalar that no column of a table can"):
        learned(pa.table({"n": digits}))


def test_times_in_seconds_come_back_in_seconds():
    days = np.datetime64("2024-01-01", "s") + np.arange(60).astype("timedelta64[D]")
    table = pd.DataFrame({"at": days, "took": days - days[0]})
    assert [str(dtype) for dtype in table.dtypes] == ["datetime64[s]", "timedelta64[s]"]
    pd.testing.assert_frame_equal(of_all(table)[2], table)
    here = table.assign(at=table["at"].dt.tz_localize("Europe/Rome"))
    assert str(here["at"].dtype) == "datetime64[s, Europe/Rome]"
    pd.testing.assert_frame_equal(of_all(here)[2], here)
    kind = learned(here)
    assert str(kind.from_array(kind.to_array(here), table)["at"].dtype) == "datetime64[ms, Europe/Rome]"  # as it was learned
    array = np.column_stack([days, days[::-1]])
    back = of_all(array)[2]
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_what_no_column_can_be_is_left_out_if_that_is_asked_for(convert):
    table = convert(pl.DataFrame({"a": [[i, 2] for i in range(40)], "b": [b"z"] * 40, "x": [1.0, None] * 20}))
    kind, alone, back = of_all(table, columns={"a": "left out", "b": "identifier"})
    assert [*pl.DataFrame(alone).columns] == ["x"]
    assert pl.DataFrame(back).equals(pl.DataFrame(table))
    filled = pl.DataFrame(kind.filled(table, np.full((40, 1), 7.2)))
    assert filled.row(1) == ([1, 2], b"z", 7.0)


@pytest.mark.parametrize("name", ["count", "*", "^x.*$", "", "value", "level"])
@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas])
def test_whatever_a_column_is_called(name, convert):
    words, numbers, times = ["u", "v"] * 20, np.arange(40.0) % 7, [dt.datetime(2024, 1, 1 + day % 7) for day in range(40)]
    for values in (words, numbers, times, [1, 0] * 20):
        table = convert(pl.DataFrame({name: pl.Series(values), "x1": np.arange(40.0) % 9}))
        kind, alone, back = of_all(table)
        assert kind.columns[0].used
        assert [*back.columns] == [*alone.columns] == [name, "x1"]
        assert back.equals(table)
    model = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(table, condition=pl.DataFrame({name: words}))
    assert model.transform(table, pl.DataFrame({name: ["u"]})).shape == (40, 1)


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas])
def test_results_have_the_order_of_the_columns_that_came(model, convert):
    order = ["city", "id", "amount", *(name for name in FRAME.columns[::-1] if name not in ("city", "id", "amount"))]
    other = convert(FRAME.select(order))
    places = [FRAME.columns.index(name) for name in order]
    np.testing.assert_array_equal(model.feature_errors(other), model.feature_errors(FRAME)[:, places])
    assert [*model.reconstruct(other).columns] == order
    assert [*model.reconstruct(other)["city"]] == [*model.reconstruct(FRAME)["city"]]
    assert model.feature_errors(convert(FRAME.select(USED))).shape == (N, len(USED))


@pytest.mark.parametrize("labels", [[0, 1, 2], [1.5, 2.5, 3.5], pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])])
def test_labels_of_columns_that_are_no_text_come_back(labels, tmp_path):
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=labels, index=range(100, 160))
    model = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(table)
    model.save(tmp_path / "m.safetensors")
    for each in (model, hg.load(tmp_path / "m.safetensors")):
        assert each.reconstruct(table).columns.equals(table.columns)
        assert each.inverse_transform(each.transform(table)).columns.equals(table.columns)
        assert each.sample(2).columns.equals(table.columns)


def test_codes_as_frames():
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"], index=range(100, 160))
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(table)
    codes = pd.DataFrame(model.transform(table), index=table.index, columns=["code0", "code1"])
    wanted = model.inverse_transform(codes)
    assert wanted.index.equals(table.index)
    polars = pl.DataFrame(codes)
    for other in (codes[["code1", "code0"]], codes.astype("Float64"), polars.lazy().select("code1", "code0"), polars.to_arrow()):
        np.testing.assert_allclose(model.inverse_transform(other), wanted, rtol=1e-6)
    with pytest.raises(hg.DataError, match="The array of codes holds NaN in row 0, column 0"):
        model.inverse_transform(codes.astype("Float64").mask(codes == codes))


def test_what_is_masked_in_an_array_is_a_gap():
    masked = np.ma.masked_equal(np.arange(80).reshape(40, 2) % 7, 3)
    kind = learned(as_raw(masked))
    assert kind.gaps
    np.testing.assert_array_equal(kind.to_array(as_raw(masked))[:3], [[0, 1], [2, np.nan], [4, 5]])
    words = np.ma.array([["u", "v"], ["w", "v"]] * 20, mask=[[False, True], [False, False]] * 20)
    assert [column.missing for column in learned(as_raw(words)).columns] == [0, 0.5]


def test_a_dict_of_columns_and_a_list_of_rows_are_tables():
    table = pl.DataFrame({"a": ["u", "v"] * 20, "b": np.arange(40.0) % 7})
    assert as_raw(table.to_dict()).equals(table)
    assert as_raw(table.to_dict(as_series=False)).equals(table)
    assert as_raw(table.to_dicts()).equals(table)
    assert as_raw(table.to_numpy(structured=True)).equals(table)


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
@pytest.mark.parametrize("names", [["a", "b", "c"], ["x2", "x0", "x1"], ["", "^x.*$", "*"]])
def test_what_learned_from_an_array_rebuilds_a_table(convert, names):
    numbers = rng.normal(size=(60, 3))
    table = convert(pl.DataFrame(dict(zip(names, numbers.T, strict=True))))
    kind, _, _ = of_all(numbers)
    back = kind.from_array(kind.to_array(table), table)
    assert type(back) is type(table)
    assert back.equals(table)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_rows_of_a_table_are_rebuilt_and_mended_as_those_of_the_array_are(convert):
    numbers = rng.normal(size=(60, 3))
    table = convert(pl.DataFrame(numbers, schema=["a", "b", "c"]))
    cleaner = hg.DenoisingAutoencoder(2, max_epochs=1, random_state=0).fit(numbers)
    for method in (cleaner.reconstruct, cleaner.denoise):
        back = method(table)
        assert type(back) is type(table)
        np.testing.assert_array_equal(pl.DataFrame(back).to_numpy(), method(numbers))


def test_labels_and_index_of_pandas_stay_where_an_array_was_learned_from():
    numbers = rng.normal(size=(60, 3))
    table = pd.DataFrame(numbers, columns=[5, 7, 9], index=range(100, 160))
    kind, _, _ = of_all(numbers)
    pd.testing.assert_frame_equal(kind.from_array(kind.to_array(table), table), table)


@pytest.mark.parametrize(
    ("dtype", "high"), [("uint8", 255), ("int16", 2**15 - 1), ("int64", 2**30 + 1), ("float32", 0.1), ("float64", 0.1), ("bool", 1)]
)
def test_a_table_has_the_numbers_of_the_array_that_was_learned_from(dtype, high):
    numbers = np.array([[0, high], [high, 0]] * 30, dtype)
    kind = learned(numbers)
    wanted = kind.to_array(numbers)
    for table in (frame := pl.DataFrame(numbers), frame.to_pandas(), frame.to_arrow()):
        found = kind.to_array(table)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("values", [["u", "v"], [dt.date(2024, 1, 1), dt.date(2024, 1, 2)]])
def test_a_table_of_other_things_is_refused_where_numbers_were_learned(values, sentence):
    words = "The model was fitted on an array of numbers. Got one that holds other things."
    assert sentence(hg.DataError, learned(rng.normal(size=(60, 1))).to_array, pl.DataFrame({"x": values})) == words


def test_types_of_pandas_with_gaps_of_their_own_come_back():
    table = pd.DataFrame(
        {
            "count": pd.array([3, 1, 4, 2] * 20, dtype="Int64"),
            "size": pd.array([0.5, 1.5, 2.5, 3.5] * 20, dtype="Float32"),
            "gift": pd.array([True, False] * 40, dtype="boolean"),
            "city": pd.array(["Rome", "Oslo"] * 40, dtype="string"),
        }
    )
    pd.testing.assert_frame_equal(of_all(table)[2], table)
    halves = table.assign(count=table["count"] + 0.5)
    kind = learned(halves)
    back = kind.from_array(kind.to_array(halves), table)
    assert (back["count"].dtype, back["count"][0]) == ("float64", 3.5)  # the whole numbers that came can't hold what was learned


def test_tensors_with_a_gradient_or_of_half_the_precision_are_arrays():
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    np.testing.assert_array_equal(as_raw(x), x.detach().numpy())
    np.testing.assert_array_equal(as_raw(x.bfloat16()), x.detach().bfloat16().float().numpy())
    assert as_raw(x.double()).dtype == np.float64


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_what_fills_gaps_has_as_many_decimals_as_the_data_and_of_text_at_most_six_digits(convert):
    texts = {
        "rent": ["1.100,55 €", None, "850,00 €"] * 20,
        "floor": ["3", None, "14"] * 20,
        "share": ["0.123456789", None, "0.5"] * 20,
    }
    numbers = {"price": [1.25, None, 7.5] * 20, "rooms": [3.0, None, 2.0] * 20, "length": [1 / 3, None, 0.1] * 20}
    table = convert(pl.DataFrame(texts | numbers))
    kind = TableKind.learn(table)
    filled = kind.filled(table, np.full((60, 6), 1234.56789))
    assert type(filled) is type(table)
    rows = pl.DataFrame(filled).rows()
    assert rows[1] == ("1234.57", "1235", "1234.57", 1234.57, 1235.0, 1234.56789)
    assert [rows[0], rows[2]] == [pl.DataFrame(table).rows()[i] for i in (0, 2)]  # to the bit
