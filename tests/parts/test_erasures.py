import numpy as np
import pytest
import torch

import hourglass as hg


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


GREY = torch.full((50, 1, 40, 60), 0.5)
PICTURE = torch.rand(2, 3, 40, 60, generator=chance(9))


@pytest.mark.parametrize("part", [hg.Erase(0.3), hg.ErasePixels(0.3)])
def test_the_share_asked_for_is_erased(part):
    damaged = part(GREY.expand(-1, 3, -1, -1), chance())
    assert damaged.isnan().float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(damaged[:, 0].isnan(), damaged[:, 2].isnan())


@pytest.mark.parametrize(("side", "gone"), [("left", np.s_[:, :30]), ("bottom", np.s_[20:])])
def test_half_is_erased(side, gone):
    erased = hg.HalfErased(side)(GREY, chance()).isnan()[0, 0]
    assert erased[gone].all()
    assert erased.float().mean() == 0.5


def test_any_half_is_each_as_often():
    erased = hg.HalfErased()(GREY.repeat(8, 1, 1, 1), chance()).isnan()[:, 0]
    left, top = erased[:, 10, 0] & erased[:, 30, 0], erased[:, 0, 10] & erased[:, 0, 50]
    assert [left.float().mean().item(), top.float().mean().item()] == pytest.approx([0.25, 0.25], abs=0.06)


def test_scratches_are_few_pixels():
    share = hg.Scratches(1.0)(GREY, chance()).isnan().float().mean((1, 2, 3))
    assert 0.01 < share.median() < 0.1
    assert not hg.Scratches(0.0)(GREY, chance()).isnan().any()


def test_a_sum_damages_in_order_and_erases_last():
    both = hg.HalfErased("left") + hg.Blur(2.0)
    assert both == hg.Together((hg.Blur(2.0), hg.HalfErased("left")))
    assert both.hides
    assert both.everywhere  # the blur is
    torch.testing.assert_close(both(PICTURE)[..., 30:], hg.Blur(2.0)(PICTURE)[..., 30:])
    assert not (hg.Erase(0.1) + hg.Scratches(2.0)).everywhere


def test_a_blind_spot_is_hidden_in_all_colours_and_counts_alone():
    part = hg.BlindSpot(0.2)
    damaged = part(PICTURE, chance())
    suspects = part.suspects(damaged).expand_as(PICTURE)
    assert suspects.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(suspects, damaged.isnan())
    assert part.blind


@pytest.mark.parametrize(("share", "lattice"), [(0.25, 2), (0.5, 2), (0.11, 3), ((0.01, 0.0625), 4)])
def test_a_lattice_hides_about_as_many_pixels_at_a_time_as_training(share, lattice):
    assert hg.BlindSpot(share).lattice == lattice
    assert (hg.BlindSpot(share) + hg.Noise(0.1)).lattice == lattice


def test_erased_pixels_are_marked_and_win_over_others():
    damaged = hg.ErasePixels(0.3)(PICTURE, chance())
    assert torch.equal(hg.Erase(0.3).marks(damaged), damaged.isnan().any(1, keepdim=True))
    seen = torch.tensor([1.0, 0.0, torch.nan, 0.5]).view(1, 1, 1, 4)
    both = hg.SaltAndPepper(0.1) + hg.ErasePixels(0.1)
    assert both.marks(seen).tolist() == [[[[1, -1, 1, 0]]]]
    assert both.suspects(seen).tolist() == [[[[True, True, True, False]]]]
    assert (hg.Blur(1.0) + hg.Jpeg(20.0)).marks(seen) is None
    assert (hg.Blur(1.0) + hg.ErasePixels(0.1)).suspects(seen) is None  # the blur is everywhere
