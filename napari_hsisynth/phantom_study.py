"""A study of phantoms: simulated lesions with their true masks and diagnoses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import phantom_series
from napari_hsisynth.optics.phantom import KINDS
from napari_hsisynth.study import Cancelled, Diagnosis, Study
from napari_hsisynth.study.storage import new_folder
from napari_hsisynth.typed_path import typed_path

NOTE = "PHANTOM: simulated cubes, no patient"


def make_phantom_study(
    folder: str | Path,
    *,
    per_class: int,
    shape: tuple[int, int] = (256, 512),
    seed: int = 0,
    sensor: str = "hsidermoscopy",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Study:
    """Make a study of phantoms; cancelling or failing leaves no folder.

    Parameters
    ----------
    folder : path-like
        Of the study; not there yet, or empty.
    per_class : int
        Cubes of each diagnosis, 1 or more.
    shape : (int, int)
        Height and width of the cubes, px, each 16 or more.
    seed : int
        Of the whole series.
    sensor : {"hsidermoscopy", "ideal"}
        What the cubes are seen through, see `optics.lesion_phantom`.
    progress : callable, optional
        Called with cubes done and in all.
    cancelled : callable, optional
        Asked before every cube; true raises `Cancelled`.

    Returns
    -------
    Study
        With an accepted annotation for every cube: the true mask of each of its lesions with its own diagnosis, which
        may be another than the cube's.

    Raises
    ------
    InputError
        If the folder holds something, or an argument is out of range.
    """
    root = typed_path(folder).absolute()
    if per_class < 1:
        raise InputError("no cubes asked for", fix="ask for 1 or more of each diagnosis")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError("is there already and not empty", where=root, fix="choose a new folder")
    total = len(KINDS) * per_class
    study: Study | None = None
    with new_folder(root) as hidden:
        for done, (cube_id, made) in enumerate(phantom_series(per_class, shape=shape, seed=seed, sensor=sensor)):
            if cancelled is not None and cancelled():
                raise Cancelled
            if progress is not None:
                progress(done, total)
            if study is None:
                study = Study.create(hidden, wavelengths_nm=made.cube.wavelengths_nm, notes=NOTE)
            study.add_cube(made.cube, cube_id, made.kind, mask=made.instances)
            if len(set(made.kinds)) > 1:
                annotation = study.annotation(cube_id)
                lesions = (replace(each, diagnosis=Diagnosis(made.kinds[each.id - 1])) for each in annotation.instances)
                study.save_annotation(annotation.replace(instances=tuple(lesions)))
    if progress is not None:
        progress(total, total)
    return Study.open(root)
