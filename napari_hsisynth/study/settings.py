"""``study.yaml``: what holds for every cube of a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.atomic import write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis

SETTINGS = "study.yaml"
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class StudySettings:
    """What holds for every cube of a study.

    Parameters
    ----------
    wavelengths_nm : ndarray of float, shape (bands,)
        Band centres; every cube has as many bands.
    classes : tuple of Diagnosis
        Those that cubes and lesions may have.
    positive : Diagnosis
        The class that tests look for.
    notes : str
        For people.
    wavelengths_source : str
        How the wavelengths are known.
    """

    wavelengths_nm: NDArray[np.float64]
    classes: tuple[Diagnosis, ...] = tuple(Diagnosis)
    positive: Diagnosis = Diagnosis.MELANOMA
    notes: str = ""
    wavelengths_source: str = "given"

    def __post_init__(self) -> None:
        object.__setattr__(self, "wavelengths_nm", checked_wavelengths(self.wavelengths_nm))
        if self.positive not in self.classes:
            raise InputError(f"the positive class {self.positive} is not among the classes")


def checked_wavelengths(values: ArrayLike, *, where: object = None) -> NDArray[np.float64]:
    """Return band centres in nm as an array, shape (bands,), or raise InputError."""
    try:
        wavelengths = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("wavelengths must be numbers, in nm", where=where) from None
    if wavelengths.ndim != 1 or not wavelengths.size:
        raise InputError("wavelengths must be a list with one number per band, in nm", where=where)
    if not np.isfinite(wavelengths).all() or (wavelengths < 0).any():
        raise InputError("wavelengths must be finite and not negative, in nm", where=where)
    if len(np.unique(wavelengths)) != len(wavelengths):
        raise InputError("two bands have the same wavelength", where=where)
    return wavelengths


def read_settings(path: Path) -> StudySettings:
    """Read ``study.yaml``; InputError says which field is wrong."""
    try:
        value: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"not YAML ({error})", where=path) from None
    if not isinstance(value, dict) or "wavelengths_nm" not in value:
        raise InputError("not a study: wavelengths_nm is missing", where=path)
    if value.get("format", _FORMAT) != _FORMAT:
        raise InputError(f"a study of format {value['format']}", where=path, fix="update napari-hsisynth")
    classes = value.get("classes") or list(Diagnosis)
    if not isinstance(classes, list):
        raise InputError("classes must be a list", where=path)
    try:
        return StudySettings(
            wavelengths_nm=checked_wavelengths(value["wavelengths_nm"]),
            classes=tuple(Diagnosis.parse(name) for name in classes),
            positive=Diagnosis.parse(value.get("positive", "melanoma")),
            notes=str(value.get("notes") or ""),
            wavelengths_source=str(value.get("wavelengths_source") or "given"),
        )
    except InputError as error:
        raise InputError(error.what, where=path, fix=error.fix) from None


def write_settings(path: Path, settings: StudySettings) -> None:
    """Write ``study.yaml``."""
    value = {
        "format": _FORMAT,
        "wavelengths_nm": [float(nm) for nm in settings.wavelengths_nm],
        "wavelengths_source": settings.wavelengths_source,
        "classes": [diagnosis.value for diagnosis in settings.classes],
        "positive": settings.positive.value,
        "notes": settings.notes,
    }
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))
