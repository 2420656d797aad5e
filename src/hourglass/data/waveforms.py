"""WFDB records, as PhysioNet has them: a header ``.hea`` beside its signals."""

from __future__ import annotations

import warnings
from datetime import datetime, time
from pathlib import Path

import numpy as np

from hourglass.data.record import Record
from hourglass.errors import FileError, MissingExtraError


def read_wfdb(path: Path) -> Record:
    """Read a WFDB record by its header or its signals: in physical units, NaN where samples are missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it leans on
            import wfdb
    except ImportError as error:
        raise MissingExtraError(
            f"'{path}' is a WFDB record, and reading those takes wfdb: pip install 'hourglass-ae[series]'."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = wfdb.rdrecord(str(path.with_suffix("")))
        except FileNotFoundError as error:
            missing = Path(error.filename or path).name
            raise FileError(f"'{path}' is a part of a WFDB record, and beside it '{missing}' is missing. Put it there.") from error
    start = found.base_datetime
    if start is None and isinstance(found.base_time, time):
        start = datetime.combine(found.base_date or datetime.min.date(), found.base_time)
    return Record(np.asarray(found.p_signal), float(found.fs), names=found.sig_name, start=start)
