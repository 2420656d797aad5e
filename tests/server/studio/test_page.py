"""Journeys in a real browser, at the width of a desk and of a phone: from dropping in a file to downloading the result."""

from __future__ import annotations

import base64
import fcntl
import os
import re
import zipfile

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

import hourglass as hg
from hourglass.server.studio.rows import png
from hourglass.server.studio.runs import MODEL, Asked
from hourglass.server.studio.sources import Source


def drop(page, path):
    page.locator("input[type=file]").last.set_input_files(path)


def load(page, path):
    """Drop a file in, and wait until it was looked at."""
    page.goto("/data")
    with page.expect_navigation():
        drop(page, path)
    page.locator(".because").wait_for()


@pytest.fixture
def learned(require_good):
    """Asks for a need, and waits until a model is there."""

    def ask(page, need, width=None):
        page.get_by_role("link", name="Train a model on this").click()
        page.get_by_text(need, exact=True).click()
        if width is not None:
            page.get_by_text(str(width), exact=True).click()
        require_good(page)
        page.get_by_role("button", name="Start learning").click()
        page.wait_for_url("**/train?run=*")
        page.get_by_role("heading", name="Done").wait_for()

    return ask


def png_of(grey):
    """A picture of one grey, as a file."""
    return base64.b64decode(png(np.full((8, 8), grey, np.uint8)))


def downloaded(page, name):
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile(name)).click()
    return started.value.path()


@pytest.fixture
def numbers(tmp_path):
    """A table of three columns that go together."""
    a = np.random.default_rng(0).normal(size=80)
    pl.DataFrame({"a": a, "b": 2 * a, "c": a + np.tile([0.0, 1.0], 40)}).write_csv(tmp_path / "numbers.csv")
    return tmp_path / "numbers.csv"


@pytest.fixture
def pictures(tmp_path, digits):
    np.savez(tmp_path / "some digits.npz", x=digits)
    return tmp_path / "some digits.npz"


def test_compress(page, pictures, require_good, learned):
    load(page, pictures)
    expect(page.locator(".pictures img")).to_have_count(24)
    require_good(page)
    learned(page, "Compress", 4)
    expect(page.locator(".preview .pictures")).to_have_count(2)
    require_good(page)
    codes = pl.read_parquet(downloaded(page, "The codes"))
    assert codes.shape == (60, 4)
    drop(page, pictures)
    page.get_by_text("It is ready").wait_for()
    assert pl.read_parquet(downloaded(page, "codes-some-digits")).shape == (60, 4)


def test_a_folder_that_is_dropped_is_looked_through(page):
    page.goto("/data")
    found = page.evaluate(
        """async () => {
            const file = (name) => ({ name, file: (done) => done(new File([name], name)) });
            const folder = (name, ...portions) => ({
                name, isDirectory: true, createReader: () => ({ readEntries: (done) => done(portions.shift() ?? []) }),
            });
            const inner = folder("old", [file("c.png")]);
            const files = await studio.within(folder("parts", [file("a.png"), file(".hidden")], [file("b.png"), inner]));
            return files.map((one) => one.name);
        }"""
    )
    assert found == ["a.png", "b.png", "c.png"]


def test_a_folder_that_is_dropped_before_a_file_is_sent_before_it(page):
    page.goto("/data")
    sent = page.evaluate(
        """async () => {
            const sent = [], file = (name) => new File([name], name);
            studio.sendNow = async (files) => sent.push(files.map((one) => one.name));
            const found = { name: "a.png", file: (done) => setTimeout(() => done(file("a.png")), 200) };
            const entry = { name: "parts", isDirectory: true };
            const portions = [[found]];
            entry.createReader = () => ({ readEntries: (done) => done(portions.shift() ?? []) });
            const dropped = (files, entry) => studio.drop({ currentTarget: document.body, dataTransfer: {
                files, items: [{ webkitGetAsEntry: () => entry }],
            } }, 1);
            await Promise.all([dropped([], entry), dropped([file("b.png")], { name: "b.png" })]);
            return sent;
        }"""
    )
    assert sent == [["a.png"], ["b.png"]]


SEND = """([zone, files, folder]) => {
    window.sent = true;  // until the page is loaded anew
    return studio.send(files.map(([name, text]) => new File([text], name)), zone, folder);
}"""


def send(page, files, folder=""):
    """Drop files, by their names, and where they are from, into the zone of the page."""
    page.goto("/data")
    zone = int(page.locator("label.drop").last.get_attribute("id").removeprefix("c"))
    page.evaluate(SEND, [zone, list(files.items()), folder])


TUNE = "X:1\nT:{0}\nM:4/4\nL:1/8\nK:C\n{0} GABc|cBAG FEDC|\n"
TABLE = "x,y\n{0},2\n3,4\n"


@pytest.mark.parametrize(
    ("files", "folder", "source", "because"),
    [
        ({"0.abc": TUNE.format("CDEF"), "1.abc": TUNE.format("cBAG")}, "tunes 1", "tunes-1-", "a list of 2 tunes is melodies"),
        ({"a.csv": TABLE.format(0), "b.csv": TABLE.format(1), "Thumbs.db": "x"}, "", "files-", "table"),
    ],
)
def test_files_of_a_folder_or_of_one_sort_become_one_source(page, files, folder, source, because):
    send(page, files, folder)
    page.wait_for_function("() => !window.sent")  # what was looked at before may be of the same sort and name
    expect(page.locator(".because")).to_contain_text(because)
    page.get_by_text(re.compile(source)).first.wait_for()


def test_records_of_one_name_have_signals_of_their_own(page, studio):
    header = "7 1 10 4\n7.dat 16 1/mV 16 0 0 0 0 ECG\n"
    known = set(studio.folder.dropped())
    for samples in ("abcdabcd", "efghefgh"):
        send(page, {"7.dat": samples, "7.hea": header})
        page.wait_for_function("() => !window.sent")  # the record before it may be of the same name
        expect(page.locator(".because")).to_contain_text("record")
        page.get_by_text("7.hea").first.wait_for()
    first, second = (hg.read(path).values[:, 0].tolist() for path in sorted(set(studio.folder.dropped()) - known))
    assert (first, second) == ([0x6261, 0x6463] * 2, [0x6665, 0x6867] * 2)


@pytest.mark.parametrize(
    ("files", "folder", "told"),
    [
        ({"a.csv": "x", "b.smi": "CC"}, "", "These are files of several sorts. Drop those of one sort, or a folder."),
        ({}, "nothing", "There is no file in nothing."),
    ],
)
def test_what_is_dropped_in_vain_is_told(page, files, folder, told):
    send(page, files, folder)
    expect(page.locator("label.drop small").last).to_have_text(told)


def test_flag(page, pictures, learned):
    load(page, pictures)
    learned(page, "Flag")
    alarms = pl.read_parquet(downloaded(page, "The alarms"))
    assert alarms.height == 60
    assert {"score", "p_value", "alarm"} <= set(alarms.columns)


def test_clean(page, numbers, tmp_path, require_good, learned):
    load(page, numbers)
    page.get_by_role("heading", name="Columns").wait_for()
    require_good(page)
    learned(page, "Clean")
    clean = pl.read_csv(numbers)
    missing = np.arange(80) % 4 == 0
    clean.with_columns(b=pl.when(pl.Series(~missing)).then("b")).write_csv(tmp_path / "holes.csv")
    drop(page, tmp_path / "holes.csv")
    page.get_by_text("It is ready").wait_for()
    mended = pl.read_csv(downloaded(page, "clean-holes"))
    assert mended.filter(~missing).equals(clean.filter(~missing))
    b, filled = clean.filter(missing)["b"], mended.filter(missing)["b"]
    assert ((filled - b) ** 2).mean() < 0.5 * b.var()


def test_generate(page, pictures, tmp_path, learned):
    load(page, pictures)
    learned(page, "Generate", 4)
    with zipfile.ZipFile(downloaded(page, "New rows")) as archive:
        assert len(archive.namelist()) == 64
    page.get_by_label("How many").fill("5")
    page.get_by_role("button", name="Draw").click()
    page.get_by_text("They are ready").wait_for()
    with zipfile.ZipFile(downloaded(page, "samples-5")) as archive:
        archive.extractall(tmp_path / "five")
    assert hg.read(tmp_path / "five").shape == (5, 28, 28)


def test_squeeze(page_of, numbers, require_good):
    desk, phone = page_of(1280), page_of(390)
    load(desk, numbers)
    desk.get_by_role("link", name="Squeeze it").click()
    desk.get_by_role("button", name="Try the widths").click()
    desk.get_by_role("heading", name=re.compile("Recommended")).wait_for()
    for page in (desk, phone):  # the sweep is there when the page is opened again
        page.goto("/squeeze")
        slider = page.get_by_label("Numbers kept of each row")
        slider.fill("0")
        expect(page.locator("[data-text=width]")).to_have_text("1")
        slider.press("ArrowRight")
        expect(page.locator("[data-text=width]")).to_have_text("2")
        assert slider.get_attribute("aria-valuetext") == "2 numbers"
        assert page.locator(".layers > .on").count() == 1
        require_good(page)


def test_bad_data_is_told_as_the_library_tells_it(page_of, tmp_path):
    page = page_of(390)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n1,2,3\n")
    page.goto("/data")
    drop(page, tmp_path / "bad.csv")
    page.get_by_role("alert").wait_for()
    assert "Line 3 of" in page.get_by_role("alert").inner_text()


def test_a_file_can_be_chosen_again_once_it_is_mended(page_of):
    page = page_of(390)
    page.goto("/data")
    two = [{"name": name, "mimeType": "text/plain", "buffer": b"x"} for name in ("a.csv", "b.smi")]
    page.locator("input[type=file]").last.set_input_files(two)
    expect(page.locator("label.drop small").last).to_contain_text("files of several sorts")
    assert page.locator("input[type=file]").last.evaluate("chooser => chooser.value") == ""


def test_a_run_that_is_to_stop_cannot_be_stopped_again(page_of, studio, pictures):
    page, run = page_of(1280), studio.folder.new_run(Asked(str(pictures), "compress", 2))
    with (run.path / "lock").open("w") as lock:  # as its process would
        fcntl.flock(lock, fcntl.LOCK_EX)
        page.goto(f"/train?run={run.name}")
        expect(page.get_by_role("button", name="Stop")).to_be_enabled()
        (run.path / "stopping").touch()
        expect(page.get_by_role("button", name="Stop")).to_be_disabled()
        expect(page.get_by_role("progressbar")).to_have_class(re.compile("waiting"))
    run.remove()


def test_what_is_begun_twice_is_learned_once(page_of, studio, pictures):
    page, known = page_of(1280), studio.folder.runs()
    load(page, pictures)
    page.goto("/train")
    page.get_by_role("button", name="Start learning").dblclick()
    page.wait_for_url("**/train?run=*")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("link", name="All models").wait_for()
    begun = [run for run in studio.folder.runs() if run not in known]
    assert len(begun) == 1
    begun[0].remove()


def test_what_is_filled_in_while_data_is_read_is_kept(page_of, studio, tmp_path):
    page, slow = page_of(1280), tmp_path / "slow.csv"
    os.mkfifo(slow)  # who reads it waits until somebody writes
    studio.folder.choose(Source(str(slow)))
    page.goto("/train")
    page.wait_for_function("window.did_handshake")  # what is done before that is told in any order
    page.get_by_text("More", exact=True).click()
    page.get_by_text("Generate", exact=True).click()
    for label, number in (("Seed", "5"), ("Another width", "3")):
        page.get_by_label(label).fill(number)
        page.get_by_label(label).press("Enter")
    page.get_by_label("Time to learn").select_option("30")
    slow.write_text("a,b\n1,2\n3,4\n")
    page.get_by_label("Ask for samples by").wait_for(state="attached")
    found = [page.get_by_label(label).input_value() for label in ("Seed", "Another width", "Time to learn")]
    assert found == ["5", "3", "30"]


def test_a_correction_that_does_not_fit_is_taken_back(page_of, studio, tmp_path):
    (tmp_path / "towns.csv").write_text("town,size\n" + "Bern,1.5\nGraz,2.5\n" * 20)
    page = page_of(390)
    studio.folder.choose(Source(str(tmp_path / "towns.csv"), columns={"town": "datetime"}))
    page.goto("/data")
    page.get_by_text("Column 'town' is datetime, and holds 'Bern' in row 0").wait_for()
    page.get_by_role("button", name="Take it as it was found").click()
    page.get_by_text("it has rows and columns").wait_for()
    np.save(tmp_path / "deep.npy", np.zeros((5, 8, 8, 40), np.float32))
    studio.folder.choose(Source(str(tmp_path / "deep.npy")))
    page.goto("/data")
    page.get_by_label("Take it for").select_option("image")
    page.get_by_text("because you said so").wait_for()


def test_a_width_that_is_none_is_marked(page_of, pictures):
    page = page_of(390)
    load(page, pictures)
    page.goto("/train")
    page.get_by_text("More", exact=True).click()
    width = page.get_by_label("Another width")
    usual = width.evaluate("field => getComputedStyle(field).borderColor")
    width.fill("-3")
    assert width.evaluate("field => getComputedStyle(field).borderColor") != usual
    width.fill("3")
    assert width.evaluate("field => getComputedStyle(field).borderColor") == usual


def test_pictures_that_cannot_be_read_are_left_out(page_of, tmp_path):
    page = page_of(1280)
    (tmp_path / "bad").mkdir()
    for number, content in enumerate((b"no picture", png_of(0), png_of(255))):
        (tmp_path / "bad" / f"{number}.png").write_bytes(content)
    page.goto("/data")
    if page.get_by_text("Load other data").count():
        page.get_by_text("Load other data").click()
    page.get_by_label("Or a file or folder on this machine").fill(str(tmp_path / "bad"))
    page.get_by_role("button", name="Open").click()
    expect(page.locator(".notice")).to_have_text(re.compile(r"0\.png'.* Replace it\.$"))
    page.get_by_label("Leave out what can't be read").click()
    expect(page.locator(".because")).to_contain_text("2 pictures")
    expect(page.locator(".notice")).to_contain_text("0.png")


def test_models_are_listed_before_there_is_data(page_of, studio):
    chosen = studio.folder.path / "studio.json"
    kept = chosen.read_text() if chosen.exists() else None
    chosen.unlink(missing_ok=True)
    path = studio.folder.path / "runs" / "by-a-command" / MODEL
    hg.Autoencoder(2, max_epochs=1, random_state=0).fit(hg.datasets.load("digits").x_train[:60]).save(path)
    page = page_of(390)
    page.goto("/train")
    page.get_by_role("heading", name="First, some data").wait_for()
    page.get_by_role("link", name="by-a-command").click()
    page.get_by_role("heading", name="Done").wait_for()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Delete").click()
    assert path.exists()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/train")
    assert not path.parent.exists()
    if kept is not None:
        chosen.write_text(kept)


def test_the_theme_is_switched_and_remembered(page_of):
    page = page_of(1280)
    page.goto("/train")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    other = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    page.get_by_role("heading", name="Train").wait_for()
    assert ground != other == page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_pages_of_others_are_refused(studio):
    import urllib.error
    import urllib.request

    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(f"{studio.address}/data", headers=headers))
    for path in ("..%2f..%2fstudio.json", "none/model.safetensors"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{studio.address}/files/{path}")
