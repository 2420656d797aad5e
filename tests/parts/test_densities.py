"""Distributions of codes, against torch's own."""

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, kl_divergence
from torch.distributions import Normal as TorchNormal

from hourglass.parts.densities import Mixture, Normal

CHANCE = torch.Generator().manual_seed(0)


def some(*shape):
    return torch.randn(shape, generator=CHANCE, dtype=torch.float64)


A = Normal(some(5, 3), some(5, 3).exp())
B = Normal(some(3), some(3).exp())
MIXTURE = Mixture(some(4).log_softmax(0), Normal(some(4, 3), some(4, 3).exp()))


def test_densities_and_divergences_are_those_of_torch():
    z, ours = some(7, 5, 3), TorchNormal(*A)
    torch.testing.assert_close(A.log_density(z), ours.log_prob(z).sum(-1))
    torch.testing.assert_close(A.kl(B), kl_divergence(ours, TorchNormal(*B)))


def test_the_density_of_a_mixture_is_that_of_torch():
    theirs = MixtureSameFamily(Categorical(logits=MIXTURE.log_weight), Independent(TorchNormal(*MIXTURE.components), 1))
    z = some(7, 5, 3)
    torch.testing.assert_close(MIXTURE.log_density(z), theirs.log_prob(z))


def test_a_mixture_holds_few_differences_at_a_time(monkeypatch):
    z, held = some(7, 50, 3), []
    at_once = MIXTURE.log_density(z)
    of_components = Normal.log_density
    monkeypatch.setattr("hourglass.parts.densities.BLOCK", 120)  # of ten codes
    monkeypatch.setattr(Normal, "log_density", lambda self, z: held.append(len(z)) or of_components(self, z))
    torch.testing.assert_close(MIXTURE.log_density(z), at_once)
    assert held == [10] * 35
    assert MIXTURE.log_density(z[:0]).shape == (0, 50)


def test_draws_have_the_moments_of_their_distribution_and_come_again_with_the_seed():
    drawn = B.draw(torch.Generator().manual_seed(1), 40_000)
    torch.testing.assert_close(drawn.mean(0), B.mean, atol=0.05, rtol=0.02)
    torch.testing.assert_close(drawn.std(0), B.std, atol=0.01, rtol=0.02)
    drawn = MIXTURE.draw(torch.Generator().manual_seed(1), 40_000)
    weight, (mean, std) = MIXTURE.log_weight.exp()[:, None], MIXTURE.components
    expected = (weight * mean).sum(0)
    torch.testing.assert_close(drawn.mean(0), expected, atol=0.05, rtol=0.02)
    variance = (weight * (std.square() + mean.square())).sum(0) - expected.square()
    torch.testing.assert_close(drawn.var(0), variance, atol=0.05, rtol=0.05)
    assert torch.equal(drawn, MIXTURE.draw(torch.Generator().manual_seed(1), 40_000))


def test_gradients_of_a_divergence_are_right():
    mean, log_std = (some(2, 3).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(lambda m, s: Normal(m, s.exp()).kl(B), (mean, log_std))
