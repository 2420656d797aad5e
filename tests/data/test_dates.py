import datetime as dt

import polars as pl
import pytest

from hourglass.data.dates import as_times, clock_formats, date_formats

TIME = dt.datetime(2025, 1, 29, 14, 21)
DAY = dt.datetime(2025, 1, 29)
MONTH = dt.datetime(2025, 1, 1)


@pytest.mark.parametrize(
    ("written", "form", "time"),
    [
        ("01/29/2025 02:21 PM", "%m/%d/%Y %I:%M %p", TIME),
        ("1/29/25 2:21:30 pm", "%m/%d/%y %I:%M:%S%.f %p", TIME.replace(second=30)),
        ("29-Jan-25", "%d-%b-%y", DAY),
        ("29-JAN-2025", "%d-%b-%Y", DAY),
        ("Jan 29, 2025", "%b %d, %Y", DAY),
        ("January 29, 2025", "%B %d, %Y", DAY),
        ("29 January 2025 14:21", "%d %B %Y %H:%M", TIME),
        ("29. Jan 2025", "%d. %b %Y", DAY),
        ("29.01.2025, 14:21", "%d.%m.%Y, %H:%M", TIME),
        ("2025-01-29 14:21:30.5", "%Y-%m-%d %H:%M:%S%.f", TIME.replace(second=30, microsecond=500_000)),
        ("29.1.25", "%d.%m.%y", DAY),
        ("29/01/25", "%d/%m/%y", DAY),
        (" 2025-01-29 ", "%Y-%m-%d", DAY),
        ("2025-01 ", "%Y-%m", MONTH),
        ("2025/1", "%Y/%m", MONTH),
        ("01/2025", "%m/%Y", MONTH),
        ("Jan 2025", "%b %Y", MONTH),
        ("january 2025", "%B %Y", MONTH),
        ("Jan-2025", "%b-%Y", MONTH),
        ("Jan-69", "%b-%y", dt.datetime(1969, 1, 1)),
    ],
)
def test_forms_of_dates(written, form, time):
    text = pl.Series([written, None, written])
    assert date_formats(text)[0] == form
    assert as_times(text, form).to_list() == [time, None, time]


@pytest.mark.parametrize(
    ("written", "form", "seconds"),
    [
        ("14:21", "%H:%M", 51_660),
        (" 7:05", "%H:%M", 25_500),
        ("14:21:30", "%H:%M:%S%.f", 51_690),
        ("14:21:30.5", "%H:%M:%S%.f", 51_690.5),
        ("02:21 PM", "%I:%M %p", 51_660),
        ("2:21:30 pm", "%I:%M:%S%.f %p", 51_690),
    ],
)
def test_forms_of_times_of_a_day(written, form, seconds):
    text = pl.Series([written, None, written])
    assert clock_formats(text)[0] == form
    assert date_formats(text) == []
    time = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)
    assert as_times(text, form).to_list() == [time, None, time]


@pytest.mark.parametrize("text", ["25:10", "14:61", "2025-01-29", "14:21 h", "3:2:1:0", "12"])
def test_what_is_no_time_of_a_day(text):
    assert clock_formats(pl.Series([text])) == []


def test_years_of_two_digits_are_those_from_1969_to_2068():
    text = pl.Series(["01/29/24", "12/31/69", "12/31/68", "01/01/70", "01/01/00", "02/28/99"])
    (form,) = date_formats(text)
    assert as_times(text, form).dt.year().to_list() == [2024, 1969, 2068, 1970, 2000, 1999]
    assert as_times(text, form).dt.month().to_list() == [1, 12, 12, 1, 1, 2]


@pytest.mark.parametrize(
    "texts",
    [
        ["01/29/24", "01/29/2024"],
        ["29-Jan-25", "2025-01-29"],
        ["2025-01", "2025-01-29"],
        ["Rome", "Oslo"],
        ["12", "13"],
        [None],
        ["NA"],
    ],
)
def test_a_column_is_in_one_form_wholly(texts):
    assert date_formats(pl.Series(texts, dtype=pl.String)) == []


@pytest.mark.parametrize("texts", [["2009-10", "2010-11", None], ["1999/00"], ["4711-05", "4711-06"], ["May 24"], ["2025-13"]])
def test_what_is_no_month(texts):
    assert date_formats(pl.Series(texts)) == []


def test_the_form_that_leaves_the_fewest_unread_comes_first():
    text = pl.Series(["01/02/2024", "13/02/2024", "14/02/2024", "unknown"])
    assert date_formats(text) == []
    assert date_formats(text, 0.25) == ["%d/%m/%Y"]
    assert date_formats(text, 0.75) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert as_times(text, "%m/%d/%Y").to_list() == [dt.datetime(2024, 1, 2), None, None, None]
