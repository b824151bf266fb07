"""NumPy ``.npz``: the form of a study's cubes and crops, and archives of other programs.

Our own hold ``cube`` float32 (bands, y, x), ``wavelengths_nm``, ``wavelengths_known``, ``name`` and ``provenance`` (a
JSON string). A crop holds ``cube``, ``wavelengths_nm``, ``mask`` and ``meta`` (JSON).
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.labels import labelled_cube, provenance_json, storable_name
from napari_hsisynth.formats.npy import read_header, read_values, values_in_file
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import WAVELENGTH_NAMES, Variable, choose, unlabelled_cube
from napari_hsisynth.lazy_array import LazyArray, Source

_SUFFIX = ".npy"
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 1


def sniff(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a zip archive, empty or not."""
    return head[:4] in (b"PK\3\4", b"PK\5\6")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {
        member.filename.removesuffix(_SUFFIX): member
        for member in archive.infolist()
        if member.filename.endswith(_SUFFIX)
    }


def _listed(archive: zipfile.ZipFile) -> list[Variable]:
    found = []
    for name, member in _members(archive).items():
        with archive.open(member) as handle:
            found.append(read_header(handle, name))
    return found


def _value(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    member = _members(archive)[name]
    with archive.open(member) as handle:
        return read_values(handle, name, member.compress_size)


def _source(path: Path, archive: zipfile.ZipFile, chosen: Variable, options: ReadOptions) -> Source:
    """Return the cube's values: where they are to stay in the file and are stored as they are, still in it."""
    member = _members(archive)[chosen.name]
    as_they_are = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & _ENCRYPTED
    if not (as_they_are and options.lazily(math.prod(chosen.shape))):
        return _value(archive, chosen.name)
    with open(path, "rb") as handle:
        # the name and the extra field before the values may be longer than those of the central directory
        handle.seek(member.header_offset)
        header = handle.read(_LOCAL_HEADER_BYTES)
        start = member.header_offset + _LOCAL_HEADER_BYTES + sum(struct.unpack("<HH", header[26:30]))
        if start + member.file_size > handle.seek(0, 2):
            raise InputError("the file is truncated", fix="copy it again")
    return values_in_file(path, chosen.name, start, member.file_size, lazy=True)


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the archive."""
    with zipfile.ZipFile(path) as archive:
        return _listed(archive)


def read(path: Path, options: ReadOptions) -> Cube:
    """Read one of our cubes or crops as it was written, or the 3-D array of another program's archive."""
    given = options.wavelengths_nm
    with zipfile.ZipFile(path) as archive:
        listed = _listed(archive)
        names = {variable.name for variable in listed}
        chosen = choose(listed, options.variable)
        array = _source(path, archive, chosen, options)
        if chosen.name == "cube" and "provenance" in names:
            known = bool(_value(archive, "wavelengths_known")) if "wavelengths_known" in names else True
            return labelled_cube(
                array if isinstance(array, np.ndarray) else LazyArray(array, where=path),
                given_nm=given,
                stored_nm=_value(archive, "wavelengths_nm") if "wavelengths_nm" in names else None,
                known=known,
                name=str(_value(archive, "name")) if "name" in names else path.stem,
                provenance=str(_value(archive, "provenance")),
            )
        if chosen.name == "cube" and {"meta", "wavelengths_nm"} <= names:
            meta = json.loads(str(_value(archive, "meta")))
            if not isinstance(meta, dict):
                raise InputError("damaged: 'meta' is not a JSON object")
            return labelled_cube(
                array if isinstance(array, np.ndarray) else LazyArray(array, where=path),
                given_nm=given,
                stored_nm=_value(archive, "wavelengths_nm"),
                known=True,
                name=str(meta.get("crop_id", path.stem)),
                provenance=json.dumps(meta.get("provenance") or {}),
            )
        stored = next((_value(archive, name) for name in WAVELENGTH_NAMES if name in names), None)
    source = {"format": "npz", "variable": chosen.name}
    return unlabelled_cube(array, path=path, options=options, provenance=source, stored_nm=stored, tie="first")


def write(path: Path, cube: Cube) -> list[str]:
    """Write everything a cube holds but its notes. Not compressed: float noise hardly shrinks and reads slower."""
    provenance = provenance_json(cube)
    # into an open file: by name, NumPy would add a second suffix to "A.NPZ"
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(
            handle,
            cube=cube.data,
            wavelengths_nm=cube.wavelengths_nm,
            wavelengths_known=np.array(cube.wavelengths_known),
            name=np.array(storable_name(cube)),
            provenance=np.array(provenance),
        )
    return []


FORMAT = Format("npz", "NumPy .npz", (".npz",), sniff, variables, read, write)
