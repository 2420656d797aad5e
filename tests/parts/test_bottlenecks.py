import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hourglass as hg


def test_plain_passes_the_code_through_for_nothing():
    h = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    z, cost, *_ = hg.Plain(2).build()(h)
    assert torch.equal(z, h)
    assert torch.equal(cost, torch.zeros(2))


def test_topk_keeps_the_largest_positive_codes():
    h = torch.tensor([[0.1, 3.0, -5.0, 2.0], [-1.0, -2.0, -3.0, 0.5]])
    z, cost, *_ = hg.TopK(4, k=2).build()(h)
    assert torch.equal(z, torch.tensor([[0.0, 3.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.5]]))
    assert torch.equal(cost, torch.zeros(2))


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.integers(0, 2**31))
def test_topk_agrees_with_sorting(sizes, seed):
    n, k = sizes
    h = np.random.default_rng(seed).normal(size=(5, n))
    expected = np.where(h >= np.sort(h, axis=1)[:, [n - k]], np.maximum(h, 0), 0)
    np.testing.assert_array_equal(hg.TopK(n, k).build()(torch.from_numpy(h)).z.numpy(), expected)


def test_topk_gradient_reaches_only_what_was_kept():
    h = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    hg.TopK(3, k=1).build()(h).z.sum().backward()
    assert torch.equal(h.grad, torch.tensor([[0.0, 0.0, 1.0]]))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: hg.Plain(0), "The 'n' parameter of Plain must be a positive int. Got 0 instead."),
        (lambda: hg.Plain(2.5), "The 'n' parameter of Plain must be a positive int. Got 2.5 instead."),
        (lambda: hg.TopK(4, k=5), "The 'k' parameter of TopK must be a positive int of at most n=4. Got 5 instead."),
    ],
)
def test_impossible_waists_are_refused(make, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        make()
    assert str(caught.value) == sentence
