"""Commands that put models where others can use them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hourglass.cli.app import app
from hourglass.cli.words import say


@app.command()
def serve(
    models: Annotated[
        list[Path], typer.Argument(help="Model files; a model is called by the name of its file, without the ending.")
    ],
    *,
    host: Annotated[str, typer.Option(help="The address to listen on. Any that others can reach needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="HOURGLASS_TOKEN", help="What requests have to bring; best from the environment.")
    ] = None,
    max_body: Annotated[int, typer.Option(help="Megabytes of a request at most; for JSON an eighth of it.")] = 64,
    max_rows: Annotated[int, typer.Option(help="Rows of a request at most.")] = 10_000,
    max_pixels: Annotated[int, typer.Option(help="Numbers of a request at most, such as pixels.")] = 2**24,
    max_seconds: Annotated[float, typer.Option(help="How long a request may take to arrive, and then to be answered.")] = 30.0,
    access_log: Annotated[bool, typer.Option("--access-log", help="Write a line for each request.")] = False,
) -> None:
    """Put fitted models behind HTTP.

    /docs shows what can be asked of them. Ctrl-C ends it once the requests under way have their answers.

    Example: hourglass serve model.safetensors --port 8000
    """
    from hourglass import server

    limits = server.Limits(
        body=max_body * 2**20, text=max_body * 2**17, rows=max_rows, numbers=max_pixels, waiting=2 * max_rows, seconds=max_seconds
    )
    server.serve(models, host=host, port=port, token=token, limits=limits, access_log=access_log, ready=say)
