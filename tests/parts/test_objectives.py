"""What training minimises, against the formulas written out."""

import math

import pytest
import torch

import hourglass as hg
from hourglass.model import Hourglass
from hourglass.parts.densities import Normal
from hourglass.parts.objectives import OBJECTIVES, total_correlation
from hourglass.parts.scaling import UnitScaling

X = torch.rand(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def a_model(objective, waist=None):
    generator = chance()
    net = hg.Dense(hidden=())
    return Hourglass(
        (4,),
        scaling=UnitScaling(1.0),
        encoder=net.encoder((4,), 4, generator),
        bottleneck=(waist or hg.Variational(2)).build((4,)),
        decoder=net.decoder((4,), 2, generator),
        likelihood=hg.Gaussian(0.5).build((4,)),
        objective=objective,
    ).double()


def by_hand(model, samples):
    """Log weights (samples, batch) of samples drawn as the model draws them."""
    mean, log_variance = model.encoder(X).chunk(2, 1)
    noise = torch.randn(samples, 8, 2, generator=chance(), dtype=torch.float64)
    z = mean + (0.5 * log_variance).exp() * noise
    posterior = Normal(mean, (0.5 * log_variance).exp()).log_density(z)
    prior = Normal(torch.zeros(2).double(), torch.ones(2).double()).log_density(z)
    likelihood = Normal(model.decoder(z.flatten(0, 1)).view(samples, 8, 4), torch.full((4,), 0.5**0.5).double()).log_density(X)
    return likelihood + prior - posterior


def test_the_table_has_every_objective_and_all_of_them_train():
    assert set(OBJECTIVES.values()) == {hg.Elbo, hg.ImportanceWeighted, hg.TotalCorrelation, hg.Capacity}
    for objective in OBJECTIVES.values():
        model = a_model(objective())
        loss = model.loss(X, chance()).total
        loss.backward()
        assert loss.isfinite() and all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_the_elbo_is_the_likelihood_less_the_divergence():
    model = a_model(hg.Elbo())
    code = model.encode(X, chance())
    nll = model.likelihood.of_rows(X, model.decode(code.z))
    loss = model.loss(X, chance())
    torch.testing.assert_close(loss.nll, nll.mean())
    torch.testing.assert_close(loss.cost, code.kl.mean())


@pytest.mark.parametrize("doubly", [False, True])
def test_the_importance_weighted_bound_is_the_logarithm_of_the_mean_weight(doubly):
    model = a_model(hg.ImportanceWeighted(6, doubly=doubly))
    expected = torch.logsumexp(by_hand(model, 6), 0).mean() - math.log(6)
    torch.testing.assert_close(-model.loss(X, chance()).total, expected)


def test_the_bound_tightens_with_the_samples():
    with torch.no_grad():
        bounds = [-a_model(hg.ImportanceWeighted(k)).loss(X.repeat(50, 1), chance()).total.item() for k in (1, 5, 50)]
    assert bounds[0] < bounds[1] < bounds[2]


def test_doubly_reparameterised_gradients_are_those_of_the_bound_in_the_mean():
    gradients = []
    for doubly in (False, True):
        model = a_model(hg.ImportanceWeighted(4, doubly=doubly))
        model.loss(X.repeat(4000, 1), chance()).total.backward()
        gradients.append((model.encoder[1].weight.grad, model.decoder[0].weight.grad))
    torch.testing.assert_close(gradients[0][1], gradients[1][1])  # of the decoder, for each sample
    torch.testing.assert_close(gradients[0][0], gradients[1][0], atol=0.02, rtol=0.05)  # of the encoder, in expectation


def test_doubly_reparameterised_gradients_are_less_noisy():
    spread = []
    for doubly in (False, True):
        found = []
        for seed in range(40):
            model = a_model(hg.ImportanceWeighted(32, doubly=doubly))
            model.loss(X, chance(seed)).total.backward()
            found.append(model.encoder[1].weight.grad)
        spread.append(torch.stack(found).std(0).mean())
    assert spread[1] < 0.7 * spread[0]


def test_total_correlation_by_brute_force():
    z, posterior = torch.randn(5, 3, dtype=torch.float64, generator=chance(1)), Normal(*torch.rand(2, 5, 3, dtype=torch.float64))
    density = posterior.log_densities(z[:, None]).exp()  # (of z, of posterior, codes)
    together = density.prod(2).mean(1).log()
    apart = density.mean(1).log().sum(1)
    torch.testing.assert_close(total_correlation(z, posterior), (together - apart).mean())
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: total_correlation(z, posterior), (z,))


def test_total_correlation_is_added_to_the_divergence():
    model, plain = a_model(hg.TotalCorrelation(beta=3)), a_model(hg.Elbo())
    code = model.encode(X, chance())
    extra = 2 * total_correlation(code.z, code.posterior)
    torch.testing.assert_close(model.loss(X, chance()).total, plain.loss(X, chance()).total + extra)


def test_capacity_presses_the_divergence_to_a_number_that_rises():
    model = a_model(hg.Capacity(nats=3, gamma=7))
    kl = model.encode(X, chance()).kl.mean()
    model.train().progress = 0.5
    torch.testing.assert_close(model.loss(X, chance()).cost, 7 * (kl - 1.5).abs())
    torch.testing.assert_close(model.eval().loss(X, chance()).cost, 7 * (kl - 3).abs())


def test_importance_weights_go_with_every_prior():
    for prior in (hg.MixturePrior(3), hg.VampPrior(3)):
        model = a_model(hg.ImportanceWeighted(3), hg.Variational(2, prior=prior))
        if prior == hg.VampPrior(3):
            with torch.no_grad():
                model.bottleneck.prior.inputs.copy_(X[:3])
        assert model.loss(X, chance()).total.isfinite()


def test_weights_of_a_network_that_gives_no_distribution_are_refused(sentence):
    words = sentence(hg.ParameterError, hg.Autoencoder(2, objective="importance-weighted").fit, X.numpy())
    assert words == (
        "The 'objective' parameter of Autoencoder can't be ImportanceWeighted(k=5, doubly=False) with Plain(n=2): it needs codes "
        "with a distribution. Use Variational(n), or leave the objective out."
    )
    words = sentence(hg.ParameterError, hg.VariationalAutoencoder(2, objective="elbow").fit, X.numpy())
    assert words == "The 'objective' parameter of VariationalAutoencoder has no choice 'elbow'. Did you mean 'elbo'?"
