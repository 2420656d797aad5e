import math

import numpy as np
import polars as pl
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances

import hourglass as hg
from hourglass import metrics
from hourglass.analysis.metrics import spread

RNG = np.random.default_rng(0)


# Reconstructions


def test_mse_by_hand():
    assert metrics.mse([[0.0, 1.0], [2.0, 3.0]], [[0.0, 2.0], [0.0, 3.0]]) == (0 + 1 + 4 + 0) / 4
    assert metrics.mse(np.array([[0, 255]], np.uint8), np.array([[0, 0]], np.uint8)) == 0.5
    assert metrics.mse(np.array([[0, 255]], np.uint8), np.array([[0.5, 1.0]])) == 0.125
    assert metrics.mse([[1, 2]], [[3, 2]]) == 2


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_tables_of_each_library_are_measured(convert):
    before, after = RNG.normal(size=(2, 5, 3))
    tables = [convert(pl.DataFrame(values, schema=list("abc"))) for values in (before, after)]
    assert metrics.mse(*tables) == pytest.approx(metrics.mse(before, after))
    assert metrics.explained_variance(tables[0], after) == pytest.approx(metrics.explained_variance(before, after))


def test_psnr_by_hand():
    assert metrics.psnr([[0.0, 1.0]], [[0.1, 0.9]]) == pytest.approx(20)
    assert metrics.psnr([[0.0, 200.0]], [[20.0, 220.0]], data_range=200) == pytest.approx(20)
    assert metrics.psnr(np.array([[255]], np.uint8), np.array([[0]], np.uint8)) == 0
    assert metrics.psnr([[0.3]], [[0.3]]) == math.inf
    assert math.isnan(metrics.psnr([[0.0, 1.0]], [[0.0, math.nan]]))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int64", "float16", "float32", "float64"])
def test_a_range_is_in_the_units_of_the_data(dtype):
    before = np.random.default_rng(0).integers(0, 256, (4, 12, 12))
    after = (before // 3).astype(dtype)
    asked = before.astype(dtype), after
    ratio = 10 * np.log10(255**2 / np.square(before - before // 3).mean())
    assert metrics.psnr(*asked, data_range=255) == pytest.approx(ratio)
    likeness = np.mean([ssim_by_scipy(one / 255, (one // 3) / 255) for one in before])
    assert metrics.ssim(*asked, data_range=255) == pytest.approx(likeness, abs=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int8", "int16", "int64", "float16", "float32", "float64"])
def test_nothing_overflows_in_types_of_few_bits(dtype):
    most = {"b": 1, "i": 100}.get(np.dtype(dtype).kind, 60000 if dtype != "uint8" else 255)
    scale = 255 if dtype == "uint8" else 1
    before = np.tile(np.array([0, most], dtype), (4, 3, 2)).reshape(4, 12)
    before[0] = most
    after = before[::-1].copy()
    apart = before.astype(float) / scale - after.astype(float) / scale
    share = 1 - np.square(apart).sum() / (4 * np.var(before.astype(float) / scale, axis=0).sum())
    assert metrics.mse(before, after) == pytest.approx(np.square(apart).mean(), rel=1e-6)
    assert metrics.explained_variance(before, after) == pytest.approx(share, rel=1e-6)
    labels = [0, 1, 1, 1]
    assert metrics.knn_accuracy(before, labels, before, labels, n_neighbors=1) == 1
    assert metrics.linear_probe_accuracy(before, labels, before, labels) == 1
    assert metrics.clustering_nmi(before, labels) == pytest.approx(1)
    trust = metrics.trustworthiness(before.astype(float), before.astype(float), n_neighbors=1)
    assert metrics.trustworthiness(before, before, n_neighbors=1) == trust


def ssim_by_scipy(one, other, data_range=1.0):
    """Wang et al. 2004, equation 13, with borders mirrored; the window is cut at 3.5 standard deviations, 11 pixels wide."""

    def local(picture):
        return gaussian_filter(picture, 1.5, truncate=3.5, mode="mirror")

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean, mean2 = local(one), local(other)
    var, var2 = local(one**2) - mean**2, local(other**2) - mean2**2
    covariance = local(one * other) - mean * mean2
    index = (2 * mean * mean2 + c1) * (2 * covariance + c2) / ((mean**2 + mean2**2 + c1) * (var + var2 + c2))
    return index.mean()


@pytest.mark.parametrize("shape", [(28, 28), (6, 9)])
def test_ssim_is_the_formula(shape):
    one, other = RNG.random((2, *shape))
    assert metrics.ssim([one], [other]) == pytest.approx(ssim_by_scipy(one, other), abs=1e-5)
    assert metrics.ssim([255 * one], [255 * other], data_range=255) == pytest.approx(ssim_by_scipy(one, other), abs=1e-5)


def test_ssim_is_the_mean_over_images_and_channels():
    before, after = RNG.random((2, 300, 8, 8))  # more than one chunk
    each = [ssim_by_scipy(one, other) for one, other in zip(before, after, strict=True)]
    assert metrics.ssim(before, after) == pytest.approx(np.mean(each), abs=1e-5)
    colours, faded = (np.stack(images[:3], axis=-1)[None] for images in (before, after))
    assert metrics.ssim(colours, faded) == pytest.approx(np.mean(each[:3]), abs=1e-5)


def test_ssim_of_the_same_images_is_one():
    images = RNG.integers(0, 256, (3, 12, 12), dtype=np.uint8)
    assert metrics.ssim(images, images) == pytest.approx(1)


def test_explained_variance_of_pca_is_its_explained_variance_ratio():
    X = RNG.normal(size=(50, 6)) @ RNG.normal(size=(6, 6)) + 100
    pca = PCA(3).fit(X)
    survived = metrics.explained_variance(X, pca.inverse_transform(pca.transform(X)))
    assert survived == pytest.approx(pca.explained_variance_ratio_.sum())


def test_explained_variance_by_hand():
    X = np.array([[0.0, 1.0], [2.0, 1.0]])
    assert metrics.explained_variance(X, X) == 1
    assert metrics.explained_variance(X, X.mean(0) + np.zeros_like(X)) == 0
    assert metrics.explained_variance(X, X + np.array([0, 1])) == 0
    assert metrics.explained_variance(X, X + 2) == 1 - 16 / 2
    assert math.isnan(metrics.explained_variance(np.full((3, 1), 0.1), np.zeros((3, 1))))


def test_lists_of_pictures_are_measured_as_arrays_are():
    deep = np.random.default_rng(0).integers(0, 65536, (2, 9, 9), np.uint16)
    other = deep // 2 * 2
    for measure in (metrics.psnr, metrics.ssim):
        assert measure([*deep], [*other]) == measure(deep, other) == pytest.approx(measure(deep / 65535, other / 65535), rel=1e-6)
    mixed = [np.full((9, 9), 51, np.uint8), np.full((9, 9), 13107, np.uint16)]
    assert metrics.psnr(mixed, [np.full((9, 9), 0.3)] * 2) == pytest.approx(20)


@pytest.mark.parametrize("function", [metrics.mse, metrics.psnr, metrics.ssim, metrics.explained_variance])
def test_pictures_must_have_one_size(sentence, function):
    pictures = [np.zeros((8, 8)), np.zeros((8, 9))]
    assert sentence(hg.DataError, function, pictures, pictures) == (
        "All rows need one shape: row 0 has (8, 8), row 1 has (8, 9). Resize the images, or pad the rows, to one size."
    )


@pytest.mark.parametrize("function", [metrics.mse, metrics.psnr, metrics.ssim, metrics.explained_variance])
def test_shapes_must_agree(sentence, function):
    assert sentence(hg.DataError, function, np.zeros((2, 8, 8)), np.zeros((2, 64))) == (
        "A reconstruction has the shape of its data. X has (2, 8, 8), X2 has (2, 64)."
    )
    assert sentence(hg.DataError, function, np.zeros((0, 8, 8)), np.zeros((0, 8, 8))) == (
        "There is nothing to measure in arrays of shape (0, 8, 8). Give at least one row."
    )


@pytest.mark.parametrize("shape", [(2, 5, 9), (2, 9, 5, 3), (2, 64), (2, 9, 9, 3, 1)])
def test_ssim_needs_images(sentence, shape):
    assert sentence(hg.DataError, metrics.ssim, np.zeros(shape), np.zeros(shape)) == (
        "SSIM takes images (n, height, width) or (n, height, width, channels) of at least 6 pixels "
        f"on each side. Got an array of shape {shape}."
    )


# Codes


def trustworthiness_by_ranks(X, Z, k):
    """Venna and Kaski 2001: what neighbours of the codes that are none in the data cost, by their rank there."""
    n = len(X)
    ranks, near = (pairwise_distances(points).argsort(1) for points in (X, Z))
    cost = 0
    for i in range(n):
        rank = {j: place for place, j in enumerate(ranks[i])}  # the point itself has rank 0
        cost += sum(max(rank[j] - k, 0) for j in near[i, 1 : k + 1])
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * cost


def test_trustworthiness_is_its_definition():
    X, Z = RNG.normal(size=(30, 5)), RNG.normal(size=(30, 2))
    assert metrics.trustworthiness(X, Z, n_neighbors=4) == pytest.approx(trustworthiness_by_ranks(X, Z, 4))
    assert metrics.trustworthiness(X.reshape(30, 5, 1), 3 * X) == 1


def test_knn_accuracy_by_hand():
    train, labels = [[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"]
    assert metrics.knn_accuracy(train, labels, [[0.4], [10.6], [1.2]], ["a", "b", "b"], n_neighbors=1) == pytest.approx(2 / 3)
    assert metrics.knn_accuracy(train, labels, [[4.0]], ["a"], n_neighbors=3) == 1


def test_a_linear_probe_does_not_mind_units():
    Z = RNG.normal(size=(200, 2))
    y = Z[:, 0] + Z[:, 1] > 0
    assert metrics.linear_probe_accuracy(Z[:100], y[:100], Z[100:], y[100:]) > 0.95
    tiny = Z * [1e-4, 1]
    assert metrics.linear_probe_accuracy(tiny[:100], y[:100], tiny[100:], y[100:]) == metrics.linear_probe_accuracy(
        Z[:100], y[:100], Z[100:], y[100:]
    )


def test_clustering_nmi_of_known_groups():
    Z = np.repeat([[0.0], [100.0], [200.0]], 10, axis=0) + RNG.normal(size=(30, 1))
    assert metrics.clustering_nmi(Z, np.repeat(["c", "a", "b"], 10)) == pytest.approx(1)
    assert metrics.clustering_nmi(Z[:20], np.tile([0, 1], 10)) == pytest.approx(0, abs=1e-9)


# Of a fitted model


def test_images_are_measured_in_pixels_from_0_to_1(images):
    before, after = images.X_test / 255, images.model.reconstruct(images.X_test) / 255
    assert metrics.reconstruction(images.model, images.X_test) == pytest.approx(
        {
            "mse": np.mean((before - after) ** 2),
            "explained_variance": 1 - np.sum((before - after) ** 2) / np.sum((before - before.mean(0)) ** 2),
            "psnr": -10 * np.log10(np.mean((before - after) ** 2)),
            "ssim": np.mean([ssim_by_scipy(one, other) for one, other in zip(before, after, strict=True)]),
        },
        rel=1e-4,
    )
    assert (
        metrics.survival(images.model, images.X_test) == metrics.reconstruction(images.model, images.X_test)["explained_variance"]
    )


def test_tables_are_measured_in_standard_deviations(table):
    X = table.X_test.to_numpy()
    scale = table.X.to_numpy().std(0)
    wrong = (X - table.model.reconstruct(table.X_test).to_numpy()) / scale
    assert metrics.reconstruction(table.model, table.X_test) == pytest.approx(
        {"mse": np.mean(wrong**2), "explained_variance": 1 - np.sum(wrong**2) / np.sum(((X - X.mean(0)) / scale) ** 2)}
    )


def test_what_is_missing_in_series_has_no_error():
    beats = np.sin(np.arange(40) / 4 + np.random.default_rng(1).uniform(0, 6, (60, 1)))
    gaps = beats.copy()
    gaps[3, 5] = np.nan
    model = hg.Autoencoder(2, kind="series", max_epochs=2, random_state=0).fit(gaps)
    before, after = metrics.before_and_after(model, gaps)
    assert before[3, 5] == after[3, 5]
    assert metrics.reconstruction(model, gaps)["mse"] == pytest.approx(np.mean((before - after) ** 2))


def test_rows_of_differing_length_are_measured_as_far_as_they_go():
    rows = [np.sin(np.arange(30 + number % 5) / 4 + number) for number in range(50)]
    model = hg.Autoencoder(2, kind="series", max_epochs=2, random_state=0).fit(rows)
    before, after = metrics.before_and_after(model, rows)
    assert before.shape == after.shape == (50, 34)
    np.testing.assert_array_equal(before[0, 30:], after[0, 30:])
    assert 0 < metrics.mse(before, after) < 5


def test_scaled_is_what_the_networks_see(images, table):
    standard = (table.X_test - table.X.mean()) / table.X.std(ddof=0)
    np.testing.assert_allclose(metrics.scaled(table.model, table.X_test), standard)
    before, after = metrics.before_and_after(images.model, images.X_test)
    np.testing.assert_allclose(before, images.X_test / 255, atol=1e-7)
    assert after.shape == before.shape == (60, 14, 14)


def test_small_images_have_no_ssim():
    tiny = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(RNG.random((20, 5, 5)))
    assert list(metrics.reconstruction(tiny, RNG.random((3, 5, 5)))) == ["mse", "explained_variance", "psnr"]


def test_codes_are_measured_by_all_functions(images, monkeypatch):
    y = hg.datasets.load("digits").y_train[:400]
    Z, Z_test = images.model.transform(images.X), images.model.transform(images.X_test)
    found = metrics.codes(images.model, images.X, y, images.X_test, images.y_test)
    assert found == {
        "trustworthiness": metrics.trustworthiness(images.X_test, Z_test),
        "knn_accuracy": metrics.knn_accuracy(Z, y, Z_test, images.y_test),
        "linear_probe_accuracy": metrics.linear_probe_accuracy(Z, y, Z_test, images.y_test),
        "clustering_nmi": metrics.clustering_nmi(Z_test, images.y_test),
    }
    monkeypatch.setattr("hourglass.analysis.metrics.MAX_NEIGHBOURHOOD", 20)
    some = metrics.codes(images.model, images.X, y, images.X_test, images.y_test)["trustworthiness"]
    rows = spread(60, 20)
    assert some == metrics.trustworthiness(images.X_test[rows], Z_test[rows])


def test_data_of_another_shape_is_refused(sentence, images):
    assert sentence(hg.DataError, metrics.reconstruction, images.model, np.zeros((2, 9, 9), np.uint8)) == (
        "The model was fitted on images of shape (14, 14). Got an array of shape (2, 9, 9)."
    )


@pytest.mark.parametrize(("n", "most", "rows"), [(3, 10, [0, 1, 2]), (10, 4, [0, 3, 6, 9]), (1, 5, [0]), (7, 2, [0, 6])])
def test_rows_are_spread_evenly(n, most, rows):
    assert spread(n, most).tolist() == rows


def test_every_public_metric_is_documented():
    assert all(getattr(metrics, name).__doc__ for name in metrics.__all__)
    assert metrics.__all__ == sorted(metrics.__all__)
