"""The cubes of a study as files: reading them, and whether they fit."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.storage import sha256_of

#: Band centres in a file that differ from the study's by more than this are told, nm.
TOLERANCE_NM = 0.05


def read_file(path: Path) -> Cube:
    """Read the cube at `path`, in any readable format; InputError if there is no such file."""
    from napari_hsisynth.formats import read_cube  # here, for it brings readers that opening a study does not need

    if not path.exists():
        raise InputError(
            "the cube's file is missing", where=path, fix="put it back, or correct its path in manifest.csv"
        )
    return read_cube(path)


def fitting(cube: Cube, wavelengths_nm: NDArray[np.float64], *, name: str, where: Path, new: bool = False) -> Cube:
    """Return `cube` under its name in the study, with the study's wavelengths.

    Parameters
    ----------
    cube : Cube
        As read.
    wavelengths_nm : ndarray, shape (bands,)
        The study's.
    name : str
        Its id.
    where : pathlib.Path
        For the error.
    new : bool
        It is to become a cube of the study: a synthetic one, which would pass for a patient's, is refused.

    Returns
    -------
    Cube
        Its notes tell of pixels that are not finite and of wavelengths of its own that differ.

    Raises
    ------
    InputError
        If the cube has another number of bands, or is new and synthetic.
    """
    if new and cube.provenance.get("synthetic"):
        fix = "synthetic cubes come in with: napari-hsisynth import dataset"
        raise InputError("a synthetic cube, which must not be taken for a real one", where=where, fix=fix)
    if cube.bands != len(wavelengths_nm):
        raise InputError(
            f"{cube.bands} bands, but the study has {len(wavelengths_nm)}",
            where=where,
            fix="put it into a study of its own",
        )
    # what had to be assumed for a file without wavelengths is no news: the study knows them
    assumed = () if cube.wavelengths_known else Cube(cube.data[:, :1, :1]).notes
    notes = [note for note in cube.notes if note not in assumed]
    if cube.wavelengths_known:
        off_nm = float(np.abs(cube.wavelengths_nm - wavelengths_nm).max())
        if off_nm > TOLERANCE_NM:
            notes.append(f"the file gives wavelengths up to {off_nm:.1f} nm from the study's; the study's are used")
    invalid = int((~cube.valid()).sum())
    if invalid and not any("finite" in note for note in notes):
        notes.append(not_finite(invalid, cube))
    return Cube(cube.data, wavelengths_nm, name=name, provenance=cube.provenance, notes=tuple(notes))


def not_finite(invalid: int, cube: Cube) -> str:
    """Say how many pixels of a cube are not finite in every band."""
    pixels = cube.shape_yx[0] * cube.shape_yx[1]
    return f"{invalid:,} of {pixels:,} pixels are not finite (NaN or infinity)"


def content_sha256(path: Path) -> str:
    """SHA-256 of a cube's bytes, 64 hex digits: of its file, or of the names and hashes of all files it is made of."""
    from napari_hsisynth.formats import parts_of

    parts = parts_of(path)
    if parts == [path]:
        return sha256_of(path)
    lines = (f"{os.path.relpath(part, path.parent)} {sha256_of(part)}\n" for part in parts)
    return hashlib.sha256("".join(line.replace(os.sep, "/") for line in lines).encode()).hexdigest()


def copy_in(path: Path, folder: Path, cube_id: str) -> Path:
    """Copy a cube's file into a folder under its id and return the copy.

    A cube of several files, such as an ENVI header with its data or an OME-Zarr folder, becomes one ``.npz``, which
    keeps everything of it.
    """
    from napari_hsisynth.formats import parts_of, write_cube

    is_one_file = parts_of(path) == [path]
    target = free_file(folder, cube_id, path.suffix.lower() if is_one_file else ".npz")
    if is_one_file:
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)
    else:
        write_cube(target, read_file(path))
    return target


def stored_path(root: Path, path: Path) -> str:
    """Return `path` as the manifest stores it: relative inside the study, so that it may move, else absolute."""
    absolute = Path(os.path.abspath(path))
    for inside, outside in ((absolute, root), (absolute.resolve(), root.resolve())):
        if inside.is_relative_to(outside):
            return inside.relative_to(outside).as_posix()
    return absolute.as_posix()


def free_file(folder: Path, cube_id: str, suffix: str) -> Path:
    """Return where the file of a new cube goes; InputError if something is there already."""
    target = folder / f"{cube_id}{suffix}"
    if target.exists():
        raise InputError(
            "the file exists, but the manifest does not name it", where=target, fix="delete it or move it away"
        )
    return target
