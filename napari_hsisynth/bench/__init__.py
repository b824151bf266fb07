"""Figures beside named baselines: what ``napari-hsisynth bench`` measures and prints."""

from napari_hsisynth.bench.figure import Budget, Figure, Times, timing
from napari_hsisynth.bench.measure import alternate

__all__ = ["Budget", "Figure", "Times", "alternate", "timing"]
