"""Melodies in files: ABC and MIDI, in folders and zips; and back, as either and as sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from hourglass.data.abc import abc_of, has_chords, read_tune, tunes_of
from hourglass.data.files import Opener, atomic, check_exists, found_in, naming, opened, reason
from hourglass.data.melody import Melody, as_melodies
from hourglass.data.midi import midi_of, read_midi
from hourglass.data.sound import wav_of
from hourglass.errors import FileError, HourglassError, MissingExtraError, listed, warn

TUNES = (".abc", ".mid", ".midi")
Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
WRITERS: dict[str, Callable[[Sequence[Melody]], bytes]] = {".mid": midi_of, ".midi": midi_of, ".abc": abc_of, ".wav": wav_of}


def holds_melodies(source: Source) -> bool:
    """Whether a source is one of tunes: a file of them, a folder or a zip that has one, or a list of such files."""
    if not isinstance(source, (str, os.PathLike)):
        return len(source) > 0 and all(_is_tune(PurePath(path)) for path in source)
    path = Path(source)
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip"):
        with naming(path):
            return bool(found_in(path, _is_tune))
    return _is_tune(path)


def read_named_melodies(source: Source, *, skip_bad: bool = False) -> tuple[list[Melody], list[str]]:
    """Read all tunes of a file, a folder, a zip or a list of files, and the file of each, relative to the folder that they share.

    Parameters
    ----------
    source : path or sequence of paths
        ABC (any number of tunes a file) and MIDI. Sub-folders are included, hidden files are not; the order is that of the names.
    skip_bad : bool, default=False
        Leave out tunes that can't be read, with one warning, instead of raising an error.

    Returns
    -------
    melodies : list of Melody
        As they are written, repeats once: one of each tune, or more where metre or key change or a bar is too long for its metre.
    files : list of str

    Raises
    ------
    FileError
        No tune, or one that can't be read; the sentence names the file and the tune.
    MissingExtraError
        A file is MIDI, and symusic isn't installed.
    """
    found: list[Melody] = []
    files: list[str] = []
    bad: list[str] = []
    tunes = cut = thinned = 0
    for path, opener in _files(source):
        try:
            readers = _readers(path, opener)
        except FileError as error:
            if not skip_bad:
                raise
            bad.append(str(error))
            continue
        for where, reader in readers:
            try:
                with naming(Path(path)):
                    melodies, below = reader()
            except MissingExtraError:
                raise
            except HourglassError as error:
                words = str(error) if isinstance(error, FileError) else f"{where}: {reason(error)}. Leave it out, or mend it."
                if not skip_bad:
                    raise FileError(words) from error
                bad.append(words)
                continue
            found += melodies
            files += [path] * len(melodies)
            tunes, cut, thinned = tunes + 1, cut + (len(melodies) > 1), thinned + (below > 0)
    if bad and not found:
        raise FileError(bad[0])
    _say(tunes, cut, thinned, bad)
    shared = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in set(files)])  # noqa: PTH100, PTH120
    return found, [os.path.relpath(path, shared) for path in files]


def write_melodies(path: Path, raw: Sequence[Melody], *, folder: bool) -> None:
    """Write melodies to one file, one after the other; or to a folder, each as MIDI and as sound."""
    melodies = as_melodies(raw)
    silent = [str(number) for number, melody in enumerate(melodies) if not melody.notes]
    if silent:
        warn(f"{len(silent):,} of {len(melodies):,} melodies in '{path}' have no note, so they are silent: {listed(silent)}.")
    with atomic(path) as temporary:
        if not folder:
            temporary.write_bytes(WRITERS[path.suffix.lower()](melodies))
            return
        temporary.mkdir()
        for number, melody in enumerate(melodies):
            for ending in (".mid", ".wav"):
                (temporary / f"{number:05d}{ending}").write_bytes(WRITERS[ending]([melody]))


def _is_tune(path: PurePath) -> bool:
    return path.suffix.lower() in TUNES


def _files(source: Source) -> list[tuple[str, Opener]]:
    if not isinstance(source, (str, os.PathLike)):
        return [file for path in source for file in _files(path)]
    path = Path(source)
    check_exists(path)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return found_in(path, _is_tune)
    return [opened(path)]


def _readers(path: str, opener: Opener) -> list[tuple[str, Callable[[], tuple[list[Melody], int]]]]:
    """What a file's tunes are called in messages, and what reads each."""
    with naming(Path(path)), opener() as stream:
        raw = stream.read()
    if PurePath(path).suffix.lower() != ".abc":
        return [(f"'{path}'", lambda: read_midi(raw, PurePath(path).stem))]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what older files are in
    tunes = tunes_of(text)
    if not tunes:
        raise FileError(f"'{path}' holds no tune. In ABC each begins with a line X: and its number.")
    names = [tune[2 : tune.find("\n")].split("%")[0].strip() for tune in tunes]
    return [
        (f"Tune {name or number + 1} of '{path}'", lambda tune=tune: (read_tune(tune), int(has_chords(tune))))  # type: ignore[misc]
        for number, (name, tune) in enumerate(zip(names, tunes, strict=True))
    ]


def _say(tunes: int, cut: int, thinned: int, bad: list[str]) -> None:
    """Warn, once, of what is not as it was written."""
    parts = [f"{len(bad)} could not be read and were left out, the first as: {bad[0]}"] if bad else []
    if cut:
        parts.append(f"{cut} became several melodies, cut where metre or key change or a bar is too long for its metre")
    if thinned:
        parts.append(f"of {thinned} only the top line was taken, as notes sound together")
    if parts:
        warn(f"Of {tunes + len(bad):,} tune{'s' * (tunes + len(bad) != 1)} {'; '.join(parts).rstrip('.')}.")
