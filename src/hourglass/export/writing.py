"""A graph as a file: translated by torch, described, and compared with the library before it is there."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import version
from io import StringIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hourglass.data import atomic
from hourglass.data.files import reason
from hourglass.errors import DataError, MissingExtraError, ModelFileError
from hourglass.export.graphs import Graph
from hourglass.kinds.token import as_objects
from hourglass.parts.alarm import SLACK
from hourglass.parts.base import as_json
from hourglass.parts.scaling import PerWindow
from hourglass.runtime import OnnxModel
from hourglass.runtime.session import FORMAT, KEY

OPSET = 20
RTOL = 1e-4  # of a number, and of the usual size of an output, by which onnxruntime may be off
ROWS = 50  # that are made up, to compare with
EDGES = 1e-3  # of the numbers may differ: where two levels or codes are equally good, rounding decides
Compared = Callable[[Any], dict[str, NDArray[Any]]]


def write(path: str | os.PathLike[str], graph: Graph, facts: dict[str, Any], library: Compared, given: Any = None) -> None:
    """Write a graph whole or not at all: only if onnxruntime gives the library's numbers, for rows made up and those given."""
    _require_extra()
    samples = made_up(graph)
    with atomic(path) as beside:
        proto = _translated(graph, samples[0])
        proto.metadata_props.add(key=KEY, value=as_json(_described(graph, facts)))
        beside.write_bytes(proto.SerializeToString())
        try:
            model = OnnxModel(beside)
        except ModelFileError as error:
            raise ModelFileError(f"onnxruntime can't run the graph: {_root(error)}.") from error
        for raw in samples if given is None else [*samples, given]:
            _require_alike(model, raw, library(raw))


def _described(graph: Graph, facts: dict[str, Any]) -> dict[str, Any]:
    """What the metadata say."""
    described = {"format": FORMAT, "version": version("hourglass-ae"), "kind": graph.kind.to_config(), "fills": graph.fills}
    return described | {"alarm_rate": None, "offset": None, "least_rate": None} | facts


def _translated(graph: Graph, raw: Any) -> Any:
    """The graph in ONNX."""
    numbers = torch.from_numpy(np.ascontiguousarray(graph.kind.to_array(raw)[:3])).to(graph.input_dtype)
    given = {"x": numbers, "z": torch.zeros(2, graph.codes)} if graph.codes else {"x": numbers}
    with _quietly(), torch.no_grad():
        try:
            program: Any = torch.onnx.export(
                graph.eval(),
                tuple(given.values()),
                dynamo=True,
                dynamic_shapes=tuple({0: torch.export.Dim(f"rows_of_{name}")} for name in given),
                input_names=list(given),
                output_names=list(graph.names),
                opset_version=OPSET,
                verbose=False,
            )
        except Exception as error:  # whatever the tracing of a network of someone else's raises
            raise ModelFileError(
                f"The model can't be exported, as torch can't write it down as a graph: {_root(error)}. "
                "A network of your own must not decide by the numbers that pass it."
            ) from error
    proto = program.model_proto
    if graph.codes:  # with a value of its own, so that who wants no decoder need not give any
        from onnx import numpy_helper

        proto.graph.initializer.append(numpy_helper.from_array(np.zeros((1, graph.codes), np.float32), "z"))
    return proto


def _root(error: Exception) -> str:
    """What was behind an error, in a few words."""
    return reason(error.__cause__ if isinstance(error.__cause__, Exception) else error)


def _require_extra() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Exporting takes onnx, onnxscript and onnxruntime. Run: pip install 'hourglass-ae[onnx]'"
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """What torch says of its own ways is not for the user, and takes long to write down."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.fx", "torch.__trace")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def made_up(graph: Graph) -> list[Any]:
    """Raw data to compare with: rows around the middle and far from it, others close to what the model makes of them, and one."""
    generator = torch.Generator().manual_seed(0)
    kind, scaling = graph.kind, graph.scaling
    if kind.symbolic:
        far = _lines(kind, generator)
        return [far, far[:1]]
    x = torch.randn(ROWS, *kind.shape, generator=generator) * torch.linspace(0.1, 2.0, ROWS).view(-1, *[1] * len(kind.shape))
    x = (0.5 + x / 4).clamp(0, 1) if kind.unit else x
    with torch.no_grad():
        near = graph.usual(x) + torch.randn(x.shape, generator=generator) * (0.05 if kind.unit else 0.2)
        near = near.clamp(0, 1) if kind.unit else near
        values = [some if isinstance(scaling, PerWindow) else scaling.inverse(some) for some in (x, near)]
    if kind.gaps:
        values[0] = values[0].masked_fill(torch.rand(values[0].shape, generator=generator) < 0.05, torch.nan)
    far, close = (kind.from_tensor(some) for some in values)
    return [far, close, far[: kind.shape[-1] if kind.of_record else 1]]


def _lines(kind: Any, generator: torch.Generator) -> Any:
    """Rows of symbols, of all lengths."""
    length, symbols = kind.shape
    drawn = 1 + torch.randint(symbols - 1, (ROWS, length), generator=generator).numpy()
    lines = as_objects([[kind.alphabet[number - 1] for number in row[: 1 + place % length]] for place, row in enumerate(drawn)])
    try:
        kind.to_array(lines)
    except DataError:  # a kind that has rows of its own
        return as_objects(kind.from_array(drawn))
    return lines


def _require_alike(model: OnnxModel, raw: Any, wanted: dict[str, NDArray[Any]]) -> None:
    """Refuse a graph that gives other numbers than the library."""
    found = dict(zip(wanted, model.run(raw, *wanted), strict=True))
    if "decoded" in model.outputs:
        wanted, found["decoded"] = {**wanted, "decoded": wanted["reconstruction"]}, model.session.decode(wanted["codes"])
    for name, ours in wanted.items():
        off = _off(name, ours, found[name], model)
        if name == "alarm":  # of a row that has the very score of the threshold, rounding decides in the library too
            off &= np.abs(wanted["score"] - model.session.facts["offset"]) > SLACK * (1 + np.abs(wanted["score"]))
        if off.mean() > (0 if name == "alarm" else EDGES):
            raise ModelFileError(
                f"onnxruntime gives another {name} than the library in {int(off.sum()):,} of {off.size:,} numbers, so nothing was "
                "written. Please report it, with what the model was fitted on."
            )


def _off(name: str, ours: NDArray[Any], theirs: NDArray[Any], model: OnnxModel) -> NDArray[np.bool_]:
    """Which numbers are further from the library's than single precision explains."""
    if name == "alarm":
        return np.asarray(ours != theirs)
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    alike = name == "codes" or len(ours) == 1 or model.kind_.unit  # some codes are all but unused, some pixels all but black
    usual = np.sqrt(np.nanmean(np.square(ours), None if alike else 0))
    room = 2 * model.session.facts["least_rate"] if name == "p_value" else RTOL * (np.abs(ours) + usual)
    if name == "score":  # which may be next to none, as of rows that a detector remembers: usual is one at the threshold
        room = room + SLACK + RTOL * abs(model.session.facts["offset"] or 0.0)
    return np.asarray(~((np.abs(ours - theirs) <= room) | (np.isnan(ours) & np.isnan(theirs))))
