import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Bernoulli
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure, structural_similarity_index_measure

import hourglass as hg
from hourglass.parts.structural import SCALES, multiscale_similarity, similarities

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


def test_the_variance_of_a_row_is_its_mean_squared_error():
    module = hg.Gaussian("row").build((2,))
    output = OUTPUT.clone().requires_grad_()
    squared = (TARGET - output).square().mean(1)
    profiled = (math.log(2 * math.pi) + 1 + squared.log()).sum()  # D/2 (log 2πe + log v) with D = 2
    assert module.total(TARGET, output).item() == pytest.approx(profiled.item())
    (gradient,) = torch.autograd.grad(module.total(TARGET, output), output)
    torch.testing.assert_close(gradient, torch.autograd.grad(profiled, output)[0])
    assert module.nll(TARGET, TARGET).isfinite().all()


def test_bernoulli_is_the_cross_entropy():
    module = hg.Bernoulli().build((2,))
    binary = TARGET.round()
    np.testing.assert_allclose(module.nll(binary, OUTPUT), -Bernoulli(logits=OUTPUT).log_prob(binary))
    p = 1 / (1 + np.exp(-OUTPUT.numpy()))
    np.testing.assert_allclose(
        module.nll(TARGET, OUTPUT), -(TARGET.numpy() * np.log(p) + (1 - TARGET.numpy()) * np.log(1 - p)), rtol=1e-9
    )
    np.testing.assert_allclose(module.mean(OUTPUT), p)


@pytest.mark.parametrize(
    "part",
    [hg.Gaussian(), hg.Gaussian(0.3), hg.Gaussian("shared"), hg.Gaussian("element"), hg.Gaussian("row"), hg.Bernoulli()],
)
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
        f"The 'variance' parameter of Gaussian must be a positive float, 'shared', 'element' or 'row'. Got {variance!r} instead."
    )


def test_a_variance_for_each_row_is_refused_where_columns_may_be_categories():
    with pytest.raises(hg.ParameterError) as caught:
        hg.Mixed("row")
    assert str(caught.value) == (
        "The 'variance' parameter of Mixed must be a positive float, 'shared' or 'element'. Got 'row' instead."
    )


def pictures(*size):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, *size, generator=generator, dtype=torch.float64)
    return x, (x + 0.2 * torch.randn(x.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)


@pytest.mark.parametrize("size", [(1, 28, 28), (3, 11, 30)])
def test_structural_similarity_is_that_of_torchmetrics(size):
    x, y = pictures(*size)
    theirs = structural_similarity_index_measure(y, x, data_range=1.0, reduction="none")
    torch.testing.assert_close(similarities(x, y)[0].mean((1, 2, 3)), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_multiscale_similarity_is_that_of_torchmetrics(scales):
    x, y = pictures(1, 50, 45)
    share = np.array(SCALES[:scales]) / sum(SCALES[:scales])
    theirs = multiscale_structural_similarity_index_measure(
        y, x, data_range=1.0, reduction="none", betas=tuple(share), normalize="relu"
    )
    torch.testing.assert_close(multiscale_similarity(x, y, scales), theirs, rtol=1e-5, atol=1e-6, check_dtype=False)


def test_similarity_of_flat_pictures_by_hand():
    x, y = (
        torch.full((1, 1, 4, 5), grey, dtype=torch.float64) for grey in (0.2, 0.6)
    )  # smaller than the window, and without any variance
    whole, contrast = similarities(x, y)
    torch.testing.assert_close(contrast, torch.ones_like(x))
    torch.testing.assert_close(whole, torch.full_like(x, (2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4)))


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize("base", [hg.Gaussian(0.3), hg.Bernoulli()])
def test_a_penalty_for_lost_structure_is_added_to_a_likelihood(base, scales):
    part = hg.Structural(base, weight=0.5, scales=scales)
    module, alone = part.build((1, 12, 9)), base.build((1, 12, 9))
    x, output = pictures(1, 12, 9)
    y = alone.mean(output)
    alike = similarities(x, y)[0] if scales == 1 else multiscale_similarity(x, y, 2)[:, None, None, None]
    torch.testing.assert_close(module.nll(x, output), alone.nll(x, output) + 0.5 * (1 - alike))
    torch.testing.assert_close(module.of_rows(x, output), module.nll(x, output).sum((1, 2, 3)))
    assert part.takes_logits == base.takes_logits
    assert torch.equal(module.mean(output), y)
    assert torch.equal(module.errors(x, y), (x - y) ** 2)
    gradients = []
    for formula in (module.total, lambda x, output: module.nll(x, output).sum()):
        leaf = output.clone().requires_grad_()
        total = formula(x, leaf)
        total.backward()
        gradients.append((total.detach(), leaf.grad))
    torch.testing.assert_close(*gradients)


def test_the_penalty_is_as_exact_in_bfloat16():
    module = hg.Structural().build((1, 12, 9))
    x, output = (picture.float() for picture in pictures(1, 12, 9))
    with torch.autocast("cpu", torch.bfloat16):
        half = module.nll(x, output)
    assert torch.equal(half, module.nll(x, output))
    torch.testing.assert_close(module.nll(x, x), hg.Gaussian().build((1, 12, 9)).nll(x, x))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: hg.Structural(hg.Structural()),
            "The 'base' parameter of Structural must be another likelihood part. "
            "Got Structural(base=Gaussian(variance=1.0), weight=0.05, scales=1) instead.",
        ),
        (lambda: hg.Structural(weight=0), "The 'weight' parameter of Structural must be a positive float. Got 0 instead."),
        (lambda: hg.Structural(scales=6), "The 'scales' parameter of Structural must be an int from 1 to 5. Got 6 instead."),
        (
            lambda: hg.Structural(scales=3).build((1, 11, 20)),
            "Structural with scales=3 compares pictures of at least 12 pixels on each side. Got pictures of 11 x 20 pixels.",
        ),
        (
            lambda: hg.Structural().build((4,)),
            "Structural with scales=1 compares pictures of at least 3 pixels on each side. Got a table.",
        ),
    ],
)
def test_what_structural_refuses(make, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        make()
    assert str(caught.value) == sentence


def test_categorical_is_the_cross_entropy_up_to_the_end_of_a_row():
    module = hg.Categorical().build((3, 2))
    target = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]])  # a symbol, the end, nothing
    output = torch.tensor([[[0.0, math.log(3)], [math.log(4), 0.0], [5.0, -5.0]]], requires_grad=True)
    expected = -math.log(3 / 4) - math.log(4 / 5)
    assert module.of_rows(target, output).item() == pytest.approx(expected)
    assert module.total(target, output).item() == pytest.approx(expected)
    assert module.nll(target, output).sum().item() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(module.total(target, output), output)
    assert torch.equal(gradient[0, 2], torch.zeros(2))  # what is behind the end teaches nothing
    twice = module.of_samples(target, output.expand(2, 1, 3, 2))
    torch.testing.assert_close(twice, torch.full((2, 1), expected))


def test_a_variance_of_each_row_can_not_be_drawn_from(sentence):
    module = hg.Gaussian("row").build((3,))
    assert sentence(hg.ParameterError, module.sample, torch.zeros(1, 3), torch.Generator()) == (
        "Gaussian('row') knows the variance of a row only beside the row itself, so elements can't be drawn from it. "
        "Take their means, noisy=False, or fit with Gaussian('shared')."
    )
