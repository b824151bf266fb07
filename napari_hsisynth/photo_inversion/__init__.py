"""Photographs to cubes by the optics of skin: files in, files out. Nothing is trained."""

from __future__ import annotations

from napari_hsisynth.photo_inversion.bands import study_gain
from napari_hsisynth.photo_inversion.files import check_folder
from napari_hsisynth.photo_inversion.inverting import NOTE, InversionReport, invert_photographs

__all__ = ["NOTE", "InversionReport", "check_folder", "invert_photographs", "study_gain"]
