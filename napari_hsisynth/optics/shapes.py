"""Outlines and textures of phantoms: lobed closed curves and random fields, smooth at every image size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

#: Lobes of an outline go up to this many around; more would be a rough edge, not a lobed one.
HARMONICS = 9
_ANGLES = np.linspace(0, 2 * np.pi, 721)


@dataclass(frozen=True)
class Outline:
    """A closed curve around an origin: log radius = Re(sum of c_k exp(i k angle)), so it never crosses itself.

    Parameters
    ----------
    coefficients : ndarray, complex, shape (HARMONICS + 1,)
        c_0 (size, log px) to c_HARMONICS.
    centre : tuple of float
        Origin (y, x), px.
    """

    coefficients: NDArray[np.complex128]
    centre: tuple[float, float]

    def level(self, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
        """Distance from the centre as a share of the outline's radius in that direction, and the direction.

        Returns
        -------
        level : ndarray, float32, shape (y, x)
            0 at the centre, 1 on the outline, more outside.
        direction : ndarray, complex64, shape (y, x)
            Unit vectors x + iy from the centre.
        """
        offset_y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(self.centre[0])
        offset_x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(self.centre[1])
        distance = np.maximum(np.hypot(offset_y, offset_x), np.float32(1e-6))
        direction = (offset_x + 1j * offset_y) / distance
        log_radius = np.zeros(shape, np.complex64)
        for coefficient in self.coefficients[::-1].astype(np.complex64):  # Horner
            log_radius *= direction
            log_radius += coefficient
        return distance * np.exp(-log_radius.real), direction


def random_outline(
    rng: np.random.Generator, shape: tuple[int, int], *, size: float, elongation: float, irregularity: float
) -> Outline:
    """Draw an outline that lies inside the image with skin all around it.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same number of draws is taken whatever the parameters.
    shape : tuple of int
        Height and width of the image, px.
    size : float
        Wanted mean diameter as a share of the shorter side; less where the outline would not fit.
    elongation : float
        Log of the ratio of the long to the short axis, about.
    irregularity : float
        Root mean square of the log radius from lobes; 0 is an ellipse.

    Returns
    -------
    Outline
    """
    order = np.arange(HARMONICS + 1)
    coefficients = np.zeros(HARMONICS + 1, np.complex128)
    weights = np.where(order >= 3, np.maximum(order, 1.0) ** -1.5, 0.0)  # lower lobes are larger
    weights *= rng.rayleigh(size=HARMONICS + 1)
    coefficients += weights * np.exp(1j * rng.uniform(0, 2 * np.pi, HARMONICS + 1))
    coefficients *= irregularity * np.sqrt(2) / np.linalg.norm(weights)
    coefficients[2] = elongation / 2 * np.exp(1j * rng.uniform(0, 2 * np.pi))
    curve = np.exp(np.polynomial.polynomial.polyval(np.exp(1j * _ANGLES), coefficients).real)
    curve = curve * np.exp(1j * _ANGLES)
    reach_x, reach_y = np.ptp(curve.real), np.ptp(curve.imag)
    side = min(shape)
    margin = max(1.5, 0.06 * side)
    room = min((shape[0] - 1 - 2 * margin) / reach_y, (shape[1] - 1 - 2 * margin) / reach_x)
    radius = min(size * side / 2, room)
    coefficients[0] = np.log(radius)
    centre = []
    for length, part in zip(shape, (curve.imag, curve.real), strict=True):
        lowest, highest = margin - radius * part.min(), length - 1 - margin - radius * part.max()
        centre.append((lowest + highest) / 2 + rng.uniform(-0.35, 0.35) * (highest - lowest))
    return Outline(coefficients, (centre[0], centre[1]))


def random_field(
    rng: np.random.Generator, shape: tuple[int, int], *, cycles: float, width: float
) -> NDArray[np.float32]:
    """Draw a Gaussian random field with a chosen scale, mean 0 and standard deviation 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the field.
    shape : tuple of int
        Height and width, px.
    cycles : float
        Centre of its spatial frequencies in cycles per shorter side; 0 for a smooth, cloudy field. Lowered where the
        image has too few pixels to show it.
    width : float
        Their spread, in the same unit.

    Returns
    -------
    ndarray, float32, shape (y, x)
    """
    height, length = shape
    side = min(shape)
    cycles = min(cycles, side / 4)
    per_y = scipy.fft.fftfreq(height, 1 / side).astype(np.float32)[:, None]
    per_x = scipy.fft.rfftfreq(length, 1 / side).astype(np.float32)[None, :]
    spectrum = np.empty((height, per_x.size), np.complex64)
    rng.standard_normal(out=spectrum.view(np.float32), dtype=np.float32)
    distance = (np.hypot(per_y, per_x) - np.float32(cycles)) / np.float32(width)
    spectrum *= np.exp(np.float32(-0.5) * distance * distance)
    spectrum[0, 0] = 0
    field = scipy.fft.irfft2(spectrum, shape, workers=1)
    return field / field.std()
