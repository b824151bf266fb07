"""Optics of skin: absorption, reflectance, and phantoms made with them. NumPy and SciPy only."""

from napari_hsisynth.optics.chromophores import (
    mua_base_per_cm,
    mua_blood_per_cm,
    mua_melanosome_per_cm,
    musp_per_cm,
)
from napari_hsisynth.optics.inversion import INVERSION_METHOD, PROBLEMS, InvertedImage, SkinInversion, camera_gain
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
    "INVERSION_METHOD",
    "PRESETS",
    "PROBLEMS",
    "SENSORS",
    "SKIN_INDEX_METHOD",
    "SURFACE_REFLECTANCE",
    "WAVELENGTHS_NM",
    "Absorber",
    "InvertedImage",
    "Phantom",
    "Skin",
    "SkinIndices",
    "SkinInversion",
    "absorbers",
    "camera_gain",
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
