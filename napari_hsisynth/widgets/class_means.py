"""`ClassMeans`: mean spectra of a set of real crops and of a set of synthetic cubes, and the angle between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord, read_crop


@dataclass(frozen=True, eq=False)
class ClassMeans:
    """What two sets look like on average, over all pixels that are finite in every band.

    Parameters
    ----------
    wavelengths_nm : ndarray, shape (bands,)
        Ascending.
    real, synthetic : tuple of ndarray
        Mean and standard deviation over the pixels, shapes (bands,).
    n_real, n_synthetic : int
        Cubes.
    angle_deg : float
        Spectral angle between the two means.
    """

    wavelengths_nm: NDArray[np.float64]
    real: tuple[NDArray[np.float64], NDArray[np.float64]]
    synthetic: tuple[NDArray[np.float64], NDArray[np.float64]]
    n_real: int
    n_synthetic: int
    angle_deg: float


def class_means(
    real: tuple[Path, Sequence[CropRecord]], synthetic: tuple[Path, Sequence[CropRecord]]
) -> ClassMeans | None:
    """Read both sets, each a folder and the records in it; None if one is empty.

    Raises
    ------
    InputError
        If a crop cannot be read, or the two sets have different bands.
    """
    from napari_hsisynth.metrics import spectrum_angle

    if not real[1] or not synthetic[1]:
        return None
    nm, *found = _mean(*real)
    other, *made = _mean(*synthetic)
    if len(nm) != len(other):
        raise InputError(f"{len(nm)} real bands, but {len(other)} synthetic ones", where=synthetic[0])
    angle = float(np.rad2deg(spectrum_angle(found[0], made[0])))
    return ClassMeans(nm, (found[0], found[1]), (made[0], made[1]), len(real[1]), len(synthetic[1]), angle)


def _mean(
    folder: Path, records: Sequence[CropRecord]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Wavelengths (ascending), mean and standard deviation of all valid pixels, cube by cube."""
    total = squares = np.zeros(0)
    count, nm = 0, np.zeros(0)
    for record in records:
        cube = read_crop(folder, record).cube
        order = np.argsort(cube.wavelengths_nm)
        pixels = cube.data[:, cube.valid()][order].astype(np.float64)
        if not count:
            nm, total, squares = cube.wavelengths_nm[order], np.zeros(cube.bands), np.zeros(cube.bands)
        if cube.bands != len(nm):
            raise InputError(f"{cube.bands} bands, the first has {len(nm)}", where=folder / record.file)
        total, squares = total + pixels.sum(axis=1), squares + (pixels**2).sum(axis=1)
        count += pixels.shape[1]
    mean = total / max(count, 1)
    return nm, mean, np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
