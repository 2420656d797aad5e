"""The six swappable parts of an autoencoder, in torch alone."""

from hourglass.parts.base import Part
from hourglass.parts.bottlenecks import Bottleneck, Code, Plain, TopK
from hourglass.parts.corruptions import Corruption, Hide, Mask, Noise
from hourglass.parts.likelihoods import Bernoulli, Gaussian, Likelihood, Mixed
from hourglass.parts.networks import Dense, Network, ResidualBlocks

__all__ = [
    "Bernoulli",
    "Bottleneck",
    "Code",
    "Corruption",
    "Dense",
    "Gaussian",
    "Hide",
    "Likelihood",
    "Mask",
    "Mixed",
    "Network",
    "Noise",
    "Part",
    "Plain",
    "ResidualBlocks",
    "TopK",
]
