"""Files on their way into the studio, and out of it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

import hourglass as hg
from hourglass.data import atomic
from hourglass.data.tables import apart
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.making import MOST_SHOWN
from hourglass.server.studio.plain import free, plain_name
from hourglass.server.studio.runs import Run

REPORT = "report.html"
ALONE = "-"  # the group of a file that comes by itself


def add(app: FastAPI, folder: Folder) -> None:
    """Let an application take files in and give them out."""

    @app.put("/upload/{group}/{name}")
    async def upload(group: str, name: str, request: Request) -> dict[str, str]:
        """Take in a file that was dropped; those of a group become a folder together."""
        place = folder.path / "data" if group == ALONE else folder.path / "data" / plain_name(group)
        target = free(place / plain_name(name))
        with atomic(target) as beside, beside.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        return {"path": str(target if group == ALONE else place), "file": str(target)}

    @app.get("/files/{run}/{name:path}")
    def made(run: str, name: str) -> Response:
        """Something that a run made; a folder comes as a zip, and the report is written when it is first asked for."""
        found = folder.run(run)
        if found is None:
            raise _missing()
        path = (found.path / name).resolve()
        if not path.is_relative_to(found.path.resolve()):
            raise _missing()
        if name == REPORT and found.model_path.exists():
            try:
                report(found)
            except hg.HourglassError as error:
                raise HTTPException(422, str(error)) from error
        if not path.exists():
            raise _missing()
        if path.is_file():
            return FileResponse(path, filename=f"{run}-{path.name}")
        return _zipped(path, f"{run}-{path.name}.zip")


def _missing() -> HTTPException:
    return HTTPException(404, "There is no such file.")


def report(run: Run) -> Path:
    """The page about the model of a run, which is written when it is first asked for."""
    source, path = run.asked.source, run.path / REPORT
    if not path.exists():
        X, known = apart(source.title, source.read(), source.labels(), run.asked.condition)
        told = None if known is None else known[:MOST_SHOWN]
        hg.report(run.model(), X[:MOST_SHOWN], path, condition=told, title=source.title)
    return path


def _zipped(path: Path, name: str) -> Response:
    file: Any = SpooledTemporaryFile(max_size=2**26)  # noqa: SIM115 (it is sent after this has returned)
    with zipfile.ZipFile(file, "w") as archive:
        for member in sorted(path.rglob("*")):
            archive.write(member, member.relative_to(path))
    file.seek(0)
    return StreamingResponse(
        file, headers={"content-disposition": f"attachment; filename*=utf-8''{quote(name)}"}, media_type="application/zip"
    )
