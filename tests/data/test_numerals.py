import polars as pl
import pytest

from hourglass.data.numerals import bare, number_form, plain


@pytest.mark.parametrize(
    ("texts", "form", "numbers"),
    [
        (["1.5", "-2", "1e3", ".5", "+7"], ".", [1.5, -2, 1000, 0.5, 7]),
        (["1,234.50", "-3"], ".", [1234.5, -3]),
        (["1,100", "2,350,000"], ".", [1100, 2350000]),  # thousands, where nothing says otherwise
        (["1.100", "2.350"], ".", [1.1, 2.35]),
        (["1.100", "2,5"], ",", [1100, 2.5]),
        (["1.234.567", "1.100"], ",", [1234567, 1100]),
        (["$1,234.50", "-$5", "$-5", "($7.25)", "- $ 3", "4"], ".$", [1234.5, -5, -5, -7.25, -3, 4]),
        (["1.234,50 €", "−3 €", "€ 4,5"], ",€", [1234.5, -3, 4.5]),
        (["12%", "7.5 %"], ".%", [12, 7.5]),
        (["1.234,50-", "5,00", "$ 3-"], ",$", [-1234.5, 5, -3]),
        (["CHF 1'234.50", "CHF 2"], ".CHF", [1234.5, 2]),
        (["1 234 567,5", "1\u00a0200", "12"], ",", [1234567.5, 1200, 12]),
        (["inf", "-inf"], ".", [float("inf"), -float("inf")]),
    ],
)
def test_forms_of_numbers(texts, form, numbers):
    text = pl.Series(texts)
    assert number_form(text) == form
    assert plain(text, form).cast(pl.Float64).to_list() == numbers


@pytest.mark.parametrize(
    "text", ["", "abc", "1,5,3", "1,23", "1.2.3", "5$5", "$", "12 kg", "1,234,5", "€5", "0x10", "1_000", "5-5", "--5", "-5-"]
)
def test_what_is_no_number_of_the_form(text):
    assert plain(pl.Series([text]), ".$").to_list() == [None]


def test_the_known_form_decides_where_the_text_does_not():
    text = pl.Series(["1.100", "2.350"])
    assert number_form(text, ",") == ","
    assert plain(text, ",").to_list() == ["1100", "2350"]
    assert number_form(pl.Series(["1.5", "2.25"]), ",") == "."


def test_the_most_frequent_unit_counts():
    text = pl.Series(["$5", "$6", "€7"])
    assert number_form(text) == ".$"
    assert plain(text, ".$").to_list() == ["5", "6", None]


def test_errors_of_spreadsheets_stand_for_nothing():
    errors = ["#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A", "#NV", "#WERT!", "#ÜBERLAUF!"]
    others = ["#1", "#", "#tag!", "# A!"]
    assert bare(pl.Series([*errors, *others])).to_list() == [None] * len(errors) + others


def test_what_stands_for_nothing():
    assert bare(pl.Series([" ", "NA", "-", "#N/A", "+NaN", " a", None])).to_list() == [None] * 5 + ["a", None]
