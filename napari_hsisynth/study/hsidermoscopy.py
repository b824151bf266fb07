"""The folder layout of HSIDermoscopy: which cubes and masks lie in it, and what they show.

``images/{DNCube,MMCube,OtherCube}/<stem>.mat`` with masks in the parallel tree ``masks/...`` as ``<stem>_mask.png`` or
``<stem>_cropNN_mask.png``; several masks of one cube are several lesions. In OtherCube the file name tells the
diagnosis.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import id_from_name

_FOLDERS = {
    "dncube": Diagnosis.DYSPLASTIC_NEVUS,
    "mmcube": Diagnosis.MELANOMA,
    "othercube": None,
}
_OTHER_CUBE = {
    "lentigo": Diagnosis.SOLAR_LENTIGO,
    "iec": Diagnosis.INTRAEPIDERMAL_CARCINOMA,
    "nv": Diagnosis.NEVUS,
    "sk": Diagnosis.SEBORRHEIC_KERATOSIS,
    "melt": Diagnosis.MELANOCYTIC_LESION,
}
_MASK = re.compile(r"(?P<stem>.+?)(?:_crop(?P<number>\d+))?_mask", re.IGNORECASE)


@dataclass(frozen=True)
class FoundCube:
    """A cube's file, and the masks that belong to it, in the order of their numbers."""

    cube_id: str
    path: Path
    diagnosis: Diagnosis
    masks: tuple[Path, ...] = ()


@dataclass
class Layout:
    """What lies in a folder.

    Parameters
    ----------
    cubes : list of FoundCube
        Sorted by id.
    skipped : list of (file, reason)
        Files that were not understood.
    notes : list of str
        What had to be assumed.
    problems : list of str
        What makes the folder unusable.
    """

    cubes: list[FoundCube] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def scan(src: Path) -> Layout:
    """List the cubes and masks under `src` without reading them.

    Raises
    ------
    InputError
        If `src` is not a folder of this layout, or holds no cubes.
    """
    images = src / "images"
    if not src.is_dir():
        raise InputError("no such folder", where=src)
    if not images.is_dir():
        raise InputError("not the HSIDermoscopy layout: there is no folder images", where=src, fix=_hint(src))
    layout = Layout()
    masks = _masks_by_folder(src / "masks")
    seen: dict[str, Path] = {}
    for folder in sorted(path for path in images.iterdir() if path.is_dir()):
        if folder.name.lower() not in _FOLDERS:
            layout.skipped.append((folder.relative_to(src).as_posix(), "not DNCube, MMCube or OtherCube"))
            continue
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        files = [path for path in inside if path.suffix.lower() == ".mat"]
        others = [path.relative_to(src).as_posix() for path in inside if path not in files]
        layout.skipped.extend((name, "not a .mat file") for name in others)
        of_cube = _masks_of([path.stem for path in files], masks.pop(folder.name.lower(), []), layout, src)
        for path in files:
            try:
                cube_id = id_from_name(path.stem)
            except InputError as error:
                layout.problems.append(str(error))
                continue
            if cube_id != path.stem:
                layout.notes.append(f"{path.name}: its id is {cube_id}, since ids have no other signs than _ and -")
            if (first := seen.setdefault(cube_id.lower(), path)) is not path:
                both = f"{first.relative_to(src).as_posix()} and {path.relative_to(src).as_posix()}"
                layout.problems.append(f"two cubes would have the id {cube_id}: {both}")
                continue
            diagnosis = _diagnosis(folder.name.lower(), path, layout)
            layout.cubes.append(FoundCube(cube_id, path, diagnosis, tuple(of_cube.get(path.stem, ()))))
    for orphans in masks.values():
        layout.skipped.extend((path.relative_to(src).as_posix(), "no cube folder of this name") for path in orphans)
    if not layout.cubes and not layout.problems:
        raise InputError("no .mat files in the folders DNCube, MMCube and OtherCube", where=images)
    layout.cubes.sort(key=lambda cube: cube.cube_id)
    return layout


def folder_for(diagnosis: Diagnosis) -> str:
    """Return the folder in which cubes of a diagnosis lie."""
    return {Diagnosis.DYSPLASTIC_NEVUS: "DNCube", Diagnosis.MELANOMA: "MMCube"}.get(diagnosis, "OtherCube")


def told_by_name(stem: str) -> Diagnosis:
    """Return the diagnosis that the name of a file in OtherCube tells, "other" if it tells none."""
    word = re.match(r"[a-z]*", stem.lower())
    known = (diagnosis for prefix, diagnosis in _OTHER_CUBE.items() if word and word[0].startswith(prefix))
    return next(known, Diagnosis.OTHER)


def _hint(src: Path) -> str:
    if src.name.lower() == "images" or any((src / name).is_dir() for name in ("DNCube", "MMCube", "OtherCube")):
        return "give the folder above, which holds images and masks"
    return "give the folder that holds images/DNCube, images/MMCube, images/OtherCube and masks"


def _diagnosis(folder: str, path: Path, layout: Layout) -> Diagnosis:
    diagnosis = _FOLDERS[folder]
    if diagnosis is not None:
        return diagnosis
    told = told_by_name(path.stem)
    if told is Diagnosis.OTHER:
        layout.notes.append(f"{path.name}: the name tells no diagnosis; taken as other")
    return told


def _masks_by_folder(root: Path) -> dict[str, list[Path]]:
    if not root.is_dir():
        return {}
    folders = (path for path in root.iterdir() if path.is_dir())
    return {folder.name.lower(): sorted(path for path in folder.iterdir() if _is_png(path)) for folder in folders}


def _is_png(path: Path) -> bool:
    return path.suffix.lower() == ".png" and not path.name.startswith(".")


def _masks_of(stems: list[str], masks: list[Path], layout: Layout, src: Path) -> dict[str, list[Path]]:
    """Assign masks to the cubes of their folder; a cube whose own name ends in _cropNN is asked first."""
    of_cube: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    known = set(stems)
    for path in masks:
        match = _MASK.fullmatch(path.stem)
        whole = path.stem[: -len("_mask")]
        if match and whole in known:
            of_cube[whole].append((-1, path))
        elif match and match["stem"] in known:
            of_cube[match["stem"]].append((int(match["number"] or -1), path))
        else:
            layout.skipped.append((path.relative_to(src).as_posix(), "belongs to no cube"))
    return {stem: [path for _, path in sorted(found)] for stem, found in of_cube.items()}


def read_mask(path: Path) -> tuple[NDArray[np.bool_], str]:
    """Read a mask picture, shape (y, x), and a note if it is not plainly black and white.

    Raises
    ------
    InputError
        If it is no picture, or empty.
    """
    try:
        with Image.open(path) as image:
            grey = image if image.mode in {"1", "L", "I", "I;16"} else image.convert("RGB").convert("L")
            values = np.array(grey).astype(np.int64)
    except OSError as error:
        raise InputError(f"not a readable picture ({error})", where=path) from None
    levels = np.unique(values)
    if levels[-1] <= 0:
        raise InputError("the mask is empty", where=path, fix="delete it, or draw the lesion")
    if len(levels) <= 2:
        return values > (levels[0] if len(levels) == 2 else 0), ""
    return values * 2 > levels[-1], f"{path.name}: {len(levels)} grey levels; the upper half is taken as lesion"
