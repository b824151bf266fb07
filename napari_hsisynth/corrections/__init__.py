"""Corrections of whole cubes: flat field, bands, pixels, axes. A cube that stays in its file stays there.

Each returns a new `Cube` whose ``provenance["processing"]`` lists what was done, one JSON object per step.
"""

from napari_hsisynth.corrections.bands import bin_bands, crop_bands, drop_bands
from napari_hsisynth.corrections.flat_field import flat_field
from napari_hsisynth.corrections.pixels import bin_pixels, reorder

__all__ = ["bin_bands", "bin_pixels", "crop_bands", "drop_bands", "flat_field", "reorder"]
