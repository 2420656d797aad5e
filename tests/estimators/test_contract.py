"""scikit-learn's own contract, and the tools that lean on it."""

import inspect
import math
import pickle
import weakref
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import hourglass as hg
from hourglass import data
from hourglass.estimators.base import BaseAutoencoder
from hourglass.estimators.parameters import OF_OTHERS, RULES
from hourglass.parts.likelihoods import Likelihood, LikelihoodModule

X, y = load_wine(return_X_y=True)


@parametrize_with_checks(
    [
        hg.Autoencoder(2, max_epochs=5, random_state=0),
        hg.DenoisingAutoencoder(2, max_epochs=5, random_state=0),
        hg.VariationalAutoencoder(2, max_epochs=5, random_state=0),
    ]
)
@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning", "ignore::UserWarning")
def test_scikit_learn(estimator, check):
    check(estimator)


def test_codes_feed_a_classifier_in_a_pipeline():
    pipeline = make_pipeline(hg.Autoencoder(4, max_epochs=20, random_state=0), LogisticRegression())
    assert pipeline.fit(X, y).score(X, y) > 0.9


def test_a_grid_reaches_into_the_parts():
    search = GridSearchCV(hg.Autoencoder(hg.TopK(8, 1), max_epochs=30, random_state=0), {"bottleneck__k": [1, 4]}, cv=2).fit(X)
    assert search.best_params_ == {"bottleneck__k": 4}
    assert search.best_estimator_.bottleneck == hg.TopK(8, 4)


def test_a_clone_has_the_parameters_and_is_not_fitted():
    model = hg.Autoencoder(hg.TopK(8, 2), likelihood=hg.Gaussian("shared"), max_epochs=1).fit(X)
    copy = clone(model)
    assert repr(copy) == repr(model)
    with pytest.raises(NotFittedError):
        copy.transform(X)


def test_output_as_polars():
    codes = hg.Autoencoder(3, max_epochs=2).set_output(transform="polars").fit(X).transform(X)
    assert isinstance(codes, pl.DataFrame)
    assert codes.columns == ["code0", "code1", "code2"]


def test_a_linear_autoencoder_finds_the_subspace_of_pca():
    Z = (X - X.mean(0)) / X.std(0)
    line = hg.Dense(hidden=(), residual=False)  # which doesn't start as PCA
    settings = {"encoder": line, "decoder": line, "validation_fraction": 0, "learning_rate": 2e-2, "max_epochs": 300}
    rebuilt = hg.Autoencoder(3, random_state=0, **settings).fit(Z).reconstruct(Z)
    pca = PCA(3).fit(Z)
    np.testing.assert_allclose(np.mean((Z - rebuilt) ** 2), np.mean((Z - pca.inverse_transform(pca.transform(Z))) ** 2), rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inference_keeps_the_precision_of_its_input(dtype):
    model = hg.Autoencoder(3, max_epochs=2, random_state=0).fit(X)
    assert model.transform(X.astype(dtype)).dtype == dtype
    assert model.reconstruct(X.astype(dtype)).dtype == dtype


def test_the_same_seed_gives_the_same_numbers_and_the_global_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (the thing under test)
    first, second = (hg.Autoencoder(3, max_epochs=3, random_state=7).fit(X).transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_callback_that_returns_true_stops():
    seen = []
    hg.Autoencoder(3, max_epochs=9, callbacks=(lambda model, epoch: seen.append(epoch.epoch) or epoch.epoch == 2,)).fit(X)
    assert seen == [1, 2]


def test_a_callback_may_save_the_model(tmp_path):
    def save(model, epoch):
        model.save(tmp_path / f"{epoch.epoch}.safetensors")

    model = hg.Autoencoder(3, max_epochs=2, validation_fraction=0, callbacks=(save,), random_state=0).fit(X)
    first, last = (hg.load(tmp_path / f"{epoch}.safetensors") for epoch in (1, 2))
    assert (first.best_epoch_, last.best_epoch_, len(first.history_)) == (1, 2, 1)
    np.testing.assert_array_equal(last.transform(X), model.transform(X))
    assert not np.array_equal(first.transform(X), model.transform(X))


def test_what_a_callback_asks_a_model_is_answered_by_its_present_weights():
    X, codes = np.random.default_rng(0).normal(size=(100, 5)), []
    hg.Autoencoder(2, max_epochs=3, random_state=0, callbacks=(lambda model, _: codes.append(model.transform(X)),)).fit(X)
    assert codes[0].dtype == np.float64
    assert (codes[0] != codes[1]).any()
    assert (codes[1] != codes[2]).any()


def test_ctrl_c_keeps_the_best_so_far():
    def press(model, epoch):
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with pytest.warns(hg.StoppedWarning, match="stopped by hand after 3 epochs"):
        model = hg.Autoencoder(3, callbacks=(press,), random_state=0).fit(X)
    assert len(model.history_) == 3
    assert model.transform(X).shape == (len(X), 3)


def test_fields_of_a_part_are_set_together():
    ae = hg.Autoencoder(hg.TopK(256, k=16)).set_params(bottleneck__n=8, bottleneck__k=4)
    assert ae.bottleneck == hg.TopK(8, k=4)
    with pytest.raises(hg.ParameterError, match=r"has no field 'm'. Known: k, n"):
        ae.set_params(bottleneck__m=3)


def test_fields_of_parts_within_parts_are_set():
    vae = hg.VariationalAutoencoder(hg.Variational(2, prior=hg.MixturePrior(3)))
    assert vae.get_params()["bottleneck__prior__components"] == 3
    vae.set_params(bottleneck__prior__components=5, bottleneck__n=4)
    assert vae.bottleneck == hg.Variational(4, prior=hg.MixturePrior(5))
    matched = hg.Autoencoder(hg.Matched(hg.TopK(8, k=2))).set_params(bottleneck__base__k=3)
    assert matched.bottleneck == hg.Matched(hg.TopK(8, k=3))
    search = GridSearchCV(hg.Autoencoder(hg.Matched(hg.Plain(4)), max_epochs=1), {"bottleneck__base__n": [1, 2]}, cv=2).fit(X)
    assert search.best_params_["bottleneck__base__n"] in (1, 2)


@pytest.mark.parametrize(
    ("waist", "name", "sentence"),
    [
        (8, "bottleneck__n", "The 'bottleneck' 8 of Autoencoder has no field 'n', as it is no part."),
        (hg.Plain(8), "bottleneck__n__k", "The 'bottleneck__n' 8 has no field 'k', as it is no part."),
        (
            hg.Matched(hg.TopK(8, k=2)),
            "bottleneck__base__m",
            "The 'bottleneck__base' TopK(n=8, k=2) has no field 'm'. Known: k, n.",
        ),
    ],
)
def test_fields_that_are_none_are_refused(waist, name, sentence):
    with pytest.raises(hg.ParameterError) as error:
        hg.Autoencoder(waist).set_params(**{name: 1})
    assert str(error.value) == sentence


def test_names_of_columns_are_forgotten_where_the_next_fit_has_none(tmp_path):
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(pl.DataFrame(X[:, :3], schema=["a", "b", "c"]))
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    model.fit(np.random.default_rng(0).integers(0, 255, (20, 8, 8)).astype(np.uint8)).save(tmp_path / "m.safetensors")
    assert not hasattr(model, "feature_names_in_")
    assert not hasattr(hg.load(tmp_path / "m.safetensors"), "feature_names_in_")


def test_only_a_table_has_a_schema():
    model = hg.Autoencoder(2, max_epochs=1).fit(np.random.default_rng(0).integers(0, 255, (20, 8, 8)).astype(np.uint8))
    assert not hasattr(model, "schema_")
    with pytest.raises(hg.DataError, match=r"Only a table has columns\. The model was fitted on"):
        _ = model.schema_


@pytest.mark.parametrize(
    "call",
    [
        lambda model: hg.report(model, X, "page.html"),
        lambda model: hg.metrics.reconstruction(model, X),
        lambda model: hg.metrics.exact(model, X),
        lambda model: hg.metrics.survival(model, X),
        lambda model: hg.plots.reconstructions(model, X),
        lambda model: hg.plots.errors(model, X),
        lambda model: hg.plots.code_map(model, X),
        hg.plots.training_curves,
    ],
)
def test_what_looks_at_a_model_says_that_it_is_not_fitted(call):
    with pytest.raises(NotFittedError):
        call(hg.Autoencoder(2))


def test_seeds_of_any_size_are_taken():
    rows = X[:20].astype(np.float32)
    codes = [hg.Autoencoder(2, max_epochs=1, random_state=seed).fit(rows).transform(rows) for seed in (5, 5 + 2**64)]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize("estimator", [hg.Autoencoder, hg.AnomalyDetector])
@pytest.mark.parametrize(
    ("device", "name"),
    [
        pytest.param("cuda", "CUDA", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")),
        (torch.device("meta"), "META"),
    ],
)
def test_a_device_that_is_not_there(estimator, device, name):
    with pytest.raises(hg.ParameterError) as error:
        estimator(device=device).fit(X)
    assert str(error.value) == (
        f"The 'device' parameter of {estimator.__name__} can't be {name.lower()!r}, as torch finds no {name}. "
        "Leave it out, or use 'cpu'."
    )


def test_a_model_is_unpickled_to_where_its_rows_are_computed():
    vae = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(X).fit_sampler(X, "mixture")
    vae.device = "meta"  # as good as a machine with another device
    copy = pickle.loads(pickle.dumps(vae))
    assert {tensor.device.type for tensor in copy.model_.state_dict().values()} == {"meta"}
    assert copy.sampler_.module.mean.device.type == "meta"


def test_a_fitted_model_goes_to_the_device_that_is_set(monkeypatch):
    vae = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(X).fit_sampler(X, "mixture")
    vae.score_samples(X.astype(np.float64))  # for which there is another model now
    with pytest.raises(hg.ParameterError, match="torch finds no META"):
        vae.set_params(device="meta")
    monkeypatch.setattr(hg.VariationalAutoencoder, "_require_valid", lambda self: None)  # as good as a machine with such a device
    vae.set_params(device="meta")
    assert {tensor.device.type for tensor in (*vae.model_.state_dict().values(), vae.sampler_.module.mean)} == {"meta"}
    assert not vae._by_dtype


def test_while_a_model_trains_the_numbers_that_came_are_let_go(monkeypatch):
    learn, held, seen = BaseAutoencoder._learn, [], []

    def noted(self, *args, **kwargs):
        values = learn(self, *args, **kwargs)
        held.append(weakref.ref(values))
        return values

    monkeypatch.setattr(BaseAutoencoder, "_learn", noted)
    hg.Autoencoder(2, max_epochs=1, callbacks=(lambda *_: seen.append(held[0]()),), random_state=0).fit(X)
    assert seen == [None]


def test_a_file_is_read_once_to_go_on_with_it(monkeypatch, tmp_path):
    hg.write(tmp_path / "rows.npy", X)
    ae = hg.Autoencoder(2, random_state=0).partial_fit(X)
    read, times = data.read, []
    monkeypatch.setattr(data, "read", lambda path: times.append(path) or read(path))
    ae.partial_fit(tmp_path / "rows.npy")
    assert len(times) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda model, path: model.save(path.with_suffix(".onnx")),
        lambda model, path: model.export_onnx(path.with_suffix(".safetensors")),
    ],
)
def test_files_of_another_ending_are_refused(tmp_path, call):
    with pytest.raises(hg.FileError, match=r"use (save|export_onnx) for that, or name a file that ends in"):
        call(hg.Autoencoder(2, max_epochs=1).fit(X), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "call", [lambda vae: vae.sample(2), lambda vae: vae.sample(2, temperature=0.5), lambda vae: vae.interpolate("ab", "ba")]
)
def test_what_is_not_fitted_says_so(call):
    with pytest.raises(NotFittedError):
        call(hg.VariationalAutoencoder(2))


@pytest.mark.parametrize("fdr", [0, 1, 5, "0.1", True])
def test_a_false_discovery_rate_that_is_none(fdr):
    det = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(60, 3)))
    with pytest.raises(hg.ParameterError, match="The 'fdr' of a prediction must be a float above 0 and below 1"):
        det.predict(np.zeros((2, 3)), fdr=fdr)


@pytest.mark.parametrize(
    ("estimator", "name", "near"),
    [
        (hg.Autoencoder, "latent_dim", "Did you mean 'bottleneck'?"),
        (hg.VariationalAutoencoder, "epochs", "Did you mean 'max_epochs'?"),
        (hg.DenoisingAutoencoder, "hiden", "Did you mean 'hidden'?"),
        (hg.Autoencoder, "warm_start", "Did you mean 'partial_fit'?"),
        (hg.VariationalAutoencoder, "compress_dims", "Did you mean 'hidden'?"),
        (hg.AnomalyDetector, "epoch_num", "Did you mean 'max_epochs'?"),
        (hg.AnomalyDetector, "hidden_neuron_list", "An estimator has it: AnomalyDetector(hourglass.Autoencoder(hidden=...))."),
        (hg.AnomalyDetector, "bottleneck", "An estimator has it: AnomalyDetector(hourglass.Autoencoder(bottleneck=...))."),
        (hg.AnomalyDetector, "alarmrate", "Did you mean 'alarm_rate'?"),
    ],
)
def test_a_parameter_of_another_name_gets_ours_suggested(estimator, name, near):
    with pytest.raises(TypeError) as caught:
        estimator(**{name: 5})
    assert str(caught.value) == f"{estimator.__name__} has no parameter {name!r}. {near}"
    assert str(inspect.signature(estimator)) == str(inspect.signature(estimator.__init__)).replace("self, ", "")


def test_a_parameter_that_cant_be_set_leaves_the_model_as_it_was(sentence):
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    codes = model.transform(X)
    said = "The 'device' parameter of Autoencoder can't be 'meta', as torch finds no META. Leave it out, or use 'cpu'."
    assert sentence(hg.ParameterError, model.set_params, device="meta", max_epochs=7) == said
    assert (model.device, model.max_epochs) == (None, 1)
    np.testing.assert_array_equal(model.transform(X), codes)
    said = "Autoencoder has no parameter 'botleneck'. Did you mean 'bottleneck'?"
    assert sentence(hg.ParameterError, model.set_params, botleneck__k=2) == said


@pytest.mark.parametrize(
    ("estimator", "method", "name", "advice"),
    [
        (hg.Autoencoder, "fit", "epochs", "Say it earlier: Autoencoder(max_epochs=...)."),
        (hg.Autoencoder, "fit_transform", "max_epochs", "Say it earlier: Autoencoder(max_epochs=...)."),
        (hg.VariationalAutoencoder, "fit", "validation_split", "Say it earlier: VariationalAutoencoder(validation_fraction=...)."),
        (hg.DenoisingAutoencoder, "partial_fit", "sample_weight", "Known: X, condition, y."),
        (hg.Autoencoder, "fit", "validation", "Did you mean 'validation_data'?"),
        (hg.AnomalyDetector, "fit", "epochs", "Say it earlier: AnomalyDetector(max_epochs=...)."),
        (hg.AnomalyDetector, "fit", "batch_size", "Known: X, y."),
    ],
)
def test_a_parameter_that_fitting_is_handed_is_told_its_place(estimator, method, name, advice):
    with pytest.raises(TypeError) as caught:
        getattr(estimator(), method)(np.zeros((60, 3)), **{name: 5})
    assert str(caught.value) == f"{method} of {estimator.__name__} has no parameter {name!r}. {advice}"


def test_names_of_other_libraries_lead_to_ours():
    assert set(OF_OTHERS.values()) <= set(dir(hg.Autoencoder()))
    assert not set(OF_OTHERS) & set(RULES)


class Ready(hg.Autoencoder):
    def __init__(self, bottleneck=2, **rest):
        super().__init__(bottleneck, **rest)


def test_a_subclass_may_take_whatever_comes():
    assert Ready(max_epochs=3).max_epochs == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'epochs'"):
        Ready(epochs=3)


class Pair(torch.nn.Module):
    def forward(self, x):
        return x, x


def test_a_network_that_makes_no_tensor_is_refused():
    with pytest.raises(hg.ParameterError, match=r"The encoder must make one tensor of a batch. It makes a tuple."):
        hg.Autoencoder(2, encoder=Pair()).fit(np.random.default_rng(0).normal(size=(30, 4)))


@pytest.mark.parametrize(
    ("network", "what"),
    [
        (Pair(), "The encoder must make one tensor of a batch. It makes a tuple."),
        (torch.nn.Linear(4, 2), "The encoder makes (batch, 2) of a batch of shape (batch, 4); the model needs (batch, 4)."),
    ],
)
def test_an_encoder_of_drawn_codes_is_told_what_it_has_to_make(network, what):
    with pytest.raises(hg.ParameterError) as caught:
        hg.VariationalAutoencoder(2, encoder=network).fit(np.random.default_rng(0).normal(size=(30, 4)))
    assert str(caught.value) == (
        f"{what} Of codes that are drawn it makes the means, then as many log variances: torch.cat([mean, log_variance], 1)."
    )


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    first = pl.DataFrame({"a": ["x", "y", "x"] * 20, "b": np.random.default_rng(0).normal(size=60)})
    model = hg.Autoencoder(1, max_epochs=1, random_state=0).fit(first)
    codes = model.transform(first)
    with pytest.raises(hg.ParameterError):
        model.set_params(likelihood=hg.Bernoulli()).fit(first.with_columns(a=pl.Series(["y", "y", "x"] * 20)))
    np.testing.assert_array_equal(model.transform(first), codes)


def test_a_fit_that_fails_leaves_what_was_not_fitted_so():
    model = hg.Autoencoder(1, likelihood=hg.Bernoulli())
    with pytest.raises(hg.ParameterError):
        model.fit(load_wine().data)
    assert not hasattr(model, "kind_")


def test_parameters_set_after_the_fit_are_for_the_next_one(tmp_path):
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(load_wine().data)
    codes = model.transform(load_wine().data)
    model.set_params(bottleneck=3)
    assert list(model.get_feature_names_out()) == ["code0", "code1"]
    model.save(tmp_path / "m.safetensors")
    again = hg.load(tmp_path / "m.safetensors")
    assert again.bottleneck == 2
    np.testing.assert_array_equal(again.transform(load_wine().data), codes)


def test_held_out_rows_take_no_part_in_the_start():
    rows = np.random.default_rng(0).normal(size=(60, 300))
    model = hg.Autoencoder(40, max_epochs=1, learning_rate=1e-9, random_state=0).fit(rows)
    assert model.history_[0]["validation"] > model.history_[0]["train"] + 30


def test_one_row_at_least_is_learned_from():
    assert len(hg.Autoencoder(1, max_epochs=1, validation_fraction=0.96, random_state=0).fit(X[:10]).history_) == 1


class Narrow(hg.VariationalAutoencoder):
    """A subclass that leaves few parameters to its users, and has one of its own."""

    def __init__(self, bottleneck=2, *, passes=2, random_state=None):
        super().__init__(bottleneck, max_epochs=passes, hidden=(4,), random_state=random_state)
        self.passes = passes


def test_a_subclass_may_take_fewer_parameters(tmp_path):
    model = Narrow(3, random_state=0).fit(X)
    assert sorted(model.get_params()) == ["bottleneck", "passes", "random_state"]
    wide = hg.VariationalAutoencoder(3, max_epochs=2, hidden=(4,), random_state=0).fit(X)
    np.testing.assert_array_equal(model.transform(X), wide.transform(X))
    np.testing.assert_array_equal(clone(model).fit(X).transform(X), wide.transform(X))
    assert clone(model).set_params(bottleneck=2).fit(X).transform(X).shape[1] == 2
    model.save(tmp_path / "m.safetensors")
    again = hg.load(tmp_path / "m.safetensors")
    assert isinstance(again, Narrow) and (again.passes, again.hidden) == (2, (4,))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert len(again.partial_fit(X).history_) == 3


@dataclass(frozen=True)
class Laplace(Likelihood):
    """A likelihood of one's own, as short as it can be."""

    def build(self, shape, categories=()):
        return _Laplace()


class _Laplace(LikelihoodModule):
    def nll(self, target, output):
        return (target - output).abs() + math.log(2)


def test_samples_of_a_likelihood_that_can_not_draw_are_means():
    model = hg.VariationalAutoencoder(2, likelihood=Laplace(), max_epochs=2, random_state=0).fit(X)
    np.testing.assert_array_equal(model.sample(3, random_state=0), model.sample(3, noisy=False, random_state=0))
    with pytest.raises(hg.ParameterError) as caught:
        model.sample(3, noisy=True)
    assert str(caught.value) == (
        "_Laplace has no 'sample', so elements can't be drawn from it. Take their means, noisy=False, or write one."
    )
