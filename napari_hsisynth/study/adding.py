"""Adding many cubes that are already files: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import Annotation
from napari_hsisynth.study.cube_files import content_sha256, copy_in, fitting, read_file, stored_path
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.manifest import Entry, id_from_name
from napari_hsisynth.study.settings import SETTINGS
from napari_hsisynth.study.storage import Cancelled, Progress, writing
from napari_hsisynth.study.study import Study


@dataclass(frozen=True)
class NewCube:
    """A cube's file that was looked at and fits the study."""

    cube_id: str
    path: Path
    diagnosis: Diagnosis
    patient: str
    sha256: str
    annotation: Annotation | None = None


def add_files(
    study: Study,
    files: Sequence[Path],
    diagnosis: Diagnosis | str,
    patient: str = "",
    *,
    copy: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[str]:
    """Add cubes from files; the names of the files, without suffix, become the ids.

    Parameters
    ----------
    study : Study
        To which they are added.
    files : sequence of path-like
        In any readable format.
    diagnosis, patient
        Of all of them.
    copy : bool
        Copy the files into the study instead of pointing at them, see `cube_files.copy_in`.
    progress, cancelled : callable, optional
        As in `make_crops`.

    Returns
    -------
    list of str
        The ids, in the order of `files`.

    Raises
    ------
    InputError
        If one of them does not fit; then none is added.
    """
    new: list[NewCube] = []
    for done, path in enumerate(files):
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(done, len(files))
        cube_id = id_from_name(path.stem)
        if any(cube_id.lower() == one.cube_id.lower() for one in new):
            raise InputError(f"two of the files would have the id '{cube_id}'", where=path, fix="rename one of them")
        fitting(read_file(path), study.settings.wavelengths_nm, name=cube_id, where=path, new=True)
        new.append(NewCube(cube_id, path, Diagnosis.parse(diagnosis), patient.strip(), content_sha256(path)))
    commit(study, new, copy=copy)
    if progress is not None:
        progress(len(files), len(files))
    return [one.cube_id for one in new]


def commit(study: Study, new: Sequence[NewCube], *, copy: bool, final_root: Path | None = None) -> None:
    """Add cubes that were looked at, with their annotations; if anything fails, what was copied is taken away again.

    Parameters
    ----------
    study : Study
        To which they are added.
    new : sequence of NewCube
        New to it.
    copy : bool
        Copy the files into ``cubes/``.
    final_root : path-like, optional
        Where the study will be, if it is made elsewhere and then renamed.
    """
    root = final_root or study.root
    entries, copies = [], []
    try:
        for one in new:
            path, sha256 = one.path, one.sha256
            if copy:
                with writing(root / "cubes"):
                    place = copy_in(path, study.root / "cubes", one.cube_id)
                copies.append(place)
                if place.suffix != path.suffix.lower():  # it was several files, and its copy is another one
                    sha256 = content_sha256(place)
                path = root / place.relative_to(study.root)
            entries.append(Entry(one.cube_id, stored_path(root, path), one.diagnosis, one.patient, sha256))
        study.commit(entries, [one.annotation for one in new if one.annotation is not None])
    except BaseException:
        for place in copies:
            place.unlink(missing_ok=True)
        raise


def study_to_fill(root: Path) -> Study | None:
    """Return the study at `root`, or None if a new one may be made there; InputError if something else is there."""
    if (root / SETTINGS).is_file():
        return Study.open(root)
    if root.is_file():
        raise InputError("a file, not a folder", where=root)
    if root.is_dir() and any(root.iterdir()):
        raise InputError("the folder is not empty and not a study", where=root, fix="choose a new folder")
    return None
