"""The segmenter without weights: regions of raised pigment contrast, chosen by the prompts and corrected by clicks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.corrections import corrections, mistake_depth
from napari_hsisynth.segment.obeying import obeying
from napari_hsisynth.segment.overlaps import overlap
from napari_hsisynth.segment.prompts import Prompts, Proposals
from napari_hsisynth.segment.region_choice import Box, Evidence, fits, mean_shape, overlaps
from napari_hsisynth.segment.regions import Cell, Region, find_regions, signed_distance
from napari_hsisynth.segment.working_image import WorkingImage

_CANDIDATES = 3
_SAME = 0.9  # IoU from which two candidates are one
_SHARPNESS = 0.2  # logits per cell of distance from the outline
_UNCHANGED = 0.02  # logits; a smaller correction leaves a mask that was drawn as it is

# Where the spectra of lesion and skin are taken from.
_CLICKED = 0.0375  # of the diagonal: radius of the lesion about the first click
_SAFE = 0.7  # of the depth of the click in the region that fits best
_FAR = 0.6  # of the largest distance from the click: from there on it is skin
_BOX_CORE = 0.6  # of the box's axes
_TOLD_APART = 0.2  # what a region gains by standing out in the contrast that the prompts chose

# What `propose` takes for a lesion, and for a further one.
_LESION = -1.5
_FURTHER_LESION = -1.0
_SMALLEST_STEP = 0.1  # of the contrast, which counts the shorter wavelengths twice: about 10 % darker there

_Question = tuple[tuple[Cell, ...], tuple[int, ...], Box | None]  # clicked cells, labels, box


@dataclass(frozen=True, eq=False)
class _Answer:
    """Candidates for one lesion as signed distances in cells, best first, and how deep each click so far was."""

    fields: list[NDArray[np.float64]]
    scores: list[float]
    depths: tuple[float, ...]


class SpectralSegmenter:
    """Finds a lesion from clicks, a box or nothing, by all bands of the cube and without any weights.

    `set_cube` lists the regions in which the pigment contrast exceeds each of a row of levels, with how lesion-like
    they are. The first click or the box add regions of a second contrast: the discriminant between the spectra there
    and those far away. Prompts choose among these, and the outline is the mean of those that fit about equally well.
    Further clicks are read as corrections of what was shown before them: they choose again, and bend the outline where
    a click still disagrees with it. The same cube and prompts always give the same masks.
    """

    name = "spectral"
    model = "2"
    weights_sha256 = ""

    def __init__(self) -> None:
        self._image: WorkingImage | None = None
        self._regions: list[Region] = []
        self._pool: tuple[Cell | Box | None, list[Region]] = (None, [])
        self._answers: list[tuple[_Question, _Answer]] = []

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
        self._pool, self._answers = (None, []), []

    def predict(self, prompts: Prompts) -> Proposals:
        """Return up to three masks for one lesion, best first.

        Each holds every point labelled 1 and none labelled 0, and stays inside the box. With neither an inside point
        nor a box, it is what `propose` would find, less what was clicked away; that can be nothing. A mask to start
        from (`Prompts.logits`) stays as it is but for where clicks correct it.

        Raises
        ------
        InputError
            If a point or the box is outside the image, or there is no cube yet.
        """
        image = self._present()
        prompts.check_inside(image.shape_yx)
        if prompts.logits is not None:
            return self._mended(prompts.logits, prompts)
        answer = self._replayed(prompts)
        masks: list[NDArray[np.bool_]] = []
        logits: list[NDArray[np.float32]] = []
        kept: list[float] = []
        for field, score in zip(answer.fields, answer.scores, strict=True):
            pixels = obeying(image.to_pixels(_SHARPNESS * field), prompts, image.cell_size)
            mask = _lesion_of(pixels, prompts)
            if mask.any() and not any(overlap(mask, other) > _SAME for other in masks):
                masks.append(mask)
                logits.append(_agreeing(pixels, mask))
                kept.append(score)
        return Proposals(np.array(masks), np.array(kept), np.array(logits)) if masks else Proposals.none(image.shape_yx)

    def propose(self) -> Proposals:
        """Return the lesions that stand out by themselves, one disjoint mask each; none in even skin."""
        image, regions = self._present(), self._regions
        likeness = fits(regions, Evidence())
        chosen: list[int] = []
        for number in np.argsort(-likeness, kind="stable"):
            region = regions[number]
            if likeness[number] < (_FURTHER_LESION if chosen else _LESION):
                break
            if region.step >= _SMALLEST_STEP and not any((region.mask & regions[other].mask).any() for other in chosen):
                chosen.append(int(number))
        if not chosen:
            return Proposals.none(image.shape_yx)
        fields = [_SHARPNESS * mean_shape(regions, likeness, number) for number in chosen]
        logits = np.array([image.to_pixels(field) for field in fields])
        # neighbours may touch: each pixel goes to the surer one
        surest = logits.argmax(axis=0)
        masks = np.array(
            [_lesion_of(np.where(surest == number, one, -1), Prompts()) for number, one in enumerate(logits)]
        )
        return Proposals(masks, np.array([_score(likeness[number]) for number in chosen]), _agreeing(logits, masks))

    def _present(self) -> WorkingImage:
        if self._image is None:
            raise InputError("the segmenter has no cube yet", fix="call set_cube(cube) first")
        return self._image

    def _mended(self, start: NDArray[np.float32], prompts: Prompts) -> Proposals:
        """Change a mask around those clicks only that disagree with it."""
        image = self._present()
        drawn = start > 0
        field = signed_distance(image.to_cells(drawn.astype(np.float32)) > 0.5)
        cells, depths, now = [], [], field
        for count, (pixel, label) in enumerate(prompts.clicks, 1):
            cells.append(image.cell(pixel))
            depths.append(mistake_depth(now > 0, cells[-1], label))
            now = field + corrections(field, cells, prompts.labels[:count], depths)
        change = _SHARPNESS * image.to_pixels(now - field)
        pixels = _SHARPNESS * image.to_pixels(field)
        # the grid is coarser than the brush: hold the field to what was drawn before changing it
        pixels = np.where(drawn, np.maximum(pixels, _UNCHANGED), np.minimum(pixels, -_UNCHANGED))
        pixels = obeying(np.where(np.abs(change) < _UNCHANGED, pixels, pixels + change), prompts, image.cell_size)
        if not (pixels > 0).any():
            return Proposals.none(image.shape_yx)
        return Proposals(pixels[None] > 0, np.array([0.5]), pixels[None])

    def _replayed(self, prompts: Prompts) -> _Answer:
        """Answer the prompts as if they were made one by one, so that every click mends what was seen before it."""
        image = self._present()
        box = None if prompts.box is None else image.cells_of(prompts.box)
        cells, labels = tuple(image.cell(pixel) for pixel, _ in prompts.clicks), tuple(prompts.labels)
        answer = _Answer([], [], ())
        for step, count in enumerate(range(0 if box or not cells else 1, len(cells) + 1)):
            question: _Question = (cells[:count], labels[:count], box)
            if step < len(self._answers) and self._answers[step][0] == question:
                answer = self._answers[step][1]
                continue
            seen = answer.fields[0] > 0 if answer.fields else None
            depth = 0.0 if seen is None else mistake_depth(seen, cells[count - 1], labels[count - 1])
            depths = (*answer.depths, depth)[:count]
            fields, scores = self._candidates(Evidence(*question, seen, depth))
            fields = [field + corrections(field, cells[:count], labels[:count], depths) for field in fields]
            answer = _Answer(fields, scores, depths)
            # clicks come one by one: only the last question, step by step, is worth keeping
            self._answers = [*self._answers[:step], (question, answer)]
        return answer

    def _candidates(self, evidence: Evidence) -> tuple[list[NDArray[np.float64]], list[float]]:
        """Shapes that fit the evidence best, as signed distances in cells, with their scores."""
        told_apart = self._told_apart(evidence)
        regions = [*self._regions, *told_apart]
        fit = fits(regions, evidence)
        fit[len(self._regions) :] += _TOLD_APART
        order = [int(number) for number in np.argsort(-fit, kind="stable")]
        if not order:
            blind = evidence.first_inside or evidence.box
            return ([_blind(self._present().grid, evidence)], [0.0]) if blind else ([], [])
        # the best shape is a mean; what else it could be stays as it is, to be different
        fields, scores = [mean_shape(regions, fit, order[0])], [_score(fit[order[0]])]
        for number in order[1:]:
            if len(fields) == _CANDIDATES:
                break
            if not any(overlaps([regions[number]], field > 0)[0] > _SAME for field in fields):
                fields.append(regions[number].distances)
                scores.append(_score(fit[number]))
        return fields, scores

    def _told_apart(self, evidence: Evidence) -> list[Region]:
        """Regions of the contrast between what was pointed at and the skin far from it."""
        image = self._present()
        about = evidence.box or evidence.first_inside
        if about is None:
            return []
        if self._pool[0] != about:
            y, x = np.indices(image.grid)
            if evidence.box is not None:
                y0, x0, y1, x1 = evidence.box
                inside = _ellipse(image.grid, evidence.box) < _BOX_CORE
                outside = (y < y0) | (y >= y1) | (x < x0) | (x >= x1)
                holding = None
            else:
                holding = about[0], about[1]
                distance = np.hypot(y - holding[0], x - holding[1])
                inside = distance < self._clicked_radius(holding)
                outside = ~inside & (distance > _FAR * distance.max())
            regions: list[Region] = []
            if inside.any() and outside.any():
                regions = find_regions(image.discriminant(inside, outside), image.colour, holding)
            self._pool = (about, regions)
        return self._pool[1]

    def _clicked_radius(self, cell: Cell) -> float:
        """Radius about the first click, in cells, within which there is lesion for all that is known then."""
        widest = _CLICKED * float(np.hypot(*self._present().grid))
        fit = fits(self._regions, Evidence((cell,), (1,)))
        depth = self._regions[int(fit.argmax())].depth(cell) if len(fit) else 0.0
        return max(1.0, min(widest, _SAFE * depth)) if depth > 0 else max(1.0, widest)


def _score(fit: float) -> float:
    """Expected overlap (IoU) of a region of this fit; the curve follows what lesions of PH2 gave on average."""
    return float(0.95 / (1 + np.exp(-1.5 * (fit + 1.5))))


def _agreeing(logits: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give logits the sign that the mask has."""
    return np.where(mask, np.maximum(logits, 1e-3), np.minimum(logits, -1e-3))


def _ellipse(grid: tuple[int, int], box: Box) -> NDArray[np.float64]:
    """Distance from the middle of a box in units of its half axes: 1 on the ellipse in it."""
    y, x = np.indices(grid)
    middle = ((box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2)
    return np.hypot((y - middle[0]) / ((box[2] - box[0]) / 2), (x - middle[1]) / ((box[3] - box[1]) / 2))


def _blind(grid: tuple[int, int], evidence: Evidence) -> NDArray[np.float64]:
    """Field where nothing is to be seen: an ellipse in the box, or a small disc about the click."""
    if evidence.box is not None:
        shape = _ellipse(grid, evidence.box) < 1
    else:
        row, column = evidence.first_inside or (0, 0)
        y, x = np.indices(grid)
        shape = np.hypot(y - row, x - column) <= _CLICKED * np.hypot(*grid)
    return signed_distance(shape)


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
