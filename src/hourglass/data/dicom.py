"""DICOM: the picture of a medical file as levels of grey or colour, and back beside the same header."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hourglass.data.files import Save, check_frames
from hourglass.errors import FileError, MissingExtraError

if TYPE_CHECKING:
    from pydicom import FileDataset

NOTE = "Pixels changed by Hourglass"


def is_dicom(stream: BinaryIO) -> bool:
    """Whether a file begins as DICOM files do, whatever its name."""
    return stream.read(132)[128:] == b"DICM"


def read_dicom(path: str, stream: BinaryIO) -> tuple[NDArray[Any], None, Save]:
    """Read the stored values, spread over all of uint8 or uint16 with white on top, and what writes such levels back."""
    try:
        import pydicom
        from pydicom.pixels.decoders.base import get_decoder
        from pydicom.pixels.utils import pixel_array
    except ImportError as error:
        raise MissingExtraError(f"'{path}' is DICOM, which needs pydicom. Run: pip install 'hourglass-ae[medical]'") from error
    from PIL import Image

    dataset = pydicom.dcmread(stream)
    if "PixelData" not in dataset:
        raise FileError(f"'{path}' is DICOM without a picture. Leave it out, or pass skip_bad=True.")
    check_frames(path, int(dataset.get("NumberOfFrames") or 1))
    meaning, allocated = dataset.PhotometricInterpretation, dataset.BitsAllocated
    if allocated not in (8, 16) or (dataset.SamplesPerPixel == 1 and not meaning.startswith("MONOCHROME")):
        raise FileError(f"'{path}' stores {meaning} in {allocated} bits. Convert it to grey or RGB in 8 or 16.")
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_little_endian or not get_decoder(syntax).is_available:
        raise FileError(f"'{path}' is stored as {syntax.name}, which can't be read here. Save it as Explicit VR Little Endian.")
    if dataset.Rows * dataset.Columns > (Image.MAX_IMAGE_PIXELS or np.inf):
        raise Image.DecompressionBombError
    lowest, span, top = _range(dataset)
    levels = pixel_array(dataset).astype(np.float64) - lowest  # pydicom has cleared the bits above those that are stored
    pixels = np.rint(levels * (top / span)).astype(np.uint8 if top == 255 else np.uint16)
    del dataset.PixelData  # as the picture is kept for its header alone
    dataset.buffer = None
    return top - pixels if meaning == "MONOCHROME1" else pixels, None, partial(_write, dataset)


def _range(dataset: FileDataset) -> tuple[int, int, int]:
    """The lowest value that can be stored, how far the highest is above it, and the level that stands for that one."""
    bits = dataset.BitsStored
    return -(1 << bits - 1) if dataset.PixelRepresentation else 0, (1 << bits) - 1, 255 if bits <= 8 else 65535


def _write(original: FileDataset, path: Path, pixels: NDArray[Any], _alpha: Any) -> None:
    from pydicom import Dataset
    from pydicom.uid import ExplicitVRLittleEndian

    lowest, span, top = _range(original)
    meaning = original.PhotometricInterpretation if original.SamplesPerPixel == 1 else "RGB"
    levels = top - pixels if meaning == "MONOCHROME1" else pixels
    dtype = np.dtype(f"{'i' if original.PixelRepresentation else 'u'}{original.BitsAllocated // 8}")
    dataset = copy.deepcopy(original)
    if original.get("SOPClassUID") and original.get("SOPInstanceUID"):
        source = Dataset()
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = original.SOPClassUID, original.SOPInstanceUID
        dataset.SourceImageSequence = [source]
    types = dataset.get("ImageType") or []  # of a single value it is text
    dataset.ImageType = ["DERIVED", *((not isinstance(types, str) and types[1:]) or ["PRIMARY"])]
    dataset.DerivationDescription = "; ".join(filter(None, [dataset.get("DerivationDescription"), NOTE]))
    for outdated in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        dataset.pop(outdated, None)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_pixel_data((np.rint(levels * (span / top)) + lowest).astype(dtype), meaning, original.BitsStored)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID  # set_pixel_data has given it a new one
    dataset.save_as(path)
