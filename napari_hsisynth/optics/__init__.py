"""Optics of skin: absorption, reflectance, and phantoms made with them. NumPy and SciPy only."""

from napari_hsisynth.optics.chromophores import (
    mua_base_per_cm,
    mua_blood_per_cm,
    mua_melanosome_per_cm,
    musp_per_cm,
)
from napari_hsisynth.optics.overlays import Absorber, absorbers, scaled_to
from napari_hsisynth.optics.phantom import Phantom, lesion_phantom, phantom_series
from napari_hsisynth.optics.reflectance import (
    PRESETS,
    SURFACE_REFLECTANCE,
    Skin,
    half_space_reflectance,
    skin_reflectance,
    slab,
)
from napari_hsisynth.optics.sensor import SENSORS, WAVELENGTHS_NM
from napari_hsisynth.optics.skin_indices import SKIN_INDEX_METHOD, SkinIndices, skin_indices

__all__ = [
    "PRESETS",
    "SENSORS",
    "SKIN_INDEX_METHOD",
    "SURFACE_REFLECTANCE",
    "WAVELENGTHS_NM",
    "Absorber",
    "Phantom",
    "Skin",
    "SkinIndices",
    "absorbers",
    "half_space_reflectance",
    "lesion_phantom",
    "mua_base_per_cm",
    "mua_blood_per_cm",
    "mua_melanosome_per_cm",
    "musp_per_cm",
    "phantom_series",
    "scaled_to",
    "skin_indices",
    "skin_reflectance",
    "slab",
]
