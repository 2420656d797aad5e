import gzip
from pathlib import Path

import polars as pl
import pytest

from hourglass.data import read, stream, tables
from hourglass.errors import DataError, FileError


def table(content, name="x.csv"):
    content = content.encode() if isinstance(content, str) else content
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return read(name)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n1,2.5\n3,4\n", [(1, 2.5), (3, 4.0)]),
        ("a,b\n1,2.5\n3,4", [(1, 2.5), (3, 4.0)]),
        ("\n\na,b\n1,2\n\n3,4\n\n\n", [(1, 2), (3, 4)]),
        ("a,b\r\n1,2\r\n3,4\r\n", [(1, 2), (3, 4)]),
        ("a,b\r1,2\r3,4\r", [(1, 2), (3, 4)]),
        ("\ufeffa,b\n1,2\n", [(1, 2)]),
        ("a, b\n 1, +2\n3 ,-4e1\n", [(1, 2.0), (3, -40.0)]),
        ("a,b\n1,\n,4\nNA,nan\n?,NULL\n", [(1, None), (None, 4), (None, None), (None, None)]),
        ("a,b\nNA,1\nDE,inf\n,2\n", [("NA", 1.0), ("DE", float("inf")), (None, 2.0)]),
        ('a,b\n"x, y",1\n"l1\nl2",2\n"say ""hi""",3\n', [("x, y", 1), ("l1\nl2", 2), ('say "hi"', 3)]),
        ('a,b\n5" nail,1\n', [('5" nail', 1)]),
        ("a;b\n1,5;2\n-3,25;4\n", [(1.5, 2), (-3.25, 4)]),
        ("a;b\n1.100;2,5\n2.350;4\n", [(1100, 2.5), (2350, 4.0)]),  # thousands, where commas are decimal ones
        ("a;b\n1.100;x\n2,5;y\n", [(1100.0, "x"), (2.5, "y")]),
        ("a;b\n1.234.567,5;0.5\n-3;0.25\n", [(1234567.5, 0.5), (-3.0, 0.25)]),  # a column of its own making
        ("a;b\n1.100;1.5\n2.350;2.5\n", [(1.1, 1.5), (2.35, 2.5)]),
        ("a;b\n1,5;2\nn/d;3\n1.100,5;4\n", [("1.5", 2), ("n/d", 3), ("1100.5", 4)]),
        ("a,b\nTrue,1\nfalse,2\n,3\nTRUE,4\n", [(True, 1), (False, 2), (None, 3), (True, 4)]),
        ("a,b\nTrue,1\nja,2\n", [("True", 1), ("ja", 2)]),
        ("a\tb\n1\t2\n", [(1, 2)]),
        ("a|b\n1|2\n", [(1, 2)]),
        ("a\n1\n2\n", [(1,), (2,)]),
        ("a\n99999999999999999999999\n1\n", [(1e23,), (1.0,)]),
        ("temp; C,b\n1,2\n", [(1, 2)]),
        ("smiles,logP\nCCO,-0.1\n", [("CCO", -0.1)]),
        ("sep=;\r\na;b\r\n1,5;2\r\n", [(1.5, 2)]),
        ("\ufeffsep=,\na,b\n1,2\n", [(1, 2)]),
    ],
)
def test_what_is_read(content, rows):
    assert table(content).rows() == rows


@pytest.mark.parametrize("name", ["x.csv", "x.CSV", "x.tsv", "x.csv.gz", "x.tsv.gz"])
def test_endings(name):
    separator = "\t" if ".tsv" in name else ","
    assert table(f"a{separator}b\n1{separator}2\n", name).to_dicts() == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("content", "names", "height"),
    [
        ("5.1,3.5\n4.9,3.0\n", ["column1", "column2"], 2),  # numbers: no header
        ("5,0,0\n4,1,0\n", ["column1", "column2", "column3"], 2),
        ("1,5;2,5\n3,5;4,5\n", ["column1", "column2"], 2),
        ("0,1,2\n7,8,9\n", ["0", "1", "2"], 1),  # the header that pandas writes for an array
        ("2019,2020\n7,8\n", ["2019", "2020"], 1),
        (",a\n0,7\n", ["column1", "a"], 1),  # the index that pandas writes
    ],
)
def test_header_or_data(content, names, height):
    frame = table(content)
    assert frame.columns == names
    assert frame.height == height


def test_names_lose_spaces_around_them():
    assert table("a , b\n1,2\n").columns == ["a", "b"]


def test_text_far_down_in_a_column_of_numbers_stays():
    frame = table("a,b\n" + "1,2\n" * 5000 + "oops,2\n")
    assert frame.dtypes == [pl.String, pl.Int64]
    assert frame["a"][-1] == "oops"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "sep=;\na;b\n1;2\n3;4;5\n",
            "Line 4 of 'x.csv' has 3 fields where the first line has 2. Check its separators and quotes.",
        ),
        (
            "a,b\n1,2\n3,4,5\n",
            "Line 3 of 'x.csv' has 3 fields where the first line has 2. Check its separators and quotes.",
        ),
        (
            "a,b\n1,2\n3\n",
            "Line 3 of 'x.csv' has 1 field where the first line has 2. Check its separators and quotes.",
        ),
        (
            'a,b\n\n"two\nlines",2\n3\n',
            "Line 5 of 'x.csv' has 1 field where the first line has 2. Check its separators and quotes.",
        ),
        (
            "Sales of March\n\nday;sum\n1;2,5\n3;4\n",
            "Line 4 of 'x.csv' has 2 fields where the first line has 1. If the names of the columns stand further down, "
            "delete the lines above.",
        ),
        ('a,b\n1,2\n3,"4\n5,6\n', "Line 3 of 'x.csv' has a quote that isn't closed where its field ends."),
        ('a,b\n1,2\n"3,4\n5,6\n', "Line 3 of 'x.csv' has a quote that isn't closed where its field ends."),
        ("", "'x.csv' is empty. It needs a header and a row for each example."),
        ("\n \n", "'x.csv' is empty. It needs a header and a row for each example."),
        ("a,b\n", "'x.csv' has a header but no rows. Add a row for each example."),
        ("a,b", "'x.csv' has a header but no rows. Add a row for each example."),
        ("a,b,a\n1,2,3\n", "'x.csv' has two columns named 'a': 1 and 3. Rename one."),
        (
            "a,b\n1,2\n3,ä\n".encode("latin1"),
            "'x.csv' is not UTF-8 text (line 3). Save it as UTF-8, "
            "for example: iconv -f WINDOWS-1252 -t UTF-8 'x.csv' > 'utf8-x.csv'",
        ),
        (
            "a,b\n1,2\n".encode("utf-16"),
            "'x.csv' is not UTF-8 text (line 1). Save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 'x.csv' > 'utf8-x.csv'",
        ),
        (
            "a,b\n1,2\n".encode("utf-16-le"),
            "'x.csv' is not UTF-8 text (line 1). Save it as UTF-8, for example: iconv -f UTF-16LE -t UTF-8 'x.csv' > 'utf8-x.csv'",
        ),
        (
            b"a,b\n\x00,1\n",
            "Line 2 of 'x.csv' holds a zero byte, which text has none of. Take such out, "
            "for example: tr -d '\\000' < 'x.csv' > 'text-x.csv'",
        ),
    ],
)
def test_what_is_refused(sentence, content, said):
    assert sentence(FileError, table, content) == said


def test_a_damaged_gz(sentence):
    Path("x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:30])
    assert sentence(FileError, read, "x.csv.gz") == (
        "'x.csv.gz' is damaged, or is not what its ending says (Compressed file ended before the end-of-stream marker was reached)."
    )
    Path("x.csv.gz").write_bytes(b"a,b\n1,2\n")
    assert sentence(FileError, read, "x.csv.gz") == "Can't read 'x.csv.gz': Not a gzipped file (b'a,')."


def test_a_gz_that_unpacks_to_too_much(sentence, monkeypatch):
    monkeypatch.setattr(tables, "MAX_UNPACKED", 2**20)
    assert sentence(FileError, table, "a\n" + "1\n" * 2**20, "x.csv.gz") == (
        "'x.csv.gz' unpacks to more than 0.000976562 GB. Split it."
    )


def test_a_column_is_taken_apart_or_labels_are(sentence):
    table = pl.DataFrame({"a": [1, 2, 3], "town": ["Oslo", "Bergen", None]})
    X, known = tables.apart("towns.csv", table, None, "town")
    assert (X.columns, known.to_list()) == (["a"], ["Oslo", "Bergen", None])
    assert tables.apart("towns.csv", table, None, None)[0] is table
    assert tables.apart("digits", "rows", [7, 1], "label") == ("rows", [7, 1])
    said = sentence(DataError, tables.apart, "towns.csv", table, [1, 2, 3], "twon")
    assert said == "'towns.csv' has no column 'twon' to ask by. Did you mean 'town'?"


def test_a_first_row_with_a_gap_is_a_row():
    assert table("2,30,?,1.5\n3,40,7,2.5\n").rows() == [(2, 30, None, 1.5), (3, 40, 7, 2.5)]
    assert table("2,30,?,1\n3,40,7,2\n").height == 2
    assert table(",0,1\n0,5,6\n").columns == ["column1", "0", "1"]


def test_decimal_commas_beside_tabs():
    assert table("a\tb\n1,5\t2\n3,25\t4\n").rows() == [(1.5, 2), (3.25, 4)]
    assert table("a\tb\n1,500\t2\n3,25\t4\n")["a"].to_list() == [1.5, 3.25]
    assert table("1,5\t2,5\n3,5\t4,5\n", "x.tsv").rows() == [(1.5, 2.5), (3.5, 4.5)]
    assert table("a\tb\n1,500\t2\n3,250\t4\n")["a"].to_list() == ["1,500", "3,250"]  # thousands, or not: it is not said


PATTERNS = "^a.*$,^.*$,abc,*,^t$\n1.5,x,1,$2,2026-01-05\n,y,2,$3,2026-02-06\n"


def test_names_that_are_patterns_to_polars(monkeypatch):
    rows = [(1.5, "x", 1, "$2", "2026-01-05"), (None, "y", 2, "$3", "2026-02-06")]
    found = table(PATTERNS)
    assert (found.columns, found.rows()) == (["^a.*$", "^.*$", "abc", "*", "^t$"], rows)
    rest, labels = tables.apart("x.csv", found, None, "^.*$")
    assert (rest.columns, labels.to_list()) == (["^a.*$", "abc", "*", "^t$"], ["x", "y"])
    monkeypatch.setattr(stream, "WHOLE", 10)
    (large,) = stream.batches("x.csv", dtypes={name: str(dtype) for name, dtype in found.schema.items()})
    assert large.equals(found)
