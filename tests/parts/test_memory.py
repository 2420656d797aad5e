import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from hourglass.parts import memory
from hourglass.parts.memory import MOVES, Memory, remembered, run_lengths, smoothed, warped
from hourglass.parts.scaling import PerWindow, Standardize

generator = torch.Generator().manual_seed(0)
PLAIN = Standardize(torch.zeros(1, 1), torch.ones(1, 1))


def test_runs_by_hand():
    holds = torch.tensor([[1, 1, 0, 1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0], [1] * 9]).bool()
    assert run_lengths(holds).tolist() == [[2, 2, 0, 1, 0, 0, 3, 3, 3], [0] * 9, [9] * 9]


def test_smoothing_keeps_constants_and_makes_nothing_of_gaps():
    x = torch.full((1, 1, 30), 2.5)
    x[0, 0, 10:13] = torch.nan
    found = smoothed(x, 2.0)
    assert found.isnan().sum() == 3
    torch.testing.assert_close(found[~found.isnan()], torch.full((27,), 2.5))
    assert smoothed(x, 0.1) is x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_long_windows_are_smoothed_as_short_ones(dtype, monkeypatch):
    x = torch.randn(3, 2, 3000, generator=torch.Generator().manual_seed(0), dtype=dtype).cumsum(2)
    by_scipy = gaussian_filter1d(x.numpy(), 30.0, radius=90, mode="nearest")
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(smoothed(x, 30.0), by_scipy, rtol=tolerance, atol=50 * tolerance)  # by spectra
    x[0, 0, 700:900] = torch.nan
    found = smoothed(x, 30.0)
    assert torch.equal(found.isnan(), x.isnan())
    monkeypatch.setattr(memory, "WIDE", 10**6)
    monkeypatch.setattr(memory, "UNFOLDED", 1)  # by convolution, a row at a time
    np.testing.assert_allclose(found, smoothed(x, 30.0), rtol=tolerance, atol=50 * tolerance)


def test_moves_shift_and_stretch():
    line = torch.arange(101.0).expand(1, 1, 101)
    torch.testing.assert_close(warped(line, 0.0, 0.0), line)
    torch.testing.assert_close(warped(line, 0.03, 0.0)[0, 0, 10:20], torch.arange(10.0, 20) + 0.03 * 101)
    quicker = warped(line, 0.0, 0.08)[0, 0]
    torch.testing.assert_close(quicker[50], torch.tensor(50.0))  # the middle stays
    torch.testing.assert_close(quicker[60], torch.tensor(60.8))


@pytest.mark.parametrize("gaps", [False, True])
def test_the_nearest_is_that_of_numpy(gaps):
    rows, x = torch.randn(20, 2, 12, generator=generator), torch.randn(9, 2, 12, generator=generator)
    if gaps:
        x[3, 0, 2:5] = rows[7, 1, 4] = torch.nan
    memory = remembered(PLAIN, rows, 20, moved=False, generator=generator)
    index, far = memory.nearest(x)
    apart = np.nanmean(np.square(x.numpy()[:, None] - rows.numpy()), (2, 3))  # windows this short are not smoothed
    np.testing.assert_array_equal(index, apart.argmin(1))
    np.testing.assert_allclose(far, apart.min(1), rtol=1e-5)


def test_beyond_a_share_the_next_one_counts():
    rows, x = torch.randn(40, 1, 12, generator=generator), torch.randn(7, 1, 12, generator=generator)
    apart = np.square(x.numpy()[:, None] - rows.numpy()).mean((2, 3))
    for share, rank in ((0.05, 5), (0.2, 8), (0.99, 40)):  # the fifth at least
        memory = remembered(PLAIN, rows, 40, moved=False, generator=generator, beyond=share)
        index, far = memory.nearest(x)
        np.testing.assert_array_equal(index, apart.argsort(1)[:, rank - 1])
        np.testing.assert_allclose(far, np.sort(apart, 1)[:, rank - 1], rtol=1e-5)
    memory.beyond = 0.2
    closed = torch.zeros(7, 40).bool()
    closed[:, :20] = True
    np.testing.assert_array_equal(
        memory.nearest(x, closed)[0], 20 + apart[:, 20:].argsort(1)[:, 4]
    )  # of those that may be looked at
    assert memory.nearest(x, torch.ones(7, 40).bool())[1].isinf().all()


def test_what_is_forbidden_is_not_found():
    rows = torch.randn(6, 1, 10, generator=generator)
    memory = remembered(PLAIN, rows, 6, moved=False, generator=generator)
    index, far = memory.nearest(rows, torch.eye(6).bool())
    assert (index != torch.arange(6)).all()
    assert (far > 0).all()
    assert memory.nearest(rows, torch.ones(6, 6).bool())[1].isinf().all()


def test_a_copy_that_is_moved_is_found_at_a_cost():
    row = torch.sin(torch.arange(100.0) / 2).expand(1, 1, 100)
    memory = remembered(PerWindow(), PerWindow()(row), 100, moved=True, generator=generator)
    assert len(memory.source) == len(MOVES)
    memory.usual = torch.tensor(0.03)
    later = PerWindow()(warped(row, 0.03, 0.0))
    index, far = memory.nearest(later)
    assert MOVES[memory.move[index]] == (0.03, 0.0)
    assert 0.1 < float(far) < 0.25  # the cost alone
    torch.testing.assert_close(memory.reconstruct(later), later, atol=1e-3, rtol=0)


def test_there_are_no_more_copies_than_asked_for_and_all_rows_are_among_them():
    rows = torch.randn(10, 1, 8, generator=generator)
    memory = remembered(PLAIN, rows, 25, moved=True, generator=generator)
    assert len(memory.source) == 25
    assert memory.source[memory.move == 0].tolist() == list(range(10))
    assert isinstance(memory, Memory)
