"""Hourglass: autoencoders for people with a pile of unlabelled data.

Everything public is here, as in ``import hourglass as hg``, and is imported when it is first used: ``import hourglass`` alone does
not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; at run time the table below does it
    from hourglass.analysis import compare_detectors, metrics, plots, report, self_check, sweep
    from hourglass.data import Record, datasets, read, write
    from hourglass.errors import (
        CheckpointError,
        DataError,
        DownloadError,
        FileError,
        HourglassError,
        HourglassWarning,
        MissingExtraError,
        ModelFileError,
        ParameterError,
        TrainingDivergedError,
    )
    from hourglass.estimators import AnomalyDetector, Autoencoder, DenoisingAutoencoder, info, load
    from hourglass.kinds import Series, infer
    from hourglass.parts import (
        BaselineWander,
        Bernoulli,
        BlindSpot,
        Blur,
        Convolutional,
        Dense,
        DropSpans,
        Erase,
        ErasePixels,
        Fade,
        Gaussian,
        HalfErased,
        Hide,
        Jpeg,
        LowResolution,
        MainsHum,
        Mask,
        Mixed,
        MotionBlur,
        Noise,
        Open,
        Plain,
        Poisson,
        ResidualBlocks,
        Restorer,
        SaltAndPepper,
        Scratches,
        Speckle,
        Structural,
        Temporal,
        Together,
        TopK,
        corruption,
    )

__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "BaselineWander",
    "Bernoulli",
    "BlindSpot",
    "Blur",
    "CheckpointError",
    "Convolutional",
    "DataError",
    "DenoisingAutoencoder",
    "Dense",
    "DownloadError",
    "DropSpans",
    "Erase",
    "ErasePixels",
    "Fade",
    "FileError",
    "Gaussian",
    "HalfErased",
    "Hide",
    "HourglassError",
    "HourglassWarning",
    "Jpeg",
    "LowResolution",
    "MainsHum",
    "Mask",
    "MissingExtraError",
    "Mixed",
    "ModelFileError",
    "MotionBlur",
    "Noise",
    "Open",
    "ParameterError",
    "Plain",
    "Poisson",
    "Record",
    "ResidualBlocks",
    "Restorer",
    "SaltAndPepper",
    "Scratches",
    "Series",
    "Speckle",
    "Structural",
    "Temporal",
    "Together",
    "TopK",
    "TrainingDivergedError",
    "compare_detectors",
    "corruption",
    "datasets",
    "infer",
    "info",
    "load",
    "metrics",
    "plots",
    "read",
    "report",
    "self_check",
    "sweep",
    "write",
]

_HOMES = {
    "hourglass.analysis": ("compare_detectors", "metrics", "plots", "report", "self_check", "sweep"),
    "hourglass.data": ("Record", "datasets", "read", "write"),
    "hourglass.estimators": ("AnomalyDetector", "Autoencoder", "DenoisingAutoencoder", "info", "load"),
    "hourglass.kinds": ("Series", "infer"),
    "hourglass.parts": (
        "BaselineWander",
        "Bernoulli",
        "BlindSpot",
        "Blur",
        "Convolutional",
        "Dense",
        "DropSpans",
        "Erase",
        "ErasePixels",
        "Fade",
        "Gaussian",
        "HalfErased",
        "Hide",
        "Jpeg",
        "LowResolution",
        "MainsHum",
        "Mask",
        "Mixed",
        "MotionBlur",
        "Noise",
        "Open",
        "Plain",
        "Poisson",
        "ResidualBlocks",
        "Restorer",
        "SaltAndPepper",
        "Scratches",
        "Speckle",
        "Structural",
        "Temporal",
        "Together",
        "TopK",
        "corruption",
    ),
}
_HOME = dict.fromkeys(__all__, "hourglass.errors") | {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hourglass' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
