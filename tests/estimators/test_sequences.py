"""Rows of symbols through the estimators: everything that other kinds can do."""

import numpy as np
import polars as pl
import pytest
import torch

import hourglass as hg
from hourglass.estimators import samplers

CHANCE = np.random.default_rng(0)
LINES = ["".join(CHANCE.choice(list("abc"), CHANCE.integers(1, 6))) for _ in range(200)]
SMALL = {"embedding": 16, "widths": (32,), "hidden": (32,)}
DECODERS = {
    "one-shot": hg.OneShot(**SMALL),
    "recurrent": hg.Recurrent(**SMALL, units=32),
    "causal": hg.Causal(**SMALL, dilations=(1, 2)),
}
SMILES = ["CC(O)C", "CC=N", "CC(=O)O", "c1ccccc1", "ClC=C", "CC#N", "C1CCCC1", "C=COC", "OCC(N)C", "CC(C)=O"] * 3


@pytest.fixture(scope="module", params=DECODERS)
def model(request):
    networks = {"encoder": DECODERS["one-shot"], "decoder": DECODERS[request.param]}
    return hg.VariationalAutoencoder(hg.Variational(8, beta=0.1), **networks, max_epochs=120, random_state=0).fit(LINES)


def test_rows_are_rebuilt(model):
    rebuilt = model.reconstruct(LINES)
    share = np.mean([before == after for before, after in zip(LINES, rebuilt, strict=True)])
    assert share > 0.6
    assert hg.metrics.exact(model, LINES) == pytest.approx(share)
    assert model.inverse_transform(model.transform(LINES)) == rebuilt
    assert model.transform(LINES).shape == (200, 8)


def test_what_is_drawn_is_strings(model):
    made = model.sample(50, random_state=0)
    assert len(made) == 50
    assert set("".join(made)) <= set("abc")
    assert max(map(len, made)) <= 5
    assert made == model.sample(50, random_state=0)
    noisy = model.sample(50, noisy=True, random_state=0)
    assert noisy == model.sample(50, noisy=True, random_state=0)
    assert noisy != made
    way = model.interpolate(LINES[0], LINES[1], steps=4)
    assert [way[0], way[-1]] == model.reconstruct(LINES[:2])
    assert model.interpolate(LINES[:3], steps=4)[3] == model.reconstruct(LINES[1:2])[0]
    assert len(model.traverse(0, LINES[0], steps=3)) == 3


def test_the_nearer_to_certain_symbols_are_drawn_the_more_are_the_likeliest(model):
    made = model.sample(50, random_state=0)
    assert model.sample(50, top_p=1e-6, random_state=0) == made
    assert model.sample(50, temperature=1.0, random_state=0) == model.sample(50, noisy=True, random_state=0)
    same = [np.mean(np.array(model.sample(50, temperature=heat, random_state=0)) == made) for heat in (0.1, 1, 10)]
    assert same[0] > same[1] > same[2]


def test_likelihoods_agree(model):
    bound = model.elbo(LINES[:20], n_samples=50, random_state=0)
    assert (bound.elbo <= model.log_likelihood(LINES[:20], 200, random_state=0).nats + 0.5).all()
    symbols = np.minimum([len(line) + 1 for line in LINES[:20]], 5)  # with the end, where there is one
    assert (model.score_samples(LINES[:20]) <= 0).all()
    assert ((model.feature_errors(LINES[:20]) > 0).sum(1) == symbols).all()
    np.testing.assert_allclose(bound.bits, -bound.elbo / (np.log(2) * 5), rtol=1e-6)


def test_errors_are_summed_over_the_alphabet_before_all_rows_are_side_by_side(model, monkeypatch):
    wanted, summed, asked = model.feature_errors(LINES[:20]), type(model.kind_).summed, []
    monkeypatch.setattr(type(model.kind_), "summed", lambda kind, values: asked.append(values.shape) or summed(kind, values))
    np.testing.assert_array_equal(model.feature_errors(LINES[:20]), wanted)
    assert asked == [(20, 5, 1)]


def test_a_file_gives_the_same(model, tmp_path):
    model.fit_sampler(LINES, "mixture", random_state=0)
    model.save(tmp_path / "model.safetensors")
    again = hg.load(tmp_path / "model.safetensors")
    assert again.kind_ == model.kind_
    assert again.reconstruct(LINES) == model.reconstruct(LINES)
    assert again.sample(9, random_state=1) == model.sample(9, random_state=1)
    assert hg.info(tmp_path / "model.safetensors")["data"] == "rows of up to 5 characters, 3 different ones"


def test_a_mixture_is_fitted_to_codes_as_they_are_drawn():
    vague = hg.VariationalAutoencoder(hg.Variational(4), max_epochs=1, random_state=0).fit(LINES)
    codes, mixture = vague.encode(LINES), vague.fit_sampler(LINES, "mixture", random_state=0).sampler_.module
    spread = mixture.draw(torch.Generator().manual_seed(0), 20_000).var(0)
    np.testing.assert_allclose(spread, codes.mean.var(0) + np.square(codes.std).mean(0), rtol=0.4)
    assert codes.mean.var(0).min() < 0.1


def test_a_flow_is_fitted_kept_in_a_file_and_drawn_from(model, tmp_path, monkeypatch):
    monkeypatch.setattr(samplers, "FLOWING_STEPS", 1)
    model.fit_sampler(LINES, "flow", random_state=0)
    assert (model.sampler_.name, list(model.sampler_.held_out)) == ("flow", ["flow"])
    model.save(tmp_path / "model.safetensors")
    made = model.sample(5, random_state=1)
    assert len(made) == 5
    assert hg.load(tmp_path / "model.safetensors").sample(5, random_state=1) == made


def test_the_choices_for_symbols():
    model = hg.VariationalAutoencoder(kind="words", max_epochs=1, random_state=0).fit(["so it is", "it is so", "is it"])
    asked = model._asked
    assert asked["bottleneck"] == hg.Variational(64, beta=0.2, warmup=0.3)
    assert asked["likelihood"] == hg.Categorical()
    molecules = hg.VariationalAutoencoder(kind="molecule", max_epochs=1, random_state=0).fit(["CCO", "CC(=O)O"] * 5)
    assert molecules._asked["bottleneck"] == hg.Variational(64, beta=0.64, warmup=0.3)
    assert molecules._asked["decoder"] == hg.Causal(embedding=192, dilations=(1, 2, 4, 8))
    narrow = hg.VariationalAutoencoder(kind="molecule", hidden=(32,), max_epochs=1).fit(["CCO", "CC(=O)O"] * 5)
    assert narrow._asked["encoder"] == hg.Causal(embedding=192, dilations=(1, 2, 4, 8), hidden=(32,))
    assert model.kind_.describe() == "rows of up to 3 words, 3 different ones"
    plain = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(["ab", "b", "aab"] * 5)
    assert len(plain.reconstruct(["ab"])) == 1


def test_a_condition_is_told():
    letters = [line[0] for line in LINES]
    model = hg.VariationalAutoencoder(
        hg.Variational(4, beta=0.1), encoder=DECODERS["one-shot"], decoder=DECODERS["causal"], max_epochs=60, random_state=0
    ).fit(LINES, condition=letters)
    asked = ["a", "b", "c"] * 20
    made = model.sample(60, condition=asked, random_state=0)
    assert np.mean([row[:1] == letter for row, letter in zip(made, asked, strict=True)]) > 0.8
    assert model.log_likelihood(LINES[:3], 5, condition=letters[:3], random_state=0).nats.shape == (3,)


def test_molecules():
    model = hg.VariationalAutoencoder(4, encoder=DECODERS["one-shot"], decoder=DECODERS["one-shot"], max_epochs=2, random_state=0)
    table = pl.DataFrame({"smiles": SMILES})
    assert model.fit(SMILES).kind_.name == "molecule"
    assert len(model.reconstruct(SMILES[:4])) == 4
    by_column = hg.VariationalAutoencoder(4, kind="molecule", max_epochs=1, random_state=0).fit(table)
    assert by_column.kind_ == model.kind_
    assert len(by_column.sample(3, random_state=0)) == 3


def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    settings = {"encoder": DECODERS["one-shot"], "decoder": DECODERS["causal"], "max_epochs": 4, "random_state": 0}
    whole = hg.VariationalAutoencoder(4, **settings).fit(LINES)
    path = tmp_path / "run.safetensors"
    stopped = hg.VariationalAutoencoder(4, **settings, checkpoint=path)

    def interrupt(_, epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(hg.HourglassWarning, match="stopped by hand"):
        stopped.set_params(callbacks=(interrupt,)).fit(LINES)
    resumed = hg.VariationalAutoencoder(4, **settings, checkpoint=path).fit(LINES)
    np.testing.assert_array_equal(resumed.transform(LINES), whole.transform(LINES))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: hg.VariationalAutoencoder(4, likelihood=hg.Gaussian()).fit(LINES),
            "The 'likelihood' parameter of VariationalAutoencoder can't be Gaussian(variance=1.0) for rows of up to 5 characters, "
            "3 different ones. Use Categorical().",
        ),
        (
            lambda: hg.VariationalAutoencoder(4, corruption=hg.Noise(0.1)).fit(LINES),
            "The 'corruption' parameter of VariationalAutoencoder can't be Noise(std=0.1) for rows of up to 5 characters, "
            "3 different ones: it is for numbers. Use Typos or SwapSymbols.",
        ),
        (
            lambda: hg.AnomalyDetector(features=torch.nn.Identity()).fit(LINES),
            "The 'features' parameter of AnomalyDetector is for images. It can't stand before rows of symbols.",
        ),
        (
            lambda: hg.VariationalAutoencoder(4, columns={"a": "numeric"}).fit(LINES),
            "The 'columns' parameter is for tables, and rows of symbols have none. Got {'a': 'numeric'}.",
        ),
    ],
)
def test_what_does_not_go_with_symbols(call, said):
    with pytest.raises(hg.HourglassError) as caught:
        call()
    assert str(caught.value) == said


def test_symbols_are_drawn_as_they_can_be(model, sentence):
    for options, said in (
        ({"temperature": 0}, "The 'temperature' of samples must be a positive float. Got 0 instead."),
        ({"top_p": 1.5}, "The 'top_p' of samples must be a float above 0 and at most 1. Got 1.5 instead."),
        (
            {"top_p": 0.5, "noisy": False},
            "The 'top_p' of samples is for symbols that are drawn. Leave it, or noisy=False, out.",
        ),
    ):
        assert sentence(hg.ParameterError, model.sample, **options) == said


def test_figures_of_numbers_are_refused(model, sentence):
    said = "Errors of numbers can't be measured on rows of up to 5 characters, 3 different ones. Use metrics.exact(model, X)."
    assert sentence(hg.DataError, hg.metrics.reconstruction, model, LINES) == said
    digits = hg.datasets.load("digits").x_train[:50]
    pictures = hg.Autoencoder(2, hidden=(4,), max_epochs=1, random_state=0).fit(digits)
    said = "The 'temperature' of samples is for rows of symbols, and these are 28 x 28 grey images."
    assert sentence(hg.ParameterError, pictures.sample, temperature=1.0) == said
    assert sentence(hg.DataError, hg.metrics.exact, pictures, digits) == (
        "Only rows of symbols are rebuilt exactly or not. The model was fitted on 28 x 28 grey images."
    )


def test_a_number_of_codes_changes_their_number_alone():
    waist = hg.VariationalAutoencoder(8, max_epochs=1, random_state=0).fit(LINES)._waist
    assert waist == hg.Variational(8, beta=0.2, warmup=0.3)
    assert hg.VariationalAutoencoder(hg.Variational(8), max_epochs=1, random_state=0).fit(LINES)._waist == hg.Variational(8)
