"""How alike every pixel of a cube is to one spectrum, as a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

_READ_VALUES = 2**22  # of a file at a time: 16 MiB
_CHUNK_VALUES = 2**16  # worked on at a time in float64, so that they stay in the processor's cache

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """What a similarity map shows.

    Parameters
    ----------
    label : str
        With its unit, for a legend.
    unit : str
        Empty where there is none.
    lowest, highest : float
        Range of its values; `highest` may be infinite.
    similar : {"low", "high"}
        Which values mean the same material.
    """

    label: str
    unit: str
    lowest: float
    highest: float
    similar: Literal["low", "high"]


#: Name -> what it is, in the order of menus.
MEASURES: dict[str, Measure] = {
    "spectral angle": Measure("spectral angle (°)", "°", 0.0, 180.0, "low"),
    "SID": Measure("spectral information divergence", "", 0.0, np.inf, "low"),
    "correlation": Measure("correlation", "", -1.0, 1.0, "high"),
}


def similarity_map(cube: Cube, spectrum: ArrayLike, measure: str, mask: ArrayLike | None = None) -> NDArray[np.float32]:
    r"""Compare the spectrum of every pixel with one spectrum.

    Parameters
    ----------
    cube : Cube
        Walked over in blocks; one that stays in its file is not loaded.
    spectrum : array_like, shape (bands,)
        On the bands of the cube and in its unit. Bands in which it is NaN, as those out of the range of a spectrum that
        was resampled, are left out for all pixels; two must remain, three for the correlation.
    measure : {"spectral angle", "SID", "correlation"}
        - *spectral angle* [1]_, degrees, 0-180: blind to brightness. By :math:`2\arcsin(|\hat a-\hat b|/2)`, and its
          complement for obtuse angles, which resolves small angles where the arc cosine does not.
        - *SID*, spectral information divergence [2]_, 0 to infinity: :math:`\sum_b (p_b-q_b)\ln(p_b/q_b)` of the
          spectra divided by their sums. It needs positive values.
        - *correlation*: Pearson's over the bands, -1 to 1: blind to brightness and offset.
    mask : array_like, shape (y, x), optional
        Non-zero where a value is wanted.

    Returns
    -------
    ndarray, float32, shape (y, x)
        NaN outside the mask, where a pixel is not finite in a band that counts, and where the measure does not exist:
        for the angle a spectrum of zeros, for SID one with a value of 0 or below, for the correlation one without
        spread.

    Raises
    ------
    InputError
        If the measure is not known, spectrum or mask do not fit the cube, or the measure does not exist for `spectrum`.

    References
    ----------
    .. [1] F. A. Kruse et al., Remote Sensing of Environment 44 (1993) 145. doi:10.1016/0034-4257(93)90013-N
    .. [2] C.-I. Chang, IEEE Trans. Inf. Theory 46 (2000) 1927. doi:10.1109/18.857802

    Examples
    --------
    >>> cube = Cube(np.array([[[1.0, 0.0]], [[1.0, 2.0]]]), [500, 600])
    >>> similarity_map(cube, [3.0, 3.0], "spectral angle").round(1)
    array([[ 0., 45.]], dtype=float32)
    """
    if measure not in _COMPARERS:
        raise InputError(f"no similarity called '{measure}'", fix=f"use one of: {', '.join(MEASURES)}")
    reference = np.asarray(spectrum, dtype=np.float64).reshape(-1)
    if len(reference) != cube.bands:
        raise InputError(
            f"a spectrum of {len(reference)} bands for a cube of {cube.bands}",
            where=cube.name or None,
            fix="bring it to the wavelengths of the cube first",
        )
    counted = np.isfinite(reference)
    compare = _COMPARERS[measure](reference[counted])
    wanted = np.ones(cube.shape_yx, bool) if mask is None else np.asarray(mask) != 0
    if wanted.shape != cube.shape_yx:
        raise InputError(f"a mask of {wanted.shape} for a cube of {cube.shape_yx} px", where=cube.name or None)
    found = np.full(cube.shape_yx, np.nan, np.float32)
    bands = slice(None) if counted.all() else np.flatnonzero(counted)
    for rows, block in cube.blocks(_READ_VALUES):
        here = wanted[rows]
        if not here.any():
            continue
        pixels = block[bands].reshape(int(counted.sum()), -1)
        if not here.all():
            pixels = pixels[:, here.reshape(-1)]
        found[rows][here] = _compared(pixels, compare)
    return found


def _compared(pixels: NDArray[np.float32], compare: Callable[[Values], Values]) -> NDArray[np.float32]:
    """Values of spectra (bands, n), a chunk at a time."""
    found = np.empty(pixels.shape[1], np.float32)
    step = max(1, _CHUNK_VALUES // len(pixels))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for start in range(0, len(found), step):
            found[start : start + step] = compare(pixels[:, start : start + step].astype(np.float64))
    return found


def _spectral_angle(reference: Values) -> Callable[[Values], Values]:
    length = _length(reference)
    if len(reference) < 2 or not length > 0:
        raise InputError("no spectral angle to a spectrum of zeros or of one band")
    unit = (reference / length)[:, None]

    def compare(pixels: Values) -> Values:
        pixels /= np.sqrt(np.einsum("bn,bn->n", pixels, pixels))  # 0/0 is the NaN wanted there
        away = pixels - unit
        apart = np.sqrt(np.einsum("bn,bn->n", away, away)) / 2
        np.add(pixels, unit, out=away)
        together = np.sqrt(np.einsum("bn,bn->n", away, away)) / 2
        # each form where it is well conditioned; rounding can push the half chord past 1 only in the other's range
        acute, obtuse = 2 * np.arcsin(np.minimum(apart, 1)), np.pi - 2 * np.arcsin(np.minimum(together, 1))
        return np.rad2deg(np.where(apart <= together, acute, obtuse))

    return compare


def _divergence(reference: Values) -> Callable[[Values], Values]:
    if len(reference) < 2 or not (reference > 0).all():
        raise InputError("SID needs a spectrum of positive values in two bands or more", fix="use the spectral angle")
    share = (reference / reference.sum())[:, None]
    log_share = np.log(share)

    def compare(pixels: Values) -> Values:
        usable = (pixels > 0).all(axis=0)
        pixels[:, ~usable] = np.nan
        pixels /= pixels.sum(axis=0)
        logs = np.log(pixels)
        logs -= log_share
        pixels -= share
        return np.maximum(np.einsum("bn,bn->n", pixels, logs), 0)

    return compare


def _correlation(reference: Values) -> Callable[[Values], Values]:
    centred = reference - reference.mean() if len(reference) else reference
    length = _length(centred)
    if len(reference) < 3 or not length > 1e-12 * np.abs(reference).max():
        raise InputError("no correlation with a spectrum without spread or of fewer than three bands")
    unit = centred / length

    def compare(pixels: Values) -> Values:
        largest = np.abs(pixels).max(axis=0)
        pixels -= pixels.mean(axis=0)
        spread = np.sqrt(np.einsum("bn,bn->n", pixels, pixels))
        # of a constant spectrum rounding leaves a spread of about this, which must not be blown up to 1
        spread[spread <= 1e-12 * largest] = np.nan
        return np.clip(unit @ pixels / spread, -1, 1)

    return compare


def _length(spectrum: Values) -> float:
    return float(np.sqrt(spectrum @ spectrum))


_COMPARERS: dict[str, Callable[[Values], Callable[[Values], Values]]] = {
    "spectral angle": _spectral_angle,
    "SID": _divergence,
    "correlation": _correlation,
}
