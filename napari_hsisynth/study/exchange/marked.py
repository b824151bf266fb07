"""What an export is given: the annotations of the cubes, one after the other, and how they are to be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.study.annotation import Annotation
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.study import Study

#: In every folder that an export made; only such a folder is ever replaced by another.
MARKER = "export.json"
#: How lesions are written: by their pixels, by outlines, or by whichever says a lesion best.
Shapes = Literal["auto", "mask", "polygon"]
#: Said where polygons are asked for, and there are holes.
SLITS = "holes are joined to the outside by slits of no width, so that nothing of the masks is lost"
#: Makes a picture for eyes, uint8 (y, x) or (y, x, 3), of a cube.
Picture = Callable[[Cube], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class MarkedCube:
    """A cube with what was marked in it.

    Parameters
    ----------
    study : Study
    entry : Entry
    annotations : tuple of Annotation
        One per annotator, only with the lesions that are asked for.
    annotators : tuple of str or None
        Whose they are, as `Study.annotation` takes it; None for the cube's first.
    """

    study: Study
    entry: Entry
    annotations: tuple[Annotation, ...]
    annotators: tuple[str | None, ...]

    @property
    def only(self) -> Annotation:
        """The annotation, where there is one annotator."""
        return self.annotations[0]

    @property
    def lesions(self) -> int:
        """Number of lesions."""
        return sum(len(annotation.instances) for annotation in self.annotations)

    def by_annotator(self) -> Iterator[tuple[str | None, Annotation]]:
        """Return every annotation with whose it is."""
        return zip(self.annotators, self.annotations, strict=True)

    def read(self) -> Cube:
        """Read the cube."""
        return self.study.read_cube(self.entry.id)


@dataclass(frozen=True)
class Writing:
    """How to write.

    Parameters
    ----------
    title : str
        Name of the study.
    folder : str
        Name of the folder that is written, in the end.
    shapes : {"auto", "mask", "polygon"}
        How lesions are written.
    picture : callable
        Makes a picture of a cube, for formats that come with pictures.
    tell : callable
        ``tell(cube_id, text)``: takes what the user should know.
    """

    title: str
    folder: str
    shapes: Shapes
    picture: Picture
    tell: Callable[[str, str], None] = field(compare=False)
