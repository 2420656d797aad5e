"""The studio: a local page on which a pile of data is compressed, flagged, cleaned and added to."""

from __future__ import annotations

import os

from hourglass.server import require_extra


def run(folder: str | os.PathLike[str], *, port: int = 8080, browser: bool = True) -> None:
    """Open the studio and serve it until Ctrl-C.

    Parameters
    ----------
    folder : path
        Where data, runs and models lie, as plain files; made if it isn't there.
    port : int, default=8080
        Where the page is served, on this machine alone.
    browser : bool, default=True
        Whether to open it in a browser.

    Raises
    ------
    MissingExtraError
        The extra ``[server]`` isn't installed.
    FileError
        The folder can't be written.
    """
    require_extra("fastapi", "nicegui", "uvicorn")
    from hourglass.server.studio.page import serve

    serve(folder, port=port, browser=browser)
