"""The map of the studio in a headless Chromium: 100,000 digits by 16 codes of a variational autoencoder.

Time to the first paint runs from the start of the navigation, once with nothing known but the model, and once with the codes
known. Frames are those while the mouse drags the map for three seconds. Clicks are on empty ground, and count until the picture of
what the model draws there is on the screen. All clocks are the browser's.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

import hourglass as hg
from benchmarks.common import QUICK, SEED, mnist, report
from benchmarks.serving import serving

POINTS = 2_000 if QUICK else 100_000
CLICKS = 5 if QUICK else 50
SECONDS = 3 if QUICK else 20
CHROMIUM = next(path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path)
WATCH_FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""
WATCH_CLICKS = """() => {
  window.took = [];
  let from = 0, seen = null;
  document.addEventListener("pointerup", () => { from = performance.now(); }, true);
  new MutationObserver(async () => {
    const picture = document.querySelector(".decoded img");
    if (!from || !picture || picture === seen) return;
    const began = from;
    [seen, from] = [picture, 0];
    await picture.decode();
    requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - began)));
  }).observe(document.body, { childList: true, subtree: true });
}"""


def digits() -> np.ndarray:
    """All of MNIST, and as many moved by a pixel as are missing: (100000, 28, 28)."""
    known = np.concatenate(mnist("x_train", "x_test"))
    return np.concatenate([known, np.roll(known, 1, axis=2)])[:POINTS]


def prepare(folder: Path) -> None:
    run = folder / "runs" / "digits"
    run.mkdir(parents=True)
    (folder / "data").mkdir()
    np.save(folder / "data" / "digits.npy", digits())
    asked = {"data": str(folder / "data" / "digits.npy"), "need": "generate"}
    (run / "run.json").write_text(json.dumps(asked))
    hg.VariationalAutoencoder(16, max_seconds=SECONDS, random_state=SEED).fit(digits()).save(run / "model.safetensors")


def painted(page: Page, address: str) -> float:
    """Seconds from the start of the navigation to the first paint of the points."""
    page.goto(f"{address}/map?run=digits")
    page.locator(".points[data-painted]").wait_for(timeout=120_000)
    return float(page.evaluate("Number(document.querySelector('.points').dataset.painted)")) / 1e3


def panned(page: Page) -> list[float]:
    """Milliseconds of each frame while the map is dragged."""
    box = page.locator(".points-over").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.evaluate(WATCH_FRAMES)
    start = time.perf_counter()
    while (now := time.perf_counter() - start) < 3:
        across, down = 0.5 + 0.2 * np.sin(3 * now), 0.5 + 0.2 * np.cos(4 * now)
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    frames = page.evaluate("window.frames_.slice(1)")
    page.mouse.up()
    return [float(frame) for frame in frames]


def clicked(page: Page) -> list[float]:
    """Milliseconds from clicks on empty ground to the decoded pictures."""
    page.locator(".points-over").press("0")
    for _ in range(3):
        page.locator(".points-over").press("-")  # far from the points, ground is empty
    page.evaluate(WATCH_CLICKS)
    box, rng = page.locator(".points-over").bounding_box(), np.random.default_rng(SEED)
    for number in range(CLICKS):
        across, down = rng.uniform(0.03, 0.12), rng.uniform(0.05, 0.95)
        page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
        page.wait_for_function(f"window.took.length > {number}")
        page.wait_for_timeout(100)
    return [float(took) for took in page.evaluate("window.took")]


with tempfile.TemporaryDirectory() as place:
    prepare(Path(place))
    with (
        serving([sys.executable, "-m", "hourglass", "studio", place, "--no-browser"]) as (_, port),
        sync_playwright() as playwright,
    ):
        address = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(f"{address}/data").close()  # what is set up at the first request
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        first, again = painted(page, address), painted(page, address)
        frames, clicks = panned(page), clicked(page)
        browser.close()
report(
    cold_paint_s=first,
    paint_s=again,
    longest_frame_ms=max(frames),
    frame_ms=statistics.median(frames),
    click_ms=statistics.median(clicks),
    slowest_click_ms=max(clicks),
)
