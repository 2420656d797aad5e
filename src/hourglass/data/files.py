"""What all readers and writers share: writing whole or not at all, errors that name the file, limits for archives."""

from __future__ import annotations

import contextlib
import difflib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO
from zipfile import ZipFile, ZipInfo

from numpy.typing import NDArray

from hourglass.errors import FileError, HourglassError, ModelFileError, shown

MAX_UNPACKED = 16 * 2**30
"""Bytes that one compressed file may unpack to."""

Opener = Callable[[], BinaryIO]
Save = Callable[[Path, NDArray[Any], NDArray[Any] | None], None]
"""What writes a picture like the one that was read: to a path, its pixels and its transparency."""


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file or a folder whole or not at all.

    Parameters
    ----------
    path : path
        Where the result shall stand. Missing parent folders are made.

    Yields
    ------
    Path
        A path beside `path` with the same ending, to be made a file or a folder. It takes the place of `path` when the
        block ends well and is removed when it doesn't; the files of a folder join those of an existing one.

    Raises
    ------
    FileError
        The disk is full or read-only, or the system refuses for another reason.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic(folder + "/notes.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    check_target(path)
    path = Path(path)
    temporary = path.parent / f".{secrets.token_hex(4)}-{path.name[-40:]}"
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        yield temporary
        _move(temporary, path)
    except HourglassError:  # some of which are OSErrors too, and say more
        raise
    except OSError as error:
        raise FileError(f"Can't write '{path}': {reason(error)}. Choose another folder or free some space.") from error
    finally:
        with contextlib.suppress(OSError):  # the error above says more
            shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise FileError(f"Can't write '{target}': it is a device, not a file. Choose another path.")
    if not (source.is_dir() and target.is_dir()):
        source.replace(target)
        return
    for entry in source.iterdir():
        _move(entry, target / entry.name)


def reason(error: Exception) -> str:
    """Put an error of another library into a few words that fit into a sentence."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).splitlines()[0].rstrip(".")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever the libraries raise over a file into one FileError that names it."""
    try:
        yield
    except (HourglassError, Warning):
        raise
    except OSError as error:
        raise FileError(f"Can't read '{path}': {reason(error)}.") from error
    except MemoryError as error:
        raise FileError(f"'{path}' is too large for the memory of this machine. Split it.") from error
    except Exception as error:  # a damaged file meets a dozen kinds
        raise FileError(f"'{path}' is damaged, or is not what its ending says ({reason(error)}).") from error


def check_archive(path: Path, members: Sequence[ZipInfo], *, ratio: float = float("inf")) -> None:
    """Refuse a zip with a password, or one that claims to unpack to over `MAX_UNPACKED` or `ratio` times its size."""
    if any(member.flag_bits & 1 for member in members):
        raise FileError(f"'{path}' is locked with a password. Unpack it and read the folder.")
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if unpacked > min(MAX_UNPACKED, max(ratio * size, 100e6)):  # a small file does no harm at any ratio
        raise FileError(
            f"'{path}' has {size / 1e6:,.1f} MB and claims to unpack to {unpacked / 1e6:,.0f} MB, "
            "too much to be trusted. Unpack it and read the folder."
        )


def found_in(source: Path, wanted: Callable[[PurePath], bool]) -> list[tuple[str, Opener]]:
    """The path of each wanted file of a folder or a zip, in the order of names, and what opens it.

    What is hidden is left out, and nothing that leads out of an archive is taken.
    """

    def listed(path: PurePath) -> bool:
        return wanted(path) and not any(part[0] == "." or part == "__MACOSX" for part in path.parts)

    if source.is_dir():
        inside = sorted(path for path in source.rglob("*") if listed(path.relative_to(source)) and path.is_file())
        return [opened(path) for path in inside]
    archive = ZipFile(source)
    members = [member for member in archive.infolist() if listed(PurePath(member.filename)) and not member.is_dir()]
    members.sort(key=lambda member: PurePath(member.filename))
    check_archive(source, members, ratio=100)  # images are compressed already, and text to a tenth at most
    return [(str(source / member.filename), partial(_unzip, archive, member)) for member in members]


def opened(path: Path) -> tuple[str, Opener]:
    """A file's path, and what opens it."""
    return str(path), lambda: path.open("rb")


def _unzip(archive: ZipFile, member: ZipInfo) -> BinaryIO:
    return BytesIO(archive.read(member))  # seeking back in a member would unpack it again


def check_exists(path: Path) -> None:
    """Refuse a path at which there is nothing, naming the nearest one."""
    with naming(path):
        if path.exists():
            return
    raise FileError(f"There is no file or folder '{path}'.{_near(path) or ' Check the path.'}")


def check_target(path: object) -> None:
    """Refuse what is no path where something is to be written."""
    if not isinstance(path, (str, os.PathLike)):
        raise FileError(f"A file is written to a path, as text or a pathlib.Path. Got {shown(path)} instead.")


def check_model(path: str | os.PathLike[str], ending: str) -> None:
    """Refuse a path of a model, in a file of that ending, that leads nowhere, or is none."""
    if not isinstance(path, (str, os.PathLike)):
        raise ModelFileError(f"A model is read from a path, as text or a pathlib.Path. Got {shown(path)} instead.")
    if not os.path.isfile(path):  # noqa: PTH113 (any string)
        raise ModelFileError(f"There is no model file {str(path)!r}.{_near(Path(path), ending)}")


def _near(path: Path, ending: str = "") -> str:
    """The end of a sentence about a file that isn't there: which one in its folder, of that ending, is called nearly so, if any."""
    names: dict[str, Path] = {}
    with contextlib.suppress(OSError):  # a folder that isn't there, or can't be read
        names = {
            entry.name.removesuffix(ending): entry
            for entry in path.parent.iterdir()
            if entry.name.endswith(ending) and entry.exists()
        }
    found = difflib.get_close_matches(path.stem if ending else path.name, names, n=1)
    return f" Did you mean '{names[found[0]]}'?" if found else ""


def check_frames(path: str, frames: int) -> None:
    """Refuse a film, a stack or pages, of which each would be a picture."""
    if frames > 1:
        raise FileError(f"'{path}' is {frames} pictures in one file. Save each as a file of its own.")
