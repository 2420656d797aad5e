"""The files of models: ``load``, which makes an estimator of one, and ``info``, which says what is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hourglass import storage
from hourglass.errors import HourglassError, ModelFileError
from hourglass.estimators.fitted import Fitted
from hourglass.kinds import Kind, kind_from_config
from hourglass.parts import Open, Part, Plain
from hourglass.runtime import OnnxModel

MEMORY = "which window of those remembered is the nearest"  # what a detector of series keeps of a window


def load(path: str | os.PathLike[str], *, encoder: Any = None, decoder: Any = None, features: Any = None) -> Any:
    """Read a fitted model from a file that ``save`` or ``export_onnx`` wrote.

    Parameters
    ----------
    path : str or path
        The file.
    encoder, decoder : torch module or function, optional
        Your own networks, where the model was made with some: the file has their weights, not their code.
    features : torch module, optional
        The same for what stands before a detector of pictures.

    Returns
    -------
    estimator
        Fitted; gives the same numbers as the one that was saved. Of an ``.onnx`` file an `OnnxModel`.

    Raises
    ------
    ModelFileError
        The file is missing, damaged, no Hourglass model, of a newer version, or needs your own networks.
    """
    if str(path).lower().endswith(".onnx"):
        return OnnxModel(path)
    tensors, header = storage.read(path)
    _require_model(path, header)
    given = {"encoder": encoder, "decoder": decoder, "features": features}
    with _making_sense_of(path):
        return Fitted._named(header["estimator"])._from_file(path, tensors, header, given)


def info(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a model file says of itself, without loading the model.

    Parameters
    ----------
    path : str or path
        A file that ``save`` wrote.

    Returns
    -------
    dict
        Words by name: estimator, data, bottleneck, trained, loss, version, size, and of a table columns, with a line for each: what
        it was taken for, and why; of an exported one what it gives.

    Raises
    ------
    ModelFileError
        As `load`.
    """
    if str(path).lower().endswith(".onnx"):
        return _info_of_exported(path)
    header = storage.read_header(path)
    _require_model(path, header)
    with _making_sense_of(path):
        return _info_of_saved(path, header)


@contextmanager
def _making_sense_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """One error for whatever is raised over a header that `save` didn't write like that, or over a network of the user's."""
    try:
        yield
    except HourglassError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ModelFileError(
            f"{str(path)!r} can't be made a model again: {what}. Save it again if it was changed by hand."
        ) from error


def _info_of_saved(path: str | os.PathLike[str], header: dict[str, Any]) -> dict[str, str]:
    kind, history = kind_from_config(header["kind"]), header["history"]
    last = history[-1] if history else {"epoch": 0, "seconds": 0.0, "train": float("nan"), "validation": None}
    return {
        "estimator": header["estimator"],
        "data": kind.describe(),
        "bottleneck": MEMORY if _remembers(header) else _shown((header.get("inner") or header).get("bottleneck")),
        "trained": f"{last['epoch']} epoch{'s' * (last['epoch'] != 1)} in {last['seconds']:.1f} s",
        "loss": _loss(header, last),
        "version": header["version"],
        "size": f"{Path(path).stat().st_size / 1e6:.2f} MB",
    } | _columns(kind)


def _loss(header: dict[str, Any], last: dict[str, Any]) -> str:
    """The loss of the weights that were kept, of the last epoch where a file doesn't say which they are."""
    learned = header.get("inner") or header  # of a detector, its estimator
    best, start = learned.get("best_epoch"), learned.get("start_loss")
    if best == 0 and start is not None:
        return f"held out {start:.4g} nats an example, at the start, whose weights were kept"
    epoch, when = last, "in the last epoch"
    if best:
        epoch, when = header["history"][best - 1], f"in epoch {best}, whose weights were kept"
    held_out = "" if epoch["validation"] is None else f", held out {epoch['validation']:.4g}"
    return f"{epoch['train']:.4g}{held_out} nats an example, {when}"


def _columns(kind: Kind) -> dict[str, str]:
    """What each column of a table was taken for, and why, a line each."""
    lines = [
        f"{column.name}: {column.type}{', left out' * (column.type == 'identifier')}"
        f"{f', {column.missing:.2%} missing' * (column.missing > 0)} ({column.why})"
        for column in getattr(kind, "columns", ())
    ]
    return {"columns": "\n".join(lines)} if lines else {}


def _info_of_exported(path: str | os.PathLike[str]) -> dict[str, str]:
    model = OnnxModel(path)
    return {
        "estimator": f"{model.estimator}, exported",
        "data": model.kind_.describe(),
        "gives": ", ".join(model.outputs),
        "version": model.session.facts["version"],
        "size": f"{Path(path).stat().st_size / 1e6:.2f} MB",
    } | _columns(model.kind_)


def _remembers(header: dict[str, Any]) -> bool:
    return header["kind"]["kind"] == "series" and header.get("inner", header) is None


def _require_model(path: str | os.PathLike[str], header: dict[str, Any]) -> None:
    if "estimator" not in header:
        raise ModelFileError(f"{str(path)!r} is the checkpoint of an unfinished run: fit with checkpoint={str(path)!r} to go on.")


def _shown(waist: dict[str, Any] | None) -> str:
    """The waist in words."""
    if waist is None:
        return "none: what is hidden is rebuilt from the rest"
    part = Part.from_config(waist)
    if isinstance(part, Open):
        return "none: damage is mended in its place"
    return f"{part.n} numbers" if isinstance(part, Plain) else repr(part)
