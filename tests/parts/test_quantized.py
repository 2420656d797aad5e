"""Codes that are one of a few."""

import math

import pytest
import torch

import hourglass as hg
from hourglass.parts.quantized import means, nearest


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_each_place_takes_the_nearest_vector():
    module = hg.VectorQuantized(3, dim=2, places=2).build().eval()
    module.book.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0], [-1.0, 2.0]]))
    h = torch.tensor([[0.9, 0.8, -0.2, 0.1], [-2.0, 2.0, 0.6, 0.6]])
    code = module(h)
    assert module.indices(h).tolist() == [[1, 0], [2, 1]]
    assert code.z.tolist() == [[1, 1, 0, 0], [-1, 2, 1, 1]]
    torch.testing.assert_close(code.cost, 0.25 * torch.tensor([0.01 + 0.04 + 0.04 + 0.01, 1.0 + 0.16 + 0.16]))
    assert torch.equal(module.vectors(module.indices(h)), code.z)


def test_the_gradient_passes_as_if_nothing_had_been_chosen():
    for part in (hg.VectorQuantized(4, dim=2, places=2, commitment=1e-9), hg.FiniteScalar((3, 4), places=2)):
        h = torch.full((1, 4), 0.1, requires_grad=True)
        (part.build().eval()(h).z * torch.tensor([[1.0, 2.0, 3.0, 4.0]])).sum().backward()
        slope = 1.0 if isinstance(part, hg.VectorQuantized) else 1 - math.tanh(0.1) ** 2
        torch.testing.assert_close(h.grad, slope * torch.tensor([[1.0, 2.0, 3.0, 4.0]]))


def test_the_codebook_begins_as_means_and_follows_what_is_near():
    groups = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    h = (groups.repeat(20, 1) + 0.1 * torch.randn(60, 2, generator=chance(3))).view(30, 4)
    module = hg.VectorQuantized(3, dim=2, places=2).build().train()
    for seed in range(40):
        module(h, chance(seed))
    found = module.book[module.book.square().sum(1).argsort()]
    expected = h.view(-1, 2).view(20, 3, 2).mean(0)
    assert torch.cdist(expected, found).min(1).values.max() < 0.05
    shifted = h + 1.0
    for seed in range(800):
        module(shifted, chance(seed))
    assert torch.cdist(expected + 1, module.book).min(1).values.max() < 0.05


def test_codes_that_nothing_is_near_begin_anew():
    module = hg.VectorQuantized(8, dim=1, places=1).build().train()
    module(torch.zeros(4, 1), chance())
    spread = torch.linspace(-4, 4, 64)[:, None]
    for seed in range(1200):
        module(spread, chance(seed))
    assert len(module.indices(spread).unique()) == 8


def test_a_codebook_is_as_exact_where_networks_compute_in_bfloat16():
    h = torch.randn(64, 4, generator=chance(1))
    single, half = (hg.VectorQuantized(16, dim=2, places=2).build().train() for _ in range(2))
    for seed in range(3):
        expected = single(h, chance(seed))
        with torch.autocast("cpu", torch.bfloat16):
            found = half(h, chance(seed))
        assert torch.equal(found.z, expected.z)
    assert torch.equal(half.book, single.book)


def test_nothing_moves_outside_of_training():
    module = hg.VectorQuantized(4, dim=2, places=2).build().eval()
    before = module.book.clone()
    module(torch.randn(5, 4, generator=chance()), chance())
    assert torch.equal(module.book, before) and not module.begun


def test_finite_scalars_are_all_combinations_of_levels():
    part = hg.FiniteScalar((3, 2), places=1)
    module = part.build()
    assert part.choices == 6
    vectors = module.vectors(torch.arange(6)[:, None])
    assert vectors.tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 1], [0, 1], [1, 1]]
    assert module.indices(vectors).flatten().tolist() == list(range(6))
    assert module(torch.tensor([[5.0, -5.0], [0.1, 0.2]])).z.tolist() == [[1, -1], [0, 1]]


def test_means_and_nearest_by_hand():
    vectors = torch.tensor([[0.0], [0.2], [5.0], [5.2]])
    book = means(vectors, 2, chance(2))
    assert sorted(round(float(value), 4) for value in book) == [0.1, 5.1]
    assert nearest(torch.tensor([[[4.0], [0.0]]]), torch.tensor([[0.1], [5.1]])).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: hg.VectorQuantized(1), "The 'codes' parameter of VectorQuantized must be an int of at least 2. Got 1 instead."),
        (lambda: hg.VectorQuantized(8, dim=0), "The 'dim' parameter of VectorQuantized must be a positive int. Got 0 instead."),
        (
            lambda: hg.FiniteScalar((1, 2)),
            "The 'levels' parameter of FiniteScalar must be a tuple of ints of at least 2. Got (1, 2) instead.",
        ),
    ],
)
def test_what_is_refused(wrong, words, sentence):
    assert sentence(hg.ParameterError, wrong) == words
