"""The segmenter without weights: regions of raised pigment contrast, chosen by the prompts and corrected by clicks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.corrections import Cell, corrected
from napari_hsisynth.segment.prompts import Prompts, Proposals
from napari_hsisynth.segment.regions import Region, find_regions
from napari_hsisynth.segment.working_image import WorkingImage

_CANDIDATES = 3
_SAME = 0.9  # IoU from which two candidates are one
_SOFTNESS = 0.5  # of the contrast's deviation: from there on the field is sure

# How much of a region's likeness the prompts outweigh.
_OFF_CLICKS = 0.5
_MISSED = 1.0
_MISSED_ANCHOR = 2.0
_BOX_FIT = 4.0

# What `propose` takes for a lesion, and for a further one.
_LESION = -1.5
_FURTHER_LESION = -1.0
_SMALLEST_STEP = 0.1  # of the contrast, which counts the shorter wavelengths twice: about 10 % darker there


class SpectralSegmenter:
    """Finds a lesion from clicks, a box or nothing, by all bands of the cube and without any weights.

    `set_cube` lists the regions in which the pigment contrast exceeds each of a row of levels, with how lesion-like
    they are. Prompts choose among these; the outline is then bent where a click still disagrees with it. The same
    cube and prompts always give the same masks.
    """

    name = "spectral"
    model = "1"
    weights_sha256 = ""

    def __init__(self) -> None:
        self._image: WorkingImage | None = None
        self._regions: list[Region] = []

    def set_cube(self, cube: Cube) -> None:
        """Take a cube of any number of bands and any size; pixels that are not finite are bridged.

        Raises
        ------
        InputError
            If no pixel of the cube is finite in every band. The cube before then stays.
        """
        image = WorkingImage.of(cube)
        self._regions = find_regions(image.contrast, image.colour)
        self._image = image

    def predict(self, prompts: Prompts) -> Proposals:
        """Return up to three masks for one lesion, best first.

        Each holds every point labelled 1 and none labelled 0, and stays inside the box. With neither an inside point
        nor a box, it is what `propose` would find, less what was clicked away; that can be nothing.

        Raises
        ------
        InputError
            If a point or the box is outside the image, or there is no cube yet.
        """
        image = self._present()
        prompts.check_inside(image.shape_yx)
        if prompts.logits is not None:
            fields, scores = [image.to_cells(np.clip(prompts.logits, -1, 1))], [0.5]
        else:
            fields, scores = self._candidates(prompts)
        masks: list[NDArray[np.bool_]] = []
        logits: list[NDArray[np.float32]] = []
        kept: list[float] = []
        for field, score in zip(fields, scores, strict=True):
            bent = corrected(field, [image.cell(pixel) for pixel, _ in prompts.clicks], prompts.labels)
            answer = _obeying(image.to_pixels(bent), prompts, image.cell_size)
            mask = _lesion_of(answer, prompts)
            if mask.any() and not any(_overlap(mask, other) > _SAME for other in masks):
                masks.append(mask)
                logits.append(np.where(mask, np.maximum(answer, 1e-3), np.minimum(answer, -1e-3)))
                kept.append(score)
        return Proposals(np.array(masks), np.array(kept), np.array(logits)) if masks else Proposals.none(image.shape_yx)

    def propose(self) -> Proposals:
        """Return the lesions that stand out by themselves, one disjoint mask each; none in even skin."""
        image = self._present()
        chosen: list[Region] = []
        for region in sorted(self._regions, key=lambda region: -region.likeness):
            least = _FURTHER_LESION if chosen else _LESION
            if region.likeness < least:
                break
            if region.step >= _SMALLEST_STEP and not any((region.mask & other.mask).any() for other in chosen):
                chosen.append(region)
        if not chosen:
            return Proposals.none(image.shape_yx)
        logits = np.array([image.to_pixels(self._field(region)) for region in chosen])
        # neighbours may touch once they are brought to pixels: each pixel goes to the surer one
        masks = (logits > 0) & (logits.argmax(axis=0) == np.arange(len(chosen))[:, None, None])
        return Proposals(masks, np.array([_score(region.likeness) for region in chosen]), logits)

    def _present(self) -> WorkingImage:
        if self._image is None:
            raise InputError("the segmenter has no cube yet", fix="call set_cube(cube) first")
        return self._image

    def _candidates(self, prompts: Prompts) -> tuple[list[NDArray[np.float64]], list[float]]:
        """Fields of the regions that fit the prompts best, with their scores."""
        image = self._present()
        box = None if prompts.box is None else image.cells_of(prompts.box)
        inside = [image.cell(point) for point in prompts.of(1)]
        regions, contrast = self._regions, image.contrast
        if inside and not any(region.mask[inside[0]] for region in regions):
            # nothing dark there: look for what has the spectrum that was clicked
            contrast = image.similarity(inside[0])
            regions = find_regions(contrast, None)
            regions = [region for region in regions if region.mask[inside[0]]]
        outside = [image.cell(point) for point in prompts.of(0)]
        fits = [_fit(region, inside, outside, box) for region in regions]
        distinct: list[Region] = []
        scores: list[float] = []
        for number in np.argsort(-np.array(fits), kind="stable"):
            region = regions[number]
            if not any(_overlap(region.mask, other.mask) > _SAME for other in distinct):
                distinct.append(region)
                scores.append(_score(fits[number]))
            if len(distinct) == _CANDIDATES:
                break
        fields = [self._field(region, contrast) for region in distinct]
        if not fields and (inside or box):
            fields, scores = [_blind(image.grid, inside, box)], [0.0]
        return fields, scores

    def _field(self, region: Region, contrast: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """How surely each cell belongs to the region, -1..1, falling off where the contrast does."""
        contrast = self._present().contrast if contrast is None else contrast
        field = np.clip((contrast - region.level) / (_SOFTNESS * contrast.std()), -1, 1)
        # holes that were filled lie below the level, hairs and other lesions above it
        return np.where(region.mask, np.maximum(field, 0.05), np.minimum(field, -0.05))


def _fit(
    region: Region, inside: Sequence[Cell], outside: Sequence[Cell], box: tuple[int, int, int, int] | None
) -> float:
    """Likeness of a region to the lesion that the prompts mean."""
    fit = region.likeness
    radius = np.sqrt(region.area / np.pi)
    if inside:
        fit -= _OFF_CLICKS * float(np.hypot(*(np.mean(inside, axis=0) - region.centre))) / radius
        fit -= 0.0 if region.mask[inside[0]] else _MISSED_ANCHOR
    for cell in outside:
        if region.mask[cell]:
            fit -= _MISSED * _distance(cell, ~region.mask) / radius
    if box is not None:
        fit += _BOX_FIT * np.log(max(_box_overlap(region.box, box), 1e-2))
    return float(fit)


def _score(fit: float) -> float:
    """Expected overlap (IoU) of a region of this fit; the curve follows what lesions of PH2 gave on average."""
    return float(0.95 / (1 + np.exp(-1.5 * (fit + 1.5))))


def _distance(cell: Cell, mask: NDArray[np.bool_]) -> float:
    ys, xs = np.nonzero(mask)
    return float(np.sqrt(((ys - cell[0]) ** 2 + (xs - cell[1]) ** 2).min()))


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def _box_overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0, height) * max(0, width)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)


def _blind(grid: tuple[int, int], inside: Sequence[Cell], box: tuple[int, int, int, int] | None) -> NDArray[np.float64]:
    """Field where nothing is to be seen: an ellipse in the box, or nothing, to be bent by the clicks."""
    if box is None:
        return np.full(grid, -0.5)
    y, x = np.indices(grid)
    middle = ((box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2)
    radii = ((box[2] - box[0]) / 2, (box[3] - box[1]) / 2)
    return np.clip(1 - ((y - middle[0]) / radii[0]) ** 2 - ((x - middle[1]) / radii[1]) ** 2, -1, 1)


def _obeying(field: NDArray[np.float32], prompts: Prompts, cell_size: float) -> NDArray[np.float32]:
    """Hold a field of pixels to the prompts: negative outside the box, and of the right sign at every click."""
    field = field.copy()
    if prompts.box is not None:
        y0, x0, y1, x1 = prompts.box
        kept = field[y0:y1, x0:x1].copy()
        field[:] = np.minimum(field, -1e-3)
        field[y0:y1, x0:x1] = kept
    for point, label in prompts.clicks:
        sign = 1.0 if label else -1.0
        if field[point] * sign > 0:
            continue
        # a spot of the size of a cell, but never up to a click that says the opposite
        spot = cell_size
        for other in prompts.of(1 - label):
            spot = min(spot, 0.5 * float(np.hypot(point[0] - other[0], point[1] - other[1])))
        reach = int(np.ceil(spot))
        rows = slice(max(0, point[0] - reach), point[0] + reach + 1)
        columns = slice(max(0, point[1] - reach), point[1] + reach + 1)
        y, x = np.mgrid[rows.start : min(rows.stop, field.shape[0]), columns.start : min(columns.stop, field.shape[1])]
        near = (y - point[0]) ** 2 + (x - point[1]) ** 2 < max(spot, 0.5) ** 2
        field[rows, columns][near] = sign * np.maximum(np.abs(field[rows, columns][near]), 1e-3)
    return field


def _lesion_of(field: NDArray[np.float32], prompts: Prompts) -> NDArray[np.bool_]:
    """The parts with inside clicks, else the largest one; holes are filled unless somebody clicked them away."""
    parts, count = ndi.label(field > 0)
    if not count:
        return np.zeros(field.shape, bool)
    sizes = np.bincount(parts.ravel())
    wanted = {int(parts[point]) for point in prompts.of(1)} - {0} or {1 + int(sizes[1:].argmax())}
    mask = np.isin(parts, list(wanted))
    holes, _ = ndi.label(~np.pad(mask, 1, constant_values=False))
    holes = holes[1:-1, 1:-1]
    open_ones = {1, *(int(holes[point]) for point in prompts.of(0))}  # part 1 holds the padding: the outside
    return mask | ((holes > 0) & ~np.isin(holes, list(open_ones)))
