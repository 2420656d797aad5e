import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Bernoulli

import hourglass as hg

TARGET = torch.tensor([[0.2, 0.9], [0.5, 0.0]], dtype=torch.float64)
OUTPUT = torch.tensor([[0.1, 1.4], [-0.3, 2.0]], dtype=torch.float64)


@pytest.mark.parametrize("variance", [1.0, 0.04, 9])
def test_gaussian_is_the_normal_density(variance):
    nll = hg.Gaussian(variance).build((2,)).nll(TARGET, OUTPUT)
    expected = -stats.norm.logpdf(TARGET.numpy(), OUTPUT.numpy(), math.sqrt(variance))
    np.testing.assert_allclose(nll.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(("variance", "shape"), [("shared", ()), ("element", (2,))])
def test_learned_variance_is_the_normal_density_at_its_value(variance, shape):
    module = hg.Gaussian(variance).build((2,)).double()
    assert module.log_variance.shape == shape
    with torch.no_grad():
        module.log_variance.fill_(math.log(0.25))
    expected = -stats.norm.logpdf(TARGET.numpy(), OUTPUT.numpy(), 0.5)
    np.testing.assert_allclose(module.nll(TARGET, OUTPUT).detach().numpy(), expected)


def test_learned_variance_settles_at_the_mean_squared_error():
    module = hg.Gaussian("shared").build((2,)).double()
    optimizer = torch.optim.LBFGS(module.parameters(), max_iter=50)

    def loss():
        optimizer.zero_grad()
        total = module.total(TARGET, OUTPUT)
        total.backward()
        return total

    optimizer.step(loss)
    assert module.log_variance.exp().item() == pytest.approx((TARGET - OUTPUT).square().mean().item(), rel=1e-6)


def test_bernoulli_is_the_cross_entropy():
    module = hg.Bernoulli().build((2,))
    binary = TARGET.round()
    np.testing.assert_allclose(module.nll(binary, OUTPUT), -Bernoulli(logits=OUTPUT).log_prob(binary))
    p = 1 / (1 + np.exp(-OUTPUT.numpy()))
    np.testing.assert_allclose(
        module.nll(TARGET, OUTPUT), -(TARGET.numpy() * np.log(p) + (1 - TARGET.numpy()) * np.log(1 - p)), rtol=1e-9
    )
    np.testing.assert_allclose(module.mean(OUTPUT), p)


@pytest.mark.parametrize("part", [hg.Gaussian(), hg.Gaussian(0.3), hg.Gaussian("shared"), hg.Gaussian("element"), hg.Bernoulli()])
def test_total_is_the_sum_and_its_gradient_is_right(part):
    module = part.build((2,)).double()
    torch.testing.assert_close(module.of_rows(TARGET, OUTPUT), module.nll(TARGET, OUTPUT).sum(1))
    output = OUTPUT.clone().requires_grad_()
    total = module.total(TARGET, output)
    assert total.item() == pytest.approx(module.nll(TARGET, OUTPUT).sum().item())
    total.backward()
    by_elements = OUTPUT.clone().requires_grad_()
    module.nll(TARGET, by_elements).sum().backward()
    np.testing.assert_allclose(output.grad, by_elements.grad)


@pytest.mark.parametrize("variance", [0, -1.0, math.inf, "own", True])
def test_impossible_variances_are_refused(variance):
    with pytest.raises(hg.ParameterError) as caught:
        hg.Gaussian(variance)
    assert str(caught.value) == (
        f"The 'variance' parameter of Gaussian must be a positive float, 'shared' or 'element'. Got {variance!r} instead."
    )
