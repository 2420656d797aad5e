"""The scikit-learn faces, and ``load``, which makes one of a model file."""

from hourglass.estimators.autoencoder import Autoencoder
from hourglass.estimators.base import BaseAutoencoder
from hourglass.estimators.denoising import DenoisingAutoencoder
from hourglass.estimators.detection.detector import AnomalyDetector
from hourglass.estimators.detection.drift import Drift
from hourglass.estimators.files import info, load
from hourglass.estimators.tunes import continued
from hourglass.estimators.variational import VariationalAutoencoder

__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "BaseAutoencoder",
    "DenoisingAutoencoder",
    "Drift",
    "VariationalAutoencoder",
    "continued",
    "info",
    "load",
]
