import errno
import os
from pathlib import Path

import pytest

from hourglass import data
from hourglass.data import atomic
from hourglass.errors import FileError


def write(path, text="new"):
    with atomic(path) as temporary:
        assert temporary.parent == Path(path).parent
        assert temporary.suffix == Path(path).suffix
        temporary.write_text(text)


def test_a_file_appears_whole_in_a_folder_that_is_made(entries):
    write("runs/one/model.safetensors")
    assert Path("runs/one/model.safetensors").read_text() == "new"
    assert entries("runs/one") == ["model.safetensors"]
    assert oct(Path("runs/one/model.safetensors").stat().st_mode & 0o777) == oct(0o666 & ~umask())


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_older_file_is_replaced_on_success_and_kept_on_failure(entries, sentence):
    write("a.txt", "old")

    def fail():
        with atomic("a.txt") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError("mine")

    assert sentence(ZeroDivisionError, fail) == "mine"
    assert Path("a.txt").read_text() == "old"
    write("a.txt")
    assert Path("a.txt").read_text() == "new"
    assert entries() == ["a.txt"]


def test_folders_are_moved_or_joined(entries):
    for names in (("a", "sub/b"), ("b", "sub/b")):
        with atomic("out") as temporary:
            for name in names:
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).write_text(name + names[0])
    files = {str(path.relative_to("out")): path.read_text() for path in Path("out").rglob("*") if path.is_file()}
    assert files == {"a": "aa", "b": "bb", "sub/b": "sub/bb"}
    assert entries() == ["out"]


def test_a_failed_folder_leaves_nothing(entries, sentence):
    def fail():
        with atomic("out") as temporary:
            temporary.mkdir()
            (temporary / "a").write_text("a")
            raise ZeroDivisionError("mine")

    assert sentence(ZeroDivisionError, fail) == "mine"
    assert entries() == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_folder_that_is_full_or_read_only(entries, sentence, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    said = sentence(FileError, write, "x/model.safetensors")
    reason = {errno.EROFS: "Read-only file system", errno.ENOSPC: "No space left on device"}[number]
    assert said == f"Can't write 'x/model.safetensors': {reason}. Choose another folder or free some space."
    assert entries("x") == []


def test_a_parent_that_is_a_file(sentence):
    Path("x").write_text("")
    said = sentence(FileError, write, "x/model.safetensors")
    assert said == "Can't write 'x/model.safetensors': Not a directory. Choose another folder or free some space."


def test_a_target_that_is_a_folder(entries, sentence):
    Path("x").mkdir()
    assert sentence(FileError, write, "x") == ("Can't write 'x': Is a directory. Choose another folder or free some space.")
    assert entries() == ["x"]


def test_a_target_that_is_no_path(sentence):
    said = "A file is written to a path, as text or a pathlib.Path. Got None instead."
    assert sentence(FileError, write, None) == said
    assert sentence(FileError, data.write, None, [[1.0]]) == said


def test_errors_of_the_block_pass_unchanged(sentence):
    def fail():
        with atomic("a"):
            raise FileError("mine")

    assert sentence(FileError, fail) == "mine"
