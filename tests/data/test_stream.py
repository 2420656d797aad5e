"""Tables a batch at a time."""

import numpy as np
import polars as pl
import pytest

import hourglass as hg
from hourglass.data import appending, batches, stream

FRAME = pl.DataFrame({"id": [f"a{i}" for i in range(1000)], "x": np.arange(1000) / 4, "n": range(1000)})


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.tsv"])
def test_batches_are_the_table(tmp_path, name):
    hg.write(tmp_path / name, FRAME)
    found = list(batches(tmp_path / name, rows=300))
    assert [batch.height for batch in found] == [300, 300, 300, 100]
    assert pl.concat(found).equals(FRAME)


def test_a_large_csv_comes_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "WHOLE", 10)
    (tmp_path / "t.csv").write_text("id;x\na;1,5\nb;NA\nc;2\n")
    (found,) = batches(tmp_path / "t.csv")
    assert found.rows() == [("a", "1.5"), ("b", None), ("c", "2")]


def test_a_large_csv_is_read_as_its_columns_were_learned(tmp_path, monkeypatch):
    lines = 'id;city;country;code;x\na;"Berlin, Mitte";NA;01001;1,5\nb;Rome;IT;2;NA\n'
    (tmp_path / "t.csv").write_text(lines)
    small = hg.read(tmp_path / "t.csv")
    monkeypatch.setattr(stream, "WHOLE", 10)
    (found,) = batches(tmp_path / "t.csv", dtypes={name: str(dtype) for name, dtype in small.schema.items()})
    assert found.equals(small)
    assert found.rows() == [("a", "Berlin, Mitte", "NA", "01001", 1.5), ("b", "Rome", "IT", "2", None)]


def test_a_large_csv_with_decimal_commas_is_read_as_a_small_one(tmp_path, monkeypatch):
    lines = [
        "price;sold;paid;size\n",
        *(f"1.{i:03};{i},5;True;n/d\n" if i % 50 == 0 else f"1.{i:03};{i},5;False;{i},25\n" for i in range(1000)),
    ]
    (tmp_path / "t.csv").write_text("".join(lines))
    small = hg.read(tmp_path / "t.csv")
    assert small.row(7) == (1007, 7.5, False, "7.25")
    assert small["size"][50] == "n/d"
    monkeypatch.setattr(stream, "WHOLE", 10)
    found = pl.concat(batches(tmp_path / "t.csv", rows=300, dtypes={name: str(dtype) for name, dtype in small.schema.items()}))
    assert found.with_columns(paid=pl.col("paid") == "True").equals(small)


def test_a_large_csv_with_points_beside_decimal_commas_is_read_as_a_small_one(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("price;share\n1,5;0.125\n2,5;1.375\n")
    small = hg.read(tmp_path / "t.csv")
    assert small.rows() == [(1.5, 0.125), (2.5, 1.375)]
    monkeypatch.setattr(stream, "WHOLE", 10)
    (found,) = batches(tmp_path / "t.csv", dtypes={name: str(dtype) for name, dtype in small.schema.items()})
    assert found.equals(small)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.tsv"])
def test_appended_batches_are_the_table(tmp_path, name):
    with appending(tmp_path / name) as append:
        append(FRAME[:600])
        append(FRAME[600:])
    assert hg.read(tmp_path / name).equals(FRAME)


def test_nothing_half_written_is_left(tmp_path):
    def fail():
        with appending(tmp_path / "t.parquet") as append:
            append(FRAME)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_table(tmp_path):
    hg.write(tmp_path / "x.npy", np.zeros((3, 2)))
    with pytest.raises(hg.FileError, match=r"is no table\. Give a \.parquet, \.csv or \.tsv file\."):
        list(batches(tmp_path / "x.npy"))
    hg.write(tmp_path / "t.parquet", FRAME[:0])
    with pytest.raises(hg.FileError, match=r"holds a table of shape \(0, 3\)"):
        list(batches(tmp_path / "t.parquet"))
    with pytest.raises(hg.FileError, match="There is no file or folder"):
        list(batches(tmp_path / "none.parquet"))


@pytest.mark.parametrize(
    "content",
    [
        'a,b\n1,"two\nlines"\n3,x\n',
        "\na,b\n1,y\n3,x\n",
        '"a\nrow",b\n1,y\n3,x\n',
        "sep=;\r\na;b\r\n1;y\r\n3;x\r\n",
        "\ufeffsep=,\na,b\n1,y\n3,x\n",
    ],
)
def test_a_large_csv_has_the_rows_of_a_small_one(tmp_path, monkeypatch, content):
    path = tmp_path / "x.csv"
    path.write_text(content)
    whole = hg.read(path)
    monkeypatch.setattr(stream, "WHOLE", 0)
    parts = pl.concat(batches(path, dtypes={whole.columns[0]: "Int64"}))
    assert parts.rows() == whole.rows()
    assert parts.columns == whole.columns


@pytest.mark.parametrize("content", ['a,b\n1,"two\n3,x\n4,y\n', 'sep=;\na;b\n1;"two\n3;x\n4;y\n', "sep=;\na;b\n1;2\n3;4;5\n"])
def test_the_line_at_fault_in_a_large_csv_is_that_of_a_small_one(tmp_path, monkeypatch, sentence, content):
    path = tmp_path / "x.csv"
    path.write_text(content)
    said = sentence(hg.FileError, hg.read, path)
    monkeypatch.setattr(stream, "WHOLE", 0)
    assert sentence(hg.FileError, lambda: list(batches(path))) == said


def test_parquet_in_a_folder_is_read_as_the_table_it_is(tmp_path):
    (tmp_path / "x.parquet").mkdir()
    hg.write(tmp_path / "x.parquet" / "part-0.parquet", pl.DataFrame({"a": [1, 2]}))
    assert pl.concat(batches(tmp_path / "x.parquet"))["a"].to_list() == [1, 2]


def test_a_gap_in_a_single_column_is_a_row(tmp_path):
    with appending(tmp_path / "t.csv") as append:
        append(pl.DataFrame({"x": [1.0, None]}))
        append(pl.DataFrame({"x": [None, 5.0]}))
    assert hg.read(tmp_path / "t.csv")["x"].to_list() == [1, None, None, 5]
