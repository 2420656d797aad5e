"""The names of the parts."""

from hourglass.parts.artefacts import BaselineWander, DropSpans, MainsHum
from hourglass.parts.base import Part
from hourglass.parts.bottlenecks import Bottleneck, Code, Open, Plain, TopK
from hourglass.parts.convolution import Convolutional
from hourglass.parts.corruptions import Corruption, Hide, Mask, Noise, Together
from hourglass.parts.damage import Blur, Fade, Jpeg, LowResolution, MotionBlur, Poisson, SaltAndPepper, Speckle
from hourglass.parts.erasures import BlindSpot, Erase, ErasePixels, HalfErased, Scratches
from hourglass.parts.likelihoods import Bernoulli, Gaussian, Likelihood
from hourglass.parts.mixed import Categorical, Mixed
from hourglass.parts.named import corruption
from hourglass.parts.networks import Dense, Network
from hourglass.parts.objectives import Capacity, Elbo, ImportanceWeighted, Objective, TotalCorrelation
from hourglass.parts.priors import MixturePrior, Prior, StandardNormal, VampPrior
from hourglass.parts.quantized import FiniteScalar, Quantized, VectorQuantized
from hourglass.parts.restorer import Restorer
from hourglass.parts.rewriter import Rewriter
from hourglass.parts.sequence import Causal, OneShot, Recurrent
from hourglass.parts.structural import Structural
from hourglass.parts.temporal import Temporal
from hourglass.parts.typos import SwapSymbols, Typos
from hourglass.parts.variational import Matched, Variational

__all__ = [
    "BaselineWander",
    "Bernoulli",
    "BlindSpot",
    "Blur",
    "Bottleneck",
    "Capacity",
    "Categorical",
    "Causal",
    "Code",
    "Convolutional",
    "Corruption",
    "Dense",
    "DropSpans",
    "Elbo",
    "Erase",
    "ErasePixels",
    "Fade",
    "FiniteScalar",
    "Gaussian",
    "HalfErased",
    "Hide",
    "ImportanceWeighted",
    "Jpeg",
    "Likelihood",
    "LowResolution",
    "MainsHum",
    "Mask",
    "Matched",
    "Mixed",
    "MixturePrior",
    "MotionBlur",
    "Network",
    "Noise",
    "Objective",
    "OneShot",
    "Open",
    "Part",
    "Plain",
    "Poisson",
    "Prior",
    "Quantized",
    "Recurrent",
    "Restorer",
    "Rewriter",
    "SaltAndPepper",
    "Scratches",
    "Speckle",
    "StandardNormal",
    "Structural",
    "SwapSymbols",
    "Temporal",
    "Together",
    "TopK",
    "TotalCorrelation",
    "Typos",
    "VampPrior",
    "Variational",
    "VectorQuantized",
    "corruption",
]
