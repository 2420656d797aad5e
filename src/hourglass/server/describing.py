"""What the service says of itself: its models, its figures, and the documentation of its routes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import BaseModel, Field

from hourglass.kinds import KINDS
from hourglass.server.actions import Action
from hourglass.server.bodies import ARROW, JSON, NPY

ABOUT = """Fitted models behind HTTP. Rows go in as JSON, as npy (`application/x-npy`) or as an Arrow IPC stream
(`application/vnd.apache.arrow.stream`); beside the latter two, the other fields of a request stand in the query. The answer comes
in the form of the request, or in the one that `Accept` names. Whatever is refused is refused with a sentence in `detail`."""
REFUSALS = {
    400: "The body is not what its Content-Type says, or is damaged.",
    401: "The token is missing or wrong.",
    404: "There is no such model, or it can't do this.",
    406: "The answer can't be had in the form that Accept names.",
    408: "The request took too long to arrive.",
    413: "The body has too many bytes, rows or numbers.",
    415: "The body is of a type that is not taken.",
    422: "Rows or fields don't fit the model.",
    429: "Too many rows are waiting.",
    503: "The answer took too long.",
}


class RootFound(BaseModel):
    """What is here."""

    service: str = Field(description="What this is.")
    documentation: str = Field(description="Where all that can be asked is described, and can be tried.")
    models: str = Field(description="Where the models are listed.")
    actions: str = Field(description="Where something is asked of one, by POST.")


ROOT = RootFound(
    service="Hourglass: fitted models behind HTTP.", documentation="/docs", models="/v1/models", actions="/v1/models/NAME/ACTION"
)


class ModelFound(BaseModel):
    """What is known of a model."""

    name: str = Field(description="What it is called in addresses.")
    estimator: str = Field(description="What was fitted: Autoencoder, AnomalyDetector ...")
    data: str = Field(description="What it was fitted on, in words.")
    kind: str = Field(description=f"What kind of data that is: {', '.join(sorted(KINDS))}.")
    shape: list[int] = Field(description="The shape of one row.")
    dtype: str = Field(description="The type of its numbers.")
    columns: list[str] = Field(description="Of a table: the names of its columns.")
    codes: int | None = Field(description="How many codes a row has, if any.")
    actions: list[str] = Field(description="What can be asked of it.")


class ModelsFound(BaseModel):
    """What is served."""

    models: list[ModelFound] = Field(description="All models.")


class Refused(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="What is wrong, where, and what to do.")


def described(name: str, model: Any, actions: dict[str, Action]) -> ModelFound:
    """What is known of a model."""
    kind = model.kind_
    return ModelFound(
        name=name,
        estimator=type(model).__name__,
        data=kind.describe(),
        kind=kind.name,
        shape=list(kind.raw_shape),
        dtype=kind.dtype,
        columns=list(model.schema_["column"]) if kind.name == "table" else [],
        codes=len(model.get_feature_names_out()) if "encode" in actions else None,
        actions=list(actions),
    )


class Figures:
    """What is counted, for Prometheus."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("hourglass_requests", "Requests", ["model", "action", "status"], registry=own)
        self.seconds = Histogram("hourglass_request_seconds", "Seconds that a request took", ["action"], registry=own)
        self.rows = Histogram("hourglass_batch_rows", "Rows computed together", buckets=[4**i for i in range(8)], registry=own)
        self.judged = Counter("hourglass_judged_rows", "Rows that a detector has scored", ["model"], registry=own)
        self.alarms = Counter("hourglass_alarms", "Rows that have raised an alarm", ["model"], registry=own)
        self.waiting = Gauge("hourglass_waiting_rows", "Rows that wait for a model", ["model"], registry=own)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What else a route may answer, for OpenAPI; anything unless it is said."""
    return {status: {"model": Refused, "description": REFUSALS[status]} for status in statuses or REFUSALS}


def documented(action: Action) -> dict[str, Any]:
    """The request of an action, for OpenAPI: its body and its query."""
    schema = action.asked.model_json_schema()
    options = {name: field for name, field in schema["properties"].items() if name not in {"rows", "mask"}}
    with_rows = "rows" in schema["properties"]
    example = {"rows": schema["properties"]["rows"]["examples"][0]} if with_rows else {"n": 3}
    return {
        "requestBody": {
            "required": with_rows,
            "content": {JSON: {"schema": schema, "example": example}, **(binary() if with_rows else {})},
        },
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": field["description"], "schema": _scalar(field)}
            for name, field in options.items()
        ],
    }


def _scalar(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field where it stands in the query: no list, no null."""
    choices = [choice for choice in field.get("anyOf", []) if choice.get("type") not in {"array", "null"}]
    plain = {name: value for name, value in field.items() if name not in {"anyOf", "default", "title", "description"}}
    return plain | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


def name_models(openapi: dict[str, Any], served: Mapping[str, Collection[str]]) -> None:
    """Write into a documentation which models can be asked, of those with their actions."""
    for path, operations in openapi["paths"].items():
        action = path.rpartition("/")[2]
        names = [name for name, actions in served.items() if action in actions or action == "{name}"]
        for parameter in (each for operation in operations.values() for each in operation.get("parameters", [])):
            if parameter["in"] == "path" and names:
                parameter["schema"]["enum"] = names


def ask_for_token(openapi: dict[str, Any]) -> None:
    """Write into a documentation that requests need a token."""
    openapi["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    openapi["security"] = [{"token": []}]


def binary() -> dict[str, Any]:
    """Bodies that are no JSON, for OpenAPI."""
    return {name: {"schema": {"type": "string", "format": "binary"}} for name in (NPY, ARROW)}
