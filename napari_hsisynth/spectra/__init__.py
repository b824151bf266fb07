"""Spectra of regions, the transforms in which spectra are compared, and maps of similarity. NumPy only."""

from napari_hsisynth.spectra.continuum import continuum_removed
from napari_hsisynth.spectra.savitzky_golay import derivative, first_derivative, second_derivative, smooth
from napari_hsisynth.spectra.similarity import MEASURES, Measure, similarity_map
from napari_hsisynth.spectra.statistics import SpectrumStatistics, label_statistics, roi_statistics
from napari_hsisynth.spectra.transforms import (
    TRANSFORM_LABELS,
    TRANSFORMS,
    Transform,
    normalised,
    optical_density,
    raw,
    snv,
)
from napari_hsisynth.spectra.wavelengths import difference, ratio, resample

__all__ = [
    "MEASURES",
    "TRANSFORMS",
    "TRANSFORM_LABELS",
    "Measure",
    "SpectrumStatistics",
    "Transform",
    "continuum_removed",
    "derivative",
    "difference",
    "first_derivative",
    "label_statistics",
    "normalised",
    "optical_density",
    "ratio",
    "raw",
    "resample",
    "roi_statistics",
    "second_derivative",
    "similarity_map",
    "smooth",
    "snv",
]
