"""`Region`: pixels of a cube that belong together; the regions that Labels and Shapes layers mark in it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from napari.layers import Image, Labels, Shapes
from napari.utils.colormaps.standardize_color import rgb_to_hex
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.draw import line, polygon

#: More regions than this of one layer make no readable plot: the largest labels and the newest shapes are shown.
MOST_REGIONS = 12
#: Columns of features that name shapes, the first one that is there.
_NAMES = ("name", "label")

#: In the metadata of a layer: True for shapes that are no regions to compare, but for example where crops will be cut;
#: of a Labels layer, the labels that are none.
NO_REGIONS = "hsisynth_no_regions"


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of a cube.

    Parameters
    ----------
    kind : {"label", "shape"}
    name : str
    colour : str
        ``#rrggbb``; empty where it has none.
    box : tuple of slice
        The rows and columns that hold it.
    inside : ndarray of bool
        Its pixels in `box`; at least one.
    """

    kind: Literal["label", "shape"]
    name: str
    colour: str
    box: tuple[slice, slice]
    inside: NDArray[np.bool_]

    @property
    def content(self) -> tuple[int, ...]:
        """A key that is the same for the same pixels."""
        rows, columns = self.box
        return rows.start, columns.start, *self.inside.shape, zlib.crc32(np.packbits(self.inside).tobytes())

    @property
    def n(self) -> int:
        """Number of pixels, valid or not."""
        return int(self.inside.sum())

    @property
    def middle(self) -> tuple[float, float]:
        """Mean row and column, to a tenth of a pixel."""
        y, x = (float(places.mean()) for places in np.nonzero(self.inside))
        return round(y + self.box[0].start, 1), round(x + self.box[1].start, 1)

    def on(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the region as a mask of a whole image."""
        mask = np.zeros(shape, bool)
        mask[self.box] = self.inside
        return mask


@dataclass(frozen=True, eq=False)
class PlaneMap:
    """Where the pixels (row, column) of one layer are in another: ``matrix @ place + offset``."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @classmethod
    def between(cls, source: Any, target: Any) -> PlaneMap:
        """Read the map off three points; napari's transforms of layers are affine."""
        corners = [np.zeros(source.ndim) for _ in range(3)]
        corners[1][-2] = corners[2][-1] = 1
        start, down, across = (
            np.asarray(target.world_to_data(source.data_to_world(tuple(corner))), float)[-2:] for corner in corners
        )
        return cls(np.column_stack([down - start, across - start]), start)

    @property
    def is_identity(self) -> bool:
        """Whether both layers have the same pixels."""
        return np.allclose(self.matrix, np.eye(2), atol=1e-9) and np.allclose(self.offset, 0, atol=1e-6)

    def __call__(self, places: NDArray[Any]) -> NDArray[np.float64]:
        """Map places, shape (n, 2)."""
        return places @ self.matrix.T + self.offset


def label_regions(labels: Labels, cube: Image, prefix: str) -> tuple[list[Region], int]:
    """Return the regions of the labels that are shown, named ``"<prefix> <number>"``, and how many were left out."""
    image = label_image(labels, cube)
    if image is None:
        return [], 0
    numbers, counts = _counted(image)
    wanted = ~np.isin(numbers, labels.metadata.get(NO_REGIONS, ()))
    numbers, counts = numbers[wanted], counts[wanted]
    largest = np.sort(numbers[np.argsort(counts, kind="stable")[::-1][:MOST_REGIONS]])
    small = np.searchsorted(largest, image).astype(np.int32)  # numbers may be huge, find_objects lists all below them
    small = np.where(largest[np.minimum(small, len(largest) - 1)] == image, small + 1, 0) if len(largest) else small
    found = []
    for place, (number, box) in enumerate(zip(largest.tolist(), find_objects(small), strict=False), 1):
        colour = rgb_to_hex(labels.get_color(number))[0][:7]
        found.append(Region("label", f"{prefix} {number}", colour, box, small[box] == place))
    return found, len(numbers) - len(largest)


def _counted(image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Labels of an image without 0, ascending, and their numbers of pixels."""
    if image.size and image.min() >= 0 and image.max() < 2**20:  # many times as fast as sorting
        counts = np.bincount(image.ravel())
        numbers = np.flatnonzero(counts)
        counts = counts[numbers]
    else:
        numbers, counts = np.unique(image, return_counts=True)
    return numbers[numbers != 0], counts[numbers != 0]


def label_image(labels: Labels, cube: Image) -> NDArray[Any] | None:
    """Return the labels of a layer on the pixels of a cube layer; None if they are not an image of labels of it.

    A layer of the same place and pixel size but another height or width was made for another image. One with bands, as
    napari's *New labels* makes it beside a cube, counts as painted through all of them.
    """
    if labels.multiscale or not isinstance(labels.data, np.ndarray):
        return None
    image = labels.data
    if image.ndim == 3:
        image = image[0] if len(image) == 1 else image.max(axis=0)
    if image.ndim != 2:
        return None
    shape = cube.data.shape[-2:]
    places = PlaneMap.between(cube, labels)
    if places.is_identity:
        return image if image.shape == shape else None
    rows, columns = np.meshgrid(*(np.arange(length) for length in shape), indexing="ij")
    there = np.floor(places(np.column_stack([rows.ravel(), columns.ravel()])) + 0.5).astype(np.intp)
    inside = ((there >= 0) & (there < image.shape)).all(axis=1)
    found = np.zeros(len(there), image.dtype)
    found[inside] = image[tuple(there[inside].T)]
    return found.reshape(shape)


def shape_regions(shapes: Shapes, cube: Image, prefix: str) -> tuple[list[Region], int]:
    """Return the regions of the shapes of a layer, each its own where they overlap, and how many were left out.

    The pixels whose middle is inside a rectangle, polygon or ellipse; those that a line or path crosses.
    """
    drawn = shapes.data
    count = len(drawn)
    places, size = PlaneMap.between(shapes, cube), cube.data.shape[-2:]
    found = []
    for number in range(max(0, count - MOST_REGIONS), count):
        corners = places(np.asarray(drawn[number], float)[:, -2:])
        y, x = _covered(shapes.shape_type[number], corners, size)
        if not len(y):
            continue
        box = slice(int(y.min()), int(y.max()) + 1), slice(int(x.min()), int(x.max()) + 1)
        inside = np.zeros([each.stop - each.start for each in box], bool)
        inside[y - box[0].start, x - box[1].start] = True
        name = _feature_name(shapes, number) or f"{prefix} {number + 1}"
        found.append(Region("shape", name, _shape_colour(shapes, number), box, inside))
    return found, max(0, count - MOST_REGIONS)


def _covered(kind: str, corners: NDArray[np.float64], size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns of the pixels under a shape, within an image."""
    if kind in ("line", "path"):
        ends = np.floor(corners + 0.5).astype(int)
        pieces = [line(*first, *second) for first, second in pairwise(ends)]
        y, x = (np.concatenate(each) for each in zip(*pieces, strict=True))
        kept = (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
        return y[kept], x[kept]
    if kind == "ellipse":
        return _in_ellipse(corners, size)
    return polygon(*corners.T, size)


def _in_ellipse(corners: NDArray[np.float64], size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixels inside the ellipse that touches the four sides of a box in the middle."""
    middle = corners.mean(axis=0)
    half_axes = np.column_stack([corners[1] - corners[0], corners[2] - corners[1]]) / 2
    if abs(np.linalg.det(half_axes)) < 1e-9:
        return np.empty(0, int), np.empty(0, int)
    low = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, size).astype(int)
    y, x = (each.ravel() for each in np.mgrid[low[0] : high[0], low[1] : high[1]])
    away = np.linalg.solve(half_axes, np.stack([y, x]) - middle[:, None])
    inside = (away**2).sum(axis=0) <= 1
    return y[inside], x[inside]


def _feature_name(shapes: Shapes, number: int) -> str:
    for column in _NAMES:
        if column in shapes.features and number < len(shapes.features):
            said = shapes.features[column].iloc[number]
            return said.strip() if isinstance(said, str) else ""
    return ""


def _shape_colour(shapes: Shapes, number: int) -> str:
    """The colour of its edge if that is seen, else of its face; empty if neither is."""
    edge, face = shapes.edge_color[number], shapes.face_color[number]
    filled = shapes.shape_type[number] not in ("line", "path")
    if edge[3] > 0 and shapes.edge_width[number] > 0:
        return rgb_to_hex(edge)[0][:7]
    return rgb_to_hex(face)[0][:7] if filled and face[3] > 0 else ""
