"""What cubes of photographs are to be: their bands, the gain of a camera, and what they say of themselves."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.composite import cie1931_rgb_weights
from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, HSIDERMOSCOPY_RANGE_NM, even_wavelengths_nm
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_cube
from napari_hsisynth.optics import INVERSION_METHOD, camera_gain
from napari_hsisynth.photo_inversion.files import Making
from napari_hsisynth.study import Study, read_crop
from napari_hsisynth.study.storage import sha256_of

#: Training crops and pixels of each that the gain of a study's camera is estimated from.
_CROPS, _PIXELS = 64, 128
#: Share of these pixels that stays below white in all three channels.
_WHITE_PERCENTILE = 99.5
#: Wavelengths that a format has rounded are still the same, nm.
_TOLERANCE_NM = 1e-3


@dataclass(frozen=True)
class Bands:
    """Bands of the cubes, and what the camera of a study records in them.

    Parameters
    ----------
    nm : ndarray, shape (bands,)
    weights : ndarray, shape (3, bands)
        Of the bands in linear sRGB.
    study : str
        Its name; empty without one.
    gain : ndarray, shape (bands,), or None
        None without a study.
    """

    nm: NDArray[np.float64]
    weights: NDArray[np.float64]
    study: str = ""
    gain: NDArray[np.float64] | None = None

    def provenance(self, making: Making) -> dict[str, Any]:
        """What the cube of a photograph says of itself; OSError if the photograph cannot be read."""
        said = {
            "synthetic": "skin-optics inversion",
            "method": INVERSION_METHOD,
            "photograph": making.way.as_posix(),
            "photograph_sha256": sha256_of(making.file),
        }
        return said if self.gain is None else said | {"gain_of_study": self.study, "gain": self.gain.tolist()}

    def made(self, path: Path, said: Mapping[str, Any], *, maps: bool) -> bool:
        """Whether a file is whole, has these bands and says the same of itself: it would be written as it is."""
        try:
            if maps:
                with np.load(path, allow_pickle=False) as stored:
                    nm = stored["wavelengths_nm"]
                    found = {key: stored[key].tolist() for key in (*said, "gain") if key in stored}
            else:
                cube = read_cube(path)
                nm, found = cube.wavelengths_nm, dict(cube.provenance)
            gain, asked = (np.asarray(each.get("gain") or [], np.float64) for each in (found, said))
        except (InputError, OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
            return False
        return (
            nm.shape == self.nm.shape
            and np.allclose(nm, self.nm, rtol=0, atol=_TOLERANCE_NM)
            and gain.shape == asked.shape
            and np.allclose(gain, asked)
            and all(found.get(key) == value for key, value in said.items() if key != "gain")
        )


def bands_of(wavelengths_nm: ArrayLike | None, like: str | Path | None) -> Bands:
    """What the cubes are to be."""
    if like is not None and wavelengths_nm is not None:
        raise InputError("a study has its own wavelengths", where="wavelengths_nm", fix="leave out one of the two")
    study = None if like is None else Study.open(like)
    if study is not None:
        nm = np.asarray(study.wavelengths_nm, np.float64)
    elif wavelengths_nm is not None:
        nm = np.asarray(wavelengths_nm, np.float64)
    else:
        nm = even_wavelengths_nm(HSIDERMOSCOPY_BANDS, *HSIDERMOSCOPY_RANGE_NM)
    try:
        weights = cie1931_rgb_weights(nm)
    except InputError as error:
        where = "wavelengths" if study is None else study.root
        raise InputError(error.what, where=where, fix="use bands that reach from 500 to 600 nm") from None
    return Bands(nm, weights) if study is None else Bands(nm, weights, study.name, study_gain(study, weights))


def study_gain(study: Study, rgb_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Value per unit of reflectance that a study's camera records, from training crops; shape (bands,).

    Raises
    ------
    InputError
        If there are no training crops.
    """
    splits = study.splits()
    records = [record for record in study.crops() if splits.get(record.cube_id) == "train"]
    if not records:
        raise InputError("the study has no training crops", where=study.root, fix="run: napari-hsisynth crop STUDY")
    chosen = np.unique(np.linspace(0, len(records) - 1, min(_CROPS, len(records))).astype(int))
    spectra, skin = [], []
    for number in chosen:
        crop = read_crop(study.crops_dir, records[number])
        places = np.flatnonzero(crop.cube.valid())
        places = places[np.linspace(0, len(places) - 1, min(_PIXELS, len(places))).astype(int)]
        spectra.append(crop.cube.data.reshape(crop.cube.bands, -1)[:, places].T.astype(np.float64))
        inside = crop.mask.reshape(-1)[places]
        skin.append(~inside if crop.mask.any() else np.zeros_like(inside))
    pixels = np.concatenate(spectra)
    white = float(np.percentile((pixels @ rgb_weights.T).max(axis=1), _WHITE_PERCENTILE))
    if not white > 0:
        raise InputError("the training crops are black", where=study.root, fix="check the cubes")
    return camera_gain(study.wavelengths_nm, rgb_weights / white, pixels, np.concatenate(skin))
