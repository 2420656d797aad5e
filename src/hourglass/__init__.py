"""Hourglass: autoencoders for people with a pile of unlabelled data.

Everything public is here, as in ``import hourglass as hg``, and is imported when it is first used: ``import hourglass`` alone does
not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; at run time the table below does it
    from hourglass.analysis import (
        chemistry,
        compare_detectors,
        diagnose,
        metrics,
        neighbours,
        optimise,
        plots,
        quality,
        report,
        self_check,
        sweep,
    )
    from hourglass.data import Melody, Record, datasets, read, write
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
        StoppedWarning,
        TrainingDivergedError,
    )
    from hourglass.estimators import (
        AnomalyDetector,
        Autoencoder,
        DenoisingAutoencoder,
        VariationalAutoencoder,
        continued,
        info,
        load,
    )
    from hourglass.kinds import Melodies, Series, infer
    from hourglass.parts import (
        BaselineWander,
        Bernoulli,
        BlindSpot,
        Blur,
        Capacity,
        Categorical,
        Causal,
        Convolutional,
        Dense,
        DropSpans,
        Elbo,
        Erase,
        ErasePixels,
        Fade,
        FiniteScalar,
        Gaussian,
        HalfErased,
        Hide,
        ImportanceWeighted,
        Jpeg,
        LowResolution,
        MainsHum,
        Mask,
        Matched,
        Mixed,
        MixturePrior,
        MotionBlur,
        Noise,
        OneShot,
        Open,
        Plain,
        Poisson,
        Recurrent,
        Restorer,
        Rewriter,
        SaltAndPepper,
        Scratches,
        Speckle,
        StandardNormal,
        Structural,
        SwapSymbols,
        Temporal,
        Together,
        TopK,
        TotalCorrelation,
        Typos,
        VampPrior,
        Variational,
        VectorQuantized,
        corruption,
    )
    from hourglass.runtime import OnnxModel

__version__: str

__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "BaselineWander",
    "Bernoulli",
    "BlindSpot",
    "Blur",
    "Capacity",
    "Categorical",
    "Causal",
    "CheckpointError",
    "Convolutional",
    "DataError",
    "DenoisingAutoencoder",
    "Dense",
    "DownloadError",
    "DropSpans",
    "Elbo",
    "Erase",
    "ErasePixels",
    "Fade",
    "FileError",
    "FiniteScalar",
    "Gaussian",
    "HalfErased",
    "Hide",
    "HourglassError",
    "HourglassWarning",
    "ImportanceWeighted",
    "Jpeg",
    "LowResolution",
    "MainsHum",
    "Mask",
    "Matched",
    "Melodies",
    "Melody",
    "MissingExtraError",
    "Mixed",
    "MixturePrior",
    "ModelFileError",
    "MotionBlur",
    "Noise",
    "OneShot",
    "OnnxModel",
    "Open",
    "ParameterError",
    "Plain",
    "Poisson",
    "Record",
    "Recurrent",
    "Restorer",
    "Rewriter",
    "SaltAndPepper",
    "Scratches",
    "Series",
    "Speckle",
    "StandardNormal",
    "StoppedWarning",
    "Structural",
    "SwapSymbols",
    "Temporal",
    "Together",
    "TopK",
    "TotalCorrelation",
    "TrainingDivergedError",
    "Typos",
    "VampPrior",
    "Variational",
    "VariationalAutoencoder",
    "VectorQuantized",
    "chemistry",
    "compare_detectors",
    "continued",
    "corruption",
    "datasets",
    "diagnose",
    "infer",
    "info",
    "load",
    "metrics",
    "neighbours",
    "optimise",
    "plots",
    "quality",
    "read",
    "report",
    "self_check",
    "sweep",
    "write",
]

_HOMES = {  # of all that is no part
    "hourglass.analysis": (
        "chemistry",
        "compare_detectors",
        "diagnose",
        "metrics",
        "neighbours",
        "optimise",
        "plots",
        "quality",
        "report",
        "self_check",
        "sweep",
    ),
    "hourglass.data": ("Melody", "Record", "datasets", "read", "write"),
    "hourglass.errors": (
        "CheckpointError",
        "DataError",
        "DownloadError",
        "FileError",
        "HourglassError",
        "HourglassWarning",
        "MissingExtraError",
        "ModelFileError",
        "ParameterError",
        "StoppedWarning",
        "TrainingDivergedError",
    ),
    "hourglass.estimators": (
        "AnomalyDetector",
        "Autoencoder",
        "DenoisingAutoencoder",
        "VariationalAutoencoder",
        "continued",
        "info",
        "load",
    ),
    "hourglass.kinds": ("Melodies", "Series", "infer"),
    "hourglass.runtime": ("OnnxModel",),
}
_HOME = dict.fromkeys(__all__, "hourglass.parts") | {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hourglass-ae")
    if name == "analysis":  # the room, as in ``hg.analysis.compare_detectors``, before anything of it was used
        return importlib.import_module("hourglass.analysis")
    if name not in _HOME:
        raise AttributeError(f"module 'hourglass' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
