import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

import hourglass as hg
from hourglass.parts.damage import NAMES


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


GREY = torch.full((50, 1, 40, 60), 0.5)
PICTURE = torch.rand(2, 3, 40, 60, generator=chance(9))


OF_SERIES = {"white", "wander", "hum", "spans"}  # tried in test_artefacts.py


@pytest.mark.parametrize("name", sorted(set(NAMES) - OF_SERIES))
def test_every_corruption_keeps_the_shape_and_draws_from_its_generator_alone(name):
    part = hg.corruption("noise:25" if name == "noise" else name)
    before = torch.random.get_rng_state()
    first, second = (part(PICTURE, chance(1)) for _ in range(2))
    assert first.shape == PICTURE.shape
    assert torch.equal(first.nan_to_num(-1), second.nan_to_num(-1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.isnan().any() == part.hides


def test_poisson_has_the_variance_of_counted_photons():
    damaged = hg.Poisson(20.0)(GREY, chance())
    assert damaged.mean().item() == pytest.approx(0.5, abs=0.005)
    assert damaged.var().item() == pytest.approx(0.5 / 20, rel=0.03)


def test_speckle_grows_with_brightness():
    dark, bright = hg.Speckle(0.2)(GREY / 5, chance()), hg.Speckle(0.2)(GREY, chance())
    assert dark.std().item() == pytest.approx(0.02, rel=0.02)
    assert bright.std().item() == pytest.approx(0.1, rel=0.02)


def test_salt_and_pepper_are_equal_shares_over_all_channels():
    damaged = hg.SaltAndPepper(0.2)(GREY.expand(-1, 3, -1, -1), chance())
    assert (damaged == 1).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert (damaged == 0).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert torch.equal(damaged[:, 0], damaged[:, 2])


def test_a_range_gives_each_picture_a_strength_of_its_own():
    spread = hg.Noise((0.1, 0.3))(GREY, chance()).sub(GREY).flatten(1).std(1)
    assert 0.09 < spread.min() < 0.13
    assert 0.27 < spread.max() < 0.31


def test_blur_is_that_of_scipy():
    blurred = hg.Blur(1.5)(PICTURE)
    expected = ndimage.gaussian_filter(PICTURE.numpy(), (0, 0, 1.5, 1.5), mode="nearest", truncate=4)
    np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-5)


def test_motion_blur_spreads_a_point_along_a_line():
    point = torch.zeros(20, 1, 41, 41)
    point[:, :, 20, 20] = 1
    line = hg.MotionBlur(11.0)(point, chance())
    rows, columns = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    assert line.sum((1, 2, 3)).numpy() == pytest.approx(np.ones(20), abs=1e-5)
    for picture in line[:, 0]:
        spread = torch.stack([(picture * a * b).sum() for a, b in ((rows, rows), (rows, columns), (columns, columns))])
        across, along = torch.linalg.eigvalsh(spread[[0, 1, 1, 2]].view(2, 2)).sqrt()
        assert along.item() == pytest.approx(11 / 12**0.5, rel=0.1)
        assert across < 0.6


def test_low_resolution_loses_what_is_fine_and_keeps_what_is_coarse():
    checks = (torch.arange(40)[:, None] + torch.arange(60)).remainder(2).float().expand(1, 1, -1, -1)
    assert hg.LowResolution(4.0)(checks)[..., 8:-8, 8:-8].std() < 0.05
    slope = torch.linspace(0.2, 0.8, 60).expand(1, 1, 40, -1)
    torch.testing.assert_close(hg.LowResolution(2.0)(slope)[..., 4:-4], slope[..., 4:-4], atol=0.01, rtol=0)


def test_jpeg_is_what_a_file_gives():
    damaged = hg.Jpeg(15.0)(PICTURE)
    file = io.BytesIO()
    Image.fromarray((PICTURE[1].permute(1, 2, 0) * 255).round().byte().numpy()).save(file, "JPEG", quality=15)
    np.testing.assert_array_equal((damaged[1].permute(1, 2, 0) * 255).round().byte().numpy(), np.asarray(Image.open(file)))


def test_fade_leaves_the_share_of_contrast():
    faded = hg.Fade(0.3)(PICTURE, chance())
    assert (faded.flatten(1).amax(1) - faded.flatten(1).amin(1)).numpy() == pytest.approx([0.3, 0.3], abs=0.01)
    assert faded.min() >= 0
    assert faded.max() <= 1


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


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("noise:25", hg.Noise(25 / 255)),
        ("noise:5-50", hg.Noise((5 / 255, 50 / 255))),
        ("speckle:0.2+saltpepper:0.1", hg.Speckle(0.2) + hg.SaltAndPepper(0.1)),
        ("half", hg.HalfErased()),
        ("half:top", hg.HalfErased("top")),
    ],
)
def test_as_text(text, part):
    assert hg.corruption(text) == part


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nose:3", "The 'corruption' parameter of Hourglass has no choice 'nose'. Did you mean 'noise'?"),
        ("noise", "The corruption 'noise' needs its strength in grey levels, as in 'noise:25'."),
        ("blur:much", "The corruption 'blur' takes a number or a range, as in 'blur:1' or 'blur:1-2'. Got 'much'."),
        ("erase:2", "The 'share' parameter of Erase must be a number from 0 to 1, or a range of them. Got 2.0 instead."),
        ("jpeg:0", "The 'quality' parameter of Jpeg must be a number from 1 to 95, or a range of them. Got 0.0 instead."),
        (
            "lowres:3-2",
            "The 'factor' parameter of LowResolution must be a number of at least 1, or a range of them. Got (3.0, 2.0)",
        ),
    ],
)
def test_text_that_makes_no_sense(text, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        hg.corruption(text)
    assert str(caught.value).startswith(sentence)


def test_a_blind_spot_is_hidden_in_all_colours_and_counts_alone():
    part = hg.BlindSpot(0.2)
    damaged = part(PICTURE, chance())
    counted = part.counted(PICTURE, damaged).expand_as(PICTURE)
    assert counted.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(counted, damaged.isnan())
    assert part.blind


@pytest.mark.parametrize(("share", "lattice"), [(0.25, 2), (0.5, 2), (0.11, 3), ((0.01, 0.0625), 4)])
def test_a_lattice_hides_about_as_many_pixels_at_a_time_as_training(share, lattice):
    assert hg.BlindSpot(share).lattice == lattice
    assert (hg.BlindSpot(share) + hg.Noise(0.1)).lattice == lattice


def test_white_and_black_pixels_are_marked():
    seen = torch.tensor([[1.0, 0.0, 0.5], [1.2, -0.1, 0.999]]).expand(1, 3, -1, -1).clone()
    seen[0, 1, 0, 0] = 0.9  # not white in all colours
    part = hg.SaltAndPepper(0.1)
    assert part.marks(seen).tolist() == [[[[0, -1, 0], [1, -1, 0]]]]
    assert part.suspects(seen).tolist() == [[[[False, True, False], [True, True, False]]]]
    assert not part.everywhere


def test_erased_pixels_are_marked_and_win_over_others():
    damaged = hg.ErasePixels(0.3)(PICTURE, chance())
    assert torch.equal(hg.Erase(0.3).marks(damaged), damaged.isnan().any(1, keepdim=True))
    seen = torch.tensor([1.0, 0.0, torch.nan, 0.5]).view(1, 1, 1, 4)
    both = hg.SaltAndPepper(0.1) + hg.ErasePixels(0.1)
    assert both.marks(seen).tolist() == [[[[1, -1, 1, 0]]]]
    assert torch.equal(both.suspects(seen), both.counted(seen, seen))
    assert (hg.Blur(1.0) + hg.Jpeg(20.0)).marks(seen) is None
    assert (hg.Blur(1.0) + hg.ErasePixels(0.1)).suspects(seen) is None  # the blur is everywhere
