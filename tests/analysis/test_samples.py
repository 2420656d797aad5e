from itertools import combinations

import numpy as np
import polars as pl
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.exceptions import NotFittedError

import hourglass as hg
from hourglass.analysis.metrics import total_variation
from hourglass.analysis.samples import classifier, density_coverage, frechet_distance, precision_recall
from hourglass.analysis.synthetic import column_shapes, pair_correlations, trained_on_synthetic
from hourglass.errors import DataError, ParameterError

RNG = np.random.default_rng(0)
DIGITS = hg.datasets.load("digits")
X, T = DIGITS.x_train[:400, ::2, ::2], DIGITS.x_test[:150, ::2, ::2]


def whitened(n, mean, covariance):
    """Rows whose mean and covariance are exactly these."""
    rows = RNG.normal(size=(n, len(mean)))
    rows -= rows.mean(0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return rows @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_two_known_normal_distributions():
    first, second = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.3], [-0.3, 3.0]])
    piles = whitened(60, np.zeros(2), first), whitened(40, np.array([3.0, 4.0]), second)
    expected = 25 + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(*piles) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(*reversed(piles)) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_by_hand():
    diagonal = whitened(50, np.zeros(3), np.diag([1.0, 4.0, 9.0])), whitened(50, np.ones(3), np.diag([4.0, 4.0, 1.0]))
    assert frechet_distance(*diagonal) == pytest.approx(3 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet_distance(diagonal[0], diagonal[0]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("features", [6, 40, 50])
def test_frechet_distance_is_the_same_by_the_root_of_the_product(features):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(41, features)), rng.normal(1, 2, size=(30, features))
    roots = np.emath.sqrt(np.linalg.eigvals(np.cov(first.T) @ np.cov(second.T))).real
    expected = np.square(first.mean(0) - second.mean(0)).sum() + first.var(0, ddof=1).sum() + second.var(0, ddof=1).sum()
    assert frechet_distance(first, second) == pytest.approx(expected - 2 * roots.sum(), rel=1e-6)


def test_frechet_distance_of_fewer_rows_than_features():
    rows = RNG.normal(size=(5, 20))
    assert frechet_distance(rows, rows + 1) == pytest.approx(20)


def test_precision_and_recall_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])  # to the nearest other: 1, 1, 1, 8
    samples = np.array([[0.5], [1.5], [30.0]])  # to the nearest other: 1, 1, 28.5
    found = precision_recall(real, samples, n_neighbors=1)
    assert found == (2 / 3, 1.0)  # 30 lies nowhere; the ball of 30 reaches down to 1.5, those of the others to 0 and 1 and 2
    assert precision_recall(real, np.array([[100.0], [100.5]]), n_neighbors=1) == (0.0, 0.0)


def test_density_and_coverage_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    samples = np.array([[0.5], [1.5], [30.0]])
    found = density_coverage(real, samples, n_neighbors=1)
    assert found.density == pytest.approx((2 + 2) / 3)  # 0.5 is near 0 and 1, 1.5 near 1 and 2; 10 has 2 at 8, and 1.5 at 8.5
    assert found.coverage == 3 / 4


def brute(real, samples, k):
    def radius(pile, i):
        return sorted(np.linalg.norm(pile[i] - other) for j, other in enumerate(pile) if j != i)[k - 1]

    near = [[np.linalg.norm(r - s) <= radius(real, i) for s in samples] for i, r in enumerate(real)]
    back = [[np.linalg.norm(r - s) <= radius(samples, j) for j, s in enumerate(samples)] for r in real]
    return np.any(near, 0).mean(), np.any(back, 1).mean(), np.sum(near) / (k * len(samples)), np.any(near, 1).mean()


def test_all_of_them_by_brute_force():
    real, samples = RNG.normal(size=(30, 3)), 1.3 * RNG.normal(size=(25, 3)) + 0.5
    mine = *precision_recall(real, samples, n_neighbors=4), *density_coverage(real, samples, n_neighbors=4)
    np.testing.assert_allclose(mine, brute(real, samples, 4))


def test_piles_that_do_not_go_together():
    with pytest.raises(
        DataError, match=r"^Features are arrays \(n, features\), as many of both piles. Got \(3, 2\) and \(3, 1\).$"
    ):
        frechet_distance(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(DataError, match=r"^Each pile needs 4 rows or more. Got arrays of shape \(3, 2\) and \(9, 2\).$"):
        precision_recall(np.zeros((3, 2)), np.zeros((9, 2)))
    with pytest.raises(
        DataError, match=r"^Features are finite numbers, and some are NaN or infinite\. Leave those rows out, or fill"
    ):
        frechet_distance(np.zeros((3, 2)), np.array([[0, 1], [2, np.nan]]))
    for few in (0, 2.5):
        with pytest.raises(ParameterError, match=rf"^The 'n_neighbors' must be a positive int\. Got {few} instead\.$"):
            density_coverage(np.zeros((9, 2)), np.zeros((9, 2)), n_neighbors=few)


def test_a_pile_is_at_no_distance_from_itself():
    piles = [RNG.normal(size=(50, 4)) for _ in range(20)]
    assert all(0 <= frechet_distance(pile, pile) < 1e-12 for pile in piles)


def test_what_is_no_table_has_no_target(sentence):
    said = sentence(ParameterError, hg.quality, X[:20], X, T, target="label")
    assert said == "The 'target' is a column of a table, and these are 14 x 14 grey images. Leave it out."


@pytest.fixture(scope="module")
def judge():
    return classifier(X, DIGITS.y_train[:400], T, DIGITS.y_test[:150])


def test_training_rows_are_better_samples_than_noise(judge):
    noise = RNG.integers(0, 256, X[:150].shape, dtype=np.uint8)
    found = hg.quality(noise, X, T, features=judge)
    assert found.frame["measure"].to_list() == [
        "frechet distance", "precision", "recall", "density", "coverage", "distance to training rows", "copies",
    ]  # fmt: skip
    real = dict(zip(found.frame["measure"], found.frame["real"], strict=True))
    assert found["frechet distance"] > 5 * real["frechet distance"]
    assert found["precision"] < 0.1 < 0.5 < real["precision"]
    assert found["coverage"] < 0.1 < 0.5 < real["coverage"]
    assert found["copies"] == 0
    assert judge.of(T).shape == (150, 64)
    assert str(found).endswith("Features: " + judge.name + ".")
    assert "trained on 400 labelled rows" in judge.name


def test_copies_are_found(judge):
    found = hg.quality(X[:50], X, T, features=judge)
    assert found["copies"] == 1
    assert found["distance to training rows"] == pytest.approx(0, abs=1e-6)


def test_copies_are_found_where_held_out_rows_are_known_too():
    rows = 10 + 3 * np.random.default_rng(0).normal(size=(300, 20))
    found = hg.quality(np.concatenate([rows[:50], rows[:50] + 1e-5]), rows[:200], np.concatenate([rows[200:295], rows[:5]]))
    assert found["copies"] == 0.5
    assert dict(zip(found.frame["measure"], found.frame["real"], strict=True))["copies"] == 0.05


def test_samples_of_a_model_over_the_codes_of_another(images):
    vae = hg.VariationalAutoencoder(4, hidden=(32,), max_epochs=3, random_state=0).fit(X)
    found = hg.quality(vae, X, T, features=images.model)
    assert found.features.name.startswith("the codes of Autoencoder(bottleneck=8,")
    assert found.frame.equals(hg.quality(vae, X, T, features=images.model).frame)
    drawn = images.model.transform(vae.sample(150, random_state=0))
    assert found["frechet distance"] == pytest.approx(frechet_distance(images.model.transform(T), drawn), rel=1e-5)


def test_rows_are_of_the_kind_of_the_model_that_draws_them():
    rows = [np.sin(np.arange(n) / 3) + 0.1 * RNG.normal(size=n) for n in [16] * 20 + [12] * 20]
    vae = hg.VariationalAutoencoder(2, kind="series", max_epochs=1, random_state=0).fit(rows[:30])
    known, unseen = (vae._seen(some).flatten(1).nan_to_num(0).double() for some in (rows[:30], rows[30:]))
    found = hg.quality(vae, rows[:30], rows[30:])
    real = dict(zip(found.frame["measure"], found.frame["real"], strict=True))
    assert real["distance to training rows"] == pytest.approx(float(np.median(torch.cdist(unseen, known).amin(1))), rel=1e-5)
    assert hg.quality(vae, rows[:30], rows[30:], y_train=np.arange(30) % 2)["recall"] >= 0


def test_features_of_another_sort_are_refused():
    with pytest.raises(ParameterError, match=r"^Give labels to train a classifier on, or features, not both.$"):
        hg.quality(X, X, T, y_train=DIGITS.y_train[:400], features=classifier(X[:60], DIGITS.y_train[:60]))
    with pytest.raises(ParameterError, match=r"^The 'features' are what classifier\(\) gave, or a fitted autoencoder. Got str.$"):
        hg.quality(X, X, T, features="classifier")


def test_a_model_that_needs_a_condition_is_refused_before_anything_is_drawn():
    told = hg.VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(X[:60], condition=DIGITS.y_train[:60])
    cause = "quality can't tell a model that was fitted with a condition what it needs. Give "
    with pytest.raises(ParameterError) as error:
        hg.quality(told, X, T)
    assert str(error.value) == cause + "its samples, as of model.sample(n, condition=...)."
    with pytest.raises(ParameterError) as error:
        hg.quality(X, X, T, features=told)
    assert str(error.value) == cause + "another."


def test_a_classifier_of_a_label_that_comes_once():
    rows, labels = X[:60], (np.arange(60) == 7).astype(int)
    found = classifier(rows, labels, rows, labels)
    assert found.of(T).shape == (150, 64) and "trained on 60 labelled rows" in found.name
    assert hg.quality(T[:20], rows, T, y_train=labels)["recall"] >= 0
    assert classifier(rows[:8], np.arange(8) % 2).of(T).shape == (150, 64)


def test_a_classifier_needs_a_label_for_each_row():
    with pytest.raises(hg.DataError, match=r"^Labels are one a row, so 60 of them. Got an array of shape \(59,\).$"):
        classifier(X[:60], np.arange(59) % 2)


def test_models_that_are_not_fitted_have_no_quality():
    for samples, features in ((hg.VariationalAutoencoder(), None), (X, hg.Autoencoder())):
        with pytest.raises(NotFittedError):
            hg.quality(samples, X, T, features=features)


# Tables


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    size = rng.normal(170, 10, 400)
    return pl.DataFrame(
        {
            "size": size,
            "weight": size - 100 + rng.normal(0, 5, 400),
            "hair": rng.choice(["brown", "black", "red"], 400, p=[0.5, 0.4, 0.1]),
            "tall": np.where(size + rng.normal(0, 2, 400) > 172, "yes", "no"),
        }
    )


def test_column_shapes_by_hand(people):
    other = people.with_columns(size=pl.col("size") + 1000, hair=pl.lit("red"))
    found = dict(column_shapes(people, other).select("column", "likeness").iter_rows())
    share = (people["hair"] == "red").mean()
    assert found == pytest.approx({"size": 0, "weight": 1, "hair": share, "tall": 1})


def test_missing_cells_and_dates():
    first = pl.DataFrame({"day": ["2024-01-01", "2024-01-02", "2024-01-03", None] * 10, "x": [1.0, None, 2.0, 3.0] * 10})
    assert column_shapes(first, first)["likeness"].to_list() == [1, 1]


def test_pair_correlations_by_hand(people):
    unrelated = people.with_columns(weight=pl.col("weight").shuffle(seed=0))
    real, broken = (np.corrcoef(frame["size"], frame["weight"])[0, 1] for frame in (people, unrelated))
    assert pair_correlations(people[["size", "weight"]], unrelated[["size", "weight"]]) == pytest.approx(1 - abs(real - broken) / 2)
    assert pair_correlations(people, people) == pytest.approx(1)
    levels = people[["hair", "tall"]]
    swapped = levels.with_columns(tall=pl.lit("yes"))
    pairs = [frame.select(pl.concat_str("hair", "tall")).to_series().value_counts(normalize=True) for frame in (levels, swapped)]
    joined = pairs[0].join(pairs[1], on="hair", how="full", coalesce=True).fill_null(0)
    expected = 1 - (joined["proportion"] - joined["proportion_right"]).abs().sum() / 2
    assert pair_correlations(levels, swapped) == pytest.approx(expected)


def test_pair_correlations_are_those_of_each_pair_alone():
    rng = np.random.default_rng(0)
    numbers = [rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 1e6 for _ in range(2)]
    for each in numbers:
        each[rng.random(each.shape) < 0.2] = np.nan
    tables = [pl.DataFrame(each, schema=list("abcd")).fill_nan(None) for each in numbers]
    tables = [table.with_columns(**{name: pl.Series(rng.choice(["u", "v", "w"], 200)) for name in "xyz"}) for table in tables]
    apart = []
    for first, second in combinations("abcd", 2):
        pairs = [table.select(first, second).drop_nulls() for table in tables]
        apart.append(abs(np.subtract(*(np.corrcoef(pair.to_numpy().T)[0, 1] for pair in pairs))) / 2)
    for first, second in combinations("xyz", 2):
        apart.append(total_variation(*(table.select(first, second).rows() for table in tables)))
    assert pair_correlations(*tables) == pytest.approx(1 - np.mean(apart), abs=1e-9)


def test_a_column_of_many_numbers_is_foretold_by_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1200)
    table = pl.DataFrame({"x": x, "y": 3 * x + rng.normal(size=1200), "few": (x * 2).round().astype(int)})
    train, test = table[:600], table[600:]
    assert trained_on_synthetic(train, test, "y") == pytest.approx(0.9, abs=0.05)  # of the variance, 9 in 10 are of x
    shuffled = train.with_columns(y=train["y"].shuffle(seed=0))
    assert trained_on_synthetic(shuffled, test, "y") < 0.1
    assert trained_on_synthetic(train.with_columns(y=pl.lit(None, pl.Float64)), test, "y") == 0
    assert trained_on_synthetic(train, test, "few") > 0.9  # of classes, the area under the curve
    names = [hg.quality(train, train, test, target=target).frame["measure"][-1] for target in ("y", "few")]
    assert names == ["trained on it, R²", "trained on it, AUROC"]


def test_pair_correlations_of_columns_with_gaps(people):
    whole = people[["size", "weight"]].with_columns(constant=pl.lit(0.1))
    gaps = whole.with_columns(weight=pl.when(pl.col("size") < 170).then("weight"))  # told of the small ones alone
    real, other = (np.corrcoef(frame["size"], frame["weight"])[0, 1] for frame in (whole, gaps.drop_nulls()))
    expected = np.mean([1 - abs(real - other) / 2, 1, 1])
    assert pair_correlations(whole, gaps) == pytest.approx(expected, abs=1e-12)
    assert pair_correlations(whole, whole.with_columns(weight=pl.lit(None, pl.Float64))) == pytest.approx((3 - real / 2) / 3)


def test_what_a_classifier_learns(people):
    train, test = people[:300], people[300:]
    assert trained_on_synthetic(train, test, "tall") > 0.9
    assert trained_on_synthetic(train.with_columns(tall=pl.lit("no")), test, "tall") == 0.5
    flipped = train.with_columns(tall=pl.when(pl.col("tall") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")))
    assert trained_on_synthetic(flipped, test, "tall") < 0.1
    with pytest.raises(DataError, match=r"^There is no column 'tal' to foretell. Did you mean 'tall'\?$"):
        trained_on_synthetic(train, test, "tal")
    with pytest.raises(DataError) as error:
        trained_on_synthetic(train[["tall"]], test[["tall"]], "tall")
    assert str(error.value) == (
        "There is no column to foretell 'tall' from: all others are left out. Give more columns, or no target."
    )


def test_quality_of_a_table(people):
    train, test = people[:300], people[300:]
    found = hg.quality(train.sample(100, seed=0), train, test, target="tall")
    assert found.frame["measure"].to_list()[-3:] == ["column shapes", "pair correlations", "trained on it, AUROC"]
    assert found["column shapes"] > 0.85
    assert found.columns["column"].to_list() == ["size", "weight", "hair", "tall"]
    assert found.features.name == "the rows themselves, scaled"


@pytest.mark.parametrize("convert", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_quality_of_a_table_of_which_a_model_leaves_columns_out(people, convert):
    people = people.with_columns((pl.col("size") // 10).cast(pl.Int8), note=pl.int_range(400).cast(pl.String) + " is a long remark")
    train, test = convert(people[:300]), convert(people[300:])
    asked = {"note": "left out", "weight": "left out", "size": "categorical"}
    vae = hg.VariationalAutoencoder(2, columns=asked, max_epochs=1, random_state=0).fit(train)
    found = hg.quality(vae, train, test, target="tall")
    assert found.columns["column"].to_list() == ["size", "hair", "tall"]
    assert found.columns["measure"][0] == "1 - total variation"  # as the model has it
    with pytest.warns(hg.HourglassWarning) as caught:
        same = hg.quality(vae.sample(len(test), random_state=0), train, test, target="tall")
    assert {str(warning.message) for warning in caught} == {"The samples lack columns of X_train, which are not looked at: weight."}
    assert same.columns["column"].to_list() == ["size", "hair", "tall"]
    with pytest.raises(DataError, match="There is no column 'weight' to foretell"):
        hg.quality(vae, train, test, target="weight")


def test_tables_are_compared_as_they_are_taken_for():
    text = pl.DataFrame({"size": ["1", "2", "3", "4"], "day": ["01.02.2020", "05.02.2020", "09.03.2020", "11.03.2020"]})
    numbers = text.with_columns(pl.col("size").cast(pl.Float64))
    assert column_shapes(text, text)["measure"].to_list() == ["1 - Kolmogorov-Smirnov"] * 2
    assert column_shapes(text, text)["likeness"].to_list() == [1, 1]
    assert column_shapes(numbers, text)["likeness"].to_list() == [1, 1]
    with pytest.raises(DataError, match=r"The tables need the same columns. The second has no 'day'"):
        column_shapes(text, text.drop("day").with_columns(other=pl.lit(1), more=pl.lit(2)))


def test_a_class_that_was_never_drawn_is_told_from_no_other():
    chance = np.random.default_rng(0)

    def table(classes):
        which = np.arange(300) % classes
        return pl.DataFrame({"x": which + 0.1 * chance.normal(size=300), "kind": np.array(["a", "b", "c"])[which]})

    found = trained_on_synthetic(table(2), table(3), "kind")
    assert found < 0.9
    assert trained_on_synthetic(table(3), table(3), "kind") == pytest.approx(1, abs=0.01)
