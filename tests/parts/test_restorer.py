"""The network that mends pictures: any size in is the same size out, and it begins by changing nothing."""

import numpy as np
import pytest
import torch

import hourglass as hg
from hourglass.parts.noise import finest
from hourglass.parts.restorer import relative_contrast

SMALL = hg.Restorer((8, 16), blocks=1)


def chance():
    return torch.Generator().manual_seed(0)


def both_ways(part, x, channels=None):
    """What a fresh restorer makes of pictures."""
    encoder, decoder = part.encoder(x.shape[1:], 0, chance()), part.decoder((channels or x.shape[1], 0, 0), 0, chance())
    return decoder(encoder(x))


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (2, 1, 5, 7), (1, 3, 37, 50), (3, 1, 16, 16)])
@pytest.mark.parametrize("part", [SMALL, hg.Restorer((8,), blocks=1), hg.Restorer((4, 4, 4, 4), blocks=2)], ids=repr)
def test_any_size_comes_out_as_it_went_in_and_unchanged_before_training(part, shape):
    x = torch.rand(shape, generator=chance())
    assert torch.equal(both_ways(part, x), x)


def test_marks_beside_the_picture_are_seen_and_not_given_back():
    x = torch.rand(2, 4, 6, 9, generator=chance())
    assert torch.equal(both_ways(SMALL, x, channels=3), x[:, :3])


def test_where_contrast_is_relative_a_picture_of_more_contrast_is_mended_as_one_of_less():
    part, looked_at = hg.Restorer((8, 16), blocks=1, relative=True), []
    encoder, decoder = part.encoder((1, 0, 0), 0, chance()).double(), part.decoder((1, 0, 0), 0, chance()).double()
    encoder.head.register_forward_pre_hook(lambda _, inputs: looked_at.append(torch.nn.functional.pixel_shuffle(*inputs, 2)))
    torch.nn.init.normal_(decoder.tail.weight, std=0.1, generator=chance())
    x = torch.rand(2, 1, 20, 24, generator=chance(), dtype=torch.float64)
    contrast = torch.tensor([2.0, 0.5], dtype=torch.float64).view(2, 1, 1, 1)
    mended, changed = decoder(encoder(x)), decoder(encoder(0.5 + contrast * (x - 0.5)))
    torch.testing.assert_close(finest(looked_at[0]), torch.full((2, 1, 1, 1), 25 / 255, dtype=torch.float64))
    assert not torch.allclose(mended, x)
    torch.testing.assert_close(changed, 0.5 + contrast * (mended - 0.5))
    flat = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)
    assert decoder(encoder(flat)).isfinite().all()


@pytest.mark.parametrize("channels", [1, 3])
def test_marks_beside_the_picture_have_no_contrast(channels):
    part, looked_at = hg.Restorer((8, 16), blocks=1, relative=True), []
    encoder = part.encoder((channels + 1, 0, 0), 0, chance())
    encoder.head.register_forward_pre_hook(lambda _, inputs: looked_at.append(torch.nn.functional.pixel_shuffle(*inputs, 2)))
    x = 0.5 + 0.3 * torch.randn(2, channels, 20, 24, generator=chance())
    marks = (torch.rand(2, 1, 20, 24, generator=chance()) < 0.3).float()
    encoder(torch.cat([x, marks], 1))
    torch.testing.assert_close(finest(looked_at[0][:, :channels]), torch.full((2, 1, 1, 1), 25 / 255))
    assert torch.equal(looked_at[0][:, channels:], marks - 0.5)


def test_levels_halve_the_folded_picture():
    found = SMALL.encoder((1, 0, 0), 0, chance())(torch.zeros(1, 1, 37, 50))
    assert [tuple(features.shape) for features in found] == [(1, 1, 37, 50), (1, 8, 20, 26), (1, 16, 10, 13)]


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    for side in ("encoder", "decoder"):
        first, second = (getattr(SMALL, side)((1, 0, 0), 0, chance()) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_double_precision_goes_through_in_double_precision():
    x = torch.rand(1, 1, 6, 6, dtype=torch.float64, generator=chance())
    encoder, decoder = SMALL.encoder((1, 0, 0), 0, chance()).double(), SMALL.decoder((1, 0, 0), 0, chance()).double()
    torch.nn.init.ones_(decoder.tail.weight)
    whole, single = decoder(encoder(x)), decoder.float()(encoder.float()(x.float()))
    assert whole.dtype == torch.float64
    assert not torch.equal(whole, x)
    torch.testing.assert_close(whole.float(), single, rtol=0.05, atol=0.05)  # float32 may be multiplied as bfloat16


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: hg.Restorer(()), "The 'widths' parameter of Restorer must be a tuple of positive ints. Got () instead."),
        (lambda: hg.Restorer((8, 0)), "The 'widths' parameter of Restorer must be a tuple of positive ints. Got (8, 0) instead."),
        (lambda: hg.Restorer(blocks=0), "The 'blocks' parameter of Restorer must be a positive int. Got 0 instead."),
        (lambda: hg.Restorer(patch=0.5), "The 'patch' parameter of Restorer must be a positive int. Got 0.5 instead."),
    ],
)
def test_what_is_refused(make, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        make()
    assert str(caught.value) == sentence


PICTURES = np.zeros((12, 8, 8), np.uint8)
TABLE = np.random.default_rng(0).normal(size=(12, 6))


@pytest.mark.parametrize(
    ("model", "X", "sentence"),
    [
        (
            hg.Autoencoder(hg.Open()),
            PICTURES,
            "The 'corruption' parameter of Autoencoder can't be None without a waist: the model would copy its input. Say what "
            "damage it has to mend, as in corruption='noise:25', or give a bottleneck.",
        ),
        (
            hg.DenoisingAutoencoder(hg.Open()),
            TABLE,
            "The 'bottleneck' parameter of DenoisingAutoencoder can't be Open() for a table of 6 numeric columns: it is for "
            "images and rows of symbols. Give a number, such as 32.",
        ),
        (
            hg.DenoisingAutoencoder(decoder="dense"),
            PICTURES,
            "The 'encoder' parameter of DenoisingAutoencoder must be a Restorer where there is no waist. Leave it out, or give a "
            "bottleneck.",
        ),
        (
            hg.DenoisingAutoencoder(8, decoder=SMALL),
            PICTURES,
            "The 'decoder' parameter of DenoisingAutoencoder can't be a Restorer beside a waist. Leave it out, or the bottleneck.",
        ),
        (
            hg.DenoisingAutoencoder(encoder=SMALL, decoder=hg.Restorer()),
            PICTURES,
            "The encoder and the decoder of DenoisingAutoencoder must be the same Restorer. Give one of them.",
        ),
        (
            hg.DenoisingAutoencoder(hidden=(8,)),
            PICTURES,
            "The 'hidden' parameter of DenoisingAutoencoder is for dense networks. Leave it out, or give a bottleneck.",
        ),
        (
            hg.DenoisingAutoencoder(likelihood=hg.Gaussian("element")),
            PICTURES,
            "The 'likelihood' parameter of DenoisingAutoencoder can't be Gaussian(variance='element') without a waist, where "
            "pictures have any size. Use Gaussian(), with one variance.",
        ),
    ],
)
def test_parts_that_do_not_go_together(model, X, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        model.fit(X)
    assert str(caught.value) == sentence


def test_where_the_noise_is_known_contrast_is_relative_to_it():
    clean = torch.rand(3, 1, 64, 64, generator=chance(), dtype=torch.float64)
    std = torch.tensor([5.0, 25.0, 1.0], dtype=torch.float64).view(3, 1, 1, 1) / 255
    seen = clean + std * torch.randn(clean.shape, generator=chance(), dtype=torch.float64)
    expected = torch.tensor([5.0, 1.0, 25 / 4], dtype=torch.float64).view(3, 1, 1, 1)  # the third has less than is looked at
    torch.testing.assert_close(relative_contrast(seen, clean), expected, rtol=0.03, atol=0)
    assert (relative_contrast(seen)[0] < 1).all()  # detail of the picture itself would be taken for noise
