"""Journeys over the map and the alarms in a real browser, at the width of a desk and of a phone."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

import hourglass as hg
from hourglass.server.studio.plain import write_json
from hourglass.server.studio.runs import Asked


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Models of each need, and new rows for the detector."""
    place, digits = tmp_path_factory.mktemp("fitted"), hg.datasets.load("digits").x_train[:60]
    a = np.random.default_rng(0).normal(size=100)
    table = pl.DataFrame({"a": a, "b": 2 * a, "c": np.tile([0.0, 1.0], 50)})
    table.write_csv(place / "table.csv")
    table.with_columns(a=pl.when(pl.int_range(100) == 7).then(50.0).otherwise("a")).write_csv(place / "new.csv")
    hg.VariationalAutoencoder(4, max_epochs=1, random_state=0).fit(digits).save(place / "generate")
    hg.AnomalyDetector(max_epochs=1, random_state=0).fit(table).save(place / "flag")
    small = hg.Restorer((8, 8), 1)
    hg.DenoisingAutoencoder(encoder=small, corruption="noise:50", max_seconds=0.3, random_state=0).fit(digits).save(place / "clean")
    hg.write(place / "noisy", digits[:2])
    return place


@pytest.fixture
def run(studio, fitted):
    """What makes a run out of one of the models."""
    made = []

    def of(need, data):
        run = studio.folder.new_run(Asked(data, need))
        shutil.copy(fitted / need, run.model_path)
        made.append(run)
        return run

    yield of
    for run in made:
        run.remove()


def click(page, across, down):
    """Click on the map, at shares of its width and height."""
    box = page.locator(".points-over").bounding_box()
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def rows_apart(page):
    """Places of two rows on the map, in shares: what is seen at the very top, and at the very bottom."""
    return page.evaluate("""() => new Promise((done) => requestAnimationFrame(() => {  // once what was asked for is drawn
      const paper = document.querySelector('.points-plot'), {width, height} = paper;
      const pixels = new Uint32Array(paper.getContext('2d').getImageData(0, 0, width, height).data.buffer), rows = [];
      pixels.forEach((pixel, i) => { if (pixel !== pixels[0]) rows.push([i % width / width, Math.floor(i / width) / height]); });
      done([rows.at(0), rows.at(-1)]);
    }))""")


def empty_ground(page):
    """A place of the map, in shares, that is far from all points."""
    return page.evaluate("""() => {
      const paper = document.querySelector('.points-plot'), context = paper.getContext('2d');
      const {width, height} = paper, pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
      for (let y = 20; y < height - 20; y += 10) for (let x = 20; x < width - 20; x += 10) {
        let alone = true;
        for (let v = -14; v <= 14; v++) for (let u = -14; u <= 14; u++) alone &&= pixels[(y + v) * width + x + u] === pixels[0];
        if (alone) return [x / width, y / height];
      }
    }""")


def on_the_map(page, run):
    page.goto(f"/map?run={run.name}")
    page.locator(".points[data-painted]").wait_for()


def test_the_map(page, run, require_good):
    on_the_map(page, run("generate", "digits"))
    page.get_by_role(
        "group", name=re.compile("Map of 5,000 rows by 4 codes in their two main directions.*, coloured by label")
    ).wait_for()
    expect(page.locator(".legend button")).to_have_count(10)
    require_good(page)
    click(page, *empty_ground(page))
    page.get_by_role("heading", name="Drawn by the model").wait_for()
    expect(page.locator(".decoded img")).to_be_visible()
    drawn = page.locator(".decoded img").get_attribute("src")
    slider = page.locator(".walk input").first
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    moved = slider.input_value()
    expect(page.locator(".decoded img")).not_to_have_attribute("src", drawn)
    page.wait_for_timeout(300)
    expect(slider).to_have_value(moved)
    over = page.locator(".points-over")
    over.focus()
    over.press("Enter")
    page.get_by_role("heading", name=re.compile("^Row|^Drawn")).wait_for()
    page.get_by_label("Colour by").select_option("error")
    page.get_by_text("nats lost").wait_for()
    page.get_by_label("Colour by").select_option("label")
    page.locator(".legend button").first.click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Save as CSV").click()
    labels = pl.read_csv(started.value.path())["label"]
    assert labels.to_list() == [0] * int((hg.datasets.load("digits").y_train == 0).sum())
    require_good(page)


def test_two_rows_morph(page_of, run, require_good):
    page = page_of(390)
    on_the_map(page, run("generate", "digits"))
    over = page.locator(".points-over")
    over.focus()
    for key in ("+", "+", "+", "ArrowRight"):
        over.press(key)
    first, last = rows_apart(page)
    click(page, *first)
    page.get_by_text("Pick a second row").wait_for()
    click(page, *last)
    morphed = page.locator(".morphed img")
    middle = morphed.get_attribute("src")
    page.locator(".morph input").fill("24")
    expect(morphed).not_to_have_attribute("src", middle)
    expect(page.locator(".ends span")).to_have_count(2)
    require_good(page)


def test_a_lasso(page_of, run):
    page = page_of(1280)
    on_the_map(page, run("generate", "digits"))
    page.get_by_role("button", name="Lasso").click()
    over = page.locator(".points-over")
    expect(over).to_have_class(re.compile("points-drawing"))  # before that, to drag is to move the map
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    corners = [(0.2, 0.2), (0.5, 0.2), (0.5, 0.8), (0.2, 0.8)]
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    for across, down in corners[1:]:
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=4)
    page.mouse.up()
    said = page.get_by_text("of 5,000 rows selected")
    said.wait_for()
    some = int(said.inner_text().split()[0].replace(",", ""))
    assert 0 < some < 5000
    with page.expect_download() as started:
        page.get_by_role("button", name="Save as Parquet").click()
    assert pl.read_parquet(started.value.path()).height == some


def test_colours_that_are_chosen_while_the_map_is_turned_stay(page_of, run):
    page, held = page_of(1280), []
    on_the_map(page, run("generate", "digits"))
    colours = "() => new Set(getElement(Number(document.querySelector('.points').id.slice(1))).tint).size"
    painted = page.locator(".points").get_attribute("data-painted")
    assert page.evaluate(colours) <= 11  # of labels
    page.route("**/points/*", lambda route: held.append(route))  # noqa: PLW0108 (Playwright takes no builtin)
    for menu, chosen, asked in (("Seen along", "0 1", 2), ("Colour by", "error", 3)):
        page.get_by_label(menu).select_option(chosen)
        while len(held) < asked:
            page.wait_for_timeout(10)
    for route in reversed(held):  # the colours that were asked for last come first
        route.continue_()
        page.wait_for_function(f"({colours})() > 11")
    expect(page.locator(".points")).not_to_have_attribute("data-painted", painted)
    assert page.evaluate(colours) > 11


def test_what_is_saved_is_downloaded_though_its_button_has_gone(page_of, run):
    page = page_of(1280)
    on_the_map(page, run("generate", "digits"))
    page.locator(".legend button").first.click()
    with page.expect_download():
        page.get_by_role("button", name="Save as Parquet").click()
    page.get_by_text("Saved as").wait_for()
    with page.expect_download() as started:
        page.get_by_role("button", name="Save as CSV").click()
        page.get_by_role("button", name="Clear").click()
    assert pl.read_csv(started.value.path())["label"].unique().to_list() == [0]


def test_alarms(page, run, fitted, require_good):
    flag = run("flag", str(fitted / "table.csv"))
    page.goto(f"/alarms?run={flag.name}")
    page.get_by_text("The detector learned from these very rows").wait_for()
    page.locator("input[type=file]").set_input_files(fitted / "new.csv")
    page.get_by_text("The detector learned from these very rows").wait_for(state="detached")
    first = page.locator(".alarm").first
    expect(first).to_contain_text("Row 7")
    expect(first).to_contain_text("a is 50")
    require_good(page)
    count = page.locator(".figures dd").first
    before = int(count.inner_text())
    slider = page.get_by_label("Rate of false alarms")
    slider.fill("400")
    expect(count).not_to_have_text(str(before))
    page.wait_for_timeout(300)  # for what else comes
    expect(slider).to_have_value("400")  # it stays where it was put
    expect(page.locator(".pages .note")).to_have_text(re.compile(rf"1 to 8 of {count.inner_text()}"))
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pages .note")).to_have_text(re.compile("9 to"))
    page.get_by_role("button", name="Previous").click()
    expect(page.locator(".pages .note")).to_have_text(re.compile("^1 to"))
    first.get_by_role("button", name="Real").click()
    expect(first).to_have_class("alarm real")
    page.get_by_label("Show").select_option("real")
    expect(page.locator(".alarm")).to_have_count(1)
    ((data, row, mark),) = pl.read_csv(flag.path / "marks.csv").rows()
    assert (row, mark) == (7, "real")
    assert Path(data).read_bytes() == (fitted / "new.csv").read_bytes()  # by its path: others may be called so too
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    kept = pl.read_csv(started.value.path())
    assert (kept["row"][0], kept["mark"][0], kept.height) == (7, "real", int(count.inner_text()))
    require_good(page)


def test_of_data_that_is_dropped_while_other_is_judged_the_last_is_shown(page_of, run, fitted):
    page = page_of(1280)
    page.goto(f"/alarms?run={run('flag', str(fitted / 'table.csv')).name}")
    page.get_by_text("Judged: table").wait_for()
    page.evaluate("did_handshake = false")  # as on a page that is drawn before the server hears it
    for name in ("table.csv", "new.csv"):
        page.locator("input[type=file]").set_input_files(fitted / name)
    page.wait_for_timeout(200)
    page.evaluate("did_handshake = true")
    page.get_by_text("Judged: new").wait_for()
    page.wait_for_timeout(2000)  # for what else comes
    expect(page.locator(".rate-card")).to_have_count(1)


def test_before_and_after(page, run, fitted, require_good):
    page.goto(f"/alarms?run={run('clean', 'digits').name}")
    page.get_by_role("heading", name="An example").wait_for()
    page.locator("input[type=file]").set_input_files(sorted((fitted / "noisy").iterdir()))
    page.get_by_role("heading", name="Before and after").wait_for()
    divider = page.locator(".under").first
    slider = divider.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    assert divider.evaluate("(element) => element.style.getPropertyValue('--at')") == "51%"
    require_good(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download all, cleaned").click()
    with zipfile.ZipFile(started.value.path()) as archive:
        assert sorted(archive.namelist()) == ["00000.png", "00001.png"]


def test_a_report_is_written_when_it_is_asked_for(page_of, run, fitted, require_good):
    page, flag = page_of(1280), run("flag", str(fitted / "table.csv"))
    gone = run("flag", str(fitted / "gone.csv"))
    for one in (flag, gone):
        write_json(one.path / "result.json", {"stopped": False})
    page.goto(f"/train?run={gone.name}")
    page.get_by_role("link", name="The report").click()
    expect(page.get_by_role("alert")).to_contain_text("gone.csv")
    require_good(page)
    page.goto(f"/train?run={flag.name}")
    with page.expect_download() as started:
        page.get_by_role("link", name="The report").click()
    assert "rows raised an alarm" in started.value.path().read_text()


@pytest.mark.parametrize("view", ["map", "alarms"])
def test_where_there_is_no_model_the_way_to_one_is_shown(page_of, view, require_good):
    page = page_of(390)
    page.goto(f"/{view}?run=none")
    expect(page.get_by_role("link", name="Train one")).to_have_attribute("href", "/train")
    require_good(page)
