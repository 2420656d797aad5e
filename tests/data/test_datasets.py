import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests

from hourglass.data import datasets
from hourglass.errors import DataError, DownloadError, FileError

SMALL = datasets.Dataset(
    np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8),
    np.array([1, 2, 3], np.uint8),
    np.full((2, 28, 28), 7, np.uint8),
    np.array([4, 5], np.uint8),
)


@pytest.fixture(autouse=True)
def cache(folder, monkeypatch):
    monkeypatch.delenv("HOURGLASS_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda _: folder / "cache")
    return folder / "cache"


@pytest.fixture
def mirrors(monkeypatch):
    """Answer downloads from a table of contents by address; count them."""
    contents, asked = {}, []

    def retrieve(url, known_hash, fname, path, downloader):
        asked.append(url)
        assert known_hash.split(":")[0] in ("md5", "sha256")
        answer = contents.get(url.rsplit("/", 1)[1], requests.exceptions.ConnectionError("no route"))
        if isinstance(answer, Exception):
            raise answer
        downloader.progressbar.total = len(answer)
        for step in (downloader.progressbar.update, lambda _: downloader.progressbar.reset()):
            step(len(answer))
        downloader.progressbar.close()
        Path(path).mkdir(exist_ok=True)
        Path(path, fname).write_bytes(answer)
        return str(Path(path, fname))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return contents, asked


def save(path, data=SMALL):
    Path(path).parent.mkdir(exist_ok=True)
    np.savez(path, **data._asdict())
    return Path(path)


def same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    return True


def test_digits():
    digits = datasets.load("digits")
    assert [array.shape for array in digits] == [(5000, 28, 28), (5000,), (1000, 28, 28), (1000,)]
    assert {array.dtype for array in digits} == {np.dtype(np.uint8)}
    assert digits.y_train[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert digits.y_test[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert digits.x_train.mean() == pytest.approx(33.3, abs=1)
    assert np.bincount(digits.y_train).tolist() == [479, 563, 488, 493, 535, 434, 501, 550, 462, 495]


def test_names_and_descriptions():
    assert datasets.names() == ["digits", "mnist"]
    for name in datasets.names():
        row = datasets.describe(name)
        assert list(row) == ["name", "about", "shapes", "licence", "source"]
        assert row["name"] == name
        assert row["licence"] == "CC BY-SA 3.0"
        assert all(row.values())


def test_an_unknown_name(sentence):
    said = "There is no dataset named 'digts'. Did you mean 'digits'?"
    assert sentence(DataError, datasets.load, "digts") == said
    assert sentence(DataError, datasets.describe, "digts") == said
    assert sentence(DataError, datasets.load, "faces") == ("There is no dataset named 'faces'. Known: digits, mnist.")


def test_the_named_folder_comes_before_the_cache(folder, cache, monkeypatch, mirrors):
    save(cache / "mnist.npz", SMALL._replace(y_test=SMALL.y_test + 1))
    assert datasets.load("mnist").y_test.tolist() == [5, 6]
    save(folder / "own" / "mnist.npz")
    monkeypatch.setenv("HOURGLASS_DATA", str(folder / "own"))
    assert same(datasets.load("mnist"), SMALL)
    assert mirrors[1] == []


def test_the_first_mirror(folder, cache, mirrors, capsys):
    contents, asked = mirrors
    contents["mnist.npz"] = save(folder / "remote.npz").read_bytes()
    assert same(datasets.load("mnist"), SMALL)
    assert same(datasets.load("mnist"), SMALL)
    assert asked == ["https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"]
    assert capsys.readouterr().out == ""


def idx(array):
    shape = np.array(array.shape, ">i4").tobytes()
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + shape + array.tobytes())


def test_the_second_mirror(cache, mirrors):
    contents, asked = mirrors
    contents["mnist.npz"] = ValueError("SHA256 hash of downloaded file does not match")
    names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]
    contents.update({f"{name}-ubyte.gz": idx(array) for name, array in zip(names, SMALL, strict=True)})
    assert same(datasets.load("mnist"), SMALL)
    assert len(asked) == 5
    assert same(datasets.load("mnist"), SMALL)
    assert len(asked) == 5
    assert (cache / "mnist.npz").is_file()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (requests.exceptions.ConnectionError("HTTPSConnectionPool(...)"), "no answer"),
        (ValueError("hash"), "wrong checksum"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_no_mirror_answers(mirrors, sentence, answer, reason):
    mirrors[0].update({"mnist.npz": answer, "train-images-idx3-ubyte.gz": answer})
    assert sentence(DownloadError, datasets.load, "mnist") == (
        f"Can't download the dataset 'mnist' ({reason}). Use 'digits', which needs no network, or put mnist.npz into "
        "a folder and name that folder in the environment variable HOURGLASS_DATA."
    )
    assert len(mirrors[1]) == 2


def test_a_damaged_file(folder, monkeypatch, sentence):
    monkeypatch.setenv("HOURGLASS_DATA", ".")
    Path("mnist.npz").write_bytes(b"")
    assert sentence(FileError, datasets.load, "mnist") == (
        "'mnist.npz' is damaged, or is not what its ending says (No data left in file)."
    )
    np.savez("mnist.npz", x_train=SMALL.x_train)
    assert sentence(FileError, datasets.load, "mnist") == (
        "'mnist.npz' has no array 'y_train'. It needs x_train, y_train, x_test, y_test."
    )


def test_import_is_light():
    heavy = "torch", "polars", "pyarrow", "pooch", "PIL", "rich"
    code = f"import sys, hourglass.data.datasets; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
