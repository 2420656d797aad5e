import gzip
import io
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hourglass.data import files, read, reads_pictures, write
from hourglass.errors import DataError, FileError
from hourglass.kinds import Album, as_raw

TUNE = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\n"
X = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_npy_keeps_dtype_and_values():
    np.save("x.npy", X)
    assert read("x.npy").dtype == np.float32
    np.testing.assert_array_equal(read(Path("x.npy")), X)


def test_foreign_byte_order_becomes_native():
    np.save("x.npy", X.astype(">f4"))
    assert read("x.npy").dtype == np.dtype("f4")
    assert read("x.npy").dtype.isnative
    np.testing.assert_array_equal(read("x.npy"), X)


@pytest.mark.parametrize("names", [("only",), ("y", "x_train"), ("y", "X"), ("x", "a"), ("b", "a", "data"), ("x", "X")])
def test_npz_takes_the_only_array_or_the_known_one(names):
    taken = next((name for name in ("x_train", "X", "x", "data") if name in names), names[0])
    np.savez("x.npz", **{name: X + (0 if name == taken else 9) for name in names})
    np.testing.assert_array_equal(read("x.npz"), X)


def test_npz_without_a_known_array(sentence):
    np.savez("x.npz", train=X, test=X)
    assert sentence(FileError, read, "x.npz") == (
        "Which array of 'x.npz' is the data? It has: train, test. Call the data x_train or X or x or data."
    )


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_python_objects_are_refused(sentence, name):
    objects = np.array([{"a": 1}], dtype=object)
    np.save(name, objects) if name == "x.npy" else np.savez(name, objects)
    assert sentence(FileError, read, name) == (f"'{name}' holds Python objects, which could run code. Save it with a plain dtype.")


def test_a_pickle_under_another_name(sentence):
    Path("x.npy").write_bytes(pickle.dumps([1]))
    assert sentence(FileError, read, "x.npy").startswith("'x.npy' is damaged, or is not what its ending says (")


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0)])
def test_an_array_without_rows(sentence, shape):
    np.save("x.npy", np.zeros(shape))
    assert sentence(FileError, read, "x.npy") == (f"'x.npy' holds an array of shape {shape}. It needs a row for each example.")


@pytest.mark.parametrize("keep", [0, 5, 60, 140])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".parquet"])
def test_a_file_cut_short(sentence, ending, keep):
    path = Path("x" + ending)
    np.savez(path, X) if ending == ".npz" else write(path, X)
    path.write_bytes(path.read_bytes()[:keep])
    said = sentence(FileError, read, path)
    assert said.startswith(f"'{path}' is damaged, or is not what its ending says (")
    assert "\n" not in said


def test_an_npz_that_is_no_zip(sentence):
    Path("x.npz").write_text("hello")
    assert sentence(FileError, read, "x.npz") == ("'x.npz' is damaged, or is not what its ending says (File is not a zip file).")


def test_an_array_that_claims_more_than_the_memory(sentence):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**56,)})
    with zipfile.ZipFile("x.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    assert sentence(FileError, read, "x.npz") == "'x.npz' is too large for the memory of this machine. Split it."


def test_an_npz_that_claims_to_unpack_to_too_much(sentence, monkeypatch):
    monkeypatch.setattr(files, "MAX_UNPACKED", 10**6)
    np.savez_compressed("x.npz", np.zeros(10**6))
    assert sentence(FileError, read, "x.npz") == (
        "'x.npz' has 0.0 MB and claims to unpack to 8 MB, too much to be trusted. Unpack it and read the folder."
    )


def test_parquet_keeps_types_and_missing_values():
    frame = pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [0.5, float("nan")]})
    frame.write_parquet("x.parquet")
    assert read("x.parquet").equals(frame)


def test_parquet_takes_its_name_literally(sentence):
    write("ab.parquet", X)
    Path("gone.csv").symlink_to("away.csv")
    assert sentence(FileError, read, "gone.csv") == "There is no file or folder 'gone.csv'. Check the path."
    assert sentence(FileError, read, "[a]b.parquet") == ("There is no file or folder '[a]b.parquet'. Did you mean 'ab.parquet'?")
    write("[a]b.parquet", X + 1)
    np.testing.assert_array_equal(read("[a]b.parquet"), X + 1)


def test_parquet_without_rows(sentence):
    pl.DataFrame({"a": []}).write_parquet("x.parquet")
    assert sentence(FileError, read, "x.parquet") == ("'x.parquet' holds a table of shape (0, 1). It needs a row for each example.")


def test_a_panic_of_polars_is_an_error_too(sentence, monkeypatch):
    def panic(*_, **__):
        raise pl.exceptions.PanicException("called `Result::unwrap()`")

    write("x.parquet", X)
    monkeypatch.setattr(pl, "read_parquet", panic)
    assert sentence(FileError, read, "x.parquet") == (
        "'x.parquet' is damaged, or is not what its ending says (its pages are broken)."
    )


def test_an_unknown_ending(sentence):
    Path("x.xyz").write_text("")
    assert sentence(FileError, read, "x.xyz") == (
        "Can't read 'x.xyz' by its ending. Known: .csv, .csv.gz, .tsv, .tsv.gz, .parquet, .npy, .npz, .hea, .dat, .wav, .txt, "
        ".txt.gz, .smi, .smi.gz, .sdf, .sdf.gz, .abc, .mid, .midi, and images: .png, .jpg, .jpeg, .tif, .tiff, .bmp, .webp, .dcm, "
        "a folder or a .zip of them."
    )


def test_a_spreadsheet(sentence):
    Path("x.xlsx").write_text("")
    assert sentence(FileError, read, "x.xlsx") == (
        "'x.xlsx' is a spreadsheet, which isn't read. Save its sheet as CSV, or as Parquet."
    )


def test_a_missing_path(sentence):
    Path("sub").mkdir()
    write("sub/sensors.csv", X)
    assert sentence(FileError, read, "sub/sensor.csv") == (
        "There is no file or folder 'sub/sensor.csv'. Did you mean 'sub/sensors.csv'?"
    )
    assert sentence(FileError, read, "sub/else") == "There is no file or folder 'sub/else'. Check the path."
    assert sentence(FileError, read, "no/x.csv") == "There is no file or folder 'no/x.csv'. Check the path."


@pytest.mark.parametrize("source", [None, 3, b"x.csv", [None], np.zeros((3, 2))], ids=str)
def test_what_is_no_path(sentence, source):
    assert sentence(FileError, read, source).startswith(
        "Data is read from a path, as text or a pathlib.Path, or from a list of paths. Got "
    )


def test_a_file_that_may_not_be_read(sentence, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    write("x.csv", X)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert sentence(FileError, read, "x.csv") == "Can't read 'x.csv': Permission denied."


dtypes = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes())


@settings(max_examples=40)
@given(array=dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, max_side=4))))
def test_npy_round_trip(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "round.npy"
    write(path, array)
    np.testing.assert_array_equal(read(path), array)
    assert read(path).dtype == array.dtype.newbyteorder("=")


finite = st.floats(allow_nan=False)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1)
columns = {
    "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "real": st.none() | finite,
    "text": st.none() | words.map(lambda word: "t" + word),
}
rows = st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=6)
schema = {"whole": pl.Int64, "real": pl.Float64, "text": pl.String}


@settings(max_examples=40)
@given(rows=rows)
def test_parquet_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.parquet"
    frame = pl.DataFrame(rows, schema=schema)
    write(path, frame)
    assert read(path).equals(frame)
    assert read(path).schema == frame.schema


@settings(max_examples=80)
@given(rows=rows, ending=st.sampled_from([".csv", ".tsv"]), kept=st.sets(st.sampled_from(list(schema)), min_size=1))
def test_csv_round_trip(tmp_path_factory, rows, ending, kept):
    path = tmp_path_factory.getbasetemp() / ("round" + ending)
    frame = pl.DataFrame(rows, schema=schema).select(sorted(kept))
    write(path, frame)
    assert read(path).rows() == frame.rows()


def test_lines_are_strings(sentence):
    Path("x.txt").write_text("so it is\n\nit is so\n\n")
    found = read("x.txt")
    assert found.dtype == object
    assert found.tolist() == ["so it is", "", "it is so"]  # a blank line is a row, so that rows are counted as lines are
    with gzip.open("x.txt.gz", "wt") as file:
        file.write("CCO\r\nCC\r\n")
    assert read("x.txt.gz").tolist() == ["CCO", "CC"]
    Path("x.smi").write_text("CCO ethanol\nCC\tethane\n")
    assert read("x.smi").tolist() == ["CCO", "CC"]
    Path("x.smi").write_text("SMILES Name \nCCO ethanol\n")  # as RDKit's SmilesWriter begins
    assert read("x.smi").tolist() == ["CCO"]
    Path("x.txt").write_text("\n \n")
    assert sentence(FileError, read, "x.txt") == "'x.txt' holds no line. It needs one for each row."


def test_a_folder_of_tables_is_one_that_names_the_file_of_each_row():
    Path("beats/more").mkdir(parents=True)
    for name, values in (("beats/b.csv", [3, 4, 5]), ("beats/a.csv", [1.5, 2]), ("beats/more/c.parquet", [6])):
        write(name, pl.DataFrame({"mV": values}))
    table = read("beats")
    assert table.rows() == [("a.csv", 1.5), ("a.csv", 2), ("b.csv", 3), ("b.csv", 4), ("b.csv", 5), ("more/c.parquet", 6)]
    assert table.columns == ["file", "mV"]


def test_tables_of_a_folder_may_have_their_columns_in_another_order():
    Path("days").mkdir()
    write("days/1.csv", pl.DataFrame({"heat": [1, 2], "wind": [3, 4]}))
    write("days/2.csv", pl.DataFrame({"wind": [5], "heat": [6]}))
    table = read("days")
    assert (table.columns, table.rows()) == (["file", "heat", "wind"], [("1.csv", 1, 3), ("1.csv", 2, 4), ("2.csv", 6, 5)])


def test_tables_of_a_folder_that_differ(sentence):
    Path("days").mkdir()
    write("days/1.csv", pl.DataFrame({"heat": [1, 2]}))
    write("days/2.csv", pl.DataFrame({"cold": [1, 2]}))
    assert sentence(FileError, read, "days") == (
        f"'{Path('days/2.csv')}' has the columns cold; the others have heat. Tables of a folder need the same."
    )


def test_files_of_one_name_in_other_folders_stay_apart():
    for name in ("ann", "bob"):
        Path("heart", name).mkdir(parents=True)
        write(f"heart/{name}/beat.csv", pl.DataFrame({"mV": [1.0, 2.0]}))
    assert read("heart")["file"].unique(maintain_order=True).to_list() == ["ann/beat.csv", "bob/beat.csv"]


def test_a_table_beside_pictures_without_an_ending_is_not_the_data():
    Path("scan").mkdir()
    shutil.copy(Path(pydicom.__file__).parent / "data/test_files/MR_small.dcm", "scan/IM1")
    write("scan/index.csv", pl.DataFrame({"name": ["IM1", "IM2"]}))
    assert read("scan").shape == (1, 64, 64)
    assert reads_pictures("scan")
    Path("scan/IM1").unlink()
    assert read("scan").shape == (2, 2)
    assert not reads_pictures("scan")


def test_only_pictures_may_stay_in_their_files(sentence):
    for folder in ("days", "tunes", "shots"):
        Path(folder).mkdir()
    write("days/1.csv", pl.DataFrame({"heat": [1.0, 2.0]}))
    Path("tunes/1.abc").write_text(TUNE)
    write("shots", np.zeros((2, 4, 4), np.uint8))
    assert as_raw("days", apart=True).equals(read("days"))
    assert as_raw("tunes", apart=True) == read("tunes")
    assert as_raw(["tunes/1.abc"], apart=True) == read(["tunes/1.abc"])
    assert isinstance(as_raw("shots", apart=True), Album)
    assert sentence(FileError, as_raw, "gone", apart=True) == sentence(FileError, read, "gone")


def test_lines_end_where_they_end_alone():
    rows = ["a\u2028b", "c\x85d", "e\x0cf", "g"]
    write("x.txt", rows)
    assert read("x.txt").tolist() == rows
    Path("y.txt").write_bytes(b"one\r\ntwo\rthree")
    assert read("y.txt").tolist() == ["one", "two", "three"]
    with pytest.raises(DataError, match="a row has a line break"):
        write("x.txt", ["a\rb"])
