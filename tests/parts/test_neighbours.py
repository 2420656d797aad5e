"""How far rows are from those that are kept: which of them count, and in what units."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from hourglass.parts.neighbours import Neighbours, distances

KEPT, X = (torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 8))).float() for seed, n in ((0, 300), (1, 50)))


def test_the_nearest_rows_are_those_of_scikit_learn():
    nearest = NearestNeighbors(n_neighbors=9).fit(KEPT)
    far, further = nearest.kneighbors(X)[0], nearest.kneighbors(KEPT)[0][:, 1:]  # a row that is kept is not its own neighbour
    for rank, count in ((1, 1), (5, 1), (1, 5), (3, 5)):
        for x, wanted in ((X, far), (KEPT, further)):
            np.testing.assert_allclose(distances(x, KEPT, rank, count), wanted[:, rank - 1 : rank - 1 + count], rtol=1e-3)


def test_where_too_few_rows_are_kept_the_furthest_counts_for_what_is_missing():
    far = torch.linalg.vector_norm(X[:, None] - KEPT[:3], dim=2).sort(1).values
    torch.testing.assert_close(distances(X, KEPT[:3], 5), far[:, 2:])
    torch.testing.assert_close(distances(X, KEPT[:3], 1, 5), far[:, [0, 1, 2, 2, 2]])


def test_each_column_counts_by_the_share_of_its_range():
    x = torch.tensor([[0.0, -10.0], [1.0, 30.0], [0.5, torch.nan]])
    beside = Neighbours.of_table(x[:1], x, (0, 1))
    assert beside.unit.tolist() == [1, 40]
    far = beside(torch.tensor([[0.6, 22.0], [0.6, torch.nan]]))  # from (0, -10): 0.6 and 32/40; 0.6 and 10/40, as 0 is the middle
    assert torch.exp(far).tolist() == pytest.approx([1, math.hypot(0.6, 0.25)], rel=1e-5)


def test_levels_count_as_in_a_column_of_middling_range():
    x = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 2.0, 4.0, 8.0]])
    beside = Neighbours.of_table(x[:1], x, (0, 0, 0, 1, 2, 3))
    assert beside.unit.tolist() == [4, 4, 4, 2, 4, 8]
    assert Neighbours.of_table(x[:1, :3], x[:, :3], (0, 0, 0)).unit.tolist() == [1, 1, 1]


def test_distances_are_told_before_tails_were_drawn_in():
    x = torch.tensor([[0.0], [2.0], [8.0]])
    beside = Neighbours.of_table(x[:1], torch.log1p(x), (0,), straight=torch.expm1)
    assert torch.exp(beside(torch.log1p(x[1:]))).tolist() == pytest.approx([0.25, 1], rel=1e-4)


def test_the_kept_rows_have_a_standard_deviation_of_1_on_average():
    beside = Neighbours.of_table(KEPT, KEPT, tuple(range(8)))
    assert beside.kept.std(0, correction=0).square().mean() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(np.ptp(beside.kept.numpy(), 0), np.full(8, np.ptp(beside.kept[:, 0].numpy())), check_dtype=False)


def test_training_rows_are_measured_by_the_range_of_the_others():
    x = KEPT[:40]
    beside = Neighbours.of_table(x, x, tuple(range(8)), straight=torch.sinh)
    inner = x.sort(0).values[[1, -2]]
    with beside.of_the_others(torch.stack([x.amin(0), x.amax(0)]), inner):
        stretch = beside.stretch(x)
    for row, of_row in enumerate(stretch):
        spread = torch.sinh(torch.cat([x[:row], x[row + 1 :]])).numpy()
        torch.testing.assert_close(of_row, torch.from_numpy(np.ptp(torch.sinh(x).numpy(), 0) / np.ptp(spread, 0)))
    assert (stretch > 1).sum() == 2 * 8
    assert beside.stretch(x) is None
    by_hand = torch.linalg.vector_norm((beside.place(x[:1]) - beside.place(x[1:2])) * stretch[0])
    assert distances(beside.place(x[:1]), beside.place(x[1:2]), stretch=stretch[:1]).item() == pytest.approx(
        by_hand.item(), rel=1e-5
    )


def test_columns_of_one_value_or_of_none_are_no_matter():
    x = torch.tensor([[3.0, torch.nan, 0.0], [3.0, torch.nan, 2.0]])
    assert Neighbours.of_table(x[:1], x, (0, 1, 2)).unit.tolist() == [2, 2, 2]


def test_the_mean_logarithm_of_five_distances_counts():
    beside = Neighbours.of_table(KEPT[:20], KEPT[:20], tuple(range(8)))
    far = NearestNeighbors(n_neighbors=5).fit(beside.kept).kneighbors(beside.place(X))[0]
    np.testing.assert_allclose(beside(X), np.log(far).mean(1), rtol=1e-4)


def test_one_further_counts_the_next_rows():
    x = torch.tensor([[0.0], [1.0], [3.0], [6.0]])
    beside = Neighbours.of(x)
    assert torch.exp(beside(torch.tensor([[-1.0]]))).item() == pytest.approx(1, rel=1e-5)
    with beside.one_further():
        assert torch.exp(beside(torch.tensor([[-1.0]]))).item() == pytest.approx(2, rel=1e-5)
    assert beside.rank == 1
