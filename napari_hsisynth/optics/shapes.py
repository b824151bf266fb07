"""Outlines and textures of phantoms: lobed closed curves and random fields, smooth at every image size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from napari_hsisynth.optics.draws import Draws

Window = tuple[slice, slice]

#: Lobes of an outline; those that fall on each other are one.
LOBES = 5
# Fine waves of the border: how often around, at most
_WAVES = 24
_ANGLES = -np.pi + 2 * np.pi / 1024 * np.arange(1024)


@dataclass(frozen=True)
class Outline:
    """A closed curve that every ray from its centre crosses once, so that it never crosses itself.

    Parameters
    ----------
    radii_px : ndarray, float64, shape (n,)
        Distance from the centre at n even angles from -pi on, px.
    centre : tuple of float
        Origin (y, x), px.
    """

    radii_px: NDArray[np.float64]
    centre: tuple[float, float]

    @property
    def reach_px(self) -> float:
        """Largest distance from the centre, px."""
        return float(self.radii_px.max())

    def window(self, shape: tuple[int, int], spread: float) -> Window:
        """Rows and columns of an image that hold the curve when it is enlarged `spread` times about its centre."""
        cut = []
        for middle, length, part in zip(self.centre, shape, (np.sin(_ANGLES), np.cos(_ANGLES)), strict=True):
            along = self.radii_px * part * spread
            first, last = int(np.floor(middle + along.min())), int(np.ceil(middle + along.max()))
            cut.append(slice(max(first, 0), min(last + 1, length)))
        return cut[0], cut[1]

    def level(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Distance from the centre as a share of the outline's radius in that direction, and the direction.

        Parameters
        ----------
        window : tuple of slice
            Rows and columns.

        Returns
        -------
        level : ndarray, float32, shape (y, x)
            0 at the centre, 1 on the outline, more outside.
        down, right : ndarray, float32, shape (y, x)
            Unit vectors from the centre, y and x; 0 at the centre itself.
        """
        rows, columns = (np.arange(part.start, part.stop, dtype=np.float32) for part in window)
        offset_y = (rows - np.float32(self.centre[0]))[:, None]
        offset_x = (columns - np.float32(self.centre[1]))[None, :]
        distance = np.sqrt(offset_y * offset_y + offset_x * offset_x)
        np.maximum(distance, np.float32(1e-6), out=distance)
        # between two angles of the table by a straight line: a last bit of the angle must not move the border
        place = np.arctan2(offset_y, offset_x)
        place += np.float32(np.pi)
        place *= np.float32(len(self.radii_px) / (2 * np.pi))
        before = place.astype(np.int32)
        place -= before
        radii = np.append(self.radii_px, self.radii_px[:2]).astype(np.float32)
        radius = np.diff(radii).take(before)
        radius *= place
        radius += radii.take(before)
        level = np.divide(distance, radius, out=radius)
        return level, offset_y / distance, offset_x / distance


def random_outline(
    draws: Draws, shape: tuple[int, int], *, size: float, elongation: float, irregularity: float, lobing: float = 0.5
) -> Outline:
    """Draw an outline that lies inside the image with skin all around it.

    A few lobes of any width stand out to any side, with notches where they meet; finer waves run all around.

    Parameters
    ----------
    draws : Draws
        The same number of draws is taken whatever the parameters.
    shape : tuple of int
        Height and width of the image, px.
    size : float
        Wanted mean diameter as a share of the shorter side; less where the outline would not fit.
    elongation : float
        Log of the ratio of the long to the short axis, about.
    irregularity : float
        Root mean square of the log radius from lobes and waves; 0 is an ellipse.
    lobing : float
        Share of lobes in it, 0-1; the rest are fine waves.

    Returns
    -------
    Outline
    """
    log_radius = irregularity * _bumps(draws, lobing)
    log_radius += elongation / 2 * np.cos(2 * _ANGLES - draws.uniform(0, 2 * np.pi))
    log_radius -= log_radius.mean()
    return _placed(np.exp(log_radius), shape, size, draws.uniforms(2, -0.35, 0.35))


def _bumps(draws: Draws, lobing: float) -> NDArray[np.float64]:
    """Log radius of lobes and waves at `_ANGLES`, root mean square 1."""
    height = draws.uniforms(LOBES, 0.4, 1.0)
    towards = draws.uniforms(LOBES, 0, 2 * np.pi)
    narrow = draws.uniforms(LOBES, 2.0, 9.0)
    bulges = height * np.exp(narrow * (np.cos(_ANGLES[:, None] - towards) - 1))
    lobes = bulges.max(axis=1)  # the larger of two neighbours: a notch between them
    order = np.arange(_WAVES + 1)
    sizes = draws.normals(2 * len(order)).reshape(-1, 2) @ np.array([1, 1j])
    sizes *= np.where(order >= 5, np.maximum(order, 1.0) ** -1.6, 0)
    waves = scipy.fft.irfft(sizes, len(_ANGLES), norm="forward")
    mixed = lobing * (lobes - lobes.mean()) / lobes.std() + (1 - lobing) / 2 * waves / waves.std()
    return (mixed - mixed.mean()) / mixed.std()


def _placed(radii: NDArray[np.float64], shape: tuple[int, int], size: float, place: NDArray[np.float64]) -> Outline:
    """Scale a curve of mean radius about 1 and put it into the image; `place` 0 is the middle of where it fits."""
    parts = radii * np.sin(_ANGLES), radii * np.cos(_ANGLES)
    side = min(shape)
    margin = max(1.5, 0.06 * side)
    room = min((length - 1 - 2 * margin) / np.ptp(part) for length, part in zip(shape, parts, strict=True))
    radius = min(size * side / 2, room)
    centre = []
    for length, part, shift in zip(shape, parts, place, strict=True):
        lowest, highest = margin - radius * part.min(), length - 1 - margin - radius * part.max()
        centre.append(float((lowest + highest) / 2 + shift * (highest - lowest)))
    return Outline(radius * radii, (centre[0], centre[1]))


def random_field(draws: Draws, shape: tuple[int, int], *, cycles: float, width: float) -> NDArray[np.float32]:
    """Draw a Gaussian random field with a chosen scale, mean 0 and standard deviation 1.

    Parameters
    ----------
    draws : Draws
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
    # Only the frequencies that are there: beyond 3 spreads they are under a hundredth, and most fields are smooth.
    reach = (cycles + 3 * width) / side
    rows = min(max(int(reach * height), 1), (height - 1) // 2)
    columns = min(max(int(reach * length), 1), (length - 1) // 2)
    per_y = np.arange(-rows, rows + 1, dtype=np.float32)[:, None] * np.float32(side / height)
    per_x = np.arange(columns + 1, dtype=np.float32)[None, :] * np.float32(side / length)
    distance = (np.sqrt(per_y * per_y + per_x * per_x) - np.float32(cycles)) / np.float32(width)
    waves = draws.noise((2 * rows + 1, columns + 1, 2)).view(np.complex64)[:, :, 0]
    waves *= np.exp(np.float32(-0.5) * distance * distance)
    waves[:, 0] = (waves[:, 0] + waves[::-1, 0].conj()) / 2  # a real field
    waves[rows, 0] = 0
    power = waves.real**2 + waves.imag**2
    waves /= np.float32(np.sqrt(2 * power.sum(dtype=np.float64) - power[:, 0].sum(dtype=np.float64)))
    spectrum = np.zeros((height, columns + 1), np.complex64)
    spectrum[: rows + 1] = waves[rows:]
    spectrum[height - rows :] = waves[:rows]
    spectrum = scipy.fft.ifft(spectrum, axis=0, norm="forward", overwrite_x=True, workers=1)
    field: NDArray[np.float32] = scipy.fft.irfft(spectrum, length, axis=1, norm="forward", workers=1)
    return field


def window_field(draws: Draws, shape: tuple[int, int], *, cycles: float, width: float) -> NDArray[np.float32]:
    """Draw a `random_field` of any shape, cut from one whose sides the Fourier transform likes."""
    roomy = tuple(scipy.fft.next_fast_len(max(length, 8), real=True) for length in shape)
    return random_field(draws, (roomy[0], roomy[1]), cycles=cycles, width=width)[: shape[0], : shape[1]]


def net(
    shape: tuple[int, int], cell_px: float, angle: float, bends: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Round peaks on a hexagonal lattice with a net of low lines between: three plane waves at 120 degrees.

    Parameters
    ----------
    shape : tuple of int
        Height and width, px.
    cell_px : float
        Distance between neighbouring peaks, px, over 2.
    angle : float
        Direction of the first wave, radians from x towards y.
    bends : two ndarray, float32, shape (y, x)
        What is added to the phases of two of the waves, radians; the third follows. They make the net irregular.

    Returns
    -------
    ndarray, float32, shape (y, x)
        -1.5 to 3; positive on about half of the pixels.
    """
    per_px = 4 * np.pi / (np.sqrt(3) * cell_px)
    peaks = np.empty(shape, np.float32)
    phases = []
    for turn, bend in zip((0.0, 2 * np.pi / 3), bends, strict=True):
        # whole turns are taken off before the numbers become short, or distant cells would lose their place
        y, x = (
            np.remainder(per_px * part * np.arange(length), 2 * np.pi).astype(np.float32)
            for part, length in zip((np.sin(angle + turn), np.cos(angle + turn)), shape, strict=True)
        )
        phase = y[:, None] + x
        phase += bend
        phases.append(phase)
    np.cos(phases[0] + phases[1], out=peaks)
    for phase in phases:
        peaks += np.cos(phase, out=phase)
    return peaks
