"""The studio: a local page on which a pile of data is compressed, flagged, cleaned and added to."""

from __future__ import annotations

import os
from collections.abc import Callable

from hourglass.server import require_extra


def run(
    folder: str | os.PathLike[str],
    *,
    port: int = 8080,
    browser: bool = True,
    ready: Callable[[str], None] = lambda words: None,
) -> None:
    """Open the studio and serve it until Ctrl-C.

    Parameters
    ----------
    folder : path
        Where data, runs and models lie, as plain files; made if it isn't there.
    port : int, default=8080
        Where the page is served, on this machine alone; 0 takes a free one.
    browser : bool, default=True
        Whether to open it in a browser.
    ready : function, optional
        Is told, in words, where the page is.

    Raises
    ------
    MissingExtraError
        The extra ``[server]`` isn't installed.
    FileError
        The folder can't be written.
    ParameterError
        The port is taken.
    """
    require_extra("fastapi", "httptools", "nicegui", "uvicorn")
    from hourglass.server.studio.page import serve

    serve(folder, port=port, browser=browser, ready=ready)
