import numpy as np
import pytest
import torch

import hourglass as hg

ZERO = torch.zeros(2000, 2, 120)


def made(part, seed=0):
    return part(ZERO, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("part", [hg.BaselineWander(0.5), hg.MainsHum(0.5, 6.0)])
def test_they_are_as_strong_as_they_say(part):
    assert float(made(part).square().mean().sqrt()) == pytest.approx(0.5, rel=0.05)


def test_the_hum_has_its_period_and_is_the_same_in_all_channels():
    hum = made(hg.MainsHum(1.0, 6.0))
    torch.testing.assert_close(hum[..., 6:], hum[..., :-6], atol=1e-3, rtol=0)
    torch.testing.assert_close(hum[:, 0], hum[:, 1])
    assert int(np.abs(np.fft.rfft(hum[0, 0])).argmax()) == 120 // 6


def test_the_baseline_is_slow():
    power = np.square(np.abs(np.fft.rfft(made(hg.BaselineWander(1.0))))).mean((0, 1))
    assert power[:4].sum() / power.sum() > 0.95


def test_spans_are_dropped_in_all_channels():
    part = hg.DropSpans((0.1, 0.3))
    missing = made(part).isnan()
    assert (missing[:, 0] == missing[:, 1]).all()
    share = missing[:, 0].float().mean(1)
    assert float(share.min()) >= 0.1
    assert float(share.max()) <= 0.3 + 1e-6
    assert (missing[:, 0].int().diff(dim=1) == 1).sum(1).max() <= 1  # one span
    assert (part.hides, part.everywhere, part.made_for) == (True, False, {"series"})
    both = part + hg.MainsHum()
    assert (both.made_for, both.everywhere) == ({"series"}, True)


@pytest.mark.parametrize("part", [hg.BaselineWander(), hg.MainsHum(), hg.DropSpans()])
def test_chance_comes_from_the_generator_alone(part):
    before = torch.get_rng_state()
    torch.testing.assert_close(made(part, 3), made(part, 3), equal_nan=True)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(made(part, 3).nan_to_num(9), made(part, 4).nan_to_num(9))


def test_as_text():
    assert hg.corruption("white:0.3") == hg.Noise(0.3)
    assert hg.corruption("wander:0.2-0.5+hum:0.1+spans:0.2").parts[:2] == (hg.BaselineWander((0.2, 0.5)), hg.MainsHum(0.1))
    with pytest.raises(
        hg.ParameterError, match=r"^The corruption 'white' needs its strength in standard deviations, as in 'white:0.3'.$"
    ):
        hg.corruption("white")


REFUSED = {
    "std": (
        lambda: hg.BaselineWander(-1.0),
        "The 'std' parameter of BaselineWander must be a float of at least 0, or a range of them.",
    ),
    "period": (
        lambda: hg.MainsHum(0.1, 1.0),
        "The 'period' parameter of MainsHum must be a float of at least 2, or a range of them.",
    ),
    "share": (lambda: hg.DropSpans(1.5), "The 'share' parameter of DropSpans must be a float from 0 to 1, or a range of them."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    make, said = REFUSED[case]
    with pytest.raises(hg.ParameterError) as error:
        make()
    assert str(error.value).startswith(said)


def test_they_are_for_series():
    with pytest.raises(hg.ParameterError, match=r"it is for series. Use another, or kind='series'."):
        hg.Autoencoder(2, corruption=hg.MainsHum()).fit(np.random.default_rng(0).normal(size=(30, 9)))
