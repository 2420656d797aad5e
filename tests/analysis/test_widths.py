import math

import numpy as np
import polars as pl
import pytest
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import hourglass as hg
from hourglass.analysis import Sweep
from hourglass.analysis.comparison import CLASSICAL
from hourglass.analysis.page import percent
from hourglass.analysis.widths import _say, by_width

COLUMNS = ["codes", "mse", "explained_variance", "pca_mse", "pca_explained_variance", "seconds"]
QUICK = hg.Autoencoder(hidden=(8,), max_epochs=2)


def swept_frame(codes, shares, by_pca=None):
    """A sweep of given explained variances."""
    frame = pl.DataFrame({"codes": codes, "explained_variance": shares})
    pca = pl.Series(shares if by_pca is None else by_pca)
    frame = frame.with_columns(mse=1 - pl.col("explained_variance"), pca_mse=1 - pca, pca_explained_variance=pca)
    return Sweep(frame, {})


# What is measured


def test_a_row_a_width_in_order(swept, table):
    assert swept.frame.columns == COLUMNS
    assert swept.frame["codes"].to_list() == list(swept.models) == [1, 2, 4]
    assert (swept.frame["seconds"] > 0).all()
    assert [model.transform(table.X_test).shape[1] for model in swept.models.values()] == [1, 2, 4]


def test_a_width_is_measured_on_the_rows_given(swept, table):
    model = hg.Autoencoder(2, hidden=(16,), max_epochs=20, random_state=0).fit(table.X)
    scale = table.X.std(ddof=0)
    wrong = (table.X_test - model.reconstruct(table.X_test)) / scale
    spread = (table.X_test - table.X_test.mean()) / scale
    row = swept.frame.row(by_predicate=pl.col("codes") == 2, named=True)
    assert row["mse"] == pytest.approx((wrong**2).to_numpy().mean())
    assert row["explained_variance"] == pytest.approx(1 - (wrong**2).to_numpy().sum() / (spread**2).to_numpy().sum())


def test_pca_is_fitted_beside_each_width_on_the_same_scale(swept, table):
    train = (table.X - table.X.mean()) / table.X.std(ddof=0)
    test = ((table.X_test - table.X.mean()) / table.X.std(ddof=0)).to_numpy()
    for row in swept.frame.iter_rows(named=True):
        pca = PCA(row["codes"]).fit(train.to_numpy())
        wrong = test - pca.inverse_transform(pca.transform(test))
        assert row["pca_mse"] == pytest.approx((wrong**2).mean())
        assert row["pca_explained_variance"] == pytest.approx(1 - (wrong**2).sum() / ((test - test.mean(0)) ** 2).sum())


def test_pca_has_no_more_components_than_rows(wine):
    frame = hg.sweep(wine[:8], bottlenecks=(2, 12), estimator=QUICK, random_state=0).frame
    train, test = train_test_split(wine[:8], test_size=0.2, random_state=0)
    scale = train.std(ddof=0).where(train.std(ddof=0) > 1e-9, 1)
    scaled, new = (train - train.mean()) / scale, (test - train.mean()) / scale
    pca = PCA(5).fit(scaled.to_numpy())  # six centred rows span five directions
    wrong = new - pca.inverse_transform(pca.transform(new.to_numpy()))
    assert frame["pca_mse"][-1] == pytest.approx((wrong**2).to_numpy().mean())


def test_a_fifth_is_held_out_unless_given(wine):
    found = hg.sweep(wine, bottlenecks=[2], estimator=QUICK, random_state=3)
    train, test = train_test_split(wine, test_size=0.2, random_state=3)
    model = hg.Autoencoder(2, hidden=(8,), max_epochs=2, random_state=3).fit(train)
    assert found.frame["mse"][0] == pytest.approx(hg.metrics.reconstruction(model, test)["mse"])


def test_the_same_seed_gives_the_same_numbers(wine):
    frames = [hg.sweep(wine, bottlenecks=(1, 2), estimator=QUICK, random_state=seed).frame.drop("seconds") for seed in (5, 5, 6)]
    assert frames[0].equals(frames[1])
    assert not frames[0].equals(frames[2])


@pytest.mark.parametrize("convert", [pl.DataFrame, lambda frame: pl.DataFrame(frame).to_arrow(), lambda frame: frame.to_numpy()])
def test_data_comes_as_any_table(wine, convert):
    expected = hg.sweep(wine, bottlenecks=[2], estimator=QUICK, random_state=0).frame.drop("seconds")
    assert hg.sweep(convert(wine), bottlenecks=[2], estimator=QUICK, random_state=0).frame.drop("seconds").equals(expected)


def test_data_comes_as_paths(wine, tmp_path):
    wine.iloc[:100].to_csv(tmp_path / "a.csv", index=False)
    wine.iloc[100:].to_csv(tmp_path / "b.csv", index=False)
    read = hg.sweep(tmp_path / "a.csv", X_test=str(tmp_path / "b.csv"), bottlenecks=[2], estimator=QUICK, random_state=0)
    given = hg.sweep(wine[:100], X_test=wine[100:], bottlenecks=[2], estimator=QUICK, random_state=0)
    assert read.frame.drop("seconds").equals(given.frame.drop("seconds"))


def test_images_are_swept_in_pixels_from_0_to_1(swept_images, images):
    for width, model in swept_images.models.items():
        row = swept_images.frame.row(by_predicate=pl.col("codes") == width, named=True)
        assert row["mse"] == hg.metrics.reconstruction(model, images.X_test)["mse"]
    flat = images.X.reshape(400, -1) / 255
    assert row["pca_mse"] == pytest.approx(
        np.square(images.X_test.reshape(60, -1) / 255 - _by_pca(flat, images.X_test, 8)).mean(), rel=1e-4
    )


def _by_pca(train, test, n):
    pca = PCA(n, svd_solver="full").fit(train)
    return pca.inverse_transform(pca.transform(test.reshape(len(test), -1) / 255))


# The estimator


def test_the_estimator_is_cloned(wine):
    blank = hg.Autoencoder(7, hidden=(8,), max_epochs=2, random_state=9)
    found = hg.sweep(wine, bottlenecks=[2], estimator=blank)
    assert not hasattr(blank, "model_")
    assert blank.bottleneck == 7
    assert found.models[2].get_params() == {**blank.get_params(), "bottleneck": 2}


def test_a_part_keeps_its_other_fields(wine):
    found = hg.sweep(wine, bottlenecks=(4, 6), estimator=hg.Autoencoder(hg.TopK(9, k=3), hidden=(8,), max_epochs=1))
    assert [model.bottleneck for model in found.models.values()] == [hg.TopK(4, k=3), hg.TopK(6, k=3)]


def test_rows_of_differing_length_are_swept():
    rng = np.random.default_rng(0)
    rows = [np.sin(np.arange(n) / 3) + 0.1 * rng.normal(size=n) for n in rng.integers(16, 20, size=30)]
    blank = hg.Autoencoder(kind="series", max_epochs=1)
    found = hg.sweep(rows, bottlenecks=(1, 2), estimator=blank, random_state=0)
    train, test = train_test_split(np.arange(30), test_size=0.2, random_state=0)
    by_hand = [[rows[i] for i in some] for some in (train, test)]
    assert found.frame.drop("seconds").equals(
        hg.sweep(by_hand[0], X_test=by_hand[1], bottlenecks=(1, 2), estimator=blank, random_state=0).frame.drop("seconds")
    )


def test_a_record_is_refused(sentence):
    assert sentence(hg.DataError, hg.sweep, hg.Record(np.sin(np.arange(300)))) == (
        "A sweep takes rows, and this is one long record. Give its windows as rows (n, time, channels)."
    )


def test_a_table_that_is_one_record_is_refused(sentence):
    steps = pl.DataFrame({"time": np.arange(400), "pump": np.sin(np.arange(400) / 9)})
    assert sentence(hg.DataError, hg.sweep, steps, bottlenecks=(2,), estimator=hg.Autoencoder(kind="series")) == (
        "A sweep takes rows, and this is one long record. Give its windows as rows (n, time, channels)."
    )


def test_series_in_a_table_are_held_out_whole():
    beats = np.sin(np.linspace(0, 6, 30) + np.random.default_rng(0).normal(0, 1, (10, 1)))
    long = pl.DataFrame({"id": np.repeat(np.arange(10), 30), "time": np.tile(np.arange(30), 10), "value": beats.ravel()})
    estimator = hg.Autoencoder(kind="series", hidden=(), max_epochs=2, columns={"id": "id", "time": "time", "value": "value"})
    (found,) = by_width(long, (2,), X_test=None, estimator=estimator, verbose=False, random_state=0)
    assert sorted({*found.train["id"], *found.test["id"]}) == list(range(10))
    assert set(found.train["id"]).isdisjoint(found.test["id"])
    assert found.train.height == 8 * 30
    assert found.model.transform(found.test).shape == (2, 2)  # widths up to the 30 samples of a series, not the 3 columns
    assert hg.sweep(long, bottlenecks=(2, 8), estimator=estimator, random_state=0).frame["codes"].to_list() == [2, 8]


def test_columns_that_are_not_learned_from_are_not_counted(sentence):
    rows = pl.DataFrame({"id": [f"C-{i}" for i in range(40)], "a": np.arange(40.0) % 7, "b": np.arange(40.0) % 5})
    assert sentence(hg.DataError, hg.sweep, rows, bottlenecks=(2,)) == (
        "No bottleneck of the sweep (2) is below the number of features, 2. Give narrower ones."
    )


def test_a_part_too_wide_for_a_width_is_refused_before_any_fit(sentence, wine):
    fitted = []
    blank = hg.Autoencoder(hg.TopK(9, k=3), callbacks=(lambda estimator, epoch: fitted.append(epoch),))
    said = sentence(hg.ParameterError, hg.sweep, wine, bottlenecks=(4, 2), estimator=blank)
    assert said == "The 'k' parameter of TopK must be a positive int of at most n=2. Got 3 instead."
    assert fitted == []


def test_verbose_says_each_result(wine, capfd):
    hg.sweep(wine, bottlenecks=(1, 2), estimator=QUICK, random_state=0, verbose=True)
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Training", "Width 1 of 2", "Training", "Width 2 of 2"]


@pytest.mark.parametrize(
    ("codes", "share", "said"),
    [
        (32, 0.93456, "Width 5 of 6: 32 numbers keep 93.5% of the variance (PCA 90.0%)"),
        (1, -0.2, "Width 5 of 6: 1 number keeps nothing of the variance (PCA 90.0%)"),
    ],
)
def test_a_result_in_words(capfd, codes, share, said):
    _say({"codes": codes, "explained_variance": share, "pca_explained_variance": 0.9}, 5, 6)
    assert capfd.readouterr().err == said + "\n"


def test_ctrl_c_ends_the_whole_sweep(wine):
    fitted = []

    def press(estimator, epoch):
        fitted.append(estimator.bottleneck)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hg.sweep(wine, bottlenecks=(1, 2), estimator=hg.Autoencoder(hidden=(8,), callbacks=(press,)))
    assert fitted == [1]


# What is recommended


@pytest.mark.parametrize(
    ("shares", "recommended"),
    [
        ([0.5, 0.94, 0.95, 1.0], 8),
        ([0.95, 0.96, 0.97, 1.0], 2),
        ([0.2, 0.4, 0.6, 0.8], 16),
        ([0.5, 0.9, 0.3, 0.1], 4),
        ([-2.0, -1.0, -1.04, -3.0], 4),
        ([-2.0, -1.04, -1.0, -3.0], 4),
    ],
)
def test_the_smallest_width_with_95_percent_of_the_best_is_recommended(shares, recommended):
    assert swept_frame([2, 4, 8, 16], shares).recommended == recommended


def test_the_rule_is_said_with_its_numbers():
    assert swept_frame([2, 4, 8], [0.5, 0.9, 0.92]).reason == (
        "4 is the smallest width whose explained variance on held-out rows (90.0%) is at least 95% of the best in the sweep "
        "(92.0% with 8)."
    )


@pytest.mark.parametrize(
    ("by_pca", "said"),
    [
        ([0.4, 0.8, 0.9], "The autoencoder keeps more than PCA at every width."),
        (
            [0.4, 0.95, 0.97],
            "PCA keeps more than the autoencoder with 4, 8 numbers: train longer or on more data there, or use PCA.",
        ),
        (
            [0.6, 0.95, 0.97],
            "PCA keeps more than the autoencoder at every width: train longer or on more data there, or use PCA.",
        ),
    ],
)
def test_it_is_said_where_pca_is_better(by_pca, said):
    assert swept_frame([2, 4, 8], [0.5, 0.9, 0.92], by_pca).comparison == said


def test_the_plot_is_that_of_plots(swept):
    assert swept.plot().axes[0].get_legend_handles_labels()[1][-1] == f"recommended: {swept.recommended}"


# What can't be swept


def test_widths_that_do_not_squeeze_are_left_out_with_a_warning(wine):
    with pytest.warns(hg.HourglassWarning) as warned:
        found = hg.sweep(wine, bottlenecks=(2, 13, 64, 12), estimator=QUICK)
    assert [str(warning.message) for warning in warned] == [
        "Bottlenecks that are not below the number of features, 13, are left out of the sweep: 13, 64."
    ]
    assert warned[0].filename == __file__
    assert list(found.models) == [2, 12]


def test_no_width_that_squeezes(sentence, wine):
    assert sentence(hg.DataError, hg.sweep, wine, bottlenecks=(64, 13)) == (
        "No bottleneck of the sweep (13, 64) is below the number of features, 13. Give narrower ones."
    )


@pytest.mark.parametrize("given", [(), (2, 0), (2.5,), ("2",), 4, (True,)])
def test_impossible_widths(sentence, wine, given):
    assert sentence(hg.ParameterError, hg.sweep, wine, bottlenecks=given) == (
        f"The 'bottlenecks' parameter of sweep must be one or more positive ints. Got {given!r} instead."
    )


def test_what_has_no_codes_is_not_swept(sentence, wine):
    assert sentence(hg.ParameterError, hg.sweep, wine, bottlenecks=[2], estimator=hg.AnomalyDetector()) == (
        "The 'estimator' parameter of sweep must be an autoencoder. Got AnomalyDetector instead."
    )


def test_warnings_of_fits_are_given_once():
    frame = pl.DataFrame(
        {"key": [f"K{i}" for i in range(60)], **{name: np.random.default_rng(0).normal(size=60) for name in "abc"}}
    )
    with pytest.warns(hg.HourglassWarning) as warned:
        hg.sweep(frame, bottlenecks=(1, 2), estimator=QUICK, random_state=0)
    assert [str(one.message) for one in warned] == [
        "Column 'key' is an identifier (48 different values in 48 rows). It is left out; choose otherwise with "
        "columns={'key': ...}."
    ]
    assert warned[0].filename == __file__


def test_too_few_rows_to_hold_some_out(sentence, wine):
    assert sentence(hg.DataError, hg.sweep, wine[:4], bottlenecks=[2]) == (
        "A sweep holds out a fifth of the rows, so it needs at least 5. Got 4: give more, or X_test."
    )


def test_rows_that_are_all_alike(sentence, wine):
    alike = wine.iloc[[0, 0, 0]]
    assert sentence(hg.DataError, hg.sweep, wine, X_test=alike, bottlenecks=[2], estimator=QUICK) == (
        "All held-out rows of the sweep are alike, so nothing can be told from them. Give other ones as X_test."
    )


def test_a_sweep_prints_its_frame_and_not_its_models(swept):
    assert repr(swept).startswith("Sweep(frame=shape: (3, 6)")
    assert "Autoencoder" not in repr(swept)
    assert math.isfinite(swept.frame["mse"].sum())


def test_a_table_with_gaps_is_compared_with_pca_on_means():
    a = np.random.default_rng(0).normal(size=200)
    frame = pl.DataFrame({"a": a, "b": 2 * a, "c": -a}).with_columns(
        b=pl.when(pl.int_range(200) % 10 == 0).then(None).otherwise("b")
    )
    found = hg.sweep(frame, bottlenecks=(1,), estimator=QUICK, random_state=0)
    assert found.frame["pca_explained_variance"][0] > 0.8  # one direction; what is missing on rows held out costs the rest


# Rows of symbols


def test_widths_of_rows_of_symbols(tmp_path):
    chance = np.random.default_rng(0)
    rows = ["".join(chance.choice(["ab", "cd", "ef"], 3)) for _ in range(200)]
    estimator = hg.Autoencoder(encoder=hg.OneShot(8, (16,), 2, (16,)), decoder=hg.OneShot(8, (16,), 2, (16,)), max_epochs=20)
    found = hg.sweep(rows, bottlenecks=(1, 4), X_test=[*rows[:50], "xyz"], estimator=estimator, random_state=0)
    assert found.frame.columns == ["codes", "wrong", "right", "pca_wrong", "pca_right", "seconds"]
    wide = found.models[4]
    right = [
        a == b for row, other in zip(rows[:50], wide.reconstruct(rows[:50]), strict=True) for a, b in zip(row, other, strict=True)
    ]
    assert found.frame["right"][1] == pytest.approx(np.mean(right))
    assert found.frame["wrong"][1] == pytest.approx(1 - np.mean(right))
    spread = np.array([[letter == other for letter in row for other in "abcdef"] for row in rows], float)
    pca = PCA(4).fit(spread)
    rebuilt = pca.inverse_transform(pca.transform(spread[:50])).reshape(50, 6, 6).argmax(-1)
    truth = spread[:50].reshape(50, 6, 6).argmax(-1)
    assert found.frame["pca_right"][1] == pytest.approx((rebuilt == truth).mean(), abs=0.02)
    assert "is the smallest width whose share of right symbols on held-out rows" in found.reason
    assert found.plot().axes[0].get_ylabel() == "share of symbols wrong, held out"
    page = hg.report(wide, rows[:50], tmp_path / "page.html", sweep=found).read_text()
    assert f"<td>{found.frame['wrong'][1]:#.3g}</td><td>{percent(found.frame['right'][1])}</td>" in page
    with pytest.raises(hg.DataError, match="Each held-out row of the sweep has a symbol"):
        hg.sweep(rows, bottlenecks=(1,), X_test=["xyz"], estimator=estimator)
    with pytest.raises(hg.DataError, match=r"No bottleneck of the sweep \(8\) is below the number of features, 6\."):
        hg.sweep(rows, bottlenecks=(8,), estimator=estimator)


def test_scikit_learn_may_be_set_to_give_frames(wine):
    with config_context(transform_output="pandas"):
        found = hg.sweep(wine, bottlenecks=(1, 3), estimator=QUICK, random_state=0)
        hg.plots.code_map(found.models[3], wine)
        far = CLASSICAL["PCA"](wine.to_numpy(), 0)(wine.to_numpy())
    assert found.frame["codes"].to_list() == [1, 3]
    assert isinstance(far, np.ndarray)


def test_a_seed_may_be_larger_than_scikit_learn_takes():
    X = np.random.default_rng(0).normal(size=(40, 4))
    large, small = (
        hg.sweep(X, bottlenecks=(1,), estimator=QUICK, random_state=seed).frame.drop("seconds") for seed in (2**32 + 5, 5)
    )
    assert large.equals(small)
