"""Exported models, run without torch."""

from hourglass.runtime.model import OnnxModel

__all__ = ["OnnxModel"]
