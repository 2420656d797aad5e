import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

import hourglass as hg


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


GREY = torch.full((50, 1, 40, 60), 0.5)
PICTURE = torch.rand(2, 3, 40, 60, generator=chance(9))


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


@pytest.mark.parametrize("channels", [2, 4])
def test_jpeg_leaves_transparency_alone(channels):
    x = torch.rand(3, channels, 16, 16, generator=chance())
    damaged = hg.Jpeg(20.0)(x)
    torch.testing.assert_close(damaged[:, :-1], hg.Jpeg(20.0)(x[:, :-1]), rtol=0, atol=0)
    torch.testing.assert_close(damaged[:, -1], x[:, -1], rtol=0, atol=0)


@pytest.mark.parametrize("channels", [5, 6])
def test_jpeg_of_channels_that_are_no_colours_is_that_of_each(channels):
    x = torch.rand(2, channels, 16, 16, generator=torch.Generator().manual_seed(0))
    each = torch.cat([hg.Jpeg(20.0)(x[:, [channel]]) for channel in range(channels)], 1)
    torch.testing.assert_close(hg.Jpeg(20.0)(x), each, rtol=0, atol=0)


def test_fade_leaves_the_share_of_contrast():
    faded = hg.Fade(0.3)(PICTURE, chance())
    assert (faded.flatten(1).amax(1) - faded.flatten(1).amin(1)).numpy() == pytest.approx([0.3, 0.3], abs=0.01)
    assert faded.min() >= 0
    assert faded.max() <= 1


def test_white_and_black_pixels_are_marked():
    seen = torch.tensor([[1.0, 0.0, 0.5], [1.2, -0.1, 0.999]]).expand(1, 3, -1, -1).clone()
    seen[0, 1, 0, 0] = 0.9  # not white in all colours
    part = hg.SaltAndPepper(0.1)
    assert part.marks(seen).tolist() == [[[[0, -1, 0], [1, -1, 0]]]]
    assert part.suspects(seen).tolist() == [[[[False, True, False], [True, True, False]]]]
    assert not part.everywhere
