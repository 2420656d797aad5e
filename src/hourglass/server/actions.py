"""What can be asked of a model: a row each in a table, with the schema of its request and of its answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hourglass.data import Record
from hourglass.kinds.frames import as_frame, is_table
from hourglass.server.batching import Answer
from hourglass.server.limits import Limits, Refusal
from hourglass.server.rows import numbers, of_records, rows_for

ROWS = (
    "A row each. Pictures are lists of lists of pixels: whole numbers as in the training data, or decimals from 0 to 1. Of a table "
    "a row is an object with a value for each column, or a list of them. Series are lists of numbers, rows of symbols are strings, "
    "melodies are objects. null is missing."
)
Rows = Annotated[list[Any], Field(description=ROWS, min_length=1, examples=[[[0.5, 1.5, 2.5]]])]
Codes = Annotated[
    list[Any], Field(description="Codes, as encode gives them: a list for each row.", min_length=1, examples=[[[0.1, -0.2]]])
]
Known = Annotated[
    str | int | float | list[Any] | None,
    Field(description="For models that were fitted with a condition: a label for all rows, or a list with one for each."),
]
Seed = Annotated[int | None, Field(description="The same seed gives the same rows.", ge=0, le=2**32 - 1)]


class Asked(BaseModel):
    """The fields of a request."""

    model_config = ConfigDict(extra="forbid")


class OfRows(Asked):
    """Rows, passed through the model one by one."""

    rows: Rows
    condition: Known = None


class OfCodes(Asked):
    """Codes, to be made rows again."""

    rows: Codes
    condition: Known = None


STRENGTH = "the standard deviation of the noise, from 0 to 1, where white is 1, so that 25 grey levels are 25/255"


def _known_strength(strength: float | str | None) -> float | str | None:
    if isinstance(strength, float) and not 0 <= strength <= 1:
        raise ValueError(f"It is {STRENGTH}")
    return strength


class Judged(Asked):
    """Rows, to be judged."""

    rows: Rows


class Explained(Asked):
    """Rows, to be judged and explained."""

    rows: Rows
    most: Annotated[int | None, Field(description="How many reasons to name for each row.", ge=1, le=1000)] = None


class Mended(Asked):
    """Damaged rows."""

    rows: Rows
    strength: Annotated[
        float | Literal["auto"] | None,
        Field(description=f"Of pictures: {STRENGTH}; auto estimates it."),
        AfterValidator(_known_strength),
    ] = None
    mask: Annotated[
        list[Any] | None, Field(description="Of pictures: for each a list of lists of truth values, true where it is damaged.")
    ] = None


class Drawn(Asked):
    """How many rows to draw."""

    n: Annotated[int, Field(description="How many rows.", ge=1)] = 1
    condition: Known = None
    seed: Seed = None


class Between(Asked):
    """Two rows or more, to go from one to the next."""

    rows: Rows
    steps: Annotated[int, Field(description="Rows from one to the next, both of them included.", ge=2)] = 8
    path: Annotated[Literal["straight", "spherical"], Field(description="A straight line, or an arc.")] = "straight"
    condition: Known = None


class CodesFound(BaseModel):
    """What encode answers."""

    codes: Annotated[list[list[float | None]], Field(description="A list of codes for each row.")]


class RowsFound(BaseModel):
    """Rows as the model was fitted on."""

    rows: Annotated[list[Any], Field(description="Rows in the form of those that the model was fitted on.")]


class ScoresFound(BaseModel):
    """What score answers; of an autoencoder the scores alone. In an npy these are the columns, in this order, and an alarm is 1."""

    model_config = ConfigDict(extra="allow")

    score: Annotated[list[float | None], Field(description="Higher is more usual: as score_samples of the library.")]
    p_value: Annotated[list[float], Field(description="Of a detector: the share of usual rows that are as strange.")] = []
    alarm: Annotated[list[bool], Field(description="Of a detector: whether the row raised an alarm.")] = []


class ReasonsFound(BaseModel):
    """What explain answers."""

    reasons: Annotated[list[dict[str, Any]], Field(description="A line for each reason of each alarm; row counts from 0.")]


class MapsFound(BaseModel):
    """What heatmaps answers."""

    maps: Annotated[list[list[list[float]]], Field(description="A map for each picture; 1 is the peak of a usual picture.")]


class DriftFound(BaseModel):
    """What drift answers."""

    drifted: Annotated[bool, Field(description="Whether the rows are of another sort than those of the training.")]
    p_value: Annotated[float, Field(description="That the scores are those of usual rows.")]
    moved: Annotated[float, Field(description="How far the distribution of scores is from that of usual rows, from 0 to 1.")]
    columns: Annotated[
        list[dict[str, Any]], Field(description="A line for each column, the most moved first: how far, how surely, missing cells.")
    ]


@dataclass(frozen=True)
class Action:
    """Something that can be asked of a model.

    Parameters
    ----------
    name : str
        The end of its address.
    asked, answered : pydantic model
        The fields of a request, and of an answer in JSON.
    call : function
        Of a model, rows and the request: the answer, as columns by name.
    methods : tuple of str
        What a model needs to have, to be asked.
    codes : bool
        Whether it needs codes, too.
    kinds : tuple of str
        Kinds of data that it is for; any unless some are named.
    by_row : bool
        Whether each row of the answer depends on its own row alone, so that requests can be computed together.
    rows : function
        How many rows the answer has, of the request and the number of its rows.
    """

    name: str
    asked: type[Asked]
    answered: type[BaseModel]
    call: Callable[[Any, Any, Any], Answer]
    methods: tuple[str, ...]
    codes: bool = False
    kinds: tuple[str, ...] = ()
    by_row: bool = True
    rows: Callable[[Any, int], int] = lambda asked, n: n

    @property
    def about(self) -> str:
        """What it does, in a sentence."""
        return (self.call.__doc__ or "").strip()

    def of(self, model: Any) -> bool:
        """Whether a model has it."""
        if not all(hasattr(model, method) for method in self.methods) or (self.codes and not _has_codes(model)):
            return False
        if (self.kinds and model.kind_.name not in self.kinds) or (self.name == "sample" and not _draws(model)):
            return False
        return self.name == "denoise" or 0 not in model.kind_.shape  # pictures of differing sizes are mended alone


def _has_codes(model: Any) -> bool:
    try:
        return len(model.get_feature_names_out()) > 0
    except ValueError:  # it has no waist
        return False


def _draws(model: Any) -> bool:
    """Whether a model has a distribution of codes to draw from: that of its waist, or of a sampler that was fitted."""
    return model.model_.density() is not None or getattr(model.sampler_, "module", None) is not None


def encode(model: Any, rows: Any, asked: OfRows) -> Answer:
    """Rows to codes."""
    return {"codes": np.asarray(model.transform(rows, _known(asked)))}


def decode(model: Any, rows: Any, asked: OfCodes) -> Answer:
    """Codes to rows."""
    return _rows(model.inverse_transform(rows, _known(asked)))


def reconstruct(model: Any, rows: Any, asked: OfRows) -> Answer:
    """Rows through the waist and back: what survives."""
    return _rows(model.reconstruct(rows, _known(asked)))


def score(model: Any, rows: Any, asked: OfRows) -> Answer:
    """How usual each row is; of a detector also its p-value, and whether it raised an alarm."""
    if not hasattr(model, "alarms"):
        return {"score": model.score_samples(rows, _known(asked))}
    if asked.condition is not None:
        raise Refusal(422, "A detector takes no condition. Leave it out.")
    found = model.alarms(rows, reasons=0)
    return {"score": -found["score"].to_numpy()} | {name: found[name].to_numpy() for name in ("p_value", "alarm")}


def explain(model: Any, rows: Any, asked: Explained) -> Answer:
    """What raised each alarm: columns, regions or stretches, in numbers and in words."""
    return {"reasons": model.explain(rows, most=asked.most)}


def heatmaps(model: Any, rows: Any, asked: Judged) -> Answer:
    """How strange each pixel of each picture is."""
    return {"maps": model.heatmaps(rows)}


def drift(model: Any, rows: Any, asked: Judged) -> Answer:
    """Whether rows, best some hundreds, are still of the sort that the detector learned from, and which columns have moved."""
    found: Answer = model.drift(rows)._asdict()
    return found


def denoise(model: Any, rows: Any, asked: Mended) -> Answer:
    """Damaged rows, mended."""
    return _rows(model.denoise(rows, strength=asked.strength, mask=None if asked.mask is None else _masks(asked.mask)))


def sample(model: Any, rows: None, asked: Drawn) -> Answer:
    """New rows, drawn from the model."""
    return _rows(model.sample(asked.n, condition=_known(asked), random_state=asked.seed))


def interpolate(model: Any, rows: Any, asked: Between) -> Answer:
    """The way from one row to the next through the codes."""
    return _rows(model.interpolate(rows, steps=asked.steps, path=asked.path, condition=_known(asked)))


def _known(asked: Any) -> Any:
    """The condition of a request: a label, an array, or a table."""
    condition = asked.condition
    if not isinstance(condition, list):
        return condition
    if condition and all(isinstance(row, dict) for row in condition):
        return of_records(condition)
    try:
        return np.asarray(condition)
    except ValueError:
        raise Refusal(422, "A condition is a label, or a list with a label or a list of cells for each row.") from None


def _rows(found: Any) -> Answer:
    """Rows of any container as an array, a polars table, or a list."""
    if isinstance(found, Record):
        return {"rows": found.values}
    return {"rows": as_frame(found) if is_table(found) else found}


def _masks(mask: list[Any]) -> list[Any]:
    try:
        return [np.asarray(each, dtype=bool) for each in mask]
    except ValueError:
        raise Refusal(422, "A mask is a list of lists of truth values for each picture, all of one length.") from None


def _steps(asked: Between, n: int) -> int:
    return max(n - 1, 1) * (asked.steps - 1) + 1


ACTIONS = {
    action.name: action
    for action in (
        Action("encode", OfRows, CodesFound, encode, ("transform",), codes=True),
        Action("decode", OfCodes, RowsFound, decode, ("inverse_transform",), codes=True),
        Action("reconstruct", OfRows, RowsFound, reconstruct, ("reconstruct",)),
        Action("score", OfRows, ScoresFound, score, ("score_samples",)),
        Action("explain", Explained, ReasonsFound, explain, ("explain",), by_row=False),
        Action("heatmaps", Judged, MapsFound, heatmaps, ("heatmaps",), kinds=("image",)),
        Action("drift", Judged, DriftFound, drift, ("drift",), by_row=False),
        Action("denoise", Mended, RowsFound, denoise, ("denoise",)),
        Action("sample", Drawn, RowsFound, sample, ("sample",), codes=True, by_row=False, rows=lambda asked, n: asked.n),
        Action("interpolate", Between, RowsFound, interpolate, ("interpolate",), codes=True, by_row=False, rows=_steps),
    )
}


def raw_rows(action: Action, model: Any, asked: Any, limits: Limits) -> tuple[Any, int]:
    """The rows of a request as the model wants them, and how many; refused where they, or the answer, are too many."""
    kind, given = model.kind_, getattr(asked, "rows", None)
    for objects in (given, getattr(asked, "condition", None)):
        _require_few(objects, limits)
    if given is None:
        rows, count, size = None, 0, 0
    elif action.name == "decode":
        rows = numbers(given, kind.dtype) if isinstance(given, list) else _codes_of(given)
        count, size = len(rows), rows.size
    else:
        rows = rows_for(kind, given)
        count, size = len(rows), _size(rows)
    made = action.rows(asked, count)
    limits.require_size(max(count, made), max(size, made * math.prod(kind.raw_shape)))
    return rows, count


def _require_few(objects: Any, limits: Limits) -> None:
    """Refuse more rows than may be, before a table is made of them: each object may bring columns of its own."""
    if isinstance(objects, list):
        columns = {name for row in objects if isinstance(row, dict) for name in row}
        limits.require_size(len(objects), len(objects) * len(columns))


def _size(rows: Any) -> int:
    """How many numbers rows have, or 16ths, if they are melodies."""
    if isinstance(rows, list):
        return sum(map(np.size, rows))
    if len(rows) and hasattr(rows, "dtype") and hasattr(rows[0], "bars"):
        return sum(tune.bars * tune.bar for tune in rows)
    return math.prod(rows.shape)


def _codes_of(rows: Any) -> Any:
    return rows.to_numpy() if hasattr(rows, "to_numpy") else rows
