"""How far rows are from those that are kept: which of them counts, and in what units."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from hourglass.parts.neighbours import Neighbours, near

KEPT, X = (torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 8))).float() for seed, n in ((0, 300), (1, 50)))


def distances(beside, x):
    return torch.exp(beside(torch.tensor(x))).tolist()


def test_the_nearest_row_is_that_of_scikit_learn():
    wanted = NearestNeighbors(n_neighbors=6).fit(KEPT)
    far, further = wanted.kneighbors(X)[0], wanted.kneighbors(KEPT)[0][:, 1:]  # a row that is kept is not its own neighbour
    for rank in (1, 5):
        np.testing.assert_allclose(near(X, KEPT, rank).sqrt(), far[:, rank - 1], rtol=1e-3)
        np.testing.assert_allclose(near(KEPT, KEPT, rank).sqrt(), further[:, rank - 1], rtol=1e-3)
    torch.testing.assert_close(near(X, KEPT[:3], 5), (X[:, None] - KEPT[:3]).square().sum(2).amax(1))


def test_ranges_beyond_ten_count_as_ten():
    x = torch.tensor([[0.0, -5.0, 1.0], [7.0, 35.0, 1.0], [1.0, torch.nan, 1.0]])
    beside = Neighbours.of(x[:1], x)
    assert beside.unit.tolist() == [1, 4, 1]
    # from (0, -5): 3 and 32 / 4; 3 and 5 / 4, as what is missing is in the middle, at 0
    assert distances(beside, [[3.0, 27.0, 1.0], [3.0, torch.nan, 1.0]]) == pytest.approx([math.hypot(3, 8), math.hypot(3, 1.25)])


def test_distances_are_told_before_tails_were_drawn_in():
    x = torch.tensor([[0.0], [20.0], [80.0]])
    beside = Neighbours.of(torch.log1p(x[:1]), torch.log1p(x), straight=torch.expm1)
    assert torch.exp(beside(torch.log1p(x[1:]))).tolist() == pytest.approx([2.5, 10])


def test_columns_of_one_value_or_of_none_are_no_matter():
    x = torch.tensor([[3.0, torch.nan, 0.0], [3.0, torch.nan, 2.0]])
    assert Neighbours.of(x[:1], x).unit.tolist() == [1, 1, 1]


def test_one_further_is_the_next_row():
    x = torch.tensor([[0.0], [1.0], [3.0], [6.0]])
    beside = Neighbours.of(x, x)
    assert distances(beside, [[-1.0]]) == pytest.approx([1])
    with beside.one_further():
        assert distances(beside, [[-1.0]]) == pytest.approx([2])
    assert beside.rank == 1
