"""Scaling in blocks: the same numbers, whatever the blocks, and no large copies."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hourglass.parts import scaling
from hourglass.parts.scaling import scaled, squash, standardize


def rows(n, columns):
    x = torch.randn(n, columns, generator=torch.Generator().manual_seed(0)) * torch.arange(1, columns + 1) + 7
    x[:, 1] = x[:, 1].exp()  # a heavy tail
    x[:, 2] = 5
    x[::7, 0] = torch.nan
    return x


class Largest(TorchDispatchMode):
    """Notes how many bytes the largest tensor has that is made."""

    most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor) and not found._is_view():
            self.most = max(self.most, found.nbytes)
        return found


def test_a_mean_of_0_and_a_deviation_of_1():
    x = rows(2000, 4)
    z = standardize(x)(x.double())
    torch.testing.assert_close(z.nanmean(0), torch.zeros(4).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(z[:, [0, 1, 3]].square().nanmean(0), torch.ones(3).double())
    assert (z[:, 2] == 0).all()
    assert squash(x, torch.ones(4, dtype=torch.bool)).tailed.tolist() == [False, True, False, False]


@pytest.mark.parametrize("tailed", [None, torch.arange(100) % 3 == 0])
def test_the_same_numbers_whatever_the_blocks(monkeypatch, tailed):
    x, numbers = rows(2000, 100), torch.arange(100) != 4
    monkeypatch.setattr(scaling, "BLOCK", 2**30)
    whole = squash(x, numbers, tailed)
    seen = scaled(whole, x)
    monkeypatch.setattr(scaling, "BLOCK", 2**13)
    parts = squash(x, numbers, tailed)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name
    assert torch.equal(scaled(parts, x).nan_to_num(), seen.nan_to_num())
    assert torch.equal(seen.nan_to_num(), whole(x).nan_to_num())


def test_unsquashed_are_the_standardised_columns_whatever_was_drawn_in():
    x = rows(2000, 4).double()
    found = squash(x, torch.ones(4, dtype=torch.bool))
    torch.testing.assert_close(found.unsquashed(found(x)), found.first(x), equal_nan=True)
    assert (found.first(x)[:, 1] - found(x)[:, 1]).abs().max() > 1  # the one with a tail


def test_a_row_as_all_others_scale_it():
    x, numbers = rows(40, 4).abs().sqrt(), torch.arange(4) != 3
    x[:, 1] = x[:, 1].log()
    found = squash(x, numbers, numbers)
    z = found(x.double())
    known = (~x.isnan()).sum(0)
    assert known.tolist() == [34, 40, 40, 40]
    others = [standardize(torch.cat([z[:i], z[i + 1 :]]), numbers)(z[i]) for i in range(40)]
    torch.testing.assert_close(found.by_others(z, known), torch.stack(others), equal_nan=True)
    alone = torch.tensor([[5.5, 0.0, 0.0, 1.0]])  # nearly all of the variance: there is a limit
    assert found.by_others(alone, known)[0, 0] == pytest.approx(5.5 * (34 / 33 / scaling.LEFT) ** 0.5)


def test_no_copy_of_all_numbers_is_made_in_double_precision(monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", 2**14)
    x = rows(2000, 320)
    with Largest() as made:
        scaled(squash(x, torch.ones(320, dtype=torch.bool)), x)
    assert made.most == x.nbytes  # the result


def test_nor_where_rows_are_many_and_columns_few(monkeypatch):
    x = rows(20_000, 3)
    whole = standardize(x)
    monkeypatch.setattr(scaling, "ROWS", 2**10)
    monkeypatch.setattr(scaling, "BLOCK", 2**12)
    with Largest() as made:
        parts = standardize(x)
    assert made.most == 2**10 * 3 * 8
    torch.testing.assert_close(parts.mean, whole.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(parts.scale, whole.scale, rtol=1e-12, atol=0)


def test_what_is_said_of_columns_is_looked_up_where_the_rows_are(monkeypatch):
    class Given(Exception):
        pass

    def noted(*block):
        raise Given({tensor.device.type for tensor in block})

    monkeypatch.setattr(scaling, "_squash", noted)
    with pytest.raises(Given) as given:
        squash(torch.empty(5, 3, device="meta"), torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool))
    assert given.value.args == ({"meta"},)


def test_what_is_drawn_lies_within_the_range_to_the_last_digit():
    chance = torch.Generator().manual_seed(0)
    for _ in range(50):
        drawn = torch.rand(200, 4, generator=chance, dtype=torch.float64) * torch.rand(4, generator=chance) * 100
        values = torch.where(drawn < 20, 0, drawn**2)  # the second power, so that some have a heavy tail
        fitted = squash(values, torch.ones(4).bool())
        far = fitted.raw(fitted.within(torch.tensor([[-99.0] * 4, [99.0] * 4])))
        assert (far[0] >= values.amin(0)).all() and (far[1] <= values.amax(0).float()).all()
        torch.testing.assert_close(far.double(), torch.stack([values.amin(0), values.amax(0)]), rtol=1e-5, atol=1e-2)
