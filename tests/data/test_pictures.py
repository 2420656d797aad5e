import copy
import shutil
import struct
import sys
import threading
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLSLossless, generate_uid

from hourglass.data import Pictures, image_names, pictures, read, write_images
from hourglass.data.files import FileError
from hourglass.errors import DataError, HourglassWarning, MissingExtraError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 7), np.uint8)
COLOUR = RNG.integers(0, 256, (9, 7, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (9, 7), np.uint16)
SHEER = RNG.integers(0, 256, (9, 7), np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def image_of(pixels, alpha=None):
    image = Image.fromarray(pixels)
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    return image


def only(path):
    [picture] = Pictures(path)
    return picture


def rewritten(path, pixels=None):
    """The file of a picture, written by it beside the first."""
    picture = only(path)
    target = Path(path).with_stem("again")
    picture.write(target, picture.pixels if pixels is None else pixels)
    return target


BITS = Image.fromarray(GREY > 100)
PALETTE = Image.fromarray(COLOUR // 128 * 255).convert("P", palette=Image.Palette.ADAPTIVE)

LOSSLESS = [  # the image, its ending, its pixels and transparency, the mode that it is written in
    (image_of(GREY), "png", GREY, None, "L"),
    (image_of(COLOUR), "png", COLOUR, None, "RGB"),
    (image_of(GREY, SHEER), "png", GREY, SHEER, "LA"),
    (image_of(COLOUR, SHEER), "png", COLOUR, SHEER, "RGBA"),
    (image_of(DEEP), "png", DEEP, None, "I;16"),
    (BITS, "png", np.where(GREY > 100, 255, 0), None, "1"),
    (PALETTE, "png", COLOUR // 128 * 255, None, "RGB"),
    (image_of(GREY), "tif", GREY, None, "L"),
    (image_of(COLOUR), "tif", COLOUR, None, "RGB"),
    (image_of(GREY, SHEER), "tif", GREY, SHEER, "LA"),
    (image_of(COLOUR, SHEER), "tif", COLOUR, SHEER, "RGBA"),
    (image_of(DEEP), "tif", DEEP, None, "I;16"),
    (image_of(DEEP.astype(">u2")), "tif", DEEP, None, "I;16"),
    (BITS, "tif", np.where(GREY > 100, 255, 0), None, "1"),
    (PALETTE, "tif", COLOUR // 128 * 255, None, "RGB"),
    (image_of(GREY), "bmp", GREY, None, "L"),
    (image_of(COLOUR), "bmp", COLOUR, None, "RGB"),
    (BITS, "bmp", np.where(GREY > 100, 255, 0), None, "1"),
    (image_of(COLOUR), "webp", COLOUR, None, "RGB"),
    (image_of(COLOUR, SHEER), "webp", COLOUR, SHEER, "RGBA"),
]


@pytest.mark.parametrize(("image", "ending", "pixels", "alpha", "mode"), LOSSLESS)
def test_what_was_read_is_written_as_it_was(image, ending, pixels, alpha, mode):
    image.save(f"a.{ending}", lossless=True, exact=True)
    again = rewritten(f"a.{ending}")
    with Image.open(f"a.{ending}") as before, Image.open(again) as after:
        assert (after.format, after.mode) == (before.format, mode)
    for picture in (only(f"a.{ending}"), only(again)):
        assert picture.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
        assert picture.top == (65535 if mode == "I;16" else 255)
        assert picture.pixels.flags.writeable
        np.testing.assert_array_equal(picture.pixels, pixels)
        assert (picture.alpha is None) == (alpha is None)
        if alpha is not None:
            np.testing.assert_array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("pixels", "white"), [(GREY, 255), (DEEP, 65535)])
def test_floats_are_rounded_to_the_depth_of_the_file(pixels, white, dtype):
    image_of(pixels).save("a.png")
    values = np.zeros(pixels.shape, dtype)
    values[0, :3] = [0.25, 0.5, 1]
    np.testing.assert_array_equal(only(rewritten("a.png", values)).pixels[0, :4], np.rint([white / 4, white / 2, white, 0]))


@settings(max_examples=20)
@given(pixels=hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4)))
def test_levels_survive_as_floats(tmp_path_factory, pixels):
    path = tmp_path_factory.getbasetemp() / "a.tif"
    image_of(pixels).save(path)
    np.testing.assert_array_equal(only(rewritten(path, np.float32(pixels / 65535))).pixels, pixels)


def test_files_of_one_bit_take_the_nearer_of_black_and_white():
    Image.new("1", (4, 1)).save("a.png")
    assert only(rewritten("a.png", np.uint8([[0, 127, 128, 255]]))).pixels.tolist() == [[0, 0, 255, 255]]


def test_other_pixels_keep_the_transparency():
    image_of(GREY, SHEER).save("a.png")
    picture = only(rewritten("a.png", 255 - GREY))
    np.testing.assert_array_equal(picture.pixels, 255 - GREY)
    np.testing.assert_array_equal(picture.alpha, SHEER)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_colour_that_stands_for_transparent_becomes_transparency(mode):
    image = Image.new("RGB", (4, 3), (7, 8, 9)).convert(mode, palette=Image.Palette.ADAPTIVE)
    image.save("a.png", transparency=image.getpixel((0, 0)))
    picture = only("a.png")
    assert picture.pixels.shape == ((3, 4) if mode == "L" else (3, 4, 3))
    assert not picture.alpha.any()
    with Image.open(rewritten("a.png")) as again:
        assert again.mode == ("LA" if mode == "L" else "RGBA")
        assert not np.asarray(again)[..., -1].any()


def exif(orientation=1):
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_metadata_stays(ending, pixels):
    info = PngInfo()
    info.add_text("Title", "a word")
    info.add_itxt("Owner", "Zoë", "en", "Owner")
    image_of(pixels).save(f"a.{ending}", exif=exif(), icc_profile=PROFILE, dpi=(300, 300), pnginfo=info, comment=b"seen")
    with Image.open(f"a.{ending}") as before, Image.open(rewritten(f"a.{ending}")) as after:
        assert after.getexif()[0x010F] == "Maker"
        assert after.getexif().get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert after.info["icc_profile"] == PROFILE
        if ending != "webp":
            assert np.allclose(after.info["dpi"], 300, atol=0.01)
        if ending == "png":
            assert after.text == before.text == {"Title": "a word", "Owner": "Zoë"}
        if ending == "jpg":
            assert after.info["comment"] == b"seen"
            assert not any(values[0] > 2 for values in after.quantization.values())  # high quality
            assert all(layer[1:3] == (1, 1) for layer in after.layer)  # colour in full resolution


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_tags_and_compression_of_a_tiff_stay(compression):
    tags = {270: "a note", 33432: "mine", 65000: "private"}
    image_of(COLOUR).save("a.tif", compression=compression, tiffinfo=tags, exif=exif(), dpi=(72, 72))
    with Image.open(rewritten("a.tif")) as again:
        assert again.info["compression"] == compression
        assert {tag: again.tag_v2[tag] for tag in tags} == tags


def test_a_tiff_in_tiles_is_written_in_strips():
    tags = {322: 16, 323: 16}
    image_of(COLOUR.repeat(4, 0).repeat(4, 1)).save("a.tif", compression="tiff_lzw", tiffinfo=tags)
    np.testing.assert_array_equal(only(rewritten("a.tif")).pixels, only("a.tif").pixels)


def test_a_tiff_with_loss_is_written_without():
    image_of(np.full((16, 16, 3), 99, np.uint8)).save("a.tif", compression="jpeg")
    with Image.open(rewritten("a.tif")) as again:
        assert again.info["compression"] == "tiff_adobe_deflate"


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_the_orientation_of_the_camera_is_applied_once(ending):
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:, 16:] = 255
    image_of(pixels).save(f"a.{ending}", exif=exif(orientation=6))
    for path in (f"a.{ending}", rewritten(f"a.{ending}")):
        picture = only(path)
        assert picture.pixels.shape[:2] == (32, 16)
        assert picture.pixels[4, 8].max() < 5
        assert picture.pixels[28, 8].min() > 250
    with Image.open(path) as again:
        assert again.getexif().get(0x0112, 1) == 1
        assert again.getexif()[0x010F] == "Maker"


def test_jpeg_stays_near():
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    image_of(smooth).save("a.jpg")
    assert np.abs(only(rewritten("a.jpg", smooth)).pixels.astype(int) - smooth).max() <= 2


def test_the_previews_behind_a_jpeg_are_not_pictures_of_their_own():
    large, small = (Image.new("L", size, 99) for size in ((32, 16), (8, 4)))
    large.save("a.jpg", "MPO", save_all=True, append_images=[small])
    assert only("a.jpg").pixels.shape == (16, 32)
    with Image.open(rewritten("a.jpg")) as again:
        assert (again.format, again.mode) == ("JPEG", "L")


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_inks_become_colours_and_their_profile_goes(ending):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(f"a.{ending}", icc_profile=PROFILE)
    picture = only(f"a.{ending}")
    assert np.abs(picture.pixels.astype(int) - [255, 0, 0]).max() <= 2
    with Image.open(rewritten(f"a.{ending}")) as again:
        assert again.mode == "RGB"
        assert "icc_profile" not in again.info


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp", "webp"])
def test_one_pixel(ending):
    Image.new("RGB", (1, 1), (10, 10, 10)).save(f"a.{ending}")
    assert only(rewritten(f"a.{ending}")).pixels.tolist() == [[[10, 10, 10]]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits(sentence, mode):
    Image.fromarray(np.full((3, 4), 70000, {"I": np.int32, "F": np.float32}[mode])).save("a.tif")
    assert sentence(FileError, only, "a.tif") == "'a.tif' has pixels of 32 bits. Convert it to 8 or 16 bits."


@pytest.mark.parametrize("pixels", [GREY, DEEP], ids=["8 bits", "16 bits"])
def test_a_tiff_in_which_0_is_white_is_no_negative(pixels):
    image_of(pixels).save("a.tif")
    tag = b"\x06\x01\x03\x00\x01\x00\x00\x00"  # number 262, one number of 16 bits
    content = Path("a.tif").read_bytes()
    assert content.count(tag + b"\1\0") == 1
    Path("a.tif").write_bytes(content.replace(tag + b"\1\0", tag + b"\0\0"))
    for path in ("a.tif", rewritten("a.tif")):
        np.testing.assert_array_equal(only(path).pixels, np.iinfo(pixels.dtype).max - pixels)


def test_numbers_below_0(sentence):
    Image.fromarray(np.int32([[7, -5]])).save("a.tif")
    said = "'a.tif' has pixels below 0, down to -5. Convert it to 8 or 16 bits without a sign."
    assert sentence(FileError, only, "a.tif") == said


def test_two_files_of_one_name(sentence):
    image_of(GREY).save("a.png")
    with zipfile.ZipFile("x.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        for name in ("b.png", "a.png", "a.png"):
            archive.write("a.png", name)
    said = "There are two files 'x.zip/a.png'. Give each a name of its own."
    assert sentence(FileError, Pictures, "x.zip") == said


@pytest.mark.parametrize(("ending", "frames"), [("png", 2), ("webp", 3), ("tif", 4)])
def test_films_and_pages(sentence, ending, frames):
    levels = [Image.new("RGB", (8, 8), (80 * i, 0, 0)) for i in range(frames)]
    levels[0].save(f"a.{ending}", save_all=True, append_images=levels[1:])
    said = f"'a.{ending}' is {frames} pictures in one file. Save each as a file of its own."
    assert sentence(FileError, only, f"a.{ending}") == said


def test_what_is_not_written(sentence, entries):
    image_of(GREY).save("a.png")
    write = only("a.png").write
    assert sentence(DataError, write, "b.png", COLOUR) == "The pixels of 'a.png' have the shape (9, 7). Got (9, 7, 3)."
    assert sentence(DataError, write, "b.png", DEEP) == (
        f"Images must be uint8, or floats from 0 to 1. Got uint16 from {DEEP.min()} to {DEEP.max()}."
    )
    assert sentence(DataError, write, "b.png", GREY * 1.5) == (
        f"Images must be uint8, or floats from 0 to 1. Got float64 from {GREY.min() * 1.5} to {GREY.max() * 1.5}."
    )
    assert sentence(FileError, write, "a.png/b.png", GREY).startswith("Can't write 'a.png/b.png': ")
    assert entries() == ["a.png"]


def test_the_name_that_a_file_has_does_not_change_its_format():
    image_of(GREY).save("a.png", "BMP")
    with Image.open(rewritten("a.png")) as again:
        assert again.format == "BMP"


@pytest.fixture(params=["folder", "zip", "list"])
def source(request):
    """Five pictures of five sizes, in each of the three ways."""
    write_images("x", [np.full((i + 1, 200 * i + 3), i, np.uint8) for i in range(5)], ["a/0", "1", "2", "3", "4"])
    files = sorted(path for path in Path("x").rglob("*") if path.is_file())
    if request.param == "zip":
        with zipfile.ZipFile("x.zip", "w") as archive:
            for path in files:
                archive.write(path)
    return {"folder": "x", "zip": "x.zip", "list": files}[request.param]


def test_pictures_come_in_order_one_by_one_and_in_slices(source):
    found = Pictures(source)
    names = ["1.png", "2.png", "3.png", "4.png", "a/0.png"]
    assert found.names == image_names(source) == names
    assert len(found) == 5
    assert found.shape == (5,)
    assert [picture.name for picture in found] == names
    assert [picture.pixels[0, 0] for picture in found] == [1, 2, 3, 4, 0]
    assert [found[i].pixels.shape for i in (0, -1)] == [(2, 203), (1, 3)]
    assert found[1:3].names == [picture.name for picture in found[1:3]] == names[1:3]
    with pytest.raises(IndexError):
        found[5]


def test_a_hidden_file_is_read_if_it_is_asked_for():
    image_of(GREY).save(".a.png")
    np.testing.assert_array_equal(only(".a.png").pixels, GREY)
    np.testing.assert_array_equal(read([".a.png"]), [GREY])


def test_repr_and_frozen():
    image_of(GREY[:1, :1]).save("a.png")
    picture = only("a.png")
    assert repr(picture) == f"Picture(name='a.png', pixels=array([[{GREY[0, 0]}]], dtype=uint8), alpha=None)"
    with pytest.raises(AttributeError):
        picture.name = "b"
    assert picture != copy.copy(picture)  # one is not another, as arrays don't compare to one answer


@pytest.mark.parametrize("side", [30, 200])
def test_few_pictures_are_decoded_ahead(monkeypatch, side):
    """As many as fit into the memory that is granted, whatever the folder holds."""
    write_images("x", [np.zeros((side, side), np.uint8)] * 40)
    decoded, lock, decode = 0, threading.Lock(), pictures._decode

    def counted(file):
        nonlocal decoded
        with lock:
            decoded += 1
        return decode(file)

    monkeypatch.setattr(pictures, "_decode", counted)
    monkeypatch.setattr(pictures, "_AHEAD", 3 * 200 * 200)
    monkeypatch.setattr(pictures, "THREADS", 4)
    most = max(decoded - taken for taken, _ in enumerate(Pictures("x"), 1))
    assert most == (0 if side == 30 else 2)  # small ones one by one; of the others three at a time, of which one is in hand
    assert decoded == 40


@pytest.fixture
def broken():
    write_images("x", [GREY] * 4)
    Path("x/00001.png").write_bytes(Path("x/00001.png").read_bytes()[:60])
    Path("x/00003.png").write_text("no picture")


SAID = "it is broken, cut short, or not PNG, JPEG, TIFF, BMP, WebP or DICOM. Replace it, or pass skip_bad=True."


@pytest.mark.usefixtures("broken")
def test_a_broken_file_is_named(sentence):
    found = iter(Pictures("x"))
    assert next(found).name == "00000.png"
    assert sentence(FileError, list, found) == f"Can't read the image 'x/00001.png': {SAID}"
    assert sentence(FileError, Pictures("x", skip_bad=True).__getitem__, 3) == f"Can't read the image 'x/00003.png': {SAID}"


@pytest.mark.usefixtures("broken")
def test_broken_files_are_left_out_with_one_warning():
    found = Pictures("x", skip_bad=True)
    with pytest.warns(HourglassWarning) as caught:
        assert [picture.name for picture in found] == ["00000.png", "00002.png"]
    assert [str(warning.message) for warning in caught] == [
        "Left out 2 of 4 images that could not be read, the first: 'x/00001.png'."
    ]
    assert caught[0].filename == __file__
    assert len(found) == 4
    with pytest.warns(HourglassWarning):
        assert [picture.name for picture in found.readable()] == found.readable().names == ["00000.png", "00002.png"]
    assert len(Pictures("x").readable()) == 4


@pytest.mark.usefixtures("broken")
def test_filters_of_warnings_are_as_before_between_two_pictures():
    before = list(warnings.filters)
    for _ in Pictures("x")[:1]:
        assert warnings.filters == before


def test_filters_of_warnings_are_as_before_when_the_thread_that_came_first_goes_first(monkeypatch):
    write_images("x", [GREY] * 2)
    inside, leave = ([threading.Event() for _ in range(2)] for _ in range(2))
    decode, found, before = pictures._decode, Pictures("x"), list(warnings.filters)

    def held(file):
        number = int(file.name[:5])
        inside[number].set()
        assert leave[number].wait(60)
        return decode(file)

    monkeypatch.setattr(pictures, "_decode", held)
    reading = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(2):
            reading.append(pool.submit(found.__getitem__, number))
            assert inside[number].wait(60)
        for number in range(2):
            leave[number].set()
            np.testing.assert_array_equal(reading[number].result().pixels, GREY)
            assert (warnings.filters == before) == (number == 1)


def test_no_source(sentence):
    Path("x").mkdir()
    Path("notes").write_text("no picture, and no ending")
    assert sentence(FileError, Pictures, []) == "The list of paths is empty. Give at least one image."
    assert sentence(FileError, Pictures, "note") == "There is no file or folder 'note'. Did you mean 'notes'?"
    assert sentence(FileError, Pictures, "x") == (
        "'x' holds no images. Looked for .png, .jpg, .jpeg, .tif, .tiff, .bmp, .webp, .dcm in it and its sub-folders."
    )
    for source in ("notes", ["notes"]):
        assert sentence(FileError, Pictures, source) == (
            "'notes' is no image by its ending. Known: .png, .jpg, .jpeg, .tif, .tiff, .bmp, .webp, .dcm."
        )


def dicom(values, path="a.dcm", bits=None, **header):
    """Write a DICOM file of the values as stored."""
    values = np.asarray(values)
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.PatientName = "Doe^Jane"
    dataset.set_pixel_data(
        values,
        header.pop("PhotometricInterpretation", "RGB" if values.ndim == 3 else "MONOCHROME2"),
        bits or 8 * values.dtype.itemsize,
        generate_instance_uid=False,
    )
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("values", "bits", "header", "pixels"),
    [
        (np.uint16([[0, 2048, 4095]]), 12, {}, np.uint16([[0, 32776, 65535]])),  # 2048 / 4095 of 65535
        (np.int16([[-2048, 0, 2047]]), 12, {}, np.uint16([[0, 32776, 65535]])),
        (np.uint16([[0, 1, 65535]]), 16, {}, np.uint16([[0, 1, 65535]])),
        (np.uint8([[0, 7, 255]]), 8, {}, np.uint8([[0, 7, 255]])),
        (np.uint8([[0, 32, 63]]), 6, {}, np.uint8([[0, 130, 255]])),
        (np.uint16([[0, 7, 255]]), 8, {}, np.uint8([[0, 7, 255]])),
        (np.uint16([[0, 2048, 4095]]), 12, {"PhotometricInterpretation": "MONOCHROME1"}, np.uint16([[65535, 32759, 0]])),
        (np.uint16([[0, 16, 99]]), 16, {"BitsStored": 4}, np.uint8([[0, 0, 51]])),  # 99 is 3 beside overlays in the upper bits
        (np.uint8([[[0, 7, 255]]]), 8, {}, np.uint8([[[0, 7, 255]]])),
    ],
)
def test_levels_of_dicom(values, bits, header, pixels):
    picture = only(dicom(values, bits=bits, **header))
    assert picture.pixels.dtype == pixels.dtype
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.pixels, pixels)


@settings(max_examples=60)
@given(data=st.data(), bits=st.integers(1, 16), signed=st.booleans(), meaning=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
def test_untouched_dicom_comes_back_to_the_bit(tmp_path_factory, data, bits, signed, meaning):
    path = tmp_path_factory.getbasetemp() / "a.dcm"
    allocated = data.draw(st.sampled_from([8, 16] if bits <= 8 else [16]))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    shape = hnp.array_shapes(min_dims=2, max_dims=2, max_side=4)
    values = data.draw(hnp.arrays(f"{'i' if signed else 'u'}{allocated // 8}", shape, elements=st.integers(low, high)))
    again = pydicom.dcmread(rewritten(dicom(values, path, bits, PhotometricInterpretation=meaning)))
    np.testing.assert_array_equal(again.pixel_array, values)
    assert again.pixel_array.dtype == values.dtype
    assert (again.PhotometricInterpretation, again.BitsStored) == (meaning, bits)


def test_the_header_of_dicom_stays_and_says_that_it_is_derived():
    dicom(np.uint16([[0, 100]]), bits=12, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], SmallestImagePixelValue=0)
    picture = only("a.dcm")
    for level in (0, 65535):  # a picture can be written more than once
        picture.write("b.dcm", np.full((1, 2), level, np.uint16))
        before, after = pydicom.dcmread("a.dcm"), pydicom.dcmread("b.dcm")
        assert after.pixel_array.tolist() == [[level // 16, level // 16]]
        assert after.PatientName == before.PatientName
        assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID != before.SOPInstanceUID
        assert after.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
        assert list(after.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
        assert after.DerivationDescription == "Pixels changed by Hourglass"
        assert "SmallestImagePixelValue" not in after
    assert pydicom.dcmread(rewritten("b.dcm")).DerivationDescription == "; ".join(["Pixels changed by Hourglass"] * 2)
    dicom(np.uint16([[0, 100]]), bits=12, ImageType="ORIGINAL")
    assert list(pydicom.dcmread(rewritten("a.dcm")).ImageType) == ["DERIVED", "PRIMARY"]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm"])
def test_files_of_machines(name):
    path = Path(pydicom.__file__).parent / "data/test_files" / name
    shutil.copy(path, "a.dcm")
    before, after = pydicom.dcmread(path), pydicom.dcmread(rewritten("a.dcm"))
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)
    assert after.StudyDate == before.StudyDate


def test_dicom_without_an_ending_is_found():
    for name in ("IM0001", "1.2.840.10008.7", "c.dcm", "DICOMDIR", ".hidden"):
        dicom(np.uint16([[1, 2]]), f"{name}.tmp")
        Path("x").mkdir(exist_ok=True)
        Path(f"{name}.tmp").rename(f"x/{name}")
    Path("x/LICENSE").write_text("words")
    with zipfile.ZipFile("x.zip", "w") as archive:
        for path in Path("x").iterdir():
            archive.write(path)
    for source in ("x", "x.zip"):
        assert Pictures(source).names == ["1.2.840.10008.7", "IM0001", "c.dcm"]
        images = read(source)
        assert images.dtype == np.uint16
        np.testing.assert_array_equal(images, [[[1, 2]]] * 3)
    np.testing.assert_array_equal(read("x/IM0001"), [[[1, 2]]])
    write_images("y", images, image_names("x"))
    assert Pictures("y").names == ["1.2.840.10008.7.png", "IM0001.png", "c.png"]


def test_dicom_and_png_in_one_folder():
    write_images("x", [np.uint8([[7, 8]])])
    dicom(np.uint16([[0, 65535]]), "x/a.dcm")
    np.testing.assert_array_equal(read("x"), np.uint8([[[7, 8]], [[0, 255]]]))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"NumberOfFrames": 5}, "is 5 pictures in one file. Save each as a file of its own."),
        (
            {"PhotometricInterpretation": "PALETTE COLOR"},
            "stores PALETTE COLOR in 16 bits. Convert it to grey or RGB in 8 or 16.",
        ),
        ({"BitsAllocated": 32}, "stores MONOCHROME2 in 32 bits. Convert it to grey or RGB in 8 or 16."),
        ({"Rows": 60000, "Columns": 60000}, "has more than 89,478,485 pixels, too many to be trusted. Scale it down."),
    ],
)
def test_dicom_that_is_not_read(sentence, header, said):
    assert sentence(FileError, only, dicom(np.uint16([[0, 99]]), **header)) == f"'a.dcm' {said}"


def test_dicom_that_is_no_picture_or_in_an_unknown_form(sentence):
    dataset = pydicom.dcmread(dicom(np.uint16([[0, 99]])))
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = pydicom.encaps.encapsulate([b"0000"])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as("b.dcm")
    assert sentence(FileError, only, "b.dcm") == (
        "'b.dcm' is stored as JPEG-LS Lossless Image Compression, which can't be read here. Save it as Explicit VR Little Endian."
    )
    del dataset.PixelData
    dataset.save_as("c.dcm")
    assert sentence(FileError, only, "c.dcm") == "'c.dcm' is DICOM without a picture. Leave it out, or pass skip_bad=True."
    Path("d.dcm").write_bytes(Path("a.dcm").read_bytes()[:-2])
    Path("e.dcm").write_text("hello")
    for name in ("d.dcm", "e.dcm"):
        assert sentence(FileError, only, name) == f"Can't read the image '{name}': {SAID}"
    with pytest.warns(HourglassWarning, match="Left out 4 of 5 images"):
        assert read(".", skip_bad=True).shape == (1, 1, 2)


def test_a_header_that_breaks_the_rules_is_named(sentence, entries):
    picture = only(dicom(np.uint16([[0, 99]])))
    picture._save.args[0].file_meta = None
    said = sentence(FileError, picture.write, "b.dcm", picture.pixels)
    assert said.startswith("Can't write 'b.dcm' with the metadata of 'a.dcm' (")
    assert entries() == ["a.dcm"]


def test_dicom_without_pydicom(sentence, monkeypatch):
    dicom(np.uint16([[0, 99]]))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for skip_bad in (False, True):
        assert sentence(MissingExtraError, read, "a.dcm", skip_bad=skip_bad) == (
            "'a.dcm' is DICOM, which needs pydicom. Run: pip install 'hourglass-ae[medical]'"
        )


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)], ids=["RGB", "LA", "RGBA"])
def test_16_bits_with_colour_or_transparency_are_read_as_8(kind, channels):
    """As Pillow does; the PNG is made by hand, since Pillow can't write it."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    row = b"\0" + np.full(2 * channels, 0x1234, ">u2").tobytes()
    header = struct.pack(">IIBBBBB", 2, 1, 16, kind, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")
    Path("a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    picture = only("a.png")
    assert picture.pixels.dtype == np.uint8
    assert {*picture.pixels.ravel()} == {0x12}
    assert (picture.alpha is None) == (kind == 2)
