"""How much noise a picture has, told from the picture alone."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils._python_dispatch import TorchDispatchMode

from hourglass.parts.noise import finest, noise_std, united


def photo(side=160, seed=0):
    """Something like a photograph: soft shades, and things with edges in front of them."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(size=(side, side)), 12)
    picture = 0.5 + 0.15 * soft / soft.std()
    for _ in range(8):
        top, left = rng.integers(0, side - 30, 2)
        picture[top : top + rng.integers(8, 40), left : left + rng.integers(8, 40)] += rng.uniform(-0.3, 0.3)
    return picture


@pytest.mark.parametrize("levels", [5, 15, 25, 50])
def test_the_noise_of_photographs_is_found(levels):
    noise = np.random.default_rng(1).normal(0, levels / 255, (160, 160))
    found = noise_std(torch.from_numpy(photo() + noise)[None])
    assert 255 * found == pytest.approx(levels, rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_finest_detail_of_noise_is_its_standard_deviation_for_each_picture(channels):
    std = torch.tensor([0.02, 0.2]).view(2, 1, 1, 1)
    noise = std * torch.randn(2, channels, 300, 280, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(finest(0.5 + noise), std, rtol=0.02, atol=0)
    assert torch.equal(finest(torch.full((2, channels, 1, 3), 0.5)), torch.zeros(2, 1, 1, 1))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (1, 2, 2), (1, 7, 7), (3, 40, 40)])
def test_a_constant_picture_has_none(shape):
    assert noise_std(torch.full(shape, 0.3)) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (1, 3, 5), (1, 7, 8)])
def test_of_tiny_pictures_it_is_a_finite_number(shape):
    found = noise_std(torch.rand(shape, generator=torch.Generator().manual_seed(0)))
    assert 0 <= found < 1


@pytest.mark.parametrize("levels", [5, 25, 50])
def test_what_is_all_black_or_white_tells_nothing_of_the_noise(levels):
    noisy = torch.from_numpy(photo() + np.random.default_rng(1).normal(0, levels / 255, (160, 160)))[None]
    fine = finest(noisy[None, :, :48]).item()
    noisy[0, 48:] = 0.0
    noisy[0, 100:] = 1.0
    assert 255 * noise_std(noisy) == pytest.approx(levels, rel=0.15)
    assert finest(noisy[None]).item() == pytest.approx(fine, rel=0.1)


def test_where_holes_are_nothing_is_told_of_the_noise():
    noisy = torch.from_numpy(photo() + np.random.default_rng(1).normal(0, 25 / 255, (160, 160)))[None]
    block, pixels = noisy.clone(), noisy.clone()
    block[0, 20:90, 40:140] = torch.nan
    pixels[0, torch.rand(160, 160, generator=torch.Generator().manual_seed(0)) < 0.2] = torch.nan
    for holes, off in ((block, 0.1), (pixels, 0.2)):
        assert 255 * noise_std(holes) == pytest.approx(25, rel=off)
    assert noise_std(torch.full((1, 9, 9), torch.nan)) == 0


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that was made meanwhile."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for each in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(each, torch.Tensor):
                self.bytes = max(self.bytes, each.untyped_storage().nbytes())
        return made


def test_only_the_patches_that_are_looked_at_are_made_of_a_large_picture():
    picture = 0.5 + 0.1 * torch.randn(1, 600, 600, generator=torch.Generator().manual_seed(0))
    with Largest() as largest:
        found = noise_std(picture)
    assert found == pytest.approx(0.1, rel=0.02)
    assert largest.bytes <= 50_000 * 7**2 * 8  # of all patches it would be 138 MB


def test_two_independent_views_are_united_by_their_certainty():
    generator = torch.Generator().manual_seed(0)
    clean = torch.full((1, 200, 200), 0.5)
    seen, rebuilt = (clean + std * torch.randn(clean.shape, generator=generator) for std in (0.1, 0.05))
    error = (united(seen, rebuilt) - clean).square().mean().item()
    assert error == pytest.approx(1 / (1 / 0.1**2 + 1 / 0.05**2), rel=0.03)
    seen[0, 0, 0] = torch.nan
    assert united(seen, rebuilt)[0, 0, 0] == rebuilt[0, 0, 0]
    assert torch.equal(united(clean, clean), clean)
