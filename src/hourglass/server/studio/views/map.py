"""The view "Map"."""

from __future__ import annotations

from hourglass.server.studio import widgets as w
from hourglass.server.studio.runs import Folder, Run


def draw(folder: Folder, run: Run | None) -> None:
    """Draw the view."""
    w.empty("Nothing here yet", "This view is being built.", "Load data", "/data")
