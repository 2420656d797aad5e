import pytest
import torch

import hourglass as hg
from hourglass.parts.named import NAMES


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


PICTURE = torch.rand(2, 3, 40, 60, generator=chance(9))
OF_SERIES = {"white", "wander", "hum", "spans"}  # tried in test_artefacts.py
OF_SYMBOLS = {"typos", "swap"}  # and in test_typos.py


@pytest.mark.parametrize("name", sorted(set(NAMES) - OF_SERIES - OF_SYMBOLS))
def test_every_corruption_keeps_the_shape_and_draws_from_its_generator_alone(name):
    part = hg.corruption("noise:25" if name == "noise" else name)
    before = torch.random.get_rng_state()
    first, second = (part(PICTURE, chance(1)) for _ in range(2))
    assert first.shape == PICTURE.shape
    assert torch.equal(first.nan_to_num(-1), second.nan_to_num(-1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.isnan().any() == part.hides


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("noise:25", hg.Noise(25 / 255)),
        ("noise:5-50", hg.Noise((5 / 255, 50 / 255))),
        ("speckle:0.2+saltpepper:0.1", hg.Speckle(0.2) + hg.SaltAndPepper(0.1)),
        ("hide:0.5", hg.Hide(0.5)),
        ("white:0.3+hide:0.2", hg.Noise(0.3) + hg.Hide(0.2)),
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
        ("hide:2", "The 'share' parameter of Hide must be a float from 0 to 1. Got 2.0 instead."),
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
