"""Distances between sets of spectra, for cubes that are not pairs."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics.angles import spectrum_angle
from napari_hsisynth.metrics.arrays import Array, as_floating


def sliced_wasserstein(a: Any, b: Any, *, n_projections: int = 128, seed: int = 0) -> Array:
    r"""Sliced 1-Wasserstein distance between two sets of spectra.

    Spectra are projected on random directions of unit length; on each, the distance is the area between the two
    cumulative distributions; the mean over the directions is returned.

    Parameters
    ----------
    a, b : array or tensor, shape (..., bands, y, x), or (n, bands) and (m, bands)
        Cubes, every pixel of which counts, or spectra; how many may differ. Spectra that are not finite are left out.
    n_projections : int
        Directions; the error of the mean falls with the root of their number.
    seed : int
        Of the directions. Figures compare only with the same directions.

    Returns
    -------
    array or tensor, shape ()
        In the unit of the spectra; 0 for equal sets. NaN if one has no finite spectrum.

    Notes
    -----
    For a set and the same set shifted by :math:`\delta`, the expectation is
    :math:`|\delta|\,\Gamma(B/2)/(\sqrt\pi\,\Gamma((B+1)/2))` in `B` bands. Order 1 is taken because a few specular
    pixels then weigh by their distance and not by its square.

    References
    ----------
    .. [1] N. Bonneel, J. Rabin, G. Peyre, H. Pfister, "Sliced and Radon Wasserstein barycenters of measures", Journal
       of Mathematical Imaging and Vision 51, 2015, https://doi.org/10.1007/s10851-014-0506-3

    Examples
    --------
    >>> import numpy as np
    >>> a = np.random.default_rng(0).normal(size=(100, 1))
    >>> round(float(sliced_wasserstein(a, a + 0.25)), 6)
    0.25
    """
    xp, a = as_floating(a, name="first set", axes=2)
    other, b = as_floating(b, name="second set", axes=2)
    shapes = f"sets of {tuple(a.shape)} and {tuple(b.shape)}"
    a, b = (x if x.ndim == 2 else xp.reshape(xp.moveaxis(x, -3, -1), (-1, x.shape[-3])) for x in (a, b))
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"{shapes} cannot be compared: {a.shape[1]} and {b.shape[1]} bands",
            fix="pass cubes (..., bands, y, x), or spectra (n, bands), of the same bands",
        )
    if xp is not other:
        raise InputError("one is an array and the other a tensor", fix="pass two of a kind")
    a, b = a[xp.all(xp.isfinite(a), axis=1)], b[xp.all(xp.isfinite(b), axis=1)]
    if 0 in (a.shape[0], b.shape[0]):
        return xp.asarray(np.nan)
    device = array_api_compat.device(a)
    lines = xp.asarray(directions(n_projections, int(a.shape[1]), seed), dtype=a.dtype, device=device)
    return xp.mean(wasserstein_of_columns(a @ lines.T, xp.astype(b, a.dtype) @ lines.T))


def wasserstein_of_columns(a: Array, b: Array) -> Array:
    """1-Wasserstein distance between each column of `a` and the same column of `b`.

    Parameters
    ----------
    a, b : array or tensor, shape (n, columns) and (m, columns)
        Of one type; finite.

    Returns
    -------
    array or tensor, shape (columns,)
        In the unit of the values.
    """
    xp = array_api_compat.array_namespace(a, b)
    a, b = xp.sort(a, axis=0), xp.sort(b, axis=0)
    # both quantile functions are steps; between the merged ends of their steps both are constant
    n, m = int(a.shape[0]), int(b.shape[0])
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in units of 1 / (n m), so exact
    at_a, at_b = (ends - 1) // m, (ends - 1) // n
    device = array_api_compat.device(a)
    widths = xp.asarray(np.diff(ends, prepend=0) / (n * m), dtype=a.dtype, device=device)
    gaps = xp.abs(a[xp.asarray(at_a, device=device)] - b[xp.asarray(at_b, device=device)])
    return xp.sum(gaps * widths[:, None], axis=0)


def directions(n: int, bands: int, seed: int) -> NDArray[np.float64]:
    """Draw `n` directions of unit length, uniform on the sphere in `bands` dimensions, shape (n, bands)."""
    if n < 1:
        raise InputError(f"{n} projections are none", where="n_projections", fix="give 1 or more")
    drawn = np.random.default_rng(seed).normal(size=(n, bands))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def class_mean_angle(a: Any, b: Any) -> Array:
    """Spectral angle between the mean spectra of two sets.

    Parameters
    ----------
    a, b : array or tensor, shape (n, bands) and (m, bands)
        Spectra of pixels, or one mean spectrum per cube, which lets each cube weigh the same. Rows that are not finite
        are left out.

    Returns
    -------
    array or tensor, shape ()
        Radians; NaN if a set has no finite row or its mean is zero.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([[3.0, 3.0], [np.nan, 1.0]])
    >>> float(class_mean_angle(a, b))  # means (1, 1) and (3, 3)
    0.0
    """
    xp, a = as_floating(a, name="first set", axes=2)
    _, b = as_floating(b, name="second set", axes=2)
    means = []
    for x in (a, b):
        rows = x[xp.all(xp.isfinite(x), axis=1)]
        means.append(xp.mean(rows, axis=0) if rows.shape[0] else xp.full_like(x[0], np.nan))
    return spectrum_angle(*means)
