"""The variational waist, its priors, and codes matched to a normal distribution."""

import math

import pytest
import torch

import hourglass as hg
from hourglass.parts.densities import Mixture, Normal
from hourglass.parts.variational import discrepancy


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


H = torch.randn(6, 4, generator=chance(), dtype=torch.float64)  # means and log variances of two codes


def test_the_cost_is_the_divergence_in_closed_form():
    code = hg.Variational(2).build()(H, chance())
    mean, log_variance = H.chunk(2, 1)
    expected = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(1)  # Kingma and Welling, appendix B
    torch.testing.assert_close(code.cost, expected)
    torch.testing.assert_close(code.kl, expected)
    noise = torch.randn(6, 2, generator=chance(), dtype=torch.float64)
    torch.testing.assert_close(code.z, mean + (0.5 * log_variance).exp() * noise)


def test_without_a_generator_the_code_is_the_mean():
    assert torch.equal(hg.Variational(2).build()(H).z, H[:, :2])


def test_beta_weighs_the_cost_but_not_the_divergence():
    plain, heavy = (hg.Variational(2, beta=beta).build()(H, chance()) for beta in (1, 4))
    torch.testing.assert_close(heavy.cost, 4 * plain.cost)
    torch.testing.assert_close(heavy.kl, plain.kl)


def test_free_bits_are_the_least_that_a_code_costs_in_the_mean_over_the_batch():
    mean, log_variance = H.chunk(2, 1)
    each = (0.5 * (log_variance.exp() + mean.square() - 1 - log_variance)).mean(0)
    free = float(each.mean())  # between the two
    cost = hg.Variational(2, free_bits=free).build()(H, chance()).cost
    torch.testing.assert_close(cost.mean(), each.max() + free)


def test_the_cost_rises_while_training_warms_up():
    module = hg.Variational(2, warmup=0.5).build()
    whole = module.eval()(H, chance()).cost
    module.train().progress = 0.25
    torch.testing.assert_close(module(H, chance()).cost, whole / 2)
    module.progress = 0.75
    torch.testing.assert_close(module(H, chance()).cost, whole)
    module.eval().progress = 0.0
    torch.testing.assert_close(module(H, chance()).cost, whole)


def test_a_learned_mixture_costs_what_the_sample_says():
    module = hg.Variational(2, prior=hg.MixturePrior(3)).build().double()
    code = module(H, chance())
    expected = code.posterior.log_density(code.z) - module.density().log_density(code.z)
    torch.testing.assert_close(code.kl, expected)
    assert isinstance(module.density(), Mixture)


def test_a_vamp_prior_is_the_mean_of_the_posteriors_of_its_inputs():
    module = hg.Variational(2, prior=hg.VampPrior(6)).build((5,)).double()
    x = torch.randn(30, 5, generator=chance(), dtype=torch.float64)
    module.prior.start(x, chance())
    assert all(any(torch.equal(row, other) for other in x) for row in module.prior.inputs)
    z = torch.randn(3, 2, generator=chance(1), dtype=torch.float64)
    each = torch.stack([module.posterior(h[None]).log_density(z) for h in H])
    torch.testing.assert_close(module.density(H).log_density(z), torch.logsumexp(each, 0) - math.log(6))


def test_discrepancy_by_brute_force_and_its_gradient():
    a, b = (torch.randn(5, 3, generator=chance(seed), dtype=torch.float64) for seed in (1, 2))

    def kernel(x, y):
        return sum(6 * s / (6 * s + float((x - y).square().sum())) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    within = sum(kernel(x, y) for some in (a, b) for i, x in enumerate(some) for j, y in enumerate(some) if i != j) / 20
    across = sum(kernel(x, y) for x in a for y in b) / 25
    assert float(discrepancy(a, b)) == pytest.approx(within - 2 * across)
    assert torch.autograd.gradcheck(discrepancy, (a.requires_grad_(), b))


def test_matched_codes_cost_their_discrepancy_each():
    module = hg.Matched(hg.Plain(4), weight=10).build()
    code = module(H, chance())
    usual = torch.randn(6, 4, generator=chance(), dtype=torch.float64)
    torch.testing.assert_close(code.cost, 10 * discrepancy(H, usual).expand(6))
    assert torch.equal(code.z, H)
    assert isinstance(module.density(), Normal)
    assert torch.equal(module(H).cost, torch.zeros(6, dtype=torch.float64))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: hg.Variational(0), "The 'n' parameter of Variational must be a positive int. Got 0 instead."),
        (lambda: hg.Variational(2, beta=-1), "The 'beta' parameter of Variational must be a float of at least 0. Got -1 instead."),
        (lambda: hg.Variational(2, warmup=2), "The 'warmup' parameter of Variational must be a float from 0 to 1. Got 2 instead."),
        (lambda: hg.Variational(2, prior="x"), "The 'prior' parameter of Variational must be a prior part. Got 'x' instead."),
        (lambda: hg.MixturePrior(0), "The 'components' parameter of MixturePrior must be a positive int. Got 0 instead."),
        (
            lambda: hg.Matched(hg.Open()),
            "The 'base' parameter of Matched must be a bottleneck part with codes. Got Open() instead.",
        ),
        (
            lambda: hg.Matched(hg.FiniteScalar((3, 3))),
            "The 'base' parameter of Matched must be a bottleneck part whose codes are not quantised. "
            "Got FiniteScalar(levels=(3, 3), places=16) instead.",
        ),
    ],
)
def test_what_is_refused(wrong, words, sentence):
    assert sentence(hg.ParameterError, wrong) == words
