"""Text with a row on each line: strings, SMILES."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hourglass.data.tables import text_of
from hourglass.errors import FileError


def read_lines(path: Path) -> NDArray[Any]:
    """The lines of a text file, gzipped or not, as an array (n,) of strings, with the blank ones, as rows are counted."""
    text = text_of(path)
    if not text.strip():
        raise FileError(f"'{path}' holds no line. It needs one for each row.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")  # and at no other character
    return np.array(lines, dtype=object)


def read_smiles(path: Path) -> NDArray[Any]:
    """The SMILES of a ``.smi`` file: what stands before the first blank of each line; behind it are names.

    A first line that says SMILES is a header, as RDKit writes it.
    """
    rows = [(line.split() or [""])[0] for line in read_lines(path)]
    return np.array(rows[rows[0].lower() == "smiles" :], dtype=object)


def write_lines(path: Path, raw: Sequence[Any]) -> None:
    """Write a row on each line; the symbols of a row that is a list have blanks between them."""
    if not all(isinstance(row, (str, list, tuple)) for row in raw):
        raise ValueError("a row is neither a string nor a list of strings")
    lines = [row if isinstance(row, str) else " ".join(row) for row in raw]
    strange = next((line for line in lines if "\n" in line or "\r" in line), None)
    if strange is not None:
        raise ValueError(f"a row has a line break: {strange!r}")
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
