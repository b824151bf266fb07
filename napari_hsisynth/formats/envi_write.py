"""Writing ENVI: ``x.hdr`` beside ``x.dat``, float32 in BSQ order, little endian.

Two files cannot be renamed at once. So that a kill at any moment leaves the old image or the new one:

1. The values go to ``x.hsisynth-<token>.dat``, flushed to disk. A header written here names such a file; the old
   header names another one, or none.
2. An old ``x.dat`` is renamed to what the old header names (to ``x.hsisynth-old.dat`` if it was written elsewhere).
3. The new header is renamed to ``x.hdr``. This is the one moment at which the image changes.
4. ``x.hsisynth-<token>.dat`` is renamed to ``x.dat``, where other programs look, and the old values are removed.

A header written here whose named file is not there has its values in ``x.dat``. Between 2 and 4 other programs find no
data; at no time do they find the values of one image under the header of another. A kill between 1 and 3 leaves the new
values behind under their first name; nothing reads them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.atomic import atomic_path, sync_folder
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_files import (
    DATA_SUFFIXES,
    OWN_DATA,
    data_files,
    new_data_name,
    own_data_name,
    retired_name,
)
from napari_hsisynth.formats.envi_header import MOST_BYTES, EnviHeader, quoted, read_header, unquoted
from napari_hsisynth.formats.labels import labelled_cube, provenance_json, storable_name

_NAME, _PROVENANCE, _WAVELENGTHS = "hsisynth name", "hsisynth provenance", "hsisynth wavelengths"
#: What `_WAVELENGTHS` says: measured or given, assumed, or mere numbers, which are not stored.
_KNOWN, _ASSUMED, _NUMBERED = "known", "assumed", "numbered"
_PER_LINE = 8


def own_cube(header: EnviHeader, data: Any, given_nm: Sequence[float] | None) -> Cube | None:
    """Return the cube as it was written, if its header was written here; None otherwise.

    Parameters
    ----------
    header : EnviHeader
    data : ndarray or LazyArray, shape (bands, y, x)
    given_nm : sequence of float, optional
        The user's wavelengths, which win.
    """
    if _PROVENANCE not in header:
        return None
    if "byte order" not in header:  # the last line of our headers
        raise InputError("the header is cut off", fix="copy it again")
    bands, said = data.shape[0], header.text(_WAVELENGTHS)
    return labelled_cube(
        data,
        given_nm=given_nm,
        stored_nm=np.arange(bands) if said == _NUMBERED else header.numbers("wavelength", bands),
        known=said == _KNOWN,
        name=unquoted(header, _NAME),
        provenance=unquoted(header, _PROVENANCE),
    )


def write(path: Path, cube: Cube) -> list[str]:
    """Write everything a cube holds but its notes, block by block; a pair of the same name is replaced as a whole."""
    data = _data_path(path)
    old = _replaceable(path, data)
    fresh = path.with_name(new_data_name(data))
    header = _header_text(cube, fresh.name).encode("ascii")
    if len(header) > MOST_BYTES:
        raise InputError("its provenance is too long for a header", where=path, fix="write .npz")
    retired = None if old is None else path.with_name(own_data_name(old) or retired_name(path))
    with atomic_path(fresh) as temporary:
        _write_values(temporary, cube)
    try:
        if retired is not None and data.exists():
            os.replace(data, retired)
            sync_folder(path.parent)
        with atomic_path(path) as temporary:
            temporary.write_bytes(header)
    except BaseException:
        # an interrupt may come just behind the rename, and then the new image is there
        if not (path.is_file() and path.read_bytes() == header):
            if retired is not None and retired.exists() and not data.exists():
                os.replace(retired, data)
            fresh.unlink(missing_ok=True)
        raise
    os.replace(fresh, data)
    if retired is not None:
        with contextlib.suppress(OSError):  # the new image is there; on Windows the old values may still be open
            retired.unlink(missing_ok=True)
    sync_folder(path.parent)
    return []


def write_new(path: Path, cube: Cube) -> Path:
    """Write a pair where there is none and nobody reads yet, as in a folder that is renamed when it is whole.

    The header names no file of a write under way, so that the same cube makes the same bytes.

    Returns
    -------
    pathlib.Path
        The file with the values.
    """
    data = _data_path(path)
    if path.exists() or data.exists():
        raise InputError("there is a file of this name", where=path, fix="choose another name")
    header = _header_text(cube, "").encode("ascii")
    if len(header) > MOST_BYTES:
        raise InputError("its provenance is too long for a header", where=path, fix="write .npz")
    with atomic_path(data) as temporary:
        _write_values(temporary, cube)
    with atomic_path(path) as temporary:
        temporary.write_bytes(header)
    return data


def _data_path(header: Path) -> Path:
    """Return where other programs look for the data of a header: ``x.dat`` for ``x.hdr`` and for ``x.dat.hdr``."""
    stem = Path(header.stem)
    return header.with_name(stem.name if stem.suffix.lower() in DATA_SUFFIXES else f"{stem.name}.dat")


def _replaceable(path: Path, data: Path) -> EnviHeader | None:
    """Return the header of the pair that is to be replaced, None if there is none.

    Raises
    ------
    InputError
        If a file lies there that is no part of such a pair: it would be overwritten, or taken for the new values.
    """
    old = None
    if data.exists() and not data.is_file():
        raise InputError(f"{data.name} beside it is no file", where=path, fix="choose another name")
    if path.exists():
        with contextlib.suppress(InputError):
            old = read_header(path)
    foreign = [found for found in data_files(path) if old is None or found.name != data.name]
    if foreign:
        raise InputError(
            f"{', '.join(found.name for found in foreign)} beside it would be taken for its data",
            where=path,
            fix="choose another name, or move that file away",
        )
    return old


def _write_values(path: Path, cube: Cube) -> None:
    height, width = cube.shape_yx
    with open(path, "wb") as handle:
        for rows, block in cube.blocks():
            stored = np.ascontiguousarray(block, dtype="<f4")
            if rows.stop - rows.start == height:
                handle.write(stored.data)
                return
            for band, values in enumerate(stored):
                handle.seek(4 * width * (band * height + rows.start))
                handle.write(values.data)


def _header_text(cube: Cube, data_name: str) -> str:
    bands, (height, width) = cube.bands, cube.shape_yx
    numbered = not cube.wavelengths_known and np.array_equal(cube.wavelengths_nm, np.arange(bands))
    fields: dict[str, str] = {}
    if cube.name.strip():
        fields["description"] = "{" + _plain(cube.name) + "}"
    fields["file type"] = "ENVI Standard"
    if not numbered:
        fields |= {"wavelength units": "Nanometers", "wavelength": _listed(cube.wavelengths_nm.tolist())}
    fields |= _quality(cube, numbered)
    fields |= {
        _NAME: quoted(storable_name(cube)),
        _PROVENANCE: quoted(provenance_json(cube)),
        _WAVELENGTHS: _NUMBERED if numbered else _KNOWN if cube.wavelengths_known else _ASSUMED,
        **({OWN_DATA: quoted(data_name)} if data_name else {}),
        "samples": str(width),
        "lines": str(height),
        "bands": str(bands),
        "header offset": "0",
        "data type": "4",
        "interleave": "bsq",
        "byte order": "0",  # last: a header that is cut off lacks it
    }
    return "ENVI\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def _quality(cube: Cube, numbered: bool) -> dict[str, str]:
    """Return widths and bad bands of a cube's provenance in ENVI's own fields, where they fit."""
    found = {}
    widths, bad = (_numbers(cube.provenance.get(name)) for name in ("fwhm_nm", "bad_bands"))
    if not numbered and len(widths) == cube.bands:
        found["fwhm"] = _listed([float(width) for width in widths])
    if bad and set(bad) <= set(range(cube.bands)):
        found["bbl"] = _listed([int(band not in bad) for band in range(cube.bands)])
    return found


def _numbers(value: Any) -> list[float]:
    """Return a list of numbers as it is, an empty one for anything else."""
    return value if isinstance(value, list) and all(type(item) in (int, float) for item in value) else []


def _listed(values: Sequence[float]) -> str:
    lines = (values[start : start + _PER_LINE] for start in range(0, len(values), _PER_LINE))
    return "{\n" + ",\n".join(", ".join(map(repr, line)) for line in lines) + "}"


def _plain(text: str) -> str:
    """Return text as other programs can read it in braces: ASCII on one line."""
    ascii_only = text.encode("ascii", "replace").decode().replace("{", "(").replace("}", ")")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in ascii_only).split())
