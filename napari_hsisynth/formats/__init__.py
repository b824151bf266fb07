"""File formats: one file per format, one registry; `read_cube` and `write_cube` for all of them."""

from __future__ import annotations

from napari_hsisynth.formats.describe import describe, describe_text
from napari_hsisynth.formats.mosaic import MosaicLayout
from napari_hsisynth.formats.registry import (
    Format,
    ReadOptions,
    Variable,
    format_of,
    list_formats,
    read_cube,
    write_cube,
)

__all__ = [
    "Format",
    "MosaicLayout",
    "ReadOptions",
    "Variable",
    "describe",
    "describe_text",
    "format_of",
    "list_formats",
    "read_cube",
    "write_cube",
]
