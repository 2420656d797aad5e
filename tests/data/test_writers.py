import datetime as dt
import errno
import os
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from hourglass.data import Melody, Record, image_names, read, write, write_images
from hourglass.data.record import record_of
from hourglass.errors import DataError, FileError

FRAME = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
GREY = np.arange(36, dtype=np.uint8).reshape(3, 3, 4)


def test_an_array_as_csv():
    write("x.csv", np.array([[0.1, 2], [np.nan, -0.5]]))
    assert Path("x.csv").read_text() == "x0,x1\n0.1,2.0\nNaN,-0.5\n"
    write("x.tsv", np.array([1, 2], np.uint8))
    assert Path("x.tsv").read_text() == "x0\n1\n2\n"
    write("x.csv", ["so", "it is"])
    assert Path("x.csv").read_text() == "x0\nso\nit is\n"
    write("x.csv", ["CCO", "c1ccccc1"])
    assert Path("x.csv").read_text() == "smiles\nCCO\nc1ccccc1\n"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_tables_of_each_library(ending, convert):
    table = convert(FRAME)
    assert isinstance(table, (pl.DataFrame, pd.DataFrame, pa.Table))
    write("x" + ending, table)
    assert read("x" + ending).equals(FRAME)


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (None, ["x"]),
        (pd.Index([5, 3]), ["x"]),
        (pd.Index(["a", "b"], name="place"), ["place", "x"]),
        (pd.date_range("2024-01-01", periods=2), ["index", "x"]),
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["place", "number"]), ["place", "number", "x"]),
    ],
)
def test_an_index_of_pandas_that_says_something_is_written(tmp_path, index, columns):
    write(tmp_path / "t.parquet", pd.DataFrame({"x": [1.5, 2.5]}, index=index))
    found = pl.read_parquet(tmp_path / "t.parquet")
    assert found.columns == columns
    assert found["x"].to_list() == [1.5, 2.5]


@pytest.mark.parametrize(
    "raw", [pl.Series("k", [1, 2]), pd.Series([1, 2], name="k"), pl.LazyFrame({"k": [1, 2]})], ids=["polars", "pandas", "lazy"]
)
def test_a_column_keeps_its_name_and_what_is_lazy_is_written(tmp_path, raw):
    write(tmp_path / "k.csv", raw)
    assert (tmp_path / "k.csv").read_text() == "k\n1\n2\n"


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (None, 0.5),
        (7.0, 7.5),
        (dt.datetime(2024, 1, 1, 10), "2024-01-01T10:00:00.500000"),
        (dt.datetime(2024, 3, 31, 3, tzinfo=ZoneInfo("Europe/Berlin")), "2024-03-31T03:00:00.500000+0200"),
        (dt.datetime(1, 1, 1, 10), 0.0),  # a clock alone
    ],
)
def test_a_stretch_of_a_record_is_written_with_its_times(tmp_path, start, first):
    record = Record(np.arange(12.0), rate=4, names=["load"], start=start)
    write(tmp_path / "a.csv", record[2:])
    found = read(tmp_path / "a.csv")
    assert (found["time"][0], found["load"].to_list()) == (first, record.values[2:, 0].tolist())
    assert record_of(found).rate == 4


def test_a_table_of_numbers_as_npy():
    write("x.npy", FRAME.select("a"))
    np.testing.assert_array_equal(read("x.npy"), [[1], [2]])


def test_missing_values_of_a_single_column_survive():
    frame = pl.DataFrame({"a": [1, None, None]})
    write("x.csv", frame)
    assert read("x.csv").equals(frame)


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("x.csv", np.zeros((2, 2, 2)), "an array of shape (2, 2, 2) is no table"),
        ("x.parquet", np.zeros(()), "an array of shape () is no table"),
        ("x.csv", pl.DataFrame({"a": [[1, 2]]}), "CSV format does not support nested data"),
        ("x.npy", FRAME, "Object arrays cannot be saved when allow_pickle=False"),
    ],
)
def test_data_that_does_not_fit(entries, sentence, name, raw, reason):
    assert sentence(DataError, write, name, raw) == (
        f"The data doesn't fit into '{name}' ({reason}). Convert it, or choose another ending."
    )
    assert entries() == []


def test_an_unknown_ending(sentence):
    assert sentence(FileError, write, "x.xls", FRAME) == (
        "Can't write 'x.xls' by its ending. Known: .csv, .tsv, .parquet, .npy, .txt, .smi, .sdf, .svg, .png, .wav, .mid, .midi, "
        ".abc, and a folder for images."
    )


def test_images_keep_the_names_of_what_they_come_from(entries):
    write_images("x", GREY, names=["b.png", "a/c.JPG", "d.png"])
    assert entries("x") == ["a", "b.png", "d.png"]
    shutil.make_archive("x", "zip", "x")
    sources = ("x", Path("x"), "x.zip", ["x/d.png", Path("x/b.png"), "x/a/c.png"])
    for i, source in enumerate(sources):
        write(f"out{i}", read(source), like=source)
        np.testing.assert_array_equal(read(f"out{i}"), read("x"))
        assert image_names(f"out{i}") == image_names("x")


@pytest.mark.parametrize("like", [None, "digits", "x.npy"])
def test_what_has_no_names_gives_numbers(entries, like):
    np.save("x.npy", GREY)
    write("out", GREY, like=like)
    assert entries("out") == ["00000.png", "00001.png", "00002.png"]


def test_a_table_does_not_mind_what_it_comes_from():
    write_images("x", GREY)
    write("x.csv", [[1, 2]], like="x")
    assert Path("x.csv").read_text() == "x0,x1\n1,2\n"


def test_names_that_are_not_one_for_each_image(entries, sentence):
    write_images("x", GREY)
    assert sentence(DataError, write, "out", GREY[:2], like="x") == "There are 3 names for 2 images. Give one for each."
    assert entries() == ["x"]


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npy"])
def test_a_full_disk_leaves_the_old_file(entries, sentence, monkeypatch, ending):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write("x" + ending, [[1]])
    with monkeypatch.context() as patch:
        for owner, name in ((Path, "write_text"), (Path, "write_bytes"), (np, "save")):
            patch.setattr(owner, name, refuse)
        said = sentence(FileError, write, "x" + ending, [[2]])
    assert said == f"Can't write 'x{ending}': No space left on device. Choose another folder or free some space."
    assert entries() == ["x" + ending]
    assert int(np.asarray(read("x" + ending))[0, 0]) == 1


def test_strings_as_lines(sentence):
    write("x.smi", ["CCO", "CC"])
    assert Path("x.smi").read_bytes() == b"CCO\nCC\n"
    write("x.txt", [["so", "it"], ["is"]])
    assert Path("x.txt").read_text() == "so it\nis\n"
    assert sentence(DataError, write, "x.txt", ["a\nb"]) == (
        "The data doesn't fit into 'x.txt' (a row has a line break: 'a\\nb'). Convert it, or choose another ending."
    )
    assert sentence(DataError, write, "x.txt", np.zeros(3)) == (
        "The data doesn't fit into 'x.txt' (a row is neither a string nor a list of strings). Convert it, or choose another ending."
    )


def test_a_folder_may_have_a_dot(tmp_path):
    folder = tmp_path / "out.v2"
    write(f"{folder}/", np.zeros((2, 4, 4), np.uint8))
    assert [path.name for path in sorted(folder.iterdir())] == ["00000.png", "00001.png"]
    write(folder, np.zeros((3, 4, 4), np.uint8))
    assert len(list(folder.iterdir())) == 3


def test_pictures_are_not_drawn_as_molecules_are(entries, sentence):
    for pictures in (GREY, GREY[:1], GREY[0], [GREY[0], GREY[1, :2]]):
        assert sentence(FileError, write, "out.png", pictures) == "Can't write pictures to 'out.png'. Name a folder, such as out/."
    assert entries() == []


def test_a_folder_of_melodies_may_have_a_dot(entries):
    tune = Melody([(60, 0, 4), (62, 4, 4)])
    write("tunes.v1/", [tune, tune])
    assert entries("tunes.v1") == ["00000.mid", "00000.wav", "00001.mid", "00001.wav"]
