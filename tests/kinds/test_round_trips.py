"""What must hold for any data: numbers of a kind become the data again, to the bit."""

import tracemalloc

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import hourglass as hg
from hourglass.kinds import KINDS, Album, infer, kind_from_config
from hourglass.kinds.image import ImageKind, white_of

images = st.one_of(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)),
    arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4]))),
    arrays(np.uint16, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 4095)),
    arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=6)),
    arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(0, 1, width=32)),
)
tables = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e6, 1e6))


@settings(max_examples=50)
@given(images)
def test_images(raw):
    kind = KINDS["image"].learn(raw)
    back = kind.from_tensor(kind.to_tensor(raw))
    assert back.dtype == raw.dtype
    np.testing.assert_array_equal(back, raw)
    assert kind_from_config(kind.to_config()) == kind
    x = kind.scaling()(kind.to_tensor(raw))
    assert x.shape[1:] == kind.shape
    assert ((x >= 0) & (x <= 1)).all()


@settings(max_examples=50)
@given(tables)
@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning")
def test_tables(raw):
    kind = KINDS["table"].learn(raw)
    values = kind.to_tensor(raw)
    np.testing.assert_array_equal(kind.from_tensor(values), raw)
    scaling = kind.scaling(values)
    torch.testing.assert_close(scaling.inverse(scaling(values)), values)
    assert kind_from_config(kind.to_config()) == kind


def test_frames_come_back_as_what_they_were():
    frame = pl.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.5, 0.25, 1.0]})
    for raw, same in (
        (frame, pl.DataFrame.equals),
        (frame.to_pandas(), lambda a, b: a.equals(b)),
        (frame.to_arrow(), lambda a, b: a == b),
    ):
        kind = KINDS["table"].learn(raw)
        assert same(kind.from_tensor(kind.to_tensor(raw)), raw)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (np.zeros((9, 5)), ("table", "an array of shape (9, 5) has rows and columns")),
        (np.zeros((9, 5, 5)), ("image", "an array of shape (9, 5, 5) is 9 pictures")),
        (np.zeros((9, 5, 5, 3), np.uint8), ("image", "an array of shape (9, 5, 5, 3) is 9 pictures")),
        (pl.DataFrame({"a": [1.0]}), ("table", "a polars table has rows and columns")),
    ],
)
def test_infer_says_which_and_why(raw, kind):
    assert infer(raw) == kind


def test_float_pixels_beyond_one_are_refused():
    with pytest.raises(hg.DataError) as caught:
        hg.Autoencoder(2).fit(np.full((10, 4, 4), 7.0))
    assert str(caught.value) == (
        "Float images need values from 0 to 1. Got values from 0 to 7: scale them, or pass uint8, or flatten them to a table of "
        "numbers. If they are series, say kind='series'."
    )


def test_channels_that_come_first_are_said_to_belong_behind(sentence):
    first = np.zeros((12, 3, 8, 9), np.uint8)
    end = " Its channels come first, and are to come last: pass X.transpose(0, 2, 3, 1), or of a tensor X.permute(0, 2, 3, 1)."
    assert sentence(hg.DataError, hg.infer, first).endswith(f"(n, height, width, channels).{end}")
    words = f"Images have their channels on the last axis. Got an array of shape (12, 3, 8, 9).{end}"
    assert sentence(hg.DataError, ImageKind.learn, first) == words
    kind = ImageKind.learn(first.transpose(0, 2, 3, 1))
    words = f"The model was fitted on images of shape (8, 9, 3). Got an array of shape (12, 3, 8, 9).{end}"
    assert sentence(hg.DataError, kind.check, first) == words
    assert sentence(hg.DataError, ImageKind.learn, np.zeros((12, 5, 16, 16), np.uint8)).endswith(f"shape (12, 5, 16, 16).{end}")


def test_pictures_have_any_number_of_channels(sentence):
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (200, 8, 12, 5)).astype(np.uint8)
    assert infer(raw[:, :, :, :4]).kind == "image"
    assert ImageKind.learn(raw[:, :1, :3, :3]).describe() == "1 x 3 RGB images"
    assert sentence(hg.DataError, infer, raw).endswith("If they are pictures of 5 channels, say kind='image'.")
    wide = rng.integers(0, 256, (4, 10, 12, 5)).astype(np.uint8)
    assert infer(wide).reason == "an array of shape (4, 10, 12, 5) is 4 pictures of 5 channels"
    kind = ImageKind.learn(raw)
    assert (kind.describe(), kind.ending) == ("8 x 12 5-channel images", ".npy")
    np.testing.assert_array_equal(kind.from_tensor(kind.to_tensor(raw)), raw)
    ae = hg.Autoencoder(2, kind="image", encoder="convolutional", decoder="convolutional", max_epochs=1, random_state=0).fit(raw)
    assert ae.reconstruct(raw).shape == raw.shape
    usual = (raw[:, :1, :1] // 2 + np.arange(5, dtype=np.uint8)) * np.ones((1, 8, 12, 1), np.uint8)  # of one brightness each
    det = hg.AnomalyDetector(kind="image", alarm_rate=0.1, random_state=0).fit(usual)
    strange = usual.copy()
    strange[3, 2:5, 6:9, 4] = 255  # in one channel alone
    heat = det.heatmaps(strange)
    assert np.argmax(heat.max((1, 2))) == 3
    assert heat[3, 2:5, 6:9].max() == heat[3].max()
    with pytest.raises(hg.DataError, match="Pictures that are mended have 1, 3 or 4 channels, and these have 5"):
        hg.DenoisingAutoencoder(kind="image").fit(raw)


@pytest.mark.parametrize(
    ("dtype", "most", "top"),
    [
        *(("bool", 1, 1), ("uint8", 1, 1), ("uint8", 2, 255), ("uint8", 60, 255), ("uint8", 0, 255)),
        *(("uint16", 1, 1), ("uint16", 255, 255), ("uint16", 256, 1023), ("uint16", 3000, 4095)),
        *(("uint16", 16383, 16383), ("uint16", 16384, 65535)),
    ],
)
def test_white_is_that_of_as_many_bits_as_the_pictures_have(dtype, most, top):
    raw = np.zeros((3, 4, 4), dtype)
    raw[1, 2, 3] = most
    kind = kind_from_config(ImageKind.learn(raw).to_config())
    assert kind.top == top
    assert float(kind.scaling()(kind.to_tensor(raw)).max()) == pytest.approx(most / top)
    np.testing.assert_array_equal(kind.from_tensor(kind.to_tensor(raw)), raw)


def test_pictures_of_another_type_are_as_white():
    ones = np.random.default_rng(0).random((5, 4, 4)) < 0.5
    for learned in (ones, ones.astype(np.uint8), ones.astype(np.uint16)):
        kind = ImageKind.learn(learned)
        for other in (ones, ones.astype(np.uint8), ones.astype(np.uint16), ones.astype(np.float32)):
            found = kind.to_tensor(other)
            np.testing.assert_array_equal(found.numpy(), ones[:, None])
            back = kind.from_tensor(found, other)
            assert back.dtype == other.dtype
            np.testing.assert_array_equal(back, other)
    kind = ImageKind.learn((4095 * ones).astype(np.uint16))
    np.testing.assert_allclose(kind.to_tensor((255 * ones).astype(np.uint8)).numpy(), 4095 * ones[:, None], rtol=1e-6)
    np.testing.assert_array_equal(kind.from_tensor(kind.to_tensor(ones), ones), ones)


def test_what_is_brighter_than_white_is_said():
    kind = ImageKind.learn(np.full((3, 4, 4), 900, np.uint16))
    said = (
        "The model was fitted on images with values up to 1,023, and these go to 5,000, which is brighter than white. Bring them "
        "to one scale, if they have another."
    )
    with pytest.warns(hg.HourglassWarning) as caught:
        kind.check(np.full((3, 4, 4), 5000, np.uint16))
    assert str(caught[0].message) == said


def test_grey_is_taken_as_colour_and_colour_without_any_as_grey():
    grey = np.random.default_rng(0).integers(0, 256, (20, 6, 5), np.uint8)
    equal = np.repeat(grey[..., None], 3, axis=3)
    coloured = equal.copy()
    coloured[0, 0, 0] = 0, 1, 2
    for X, other in ((coloured, grey), (grey[..., None], grey), (grey, grey[..., None]), (grey, equal)):
        model = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(X)
        np.testing.assert_array_equal(model.transform(other), model.transform(equal if X is coloured else X))
    with pytest.raises(hg.DataError, match=r"images of shape \(6, 5\). Got an array of shape \(20, 6, 5, 3\)"):
        model.transform(coloured)


def test_white_of_pictures_that_are_apart_is_that_of_the_brightest_of_their_type():
    dark, light = (np.full((3, side), value, np.uint16) for side, value in ((4, 200), (5, 3000)))
    assert [ImageKind.learn(Album([dark, other])).white for other in (dark, light, 20 * light)] == [255, 4095, None]
    assert ImageKind.learn(Album([dark, np.full((3, 4), 255, np.uint8)])).white == 255
    assert [ImageKind.learn(Album([(value * dark).astype(np.uint8)])).white for value in (0, 1)] == [None, None]
    assert ImageKind.learn(Album([(dark > 0).astype(np.uint8), (dark < 0).astype(np.uint8)])).opaque().white == 1


def test_white_of_a_picture_that_is_mended_holds_all_of_it():
    kind = ImageKind.learn(np.full((3, 4, 4), 3000, np.uint16))
    pictures = [np.full((4, 4), value, dtype) for value, dtype in ((10, "uint16"), (4096, "uint16"), (10, "uint8"), (1.5, "f4"))]
    assert [white_of(picture, kind) for picture in pictures] == [4095, 65535, 255, 1]
    see_through = np.stack([pictures[0]] * 3 + [np.full((4, 4), 65535, np.uint16)], 2)
    assert white_of(see_through, kind) == 4095


def test_a_few_numbers_tell_whether_pictures_are_bilevel():
    pictures = np.zeros((1000, 150, 150), np.uint8)
    pictures[:, ::3] = 255
    tracemalloc.start()
    found = ImageKind.learn(pictures), ImageKind.learn(pictures // 2)
    peak = tracemalloc.get_traced_memory()[1] - pictures.nbytes  # that of the halves
    tracemalloc.stop()
    assert [kind.bilevel for kind in found] == [True, False]
    assert peak < 20e6
