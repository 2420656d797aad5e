"""The autoencoder with a space to sample from, and what every autoencoder with codes can draw."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

import hourglass as hg
from hourglass.estimators import conditions, samplers

DIGITS = hg.datasets.load("digits")
X = DIGITS.x_train[:400]
CHANCE = np.random.default_rng(0)
ROWS = CHANCE.normal(size=(600, 3)) @ CHANCE.normal(size=(3, 6)) + 0.3 * CHANCE.normal(size=(600, 6))
SETTINGS = {"batch_size": 64, "random_state": 0}


@pytest.fixture(scope="module")
def linear():
    """One map each way and a learned variance: probabilistic PCA, to be found by training."""
    line = hg.Dense(hidden=(), residual=False)
    settings = {"max_epochs": 150, "optimizer": "adam", "learning_rate": 0.02, "validation_fraction": 0}
    parts = {"encoder": line, "decoder": line, "likelihood": hg.Gaussian("shared")}
    return hg.VariationalAutoencoder(3, **parts, **settings, **SETTINGS).fit(ROWS)


@pytest.fixture(scope="module")
def digits():
    return hg.VariationalAutoencoder(8, max_epochs=6, random_state=0).fit(X)


def scaled(model):
    return (ROWS - ROWS.mean(0)) / ROWS.std(0)


def exact(model, x):
    """The log-likelihood of a linear model in closed form: x ~ N(b, W Wᵀ + σ²)."""
    weight, bias = (each.detach().double().numpy() for each in model.decoder_[0].parameters())
    variance = math.exp(model.model_.likelihood.log_variance.item())
    return multivariate_normal(bias, weight @ weight.T + variance * np.eye(6)).logpdf(x)


def test_a_linear_model_reaches_probabilistic_pca(linear):
    best = PCA(3).fit(scaled(linear)).score(scaled(linear))
    assert exact(linear, scaled(linear)).mean() == pytest.approx(best, rel=0.005)


def test_the_default_starts_there_already():
    model = hg.VariationalAutoencoder(3, likelihood=hg.Gaussian("shared"), max_epochs=1, learning_rate=1e-9, random_state=0).fit(
        ROWS
    )
    found = model.log_likelihood(ROWS, 500, random_state=0).mean
    assert found == pytest.approx(PCA(3).fit(scaled(model)).score(scaled(model)), rel=0.02)


def test_log_likelihood_agrees_with_the_closed_form_within_its_error(linear):
    found = linear.log_likelihood(ROWS, 400, random_state=1)
    truth = exact(linear, scaled(linear))
    assert abs(found.mean - truth.mean()) < 4 * found.error_of_mean
    apart = (found.nats - truth) / found.standard_error
    assert 0.8 < apart.std() < 1.25
    assert found.error_of_mean == pytest.approx(np.sqrt((found.standard_error**2).sum()) / 600)


def test_the_bound_tightens_with_samples_and_elbo_is_below(linear):
    one, few, many = (linear.log_likelihood(ROWS, k, random_state=0).mean for k in (1, 4, 64))
    assert one < few < many
    assert linear.elbo(ROWS, n_samples=20, random_state=0).elbo.mean() == pytest.approx(one, abs=0.1)


def test_bits_of_a_table_are_counted_by_column():
    table = pl.DataFrame({"id": [f"C-{i}" for i in range(60)], "x": np.arange(60.0) % 7, "town": ["a", "b", "c"] * 20})
    model = hg.VariationalAutoencoder(1, columns={"id": "identifier"}, max_epochs=1, random_state=0).fit(table)
    bound = model.elbo(table, random_state=0)
    np.testing.assert_allclose(bound.bits, -bound.elbo / math.log(2) / 2, rtol=1e-6)  # x and town, not the three levels of that


def test_the_bound_is_its_two_parts(digits):
    bound, encoded = digits.elbo(X, random_state=0), digits.encode(X, random_state=0)
    np.testing.assert_allclose(bound.elbo, bound.reconstruction - bound.kl, rtol=1e-5)
    np.testing.assert_allclose(bound.kl, encoded.kl, rtol=1e-5)
    np.testing.assert_allclose(bound.bits, -bound.elbo / math.log(2) / 784, rtol=1e-5)
    closed = 0.5 * (encoded.std**2 + encoded.mean**2 - 1 - 2 * np.log(encoded.std)).sum(1)
    np.testing.assert_allclose(encoded.kl, closed, rtol=1e-3)
    np.testing.assert_allclose(encoded.mean, digits.transform(X), rtol=1e-5)
    apart = (encoded.sample - encoded.mean) / encoded.std
    assert abs(apart.mean()) < 0.05 and apart.std() == pytest.approx(1, abs=0.05)


def test_the_score_is_the_bound_whatever_a_nat_of_divergence_costs(linear, digits):
    assert linear.score(ROWS) == pytest.approx(exact(linear, scaled(linear)).mean(), rel=0.02)
    assert digits.score(X) == pytest.approx(digits.elbo(X, random_state=0).elbo.mean(), rel=1e-5)
    model = hg.VariationalAutoencoder(hg.Variational(2), likelihood=hg.Gaussian("shared"), max_epochs=20, **SETTINGS)
    search = GridSearchCV(model, {"bottleneck__beta": [0.01, 1.0, 3.0]}, cv=2).fit(ROWS)
    assert search.best_params_ == {"bottleneck__beta": 1.0}
    plain = hg.VariationalAutoencoder(hg.Plain(2), max_epochs=1, **SETTINGS).fit(ROWS)
    assert plain.score(ROWS) == pytest.approx(plain.score_samples(ROWS).mean())


def test_the_same_seed_gives_the_same_samples(digits):
    one, again, other = (digits.sample(5, random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == (5, 28, 28) and one.dtype == np.uint8
    assert digits.sample(random_state=0).shape == (1, 28, 28)


def test_ways_begin_and_end_where_they_should(digits):
    a, b, c = X[0], X[1], X[2]
    rebuilt = digits.reconstruct(X[:3])
    for path in ("straight", "spherical"):
        way = digits.interpolate(a, b, steps=5, path=path)
        np.testing.assert_allclose(way[[0, -1]].astype(int), rebuilt[:2].astype(int), atol=1)
    assert digits.interpolate(X[:3], steps=4).shape == (7, 28, 28)
    np.testing.assert_allclose(digits.interpolate(a, np.stack([b, c]), steps=4)[3].astype(int), rebuilt[1].astype(int), atol=1)
    middle = digits.transform(np.stack([a, b])).mean(0, keepdims=True)
    halfway = digits.interpolate(a, b, steps=3)[1].astype(int)
    np.testing.assert_allclose(halfway, digits.inverse_transform(middle)[0].astype(int), atol=1)


def test_one_code_moves_and_the_others_stay(digits):
    moved = digits.traverse(2, X[0], steps=5, reach=2)
    code = np.repeat(digits.transform(X[:1]), 5, 0)
    code[:, 2] = np.linspace(-2, 2, 5)
    np.testing.assert_allclose(moved.astype(int), digits.inverse_transform(code).astype(int), atol=1)
    assert digits.traverse(0).shape == (8, 28, 28)
    with pytest.raises(
        hg.ParameterError, match=r"(?s)must be one of 8 codes, 0 to 7\. Got array.{9,99} instead\.$"
    ):  # what came is cut short
        digits.traverse(X[:5])
    for reach in ("3", float("nan"), None):
        with pytest.raises(hg.ParameterError, match=rf"^The 'reach' must be a float\. Got {reach!r} instead\.$"):
            digits.traverse(0, reach=reach)


@pytest.mark.parametrize("strange", ["a", 1.5, [1, 2]])
def test_what_is_no_seed_is_refused(digits, strange):
    for ask in (digits.sample, digits.fit_sampler, digits.elbo):
        with pytest.raises(hg.ParameterError) as caught:
            ask(*[X[:5]] * (ask != digits.sample), random_state=strange)
        assert str(caught.value) == (
            f"The 'random_state' must be an int, a RandomState, a Generator or None. Got {strange!r} instead."
        )


def test_single_rows_of_series_and_of_a_record_are_rows():
    waves = [np.sin(np.arange(n) / 3).astype(np.float32) for n in (30, 40, 35, 40, 33, 40, 36, 40, 31, 40)]
    ragged = hg.VariationalAutoencoder(2, kind="series", max_epochs=1, random_state=0).fit(waves)
    assert [row.shape for row in ragged.interpolate(waves[0], waves[1], steps=3)] == [(40,)] * 3
    long = np.sin(np.arange(600) / 3).astype(np.float32)
    model = hg.VariationalAutoencoder(2, kind=hg.Series(window=40), max_epochs=1, random_state=0).fit(hg.Record(long))
    ways = [model.traverse(0, window, steps=3).values for window in (long[:40], hg.Record(long[:40]))]
    np.testing.assert_array_equal(*ways)


def test_windows_that_were_drawn_are_not_blended_with_one_another():
    long = np.column_stack([np.sin(np.arange(600) / 3), np.cos(np.arange(600) / 3)])
    kind = hg.Series(window=40, stride=10)
    model = hg.VariationalAutoencoder(2, kind=kind, max_epochs=1, random_state=0).fit(hg.Record(long, 50, names=["a", "b"]))
    drawn = model.sample(5, random_state=0)
    assert (drawn.shape, drawn.rate, drawn.names) == ((200, 2), 50, ("a", "b"))
    code = model.transform(hg.Record(long[:40], 50, names=["a", "b"]))
    way = model.traverse(0, long[:40], steps=2, reach=1).values.reshape(2, 40, 2)
    for window, value in zip(way, (-1, 1), strict=True):
        code[0, 0] = value
        np.testing.assert_allclose(window, model.inverse_transform(code, like=hg.Record(long[:40], 50)).values, atol=1e-6)


def test_a_copy_is_told_from_what_is_new(digits):
    found = digits.nearest(np.concatenate([X[7:8], 255 - X[:1]]), X)
    assert found["row"][0] == 7 and found["distance"][0] == 0 and found["copy"].to_list() == [True, False]
    flat = X.reshape(len(X), -1) / 255
    apart = cdist(flat, flat) + 1e9 * np.eye(len(X))
    assert found["usual"][0] == pytest.approx(np.median(apart.min(1)), rel=1e-5)
    assert digits.nearest(X[:2], X[:1])["copy"].to_list() == [True, False]  # where there is no other one to compare with


def test_the_nearest_is_the_same_however_few_rows_are_looked_at_at_once(digits, monkeypatch):
    at_once = digits.nearest(X[40:60] // 2, X)
    monkeypatch.setattr("hourglass.estimators.fitted.rows_at_once", lambda *_: 7)
    a_few = digits.nearest(X[40:60] // 2, X)
    assert a_few["row"].to_list() == at_once["row"].to_list()
    np.testing.assert_allclose(a_few["distance"], at_once["distance"], rtol=1e-6)
    np.testing.assert_allclose(a_few["usual"], at_once["usual"], rtol=1e-6)
    assert a_few["copy"].to_list() == at_once["copy"].to_list()


def test_a_copy_is_one_where_rows_come_twice():
    twice = 10 + 3 * np.random.default_rng(0).normal(size=(200, 20))
    twice[:20] = twice[100:120]
    vae = hg.VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(twice)
    found = vae.nearest(np.concatenate([twice[:50], twice[:50] + 1e-5]), twice)
    assert found["distance"][:50].to_list() == [0] * 50
    assert found["copy"].to_list() == [True] * 50 + [False] * 50


# Conditions


@pytest.fixture(scope="module")
def by_class():
    labels = DIGITS.y_train[:1000].astype(str)
    return hg.VariationalAutoencoder(8, max_epochs=8, random_state=0).fit(DIGITS.x_train[:1000], condition=labels), labels


def test_samples_are_of_the_class_that_is_asked_for(by_class):
    from sklearn.linear_model import LogisticRegression

    model, labels = by_class
    judge = LogisticRegression(max_iter=200).fit(DIGITS.x_train[:1000].reshape(1000, -1) / 255, labels)
    for label in ("0", "1", "6"):
        drawn = model.sample(40, condition=label, random_state=0)
        assert (judge.predict(drawn.reshape(40, -1) / 255) == label).mean() > 0.7
    asked = np.array(["0", "1"] * 20)
    drawn = model.sample(40, condition=asked, random_state=0)
    assert (judge.predict(drawn.reshape(40, -1) / 255) == asked).mean() > 0.7


def test_conditions_are_columns_too_and_travel_with_the_file(by_class, tmp_path):
    model = hg.VariationalAutoencoder(2, max_epochs=2, **SETTINGS)
    beside = pl.DataFrame({"sort": ["a", "b"] * 300, "age": CHANCE.normal(size=600)})
    model.fit(ROWS, condition=beside)
    model.save(tmp_path / "m.safetensors")
    again = hg.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.transform(ROWS, beside), model.transform(ROWS, beside))
    np.testing.assert_array_equal(
        again.sample(3, condition=beside[:3], random_state=0), model.sample(3, condition=beside[:3], random_state=0)
    )
    assert not np.array_equal(model.transform(ROWS, beside), model.transform(ROWS, beside[0]))
    np.testing.assert_array_equal(by_class[0].log_likelihood(X[:3], 5, condition="3", random_state=0).nats.shape, (3,))


def test_what_is_masked_in_a_condition_is_missing():
    known = np.arange(600) % 3
    for masked, missing in (
        (np.ma.masked_equal(known, 2), [1 / 3]),
        (np.ma.masked_array(np.column_stack([known, known / 2]), np.column_stack([known == 2, known == 5])), [1 / 3, 0]),
    ):
        kind = conditions.learned(masked, 600)
        assert [column.missing for column in kind.columns] == pytest.approx(missing)
        np.testing.assert_array_equal(conditions.numbers(kind, masked, 600)[:, 0].isnan().numpy(), known == 2)
    assert conditions.learned(np.ma.masked_equal(known, 2), 600).columns[0].levels == ("0", "1", "other")


@pytest.mark.parametrize("labels", [["a", "b", None] * 20, [3, 4, None] * 20, [True, False, None] * 20])
def test_labels_among_which_some_are_missing_come_as_an_array_of_objects_too(labels):
    objects = np.array(labels, dtype=object)
    kind = conditions.learned(objects, 60)
    assert kind.columns[0].levels[:2] == conditions.learned(labels, 60).columns[0].levels[:2]
    told = conditions.numbers(kind, objects, 60)
    np.testing.assert_array_equal(told.isnan().any(1), [False, False, True] * 20)
    np.testing.assert_array_equal(told, conditions.numbers(kind, labels, 60))


def test_of_a_table_with_gaps_fewer_cells_are_hidden_than_elsewhere():
    rows = np.random.default_rng(0).normal(size=(60, 4))
    rows[::5, 1] = np.nan
    asked = {"hidden": (8,), "max_epochs": 1, "random_state": 0}
    assert hg.VariationalAutoencoder(2, **asked).fit(rows).model_.corruption == hg.Hide(0.2, rest=True)
    assert hg.VariationalAutoencoder(2, **asked).fit(rows[:, 2:]).model_.corruption is None
    assert hg.VariationalAutoencoder(2, corruption=hg.Mask(0.1), **asked).fit(rows).model_.corruption == hg.Mask(0.1)
    assert hg.Autoencoder(2, **asked).fit(rows).model_.corruption == hg.Hide(0.5, rest=True)


def test_a_row_of_columns_alone_is_the_condition_of_all_rows():
    kind = conditions.learned(np.eye(3)[np.arange(60) % 3], 60)
    for row in ([0, 1, 0], np.eye(3)[1], np.eye(3)[[1]]):
        np.testing.assert_array_equal(conditions.numbers(kind, row, 3), [[0, 1, 0]] * 3)
    with pytest.raises(hg.DataError, match="There are 4 rows and 2 conditions"):
        conditions.numbers(kind, [0, 1], 4)


def test_what_goes_wrong_with_conditions(by_class, digits, sentence):
    model, labels = by_class
    assert sentence(hg.ParameterError, model.sample, 3) == (
        "This VariationalAutoencoder was fitted with a condition (condition). Say condition=, one for each row or one for all."
    )
    assert sentence(hg.ParameterError, digits.transform, X, "3") == (
        "This VariationalAutoencoder was fitted without a condition, so it can't be given one. Fit it with condition=."
    )
    assert sentence(hg.DataError, model.transform, X, labels[:3]) == "There are 400 rows and 3 conditions. Give one for each row."
    assert sentence(hg.DataError, model.sample, 2, condition="12") == "The model knows no condition '12'. Did you mean '2'?"
    said = sentence(hg.ParameterError, lambda: model.fit_sampler(X, "mixture", condition=labels[:400]))
    assert said.endswith("and a condition can't be 'mixture'. Known: auto, prior.")
    vamp = hg.VariationalAutoencoder(hg.Variational(4, prior=hg.VampPrior(5)))
    assert sentence(hg.ParameterError, lambda: vamp.fit(X, condition=labels[:400])) == (
        "A VampPrior can't go with a condition, as its inputs have none. Use MixturePrior()."
    )


# Samplers


@pytest.mark.parametrize("waist", [hg.Plain(4), hg.TopK(8, k=4), hg.Matched(hg.Plain(4))])
def test_a_mixture_is_fitted_to_the_codes_of_any_waist(waist, tmp_path):
    model = hg.Autoencoder(waist, max_epochs=2, **SETTINGS).fit(X).fit_sampler(X, "mixture", random_state=0)
    assert model.sampler_.name == "mixture"
    drawn = model.sample(6, random_state=0)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "m.safetensors").sample(6, random_state=0), drawn)


def test_a_mixture_is_found_whatever_the_scale_of_the_codes(monkeypatch):
    monkeypatch.setattr("hourglass.estimators.samplers.FITTED", 2000)
    apart, scale = np.array([[0, 0, 0], [6, 0, 6]]), np.array([1e-4, 1.0, 1e4])
    root = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [0, 0, 1]])
    noise = np.random.default_rng(0).normal(size=(3000, 3)) @ root.T
    codes = torch.from_numpy((apart[np.arange(3000) // 5 % 2] + noise) * scale).float()
    found = samplers.fitted(SimpleNamespace(density=lambda: None, conditions=None), hg.Plain(3), "mixture", codes, 0).module
    order = found.mean[:, 0].argsort()
    np.testing.assert_allclose(found.mean.numpy()[order] / scale, apart, atol=0.15)
    covariances = (found.root @ found.root.mT).numpy()[order] / np.outer(scale, scale)
    smeared = root @ root.T + 0.01 * np.diag([10, 1, 10])  # of the variances of all codes, those of both components
    np.testing.assert_allclose(covariances, np.broadcast_to(smeared, (2, 3, 3)), atol=0.15)
    np.testing.assert_allclose(found.log_weight.exp(), 0.5, atol=0.02)


def test_a_flow_is_fitted_to_codes_in_double_precision(monkeypatch):
    monkeypatch.setattr("hourglass.estimators.samplers.FLOWING_STEPS", 10)
    table = np.random.default_rng(0).normal(size=(200, 4))
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(table).fit_sampler(table, "flow", random_state=0)
    assert model.sampler_.name == "flow"
    assert model.sample(5, random_state=0).shape == (5, 4)


@pytest.mark.parametrize("waist", [hg.VectorQuantized(16, dim=2, places=4), hg.FiniteScalar((4, 4), places=4)])
def test_quantised_codes_are_drawn_one_after_the_other(waist, tmp_path, monkeypatch):
    monkeypatch.setattr("hourglass.estimators.samplers.STEPS", 60)
    model = hg.Autoencoder(waist, max_epochs=2, **SETTINGS).fit(X).fit_sampler(X, random_state=0)
    assert model.sampler_.name == "autoregressive" and list(model.sampler_.held_out) == ["autoregressive"]
    assert model.sampler_.held_out["autoregressive"] > -4 * math.log(16)
    drawn = model.sample(6, random_state=0)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "m.safetensors").sample(6, random_state=0), drawn)


def test_auto_takes_what_codes_held_out_are_likeliest_under(digits):
    model = copy.deepcopy(digits).fit_sampler(X, random_state=0)
    held_out = model.sampler_.held_out
    assert set(held_out) == {"prior", "mixture"}
    assert model.sampler_.name == max(held_out, key=held_out.get)
    assert str(model.sampler_).startswith(f"{model.sampler_.name} (log-likelihood of codes held out, in nats a row: ")
    assert digits.sampler_ is None


def test_a_waist_without_a_distribution_refuses_to_sample(sentence):
    model = hg.Autoencoder(4, max_epochs=1, **SETTINGS).fit(X)
    assert sentence(hg.ParameterError, model.sample, 3) == (
        "A model with Plain(n=4) has no distribution of codes to draw from. Fit one to the codes of your data: "
        "model.fit_sampler(X, 'mixture'). Or use VariationalAutoencoder, which has a prior; in the shell, "
        "hourglass fit DATA --for generate."
    )
    assert sentence(hg.ParameterError, model.fit_sampler, X, "prior") == (
        "The sampler of a model with Plain(n=4) can't be 'prior'. Known: auto, flow, mixture."
    )
    quantised = hg.Autoencoder(hg.FiniteScalar((3, 3), places=2), max_epochs=1, **SETTINGS).fit(X)
    assert "model.fit_sampler(X, 'autoregressive')" in sentence(hg.ParameterError, quantised.sample, 3)
    assert sentence(hg.ParameterError, hg.VariationalAutoencoder(hg.Plain(2), max_epochs=1).fit(X[:50]).encode, X) == (
        "Codes of Plain(n=2) have no distribution. Use Variational(n)."
    )


# Tables


def test_a_synthetic_table_keeps_types_ranges_levels_and_correlations():
    chance = np.random.default_rng(1)
    age = chance.integers(18, 80, 1500)
    frame = pl.DataFrame(
        {
            "age": age,
            "income": np.exp(chance.normal(10, 0.3, 1500) + age / 100),
            "town": np.where(age > 50, "Ulm", chance.choice(["Bonn", "Ulm"], 1500)),
            "paid": chance.random(1500) < 0.3,
        }
    )
    model = hg.VariationalAutoencoder(4, max_epochs=60, random_state=0).fit(frame)
    made = model.sample(2000, random_state=0)
    assert made.schema == frame.schema
    assert set(made["town"]) == {"Bonn", "Ulm"}
    assert made["age"].min() >= frame["age"].min() and made["income"].max() <= 1.01 * frame["income"].max()
    assert made["age"].mean() == pytest.approx(frame["age"].mean(), abs=4)
    assert made["age"].std() == pytest.approx(frame["age"].std(), rel=0.15)
    assert made["paid"].mean() == pytest.approx(0.3, abs=0.06)
    old = made.filter(pl.col("age") > 55)["town"]
    assert (old == "Ulm").mean() > 0.85


@pytest.mark.parametrize("objective", ["elbo", "importance-weighted", "total-correlation", "capacity"])
def test_every_objective_trains_and_is_kept_in_the_file(objective, tmp_path):
    model = hg.VariationalAutoencoder(4, objective=objective, max_epochs=2, **SETTINGS).fit(X)
    model.save(tmp_path / "m.safetensors")
    assert hg.load(tmp_path / "m.safetensors").objective == objective
    assert model.sample(2, random_state=0).shape == (2, 28, 28)


def test_nearly_black_and_white_pictures_are_bernoulli_and_others_normal():
    grey = np.random.default_rng(0).integers(60, 200, (40, 8, 8)).astype(np.uint8)
    for pictures, likelihood in ((X[:40], hg.Bernoulli), (grey, hg.Gaussian)):
        model = hg.VariationalAutoencoder(2, max_epochs=1, **SETTINGS).fit(pictures)
        assert isinstance(model._asked["likelihood"], likelihood)


def test_what_is_known_is_regressed_on_before_the_codes():
    sort = CHANCE.integers(0, 2, 600)
    rows = ROWS + 30 * sort[:, None] * np.arange(6)
    model = hg.Autoencoder(3, max_epochs=1, learning_rate=1e-12, random_state=0).fit(rows, condition=sort)
    codes = model.transform(rows, sort)
    assert abs(np.corrcoef(codes[:, 0], sort)[0, 1]) < 0.05  # without it, the first code would be the sort
    rebuilt = model.reconstruct(rows, sort)
    assert np.square(rebuilt - rows).sum() < 0.2 * np.square(ROWS - ROWS.mean(0)).sum()


def test_a_condition_is_told_to_convolutions_as_channels():
    labels = DIGITS.y_train[:400]
    model = hg.VariationalAutoencoder(4, encoder="convolutional", decoder="convolutional", max_epochs=1, **SETTINGS)
    model.fit(X, condition=labels)
    assert model.encoder_.linear.weight.shape[1] == 784 * (1 + model.condition_kind_.shape[0])
    assert model.sample(2, condition=[3, 4], random_state=0).shape == (2, 28, 28)


@pytest.mark.parametrize("wrap", [np.asarray, pl.Series, pd.Series, list])
def test_labels_in_any_container_are_labels(wrap):
    x, y = X[:40], np.arange(40) % 3
    vae = hg.VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(x, condition=wrap(y))
    assert [column.type for column in vae.condition_kind_.columns] == ["categorical"]
    with pytest.raises(hg.DataError, match="The model knows no condition '7'"):
        vae.sample(2, condition=7)


@pytest.mark.parametrize(
    ("labels", "rare"),
    [
        (["a"] * 150 + ["b"] * 149 + ["c"], ["c"]),
        ([f"site{i % 100:02d}" for i in range(300)], [f"site{i}" for i in range(63, 100)]),
    ],
    ids=["once", "more than 63"],
)
def test_rare_labels_are_learned_as_others(labels, rare):
    x = X[:300]
    vae = hg.VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(x, condition=labels)
    assert set(vae.condition_kind_.columns[0].levels) == {*labels, "other"} - set(rare)
    first = [labels.index(label) for label in rare]
    np.testing.assert_allclose(vae.transform(x[first], rare), vae.transform(x[first], "other"), atol=1e-5)
    assert vae.transform(x, labels).shape == (300, 2)
    assert hg.VariationalAutoencoder(2, hidden=(8,), random_state=0).partial_fit(x, condition=labels).transform(
        x, labels
    ).shape == (300, 2)


@pytest.mark.parametrize(
    ("labels", "levels"),
    [
        (pl.Series(["a", "b", None] * 100), ("a", "b", "other")),
        (pl.Series("sort", [1, 2, None] * 100), ("1", "2", "other")),
        (pd.Series(["a", "b", np.nan] * 100), ("a", "b", "other")),
        (pd.Series([1, 2, None] * 100, dtype="Int64"), ("1", "2", "other")),
    ],
    ids=["polars words", "polars numbers", "pandas words", "pandas numbers"],
)
def test_labels_that_are_missing_leave_the_others_labels(labels, levels):
    vae = hg.VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(X[:300], condition=labels)
    (column,) = vae.condition_kind_.columns
    assert (column.type, column.levels, column.missing) == ("categorical", levels, 1 / 3)
    np.testing.assert_allclose(vae.transform(X[:300], labels)[::3], vae.transform(X[:300:3], levels[0]), atol=1e-5)


@pytest.mark.parametrize("missing", [float("nan"), [float("nan")], np.array([np.nan, np.nan])])
def test_a_label_that_is_nan_is_missing(missing):
    kind = conditions.learned([3, 4, None] * 20, 60)
    np.testing.assert_array_equal(conditions.numbers(kind, missing, 2), conditions.numbers(kind, [None, None], 2))


@pytest.mark.parametrize("condition", [iter([3, 4]), {3, 4}])
def test_conditions_without_a_place_for_each_row_are_refused(condition, sentence):
    said = sentence(hg.DataError, conditions.numbers, conditions.learned([3, 4] * 30, 60), condition, 2)
    assert said == (
        "A condition is a label or a row of columns for each row. "
        f"Got a value of the type {type(condition).__name__}. Make a list of it."
    )


@pytest.mark.parametrize(
    "form", [pl.DataFrame.lazy, pl.DataFrame.to_dict, lambda frame: frame.to_dict(as_series=False), pl.DataFrame.to_dicts]
)
def test_conditions_come_in_all_forms_of_tables(form):
    frame = pl.DataFrame({"sort": ["a", "b"] * 30, "size": np.arange(60.0) % 7})
    kind = conditions.learned(form(frame), 60)
    assert kind == conditions.learned(frame, 60)
    np.testing.assert_array_equal(conditions.numbers(kind, form(frame), 60), conditions.numbers(kind, frame, 60))
    one = form(frame[:1])
    np.testing.assert_array_equal(conditions.numbers(kind, one, 3), [[kind.columns[0].levels.index("a"), 0]] * 3)


@pytest.mark.parametrize(
    "labels", [pl.Series("sort", ["a", "b"] * 30), pd.Series(["a", "b"] * 30, name="sort"), pd.Index(["a", "b"] * 30, name="sort")]
)
def test_labels_keep_the_name_of_their_column(labels, sentence):
    kind = conditions.learned(labels, 60)
    assert [(column.name, column.type) for column in kind.columns] == [("sort", "categorical")]
    assert sentence(hg.DataError, conditions.numbers, kind, "c", 2) == "The model knows no sort 'c'. Known: a, b."
    for told in (labels[:2], ["a", "b"], pl.DataFrame({"sort": ["a", "b"]})):
        np.testing.assert_array_equal(conditions.numbers(kind, told, 2)[:, 0], [0, 1])


def test_a_condition_of_another_name_is_left_as_it_is():
    vae = hg.VariationalAutoencoder(2, hidden=(8,), max_epochs=1, random_state=0)
    vae.fit(X[:40], condition=pl.DataFrame({"sort": ["a", "b"] * 20}))
    asked = pl.DataFrame({"condition": ["a"]})
    assert vae.sample(2, condition=asked).shape == (2, 28, 28) and asked.columns == ["condition"]


def test_a_sampler_of_three_rows_and_none_of_two(sentence):
    model = hg.Autoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(X[:40])
    assert sentence(hg.DataError, model.fit_sampler, X[:2]) == (
        "A sampler is fitted to codes and judged by others, so it needs 3 rows or more. Got 2."
    )
    assert model.fit_sampler(X[:3], random_state=0).sample(2, random_state=0).shape == (2, 28, 28)


def test_a_loaded_sampler_is_where_its_model_is(tmp_path, monkeypatch):
    model = hg.Autoencoder(2, hidden=(8,), max_epochs=1, random_state=0).fit(X[:40]).fit_sampler(X[:40], random_state=0)
    model.save(tmp_path / "m.safetensors")
    moved = []
    monkeypatch.setattr(samplers.FullMixture, "to", lambda module, device: moved.append(device))
    hg.load(tmp_path / "m.safetensors")
    assert moved == [model._device]


def test_what_is_cut_to_windows_takes_no_condition():
    record = hg.Record(np.sin(np.arange(600) / 9)[:, None], 100.0)
    vae = hg.VariationalAutoencoder(2, kind=hg.Series(window=32), max_epochs=1, random_state=0)
    with pytest.raises(hg.ParameterError, match=r"VariationalAutoencoder takes no condition for .*, which are cut to windows"):
        vae.fit(record, condition=np.arange(600) % 2)


def test_a_capacity_that_rises_trains_to_its_end_and_keeps_the_last_weights():
    model = hg.VariationalAutoencoder(2, objective=hg.Capacity(nats=3), max_epochs=24, patience=2, random_state=0).fit(ROWS)
    assert len(model.history_) == 24
    assert model.elbo(ROWS, random_state=0).kl.mean() == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("waist", [hg.Variational(2, beta=4), hg.Variational(2, warmup=0.3), hg.Matched(hg.Variational(2))])
def test_what_an_objective_would_ignore_is_refused(waist, sentence):
    model = hg.VariationalAutoencoder(waist, objective="importance-weighted", max_epochs=1)
    assert sentence(hg.ParameterError, lambda: model.fit(ROWS)) == (
        f"The 'objective' parameter of VariationalAutoencoder can't be ImportanceWeighted(k=5, doubly=False) with {waist}: it says "
        "itself what codes cost. Use Variational(2) as it is, or leave the objective out."
    )


def test_rows_of_symbols_with_an_objective_that_weighs_codes_itself():
    lines = ["".join(CHANCE.choice(list("abc"), 6)) for _ in range(60)]
    model = hg.VariationalAutoencoder(objective="importance-weighted", max_epochs=1, random_state=0).fit(lines)
    assert model._waist == hg.Variational(64)


def test_conditions_go_where_scikit_learn_goes():
    known = np.arange(len(ROWS)) % 2
    model = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0)
    codes = model.fit_transform(ROWS, condition=known)
    np.testing.assert_array_equal(codes, model.transform(ROWS, known))
    assert model.score(ROWS, condition=known) == pytest.approx(model.elbo(ROWS, condition=known, random_state=0).elbo.mean())


@pytest.mark.parametrize("known", [1.0, pd.Series([1, None] * 300), [1, None] * 300])
def test_labels_are_known_whatever_type_they_come_in(known):
    model = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(ROWS, condition=np.arange(len(ROWS)) % 2)
    assert model.transform(ROWS, known).shape == (len(ROWS), 2)


def test_the_density_of_a_mixture_by_hand():
    mixture = samplers.FullMixture(2, 3)
    roots = torch.tensor(np.tril(CHANCE.normal(size=(2, 3, 3))) + 2 * np.eye(3), dtype=torch.float32)
    mixture.log_weight.copy_(torch.tensor([0.3, 0.7]).log())
    mixture.mean.copy_(torch.tensor(CHANCE.normal(size=(2, 3))))
    mixture.root.copy_(roots)
    z = CHANCE.normal(size=(5, 3))
    covariances = (roots @ roots.mT).numpy()
    each = [
        multivariate_normal(mean, covariance).pdf(z) for mean, covariance in zip(mixture.mean.numpy(), covariances, strict=True)
    ]
    expected = np.log(0.3 * each[0] + 0.7 * each[1])
    np.testing.assert_allclose(mixture.log_density(torch.tensor(z, dtype=torch.float32)), expected, rtol=1e-4)


def test_a_seed_of_any_size_fits_a_sampler():
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(ROWS).fit_sampler(ROWS, random_state=2**40)
    assert model.sample(3, random_state=0).shape == (3, 6)


def test_numbers_far_from_zero_are_drawn_and_decoded_to_the_last_digit():
    chance = np.random.default_rng(0)
    numbers = np.column_stack([chance.normal(size=300), chance.integers(1_700_000_000, 1_700_000_999, 300)])
    vae = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(numbers)
    drawn = vae.sample(1000, random_state=0)
    assert (drawn[:, 1] % 128 > 0).any()  # as single precision counts them there
    single = vae.inverse_transform(vae.transform(numbers).astype(np.float32))
    np.testing.assert_allclose(single[:, 1], vae.reconstruct(numbers)[:, 1], rtol=0, atol=0.1)
    near = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(numbers - [0, 1.7e9])
    assert near.sample(2, random_state=0).dtype == np.float32
