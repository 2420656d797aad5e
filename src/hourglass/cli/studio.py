"""The command that opens the studio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hourglass.cli.app import app
from hourglass.cli.words import say

Folder = Annotated[Path, typer.Argument(help="Where data, runs and models lie, as plain files; made if it isn't there.")]


@app.command()
def studio(
    folder: Folder = Path("hourglass-studio"),
    *,
    port: Annotated[int, typer.Option(help="The page is at http://127.0.0.1:PORT, on this machine alone.")] = 8080,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Don't open the page in a browser.")] = False,
) -> None:
    """Open a local page that does all of this.

    Training goes on when the page or the studio is closed, and is there when it is opened again.

    Example: hourglass studio my-data/
    """
    from hourglass.server import studio as pages

    pages.run(folder, port=port, browser=not no_browser, ready=say)
