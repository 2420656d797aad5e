"""What was taken out of pictures, told without the truth, and drawn."""

import numpy as np
import pytest
from matplotlib import colormaps
from scipy import ndimage

import hourglass as hg

CLEAN = np.full((2, 64, 64), 0.5)
NOISE = np.random.default_rng(0).normal(0, 0.1, CLEAN.shape)
BLOTCHES = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=CLEAN.shape), (0, 2, 2))


def test_white_noise_is_as_random_as_noise():
    check = hg.self_check(CLEAN + NOISE, CLEAN)
    assert check.std == pytest.approx(NOISE.std(), rel=1e-3)
    assert abs(check.correlation) <= 0.05
    said = "What was removed, {:.1f} grey levels on average, is as random as noise: nothing of the pictures is seen in it."
    assert check.words == said.format(255 * check.std)


@pytest.mark.parametrize(
    ("share", "rest"),
    [
        (
            0.3,
            "nearly as random as noise (neighbours correlate by {:.2f}): a little detail may have gone with it.",
        ),
        (
            1.0,
            "not random (neighbours correlate by {:.2f}): it was blur, blotches or detail of the pictures. Compare before and "
            "after before you rely on it.",
        ),
    ],
)
def test_what_neighbours_share_is_told(share, rest):
    removed = NOISE + share * BLOTCHES / BLOTCHES.std() * NOISE.std()
    check = hg.self_check(CLEAN + removed, CLEAN)
    shared = share**2 / (1 + share**2) * np.exp(-1 / (4 * 2**2))  # of blotches, what neighbours share
    assert check.correlation == pytest.approx(shared, abs=0.03)
    assert check.words == f"What was removed, {255 * check.std:.1f} grey levels on average, is {rest.format(check.correlation)}"


def test_a_correlation_by_hand():
    stripes = np.tile([0.25, -0.25], (1, 8, 4)).astype(np.float32)
    check = hg.self_check(0.5 + stripes, np.full((1, 8, 8), 0.5, np.float32))
    assert check.std == 0.25
    assert check.correlation == pytest.approx(-1)  # each is the opposite of its neighbour to the right


def test_nothing_removed_and_a_mean_that_moved():
    assert hg.self_check(CLEAN, CLEAN) == (0.0, 0.0, "Nothing was removed.")
    assert hg.self_check(CLEAN, CLEAN + 0.25).words == "Nothing was removed."
    assert hg.self_check(np.full((1, 4, 4), np.nan), CLEAN[:1, :4, :4]).words == "Nothing was removed."  # it was filled in


def test_bytes_and_lists_of_sizes_are_taken():
    before = [np.full((9, 5), 100, np.uint8), np.full((2, 3, 3), 100, np.uint8)]
    before[0][::2] = 151
    assert hg.self_check(before, [np.full_like(picture, 100) for picture in before]).std == pytest.approx(
        np.sqrt(45 * 0.2**2 * (5 / 9) * (4 / 9) / 63)
    )


def test_two_piles_that_do_not_match(sentence):
    few = "Before and after must be the same pictures, at least one. Got 2 and 1."
    size = "Picture 0 has the shape (64, 64) before and (64, 63) after."
    for function in (hg.self_check, hg.plots.mended):
        assert sentence(hg.DataError, function, CLEAN, CLEAN[:1]) == few
        assert sentence(hg.DataError, function, CLEAN, CLEAN[:, :, 1:]) == size
        single = "Pictures have a height and a width. Got arrays (64, 64). A single one goes in as X[None]."
        assert sentence(hg.DataError, function, CLEAN[0], CLEAN[0]) == single


def test_strips_of_before_after_truth_and_changes():
    figure = hg.plots.mended(CLEAN + NOISE, CLEAN, CLEAN)
    changed = "what was changed: orange is brighter than before, violet darker"
    assert [axes.get_title("left") for axes in figure.axes] == ["as they came", "mended", "as they should be", changed]
    assert [axes.get_title("left") for axes in hg.plots.mended(CLEAN + NOISE, CLEAN).axes] == ["as they came", "mended", changed]


def test_changes_are_orange_where_it_became_brighter():
    after = CLEAN.copy()
    after[0, :32] = 0.6
    after[1, :32] = 0.4
    shown = hg.plots.mended(CLEAN, after).axes[-1].images[0].get_array()
    (bright, dark), middle = (shown[5, 5], shown[5, 64 + 64 // 14 + 5]), shown[60, 5]
    assert bright[0] > bright[2] + 0.3
    assert dark[2] > dark[0] + 0.1
    assert np.ptp(middle[:3]) < 0.02


def test_grey_and_coloured_pictures_of_differing_sizes_with_holes_are_drawn_together():
    before = [np.zeros((20, 30), np.uint8), np.zeros((25, 24, 3), np.float32), np.full((20, 20, 1), np.nan)]
    after = [before[0], before[1] + 0.5, np.zeros((20, 20, 1))]
    figure = hg.plots.mended(before, after)
    came, mended, changes = (axes.images[0].get_array() for axes in figure.axes)
    assert came.shape == (25, 3 * (30 + 2), 4)
    assert np.isfinite(came).all()
    shown = np.s_[2:22, :30]  # the first picture, in the middle of white
    assert (came[shown] == [0, 0, 0, 1]).all()
    assert (came[[0, 1, 22, 24], :30] == 1).all()
    assert (changes[[0, 24], :30] == changes[2, 0]).all()
    usual = 0.5 * (25 * 24 + 20 * 20) / (20 * 30 + 25 * 24 + 20 * 20)  # of the pixels that there are
    np.testing.assert_allclose(changes[5, 32 + 5], colormaps["PuOr_r"](0.5 + 0.5 / (2 * 5 * usual)))
    assert (mended[:, 32 + 3 : 32 + 27] == [0.5, 0.5, 0.5, 1]).all()
