"""A model as one ONNX file, with what happens before and after the networks inside the graph."""

from hourglass.export.graphs import AutoencoderGraph, DetectorGraph, Graph, MendingGraph, WatchGraph
from hourglass.export.writing import write

__all__ = ["AutoencoderGraph", "DetectorGraph", "Graph", "MendingGraph", "WatchGraph", "write"]
