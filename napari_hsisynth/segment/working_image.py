"""What the spectral segmenter sees of a cube: a small, hole-free image of optical density and where lesions stand out.

Lesions are looked for on a grid of at most 128 cells a side, whatever the size of the cube: their outline is known to a
few pixels at best, and a click has to be answered at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

_LONGEST_SIDE = 128
_DARKEST = 1e-2  # of the bright skin in that band; below it lies camera noise, whose logarithm would run away
_SMOOTHING = 0.9  # cells, one sigma
_COMPONENTS = 4
_HAIR_WIDTH = 3  # cells
_LEAST_VARIANCE = 1e-2  # of a component within lesion or skin; fewer than that is chance


@dataclass(frozen=True, eq=False)
class WorkingImage:
    """A cube brought to the working grid.

    Parameters
    ----------
    shape_yx : tuple of int
        Size of the cube, px.
    contrast : ndarray, shape (rows, columns)
        Higher where there is more pigment: optical density of the shorter wavelengths, and once more what it exceeds
        that of the longer ones by. Melanin absorbs short waves more; shadow and vignetting darken all alike.
    colour : ndarray, shape (rows, columns), or None
        The excess alone; None where one band is all there is.
    components : ndarray, shape (k, rows, columns)
        Leading principal components of the optical densities of all bands, in units of the first one's deviation.
    """

    shape_yx: tuple[int, int]
    contrast: NDArray[np.float64]
    colour: NDArray[np.float64] | None
    components: NDArray[np.float64]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the working grid."""
        return self.contrast.shape[0], self.contrast.shape[1]

    def cell(self, point: tuple[int, int]) -> tuple[int, int]:
        """Grid cell that holds a pixel."""
        (height, width), (rows, columns) = self.shape_yx, self.grid
        # the inverse of `_edges`, whose cells need not be equally large
        row = int(np.searchsorted(_edges(height, rows), point[0], side="right")) - 1
        return row, int(np.searchsorted(_edges(width, columns), point[1], side="right")) - 1

    @property
    def cell_size(self) -> float:
        """Pixels per cell, along the longer side of the image."""
        return max(self.shape_yx) / max(self.grid)

    def cells_of(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Cells that a box of pixels touches, ends exclusive."""
        y0, x0 = self.cell((box[0], box[1]))
        y1, x1 = self.cell((box[2] - 1, box[3] - 1))
        return y0, x0, y1 + 1, x1 + 1

    def discriminant(self, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much the spectrum of each cell is like those of some cells rather than like those of others.

        Fisher's linear discriminant of the components: the weighted sum of the bands that tells the two samples apart
        best against the spread within them. Hair is taken out as from the contrast.

        Parameters
        ----------
        inside, outside : ndarray of bool, shape (rows, columns)
            Cells of the lesion and of skin; one of each at least.

        Returns
        -------
        ndarray, shape (rows, columns)
            Higher for what is like `inside`.
        """
        spectra = self.components.reshape(len(self.components), -1)
        samples = [spectra[:, cells.ravel()] for cells in (inside, outside)]
        means = [sample.mean(axis=1) for sample in samples]
        within = np.mean(
            [(c := sample - mean[:, None]) @ c.T / c.shape[1] for sample, mean in zip(samples, means, strict=True)],
            axis=0,
        )
        weights = np.linalg.solve(within + _LEAST_VARIANCE * np.eye(len(within)), means[0] - means[1])
        return _without_hair((weights @ spectra).reshape(self.grid))

    def to_cells(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Bring values from the pixels of the cube to the grid, by the mean of each cell."""
        return _block_means(values[None], _LONGEST_SIDE, "")[0]

    def to_pixels(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Bring values from the grid to the pixels of the cube, linearly."""
        (height, width), (rows, columns) = self.shape_yx, self.grid
        if (height, width) == (rows, columns):
            return values.astype(np.float32)
        down = _between(height, rows)
        across = _between(width, columns)
        return (down @ values.astype(np.float32)) @ across.T

    @classmethod
    def of(cls, cube: Cube) -> WorkingImage:
        """Bring a cube to the working grid; InputError if no pixel of it is a number."""
        small = _block_means(cube.data, _LONGEST_SIDE, cube.name)
        bright = np.percentile(small, 95, axis=(1, 2), keepdims=True)
        bright = np.where(bright > 0, bright, np.maximum(np.abs(small).max(axis=(1, 2), keepdims=True), 1e-6))
        density = -np.log10(np.maximum(small / bright, _DARKEST))
        density = ndi.gaussian_filter(density, (0, _SMOOTHING, _SMOOTHING), mode="nearest")
        order = np.argsort(cube.wavelengths_nm, kind="stable")
        short, long = np.array_split(order, 2)
        blue = density[short].mean(axis=0)
        colour = blue - density[long].mean(axis=0) if len(long) else None
        contrast = _without_hair(blue if colour is None else blue + colour)
        return cls(cube.shape_yx, contrast, colour, _leading_components(density))


def _edges(pixels: int, cells: int) -> NDArray[np.intp]:
    return (np.arange(cells) * pixels) // cells


def _between(pixels: int, cells: int) -> NDArray[np.float32]:
    """Matrix of linear interpolation from cell centres to pixels, shape (pixels, cells)."""
    at = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    low = np.minimum(at.astype(int), max(cells - 2, 0))
    weight = np.zeros((pixels, cells), np.float32)
    weight[np.arange(pixels), low] = 1 - (at - low)
    if cells > 1:
        weight[np.arange(pixels), low + 1] = at - low
    return weight


def _block_means(data: NDArray[np.float32], longest: int, name: str) -> NDArray[np.float64]:
    """Mean of the finite pixels per cell; cells without any take the nearest cell that has some."""
    _, height, width = data.shape
    shrink = max(1.0, max(height, width) / longest)
    rows, columns = max(1, round(height / shrink)), max(1, round(width / shrink))
    finite = np.isfinite(data).all(axis=0)
    if not finite.any():
        raise InputError("no pixel is a finite number in every band", where=name or None, fix="use another cube")
    values: NDArray[Any] = data if finite.all() else np.where(finite, data, np.float32(0))

    def binned(image: NDArray[Any]) -> NDArray[Any]:
        down = np.add.reduceat(image, _edges(height, rows), axis=-2)
        return np.add.reduceat(down, _edges(width, columns), axis=-1)

    if finite.all():
        counts = np.outer(np.diff(_edges(height, rows), append=height), np.diff(_edges(width, columns), append=width))
    else:
        counts = binned(np.asarray(finite, dtype=np.float32))
    means = binned(values) / np.maximum(counts, 1)
    if not counts.all():
        nearest = ndi.distance_transform_edt(counts == 0, return_distances=False, return_indices=True)
        means = means[:, nearest[0], nearest[1]]
    return means.astype(np.float64)


def _without_hair(contrast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower what is darker than its surroundings but thinner than a hair's width on the grid."""
    return ndi.median_filter(contrast, size=_HAIR_WIDTH, mode="nearest")


def _leading_components(density: NDArray[np.float64]) -> NDArray[np.float64]:
    bands, rows, columns = density.shape
    centred = density.reshape(bands, -1)
    centred = centred - centred.mean(axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(centred @ centred.T / centred.shape[1])
    leading = directions[:, ::-1][:, :_COMPONENTS]
    # eigenvectors have no sign of their own; fix it, so that the same cube gives the same answer everywhere
    leading = leading * np.where(leading.sum(axis=0) < 0, -1.0, 1.0)
    deviation = float(np.sqrt(max(variances[-1], 0.0)))
    return (leading.T @ centred / max(deviation, 1e-9)).reshape(-1, rows, columns)
