"""The six swappable parts of an autoencoder, in torch alone."""

from hourglass.parts.artefacts import BaselineWander, DropSpans, MainsHum
from hourglass.parts.base import Part
from hourglass.parts.bottlenecks import Bottleneck, Code, Open, Plain, TopK
from hourglass.parts.convolution import Convolutional
from hourglass.parts.corruptions import Corruption, Hide, Mask, Noise, Together
from hourglass.parts.damage import (
    BlindSpot,
    Blur,
    Erase,
    ErasePixels,
    Fade,
    HalfErased,
    Jpeg,
    LowResolution,
    MotionBlur,
    Poisson,
    SaltAndPepper,
    Scratches,
    Speckle,
    corruption,
)
from hourglass.parts.likelihoods import Bernoulli, Gaussian, Likelihood, Mixed, Structural
from hourglass.parts.networks import Dense, Network, ResidualBlocks
from hourglass.parts.restorer import Restorer
from hourglass.parts.temporal import Temporal

__all__ = [
    "BaselineWander",
    "Bernoulli",
    "BlindSpot",
    "Blur",
    "Bottleneck",
    "Code",
    "Convolutional",
    "Corruption",
    "Dense",
    "DropSpans",
    "Erase",
    "ErasePixels",
    "Fade",
    "Gaussian",
    "HalfErased",
    "Hide",
    "Jpeg",
    "Likelihood",
    "LowResolution",
    "MainsHum",
    "Mask",
    "Mixed",
    "MotionBlur",
    "Network",
    "Noise",
    "Open",
    "Part",
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
]
