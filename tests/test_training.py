"""The loop: schedules, ends, the best weights, the formula of the loss."""

import itertools
import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from torch import nn

import hourglass as hg
from hourglass.parts.networks import draws, seeded_by
from hourglass.training import SCHEDULES, watched_units

X = load_wine().data


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("one-cycle", {0.0: 0.04, 0.15: 0.52, 0.3: 1.0, 0.65: 0.5, 1.0: 1e-4}),
        ("cosine", {0.0: 0.0, 0.025: 0.5 * (1 + math.cos(0.025 * math.pi)) / 2, 0.5: 0.5, 1.0: 0.0}),
        ("constant", {0.0: 1.0, 0.5: 1.0, 1.0: 1.0}),
    ],
)
def test_schedules_by_hand(name, values):
    for progress, share in values.items():
        assert SCHEDULES[name](progress) == pytest.approx(share, abs=1e-12)


def test_the_rate_of_the_history_follows_the_schedule():
    model = hg.Autoencoder(3, max_epochs=4, schedule="constant", learning_rate=1e-3, random_state=0).fit(X)
    assert [epoch["learning_rate"] for epoch in model.history_] == [1e-3] * 4


def test_the_best_weights_are_restored():
    model = hg.Autoencoder(3, learning_rate=0.3, schedule="constant", max_epochs=15, patience=15, random_state=0).fit(X)
    kept = []

    def remember(estimator, epoch):
        kept.append(estimator.model_.state_dict()["encoder.1.linear.weight"].clone())

    again = hg.Autoencoder(
        3, learning_rate=0.3, schedule="constant", max_epochs=15, patience=15, random_state=0, callbacks=(remember,)
    ).fit(X)
    losses = [epoch["validation"] for epoch in again.history_]
    best = int(np.argmin(losses))
    assert losses == [epoch["validation"] for epoch in model.history_]
    weights = again.model_.state_dict()["encoder.1.linear.weight"]
    assert weights.equal(kept[best]) or not any(weights.equal(other) for other in kept)  # or PCA, from before the first epoch


def test_the_epoch_of_the_kept_weights_and_the_loss_at_the_start_are_known(tmp_path):
    model = hg.Autoencoder(3, learning_rate=0.02, max_epochs=12, random_state=0).fit(X)
    losses = [model.start_loss_, *(epoch["validation"] for epoch in model.history_)]
    assert model.best_epoch_ == int(np.argmin(losses)) > 0
    model.save(tmp_path / "m.safetensors")
    again = hg.load(tmp_path / "m.safetensors")
    assert (again.best_epoch_, again.start_loss_) == (model.best_epoch_, model.start_loss_)
    spoiled = hg.Autoencoder(3, learning_rate=0.5, schedule="constant", max_epochs=2, random_state=0).fit(X)
    assert spoiled.best_epoch_ == 0 and spoiled.start_loss_ == model.start_loss_ < spoiled.history_[-1]["validation"]
    alone = hg.Autoencoder(3, max_epochs=2, validation_fraction=0, random_state=0).fit(X)
    assert (alone.best_epoch_, alone.start_loss_) == (2, None)
    assert alone.partial_fit(X).best_epoch_ == 3


def test_rows_of_ones_own_are_judged_by(tmp_path):
    train, others = X[:150], X[150:]
    settings = {"max_epochs": 4, "random_state": 0}
    model = hg.Autoencoder(3, learning_rate=1e-3, **settings).fit(train, validation_data=others.astype(np.float32))
    losses = [model.start_loss_, *(epoch["validation"] for epoch in model.history_)]
    assert -model.score(others) == pytest.approx(min(losses), rel=1e-5)
    alone = hg.Autoencoder(3, learning_rate=1e-3, validation_fraction=0, **settings).fit(train)
    assert [epoch["train"] for epoch in model.history_] == [epoch["train"] for epoch in alone.history_]
    again = hg.Autoencoder(3, learning_rate=1e-3, **settings).fit_transform(train, validation_data=others.astype(np.float32))
    np.testing.assert_array_equal(again, model.transform(train))


def test_rows_of_ones_own_are_of_the_kind_of_the_data():
    pictures = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(pictures, validation_data=pictures[:5] / 255)
    assert -model.score(pictures[:5]) == pytest.approx(min(model.start_loss_, model.history_[0]["validation"]), rel=1e-5)
    small = hg.Restorer((8,), blocks=1, patch=8)
    cleaner = hg.DenoisingAutoencoder(encoder=small, max_seconds=0.1, batch_size=8, random_state=0)
    assert cleaner.fit(pictures, validation_data=[np.zeros((30, 9))]).start_loss_ is not None
    words = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(["abc", "ab", "ca"] * 5, validation_data=["cab"])
    assert -words.score(["cab"]) == pytest.approx(min(words.start_loss_, words.history_[0]["validation"]), rel=1e-4)


@pytest.mark.parametrize(
    ("others", "more", "words"),
    [
        (X[:, :3], {}, "X has 3 features, but Autoencoder is expecting 13 features as input."),
        (X[:0], {}, "Found array with 0 sample(s) (shape=(0, 13)) while a minimum of 1 is required."),
        (
            np.where(np.arange(len(X))[:, None] == 1, np.nan, X),
            {},
            "Row 1 has a gap, and what this Autoencoder learned from first had none. "
            "Fill it, or begin with rows of which some have gaps.",
        ),
        (
            X,
            {"condition": np.arange(len(X)) % 2},
            "validation_data can't go with a condition. Leave it out: some of the rows are held out then.",
        ),
    ],
    ids=["columns", "none", "gap", "condition"],
)
def test_rows_of_ones_own_that_do_not_fit(sentence, others, more, words):
    model = hg.Autoencoder(3, max_epochs=1, random_state=0)
    error = hg.ParameterError if more else hg.DataError
    assert sentence(error, model.fit, X, validation_data=others, **more) == words


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Linear(13, 8), nn.BatchNorm1d(8), nn.ReLU()),
        (nn.Unflatten(1, (1, 1, 13)), nn.Conv2d(1, 8, (1, 13)), nn.BatchNorm2d(8), nn.Flatten()),  # a channel is one number a row
    ],
)
def test_a_row_left_over_is_left_out_where_rows_are_normalised_together(layers):
    def normalising(shape, codes):
        return nn.Sequential(*layers, nn.Linear(8, codes))

    settings = {"max_epochs": 2, "batch_size": 16, "validation_fraction": 0, "random_state": 0}
    model = hg.Autoencoder(2, encoder=normalising, **settings).fit(X[:33])
    assert len(model.history_) == 2
    tracked = {int(value) for name, value in model.encoder_.state_dict().items() if name.endswith("num_batches_tracked")}
    assert tracked == {4}  # two batches of 16 an epoch


def test_patience_ends_training():
    noise = np.random.default_rng(0).normal(size=(60, 20))
    model = hg.Autoencoder(4, max_epochs=100, patience=3, random_state=0).fit(noise)
    losses = [epoch["validation"] for epoch in model.history_]
    assert len(losses) < 100
    assert min(losses[-3:]) >= min(losses)


def test_max_seconds_ends_training_with_the_rate_down(monkeypatch):
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) / 1000)  # each look at it takes a millisecond
    monkeypatch.setattr("hourglass.training.time", clock)
    model = hg.Autoencoder(3, max_seconds=0.5, patience=10**6, random_state=0).fit(X)
    seconds, rates = ([epoch[name] for epoch in model.history_] for name in ("seconds", "learning_rate"))
    assert max(seconds[:-1]) < 0.5 <= seconds[-1] < 0.51
    assert rates[-1] < 0.1 * max(rates)


def test_training_and_scoring_use_one_formula():
    model = hg.Autoencoder(3, max_epochs=1, validation_fraction=0, learning_rate=1e-12, random_state=0).fit(X)
    assert model.history_[0]["train"] == pytest.approx(-model.score(X), rel=1e-5)
    errors = model.feature_errors(X).sum(1)
    nats = 0.5 * (errors + 13 * math.log(2 * math.pi))
    np.testing.assert_allclose(-model.score_samples(X), nats, rtol=1e-9)


def test_partial_fit_learns_on():
    model = hg.Autoencoder(3, random_state=0, batch_size=16, learning_rate=1e-3)
    model.partial_fit(X[:100])
    before = model.score(X)
    for _ in range(10):
        model.partial_fit(X)
    assert model.score(X) > before
    assert [epoch["epoch"] for epoch in model.history_] == list(range(1, 12))


def test_partial_fit_goes_on_after_fit_and_whatever_the_clock_says():
    model = hg.Autoencoder(3, random_state=0, max_seconds=0.05, batch_size=16).fit(X)
    epochs = len(model.history_)
    for _ in range(3):
        model.partial_fit(X)
    assert [epoch["epoch"] for epoch in model.history_] == list(range(1, epochs + 4))


def test_a_pickled_copy_takes_another_optimizer_as_the_original_does():
    model = hg.Autoencoder(3, hidden=(8,), random_state=0).partial_fit(X)
    copied = pickle.loads(pickle.dumps(model))
    for each in (model, copied):
        each.set_params(optimizer="muon").partial_fit(X)
    np.testing.assert_array_equal(copied.transform(X), model.transform(X))


def test_partial_fit_keeps_the_last_good_weights():
    model = hg.Autoencoder(3, random_state=0, learning_rate=1e12).partial_fit(X[:2])
    before = model.transform(X[:1])
    with pytest.raises(hg.TrainingDivergedError):
        for _ in range(9):
            model.partial_fit(X)
    assert np.isfinite(model.transform(X)).all()
    assert before.shape == (1, 3)


def test_gradient_clipping_bounds_the_first_step():
    settings = {"max_epochs": 1, "batch_size": 178, "validation_fraction": 0, "schedule": "constant", "random_state": 0}
    free = hg.Autoencoder(3, **settings).fit(X)
    clipped = hg.Autoencoder(3, gradient_clip=1e-12, **settings).fit(X)
    start = hg.Autoencoder(3, learning_rate=1e-30, **settings).fit(X)

    def moved(model):
        return (model.encoder_[1].linear.weight - start.encoder_[1].linear.weight).abs().max().item()

    assert moved(clipped) < 1e-3 * moved(free)


class Look(nn.Module):
    """Keeps the type of what passes in training, and may be picky."""

    def __init__(self, *refused):
        super().__init__()
        self.seen, self.refused = set(), refused

    def forward(self, h):
        if h.dtype in self.refused:
            raise TypeError("float32 is wanted")
        if self.training:
            self.seen.add(h.dtype)
        return h


PICTURES = np.random.default_rng(0).random((40, 6, 6), dtype=np.float32)


def trained_on_pictures(*layers, **settings):
    decoder = nn.Sequential(nn.Linear(2, 36), nn.Sigmoid())
    return hg.Autoencoder(2, encoder=nn.Sequential(*layers), decoder=decoder, max_epochs=2, random_state=0, **settings).fit(
        PICTURES
    )


@pytest.mark.parametrize(
    ("made_for_it", "layer", "refused", "used"),
    [
        (True, lambda: nn.Conv2d(1, 4, 3), (), torch.bfloat16),
        (True, lambda: nn.Conv2d(1, 4, 3), (torch.bfloat16,), torch.float32),
        (False, lambda: nn.Conv2d(1, 4, 3), (), torch.float32),
        (True, lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 64)), (), torch.float32),
    ],
)
def test_convolutions_train_in_bfloat16_where_the_processor_is_made_for_it(monkeypatch, made_for_it, layer, refused, used):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: made_for_it)
    model = trained_on_pictures(layer(), Look(*refused), nn.Flatten(), nn.Linear(64, 2))
    assert model.encoder_[1].seen == {used}
    assert {weights.dtype for weights in model.model_.parameters()} == {torch.float32}
    assert model.transform(PICTURES).dtype == np.float32


def test_bfloat16_hardly_changes_what_is_learned(monkeypatch):
    errors = []
    for made_for_it in (False, True):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda made_for_it=made_for_it: made_for_it)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = trained_on_pictures(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(64, 2), batch_size=8)
        errors.append(model.feature_errors(PICTURES).mean())
    assert errors[0] != errors[1]
    assert errors[0] == pytest.approx(errors[1], rel=0.01)


@pytest.mark.parametrize(
    ("likelihood", "data"),
    [(hg.Bernoulli(), PICTURES), (hg.Gaussian(), PICTURES), (hg.Categorical(), ["abba", "abab", "bb", "a"] * 10)],
)
def test_nats_are_counted_in_single_precision_where_networks_compute_in_bfloat16(likelihood, data):
    fitted = hg.VariationalAutoencoder(2, likelihood=likelihood, max_epochs=1, random_state=0).fit(data)
    model, x = fitted.model_, fitted._checked(data)
    x = model.scaling(fitted.kind_.to_tensor(x)).float()
    z = torch.randn(3, len(x), 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        output = model.decode(z.flatten(0, 1), x=x.repeat(3, *[1] * (x.ndim - 1)))
        of_samples, of_one = model.nll_of_samples(x, z), model.rebuilding(x, x, output[: len(x)])
    expected = model.likelihood.of_samples(x, output.float().view(3, *x.shape))
    torch.testing.assert_close(of_samples, expected)
    torch.testing.assert_close(of_one, expected[0].mean())


class View(nn.Module):
    """Takes the usual order of memory for granted, as ``x.view(len(x), -1)`` in many a user's network."""

    def forward(self, h):
        return h.view(len(h), -1)


@pytest.mark.parametrize(("flatten", "order"), [(nn.Flatten, torch.channels_last), (View, torch.contiguous_format)])
def test_filters_lie_in_the_fast_order_unless_a_network_refuses_it(flatten, order):
    model = trained_on_pictures(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), flatten(), nn.Linear(16, 2))
    assert model.encoder_[1].weight.is_contiguous(memory_format=order)


def test_units_that_are_never_above_zero_count_as_dead():
    def encoder(shape, codes):
        first = nn.Linear(*shape, 4)
        nn.init.constant_(first.bias[:1], -1e6)  # the first of four will never be above 0 again
        return nn.Sequential(first, nn.ReLU(), nn.Linear(4, codes))

    model = hg.Autoencoder(2, encoder=encoder, decoder=lambda shape, codes: nn.Linear(codes, *shape), max_epochs=2, random_state=0)
    assert model.fit(X).history_[-1]["dead"] >= 0.25
    assert hg.Autoencoder(2, max_epochs=1, validation_fraction=0, random_state=0).fit(X).history_[-1]["dead"] is None


def test_units_of_a_picture_are_its_channels():
    net = nn.Sequential(nn.ReLU())
    with watched_units(net) as alive:
        net(torch.tensor([[[[-1.0, -1.0]], [[-1.0, 2.0]]]]))
        net(torch.tensor([[[[-1.0, -1.0]], [[-1.0, -1.0]]]]))
    assert alive["0"].tolist() == [False, True]


def test_one_activation_may_stand_behind_layers_of_different_widths():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.last, self.act = nn.Linear(13, 4), nn.Linear(4, 6), nn.Linear(6, 2), nn.ReLU()
            nn.init.constant_(self.first.bias, -1e6)  # so that all four are dead, and the six that see zeros are not
            nn.init.constant_(self.second.bias, 1.0)

        def forward(self, x):
            return self.last(self.act(self.second(self.act(self.first(x)))))

    settings = {"decoder": lambda shape, codes: nn.Linear(codes, *shape), "learning_rate": 1e-6, "random_state": 0}
    model = hg.Autoencoder(2, encoder=Shared(), max_epochs=2, **settings).fit(load_wine().data)
    assert [epoch["dead"] for epoch in model.history_] == [pytest.approx(0.4)] * 2
    assert hg.diagnose(model, load_wine().data).dead == pytest.approx(0.4)


def test_learning_in_pieces_costs_what_it_says_from_the_start():
    waist = hg.Variational(2, warmup=0.3)
    model = hg.VariationalAutoencoder(waist, max_seconds=5, random_state=0)
    for _ in range(2):
        model.partial_fit(load_wine().data)
    assert model.model_.progress == 1


def test_progress_reaches_the_waist_within():
    waist = hg.Matched(hg.Variational(2, warmup=0.5))
    model = hg.VariationalAutoencoder(waist, max_epochs=1, random_state=0).fit(load_wine().data)
    model.model_.progress = 0.25
    assert model.bottleneck_.base.progress == model.model_.progress == 0.25


def test_held_out_rows_pass_in_batches_that_small_ones_allow():
    seen = []

    class Watched(nn.Linear):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    rows = np.random.default_rng(0).normal(size=(2000, 6))
    hg.Autoencoder(2, encoder=Watched(6, 2), batch_size=4, max_epochs=1, validation_fraction=0.5, random_state=0).fit(rows)
    assert max(seen) == 64


# Whatever torch is set to


def test_networks_are_of_single_precision_whatever_is_the_default():
    rows = load_wine().data.astype(np.float32)
    wanted = hg.Autoencoder(3, max_epochs=2, random_state=0).fit(rows)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        own = nn.Linear(13, 3)
        model = hg.Autoencoder(3, max_epochs=2, random_state=0).fit(rows)
        np.testing.assert_array_equal(model.transform(rows), wanted.transform(rows))
        assert torch.get_default_dtype() == torch.float64
        assert hg.Autoencoder(3, encoder=own, max_epochs=1).fit(rows).transform(rows).dtype == np.float32
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fitting_works_where_gradients_are_off(mode):
    rows = load_wine().data.astype(np.float32)
    wanted = hg.Autoencoder(3, max_epochs=2, random_state=0).fit(rows)
    with mode():
        model = hg.Autoencoder(3, max_epochs=1, random_state=0).fit(rows)
        model = hg.Autoencoder(3, max_epochs=2, random_state=0).fit(rows)
        model.partial_fit(rows)
    wanted.partial_fit(rows)
    np.testing.assert_array_equal(model.transform(rows), wanted.transform(rows))
    assert not any(tensor.is_inference() for tensor in model.model_.state_dict().values())


# Parameters, and pickles, between calls of partial_fit


def test_another_rate_is_that_of_the_next_call():
    rows = load_wine().data.astype(np.float32)
    model = hg.Autoencoder(3, random_state=0).partial_fit(rows)
    codes = model.transform(rows)
    model.set_params(learning_rate=1e-12).partial_fit(rows)
    np.testing.assert_allclose(model.transform(rows), codes, atol=1e-5)
    model.set_params(learning_rate=1e-2, optimizer="muon").partial_fit(rows)
    assert np.abs(model.transform(rows) - codes).max() > 1e-3
    assert [record["learning_rate"] for record in model.history_[1:]] == [1e-12, 1e-2]


def test_what_the_model_is_made_of_is_not_set_anew_on_the_way():
    rows = load_wine().data.astype(np.float32)
    model = hg.VariationalAutoencoder(3, hidden=(8,), random_state=0).partial_fit(rows)
    with pytest.raises(hg.ParameterError) as caught:
        model.set_params(bottleneck=hg.Variational(3, beta=4.0)).partial_fit(rows)
    assert str(caught.value) == (
        f"The 'bottleneck' parameter of VariationalAutoencoder was set to {hg.Variational(3, beta=4.0)!r}, and the model is made "
        "with 3: partial_fit can't rebuild it. Set it back to go on, or call fit for another model."
    )
    with pytest.raises(hg.ParameterError, match=re.escape("the model is made with Gaussian(variance='element')")):
        model.set_params(bottleneck=3, likelihood=hg.Gaussian()).partial_fit(rows)
    model.set_params(likelihood=None)
    assert len(model.set_params(bottleneck=3, hidden=[8], max_epochs=7).partial_fit(rows).history_) == 2


def test_a_pickle_goes_on_as_the_original_would():
    rows = load_wine().data.astype(np.float32)
    model = hg.Autoencoder(3, random_state=0).partial_fit(rows)
    copy = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    np.testing.assert_array_equal(copy.partial_fit(rows).transform(rows), model.partial_fit(rows).transform(rows))


# Torch's global generator


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.dropout = nn.Linear(13, 3), nn.Dropout(0.3)

    def forward(self, x):
        h = self.dropout(self.linear(x))
        return h + 0.01 * torch.rand_like(h) if self.training else h


def test_fits_in_threads_are_those_of_one_after_the_other():
    rows = load_wine().data.astype(np.float32)
    own = Noisy()
    before = torch.get_rng_state()

    def fitted(seed):
        return hg.Autoencoder(3, encoder=own, max_epochs=5, random_state=seed).fit(rows).transform(rows)

    alone = [fitted(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fitted, range(4)))
    np.testing.assert_array_equal(together, alone)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("network", "random"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.SiLU()), False),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), True),
        (nn.LSTM(2, 2, 2, dropout=0.1), True),
        (nn.LSTM(2, 2), False),
        (nn.RReLU(), True),
        (Noisy(), True),
    ],
)
def test_which_networks_may_draw_from_it(network, random):
    assert draws(network) is random
    generator = torch.Generator().manual_seed(0)
    before = torch.get_rng_state()
    with seeded_by(generator, network):
        assert torch.equal(torch.get_rng_state(), before) is not random
    assert torch.equal(torch.get_rng_state(), before)
