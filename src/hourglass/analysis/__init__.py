"""Looking at a fitted model: figures, pictures, the choice of the width, what is wrong, and a page that shows it all."""

from hourglass.analysis import chemistry, metrics, plots, samples, sequences, synthetic
from hourglass.analysis.around import neighbours
from hourglass.analysis.comparison import Comparison, compare_detectors
from hourglass.analysis.diagnosis import Diagnosis, diagnose
from hourglass.analysis.mending import SelfCheck, self_check
from hourglass.analysis.optimising import optimise
from hourglass.analysis.reporting import report
from hourglass.analysis.samples import Quality, quality
from hourglass.analysis.widths import Sweep, sweep

__all__ = [
    "Comparison",
    "Diagnosis",
    "Quality",
    "SelfCheck",
    "Sweep",
    "chemistry",
    "compare_detectors",
    "diagnose",
    "metrics",
    "neighbours",
    "optimise",
    "plots",
    "quality",
    "report",
    "samples",
    "self_check",
    "sequences",
    "sweep",
    "synthetic",
]
