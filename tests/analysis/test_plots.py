import copy
import sys
from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.exceptions import NotFittedError

import hourglass as hg
from hourglass import plots
from hourglass.analysis import drawing
from hourglass.analysis.drawing import GROUPS, MUTED, _apart, side_by_side
from hourglass.analysis.metrics import spread
from hourglass.analysis.page import VARIABLES

RNG = np.random.default_rng(0)


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def words(axes):
    return [text.get_text() for text in axes.texts]


def curves(axes):
    """The data of each labelled line, by its label."""
    return {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines() if not line.get_label().startswith("_")}


def drawn(figure):
    """Let matplotlib lay everything out."""
    FigureCanvasAgg(figure).draw()
    return figure


# Reconstructions


def test_images_stand_over_their_reconstructions(images):
    figure = drawn(plots.reconstructions(images.model, images.X_test, n=10))
    error = hg.metrics.reconstruction(images.model, images.X_test)["mse"]
    assert isinstance(figure, Figure)
    assert titles(figure) == ["original", f"8 numbers, error {error:#.3g}"]
    chosen = images.X_test[spread(60, 10)]
    for axes, expected in zip(figure.axes, (chosen, images.model.reconstruct(chosen)), strict=True):
        strip = axes.get_images()[0].get_array()
        np.testing.assert_allclose(strip[:, :14, 0], expected[0] / 255, atol=1e-6)
        np.testing.assert_allclose(strip[:, 15:29, 2], expected[1] / 255, atol=1e-6)
        assert strip.shape == (14, 10 * 15, 4)


def test_several_models_stand_below_each_other(swept_images, images):
    for models in (swept_images, swept_images.models, list(swept_images.models.values())):
        figure = plots.reconstructions(models, images.X_test)
        assert [title.split(",")[0] for title in titles(figure)] == ["original", "2 numbers", "8 numbers"]


def test_a_table_is_a_heat_map_with_names(table):
    figure = drawn(plots.reconstructions(table.model, table.X_test, n=5))
    error = hg.metrics.reconstruction(table.model, table.X_test)["mse"]
    assert titles(figure) == ["original", f"4 numbers\nerror {error:#.3g}"]
    original, rebuilt, bar = figure.axes
    rows = spread(len(table.X_test), 5)
    np.testing.assert_allclose(
        original.get_images()[0].get_array(), hg.metrics.scaled(table.model, table.X_test)[rows].T, rtol=1e-6
    )
    assert [label.get_text() for label in original.get_yticklabels()][:2] == ["alcohol", "malic_acid"]
    assert {label.get_text() for label in rebuilt.get_yticklabels()} == {""}
    assert bar.get_xlabel() == "standard deviations from the column's mean"


def test_a_wide_table_shows_its_first_columns():
    X = RNG.normal(size=(20, 1024))
    model = hg.Autoencoder(2, hidden=(4,), max_epochs=1, random_state=0).fit(X)
    axes = plots.reconstructions(model, X).axes[0]
    assert axes.get_images()[0].get_array().shape == (20, 10)
    assert axes.get_ylabel() == "the first 20 of 1,024 columns"
    assert axes.get_yticklabels()[19].get_text() == "x19"


def test_a_category_of_many_levels_leaves_room_for_the_other_columns(tmp_path):
    table = pl.DataFrame({"size": RNG.normal(size=200), "word": [f"w{i % 40}" for i in range(200)], "last": RNG.normal(size=200)})
    table = table.with_columns(last=pl.when(pl.int_range(200) % 9 > 0).then("last"))
    model = hg.Autoencoder(2, hidden=(4,), max_epochs=1, random_state=0).fit(table)
    axes = plots.reconstructions(model, table).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert (len(labels), labels[0], labels[1].split(":")[0], labels[-1]) == (20, "size", "word", "last")
    assert axes.get_ylabel() == "20 of 43 columns"
    np.testing.assert_allclose(
        axes.get_images()[0].get_array()[-1], hg.metrics.before_and_after(model, table)[0][:, -1][spread(200, 10)]
    )
    hg.report(model, table, tmp_path / "page.html")
    assert "Hide(share=0.5, rest=True)" in (tmp_path / "page.html").read_text()  # and not which element is of which column


def test_more_than_three_heat_maps_fill_lines(swept, table):
    figure = drawn(plots.reconstructions(swept, table.X_test))
    assert [title.split("\n")[0] for title in titles(figure)] == ["original", "1 number", "2 numbers", "4 numbers"]
    assert len(figure.axes) == 5  # with the colour bar, without the two places that are left


def test_a_sparse_model_says_how_many_numbers_are_kept(sparse, table):
    assert titles(plots.reconstructions(sparse, table.X_test))[1].startswith("3 of 10 numbers\n")


def test_no_models(sentence, images):
    assert sentence(hg.DataError, plots.reconstructions, [], images.X_test) == (
        "There is no model to draw reconstructions of. Give at least one."
    )


def test_images_of_each_shape_become_a_strip_with_clear_gaps():
    strips = {shape: side_by_side(np.full((7, *shape), 0.5)) for shape in ((28, 28), (28, 28, 1), (28, 28, 3), (28, 28, 4))}
    for shape, strip in strips.items():
        assert strip.shape == (28, 7 * 30, 4)
        assert strip[0, 0].tolist() == [0.5, 0.5, 0.5, 0.5 if shape[-1] == 4 else 1]
        assert strip[0, 28].tolist() == [0, 0, 0, 0]


def test_few_images_do_not_become_giants_and_large_ones_are_shrunk():
    assert side_by_side(np.ones((1, 28, 28))).shape == (28, 6 * 30, 4)
    bands = np.random.default_rng(0).random((7, 28, 28, 5))
    np.testing.assert_allclose(side_by_side(bands), side_by_side(bands.mean(-1)))
    checked = np.indices((2, 500, 700))[1:].sum(0) % 2
    strip = side_by_side(checked.astype(float))
    assert strip.shape == (125, 6 * (175 + 12), 4)
    assert np.unique(strip[:, :175, :3]).tolist() == [0.5]


# The map of the codes


def test_two_codes_are_drawn_as_they_are(swept, table):
    figure = drawn(plots.code_map(swept.models[2], table.X_test, table.y_test))
    (axes,) = figure.axes
    Z = swept.models[2].transform(table.X_test)
    assert titles(figure) == ["the two codes"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("code0", "code1")
    assert words(axes) == ["0", "1", "2"]
    for label, points in enumerate(axes.collections):
        np.testing.assert_allclose(points.get_offsets(), Z[table.y_test == label])
        assert to_hex(points.get_facecolor()[0]) == GROUPS[label]
    np.testing.assert_allclose(axes.texts[1].get_position(), np.median(Z[table.y_test == 1], axis=0))


def test_names_of_groups_do_not_lie_on_each_other():
    places = np.array([[0.5, 0.5], [0.51, 0.51], [0.5, 0.49], [0.9, 0.5], [0.1, 0.2]])
    moved = _apart(places, 0.1, 0.05)
    np.testing.assert_array_equal(moved[:, 0], places[:, 0])
    np.testing.assert_array_equal(moved[3:], places[3:])
    assert (np.diff(moved[[2, 0, 1], 1]) > 0.0499).all()


def test_a_single_code_is_drawn_over_the_error(swept, table):
    axes, bar = plots.code_map(swept.models[1], table.X_test).axes
    order = np.argsort(axes.collections[0].get_offsets()[:, 0])
    Z = swept.models[1].transform(table.X_test)[:, 0]
    np.testing.assert_allclose(axes.collections[0].get_offsets()[order, 0], np.sort(Z))
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("code0", "reconstruction error", "reconstruction error")


def test_more_codes_are_seen_along_their_main_directions(table):
    from sklearn.decomposition import PCA

    figure = plots.code_map(table.model, table.X_test, table.y_test)
    pca = PCA(2).fit(Z := table.model.transform(table.X_test))
    assert titles(figure) == [f"4 codes, by PCA ({pca.explained_variance_ratio_.sum():.0%} of their variance)"]
    shown = np.concatenate([points.get_offsets() for points in figure.axes[0].collections])
    np.testing.assert_allclose(np.sort(np.abs(shown), axis=0), np.sort(np.abs(pca.transform(Z)), axis=0), rtol=1e-4)


def test_without_labels_the_worst_rows_lie_on_top(table):
    axes, bar = plots.code_map(table.model, table.X_test).axes
    colours = axes.collections[0].get_array()
    assert (np.diff(colours) >= 0).all()
    before, after = hg.metrics.before_and_after(table.model, table.X_test)
    np.testing.assert_allclose(colours, np.sort(((before - after) ** 2).mean(1)))
    assert bar.get_ylabel() == "reconstruction error"


def test_many_labels(table):
    n = len(table.X_test)
    axes, bar = plots.code_map(table.model, table.X_test, np.arange(n) / 7).axes
    np.testing.assert_allclose(axes.collections[0].get_array(), np.arange(n) / 7)
    assert bar.get_ylabel() == "label"
    names = [*(f"group {i % 10}" for i in range(n - 3)), "rare", "rarer", "rarest"]
    (axes,) = plots.code_map(table.model, table.X_test, names).axes
    assert words(axes) == [f"group {i}" for i in range(10)]
    assert [to_hex(points.get_facecolor()[0]) for points in axes.collections] == [MUTED, *GROUPS]
    assert len(axes.collections[0].get_offsets()) == 3


@pytest.mark.parametrize("convert", [list, pl.Series, pd.Series])
def test_labels_come_in_any_container(table, convert):
    labels = convert([["a", "b"][i % 2] for i in range(len(table.X_test))])
    assert words(plots.code_map(table.model, table.X_test, labels).axes[0]) == ["a", "b"]


def test_long_labels_are_cut_in_their_middle(table):
    labels = [f"measurement {'ab'[i % 2]}" for i in range(len(table.X_test))]
    assert words(plots.code_map(table.model, table.X_test, labels).axes[0]) == ["measur…ent a", "measur…ent b"]


def test_labels_are_one_a_row(sentence, table):
    assert sentence(hg.DataError, plots.code_map, table.model, table.X_test, [1, 2]) == (
        "Labels are one a row, so 38 of them in one dimension. Got an array of shape (2,)."
    )


def test_many_rows_are_thinned_evenly(monkeypatch, table):
    monkeypatch.setattr("hourglass.analysis.plots.MAX_POINTS", 10)
    (axes,) = plots.code_map(table.model, table.X_test, np.arange(len(table.X_test)) % 2).axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == 10


def test_codes_that_are_all_alike(sparse, table):
    alike = pd.concat([table.X_test[:1]] * 3)
    drawn(plots.code_map(sparse, alike))
    for rows in (table.X_test[:1], pd.concat([table.X_test[:1]] * 50)):
        assert titles(plots.code_map(table.model, rows)) == ["the first two codes"]  # PCA would show how codes were rounded


# Training


def test_training_curves_are_the_history(images):
    figure = drawn(plots.training_curves(images.model))
    (axes,) = figure.axes
    history = images.model.history_
    best = min(history, key=lambda record: record["validation"])
    assert curves(axes) == {
        "learned from": [[record["epoch"], record["train"]] for record in history],
        "held out": [[record["epoch"], record["validation"]] for record in history],
        f"kept: epoch {best['epoch']}": [[best["epoch"], best["validation"]]],
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (nats a row)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(curves(axes))


def test_the_start_is_marked_where_no_epoch_was_better(images):
    model = copy.copy(images.model)
    model.best_epoch_, model.start_loss_ = 0, 12.5
    assert curves(plots.training_curves(model).axes[0])["kept: the start"] == [[0, 12.5]]
    model.best_epoch_ = 1
    assert curves(plots.training_curves(model).axes[0])["kept: epoch 1"] == [[1, images.model.history_[0]["validation"]]]


def test_training_without_held_out_rows(wine):
    model = hg.Autoencoder(2, hidden=(4,), max_epochs=1, validation_fraction=0, random_state=0).fit(wine)
    axes = drawn(plots.training_curves(model)).axes[0]
    assert list(curves(axes)) == ["learned from"]
    assert axes.get_lines()[0].get_marker() == "o"  # a single epoch is seen
    low, high = axes.get_xlim()
    assert [at for at in axes.get_xticks() if low <= at <= high] == [1]


def test_a_model_without_an_epoch(sentence, images):
    stopped = hg.Autoencoder(2)
    stopped.history_ = []
    assert sentence(hg.DataError, plots.training_curves, stopped) == (
        "The model has no training curve: it was stopped before its first epoch was over. Fit it again."
    )


# Errors


def test_the_worst_images_come_first(images):
    figure = drawn(plots.errors(images.model, images.X_test, n=6))
    top, original, rebuilt = figure.axes
    before, after = hg.metrics.before_and_after(images.model, images.X_test)
    of_rows = ((before - after) ** 2).mean((1, 2))
    worst = np.argsort(-of_rows)[:6]
    assert sum(bar.get_height() for bar in top.patches) == 60
    limit = np.quantile(of_rows, 0.99)
    assert curves(top) == {f"1 in 100 is beyond {limit:.3g}": [[pytest.approx(limit), 0], [pytest.approx(limit), 1]]}
    assert (top.get_xlabel(), top.get_ylabel()) == ("mean squared error per image", "images")
    assert titles(figure) == ["the worst, by number", "as rebuilt"]
    assert [label.get_text() for label in original.get_xticklabels()] == [str(row) for row in worst]
    for axes, source in ((original, before), (rebuilt, after)):
        np.testing.assert_allclose(axes.get_images()[0].get_array()[:, :14, 0], source[worst[0]])
        np.testing.assert_allclose(axes.get_images()[0].get_array()[:, 75:89, 0], source[worst[5]])


def test_the_worst_columns_come_first(table):
    top, bars = plots.errors(table.model, table.X_test, n=3).axes
    before, after = hg.metrics.before_and_after(table.model, table.X_test)
    of_columns = ((before - after) ** 2).mean(0)
    worst = np.argsort(-of_columns)[:3]
    assert (top.get_xlabel(), top.get_ylabel()) == ("mean squared error per row", "rows")
    assert [label.get_text() for label in bars.get_yticklabels()] == table.X_test.columns[worst].tolist()
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], of_columns[worst])
    assert bars.yaxis_inverted()


def test_errors_of_one_row(images, table):
    for fitted in (images, table):
        drawn(plots.errors(fitted.model, fitted.X_test[:1]))


# Widths


def test_widths_show_the_sweep(swept):
    (axes,) = drawn(plots.widths(swept)).axes
    frame, chosen = swept.frame, swept.recommended
    assert curves(axes) == {
        "PCA": [list(row) for row in frame.select("codes", "pca_mse").rows()],
        "autoencoder": [list(row) for row in frame.select("codes", "mse").rows()],
        f"recommended: {chosen}": [list(frame.filter(codes=chosen).select("codes", "mse").row(0))],
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4"]
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > max(*frame["mse"], *frame["pca_mse"])


# The manners of all


def test_names_with_dollars_are_no_formulas():
    names = ["price in $", "$x_1$", r"\frac{1}$", "a name that is much longer than anyone would like it"]
    X = pd.DataFrame(RNG.normal(size=(20, 4)), columns=names)
    model = hg.Autoencoder(2, hidden=(4,), max_epochs=1, random_state=0).fit(X)
    figure = drawn(plots.reconstructions(model, X))
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == [r"price in \$", r"\$x_1\$", r"\frac{1}\$", "a name that …uld like it"]
    drawn(plots.errors(model, X))
    assert words(drawn(plots.code_map(model, X, ["$a$", "b\nc"] * 10)).axes[0]) == [r"\$a\$", "b c"]


def open_figures():
    """The figures of pyplot, which other tests may have left."""
    return sys.modules["matplotlib.pyplot"].get_fignums() if "matplotlib.pyplot" in sys.modules else []


def test_nothing_global_is_touched(swept, swept_images, images, table):
    settings, figures = dict(matplotlib.rcParams), open_figures()
    for fitted in (images, table):
        drawn(plots.reconstructions(fitted.model, fitted.X_test))
        drawn(plots.code_map(fitted.model, fitted.X_test, fitted.y_test))
        drawn(plots.errors(fitted.model, fitted.X_test))
        drawn(plots.training_curves(fitted.model))
    drawn(swept.plot())
    drawn(swept_images.plot())
    assert dict(matplotlib.rcParams) == settings
    assert open_figures() == figures


def all_figures(fitted, swept):
    yield plots.reconstructions(fitted.model, fitted.X_test)
    yield plots.reconstructions(swept, fitted.X_test)
    yield plots.code_map(fitted.model, fitted.X_test)
    yield plots.errors(fitted.model, fitted.X_test)
    yield plots.training_curves(fitted.model)
    yield plots.widths(swept)


def all_words(figure):
    """Every piece of text that is drawn; ticks outside of the view are not."""
    beyond = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        beyond |= {
            label for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high for label in (tick.label1, tick.label2)
        }
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in beyond]


@pytest.mark.parametrize("kind", ["image", "table"])
def test_nothing_is_cut_off_and_no_words_overlap(kind, images, table, swept, swept_images):
    for figure in all_figures(*((images, swept_images) if kind == "image" else (table, swept))):
        assert_readable(drawn(figure))


def assert_readable(figure):
    """No word is cut off, and none lies on another."""
    boxes = {text: text.get_window_extent() for text in all_words(figure)}
    width, height = figure.bbox.size
    for text, box in boxes.items():
        assert -1 <= box.x0 < box.x1 <= width + 1, text
        assert -1 <= box.y0 < box.y1 <= height + 1, text
    for one, other in combinations(boxes, 2):
        apart = boxes[one].padded(-1)
        assert not apart.overlaps(boxes[other]), (one, other)


LONG = "Amount_of_the_transfer_in_the_last_quarter_of_the_year_"
NAMES = {"long": [f"{LONG}{i}" for i in range(12)], "capitals": [f"{LONG.upper()}{i}" for i in range(12)], "short": ["a", "b"]}


def figures_of_alarms(names):
    shares = np.linspace(1, 2, len(names)) / (1.5 * len(names))
    explained = [
        {"row": row, "column": name, "share": share} for row in range(8) for name, share in zip(names, shares, strict=True)
    ]
    yield plots.blame(pl.DataFrame(explained))
    yield plots.blame(pl.DataFrame(explained[: len(names)]))
    moved = pl.DataFrame({"column": names, "moved": shares, "p_value": shares})
    yield plots.moved_columns(hg.estimators.Drift(drifted=False, p_value=1.0, moved=0.0, columns=moved))
    for p_values in ([0.12], [1.0], [0.3, 0.4, 0.9], [1e-6, 0.5, 1], RNG.random(500)):
        yield plots.calibration(np.array(p_values))


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_nothing_of_alarms_is_cut_off_and_names_can_be_told_apart(names):
    for figure in figures_of_alarms(names):
        assert_readable(drawn(figure))
        labels = [text.get_text() for text in all_words(figure) if text.get_text() in {drawing.plain(name) for name in names}]
        assert len(set(labels)) == len(labels)
        assert all(axes.get_window_extent().width > figure.bbox.width / 3 for axes in figure.axes)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_how_many_are_drawn_is_a_count(n, images, variational, sentence):
    for draw, model in (
        (plots.reconstructions, images.model), (plots.errors, images.model), (plots.interpolation, variational),
        (plots.traversal, variational),
    ):  # fmt: skip
        assert sentence(hg.ParameterError, draw, model, images.X_test, n=n) == (
            f"The 'n' of a picture must be a positive int. Got {n} instead."
        )


def test_no_p_values(sentence):
    said = "There are no p-values to draw. Give those of at least one row."
    assert sentence(hg.DataError, plots.calibration, np.array([])) == said


def test_a_single_p_value_is_seen():
    usual, these = drawn(plots.calibration(np.array([0.12]))).axes[0].lines
    assert (these.get_xdata().tolist(), these.get_ydata().tolist(), these.get_marker()) == ([0.12], [1.0], "o")
    assert usual.get_xdata()[0] == 0.01


def test_colours_of_groups_stay_apart_on_dark_screens():
    """Pages make the blue and the orange of all pictures lighter there, and would move them to others of the groups."""
    assert not set(GROUPS) & set(VARIABLES)


def test_every_public_plot_is_documented():
    assert all(getattr(plots, name).__doc__ for name in plots.__all__)
    assert plots.__all__ == sorted(plots.__all__)


# Of models that make new data


def lines_of(figure, tall=14):
    """Each line of a grid of images."""
    picture = np.asarray(figure.axes[0].get_images()[0].get_array())
    return [picture[start : start + tall] for start in range(0, len(picture), tall + 1)]


def test_samples_stand_in_a_grid(variational):
    figure = drawn(plots.samples(variational, n=10, across=4, random_state=3))
    expected = variational.sample(10, random_state=3) / 255
    lines = lines_of(figure)
    assert len(lines) == 3  # of 4, 4 and 2
    np.testing.assert_allclose(lines[0][:, :14, 0], expected[0], atol=1e-6)
    np.testing.assert_allclose(lines[2][:, 15:29, 1], expected[9], atol=1e-6)
    assert (lines[2][:, 30:, 3] == 0).all()  # nothing there


def test_ways_lead_from_one_row_to_another(variational, images):
    lines = lines_of(drawn(plots.interpolation(variational, images.X_test, n=2, steps=5)))
    assert len(lines) == 2
    ends = variational.reconstruct(images.X_test[spread(60, 4)]) / 255
    np.testing.assert_allclose(lines[1][:, :14, 0], ends[1], atol=1e-6)
    np.testing.assert_allclose(lines[1][:, -15:-1, 0], ends[3], atol=1e-6)


def test_the_strongest_codes_are_traversed_first(variational, images):
    figure = drawn(plots.traversal(variational, images.X_test, n=3, steps=5))
    worth = hg.diagnose(variational, images.X_test).codes.sort("worth", descending=True)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == worth["code"].to_list()[:3]
    assert len(lines_of(figure)) == 3


def test_a_plain_code_moves_as_far_as_those_of_the_data(images):
    Z = images.model.transform(images.X_test)
    middle = images.X_test[[np.square(Z - Z.mean(0)).sum(1).argmin()]]
    expected = images.model.traverse(5, middle, steps=4, reach=np.quantile(np.abs(Z[:, 5]), 0.99)) / 255
    (line,) = lines_of(plots.traversal(images.model, images.X_test, codes=[5], steps=4))
    np.testing.assert_allclose(line[:, :14, 0], expected[0], atol=1e-6)


def test_a_code_that_is_not_there_is_refused(images, sentence):
    width = images.model.transform(images.X_test).shape[1]
    assert sentence(hg.ParameterError, plots.traversal, images.model, images.X_test, codes=[0, width]) == (
        f"The 'codes' of a traversal are among 0 to {width - 1}. Got {width}."
    )


def test_tables_are_heat_maps(variational_table, table):
    assert titles(drawn(plots.samples(variational_table, n=20))) == ["20 samples"]
    assert titles(drawn(plots.interpolation(variational_table, table.X_test, n=2))) == ["way 1", "way 2"]
    assert sorted(titles(drawn(plots.traversal(variational_table, table.X_test)))) == ["code0", "code1", "code2"]


def test_series_are_small_curves(tmp_path):
    time = np.arange(900)
    record = hg.Record(np.stack([np.sin(time / 8), np.cos(time / 8)], 1) + 0.1 * RNG.normal(size=(900, 2)), 10, names=["in", "out"])
    model = hg.VariationalAutoencoder(2, kind=hg.Series(window=50), max_epochs=1, random_state=0).fit(record)
    made = model.sample(10, random_state=0)  # ten windows side by side
    panels = [axes for axes in drawn(plots.samples(model, n=10, across=4)).axes if axes.lines]
    assert len(panels) == 10
    scale = model.model_.scaling.inner if hasattr(model.model_.scaling, "inner") else model.model_.scaling
    mean, std = np.ravel(scale.mean), np.ravel(scale.scale)
    for number, axes in enumerate(panels):
        seen = np.stack([line.get_ydata() for line in axes.lines], 1)
        np.testing.assert_allclose(seen * std + mean, made.values[50 * number :][:50], atol=1e-5)
    figure = drawn(plots.traversal(model, record, steps=5))
    assert sum(bool(axes.lines) for axes in figure.axes) == 10
    assert {text.get_text() for axes in figure.axes for text in axes.texts} == {"code0", "code1"}
    assert_readable(figure)
    page = hg.report(model, record, tmp_path / "r.html").read_text()
    assert "All figures are measured on 900 samples." in page
    assert drawn(plots.errors(model, record)).axes[0].get_xlabel() == "mean squared error per window"


def test_samples_and_traversals_with_a_condition(images):
    labels = np.arange(400) % 3
    model = hg.VariationalAutoencoder(2, hidden=(16,), max_epochs=1, random_state=0).fit(images.X, condition=labels)
    assert len(lines_of(plots.samples(model, n=6, across=3, condition=np.arange(6) % 3))) == 2
    assert len(lines_of(plots.traversal(model, images.X[:50], n=2, condition=labels[:50]))) == 2
    assert len(lines_of(plots.traversal(model, images.X[:50], n=2, condition=labels[1]))) == 2  # a scalar of NumPy, for all rows
    assert len(lines_of(plots.interpolation(model, images.X[:50], n=1, condition=1))) == 1


def test_molecules_are_drawn(chemical, sentence):
    drawn = plots.molecules(["CCO", "c1ccccc1", "CC", "CCC", "CCN"], ["ethanol", "benzene"])
    assert titles(drawn) == ["ethanol", "benzene"]
    assert [len(axes.get_images()) for axes in drawn.axes] == [1, 1, 1, 1, 1, 0, 0, 0]
    assert drawn.axes[0].get_images()[0].get_array().shape == (180, 240, 3)
    assert sentence(hg.DataError, plots.molecules, ["CCO", "C1CC"]) == (
        "These molecules can't be drawn: 'C1CC' is no molecule that RDKit can read."
    )
    known = ["CCO", "Cc1ccccc1", "C1CCCCC1", "CCN", "CCC"]
    whole = f"4 numbers, {hg.metrics.exact(chemical, known):.0%} exact"
    assert titles(plots.reconstructions(chemical, known, n=5)) == ["original", whole, "original", whole]
    assert titles(plots.samples(chemical, n=3)) == ["3 samples"]
    assert titles(plots.interpolation(chemical, known, n=2, steps=3)) == ["way 1", "way 2"]
    assert len(titles(plots.traversal(chemical, known, n=2))) == 2
    near = titles(plots.nearest(chemical, known, n=2))
    assert near[:2] == ["new", "new"]
    alike = hg.analysis.chemistry.tanimoto(chemical.sample(2, random_state=0), known).max(1)
    assert near[2:] == [f"known, {share:.0%} alike" for share in alike]


def test_strings_are_written():
    lines = ["abba", "abab", "baba", "bab", "aabb", "ab"] * 5
    small = hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
    model = hg.VariationalAutoencoder(3, encoder=small, decoder=small, max_epochs=2, random_state=0).fit(lines)
    rebuilt = model.reconstruct(lines[:2])
    said = words(plots.reconstructions(model, lines[:2], n=2).axes[0])
    together = [(said[i + 1], said[i + 2]) for i in range(0, len(said), 3)]  # the name, what agrees, what doesn't
    merged = ["".join(max(a, b) for a, b in zip(*pair, strict=True)) for pair in together]
    assert merged == ["abba", rebuilt[0], "", "abab", rebuilt[1]]
    assert all(letter in (" ", other) for letter, other in zip(together[1][0], "abba", strict=False))
    made = model.sample(3, random_state=0)
    assert [word for word in words(plots.samples(model, n=3).axes[0]) if word] == ["3 samples", *(row for row in made if row)]
    assert "known, " in " ".join(words(plots.nearest(model, lines, n=2).axes[0]))
    top, bars = plots.errors(model, lines).axes
    assert top.get_xlabel() == "nats per row"
    assert {label.get_text() for label in bars.get_yticklabels()} == {"a", "b"}
    nats = model.feature_errors(lines)
    letters = np.array([list(line.ljust(4)) for line in lines])
    assert max(bar.get_width() for bar in bars.patches) == pytest.approx(max(nats[letters == x].mean() for x in "ab"), rel=1e-5)
    assert plots.code_map(model, lines).axes[0].get_xlabel() == "first direction"


@pytest.mark.parametrize(
    ("draw", "model"), [(hg.plots.nearest, hg.VariationalAutoencoder()), (hg.plots.overlays, hg.AnomalyDetector())]
)
def test_a_model_has_to_be_fitted(draw, model):
    with pytest.raises(NotFittedError):
        draw(model, np.zeros((2, 8, 8)))


def test_only_rows_of_symbols_have_nearest_ones_drawn(variational, images, sentence):
    assert sentence(hg.DataError, plots.nearest, variational, images.X) == (
        "The nearest rows are drawn of rows of symbols. The model was fitted on 14 x 14 grey images."
    )
