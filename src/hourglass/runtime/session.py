"""An exported graph in onnxruntime: numbers in, numbers out, some rows at a time."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hourglass.data.files import check_model
from hourglass.errors import MissingExtraError, ModelFileError
from hourglass.parts.base import Facts

KEY = "hourglass"  # of the metadata
FORMAT = 1  # rises when older versions could no longer read the file
DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(uint8)": np.uint8, "tensor(int64)": np.int64}
Numbers = NDArray[Any]


class Session:
    """A graph, and what its file says of it.

    Parameters
    ----------
    path : str
        The ``.onnx`` file.
    threads : int, optional
        How many threads run it; unless given, as many as onnxruntime takes.
    """

    def __init__(self, path: str, threads: int | None) -> None:
        self._session = _opened(path, threads)
        self.facts = _facts(self._session, path)
        self._input = self._session.get_inputs()[0]
        self._codes = next(iter(self._session.get_overridable_initializers()), None)
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())
        self.shape: tuple[int, ...] = tuple(self._input.shape[1:])  # of a row
        self.dtype: Any = DTYPES[self._input.type]

    @property
    def codes(self) -> int:
        """How many codes the decoder takes."""
        return 0 if self._codes is None else int(self._codes.shape[1])

    def run(self, names: tuple[str, ...], numbers: Numbers) -> list[Numbers]:
        """Outputs of those names for numbers (n, *shape)."""
        found = [self._run(names, {self._input.name: part}) for part in self._parts(numbers)]
        return [np.concatenate(some) for some in zip(*found, strict=True)]

    def decode(self, codes: Numbers) -> Numbers:
        """The numbers (n, *shape) that codes (n, codes) stand for."""
        assert self._codes is not None
        nothing = np.zeros((1, *self.shape), self.dtype)
        parts = self._parts(codes.astype(np.float32))
        return np.concatenate([self._run(("decoded",), {self._input.name: nothing, self._codes.name: part})[0] for part in parts])

    def _parts(self, rows: Numbers) -> list[Numbers]:
        at_once = self.facts["rows_at_once"]
        return np.split(rows, range(at_once, len(rows), at_once))

    def _run(self, names: tuple[str, ...], fed: dict[str, Numbers]) -> list[Numbers]:
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True
        found: list[Numbers] = self._session.run(list(names), fed, options)
        return found


def _opened(path: str, threads: int | None) -> Any:
    check_model(path, ".onnx")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(f"{path!r} is run by onnxruntime. Run: pip install 'hourglass-ae[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever it says of a file that is none
        raise ModelFileError(f"{path!r} is no ONNX file, or is damaged: export the model again.") from error


def _facts(session: Any, path: str) -> dict[str, Any]:
    """What the metadata say of a model."""
    metadata = session.get_modelmeta().custom_metadata_map
    if KEY not in metadata:
        raise ModelFileError(f"{path!r} is an ONNX file of something else. Make one with: hourglass export model.safetensors")
    try:
        facts = Facts(json.loads(metadata[KEY]), path)
        newer = facts["format"] > FORMAT
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{path!r} is damaged: export the model again.") from error
    if newer:
        raise ModelFileError(
            f"{path!r} was written by Hourglass {facts['version']}, which is newer: update with `pip install -U hourglass-ae`."
        )
    return facts
