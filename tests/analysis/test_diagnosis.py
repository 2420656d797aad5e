from types import SimpleNamespace

import numpy as np
import pytest
import torch

import hourglass as hg
from hourglass.analysis.diagnosis import _astray, _gap, _perplexity, _risen, kept
from hourglass.errors import DataError, HourglassWarning

DIGITS = hg.datasets.load("digits")
X, T = DIGITS.x_train[:500, ::2, ::2], DIGITS.x_test[:80, ::2, ::2]  # 14 x 14
SMALL = {"hidden": (32,), "max_epochs": 5, "random_state": 0}


class Deaf(torch.nn.Module):
    """A decoder that knows the mean of all rows and hardly hears the codes."""

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.zeros(1, 14, 14))

    def forward(self, z):
        return self.mean + 1e-6 * z.sum(1)[:, None, None, None]


@pytest.fixture(scope="module")
def vae():
    return hg.VariationalAutoencoder(6, **SMALL).fit(X)


@pytest.fixture(scope="module")
def healthy(vae):
    return hg.diagnose(vae, T)


def test_a_healthy_model_has_no_findings(healthy):
    assert healthy.findings == ()
    assert healthy.collapsed is False
    assert healthy.active == 6
    assert healthy.worth > 20  # nats
    assert str(healthy).endswith("Nothing is wrong that shows in these figures.")


def test_the_divergence_is_that_of_encode(vae, healthy):
    assert healthy.codes.columns == ["code", "variance", "active", "kl", "worth"]
    assert healthy.kl == pytest.approx(vae.encode(T).kl.mean(), rel=1e-5)
    assert healthy.codes["kl"].sum() == pytest.approx(healthy.kl, rel=1e-5)
    np.testing.assert_allclose(healthy.codes["variance"], vae.transform(T).var(0, ddof=1), rtol=1e-4)


def test_the_log_tells_what_codes_tell(vae):
    assert vae.history_[-1]["kl"] > 5
    assert hg.Autoencoder(2, **SMALL | {"max_epochs": 1}).fit(X).history_[-1]["kl"] is None


@pytest.mark.parametrize(
    ("bottleneck", "changes", "advice"),
    [
        (
            hg.Variational(4, beta=50),
            {"max_epochs": 25},
            "A nat that they tell costs 50: lower beta, to 1 for a bound on the likelihood.",
        ),
        (4, {"hidden": None, "decoder": Deaf()}, "Try Variational(4, free_bits=0.1) or warmup=0.3, and a decoder that can do less"),
    ],
    ids=["beta", "deaf decoder"],
)
def test_collapse_is_found_where_it_is_provoked(bottleneck, changes, advice):
    model = hg.VariationalAutoencoder(bottleneck, **SMALL | changes)
    with pytest.warns(HourglassWarning, match=r"^The codes have collapsed: they tell 0\.\S+ nats of a row"):
        model.fit(X)
    found = hg.diagnose(model, T)
    assert found.collapsed
    assert found.kl < 0.15
    assert found.findings[0].startswith("The codes have collapsed")
    assert advice in found.findings[0]
    assert found.findings[0] in str(found)
    assert repr(found) == str(found)


def test_noise_under_a_fixed_variance_collapses_too():
    noise = np.random.default_rng(0).normal(size=(300, 6))
    model = hg.VariationalAutoencoder(2, likelihood=hg.Gaussian(4.0), **SMALL)
    with pytest.warns(HourglassWarning, match="The codes have collapsed"):
        model.fit(noise)
    assert "let it be learned, likelihood=Gaussian('element')." in hg.diagnose(model, noise).findings[0]


def test_what_codes_are_worth_by_hand():
    rows = np.random.default_rng(0).normal(size=(200, 5)) @ np.random.default_rng(1).normal(size=(5, 5))
    model = hg.Autoencoder(3, kind="table", **SMALL).fit(rows)
    pair = rows[:2]  # shuffled, each has the codes of the other
    Z = model.transform(pair)

    def nats(Z):
        scaled = (pair - model.inverse_transform(Z)) / rows.std(0)
        return 0.5 * np.square(scaled).sum(1).mean()

    found = hg.diagnose(model, pair)
    assert found.worth == pytest.approx(nats(Z[::-1]) - nats(Z), rel=1e-4)
    mixed = Z.copy()
    mixed[:, 1] = Z[::-1, 1]
    assert found.codes["worth"][1] == pytest.approx(nats(mixed) - nats(Z), rel=1e-4)
    assert (found.kl, found.collapsed, found.in_use, found.perplexity) == (None, None, None, None)


def test_idle_codes_of_a_sparse_model():
    found = hg.diagnose(hg.Autoencoder(hg.TopK(64, k=4), **SMALL).fit(X), T)
    assert found.active < 32
    assert found.findings[0].startswith(f"Only {found.active} of 64 codes are active. A waist of {found.active} does as well")
    idle = found.codes.filter(~found.codes["active"])
    assert (idle["variance"] == 0).all()
    assert (idle["worth"] == 0).all()


def test_a_decoder_of_a_plain_model_that_hears_nothing():
    found = hg.diagnose(hg.Autoencoder(4, decoder=Deaf(), **SMALL | {"hidden": None}).fit(X), T)
    assert found.collapsed is None
    assert found.findings[0].startswith("The decoder doesn't use the codes")


def test_a_codebook():
    model = hg.Autoencoder(hg.VectorQuantized(16, dim=2, places=4), **SMALL).fit(X)
    found = hg.diagnose(model, T)
    assert found.codes.columns == ["code", "in_use", "perplexity", "active", "worth"]
    assert found.codes["code"].to_list() == ["place0", "place1", "place2", "place3"]
    Z = torch.from_numpy(model.transform(T))
    counts = np.bincount(model.bottleneck_.indices(Z).numpy().ravel(), minlength=16)
    assert found.in_use == pytest.approx((counts > 0).mean())
    shares = counts[counts > 0] / counts.sum()
    assert found.perplexity == pytest.approx(np.prod(shares**-shares))


def test_perplexity_by_hand():
    assert _perplexity(np.array([3, 3, 0, 3, 3])) == pytest.approx(4)
    assert _perplexity(np.array([7])) == pytest.approx(1)


def test_the_gap_is_that_of_the_epoch_that_was_kept():
    def of(best, *losses, start=None):
        history = [{"epoch": number, "train": train, "validation": held} for number, (train, held) in enumerate(losses, 1)]
        model = SimpleNamespace(history_=history, best_epoch_=best, start_loss_=start)
        return kept(model), _gap(model), _risen(model)

    losses = (9.0, 9.5), (5.0, 8.0), (1.0, 8.5)
    assert of(2, *losses, start=12.0) == of(None, *losses) == ((2, 8.0), 3.0, 0.5)  # a file may not say
    assert of(3, *losses, start=12.0) == ((3, 8.5), 7.5, 0.0)
    assert of(0, *losses, start=6.0) == ((0, 6.0), None, 2.5)
    assert of(1, (9.0, None)) == of(4, *losses, (0.5, None)) == (None, None, 0.0)
    assert of(None) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("shape", "codes", "finding"),
    [
        ((60, 8), 4, "Rows are learned by heart: one held out"),
        ((100, 10), 1, "In the end rows were learned by heart"),
        ((40, 30), 8, "In the end rows were learned by heart"),  # the weights of the start were kept
    ],
)
def test_rows_learned_by_heart(shape, codes, finding):
    noise = np.random.default_rng(0).normal(size=shape)
    model = hg.Autoencoder(codes, hidden=(256,), max_epochs=60, patience=60, learning_rate=0.02, random_state=0).fit(noise)
    assert any(said.startswith(finding) for said in hg.diagnose(model, noise).findings)


def epochs(train, held_out):
    return [{"train": a, "validation": b} for a, b in zip(train, held_out, strict=True)]


@pytest.mark.parametrize(
    ("train", "held_out", "rise"),
    [
        ([40.0, 30.0, 20.0, 10.0], [41.0, 35.0, 50.0, 70.0], 0),  # learned by heart
        ([40.0, 160.0, 240.0, 48.0], [51.0, 90.0, 207.0, 49.0], 156),
        ([20.0, 18.0, 110.0, 17.0], [16.0, 18.0, 500.0, 17.0], 92),  # it came back, to less
        ([40.0, 30.0, 33.0, 28.0], [41.0, 31.0, 36.0, 29.0], 0),  # within half of what was gained
        ([40.0, 45.0, 60.0, 62.0], [41.0, 40.0, 39.0, 38.0], 0),  # codes that get dearer by and by
        ([40.0, 30.0, 60.0], [None, None, None], 30),
        ([], [], 0),
    ],
)
def test_how_far_training_went_astray(train, held_out, rise):
    assert _astray(epochs(train, held_out)) == rise


def test_training_that_never_came_below_its_start_went_astray_at_once():
    assert _astray(epochs([90.0, 80.0], [91.0, 85.0]), 40.0) == 40
    assert _astray(epochs([90.0, 39.0], [91.0, 85.0]), 40.0) == 0  # learned by heart
    model = hg.Autoencoder(4, max_epochs=3, learning_rate=1e6, random_state=0).fit(X)
    assert model.best_epoch_ == 0
    assert [said.split(":")[0] for said in hg.diagnose(model, X).findings] == ["Training diverged"]


def test_training_that_diverged_is_not_called_learning_by_heart():
    noise = np.random.default_rng(0).normal(size=(200, 10))
    model = hg.VariationalAutoencoder(3, hidden=(64,), max_epochs=30, patience=30, learning_rate=1.0, random_state=0).fit(noise)
    said = [finding for finding in hg.diagnose(model, noise).findings if "by heart" in finding or "diverged" in finding]
    rise = _astray(model.history_)
    assert rise > 20
    assert said == [
        f"Training diverged: on the way the loss went up by {rise:,.3g} nats, on rows that were learned from as well. "
        f"Lower learning_rate, which was up to {max(record['learning_rate'] for record in model.history_):.2g}."
    ]


def test_of_a_mixture_no_code_has_a_divergence_of_its_own():
    model = hg.VariationalAutoencoder(hg.Variational(3, prior=hg.MixturePrior(2)), **SMALL).fit(X)
    found = hg.diagnose(model, T)
    assert found.codes["kl"].null_count() == 3
    assert found.kl == pytest.approx(model.encode(T, random_state=0).kl.mean(), abs=0.5)  # of samples


def test_with_a_condition():
    labels = DIGITS.y_train[:500]
    model = hg.VariationalAutoencoder(4, **SMALL).fit(X, condition=labels)
    found = hg.diagnose(model, X[:50], condition=labels[:50])
    assert (found.rows, found.collapsed) == (50, False)


def test_what_is_refused(images):
    with pytest.raises(DataError, match=r"^A fitted autoencoder can be diagnosed. Got AnomalyDetector.$"):
        hg.diagnose(hg.AnomalyDetector(), X)
    with pytest.raises(DataError, match=r"^Codes can't be compared between rows of which there is only one. Give two or more.$"):
        hg.diagnose(images.model, images.X_test[:1])
