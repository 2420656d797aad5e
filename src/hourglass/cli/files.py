"""What the commands read and write: data by path or name, options as text, places to write to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import hourglass as hg
from hourglass.errors import suggest

CHARTS = (".png", ".svg", ".pdf")
TABLES = (".csv", ".tsv", ".parquet")
SCORES = (".mid", ".midi", ".abc")
SOUNDS = (*SCORES, ".wav")
FEW = 50  # rows, of which fewer are no record
EVEN = 0.95  # of the steps of a record are as long as the usual one
IN_FOLDERS = {"image": (".npy",), "melody": SOUNDS}  # kinds of which each row is a file, and what all of them go to as one


def dataset_named(data: str) -> Any:
    """The dataset of that name, or None where ``data`` is a path."""
    path = Path(data)
    if exists(data) or path.suffix or path.name != data:
        return None
    if data not in hg.datasets.names():
        raise hg.DataError(f"'{data}' is no file, no folder and no dataset. {suggest(data, hg.datasets.names())}")
    return hg.datasets.load(data)


def load(data: str, skip_bad: bool) -> Any:
    """The rows at a path, or the training rows of a named dataset."""
    return load_with_places(data, skip_bad)[0]


def load_with_places(data: str, skip_bad: bool) -> tuple[Any, dict[str, Any]]:
    """The same, and columns that say where each row is from."""
    from hourglass.data import read_with_places

    named = dataset_named(data)
    return read_with_places(data, skip_bad=skip_bad) if named is None else (named.x_train, {})


def numbered(X: Any, rows: list[int]) -> Any:
    """The rows of data that have these numbers."""
    import numpy as np

    from hourglass.kinds import taken

    strange = [row for row in rows if not 0 <= row < len(X)]
    if strange:
        raise hg.DataError(f"There is no row {strange[0]}: the data has rows 0 to {len(X) - 1}.")
    return taken(X, np.array(rows))


def ends_of(model: Any, data: list[str], rows: str, skip_bad: bool) -> tuple[Any, str]:
    """The rows to go by, which are typed themselves or numbers of rows of data, and in words."""
    if len(data) > 1 and not model.kind_.symbolic:
        raise hg.ParameterError(f"Rows can be typed where they are symbols. The model was fitted on {model.kind_.describe()}.")
    if len(data) > 1 and model.kind_.name == "melody":  # files, of which the first tune counts
        return [load(path, skip_bad)[0] for path in data], " to ".join(data)
    if len(data) > 1:
        return data, " to ".join(data)
    numbers = whole_numbers(rows, "--rows")
    if not numbers:
        raise hg.ParameterError(f"--rows takes the numbers of two rows or more, such as 0,7. Got {rows!r}.")
    ends = numbered(_without_condition(model, load(data[0], skip_bad)), numbers)
    return ends, " to ".join(f"row {number}" for number in numbers)


def _without_condition(model: Any, X: Any) -> Any:
    """A table without the one column that the model wasn't fitted on, where it was told a column beside its rows."""
    if model.condition_kind_ is None or model.kind_.name != "table" or not hasattr(X, "columns"):
        return X
    known = [column.name for column in model.kind_.columns]
    mine = [name for name in X.columns if name in known]
    return X[mine] if len(mine) == len(X.columns) - 1 else X


def require_place(model: Any, output: str | None) -> None:
    """Refuse to go without a place to write to where rows can't be shown, or with one that isn't for them."""
    if output is not None:
        require_suited(output, model.kind_)
    elif not model.kind_.symbolic or model.kind_.name == "melody":
        raise hg.ParameterError(f"Name a place to write to, with -o: {model.kind_.describe()} can't be shown here.")


def in_files(data: str, skip_bad: bool) -> Any:
    """Pictures at a path one by one, as they are asked for; anything else whole."""
    from hourglass.data import Pictures, reads_pictures

    if dataset_named(data) is None and reads_pictures(data):
        return Pictures(data, skip_bad=skip_bad)
    return load(data, skip_bad)


def time_column(X: Any) -> str | None:
    """The column of times of a table that looks like a record: at even steps, beside nothing but numbers."""
    import numpy as np
    import polars as pl

    from hourglass.data.record import roles, seconds

    if not isinstance(X, pl.DataFrame) or len(X) < FEW:
        return None
    found = roles(X, None)
    if found.time is None or found.id is not None or not found.values:
        return None
    if not all(X[name].dtype.is_numeric() for name in found.values):
        return None
    try:
        steps = np.diff(np.sort(seconds(X, found.time)[0]))
    except hg.DataError:
        return None
    usual = np.median(steps)
    return found.time if usual > 0 and (np.abs(steps - usual) <= usual / 100).mean() >= EVEN else None


def fills(model: Any) -> bool:
    """Whether a model that mends fills in what is missing of tables, and leaves the rest as it is."""
    return model.kind_.name == "table" and not model.model_.corruption.everywhere


def load_cleaner(path: Path) -> Any:
    """The model of a file, refused if it doesn't mend."""
    model = load_model(path)
    if not hasattr(model, "denoise"):
        raise hg.ModelFileError(f"'{path}' doesn't mend. Make a model that does with: hourglass fit DATA --for clean")
    return model


def of_same_names(path: Path | None, option: str, *, alone: bool) -> Any:
    """What gives the picture at a path that has the name of another, whatever they end in; None without a path.

    To one picture ``alone`` belongs a single file, whatever its name.
    """
    if path is None:
        return None
    from hourglass.data import Pictures

    pictures = Pictures(path)
    if alone and path.is_file() and len(pictures) == 1:
        return lambda _: pictures[0]
    numbers = {name: number for number, name in enumerate(pictures.names)}
    alike: dict[str, list[str]] = {}
    for name in numbers:
        alike.setdefault(_without_ending(name), []).append(name)

    def named(name: str) -> Any:
        plain = _without_ending(name)
        found = [name] if name in numbers else alike.get(plain, [])
        if not found:
            raise hg.FileError(f"{option}: '{path}' has no picture '{plain}'. {suggest(plain, alike)}")
        if len(found) > 1:
            raise hg.FileError(f"{option}: '{path}' has {found[0]!r} and {found[1]!r}, and neither is called '{name}'. Rename one.")
        return pictures[numbers[found[0]]]

    return named


def _without_ending(name: str) -> str:
    """The name of a picture without what it ends in; of one like 1.2.840 all of it."""
    from hourglass.data import ENDINGS

    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in ENDINGS else name


def marked(mask: Any) -> Any:
    """Where a picture of a mask isn't black."""
    return mask.pixels.reshape(*mask.pixels.shape[:2], -1).any(2)


def place_of(output: str, pictures: Any, *inputs: str | Path | None) -> Callable[[str], Path]:
    """What gives the path that the picture of a name is written to: in a folder or, of a single picture, a file that ends alike."""
    from hourglass.data import is_folder, wants_folder

    folder, path = is_folder(output), Path(output)
    if not folder and (len(pictures) > 1 or path.suffix.lower() != Path(pictures.names[0]).suffix.lower()):
        raise wants_folder("pictures", path)

    def place(name: str) -> Path:
        return path / name if folder else path

    require_unread(map(place, pictures.names), *inputs)
    require_writable(place(pictures.names[0]))
    return place


def noise_from(strength: str | None) -> float | str | None:
    """What --strength gives, in units of white."""
    if strength is None or strength == "auto":
        return strength
    try:
        levels = float(strength)
    except ValueError:
        levels = -1
    if not 0 <= levels <= 255:
        raise hg.ParameterError(f"--strength takes a number of grey levels, or auto. Got {strength!r}.")
    return levels / 255


def load_autoencoder(path: Path) -> Any:
    """The model of a file, refused if it is a detector."""
    model = load_model(path)
    if not hasattr(model, "reconstruct"):
        raise hg.ModelFileError(f"'{path}' is a detector, which has no codes. Use it with: hourglass detect")
    return model


def load_generating(path: Path) -> Any:
    """The autoencoder of a file, refused if its codes are not to be moved."""
    model = load_autoencoder(path)
    if not hasattr(model, "sample"):
        raise hg.ModelFileError(
            f"'{path}' mends, and makes nothing new. Use it with: hourglass denoise. "
            "One that makes new data comes from: hourglass fit DATA --for generate"
        )
    return model


def load_untold(path: Path) -> Any:
    """The autoencoder of a file, refused if it has to be told something beside rows."""
    model = load_autoencoder(path)
    if model.condition_kind_ is not None:
        raise hg.ModelFileError(
            f"'{path}' was fitted with --condition, which this command has no option for. "
            "Use it with: hourglass generate, interpolate, neighbours or report."
        )
    return model


def load_model(path: Path) -> Any:
    """The model of a file, refused if it was exported."""
    if path.suffix.lower() == ".onnx":
        raise hg.ModelFileError(f"'{path}' is an exported model, which only hourglass detect takes. Give the .safetensors file.")
    return hg.load(path)


def load_detector(path: Path, *, exported: bool = False) -> Any:
    """The detector of a file, refused if it is something else; an ``exported`` one, if that will do, is run without torch."""
    model = hg.OnnxModel(path) if exported and path.suffix.lower() == ".onnx" else load_model(path)
    if not hasattr(model, "alarms") or (isinstance(model, hg.OnnxModel) and "alarm" not in model.outputs):
        raise hg.ModelFileError(f"'{path}' is no detector. Make one with: hourglass fit DATA --for flag")
    return model


def in_batches(detector: Any, data: str, skip_bad: bool) -> Any:
    """Tables in files a batch at a time, records of a folder one by one, everything else whole; beside each where it is from."""
    from hourglass.data import batches, files_of, read

    if detector.kind_.of_record and Path(data).is_dir():
        return ((read(file), {"file": file.relative_to(data).as_posix()}) for file in files_of(data))
    if Path(data).suffix.lower() in TABLES and detector.kind_.name == "table":
        return ((batch, {}) for batch in batches(data, dtypes={column.name: column.dtype for column in detector.kind_.used}))
    return iter([load_with_places(data, skip_bad)])


def kind_of(kind: str | None, window: int | None, rate: float | None, bars: int | None) -> Any:
    """What --kind, --window, --rate and --bars give together."""
    if bars is not None:
        if kind not in {None, "melody"} or window is not None or rate is not None:
            raise hg.ParameterError("--bars is for melodies. Leave it out beside what is for others.")
        return hg.Melodies(bars)
    if window is None and rate is None:
        return kind
    if kind not in {None, "series"}:
        raise hg.ParameterError(f"--window and --rate are for series. Leave them out beside --kind {kind}.")
    return hg.Series(window=window, rate=rate)


def column_types(given: list[str] | None) -> dict[str, str] | None:
    """The types that --column gives."""
    for pair in given or []:
        if "=" not in pair:
            raise hg.ParameterError(f"--column takes NAME=TYPE, such as zip=categorical. Got {pair!r}.")
    return dict(pair.rsplit("=", 1) for pair in given) if given else None


def whole_numbers(text: str, option: str) -> list[int]:
    """The numbers of an option, with commas between them."""
    try:
        return [int(number) for number in text.split(",") if number.strip()]
    except ValueError as error:
        raise hg.ParameterError(f"{option} takes whole numbers with commas between them, such as 8,16,32. Got {text!r}.") from error


def require_target(path: str, *inputs: str | Path | None) -> None:
    """Refuse a place that rows can't be written to, or that they are read from, before the work instead of after it."""
    from hourglass.data import require_known

    require_unread([Path(path)], *inputs)
    require_known(path)


def require_suited(path: str, kind: Any) -> None:
    """Refuse a folder for rows that go to a file, and a file for those that go to a folder, before the work."""
    from hourglass.data import is_folder, wants_folder

    folder, files, ending = is_folder(path), IN_FOLDERS.get(kind.name), Path(path).suffix.lower()
    unsuited = not folder and (ending in SCORES if files is None else ending not in files)
    if unsuited and not kind.ending:
        raise wants_folder(kind.describe(), path)
    if unsuited or (folder and kind.ending):
        whole = Path(path) if folder else Path(path).with_suffix("")
        raise hg.FileError(f"Can't write {kind.describe()} to '{path}'. Name a file, such as {whole}{kind.ending}.")


def require_unread(places: Iterable[Path], *inputs: str | Path | None, option: str = "-o") -> None:
    """Refuse to write over what is read: a file, a folder, or what is read of a folder."""
    from hourglass.data import files_of

    there = {place.resolve(): place for place in places if exists(place)}
    given = [one for one in inputs if one is not None and exists(one)] if there else []
    read = {Path(path).resolve() for one in given for path in (one, *files_of(one))}
    for resolved, place in there.items():
        if resolved in read:
            raise hg.FileError(f"Can't write '{place}' over what is read. Name another place with {option}.")


def exists(path: str | Path) -> bool:
    """Whether there is something at a path; not where it is too long to be one, as rows that are typed may be."""
    return os.path.exists(path)  # noqa: PTH110 (any string)


def require_writable(path: Path, endings: tuple[str, ...] = (), *inputs: str | Path | None, option: str = "-o") -> None:
    """Refuse a file that can't be written or is read, or an unknown ending, before the work instead of after it."""
    require_unread([path], *inputs, option=option)
    if path.is_dir():
        raise hg.FileError(f"Can't write '{path}': it is a folder. Name a file, such as {path / 'model.safetensors'}.")
    if endings and path.suffix.lower() not in endings:
        raise hg.FileError(f"Can't write '{path}' by its ending. Known: {', '.join(endings)}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise hg.FileError(f"Can't write '{path}': {error.strerror}. Choose another folder or free some space.") from error


def save_figure(figure: Any, path: Path) -> None:
    """Write beside, then rename."""
    from hourglass.data import atomic

    with atomic(path) as beside:
        figure.savefig(beside, dpi=200, bbox_inches="tight")


def require_unread_pictures(folder: Path, data: str, option: str = "-o", *, named: bool = True) -> None:
    """Refuse a folder in which pictures, by their names or by numbers, would be written over those that are read."""
    from hourglass.data import files_of, image_files, image_names, reads_pictures

    names = image_names(data) if named and reads_pictures(data) else None
    places = image_files(names, len(files_of(data) if names is None else names))
    require_unread((folder / place for place in places), data, option=option)


def save_overlays(detector: Any, X: Any, alarm: Any, names: list[str] | None, folder: Path) -> None:
    """The images that raised an alarm, under their score maps, by their names or else numbers."""
    from hourglass.data import image_files, write_images

    files = image_files(names, len(X))
    if alarm.any():
        write_images(folder, hg.plots.overlays(detector, X[alarm]), [str(files[row]) for row in alarm.nonzero()[0]])
