"""The map in numbers: planes and back, colours, selections, what is kept of them."""

from __future__ import annotations

import asyncio
import re
from threading import Event
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

import hourglass as hg

pytest.importorskip("nicegui")

from hourglass.server.studio import codemap, drawn, making
from hourglass.server.studio.charted import STEPS, charted, coded
from hourglass.server.studio.views import map as view


@pytest.fixture(scope="module")
def codes():
    return (np.random.default_rng(0).normal(size=(200, 4)) * [5, 0.1, 2, 0.1] + [1, 2, 3, 4]).astype(np.float32)


def test_the_main_plane_is_that_of_pca_and_leads_back(codes):
    flat = codemap.plane(codes)
    expected = PCA(2).fit_transform(codes)
    np.testing.assert_allclose(np.abs(flat.points), np.abs(expected), atol=1e-4)
    assert flat.title == "4 codes in their two main directions (100% of the variance)"
    x, y = flat.points[7]
    np.testing.assert_allclose(flat.place(flat.lifted(x, y)), (x, y), atol=1e-5)
    np.testing.assert_allclose(flat.lifted(x, y)[[0, 2]], codes[7, [0, 2]], atol=0.5)  # the others hardly vary


def test_a_plane_of_two_codes_leaves_the_others_at_their_medians(codes):
    flat = codemap.plane(codes, (2, 1))
    np.testing.assert_array_equal(flat.points, codes[:, [2, 1]])
    np.testing.assert_allclose(flat.lifted(3, -1), [np.median(codes[:, 0]), -1, 3, np.median(codes[:, 3])], rtol=1e-6)


@pytest.mark.parametrize("width", [1, 2])
def test_few_codes_are_their_own_plane(codes, width):
    flat = codemap.plane(codes[:, :width])
    np.testing.assert_array_equal(flat.points[:, :width], codes[:, :width])
    np.testing.assert_allclose(flat.lifted(*flat.points[3]), codes[3, :width], rtol=1e-6)


def test_a_scale_leaves_single_values_out_of_its_ends():
    tinted = codemap.tints(np.r_[np.linspace(0, 1, 999), 1e6, np.nan])
    assert tinted.ends == pytest.approx((0.01, 0.99), abs=0.01)
    assert tinted.places[[0, -2, -1]].tolist() == [0, 254, 255]  # lowest, highest, missing
    assert tinted.palette[0] == "#8fb3cf"
    assert len(tinted.palette) == 256


def test_groups_are_the_ten_most_common_values():
    values = np.repeat([f"level {i:02d}" for i in range(12)], range(1, 13))
    tinted = codemap.tints(values)
    assert tinted.groups[0] == ("level 02", 3)
    assert tinted.groups[-1] == ("others", 3)
    assert tinted.places[:3].tolist() == [10, 10, 10]


def test_clusters_are_found_and_named_by_size():
    points = np.r_[np.zeros((10, 3)), np.full((30, 3), 9.0)] + np.random.default_rng(0).normal(0, 0.1, (40, 3))
    assert codemap.clusters(points, 2).tolist() == ["cluster 2"] * 10 + ["cluster 1"] * 30


def test_a_lasso_takes_what_lies_within():
    points = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 0.9]], np.float32)
    assert codemap.within(points, [(0, 0), (1, 0), (1, 1), (0.4, 0.6)]).tolist() == [True, False, False]
    assert codemap.within(points, [(0, 0), (1, 1)]).tolist() == [False] * 3


def test_the_map_in_words():
    points = np.array([[0, 0], [0, 0], [10, 10], [10, 10]], np.float32)
    flat = codemap.Plane(points, np.zeros(2), np.eye(2), "the two codes")
    words = codemap.in_words(flat, codemap.tints(np.array(["a", "a", "b", "b"])), "label")
    assert words == ("4 rows, by the two codes, coloured by label. a: 2 rows, at the bottom left. b: 2 rows, at the top right.")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pl.DataFrame({"a": rng.normal(size=60), "row": rng.normal(size=60), "town": ["Oslo", "Bergen", None] * 20})


@pytest.fixture(scope="module")
def known(table):
    return charted(hg.Autoencoder(2, max_epochs=1, random_state=0).fit(table), table)


def test_what_is_kept_of_a_selection(known, table, tmp_path):
    mask = np.arange(60) % 20 == 3
    known.tinted("cluster")
    kept = hg.read(known.keep(mask, tmp_path / "selected" / "rows.csv"))
    assert kept["row"].to_list() == [3, 23, 43]
    np.testing.assert_allclose(kept["row_"], table["row"].gather([3, 23, 43]))
    assert {"a", "town", "error", "cluster", "code0", "code1"} <= set(kept.columns)
    np.testing.assert_allclose(kept["code1"], known.codes[mask, 1], rtol=1e-5)
    np.testing.assert_allclose(kept["error"], -known.model.score_samples(table)[mask], rtol=1e-5)


def test_what_points_can_be_coloured_by(known):
    assert list(known.ways()) == ["cluster", "error", "column a", "column row", "column town"]
    assert [name for name, _ in known.tinted("column town").groups] == ["Bergen", "Oslo", "missing"]


def test_rows_and_codes_as_html(known):
    assert "<dt>town</dt><dd>missing</dd>" in known.seen(2)
    way = known.way(0, 1)
    assert len(way) == STEPS
    assert way[0] == known.decoded(known.codes[:1])[0]


def test_of_directions_that_are_chosen_one_after_the_other_the_last_are_shown(codes, monkeypatch):
    shown = view._Map(None, SimpleNamespace(codes=codes, ways=lambda: {"error": "error"}, tinted=lambda by: None), [])
    flats, last_is_through = [], Event()
    shown.points = SimpleNamespace(show=lambda **what: flats.append(what["points"]))
    shown._select = shown._mark = shown._legend = lambda *_: None

    def plane(some, pair):
        last_is_through.wait(10) if pair is None else last_is_through.set()
        return codemap.plane(some, pair)

    monkeypatch.setattr(view, "plane", plane)

    async def turned_twice():
        await asyncio.gather(shown._turn("main"), shown._turn("0 1"))

    asyncio.run(turned_twice())
    assert shown.flat.title == "codes 0 and 1"
    assert len(flats) == 1


def test_words_of_others_are_no_html():
    shown = drawn.values_of(["<b>"], ["<script>"])
    assert "<b>" not in shown
    assert "<script>" not in shown


def test_models_that_are_told_something_are_told_it_again(digits):
    labels = hg.datasets.load("digits").y_train[:60]
    vae = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(digits, condition=labels)
    known = charted(vae, digits, labels, labels)
    np.testing.assert_allclose(known.codes, vae.transform(digits, labels))
    assert known.decoded(known.codes[:1], like=0)[0].startswith('<img class="pixels" alt="drawn by the model"')
    assert len(known.way(0, 1)) == STEPS


def test_pictures_are_named_by_their_files(digits, tmp_path):
    files = [f"{i}.png" for i in range(60)]
    ae = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(digits)
    known = charted(ae, digits, np.arange(60) % 10, files=files)
    assert known.named(13) == "Row 13 · 3 · 13.png"
    assert hg.read(known.keep(np.arange(60) > 57, tmp_path / "rows.csv"))["file"].to_list() == ["58.png", "59.png"]
    codes = hg.read(making.encode(ae, digits, tmp_path / "codes.parquet", files))
    assert codes.columns == ["file", "code0", "code1"]
    assert codes["file"].to_list() == files


@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning")  # so little is learned
def test_molecules_of_a_table_are_on_the_map_with_its_other_columns(tmp_path):
    table = pl.DataFrame({"logP": np.arange(40.0), "smiles": ["CCO", "CCN", "CCC", "CC=O"] * 10})
    known = charted(hg.Autoencoder(2, max_epochs=1, random_state=0).fit(table), table)
    assert "CCN" in re.sub("<[^>]*>", "", known.seen(5))
    assert known.tinted("column logP").ends == pytest.approx((0.39, 38.61))
    kept = hg.read(known.keep(np.arange(40) > 37, tmp_path / "rows.csv"))
    assert kept.columns == ["row", "logP", "smiles", "error", "code0", "code1"]
    assert kept["smiles"].to_list() == ["CCC", "CC=O"]


def test_a_detector_without_codes_says_so(table):
    with pytest.raises(hg.DataError, match="This detector has no codes to draw a map of"):
        coded(hg.AnomalyDetector(max_epochs=1, random_state=0).fit(table))
