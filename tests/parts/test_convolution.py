import pytest
import torch
from torch import nn

import hourglass as hg
from hourglass.parts.convolution import Doubled, level_widths
from hourglass.parts.networks import linear_path


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 8, 8), (3, 17, 9), (1, 1, 30), (4, 5, 2), (1, 1, 2), (2, 3, 40)])
def test_pictures_of_any_size_go_in_and_come_out(shape, residual):
    net = hg.Convolutional(residual=residual)
    x = torch.rand(3, *shape, generator=generator())
    code = net.encoder(shape, 5, generator())(x)
    assert code.shape == (3, 5)
    assert net.decoder(shape, 5, generator())(code).shape == x.shape


@pytest.mark.parametrize(
    ("height", "width", "widths"),
    [(8, 8, (16,)), (28, 28, (16, 32)), (64, 64, (16, 32, 64)), (16, 256, (16, 32, 64)), (2, 1, (16,))],
)
def test_the_larger_a_picture_the_more_levels(height, width, widths):
    assert level_widths(height, width) == widths
    assert level_widths(512, 512) == (16, 32, 64, 128, 128, 128)


def test_the_decoder_mirrors_the_encoder():
    net = hg.Convolutional((4, 8), residual=False)
    filters = [
        [
            (layer.in_channels, layer.out_channels)
            for layer in side((3, 10, 6), 2, generator()).modules()
            if isinstance(layer, nn.Conv2d)
        ]
        for side in (net.encoder, net.decoder)
    ]
    assert filters == [[(3, 4), (4, 8)], [(8, 16), (4, 12)]]  # four filters for each that comes out, doubled


def test_widths_end_where_a_picture_can_not_be_halved():
    encoder = hg.Convolutional((4, 5, 6, 7, 8), residual=False).encoder((1, 5, 2), 2, generator())
    assert [layer.out_channels for layer in encoder.modules() if isinstance(layer, nn.Conv2d)] == [4, 5, 6]  # 3 x 1, 2 x 1, 1 x 1


def test_it_is_linear_before_training_and_starts_as_pca():
    net = hg.Convolutional((4, 8))
    encoder, decoder = net.encoder((1, 6, 7), 3, generator()), net.decoder((1, 6, 7), 3, generator())
    x = torch.randn(5, 1, 6, 7, generator=generator())
    assert torch.equal(encoder(x), linear_path(encoder).linear(x.flatten(1)))
    assert torch.equal(decoder(encoder(x)).flatten(1), linear_path(decoder).linear(encoder(x)))
    digits = hg.datasets.load("digits").x_train[:300]
    settings = {"max_epochs": 1, "learning_rate": 1e-30, "validation_fraction": 0, "random_state": 0}
    dense, convolutional = (
        hg.Autoencoder(8, encoder=name, decoder=name, **settings).fit(digits) for name in ("dense", "convolutional")
    )
    assert convolutional.score(digits) == pytest.approx(dense.score(digits), rel=1e-6)


@pytest.mark.parametrize(("bottleneck", "kept"), [(8, True), (hg.TopK(8, k=2), False)])
def test_the_linear_path_stays_pca_where_it_is(bottleneck, kept):
    digits = hg.datasets.load("digits").x_train[:100]
    before, after = (
        hg.Autoencoder(
            bottleneck, encoder="convolutional", decoder="convolutional", learning_rate=rate, max_epochs=1, random_state=0
        )
        .fit(digits)
        .encoder_
        for rate in (1e-30, 1e-2)
    )
    assert torch.equal(linear_path(before).linear.weight, linear_path(after).linear.weight) == kept
    assert not torch.equal(linear_path(before).bent[-1].weight, linear_path(after).bent[-1].weight)


@pytest.mark.parametrize("size", [(12, 16), (11, 15)])
def test_a_flat_picture_is_doubled_without_a_checkerboard(size):
    doubled = Doubled(3, 2, size, generator(), gain=1.0)(torch.randn(1, 3, 1, 1, generator=generator()).expand(1, 3, 6, 8))
    assert doubled.shape == (1, 2, *size)
    inner = doubled[..., 2:-2, 2:-2]  # at the borders zeros lie beside it
    torch.testing.assert_close(inner, inner[..., :1, :1].expand_as(inner))
    assert inner.abs().min() > 1e-3


def test_a_flat_waist_makes_a_picture_without_a_checkerboard():
    decoder = hg.Convolutional((4, 6, 8), residual=False).decoder((1, 128, 128), 2, generator())
    flat = torch.randn(1, 8, 1, 1, generator=generator()).expand(1, 8, 16, 16)
    inner = decoder[2:](flat)[..., 32:-32, 32:-32]
    assert inner.std() < 1e-5 * inner.abs().mean()


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    first, second = (hg.Convolutional().decoder((1, 9, 9), 2, generator()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_estimator_takes_it_by_name_and_by_widths(tmp_path):
    digits = hg.datasets.load("digits").x_train[:64]
    settings = {"encoder": "convolutional", "decoder": "convolutional", "max_epochs": 2, "random_state": 0}
    model = hg.Autoencoder(4, hidden=(4, 8), **settings).fit(digits)
    assert [layer.out_channels for layer in model.encoder_.modules() if isinstance(layer, nn.Conv2d)] == [4, 8]
    model.save(tmp_path / "model.safetensors")
    assert (hg.load(tmp_path / "model.safetensors").transform(digits) == model.transform(digits)).all()
    assert (hg.Autoencoder(4, hidden=(4, 8), **settings).fit(digits).transform(digits) == model.transform(digits)).all()


@pytest.mark.parametrize(("sides", "rate"), [(("convolutional", hg.Convolutional()), 1e-2), (("convolutional", None), 5e-3)])
def test_filters_on_both_sides_bear_a_higher_rate(sides, rate):
    settings = {"encoder": sides[0], "decoder": sides[1], "schedule": "constant", "max_epochs": 1, "random_state": 0}
    model = hg.Autoencoder(4, **settings).fit(hg.datasets.load("digits").x_train[:20])
    assert model.history_[0]["learning_rate"] == rate


PICTURES = "A Convolutional network takes pictures (channels, height, width) of more than one pixel. Got elements of shape"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: hg.Convolutional(()),
            "The 'widths' parameter of Convolutional must be a tuple of at least one positive int, or None. Got () instead.",
        ),
        (
            lambda: hg.Convolutional(activation="rleu"),
            "The 'activation' parameter of Convolutional has no choice 'rleu'. Did you mean 'relu'?",
        ),
        (
            lambda: hg.Convolutional().encoder((3, 1, 1), 2, generator()),
            f"{PICTURES} (3, 1, 1).",
        ),
        (
            lambda: hg.Convolutional().decoder((13,), 2, generator()),
            f"{PICTURES} (13,).",
        ),
    ],
)
def test_what_it_refuses(make, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        make()
    assert str(caught.value) == sentence
