"""The masks of HSIDermoscopy: ``masks/{DNCube,MMCube,OtherCube}/<id>_cropNN_mask.png``, one picture per lesion.

The layout knows one diagnosis per cube: that of its folder or, in OtherCube, that of the cube's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from napari_hsisynth.study.exchange.marked import MarkedCube, Writing
from napari_hsisynth.study.exchange.pictures import write_picture
from napari_hsisynth.study.hsidermoscopy import folder_for, told_by_name


def write(cubes: Iterable[MarkedCube], target: Path, writing: Writing) -> None:
    """Write the masks of a study, white on black, each as large as its cube."""
    for cube in cubes:
        entry, annotation = cube.entry, cube.only
        folder = folder_for(entry.diagnosis)
        if folder == "OtherCube" and told_by_name(entry.id) is not entry.diagnosis:
            writing.tell(entry.id, f"the name does not tell the diagnosis {entry.diagnosis.label}, which is lost here")
        if any(instance.diagnosis is not entry.diagnosis for instance in annotation.instances):
            writing.tell(entry.id, "lesions with another diagnosis than their cube lose it here")
        for number, instance in enumerate(annotation.instances):
            path = target / "masks" / folder / f"{entry.id}_crop{number:02d}_mask.png"
            write_picture(path, annotation.mask_of(instance.id).astype(np.uint8) * np.uint8(255))
