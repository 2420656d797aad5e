import errno
import os
import re
import shutil
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from hourglass.data import image_names, read, write_images
from hourglass.errors import DataError, FileError, HourglassWarning

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([GREY, GREY + 5, 255 - GREY], axis=-1)


def save(path, pixels=GREY, **options):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def zipped(folder, target="x.zip", **options):
    with zipfile.ZipFile(target, "w", **options) as archive:
        for path in sorted(Path(folder).rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target


@pytest.fixture(params=["folder", "zip", "list"])
def source(request):
    """Give the images of the folder x in each of the three ways."""

    def give():
        if request.param == "folder":
            return "x"
        if request.param == "zip":
            zipped("x")
            return "x.zip"
        return sorted(path for path in Path("x").rglob("*") if path.is_file())

    return give


def test_images_come_in_the_order_of_their_names(source):
    for i, name in enumerate(["a/z.png", "b.PNG", "c.png"]):
        save(f"x/{name}", GREY + i)
    images = read(source())
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, [GREY, GREY + 1, GREY + 2])


def test_colour_makes_all_rgb(source):
    for name, pixels in {"a": GREY, "b": COLOUR, "c": GREY + 1}.items():
        save(f"x/{name}.png", pixels)
    grey = np.repeat(GREY[..., None], 3, axis=-1)
    np.testing.assert_array_equal(read(source()), [grey, COLOUR, grey + 1])


def test_large_images_take_the_pool():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 60, 60, 3), np.uint8)
    write_images("x", images)
    np.testing.assert_array_equal(read("x"), images)


def test_jpeg_is_read():
    save("x/a.jpg", np.full((16, 16), 200, np.uint8))
    save("x/b.jpeg", np.full((16, 16), 100, np.uint8))
    np.testing.assert_array_equal(read("x")[:, 8, 8], [200, 100])


def test_one_image_is_read():
    save("a.png")
    np.testing.assert_array_equal(read("a.png"), [GREY])


def test_hidden_and_other_files_are_left_out():
    for name in ["a.png", ".b.png", ".git/c.png", "__MACOSX/d.png", "__MACOSX/._a.png"]:
        save(f"x/{name}")
    Path("x/notes.txt").write_text("")
    Path("x/folder.png").mkdir()
    assert read("x").shape == read(zipped("x")).shape == (1, 3, 4)


@pytest.mark.parametrize(
    ("image", "pixels"),
    [
        (Image.fromarray(GREY > 100), np.where(GREY > 100, 255, 0)),
        (Image.merge("LA", [Image.fromarray(GREY)] * 2), GREY),
        (Image.fromarray(np.dstack([COLOUR, GREY])), COLOUR),
        (Image.fromarray(COLOUR).quantize(12), COLOUR),
        (Image.fromarray(GREY.astype(np.uint16) * 257), GREY.astype(np.uint16) * 257),
    ],
    ids=["bits", "grey and alpha", "colour and alpha", "palette", "16 bits"],
)
def test_modes(image, pixels):
    save("a.png", image)
    np.testing.assert_array_equal(read("a.png")[0], pixels)


def test_a_palette_with_transparency_warns_of_nothing():
    save("a.png", Image.fromarray(COLOUR).quantize(12), transparency=bytes(range(12)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read("a.png")[0], COLOUR)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_the_orientation_of_the_camera_is_applied(ending):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:, 16:] = 255
    save(f"x/a.{ending}", pixels, exif=exif)
    image = read("x")[0]
    assert image.shape == (32, 16)
    assert image[4, 8] < 5
    assert image[28, 8] > 250


def test_two_sizes_make_a_list(source):
    for name, pixels in {"a": GREY, "b": GREY + 1, "c": GREY.T}.items():
        save(f"x/{name}.png", pixels)
    images = read(source())
    assert isinstance(images, list)
    for image, pixels in zip(images, [GREY, GREY + 1, GREY.T], strict=True):
        np.testing.assert_array_equal(image, pixels)


def test_one_with_colour_gives_all_of_a_list_three_channels():
    for name, pixels in {"a": GREY, "b": COLOUR.transpose(1, 0, 2), "c": GREY}.items():
        save(f"x/{name}.png", np.ascontiguousarray(pixels))
    assert [image.shape for image in read("x")] == [(3, 4, 3), (4, 3, 3), (3, 4, 3)]


@pytest.mark.parametrize("second", [GREY, GREY.T], ids=["one size", "two sizes"])
def test_one_with_8_bits_leaves_the_others_their_upper_8(second):
    deep = GREY.astype(np.uint16) * 256 + 99
    for name, pixels in {"a": deep, "b": second, "c": deep}.items():
        save(f"x/{name}.png", np.ascontiguousarray(pixels))
    for image, pixels in zip(read("x"), [GREY, second, GREY], strict=True):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (GREY[:2], r"Of 5 images 1 is of another size than the others, 3 x 4, the first: 'd\.png'\."),
        (COLOUR, r"Of 5 images 1 is in colour, so all are read as RGB, the first: 'd\.png'\."),
        (np.stack([GREY] * 3, axis=-1), None),  # as grey as the others
    ],
)
def test_one_that_is_unlike_the_others_is_named(odd, said):
    for name in "abce":
        save(f"x/{name}.png")
    save("x/d.png", odd)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read("x")
    assert [re.fullmatch(said, str(each.message)) is not None for each in told] == [True] * (said is not None)


def test_one_that_costs_the_others_their_depth_is_named():
    for name in "abce":
        save(f"x/{name}.png", GREY.astype(np.uint16) * 257)
    save("x/d.png")
    with pytest.warns(HourglassWarning, match=r"Of 5 images 1 is of 8 bits, so all are read with 8, the first: 'd\.png'\."):
        assert read("x").dtype == np.uint8


def test_16_bits_stay_if_all_have_them():
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 65536, (2, 5, 4), np.uint16), [rng.integers(0, 65536, (h, 4), np.uint16) for h in (5, 6)]
    for i, images in enumerate([one, two]):
        write_images(f"x{i}", images)
        for image, pixels in zip(read(f"x{i}"), images, strict=True):
            assert image.dtype == np.uint16
            np.testing.assert_array_equal(image, pixels)


@pytest.fixture
def broken():
    """Nine images, of which the second is cut short and the fourth is none."""
    for i in range(9):
        save(f"x/{i}.png", GREY + i)
    Path("x/1.png").write_bytes(Path("x/1.png").read_bytes()[:50])
    Path("x/3.png").write_text("hello")


@pytest.mark.usefixtures("broken")
def test_a_broken_image(sentence):
    said = "it is broken, cut short, or not PNG, JPEG, TIFF, BMP, WebP or DICOM. Replace it, or pass skip_bad=True."
    assert sentence(FileError, read, "x") == f"Can't read the image 'x/1.png': {said}"
    assert sentence(FileError, read, ["x/2.png", "x/3.png"]) == f"Can't read the image 'x/3.png': {said}"
    assert sentence(FileError, read, zipped("x")) == f"Can't read the image 'x.zip/1.png': {said}"


@pytest.mark.usefixtures("broken")
def test_broken_images_are_left_out_on_demand():
    with pytest.warns(HourglassWarning) as caught:
        images = read("x", skip_bad=True)
    assert [str(warning.message) for warning in caught] == ["Left out 2 of 9 images that could not be read, the first: 'x/1.png'."]
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(images, [GREY + i for i in (0, 2, 4, 5, 6, 7, 8)])


@pytest.mark.usefixtures("broken")
def test_who_makes_warnings_errors_gets_the_warning(sentence):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = sentence(HourglassWarning, read, "x", skip_bad=True)
    assert said == "Left out 2 of 9 images that could not be read, the first: 'x/1.png'."


def test_only_broken_images(sentence):
    Path("a.png").write_text("hello")
    assert sentence(FileError, read, ["a.png", "a.png"], skip_bad=True) == (
        "None of the 2 images can be read, the first: 'a.png'. They must be PNG, JPEG, TIFF, BMP, WebP or DICOM."
    )


def test_the_system_says_why_an_image_cannot_be_read(sentence, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    save("x/a.png")
    monkeypatch.setattr(Path, "open", refuse)
    assert sentence(FileError, read, "x") == (
        "Can't read the image 'x/a.png': Permission denied. Replace it, or pass skip_bad=True."
    )


def test_no_images(sentence):
    Path("x").mkdir()
    Path("x/notes.txt").write_text("")
    said = "holds no images. Looked for .png, .jpg, .jpeg, .tif, .tiff, .bmp, .webp, .dcm in it and its sub-folders."
    assert sentence(FileError, read, "x") == f"'x' {said}"
    assert sentence(FileError, read, zipped("x")) == f"'x.zip' {said}"
    assert sentence(FileError, read, []) == "The list of paths is empty. Give at least one image."


def test_a_list_names_images_only(sentence):
    save("a.png")
    Path("b.csv").write_text("")
    assert sentence(FileError, read, ["a.png", "b.csv"]) == (
        "'b.csv' is no image by its ending. Known: .png, .jpg, .jpeg, .tif, .tiff, .bmp, .webp, .dcm."
    )
    assert sentence(FileError, read, ["b.png"]) == "There is no file or folder 'b.png'. Did you mean 'a.png'?"


def png_claiming(width, height):
    """Make a PNG of which the header alone is true to form."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow warns of the first and raises at the second
@pytest.mark.parametrize("skip_bad", [False, True])
def test_an_image_that_claims_too_many_pixels(sentence, side, skip_bad):
    Path("a.png").write_bytes(png_claiming(side, side))
    assert sentence(FileError, read, "a.png", skip_bad=skip_bad) == (
        "'a.png' has more than 89,478,485 pixels, too many to be trusted. Scale it down."
    )


def test_a_zip_that_claims_to_unpack_to_too_much(sentence):
    with zipfile.ZipFile("x.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i in range(11):
            archive.writestr(f"{i}.png", bytes(10**7))
    assert sentence(FileError, read, "x.zip") == (
        "'x.zip' has 0.5 MB and claims to unpack to 110 MB, too much to be trusted. Unpack it and read the folder."
    )


def test_a_zip_with_a_password(sentence):
    save("x/a.png")
    zipped("x")
    content = bytearray(Path("x.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    Path("x.zip").write_bytes(content)
    assert sentence(FileError, read, "x.zip") == ("'x.zip' is locked with a password. Unpack it and read the folder.")


def test_a_file_that_is_no_zip(sentence):
    Path("x.zip").write_text("hello")
    assert sentence(FileError, read, "x.zip") == ("'x.zip' is damaged, or is not what its ending says (File is not a zip file).")


def test_names_follow_the_order_and_lead_back(source):
    for i, name in enumerate(["a/z.png", "b.jpg", "c.png"]):
        save(f"x/{name}", GREY + i)
    assert image_names(source()) == ["a/z.png", "b.jpg", "c.png"]
    write_images("y", read(source()), image_names(source()))
    np.testing.assert_array_equal(read("y"), read("x"))
    assert image_names("y") == ["a/z.png", "b.png", "c.png"]
    assert image_names("x/c.png") == ["c.png"]


def test_members_that_lead_out_of_a_zip_are_left_out():
    save("a.png")
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.write("a.png", "../../a.png")
        archive.write("a.png", "b.png")
    assert image_names("x.zip") == ["b.png"]


def test_black_and_white_are_0_and_255(entries):
    write_images("x", GREY[None] > 100)
    np.testing.assert_array_equal(read("x"), np.where(GREY[None] > 100, 255, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_scaled_and_rounded(entries, dtype):
    write_images("x", np.array([[[0, 0.5, 1]]], dtype))
    np.testing.assert_array_equal(read("x"), [[[0, 128, 255]]])
    assert entries("x") == ["00000.png"]


def test_a_channel_of_one_is_grey():
    write_images("x", GREY[None, ..., None])
    np.testing.assert_array_equal(read("x"), [GREY])


def test_transparency_is_written():
    rgba = np.dstack([COLOUR, GREY])
    write_images("x", [rgba])
    np.testing.assert_array_equal(np.asarray(Image.open("x/00000.png")), rgba)


def test_an_existing_folder_keeps_its_other_files(entries):
    write_images("x", [GREY, GREY])
    write_images("x", [GREY + 1])
    np.testing.assert_array_equal(read("x"), [GREY + 1, GREY])
    assert entries("x") == ["00000.png", "00001.png"]


@pytest.mark.parametrize(
    ("images", "names", "said"),
    [
        (GREY, None, "An image must have the shape (height, width) or (height, width, 1, 3 or 4). Got (4,)."),
        (
            np.zeros((2, 3, 4, 2)),
            None,
            "An image must have the shape (height, width) or (height, width, 1, 3 or 4). Got (3, 4, 2). Write others as .npy.",
        ),
        (np.uint8(0), None, "An image must have the shape (height, width) or (height, width, 1, 3 or 4). Got ()."),
        ([GREY, GREY[:0]], None, "An image must have the shape (height, width) or (height, width, 1, 3 or 4). Got (0, 4)."),
        (np.zeros((0, 3, 4)), None, "There are no images to write. Give at least one."),
        (
            COLOUR[None].astype(np.uint16),
            None,
            "Colour of 16 bits can't be written as PNG. Pass uint8, or floats from 0 to 1.",
        ),
        (GREY[None] * 1.0, None, "Images must be uint8 or uint16, or floats from 0 to 1. Got float64 from 0.0 to 220.0."),
        (GREY[None] * np.nan, None, "Images must be uint8 or uint16, or floats from 0 to 1. Got float64 from nan to nan."),
        (GREY[None].astype(np.int64), None, "Images must be uint8 or uint16, or floats from 0 to 1. Got int64 from 0 to 220."),
        (GREY[None], ["a", "b"], "There are 2 names for 1 images. Give one for each."),
        (GREY[None], ["../a.png"], "The name '../a.png' leads out of the folder. Give names relative to it."),
        (GREY[None], ["/a.png"], "The name '/a.png' leads out of the folder. Give names relative to it."),
        (np.stack([GREY, GREY]), ["a.png", "a.jpg"], "Two images would be written to 'a.png'. Give different names."),
    ],
)
def test_what_is_not_written(entries, sentence, images, names, said):
    assert sentence(DataError, write_images, "x", images, names) == said
    assert entries() == []


def test_a_full_disk_leaves_nothing(entries, sentence, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", refuse)
    assert sentence(FileError, write_images, "x", [GREY]) == (
        "Can't write 'x': No space left on device. Choose another folder or free some space."
    )
    assert entries() == []


shapes = st.tuples(*[st.integers(1, 5)] * 3).flatmap(lambda shape: st.sampled_from([shape, (*shape, 3)]))
grey = st.tuples(*[st.integers(1, 5)] * 3)


@settings(max_examples=30)
@given(images=hnp.arrays(np.uint8, shapes) | hnp.arrays(np.uint16, grey))
def test_png_round_trip(tmp_path_factory, images):
    folder = tmp_path_factory.getbasetemp() / "round"
    shutil.rmtree(folder, ignore_errors=True)
    write_images(folder, images)
    np.testing.assert_array_equal(read(folder), images)


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "webp"])
def test_formats_without_loss(ending, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", lossless=True)
    np.testing.assert_array_equal(read(tmp_path / f"a.{ending}")[0], pixels)


def test_colours_for_print_become_those_of_the_screen(tmp_path):
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    assert read(tmp_path / "a.tif")[0, 0, 0].tolist() == [255, 0, 0]


def test_a_film_is_no_picture(tmp_path):
    frames = [Image.new("L", (4, 4), level) for level in (0, 255)]
    frames[0].save(tmp_path / "film.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(FileError) as caught:
        read(tmp_path / "film.tif")
    assert str(caught.value).endswith("film.tif' is 2 pictures in one file. Save each as a file of its own.")
