"""Writing OME-Zarr 0.5: one image with the axes (c, y, x), packed without loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.atomic import replaced_folder, sync_files
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.labels import provenance_json, storable_name
from napari_hsisynth.formats.zarr_tree import read_node
from napari_hsisynth.lazy_array import BLOCK_VALUES

#: The attribute that holds what OME-Zarr has no place for.
OURS = "hsisynth"
#: All bands of a square of so many pixels lie in one block, which is halved until it is no longer than this.
_TILE, _BLOCK_BYTES = 128, 2**22
_LEVEL = "0"


def write(path: Path, cube: Cube) -> list[str]:
    """Write everything a cube holds but its notes, block by block.

    A folder that is in the way is replaced if we have written it, and refused if it is anything else.

    Raises
    ------
    InputError
        If something else is in the way.
    """
    provenance = json.loads(provenance_json(cube))
    _check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_folder(path.parent, path.name) as folder:
        _write_into(folder, cube, provenance)
        sync_files(folder)
    return []


def _check_replaceable(path: Path) -> None:
    if not path.is_dir():
        if path.exists():
            raise InputError("a file is in the way; this format is a folder", where=path, fix="choose another name")
        return
    try:
        node = read_node(path, "")
    except InputError:
        node = None
    if any(path.iterdir()) and not (node is not None and isinstance(node.attributes.get(OURS), dict)):
        raise InputError(
            "this folder was not written by napari-hsisynth and is not replaced",
            where=path,
            fix="choose another name, or delete it",
        )


def _tile(bands: int) -> int:
    side = _TILE
    while side > 1 and 4 * bands * side * side > _BLOCK_BYTES:
        side //= 2
    return side


def _write_into(folder: Path, cube: Cube, provenance: dict[str, Any]) -> None:
    import zarr  # takes half a second
    from zarr.codecs import BloscCodec
    from zarr.storage import LocalStore

    bands, (height, width) = cube.bands, cube.shape_yx
    tile = _tile(bands)
    group = zarr.create_group(LocalStore(folder), zarr_format=3)
    array = group.create_array(
        _LEVEL,
        shape=(bands, height, width),
        chunks=(bands, min(tile, height), min(tile, width)),
        dtype="float32",
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", typesize=4),
        fill_value=0.0,
        dimension_names=("c", "y", "x"),
        # or a block of zeros, some of them negative, would be left out and come back without their sign
        config={"write_empty_chunks": True},
    )
    lowest, highest = np.full(bands, np.inf), np.full(bands, -np.inf)
    rows = tile * max(1, BLOCK_VALUES // (bands * tile * width))  # whole blocks, each written once
    for start in range(0, height, rows):
        block = cube.data[:, start : start + rows]
        array[:, start : start + rows] = block
        finite = np.isfinite(block)
        lowest = np.minimum(lowest, np.min(block, axis=(1, 2), where=finite, initial=np.inf))
        highest = np.maximum(highest, np.max(block, axis=(1, 2), where=finite, initial=-np.inf))
    group.attrs.put(_attributes(cube, provenance, lowest.tolist(), highest.tolist()))


def _attributes(
    cube: Cube, provenance: dict[str, Any], lowest: Sequence[float], highest: Sequence[float]
) -> dict[str, Any]:
    name = storable_name(cube)
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    scale = {"type": "scale", "scale": [1.0, 1.0, 1.0]}
    channels = []
    for label, low, high in zip(_labels(cube), lowest, highest, strict=True):
        start, end = (low, high) if low <= high else (0.0, 1.0)
        window = {"min": start, "max": end, "start": start, "end": end}
        channels.append({"label": label, "color": "FFFFFF", "active": True, "window": window})
    image = {
        "name": name,
        "axes": axes,
        "datasets": [{"path": _LEVEL, "coordinateTransformations": [scale]}],
    }
    ours = {
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "name": name,
        "provenance": provenance,
    }
    return {
        "ome": {"version": "0.5", "multiscales": [image], "omero": {"channels": channels}},
        OURS: ours,
    }


def _labels(cube: Cube) -> list[str]:
    """Return a name for each channel; other programs show it."""
    if cube.axis_label == "band":
        return [f"band {number}" for number in range(cube.bands)]
    assumed = "" if cube.wavelengths_known else " (assumed)"
    return [f"{nm:.6g} nm{assumed}" for nm in cube.wavelengths_nm]
