"""A studio in a process of its own, and pages of a real browser; where there is none, tests skip, in CI they fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

import hourglass as hg
from hourglass.server.studio.folder import Folder

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
QUIET = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
WIDTHS = {1280: 900, 390: 844}
PATIENCE = 60_000  # milliseconds that anything may take to appear: machines differ
AXE = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(v => [v.impact, v.id, v.nodes[0].html]))"

FADED = """() => Promise.allSettled(document.getAnimations().filter((one) => one.effect.getTiming().iterations === 1)
  .map((one) => one.finished))"""  # colours fade in


class Studio(NamedTuple):
    address: str
    folder: Folder


@pytest.fixture(scope="session")
def digits():
    return hg.datasets.load("digits").x_train[:60]


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "studio")
    made.make()
    return made


@pytest.fixture(scope="module")  # its event loop is that of the thread: tests after these have loops of their own
def browser():
    if CHROMIUM is None:
        missing = "no Chromium is installed: apt-get install chromium"
        pytest.fail(missing) if os.environ.get("HOURGLASS_BROWSER") == "required" else pytest.skip(missing)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")  # so no test finds runs of another module
def studio(tmp_path_factory):
    """The command, serving a folder of its own."""
    place = tmp_path_factory.mktemp("studio")
    command = [sys.executable, "-m", "hourglass", "studio", str(place), "--port", "0", "--no-browser"]
    log = Path(place, "server.log").open("w")  # noqa: SIM115 (the process writes to it)
    process = subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=subprocess.PIPE, stderr=log, text=True)
    (address,) = re.findall(r"http://[\d.]+:\d+", process.stdout.readline())  # which is told once it is listened to
    yield Studio(address, Folder(place))
    process.terminate()
    process.wait(10)
    process.stdout.close()
    log.close()
    assert "Traceback" not in Path(place, "server.log").read_text()


@pytest.fixture
def page_of(browser, studio):
    """Opens a page at a width, each in a theme of its own; whatever the console calls an error fails the test."""
    contexts, errors = [], []

    def opened(width):
        theme, size = ("light" if width == 1280 else "dark"), {"width": width, "height": WIDTHS[width]}
        contexts.append(browser.new_context(viewport=size, color_scheme=theme, base_url=studio.address))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(params=list(WIDTHS), ids=lambda width: f"{width}px")
def page(request, page_of):
    """A page at each width."""
    return page_of(request.param)


@pytest.fixture
def require_good():
    """What demands of a page that axe-core finds nothing serious, and that nothing sticks out at the right."""

    def require(page):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
        page.evaluate(FADED)
        assert [fault for fault in page.evaluate(AXE) if fault[0] != "minor"] == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0

    return require
