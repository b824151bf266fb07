"""File formats: one file per format, one registry; `read_cube` and `write_cube` for all of them."""

from __future__ import annotations

from napari_hsisynth.formats.cubes import read_cube, write_cube
from napari_hsisynth.formats.describe import describe, describe_text
from napari_hsisynth.formats.mosaic import MosaicLayout
from napari_hsisynth.formats.registry import (
    Format,
    ReadOptions,
    format_of,
    list_formats,
    parts_of,
)
from napari_hsisynth.formats.spectral_library import SpectralLibrary, read_library
from napari_hsisynth.formats.unlabelled import AmbiguousVariableError, Variable

__all__ = [
    "AmbiguousVariableError",
    "Format",
    "MosaicLayout",
    "ReadOptions",
    "SpectralLibrary",
    "Variable",
    "describe",
    "describe_text",
    "format_of",
    "list_formats",
    "parts_of",
    "read_cube",
    "read_library",
    "write_cube",
]
