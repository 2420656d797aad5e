import pytest
import torch
from torch import nn

import hourglass as hg
from hourglass.parts.networks import Gaps, dry_run, filled, hidden_widths, linear_path


def generator():
    return torch.Generator().manual_seed(0)


def widths(module):
    return [(layer.in_features, layer.out_features) for layer in module.modules() if isinstance(layer, nn.Linear)]


def test_the_decoder_mirrors_the_encoder():
    net = hg.Dense(hidden=(20, 10), residual=False)
    assert widths(net.encoder((1, 6, 7), 3, generator())) == [(42, 20), (20, 10), (10, 3)]
    assert widths(net.decoder((1, 6, 7), 3, generator())) == [(3, 10), (10, 20), (20, 42)]


def test_a_residual_network_is_linear_before_training():
    encoder = hg.Dense(hidden=(20, 10)).encoder((1, 6, 7), 3, generator())
    x = torch.randn(5, 1, 6, 7, generator=generator())
    assert torch.equal(encoder(x), linear_path(encoder).linear(x.flatten(1)))
    assert linear_path(hg.Dense(residual=False).encoder((4,), 2, generator())) is None


def test_shapes_go_in_and_come_out():
    net = hg.Dense()
    code = net.encoder((1, 6, 7), 3, generator())(torch.zeros(5, 1, 6, 7))
    assert code.shape == (5, 3)
    assert net.decoder((1, 6, 7), 3, generator())(code).shape == (5, 1, 6, 7)


@pytest.mark.parametrize(("inputs", "n"), [(1, 1), (4, 2), (30, 8), (784, 32), (10_000, 64), (784, 700)])
def test_chosen_widths_are_never_narrower_than_the_waist(inputs, n):
    assert min(hidden_widths(inputs, n)) >= n


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state_alone():
    before = torch.random.get_rng_state()
    first, second = (hg.Dense((5,)).encoder((4,), 2, generator()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_misspelt_activation_gets_the_near_one_suggested():
    with pytest.raises(hg.ParameterError) as caught:
        hg.Dense(activation="rleu")
    assert str(caught.value) == "The 'activation' parameter of Dense has no choice 'rleu'. Did you mean 'relu'?"


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(12, 5)),
            "The encoder makes (batch, 5) of a batch of shape (batch, 1, 3, 4); the model needs (batch, 2).",
        ),
        (
            nn.Linear(12, 2),
            "The encoder can't take a batch of shape (batch, 1, 3, 4): mat1 and mat2 shapes cannot be multiplied (6x4 and 12x2).",
        ),
    ],
)
def test_a_mismatch_names_both_shapes(module, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        dry_run(module, "encoder", (1, 3, 4), (2,))
    assert str(caught.value) == sentence


# Gaps


def test_gaps_of_tables_are_zeros_with_marks_beside_them():
    x = torch.tensor([[1.0, torch.nan, 3.0]])
    assert Gaps(torch.isnan)(x).tolist() == [[1, 0, 3, 0, 1, 0]]
    assert Gaps(None)(x).tolist() == [[1, 0, 3]]


def test_gaps_of_pictures_are_filled_and_marked_in_a_channel():
    x = torch.full((1, 3, 5, 6), 0.25)
    x[:, :, 1:4, 2] = torch.nan
    seen = Gaps(hg.Erase(0.1).marks)(x)
    assert seen.shape == (1, 4, 5, 6)
    assert torch.equal(seen[:, :3], torch.full((1, 3, 5, 6), 0.25))
    assert torch.equal(seen[:, 3:], x[:, :1].isnan().float())


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (16, 16), (37, 50)])
def test_filling_keeps_what_is_known_to_the_bit_and_a_constant_constant(size):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, *size, generator=generator)
    known = (torch.rand(2, 1, *size, generator=generator) < 0.3).float()
    whole = filled(x, known)
    assert whole.shape == x.shape
    assert torch.equal(torch.where(known > 0, whole, 0), torch.where(known > 0, x, 0))
    known[..., 0, 0] = 1
    torch.testing.assert_close(filled(torch.full_like(x, 0.25) * known, known), torch.full_like(x, 0.25))


def test_filling_goes_on_with_a_slope_and_survives_when_nothing_is_known():
    slope = torch.linspace(0, 1, 64).expand(1, 1, 48, -1)
    known = (torch.rand(1, 1, 48, 64, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    assert (filled(slope * known, known) - slope).abs().max() < 0.04  # two and a half pixels of the slope
    assert filled(torch.zeros(1, 1, 5, 7), torch.zeros(1, 1, 5, 7)).isfinite().all()
