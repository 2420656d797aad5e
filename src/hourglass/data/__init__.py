"""Where data comes from and goes to: files of every kind that is read, and the named datasets."""

from hourglass.data import datasets
from hourglass.data.files import atomic
from hourglass.data.images import image_files, image_names, write_images
from hourglass.data.melody import Melody
from hourglass.data.pictures import ENDINGS, Picture, Pictures
from hourglass.data.readers import files_of, read, read_with_places, reads_pictures
from hourglass.data.record import Record
from hourglass.data.stream import appending, batches
from hourglass.data.tunes import TUNES, holds_melodies
from hourglass.data.writers import is_folder, require_known, wants_folder, write

__all__ = [
    "ENDINGS",
    "TUNES",
    "Melody",
    "Picture",
    "Pictures",
    "Record",
    "appending",
    "atomic",
    "batches",
    "datasets",
    "files_of",
    "holds_melodies",
    "image_files",
    "image_names",
    "is_folder",
    "read",
    "read_with_places",
    "reads_pictures",
    "require_known",
    "wants_folder",
    "write",
    "write_images",
]
