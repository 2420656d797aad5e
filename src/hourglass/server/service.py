"""The application: routes made of the table of actions."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import FastAPI, Path, Request
from fastapi.responses import PlainTextResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from hourglass.errors import SHOWN, HourglassError, shown, suggest
from hourglass.server.actions import ACTIONS, Action, raw_rows
from hourglass.server.batching import Lane
from hourglass.server.bodies import FORMS, JSON, form_of, written
from hourglass.server.describing import (
    ABOUT,
    ROOT,
    Figures,
    ModelFound,
    ModelsFound,
    RootFound,
    ask_for_token,
    binary,
    described,
    documented,
    name_models,
    refusals,
)
from hourglass.server.limits import Gate, Limits, Refusal, path_of

Named = Annotated[str, Path(description="What the model is called.")]
Answering = Callable[[Request, str], Awaitable[Response]]
log = logging.getLogger("hourglass.server")


class Served(NamedTuple):
    """A model, what can be asked of it, and where its work is done."""

    model: Any
    actions: dict[str, Action]
    lane: Lane
    limits: Limits


class Shortcut:
    """Takes requests for actions straight to their functions: FastAPI's way there costs as much time as all the rest."""

    def __init__(self, app: ASGIApp, answers: Mapping[str, Answering]) -> None:
        self.app, self.answers = app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for an action; pass on all others, HEAD as GET, whose body the server leaves out."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        if scope["type"] == "http" and scope["method"] == "POST":
            parts = path_of(scope).split("/")
            if len(parts) == 5 and parts[:3] == ["", "v1", "models"] and parts[4] in self.answers:
                response = await self.answers[parts[4]](Request(scope, receive), parts[3])
                return await response(scope, receive, send)
        return await self.app(scope, receive, send)


def create_app(models: Mapping[str, Any], *, limits: Limits | None = None, token: str | None = None) -> ASGIApp:
    """The service of some fitted models, as an application for any ASGI server.

    Parameters
    ----------
    models : dict
        Fitted models by name.
    limits : Limits, optional
        What a request may ask for.
    token : str, optional
        What requests have to bring as ``Authorization: Bearer TOKEN``.

    Returns
    -------
    ASGI application

    Examples
    --------
    >>> import hourglass as hg
    >>> from hourglass.server import create_app
    >>> digits = hg.datasets.load("digits")
    >>> app = create_app({"digits": hg.Autoencoder(2, max_epochs=1).fit(digits.x_train[:100])}, token="correct horse")
    """
    limits, figures = limits or Limits(), Figures()
    served = {name: _served(model, limits, figures) for name, model in models.items()}
    for name, each in served.items():
        figures.waiting.labels(name).set_function(partial(getattr, each.lane, "waiting"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.ready = False
        for each in served.values():
            each.lane.close()

    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        title="Hourglass",
        description=ABOUT,
        version="1",
        static_url="/assets",
        openapi_tags=[{"name": name} for name in ("models", "actions", "service")],
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    app.state.ready = True  # a server that knows of lifespans asks nothing before they begin
    for error in (Refusal, HourglassError, HTTPException, Exception):
        app.add_exception_handler(error, _refused)
    _add_words(app, served, figures)
    answers = {name: _answering(action, served, figures) for name, action in ACTIONS.items()}
    for name, answer in answers.items():
        _add_action(app, ACTIONS[name], answer)
    if token is None:
        name_models(app.openapi(), {name: each.actions for name, each in served.items()})
    else:  # the documentation can be read without it, and names of models are not for everyone
        ask_for_token(app.openapi())
    return Gate(Shortcut(app, answers), token)


def _served(model: Any, limits: Limits, figures: Figures) -> Served:
    actions = {name: action for name, action in ACTIONS.items() if action.of(model)}
    if model.kind_.of_record:
        limits = replace(limits, rows=limits.numbers, waiting=2 * limits.numbers)  # its rows are samples
    return Served(model, actions, Lane(limits, figures.rows.observe), limits)


def _add_words(app: FastAPI, served: Mapping[str, Served], figures: Figures) -> None:
    """The routes that answer with words alone."""

    @app.get("/", tags=["service"], summary="What is here")
    async def root() -> RootFound:
        return ROOT

    @app.get("/v1/models", tags=["models"], summary="What is served", responses=refusals(401))
    async def models() -> ModelsFound:
        return ModelsFound(models=[described(name, each.model, each.actions) for name, each in served.items()])

    @app.get("/v1/models/{name}", tags=["models"], summary="What is known of a model", responses=refusals(401, 404, 422))
    async def model(name: Named) -> ModelFound:
        each = _found(served, name)
        return described(name, each.model, each.actions)

    @app.get("/healthz", tags=["service"], summary="Whether the service is alive", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/readyz", tags=["service"], summary="Whether it takes requests", response_class=PlainTextResponse)
    async def readyz() -> Response:
        return PlainTextResponse("ready") if app.state.ready else PlainTextResponse("not ready", 503)

    @app.get("/metrics", tags=["service"], summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(generate_latest(figures.registry), media_type=CONTENT_TYPE_LATEST)


def _answering(action: Action, served: Mapping[str, Served], figures: Figures) -> Answering:
    """What answers requests for an action."""

    async def answer(request: Request, name: Named) -> Response:
        began = time.perf_counter()
        try:
            response = await _answered(action, request, name, _found(served, name), figures)
        except Exception as error:
            response = _refused(request, error)
        figures.requests.labels(name if name in served else "", action.name, response.status_code).inc()
        figures.seconds.labels(action.name).observe(time.perf_counter() - began)
        return response

    return answer


def _add_action(app: FastAPI, action: Action, answer: Answering) -> None:
    """The route of an action, which documents it."""
    app.add_api_route(
        f"/v1/models/{{name}}/{action.name}",
        answer,
        methods=["POST"],
        name=action.name,
        summary=action.about,
        tags=["actions"],
        responses={200: {"model": action.answered, "content": binary()}, **refusals()},
        openapi_extra=documented(action),
    )


async def _answered(action: Action, request: Request, name: str, served: Served, figures: Figures) -> Response:
    model, actions, lane, limits = served
    if action.name not in actions:
        raise Refusal(404, f"The model {name!r} ({type(model).__name__}) can't {action.name}. It can {', '.join(actions)}.")
    form = form_of(request.headers.get("content-type", ""))
    body = await limits.body_of(request, limits.text if form == JSON else limits.body)
    fields = FORMS[form].read(body, limits) if body or "rows" in action.asked.model_fields else {}
    if request.scope["query_string"]:
        _add_query(fields, request)
    asked = _valid(action, fields)
    rows, count = raw_rows(action, model, asked, limits)
    found = await lane.answer(lambda rows: action.call(model, rows, asked), rows, max(count, 1), _key(action, model, asked, rows))
    if "alarm" in found:
        figures.judged.labels(name).inc(len(found["alarm"]))
        figures.alarms.labels(name).inc(int(found["alarm"].sum()))
    content, media_type = written(found, request.headers.get("accept", ""), form, limits)
    return Response(content, media_type=media_type)


def _add_query(fields: dict[str, Any], request: Request) -> None:
    """Take in what stands in the query, if it isn't said elsewhere."""
    for name, value in request.query_params.multi_items():
        if name in fields:
            raise Refusal(422, f"{shown(name)} is said twice. Leave one of them out.")
        fields[name] = value


def _key(action: Action, model: Any, asked: Any, rows: Any) -> Any:
    """What requests have in common that can be computed together; None for one that is computed by itself."""
    options = tuple(item for item in vars(asked).items() if item[0] != "rows")
    windows = model.kind_.of_record or model.kind_.name == "melody"  # a row may be several
    if not action.by_row or windows or any(isinstance(value, list) for _, value in options):
        return None
    if isinstance(rows, list):
        return action.name, options
    if hasattr(rows, "schema"):
        return action.name, options, tuple(rows.schema.items())
    return action.name, options, rows.dtype, rows.shape[1:]


def _found(served: Mapping[str, Served], name: str) -> Served:
    if name not in served:
        raise Refusal(404, f"There is no model {shown(name)}. {suggest(name[:SHOWN], served)}")
    return served[name]


def _valid(action: Action, fields: dict[str, Any]) -> Any:
    """The request, checked; what is wrong with it in a sentence."""
    rows = fields.get("rows")
    if hasattr(rows, "shape"):  # an array or a table, which pydantic need not look at
        return _valid(action, fields | {"rows": [0]}).model_copy(update={"rows": rows})
    try:
        return action.asked.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    where, known = ".".join(map(str, first["loc"])), ", ".join(action.asked.model_fields)
    words = {"missing": "is missing", "extra_forbidden": f"is no field here. Known: {known}"}.get(first["type"])
    what = f"{where!r}: {first['msg'].removeprefix('Value error, ')}. Got {shown(first['input'])}."
    raise Refusal(422, f"{where!r} {words}." if words else what)


def _refused(request: Request, error: Exception) -> Response:
    """The answer to a request that raised something."""
    if isinstance(error, Refusal):
        return error.response()
    if isinstance(error, HourglassError):
        return Refusal(422, " ".join(line.strip() for line in str(error).splitlines())).response()
    if isinstance(error, ClientDisconnect):
        return Refusal(408, "The request did not arrive as a whole.").response()
    if isinstance(error, HTTPException):
        words = {404: f"There is nothing here. Actions are {', '.join(ACTIONS)}; see /docs.", 405: "Use another method; see /docs."}
        return Refusal(error.status_code, words.get(error.status_code, str(error.detail)), error.headers).response()
    log.error("A request failed", exc_info=error)
    return Refusal(500, "Something went wrong in the service, whose log says more.").response()
