"""Distributions fitted to codes."""

import math
from itertools import product

import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from hourglass.parts.samplers import Autoregressive, Flow, FullMixture


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def a_mixture():
    found = FullMixture(2, 3)
    found.log_weight.copy_(torch.tensor([0.3, 0.7]).log())
    found.mean.copy_(torch.tensor([[0.0, 1.0, 2.0], [3.0, -1.0, 0.0]]))
    found.root.copy_(torch.tensor([[[1.0, 0, 0], [0.5, 2, 0], [0, -0.3, 0.5]], [[0.4, 0, 0], [0, 0.4, 0], [0.2, 0.1, 1]]]))
    return found


def test_the_density_of_a_mixture_is_that_of_torch(monkeypatch):
    ours = a_mixture()
    theirs = MixtureSameFamily(Categorical(logits=ours.log_weight), MultivariateNormal(ours.mean, scale_tril=ours.root))
    z = torch.randn(9, 3, generator=chance())
    torch.testing.assert_close(ours.log_density(z), theirs.log_prob(z))
    monkeypatch.setattr("hourglass.parts.densities.BLOCK", 12)  # two codes at a time
    torch.testing.assert_close(ours.log_density(z), theirs.log_prob(z))


def test_draws_of_a_mixture_have_its_mean_and_covariance():
    drawn = a_mixture().draw(chance(), 100_000)
    torch.testing.assert_close(drawn.mean(0), torch.tensor([2.1, -0.4, 0.6]), atol=0.03, rtol=0.02)
    first, second = (root @ root.T for root in a_mixture().root)
    apart = torch.tensor([3.0, -2.0, -2.0])
    expected = 0.3 * first + 0.7 * second + 0.21 * torch.outer(apart, apart)
    torch.testing.assert_close(torch.cov(drawn.T), expected, atol=0.05, rtol=0.05)


def test_draws_of_a_mixture_by_hand():
    mixture, generator = a_mixture(), chance(3)
    chosen = torch.multinomial(mixture.log_weight.exp(), 50, replacement=True, generator=generator)
    noise = torch.randn(50, 3, generator=generator)
    expected = [mixture.mean[c] + mixture.root[c] @ one for c, one in zip(chosen, noise, strict=True)]
    torch.testing.assert_close(mixture.draw(chance(3), 50), torch.stack(expected))


def test_noise_that_flows_nowhere_is_normal():
    module = Flow(3, chance()).eval()  # its last layer is 0 at first
    module.mean.copy_(torch.tensor([1.0, 0, -2]))
    module.scale.copy_(torch.tensor([0.5, 1, 3]))
    with torch.inference_mode():
        z = module.draw(chance(), 500)
        density = module.log_density(z[:9])
    torch.testing.assert_close(z, module.mean + module.scale * torch.randn(500, 3, generator=chance()))
    torch.testing.assert_close(density, torch.distributions.Normal(module.mean, module.scale).log_prob(z[:9]).sum(1))


def test_a_flow_that_only_stretches_has_the_density_of_what_it_stretched():
    module = Flow(2, chance()).eval()
    module.velocity = lambda x, time: x  # dx/dt = x: codes end e times as far from 0
    z = module.draw(chance(), 50_000)
    torch.testing.assert_close(z.std(0), torch.full((2,), math.e), atol=0, rtol=0.01)
    expected = torch.distributions.Normal(0, math.e).log_prob(z[:9]).sum(1)
    torch.testing.assert_close(module.log_density(z[:9]), expected, atol=4e-3, rtol=0)


def test_probabilities_of_all_sequences_add_up_to_one_and_draws_follow_them():
    module = Autoregressive(3, 4, chance(1)).eval()
    every = torch.tensor(list(product(range(3), repeat=4)))
    with torch.no_grad():
        probability = module.log_density(every).exp()
        drawn = module.draw(chance(2), 50_000)
    assert abs(float(probability.sum()) - 1) < 1e-5
    place = (drawn * torch.tensor([27, 9, 3, 1])).sum(1)
    share = torch.bincount(place, minlength=81) / len(drawn)
    torch.testing.assert_close(share, probability, atol=0.004, rtol=0.1)
