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
from hourglass.kinds import KINDS, infer, kind_from_config
from hourglass.kinds.image import ImageKind

images = st.one_of(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)),
    arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4]))),
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
        "numbers."
    )


def test_a_few_numbers_tell_whether_pictures_are_bilevel():
    pictures = np.zeros((1000, 150, 150), np.uint8)
    pictures[:, ::3] = 255
    tracemalloc.start()
    found = ImageKind.learn(pictures), ImageKind.learn(pictures // 2)
    peak = tracemalloc.get_traced_memory()[1] - pictures.nbytes  # that of the halves
    tracemalloc.stop()
    assert [kind.bilevel for kind in found] == [True, False]
    assert peak < 20e6
