"""One file for a model: safetensors, with everything else as JSON in its header. Never pickle; knows no estimator."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hourglass.data.files import atomic, check_model
from hourglass.errors import ModelFileError
from hourglass.parts.base import Facts, as_json

FORMAT = 1  # rises when older versions could no longer read the file
KEY = "hourglass"


def write(path: str | os.PathLike[str], tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a header of plain JSON as one file, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    facts = {"format": FORMAT, "version": version("hourglass-ae"), "checksum": _checksum(tensors), **header}
    facts["digest"] = _digest(json.loads(as_json(facts)))
    with atomic(path) as beside:
        beside.write_bytes(save(tensors, metadata={KEY: as_json(facts)}))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file that `write` wrote.

    Raises
    ------
    ModelFileError
        The file is missing, damaged, truncated, no Hourglass model, or of a newer version.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise _damaged(path) from error
    if header.get("checksum") != _checksum(tensors):
        raise _damaged(path)
    return tensors, header


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header alone, without the tensors; raises what `read` does, but for damage to those."""
    check_model(path, ".safetensors")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        if not str(path).endswith(".safetensors"):
            raise ModelFileError(f"{str(path)!r} is no Hourglass model: such a file ends in .safetensors.") from error
        raise _damaged(path) from error
    if KEY not in metadata:
        raise ModelFileError(f"{str(path)!r} is no Hourglass model: it is a safetensors file of something else.")
    try:
        header: dict[str, Any] = json.loads(metadata[KEY])
        digest, newer = header.pop("digest", None), header["format"] > FORMAT
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    if digest != _digest(header):
        raise _damaged(path)
    if newer:
        raise ModelFileError(
            f"{str(path)!r} was written by Hourglass {header['version']}, which is newer than this {version('hourglass-ae')}: "
            "update with `pip install -U hourglass-ae`."
        )
    return Facts(header, path)


def load_tensors(module: nn.Module, tensors: dict[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Give a module its tensors; names or shapes that don't fit the configuration are an error."""
    wanted = module.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        here = tuple(tensors[name].shape) if name in tensors else "missing"
        there = tuple(wanted[name].shape) if name in wanted else "unknown"
        if here != there:
            raise ModelFileError(
                f"{str(path)!r} doesn't fit its own configuration: tensor {name!r} is {here} in the file, {there} in the model."
            )
    module.load_state_dict(tensors)


def _checksum(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _digest(header: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _damaged(path: str | os.PathLike[str]) -> ModelFileError:
    return ModelFileError(f"{str(path)!r} is damaged or was cut short: copy or make it again.")
