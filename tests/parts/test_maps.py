"""Maps of errors: hidden places in closed form, smoothing, moved copies, thumbnails."""

import pytest
import torch

from hourglass.parts import maps


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("together", "hidden"), [(2, [3, 9]), (1, [3])])
def test_hidden_places_are_off_by_as_much_as_a_conditional_mean_says(together, hidden):
    """Against the textbook formula of a normal distribution's conditional mean, place 3 of 2 channels of 2 x 3."""
    shape, s = (2, 2, 3), 0.3
    axes = torch.linalg.qr(torch.randn(12, 4, dtype=torch.float64, generator=gen())).Q
    variances = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    covariance = (axes * variances) @ axes.T + s * torch.eye(12, dtype=torch.float64)
    kept = variances / (variances + s)
    x = torch.randn(12, dtype=torch.float64, generator=gen(1))
    others = [i for i in range(12) if i not in hidden]
    weights = covariance[hidden][:, others] @ torch.linalg.inv(covariance[others][:, others])
    off = x[hidden] - weights @ x[others]
    conditional = covariance[hidden][:, hidden] - weights @ covariance[others][:, hidden]
    residuals = (x - (axes * kept) @ (axes.T @ x)).reshape(1, *shape)
    inverse = maps.hidden_inverse(axes, kept, shape, together)
    assert inverse.shape == (2 // together, 6, together, together)
    strange, squared = maps.hidden_errors(residuals, inverse)
    if together == 2:
        assert squared[0, 1, 0] == pytest.approx(float(off.square().mean()))
        assert strange[0, 1, 0] == pytest.approx(float(s * off @ torch.linalg.inv(conditional) @ off) / 2)
    else:
        assert (inverse[0, 3, 0, 0] * residuals[0, 0, 1, 0]).item() == pytest.approx(off.item())


def test_principal_axes_are_those_of_an_eigendecomposition():
    x = torch.randn(500, 20, generator=gen(1)) * torch.logspace(0, -3, 20)
    axes, variances = maps.principal(x, 3, gen())
    exact, vectors = torch.linalg.eigh(x.T @ x / 500)
    torch.testing.assert_close(variances, exact.flip(0)[:3], rtol=1e-2, atol=0)
    assert (axes.T @ vectors.flip(1)[:, :3]).abs().diagonal().min() > 0.99


def test_smoothing_keeps_the_sum_and_makes_a_gaussian():
    dot = torch.zeros(1, 31, 31)
    dot[0, 15, 15] = 1
    soft = maps.smoothed(dot, 1.5)
    assert soft.sum() == pytest.approx(1, abs=1e-5)
    assert soft[0, 15, 16] / soft[0, 15, 15] == pytest.approx(torch.e ** (-1 / 4.5), rel=1e-5)
    torch.testing.assert_close(maps.smoothed(dot, 0.0), dot)
    torch.testing.assert_close(maps.smoothed(torch.ones(1, 2, 2), 2.5), torch.ones(1, 2, 2))  # wider than the map


def test_thumbnails_are_means_of_blocks():
    x = torch.arange(2 * 32 * 64.0).reshape(1, 2, 32, 64)
    assert maps.thumbnail_size((2, 32, 64)) == (8, 16)
    cells = maps.thumbnails(x)
    assert cells.shape == (1, 2 * 8 * 16)
    assert cells[0, 0] == x[0, 0, :4, :4].mean()
    assert maps.thumbnail_size((1, 5, 3)) == (5, 3)


def test_copies_are_moved_by_no_more_than_asked():
    x = torch.zeros(64, 1, 41, 41)
    x[:, :, 19:22, 19:22] = 1
    torch.testing.assert_close(maps.moved(x, 0.0, 0.0, gen()), x, rtol=0, atol=1e-5)
    copies = maps.moved(x, 0.1, 5.0, gen())
    places = torch.arange(41.0)
    centres = (copies.sum(2)[:, 0] @ places) / copies.sum((1, 2, 3))
    assert 2 < (centres - 20).abs().max() <= 4.2
    torch.testing.assert_close(copies, maps.moved(x, 0.1, 5.0, gen()))


def test_mirrored_copies_are_the_eight_symmetries_of_a_square():
    x = torch.arange(4.0).reshape(1, 1, 2, 2)
    found = {tuple(one.flatten().tolist()) for one in maps.mirrored(x.repeat(200, 1, 1, 1), gen())}
    assert len(found) == 8
    assert (
        len(
            {
                tuple(one.flatten().tolist())
                for one in maps.mirrored(torch.arange(6.0).reshape(1, 1, 2, 3).repeat(99, 1, 1, 1), gen())
            }
        )
        == 4
    )


def test_a_blemish_is_small():
    changed = maps.blemished(torch.zeros(50, 1, 96, 64), gen()) != 0
    assert set(changed.sum((1, 2, 3)).tolist()) == {3 * 2}


def test_a_smaller_peak_than_usual_hides_nothing_that_is_out_of_range():
    alarm = maps.MapAlarm.learn((0, 1, 2, 3), torch.rand(50, 4, generator=gen()))
    errors = torch.rand(50, 8, 8, generator=gen())
    alarm.calibrate(torch.rand(50, 4, generator=gen(1)), errors)
    assert alarm.level == alarm._peaks(errors, 0.0).median()
    far = alarm(torch.full((1, 4), 9.0), torch.zeros(1, 8, 8))
    assert alarm.p_values(far).item() == pytest.approx(1 / 51)
