"""Files on their way into the studio, and out of it."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import polars as pl
import pytest
from fastapi import FastAPI

import hourglass as hg
from hourglass.server.studio import files
from hourglass.server.studio.runs import Asked


@pytest.fixture
def ask(folder):
    """Ask the application for something."""
    app = FastAPI()
    files.add(app, folder)

    async def answer(method, address, body):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://studio") as client:
            return await client.request(method, address, content=body)

    return lambda method, address, body=b"": asyncio.run(answer(method, address, body))


def test_files_of_one_name_are_all_kept(ask, folder):
    for group, place in (("-", folder.path / "data"), ("pictures-1", folder.path / "data" / "pictures-1")):
        answers = [ask("PUT", f"/upload/{group}/{name}", name.encode()).json() for name in ("a b.png", "a-b.png")]
        assert (place / "a-b.png").read_text() == "a b.png"
        assert (place / "a-b-2.png").read_text() == "a-b.png"
        file = str(place / "a-b.png")
        assert answers[0] == {"path": file if group == "-" else str(place), "file": file}


def test_a_report_tells_a_model_what_it_has_to_be_told(ask, folder, tmp_path):
    table = pl.DataFrame({"a": [0.0, 1.0, 2.0, 3.0] * 10, "b": [1.0, 2.0, 1.0, 2.0] * 10, "town": ["Oslo", "Bergen"] * 20})
    table.write_csv(tmp_path / "towns.csv")
    run = folder.new_run(Asked(str(tmp_path / "towns.csv"), "generate", options={"condition": "town"}))
    model = hg.VariationalAutoencoder(1, max_epochs=1, random_state=0)
    model.fit(table.drop("town"), condition=table["town"]).save(run.model_path)
    assert "towns.csv" in ask("GET", f"/files/{run.name}/report.html").text
    wrong = folder.new_run(Asked(str(tmp_path / "towns.csv"), "generate", options={"condition": "twon"}))
    model.save(wrong.model_path)
    answer = ask("GET", f"/files/{wrong.name}/report.html")
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "'towns.csv' has no column 'twon' to ask by. Did you mean 'town'?",
    )


def test_a_report_that_cannot_be_written_says_why(ask, folder, tmp_path, digits):
    np.save(tmp_path / "gone.npy", digits)
    run = folder.new_run(Asked(str(tmp_path / "gone.npy"), "compress"))
    assert ask("GET", f"/files/{run.name}/report.html").status_code == 404  # there is no model yet
    hg.Autoencoder(2, max_epochs=1, random_state=0).fit(digits).save(run.model_path)
    (tmp_path / "gone.npy").unlink()
    answer = ask("GET", f"/files/{run.name}/report.html")
    assert answer.status_code == 422
    assert "gone.npy" in answer.json()["detail"]
