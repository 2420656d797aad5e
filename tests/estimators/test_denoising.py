"""The autoencoder that mends: what comes out has the form of what came in, and is nearer to the truth."""

import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from scipy import ndimage
from sklearn import clone, config_context
from sklearn.model_selection import GridSearchCV

import hourglass as hg
from hourglass.data import Pictures
from hourglass.estimators import denoising, patches, tiles
from hourglass.kinds import Album
from hourglass.kinds.image import ImageKind
from hourglass.parts.restorer import relative_contrast

SMALL = hg.Restorer((8, 16), blocks=1, patch=16)
STD = 40 / 255


def scenes(n, side=32, seed=0):
    """Soft shades with things in front of them, as float32 from 0 to 1."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(size=(n, side, side)), (0, 4, 4))
    pictures = 0.5 + 0.15 * soft / soft.std()
    for picture in pictures:
        top, left = rng.integers(0, side // 2, 2)
        picture[top : top + side // 3, left : left + side // 3] += rng.choice([-0.3, 0.3])
    return np.clip(pictures, 0, 1).astype(np.float32)


CLEAN = scenes(8, seed=1)
NOISY = (CLEAN + np.random.default_rng(2).normal(0, STD, CLEAN.shape)).astype(np.float32)
BYTES = np.rint(255 * np.clip(NOISY, 0, 1)).astype(np.uint8)
GAPS = np.random.default_rng(3).random(BYTES.shape) < 0.2


def quickly(patch, steps=4):
    patch.setattr(patches, "STEPS", steps)


def cleaner(corruption, X=None, steps=4, **settings):
    """A small restorer, hardly trained."""
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch, steps)
        settings = {"encoder": SMALL, "batch_size": 32, "max_epochs": 1, "random_state": 0} | settings
        return hg.DenoisingAutoencoder(corruption=corruption, **settings).fit(scenes(20) if X is None else X)


@pytest.fixture(scope="module")
def noise():
    """One that has learned something."""
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch, 40)
        model = hg.DenoisingAutoencoder(corruption="noise:30-50", encoder=SMALL, batch_size=64, max_epochs=4, random_state=0)
        return model.fit(scenes(60))


@pytest.fixture(scope="module")
def specks():
    return cleaner("saltpepper:0.2")


@pytest.fixture(scope="module")
def holes():
    return cleaner("pixels:0.3")


@pytest.fixture(scope="module")
def colours():
    return cleaner("noise:40", np.stack([scenes(20, seed=seed) for seed in range(3)], 3))


# What comes out


def test_noisy_pictures_come_nearer_to_the_clean_ones(noise):
    before, after = hg.metrics.psnr(CLEAN, NOISY), hg.metrics.psnr(CLEAN, noise.denoise(NOISY))
    assert after > before + 4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_type_and_shape_are_kept(noise, dtype):
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    pictures = (np.clip(NOISY, 0, 1) * top).astype(dtype)
    mended = noise.denoise(pictures)
    assert (mended.dtype, mended.shape) == (dtype, pictures.shape)
    expected = noise.denoise(np.clip(NOISY, 0, 1).astype(np.float32))
    np.testing.assert_allclose(mended.astype(float) / top, expected, atol=0.02)


def test_a_list_of_sizes_and_sorts_comes_back_as_one(noise):
    given = [BYTES[0, :5, :7], NOISY[1, :20, :1], BYTES[2, :, :, None].astype(np.uint16) * 257, np.stack([BYTES[3]] * 3, 2)]
    mended = noise.denoise(given)
    assert [(picture.dtype, picture.shape) for picture in mended] == [(picture.dtype, picture.shape) for picture in given]
    np.testing.assert_array_equal(mended[0], noise.denoise([given[0]])[0])
    assert np.isfinite(noise.denoise(np.full((2, 1, 1), 0.3))).all()  # a single pixel each


def test_a_list_of_one_size_comes_back_as_a_list_each_in_its_depth(noise):
    given = [BYTES[0], BYTES[1].astype(np.uint16) * 257, NOISY[2]]
    for pictures in (given, given[:1] * 2, given[1:2] * 2):
        mended = noise.denoise(pictures)
        assert isinstance(mended, list)
        assert [(picture.dtype, picture.shape) for picture in mended] == [(picture.dtype, (32, 32)) for picture in pictures]
        for one, picture in zip(mended, pictures, strict=True):
            np.testing.assert_allclose(one, noise.denoise(picture[None])[0], atol=one.max() / 100)
    assert isinstance(noise.damage([BYTES[0], BYTES[1]], random_state=0), list)


def test_white_is_white_in_training_whatever_the_depth():
    white = [np.full((9, 10), top, dtype) for top, dtype in ((255, np.uint8), (65535, np.uint16), (1, np.float64), (1, np.float16))]
    train = patches.learned(Album(white), range(4), 8, ImageKind((1, 0, 0), "uint8"), torch.device("cpu"))
    assert all((batch.x == 1).all() for batch in patches.judged(train, range(4)).ordered(8))


@pytest.mark.parametrize("corruption", ["noise:25", "noise:5-50", "saltpepper:0.1", "blindspot"])
def test_12_bits_are_mended_as_floats_are_and_stay_12_bits(corruption):
    deep = np.rint(4095 * scenes(20)).astype(np.uint16)
    noisy = np.rint(4095 * np.clip(NOISY, 0, 1)).astype(np.uint16)
    noisy[0, 0, :2] = 0, 4095
    floats = cleaner(corruption, (deep / 4095).astype(np.float32))
    expected = floats.denoise((noisy / 4095).astype(np.float32))
    for X in (deep, [*deep[:-1], deep[-1, :20]]):  # in an array, and apart
        model = cleaner(corruption, X)
        assert model.kind_.white == 4095
        found = model.denoise(noisy)
        assert (found.dtype, found.max() <= 4095) == ("uint16", True)
        if X is deep:
            np.testing.assert_allclose(found / 4095, expected, atol=0.51 / 4095)
        np.testing.assert_allclose(model.noise_level(noisy), floats.noise_level(noisy / 4095), rtol=1e-6)
        if corruption != "blindspot":
            damaged = [each.damage(pictures, random_state=0) for each, pictures in ((model, noisy), (floats, noisy / 4095))]
            np.testing.assert_allclose(*damaged, rtol=1e-6)


def test_pictures_brighter_than_those_that_were_learned_from_are_not_cut():
    deep = np.rint(4095 * scenes(20)).astype(np.uint16)
    model = cleaner("noise:25", deep)
    bright = np.rint(65535 * scenes(2, seed=5)).astype(np.uint16)
    with pytest.warns(hg.HourglassWarning, match="values up to 4,095, and these go to"):
        found = model.denoise(bright)
    assert np.abs(found / 65535 - model.denoise((bright / 65535).astype(np.float32))).max() < 1e-5
    blue = np.stack([deep[0], deep[0], bright[0]], 2)
    with pytest.warns(hg.HourglassWarning, match=f"go to {max(bright[0].max(), bright[1, :20].max()):,},") as caught:
        model.denoise([deep[0], bright[1, :20], blue])
    assert len(caught) == 1
    clear = np.dstack([deep[0], deep[0], deep[0], np.full_like(deep[0], 65535)])
    np.testing.assert_array_equal(model.denoise([clear])[0][..., 0], model.denoise(deep[:1])[0])


def test_ones_among_zeros_are_mended_as_black_and_white():
    ones = (scenes(20) > 0.5).astype(np.uint8)
    model, as_bool = cleaner("saltpepper:0.1", ones), cleaner("saltpepper:0.1", ones.astype(bool))
    np.testing.assert_array_equal(model.denoise(1 - ones[:3]), as_bool.denoise(ones[:3] == 0))


def test_a_grey_model_takes_colours_one_by_one_and_leaves_transparency_alone(noise):
    pictures = np.stack([*BYTES[:3], BYTES[3]], 2)[None]  # RGBA
    mended = noise.denoise(pictures)
    np.testing.assert_array_equal(mended[..., 3], pictures[..., 3])
    for channel in range(3):
        difference = mended[..., channel].astype(int) - noise.denoise(pictures[..., channel])
        assert np.abs(difference).max() <= 2  # of bfloat16, perhaps
    np.testing.assert_array_equal(noise.denoise(pictures[..., :3]), mended[..., :3])


def test_a_coloured_model_takes_grey_and_transparency(colours):
    mended = colours.denoise(BYTES[:2])
    assert mended.shape == (2, 32, 32)
    np.testing.assert_array_equal(mended, colours.denoise(BYTES[:2, ..., None])[..., 0])
    pictures = np.stack([*BYTES[:3], BYTES[3]], 2)[None]
    np.testing.assert_array_equal(colours.denoise(pictures)[..., 3], pictures[..., 3])


def test_noise_may_lead_floats_out_of_their_range(noise):
    assert NOISY.min() < 0 or NOISY.max() > 1
    mended = noise.denoise(NOISY)
    assert mended.min() >= 0 and mended.max() <= 1
    with pytest.raises(hg.DataError, match="Float images need values from 0 to 1"):
        noise.denoise(255 * NOISY)


def test_outside_of_a_mask_nothing_changes(noise):
    mended = noise.denoise(BYTES, mask=GAPS)
    np.testing.assert_array_equal(mended[~GAPS], BYTES[~GAPS])
    assert (mended[GAPS] != BYTES[GAPS]).any()
    np.testing.assert_array_equal(mended[GAPS], noise.denoise(BYTES)[GAPS])


def test_of_salt_and_pepper_only_white_and_black_pixels_are_suspected(specks):
    pictures = np.clip(BYTES, 1, 254)
    np.testing.assert_array_equal(specks.denoise(pictures), pictures)
    pictures[GAPS] = 255
    mended = specks.denoise(pictures)
    np.testing.assert_array_equal(mended[~GAPS], pictures[~GAPS])
    assert np.abs(mended[GAPS] - 255.0 * CLEAN[GAPS]).mean() < 30  # filled from around


def test_what_is_erased_is_said_by_a_mask_or_by_nan(holes):
    pictures = CLEAN.copy()
    pictures[GAPS] = np.nan
    mended = holes.denoise(pictures)
    np.testing.assert_array_equal(mended[~GAPS], CLEAN[~GAPS])
    assert np.abs(mended - CLEAN)[GAPS].mean() < 0.1
    np.testing.assert_array_equal(holes.denoise(CLEAN, mask=GAPS), mended)
    np.testing.assert_array_equal(holes.denoise(1 - CLEAN, mask=np.zeros_like(GAPS)), 1 - CLEAN)
    assert holes.denoise([CLEAN[0]], mask=[GAPS[0]])[0].shape == (32, 32)


def test_what_may_be_noisy_as_well_is_mended_without_holes():
    model = cleaner("noise:40+pixels:0.2")
    assert (model.denoise(BYTES) != BYTES).mean() > 0.5
    np.testing.assert_array_equal(model.denoise(BYTES, mask=GAPS)[~GAPS], BYTES[~GAPS])


def test_strength_changes_the_contrast_so_that_noise_is_as_it_was_learned(noise):
    strong = CLEAN + 2 * (NOISY - CLEAN)
    plain, told = (hg.metrics.psnr(CLEAN, noise.denoise(strong, strength=std)) for std in (None, 2 * STD))
    assert told > plain
    np.testing.assert_array_equal(noise.denoise(NOISY, strength=STD), noise.denoise(NOISY))  # within the range it learned
    levels = noise.noise_level(NOISY)
    assert levels.shape == (8,)
    alone = np.concatenate([noise.denoise(NOISY[i : i + 1], strength=levels[i]) for i in range(8)])
    np.testing.assert_allclose(noise.denoise(NOISY, strength="auto"), alone, atol=0.02)
    np.testing.assert_array_equal(noise.denoise(NOISY, strength=0), noise.denoise(NOISY))


def test_the_strength_of_noise_is_told_from_what_is_not_erased(noise):
    model = cleaner("noise:30-50+pixels:0.2")
    holes = np.where(GAPS, np.nan, NOISY)
    mended = model.denoise(holes, strength="auto")
    assert np.isfinite(mended).all()
    damaged = np.where(GAPS, np.float32(5), NOISY)
    np.testing.assert_array_equal(model.denoise(damaged, mask=GAPS, strength="auto"), np.where(GAPS, mended, damaged))
    strong = scenes(1, 150) + np.random.default_rng(2).normal(0, STD, (1, 150, 150))
    block = np.zeros((150, 150), dtype=bool)
    block[30:100, 40:110] = True
    assert denoising.noise_level(np.where(block, 5.0, strong[0]), block) == pytest.approx(STD, rel=0.1)
    np.testing.assert_array_equal(
        model.noise_level(np.where(block, np.nan, strong)), denoising.noise_level(np.where(block, 5.0, strong[0]), block)
    )
    still = cleaner("noise:0+pixels:0.2")
    np.testing.assert_array_equal(still.denoise(holes, strength=0.1), still.denoise(holes))


# What is refused


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (
            lambda: BYTES[0],
            "Pictures are an array (n, height, width) or (n, height, width, channels), a list of arrays, or a path. Got an array "
            "of shape (32, 32). A single picture goes into a list.",
        ),
        (lambda: BYTES[:0], "There are no pictures, so there is nothing to mend. Give at least one."),
        (
            lambda: np.zeros((2, 8, 8, 2), np.uint8),
            "Picture 0 must be an array (height, width), or (height, width, channels) with 1, 3 or 4 channels. Got an array of "
            "shape (8, 8, 2).",
        ),
        (
            lambda: np.where(GAPS, np.nan, NOISY),
            "The array of images holds NaN in row 0, pixel {}. Fill it, or leave that row or column out.",
        ),
        (lambda: np.array([[["a"]]]), "Images are bool, uint8, uint16 or floats from 0 to 1. Got <U1: convert it to one of them."),
        (lambda: BYTES.astype(int), "Images are bool, uint8, uint16 or floats from 0 to 1. Got int64: convert it to one of them."),
    ],
)
def test_what_is_no_picture(noise, sentence, what):
    expected = sentence.format(tuple(int(i) for i in np.argwhere(GAPS)[0][1:]))
    with pytest.raises(hg.DataError) as caught:
        noise.denoise(what())
    assert str(caught.value) == expected


def test_masks_that_do_not_fit(holes, sentence):
    nothing = "Nothing says what is erased: pass mask=, or floats with NaN in its place."
    assert sentence(hg.DataError, holes.denoise, BYTES) == nothing
    assert sentence(hg.DataError, holes.denoise, CLEAN) == nothing
    few = "There are 8 pictures and 2 masks. Give a mask for each."
    assert sentence(hg.DataError, holes.denoise, BYTES, mask=GAPS[:2]) == few
    single = "The mask is a single one. Give a mask for each picture, as in [mask] * 8."
    assert sentence(hg.DataError, holes.denoise, BYTES, mask=GAPS[0]) == single
    narrow = "The mask of picture 1 must have its height and width, (32, 32). Got shape (32, 31)."
    assert sentence(hg.DataError, holes.denoise, list(BYTES[:2]), mask=[GAPS[0], GAPS[0, :, 1:]]) == narrow


@pytest.mark.parametrize("strength", [-0.1, np.nan, np.inf, "much", [0.1]])
def test_a_strength_is_a_standard_deviation(noise, sentence, strength):
    said = f"The strength must be 'auto' or a standard deviation of at least 0. Got {strength!r} instead."
    assert sentence(hg.ParameterError, noise.denoise, BYTES, strength=strength) == said


def test_noise_in_grey_levels_is_told_from_noise_in_parts_of_white(noise, sentence):
    how = "White is 1, so 25 grey levels of 255 are Noise(25 / 255), or 'noise:25' as text."
    for damage in (hg.Noise(25.0), hg.Together((hg.Blur(1.0), hg.Noise((1, 25.0))))):
        shown = damage if isinstance(damage, hg.Noise) else damage.parts[1]
        assert sentence(hg.ParameterError, cleaner, damage) == f"{shown} would drown all pictures. {how}"
    with pytest.warns(hg.HourglassWarning) as caught:
        cleaner("noise:0.1")
    said = f"Noise(std=0.000392) is less than one grey level, which hardly changes a picture. {how}"
    assert [str(warning.message) for warning in caught] == [said]
    said = "The strength is in units of white: 25 grey levels of 255 are 25 / 255. Got 25 instead."
    assert sentence(hg.ParameterError, noise.denoise, BYTES, strength=25) == said


def test_strength_is_of_noise_alone(specks, sentence):
    said = "strength is for models that were trained on noise, and this one was on SaltAndPepper(share=0.2)."
    assert sentence(hg.ParameterError, specks.denoise, BYTES, strength="auto") == said


def test_without_a_waist_there_are_no_codes(noise, sentence):
    said = "The model has no waist, so there are no codes. Fit one that has, as in bottleneck=32."
    assert sentence(hg.DataError, noise.transform, BYTES) == said
    assert sentence(hg.DataError, noise.inverse_transform, np.zeros((1, 3))) == said
    assert sentence(hg.DataError, noise.get_feature_names_out) == said
    sizes = "The model was fitted on images of shape (32, 32). Got pictures of differing sizes."
    assert sentence(hg.DataError, noise.reconstruct, [BYTES[0], BYTES[1, 1:]]) == sizes


def test_a_model_of_differing_sizes_mends_and_nothing_else(sentence):
    sizes = [BYTES[0], *(picture[:, number:] for number, picture in enumerate(BYTES))]
    model = cleaner("noise:40", sizes)
    said = "A model of pictures of differing sizes mends them, with denoise, and can do nothing else with them."
    for method in ("reconstruct", "score_samples", "feature_errors"):
        assert sentence(hg.DataError, getattr(model, method), sizes) == said
    assert model.denoise(sizes)[3].shape == (32, 30)


@pytest.mark.parametrize("odd", [0, 7, 19])
def test_a_picture_of_another_size_is_named_by_its_number_though_some_are_held_out(sentence, odd):
    other = max(odd, 1)
    sizes = [np.zeros((9, 8 + (number == odd)), np.uint8) for number in range(20)]
    said = f"row 0 has {sizes[0].shape}, row {other} has {sizes[other].shape}"
    for model in (hg.Autoencoder(2), hg.AnomalyDetector(random_state=0), hg.AnomalyDetector(hg.Autoencoder(2), random_state=0)):
        assert sentence(hg.DataError, model.fit, sizes) == (
            f"All rows need one shape: {said}. Resize the images, or pad the rows, to one size."
        )


def test_pictures_that_are_read_one_by_one_can_only_be_mended(sentence, tmp_path):
    hg.write(tmp_path / "pictures", BYTES.repeat(2, 0))
    for model in (hg.Autoencoder(2), hg.AnomalyDetector()):
        assert sentence(hg.DataError, model.fit, Pictures(tmp_path / "pictures")) == (
            "Pictures that are read one by one can only be mended. Pass their path, or hourglass.read of it."
        )


def test_pictures_of_differing_depth_are_no_array(noise, sentence):
    said = (
        "All pictures need one depth: picture 0 is uint8, picture 2 is uint16. Convert them to one of uint8, uint16 and floats "
        "from 0 to 1."
    )
    mixed = [BYTES[0], BYTES[1], BYTES[2].astype(np.uint16)] * 4
    assert sentence(hg.DataError, hg.Autoencoder(2, max_epochs=1).fit, mixed) == said
    assert hg.infer(mixed).reason == "a list of 12 arrays of differing sizes or depths is 12 pictures"
    depths = "The model was fitted on images of shape (32, 32). Got pictures of differing depths."
    assert sentence(hg.DataError, noise.reconstruct, mixed) == depths


# Tiles


@pytest.fixture
def tiled(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 64)
    monkeypatch.setattr(denoising, "TILE", 64)


@pytest.mark.parametrize("shape", [(1, 200, 170), (1, 97, 300, 3)])
def test_tiles_give_what_the_whole_gives(noise, monkeypatch, shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    whole = noise.denoise(picture).astype(int)
    monkeypatch.setattr(tiles, "TILE", 64)
    found = noise.denoise(picture).astype(int)
    assert np.abs(found - whole).max() <= 1
    assert (found == whole).mean() > 0.99


def test_all_tiles_of_a_picture_have_one_contrast_where_it_is_relative(monkeypatch):
    model = cleaner("noise:5-50", encoder=hg.Restorer((8, 16), blocks=1, patch=16, relative=True))
    picture = scenes(1, 200) + np.linspace(0, 0.2, 200, dtype=np.float32) * np.random.default_rng(0).normal(size=(1, 200, 200))
    picture = picture.astype(np.float32)
    seen, mend = [], type(model.model_).mend
    monkeypatch.setattr(tiles, "TILE", 100)
    monkeypatch.setattr(
        type(model.model_), "mend", lambda model, x: seen.append((model.encoder.told, model.decoder.told)) or mend(model, x)
    )
    model.denoise(picture)
    of_tiles = [
        float(relative_contrast(torch.from_numpy(picture[:, None, max(top - 64, 0) : top + 164, max(left - 64, 0) : left + 164])))
        for top in (0, 100)
        for left in (0, 100)
    ]
    assert len({id(side) for sides in seen for side in sides}) == 1
    assert float(seen[0][0]) == pytest.approx(sorted(of_tiles)[1])  # the median of four, and they differ
    assert max(of_tiles) > 1.5 * min(of_tiles)
    monkeypatch.setattr(tiles, "TILE", 1024)
    model.denoise(picture)
    assert seen[-1] == (None, None)


def test_holes_and_contrast_go_through_tiles(holes, noise, tiled):
    picture = scenes(1, 150)
    gaps = np.random.default_rng(0).random(picture.shape) < 0.2
    mended = holes.denoise(picture, mask=gaps)
    np.testing.assert_array_equal(mended[~gaps], picture[~gaps])
    assert np.isfinite(noise.denoise(picture, strength=0.5)).all()


def test_a_large_picture_is_never_whole_in_the_network(noise, monkeypatch):
    largest = []
    mend = type(noise.model_).mend
    monkeypatch.setattr(tiles, "TILE", 256)
    monkeypatch.setattr(type(noise.model_), "mend", lambda model, x: largest.append(max(x.shape[-2:])) or mend(model, x))
    assert noise.denoise(np.zeros((1, 2000, 300), np.uint8)).shape == (1, 2000, 300)
    assert len(largest) == 8
    assert max(largest) <= 300 + 2 * tiles.MARGIN


# Fitting


def saved(folder, pictures):
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:02}.png")
    return folder


def weights(model):
    return torch.cat([parameter.flatten() for parameter in model.model_.parameters()])


def test_a_folder_a_zip_and_a_list_are_one(tmp_path):
    sizes = [picture[:, : 32 - number % 3] for number, picture in enumerate(np.rint(255 * scenes(12)).astype(np.uint8))]
    folder = saved(tmp_path / "pictures", sizes)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    models = [cleaner("noise:40", X) for X in (sizes, str(folder), folder, tmp_path / "pictures.zip", sorted(folder.iterdir()))]
    assert models[0].kind_.describe() == "grey images of differing sizes"
    assert all(torch.equal(weights(model), weights(models[0])) for model in models[1:])
    mended = models[0].denoise(folder)
    assert all(np.array_equal(*pair) for pair in zip(mended, models[0].denoise(sizes), strict=True))


def test_pictures_that_may_not_be_written_to_are_learned_from():
    locked = scenes(20)
    locked.flags.writeable = False
    np.testing.assert_array_equal(cleaner("noise:40", locked).denoise(NOISY), cleaner("noise:40").denoise(NOISY))


def test_the_first_picture_says_whether_all_are_grey_or_coloured(tmp_path):
    grey, coloured = BYTES[0], np.stack([BYTES[1]] * 3, 2)
    assert cleaner("noise:40", [grey, coloured] * 6).kind_.describe() == "grey images of differing sizes"
    assert cleaner("noise:40", [coloured, grey] * 6).kind_.describe() == "RGB images of differing sizes"


def test_transparency_is_not_learned():
    pictures = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 4), np.uint8)
    model = cleaner("noise:40", pictures)
    assert model.model_.shape == (3, 16, 16)
    np.testing.assert_array_equal(model.denoise(pictures)[..., 3], pictures[..., 3])


def test_a_tiny_picture_among_others_does_not_make_all_patches_tiny():
    pictures = [np.zeros((1, 1), np.uint8), *(np.zeros((40 + number, 50), np.uint8) for number in range(11))]
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        patch.setattr(patches, "Patches", lambda *given: seen.append(given[2]) or patches_class(*given))
        cleaner("noise:40", pictures)
    assert set(seen) == {SMALL.patch}


patches_class = patches.Patches


@pytest.mark.parametrize(
    ("corruption", "settings", "varied", "relative"),
    [
        ("noise:5-50", {}, True, True),
        (None, {}, True, True),
        ("noise:5-50", {"encoder": SMALL}, True, False),
        ("noise:5-50", {"likelihood": hg.Gaussian()}, False, True),
        ("noise:25", {}, False, False),
        ("blur:1-2+noise:5-10", {}, False, False),
    ],
)
def test_noise_of_a_range_of_strengths_is_made_alike_and_faint_noise_weighs_as_much(corruption, settings, varied, relative):
    model = cleaner(corruption, steps=1, **{"encoder": None, "batch_size": 2} | settings)
    assert (model.model_.encoder.relative, model.model_.decoder.relative) == (relative, relative)
    rows = model.model_.likelihood.nll(torch.zeros(2, 4), torch.tensor([[1.0] * 4, [3.0] * 4])).sum(1)
    assert (rows[1] - rows[0]).item() == pytest.approx(4 * np.log(3) if varied else 16)


@pytest.mark.parametrize(("corruption", "known"), [("noise:5-50", True), ("blur:1-2+noise:5-10", False)])
def test_how_strong_white_noise_is_is_known_in_training(corruption, known):
    model = cleaner(corruption, encoder=hg.Restorer((8, 16), blocks=1, patch=16, relative=True)).model_
    clean = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    seen = clean + 10 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    with model.knowing(clean, seen):
        contrast = model.encoder.contrast(seen)
        assert torch.equal(contrast, model.decoder.contrast(seen))
    assert torch.allclose(contrast, torch.tensor(2.5), rtol=0.2) == known
    assert not torch.allclose(model.encoder.contrast(seen), torch.tensor(2.5), rtol=0.2)  # afterwards it is looked for again


def test_partial_fit_takes_pictures_of_any_size():
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch)
        model = hg.DenoisingAutoencoder(corruption="noise:40", encoder=SMALL, batch_size=32, random_state=0)
        model.partial_fit(BYTES)
        before = weights(model).clone()
        model.partial_fit([picture[number:] for number, picture in enumerate(BYTES)])
    assert not torch.equal(weights(model), before)
    assert [epoch["epoch"] for epoch in model.history_] == [1, 2]


def test_noise_alone_teaches_with_a_blind_spot():
    rng = np.random.default_rng(0)
    noisy = scenes(60) + rng.normal(0, STD, (60, 32, 32))
    with pytest.MonkeyPatch.context() as patch:
        quickly(patch, 40)
        settings = {"encoder": SMALL, "batch_size": 64, "max_epochs": 4, "random_state": 0}
        model = hg.DenoisingAutoencoder(corruption="blindspot", **settings).fit(np.clip(noisy, 0, 1))
    assert hg.metrics.psnr(CLEAN, model.denoise(NOISY)) > hg.metrics.psnr(CLEAN, NOISY) + 1
    damaged, worse = (np.where(GAPS, value, NOISY) for value in (np.float32(0.9), np.float32(0.1)))
    mended = model.denoise(damaged, mask=GAPS)
    np.testing.assert_array_equal(mended, np.where(GAPS, model.denoise(worse, mask=GAPS), damaged))  # what is damaged isn't seen
    assert np.abs(mended - CLEAN)[GAPS].mean() < 0.1


def test_a_saved_model_mends_to_the_bit(noise, holes, tmp_path):
    noise.save(tmp_path / "noise.safetensors")
    holes.save(tmp_path / "holes.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "noise.safetensors").denoise(BYTES), noise.denoise(BYTES))
    again = hg.load(tmp_path / "holes.safetensors")
    np.testing.assert_array_equal(again.denoise(BYTES, mask=GAPS), holes.denoise(BYTES, mask=GAPS))
    assert hg.info(tmp_path / "noise.safetensors")["bottleneck"] == "none: damage is mended in its place"


RUN = """
import os, signal, sys
import numpy as np
import hourglass as hg
from hourglass.estimators import patches
patches.STEPS = 4
def kill(model, epoch):
    if epoch.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
hg.DenoisingAutoencoder(
    corruption="noise:40", encoder=hg.Restorer((8, 16), blocks=1, patch=16), batch_size=32, max_epochs=4, random_state=0,
    checkpoint=sys.argv[1], callbacks=(kill,),
).fit(np.load(sys.argv[2]))
"""


def test_a_run_killed_and_resumed_equals_the_uninterrupted_one_bit_for_bit(tmp_path):
    np.save(tmp_path / "pictures.npy", scenes(20))
    checkpoint = tmp_path / "run.safetensors"
    arguments = [sys.executable, "-c", RUN, checkpoint, tmp_path / "pictures.npy"]
    assert subprocess.run(arguments, check=False, env=os.environ).returncode == -signal.SIGKILL
    others = scenes(20)
    others[13] = 1 - others[13]
    with pytest.raises(hg.errors.CheckpointError, match="belongs to a run with other data"):
        cleaner("noise:40", others, max_epochs=4, checkpoint=checkpoint)
    resumed, whole = (cleaner("noise:40", max_epochs=4, checkpoint=path) for path in (checkpoint, None))
    assert torch.equal(weights(resumed), weights(whole))
    assert [epoch["validation"] for epoch in resumed.history_] == [epoch["validation"] for epoch in whole.history_]
    assert not checkpoint.exists()


# With a waist, and tables


def test_pictures_with_a_waist_are_mended_too(sentence, tmp_path):
    model = hg.DenoisingAutoencoder(8, corruption="half", max_epochs=2, random_state=0).fit(scenes(60))
    half = np.zeros_like(GAPS)
    half[:, :, 16:] = True
    mended = model.denoise(BYTES, mask=half)
    np.testing.assert_array_equal(mended[~half], BYTES[~half])
    assert (mended[half] != BYTES[half]).any()
    for other in (BYTES[..., None], np.stack([BYTES] * 3, 3)):
        np.testing.assert_array_equal(model.denoise(other, mask=half), mended)
        assert model.score(CLEAN, damaged=other) == model.score(CLEAN, damaged=BYTES)
    assert model.transform(BYTES).shape == (8, 8)
    shape = "The model was fitted on images of shape (32, 32). Got an array of shape (8, 31, 32)."
    assert sentence(hg.DataError, model.denoise, BYTES[:, 1:]) == shape
    clear = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 4), np.uint8)
    four = hg.DenoisingAutoencoder(8, max_epochs=1, random_state=0).fit(clear)
    mended = four.denoise(clear)
    np.testing.assert_array_equal(mended[..., 3], clear[..., 3])
    assert (mended[..., :3] != clear[..., :3]).any()
    four.export_onnx(tmp_path / "four.onnx")
    exported = hg.OnnxModel(tmp_path / "four.onnx").denoise(clear)
    np.testing.assert_array_equal(exported[..., 3], clear[..., 3])
    np.testing.assert_allclose(exported.astype(float), mended, atol=1)


def test_gaps_of_tables_are_filled_and_the_rest_is_left(sentence):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6))
    model = hg.DenoisingAutoencoder(4, max_epochs=40, random_state=0).fit(X)
    gappy = X[:50].copy()
    gappy[np.arange(50), np.arange(50) % 6] = np.nan
    mended = model.denoise(gappy)
    known = ~np.isnan(gappy)
    np.testing.assert_array_equal(mended[known], X[:50][known])
    assert np.square(mended - X[:50])[~known].mean() < 0.3 * X.var()
    said = "strength and mask are for pictures, and this model is one of tables. Leave them out."
    assert sentence(hg.ParameterError, model.denoise, X, strength=1) == said


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_cells_of_any_type_are_filled_in_and_the_others_stay(convert):
    rng = np.random.default_rng(0)
    town = rng.integers(0, 3, 200)
    days = np.datetime64("2024-01-01", "us") + town * np.timedelta64(30, "D")
    table = pl.DataFrame(
        {
            "town": np.array(["Ulm", "Bonn", "Jena"])[town],
            "rent": 500 * town + rng.normal(size=200),
            "rooms": town + 1,
            "since": days,
        }
    )
    model = hg.DenoisingAutoencoder(2, max_epochs=60, random_state=0).fit(convert(table))
    gaps = pl.int_range(200) % 4
    gappy = table.with_columns(
        pl.when(gaps == place).then(None).otherwise(name).alias(name) for place, name in enumerate(table.columns)
    )
    gappy = gappy.with_columns(town=pl.when(pl.int_range(200) == 1).then(pl.lit("Köln")).otherwise("town"))  # never seen
    filled = pl.DataFrame(model.denoise(convert(gappy)))
    for name in table.columns:
        known = gappy[name].is_not_null()
        assert filled[name].null_count() == 0
        assert filled[name].filter(known).to_list() == gappy[name].filter(known).to_list()
    assert (filled["town"] == table["town"]).filter(gappy["town"].is_null()).mean() > 0.9
    assert (filled["rent"] - table["rent"]).filter(gappy["rent"].is_null()).abs().mean() < 100


def test_noisy_tables_come_nearer_to_the_clean_ones():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6))
    noisy = X + rng.normal(0, 0.5, X.shape)
    model = hg.DenoisingAutoencoder(corruption=hg.Noise(0.4), max_epochs=20, random_state=0).fit(X)
    assert hg.metrics.mse(X, model.denoise(noisy)) < 0.85 * hg.metrics.mse(X, noisy)
    assert list(model.get_feature_names_out()) == ["code0", "code1", "code2"]  # half as many as there are columns
    assert model.inverse_transform(model.transform(X)).shape == X.shape


def test_damage_is_that_of_training():
    digits = hg.datasets.load("digits")
    model = hg.DenoisingAutoencoder(corruption="noise:25", max_epochs=1, max_seconds=1, random_state=0).fit(digits.x_train[:200])
    clean = digits.x_test[:50]
    damaged = model.damage(clean, random_state=0)
    assert (damaged.shape, damaged.dtype) == (clean.shape, np.float32)
    assert np.std(damaged - clean / 255) == pytest.approx(25 / 255, rel=0.02)
    np.testing.assert_array_equal(damaged, model.damage(clean, random_state=0))
    assert not np.array_equal(damaged, model.damage(clean, random_state=1))
    assert not np.array_equal(damaged[0] - clean[0] / 255, damaged[1] - clean[1] / 255)


def test_damage_leaves_transparency_and_takes_pictures_of_any_size():
    digits = hg.datasets.load("digits")
    model = hg.DenoisingAutoencoder(corruption="pixels:0.5", max_epochs=1, max_seconds=1, random_state=0).fit(digits.x_train[:200])
    grey, seen_through = np.zeros((40, 50), np.uint8), np.full((30, 20, 4), 0.25)
    first, second = model.damage([grey, seen_through], random_state=0)
    assert np.isnan(first).mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(second[..., 3], np.float32(0.25))
    assert np.isnan(second[..., :3]).mean() == pytest.approx(0.5, abs=0.05)


def test_damage_of_a_table_keeps_its_types():
    table = pl.DataFrame({"amount": np.random.default_rng(0).normal(100, 10, 300), "level": ["low", "high", "low"] * 100})
    model = hg.DenoisingAutoencoder(1, corruption=hg.Noise(0.5), max_epochs=1, random_state=0).fit(table)
    damaged = model.damage(table, random_state=0)
    assert damaged.schema == table.schema
    assert (damaged["amount"] - table["amount"]).std() == pytest.approx(5, rel=0.1)


def test_damage_that_can_not_be_done():
    digits = hg.datasets.load("digits").x_train[:100]
    blind = hg.DenoisingAutoencoder(corruption=hg.BlindSpot(), max_epochs=1, max_seconds=1, random_state=0).fit(digits)
    with pytest.raises(hg.ParameterError, match="learned from noisy pictures alone"):
        blind.damage(digits)
    record = hg.Record(np.sin(np.arange(2000) / 9)[:, None], 100.0)
    of_record = hg.DenoisingAutoencoder(kind="series", max_epochs=1, random_state=0).fit(record)
    with pytest.raises(hg.ParameterError, match="a window at a time"):
        of_record.damage(record)


@pytest.fixture(scope="module")
def lines():
    """A table of three columns that are one number, mended by a line."""
    X = np.random.default_rng(0).normal(size=(300, 1)) @ np.array([[1.0, -2.0, 0.5]])
    return X, hg.DenoisingAutoencoder(1, corruption=hg.Noise(0.5), max_epochs=20, random_state=0).fit(X)


def test_the_score_is_the_error_of_what_is_mended(lines):
    X, model = lines
    damaged = X + np.random.default_rng(1).normal(size=X.shape)
    wrong = ((model.denoise(damaged) - X) / X.std(0)) ** 2
    assert model.score(X, damaged=damaged) == pytest.approx(-wrong.sum(1).mean())
    assert model.score(X) == model.score(X)
    alike = np.mean([model.score(X, damaged=model.damage(X, random_state=seed)) for seed in range(20)])
    assert model.score(X) == pytest.approx(alike, rel=0.1)


def test_the_score_of_pictures_is_of_what_denoise_gives(noise, holes):
    damaged = CLEAN + np.random.default_rng(1).normal(0, 0.5, CLEAN.shape).astype(np.float32)  # far beyond black and white
    wrong = (noise.denoise(damaged) - CLEAN) ** 2
    assert noise.score(CLEAN, damaged=damaged) == pytest.approx(-wrong.sum((1, 2)).mean(), rel=1e-5)
    gone = np.where(GAPS, np.nan, CLEAN).astype(np.float32)
    wrong = (holes.denoise(gone) - CLEAN) ** 2
    assert holes.score(CLEAN, damaged=gone) == pytest.approx(-wrong.sum((1, 2)).mean(), rel=1e-5)
    blind = cleaner(hg.BlindSpot(), BYTES / 255)
    assert blind.score(NOISY.clip(0, 1)) == pytest.approx(blind.score(NOISY.clip(0, 1), damaged=NOISY.clip(0, 1)))


def test_a_search_over_the_strength_needs_to_be_told_what_to_mend(lines):
    X, model = lines
    damaged = X + 0.5 * X.std(0) * np.random.default_rng(1).normal(size=X.shape)
    with config_context(enable_metadata_routing=True):
        asking = clone(model).set_score_request(damaged=True)
        search = GridSearchCV(asking, {"corruption__std": [0.01, 0.5, 5.0]}, cv=2).fit(X, damaged=damaged)
    assert search.best_params_ == {"corruption__std": 0.5}


def test_the_damaged_rows_are_those_of_the_clean_ones(lines, sentence):
    X, model = lines
    said = sentence(hg.DataError, model.score, X, damaged=X[1:])
    assert said == "There are 300 clean rows and 299 damaged ones. Give the same rows."
