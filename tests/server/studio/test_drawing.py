"""What is drawn of numbers and of rows: SVG and HTML, in which nothing of a user's is taken for a tag."""

from __future__ import annotations

import base64
import io
import re
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from threading import Barrier
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest
from PIL import Image

import hourglass as hg
from hourglass.data.sound import wav_of
from hourglass.errors import warn
from hourglass.kinds.image import ImageKind
from hourglass.server.studio import charts, drawn, rows, sources, training
from hourglass.server.studio.facts import facts, kinds_for
from hourglass.server.studio.heard import heard
from hourglass.server.studio.sources import Source


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 7, [-2, 0, 2, 4, 6]), (723.1, 729.4, [724, 726, 728]), (2, 2, [2])],
)
def test_axes_have_round_numbers(low, high, numbers):
    assert charts.nice(low, high) == pytest.approx(numbers)


def test_curves_stay_within_their_plot():
    loss = [(epoch, 1.0 / epoch) for epoch in range(1, 100)] + [(100, 1e9), (101, float("inf")), (102, float("nan"))]
    drawn = charts.curves([charts.Line("<loss>", "mine", loss)], "Loss", "epoch")
    places = [place.split(",") for place in drawn.partition('points="')[2].partition('"')[0].split()]
    assert len(places) == 100
    assert all(0 <= float(x) <= 100 and 0 <= float(y) <= 100 for x, y in places)
    assert "&lt;loss&gt;" in drawn
    assert "blank" in charts.curves([charts.Line("a", "mine", [(1, float("nan"))])], "Loss", "epoch")


def test_pictures_are_shown_as_they_are_and_large_ones_shrunk():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    (shown,) = rows.values("image", pixels)
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(shown)))) == pixels[0]).all()
    (large,) = rows.values("image", np.ones((1, 400, 200, 3)))
    assert Image.open(io.BytesIO(base64.b64decode(large))).size == (80, 160)


def grey(shown):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.rpartition(",")[2].removesuffix('">')))))


def test_pictures_of_fewer_bits_than_their_type_are_shown_in_full_contrast():
    deep = np.array([0, 819, 2457, 4095], np.uint16).reshape(1, 2, 2)
    kind = ImageKind.learn(deep)
    dim = deep // 3  # would fit into 11 bits
    assert grey(rows.values("image", deep)[0]).ravel().tolist() == [0, 51, 153, 255]
    assert (
        grey(rows.values(kind, dim)[0]).ravel().tolist() == grey(drawn.row(kind, dim, 0, "a")).ravel().tolist() == [0, 17, 51, 85]
    )
    assert grey(rows.values("image", np.eye(2, dtype=np.uint8)[None])[0]).ravel().tolist() == [255, 0, 0, 255]
    full = np.array([0, 13107, 39321, 65535], np.uint16).reshape(1, 2, 2)
    assert grey(rows.values("image", full)[0]).ravel().tolist() == [0, 51, 153, 255]
    many = np.stack([deep, deep, deep // 4095 * 4095, 0 * deep, 0 * deep], axis=-1)  # white in three channels of five
    assert grey(rows.values("image", many)[0]).ravel().tolist() == [0, 20, 61, 153]
    assert grey(drawn.row(ImageKind.learn(many), many, 0, "a")).ravel().tolist() == [0, 20, 61, 153]


def test_what_pca_keeps_is_shown_in_the_brightness_of_the_pictures():
    rng = np.random.default_rng(0)
    pictures = (rng.random((30, 1, 1)) * rng.random((1, 4, 4)) * 4095).astype(np.uint16)  # of rank one
    kept = training._by_pca(pictures, pictures[:5], 2, ImageKind.learn(pictures).top)
    np.testing.assert_allclose(kept, pictures[:5] / 4095, atol=1e-3)


@pytest.mark.parametrize(("channels", "colours"), [(1, "grey"), (3, "colour"), (4, "colour, transparency"), (6, "6 channels")])
def test_facts_of_pictures(tmp_path, channels, colours):
    np.save(tmp_path / "some.npy", np.zeros((5, 12, 16, channels), np.uint8))
    found = facts(Source(str(tmp_path / "some.npy")))
    assert found.figures == {"pictures": "5", "pixels": "12 × 16", "colours": colours}
    assert len(found.examples) == 5


def test_cells_and_strings_are_no_tags_and_show_what_changed():
    frame = pl.DataFrame({"<b>": ["<i>", None], "x": [1234.5678, 2.0]})
    assert rows.values("table", frame) == [{"<b>": "<i>", "x": "1,234.57"}, {"<b>": "", "x": "2"}]
    drawn = rows.html("table", rows.values("table", frame), [{"<b>": "<i>", "x": "1"}, {"<b>": "", "x": "2"}])
    assert "<i>" not in drawn
    assert '<td class="changed">1,234.57</td>' in drawn
    assert drawn.count("changed") == 1
    assert rows.html("token", ["a<c"], ["abc"]) == '<div class="strings"><code>a<mark>&lt;</mark>c</code></div>'


@pytest.mark.parametrize(
    ("value", "cell", "words"),
    [
        (21263.5, "21,263.5", "21,264"),
        (9999.6, "9,999.6", "10,000"),
        (1234567.0, "1,234,567", "1,234,567"),
        (1e-5, "1e-05", "1e-05"),
    ],
)
def test_a_number_has_all_of_its_whole_part(value, cell, words):
    assert (rows.cell(value), drawn.words(value)) == (cell, words)


def test_a_record_is_one_row_of_curves():
    record = hg.Record(np.arange(6000.0).reshape(3000, 2), rate=50)
    (shown,) = rows.values("series", rows.part("series", record, 8))
    assert [len(channel) for channel in shown] == [200, 200]  # the first 1,000 samples, every fifth


def test_facts_of_a_table(tmp_path):
    frame = pl.DataFrame(
        {
            "id": [f"c{i}" for i in range(50)],
            "age": [30.5, 31.5, 32.5, 33.5, 41.0] * 10,
            "city": ["Bern", "Graz"] * 25,
            "gap": [None, 1.5] * 25,
        }
    )
    frame.write_csv(tmp_path / "some.csv")
    found = facts(Source(str(tmp_path / "some.csv")))
    assert (found.kind, found.figures) == ("table", {"rows": "50", "columns": "4", "missing": "12.5%"})
    types = {column.name: column.type for column in found.columns}
    assert types == {"id": "identifier", "age": "numeric", "city": "categorical", "gap": "numeric"}
    assert next(column.counts for column in found.columns if column.name == "city") == [25, 25]
    (said,) = found.warnings
    assert said == "Column 'id' is an identifier (50 different values in 50 rows). It is left out; choose otherwise below."
    other = facts(Source(str(tmp_path / "some.csv"), None, {"age": "categorical"}))
    assert other.columns[1].type == "categorical"
    assert facts(Source(str(tmp_path / "some.csv"), "series", {"id": "left out", "city": "left out"})).kind == "series"


def test_a_kind_that_was_said_is_taken_though_nothing_looks_like_it(tmp_path):
    np.save(tmp_path / "many.npy", np.zeros((5, 8, 8, 40), np.float32))
    with pytest.raises(hg.DataError, match=r"If they are pictures of 40 channels, say kind='image'\.$"):
        facts(Source(str(tmp_path / "many.npy")))
    found = facts(Source(str(tmp_path / "many.npy"), "image"))
    assert (found.kind, found.reason, found.figures["colours"]) == ("image", "you said so", "40 channels")
    pl.DataFrame({"a": [1.5, 2.5], "b": [1.5, 2.0]}).write_csv(tmp_path / "some.csv")
    assert facts(Source(str(tmp_path / "some.csv"))).reason == "it has rows and columns"


def test_facts_are_of_all_rows(tmp_path):
    frame = pl.DataFrame({"id": np.arange(60_000), "size": np.arange(60_000) // 2.0})
    frame.write_csv(tmp_path / "sorted.csv")
    identifier, size = facts(Source(str(tmp_path / "sorted.csv"))).columns
    assert (identifier.summary, size.summary) == ("60,000 different: 0, 1, 2 …", "0 to 29,999")
    (tmp_path / "words.txt").write_text("\n".join([f"{i:05d}" for i in range(60_000)] + ["the longest"]))
    assert facts(Source(str(tmp_path / "words.txt"))).figures == {"rows": "60,001", "different": "60,001", "longest": "11 symbols"}


def test_facts_of_an_array_of_rows_and_columns(tmp_path):
    array = np.random.default_rng(0).normal(size=(40, 5))
    array[:10, 0] = np.nan
    np.save(tmp_path / "array.npy", array)
    found = facts(Source(str(tmp_path / "array.npy")))
    assert found.figures == {"rows": "40", "columns": "5", "missing": "5.0%"}
    assert [column.missing for column in found.columns] == [0.25, 0, 0, 0, 0]


def test_molecules_in_a_table_are_shown_as_molecules(tmp_path):
    smiles = ["CCO", "CCN", "c1ccccc1", "CC(=O)O"] * 10
    pl.DataFrame({"id": range(40), "smiles": smiles, "logP": [0.5] * 40}).write_csv(tmp_path / "some.csv")
    found = facts(Source(str(tmp_path / "some.csv")))
    assert (found.kind, found.figures) == ("molecule", {"rows": "40", "different": "4", "longest": "8 symbols"})
    assert found.examples == smiles[:24]
    assert facts(Source(str(tmp_path / "some.csv"), "table")).figures["columns"] == "3"


def test_what_cannot_be_read_is_left_out_and_named_whenever_it_is_looked_at(tmp_path):
    (tmp_path / "some.smi").write_text("CCO\nCCN\nno molecule\nCCC\n" * 5)
    source = Source(str(tmp_path / "some.smi"), skip_bad=True)
    for _ in range(2):
        found = facts(source)
        assert found.figures["rows"] == "15"
        assert found.warnings[0].startswith(f"5 of 20 rows of '{tmp_path}/some.smi' were left out, as they can't be read: row 2")
    assert facts(Source(source.data)).figures["rows"] == "20"
    hg.write(tmp_path / "seen", hg.datasets.load("digits").x_train[:5])
    (tmp_path / "seen" / "00002.png").write_bytes(b"no picture")
    with pytest.raises(hg.FileError, match=r"00002\.png"):
        facts(Source(str(tmp_path / "seen")))
    seen = Source(str(tmp_path / "seen"), skip_bad=True)
    assert facts(seen).figures["pictures"] == "4"
    assert seen.files() == ["00000.png", "00001.png", "00003.png", "00004.png"]


def test_two_readers_at_once_hear_what_is_said_to_them_alone(monkeypatch):
    both = Barrier(2)

    def read(data, *, skip_bad):
        both.wait(10)
        warn(f"There is something about {data}.")
        both.wait(10)
        return np.eye(3), {}

    monkeypatch.setattr(sources, "read_with_places", read)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda name: facts(Source(name)).warnings, ["a", "b"]))
    assert found == [["There is something about a."], ["There is something about b."]]
    with pytest.warns(hg.HourglassWarning, match=r"There is something about a\."):
        Source("a").read()


def test_numbers_and_dates_that_are_text_are_spread_as_such(tmp_path):
    days = [f"{day:02d}.01.25" for day in range(1, 31)]
    pl.DataFrame({"price": [f"${1000 + day:,}" for day in range(30)], "day": days}).write_csv(tmp_path / "some.csv")
    price, day = facts(Source(str(tmp_path / "some.csv"))).columns
    assert (price.type, price.summary, sum(price.counts), len(price.counts)) == ("numeric", "1,000 to 1,029", 30, 24)
    assert (day.type, day.summary, sum(day.counts), len(day.counts)) == ("datetime", "01.01.25 to 30.01.25", 30, 24)


@pytest.mark.parametrize(
    ("raw", "kinds"),
    [
        (np.zeros((5, 3)), ["table", "series"]),
        (np.zeros((5, 4, 4)), ["image", "series"]),
        (np.zeros((5, 4, 4, 3)), ["image"]),
        (hg.Record(np.zeros(50)), ["series"]),
        (pl.DataFrame({"a": [1]}), ["table", "series"]),
        (pl.DataFrame({"smiles": ["CCO", "CCN"], "logP": [0.5, 1.0]}), ["molecule", "table", "series"]),
        (np.array(["CC", "CO"], dtype=object), ["molecule", "token", "words"]),
        (np.array(["CC", "CO"]), ["molecule", "token", "words"]),
        (np.zeros((5, 4, 4, 40)), ["image"]),
    ],
)
def test_what_data_could_be_taken_for(raw, kinds):
    assert kinds_for(raw) == kinds


def test_melodies_are_heard_and_taken_along():
    tune = hg.Melody([(60, 0, 4), (64, 4, Fraction(4, 3)), (67, Fraction(16, 3), Fraction(4, 3))], "3/4", "C", '<a "tune">')
    page = rows.html("melody", rows.values("melody", np.array([tune], dtype=object)))
    assert page.count("<rect") == 3
    assert "<a &quot;tune&quot;>" not in page and 'download="&lt;a &quot;tune&quot;&gt;.mid"' in page
    (address,) = re.findall(r'<audio controls preload="none" [^>]*src="/melody.wav\?tune=([^"]*)"', page)
    assert f'href="/melody.mid?tune={address}"' in page
    assert heard("wav", unquote(address)).body == wav_of([tune])
    assert heard("ogg", unquote(address)).status_code == 404
    assert (heard("wav", "{").status_code, heard("wav", '{"notes": [[1000, 0, 4]]}').status_code) == (422, 422)
    pytest.importorskip("symusic")
    assert heard("mid", unquote(address)).body[:4] == b"MThd"


def test_the_studio_looks_at_one_record(tmp_path):
    for name in ("a", "b"):
        hg.write(tmp_path / "hums" / f"{name}.wav", hg.Record(np.zeros(100), 8000))
    assert facts(Source(str(tmp_path / "hums" / "a.wav"))).figures["samples a second"] == "8000"
    with pytest.raises(hg.DataError, match=r"^These are 2 records, and the studio looks at one. Drop one of them;"):
        facts(Source(str(tmp_path / "hums")))
