import pytest
import torch

import hourglass as hg


def test_noise_has_the_standard_deviation_asked_for():
    x = torch.full((200, 500), 0.5)
    damaged = hg.Noise(0.2)(x, torch.Generator().manual_seed(0))
    assert (damaged - x).std().item() == pytest.approx(0.2, rel=0.01)
    assert (damaged - x).mean().item() == pytest.approx(0.0, abs=0.005)


def test_mask_erases_the_share_asked_for_and_leaves_the_rest():
    x = torch.rand(200, 500, generator=torch.Generator().manual_seed(1)) + 1
    damaged = hg.Mask(0.3)(x, torch.Generator().manual_seed(0))
    erased = damaged == 0
    assert erased.float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(damaged[~erased], x[~erased])


@pytest.mark.parametrize("part", [hg.Noise(0.2), hg.Mask(0.3)])
def test_chance_comes_from_the_generator_alone(part):
    x = torch.linspace(0, 1, 20).reshape(4, 5)
    before = torch.random.get_rng_state()
    first, second = (part(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: hg.Noise(-1.0),
            "The 'std' parameter of Noise must be a float of at least 0, or a range of them. Got -1.0 instead.",
        ),
        (lambda: hg.Mask(1.5), "The 'share' parameter of Mask must be a float from 0 to 1. Got 1.5 instead."),
    ],
)
def test_impossible_strengths_are_refused(make, sentence):
    with pytest.raises(hg.ParameterError) as caught:
        make()
    assert str(caught.value) == sentence


def test_who_may_be_damaged_and_who_has_to_be_rebuilt():
    seen = torch.linspace(0, 1, 12).reshape(3, 4)
    seen[1, 2] = torch.nan
    assert hg.Noise(0.1).everywhere and hg.Noise(0.1).suspects(seen) is None
    for hidden in (hg.Hide(0.5), hg.Hide(0.5) + hg.Hide(0.1)):
        assert not hidden.everywhere
        assert torch.equal(hidden.suspects(seen), seen.isnan())
    for all_of_it in (hg.Hide(0.5, rest=True), hg.Hide(0.5) + hg.Noise(0.1)):
        assert all_of_it.everywhere
        assert torch.equal(all_of_it.marks(seen), seen.isnan())
        assert all_of_it.suspects(seen) is None
