"""OME-Zarr, and other folders in the Zarr format: arrays in compressed pieces, of which only those needed are read.

Read: OME 0.4 (Zarr 2) and 0.5 (Zarr 3), the full-size level of each image, and plain arrays. Written: OME 0.5 [1]_.

References
----------
.. [1] https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_folder
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.axis_names import axis_called
from napari_hsisynth.formats.band_names import wavelengths_in
from napari_hsisynth.formats.labels import labelled_cube, provenance_json, storable_name
from napari_hsisynth.formats.ome import band_names
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import (
    MAX_VALUES,
    WAVELENGTH_NAMES,
    Variable,
    check_claim,
    choose,
    unlabelled_cube,
)
from napari_hsisynth.formats.zarr_nodes import Node, is_zarr, nodes
from napari_hsisynth.lazy_array import LazyArray

#: Key in the attributes under which everything of ours is kept.
_OURS = "hsisynth"
#: All bands of a tile of this side are one piece: a hover decodes one, a band all of them.
_TILE = 64
_PIECE_VALUES = 2**20
#: So many values may be claimed by a folder without any pieces: missing ones are legal, and constant.
_FREE_VALUES = 2**24
#: Around a pixel the values of so large a tile are kept for its neighbours.
_KEPT_VALUES = 2**22


@dataclass(frozen=True)
class _Image:
    """An array that can be the cube, without its axes of length 1 that mean nothing here."""

    variable: Variable
    node: Node
    group: Node | None
    kept: tuple[int, ...]
    axes: str | None  # such as "byx"; None if the axes have no names
    notes: tuple[str, ...] = ()


def sniff(path: Path, head: bytes) -> bool:
    """Whether the folder is a Zarr array or group."""
    return is_zarr(path)


def _images(path: Path) -> list[_Image]:
    found = nodes(path)
    by_name = {node.name: node for node in found}
    images, of_pyramids = [], set()
    for group in found:
        if group.shape is not None:
            continue
        for number, scales in enumerate(_multiscales(group)):
            levels = [_inside(group.name, level) for level in _levels(scales)]
            of_pyramids |= set(levels)
            node = by_name.get(levels[0]) if levels else None
            if node is None or node.shape is None:
                raise InputError(f"damaged: image {number} of '{group.name or '/'}' names an array that is not there")
            images.append(_image(node, group, _axis_names(scales, node)))
    images += [_image(node, None, node.dimensions) for node in found if node.shape and node.name not in of_pyramids]
    return images


def _multiscales(group: Node) -> list[Any]:
    ome = group.attributes.get("ome")
    found = (ome if isinstance(ome, dict) else group.attributes).get("multiscales")
    return found if isinstance(found, list) else []


def _levels(scales: Any) -> list[str]:
    listed = scales.get("datasets") if isinstance(scales, dict) else None
    return [str(one.get("path")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _inside(group: str, level: str) -> str:
    """Return the name of a level; one that would leave the folder has no node and is refused."""
    return f"{group}/{level}" if group else level


def _axis_names(scales: Any, node: Node) -> tuple[str, ...]:
    listed = scales.get("axes") if isinstance(scales, dict) else None
    if not isinstance(listed, list):
        listed = ["t", "c", "z", "y", "x"]  # before version 0.3 axes had these names, always
    names = tuple(str(one.get("name") if isinstance(one, dict) else one) for one in listed)
    if len(names) != len(node.shape or ()):
        raise InputError(f"damaged: '{node.name}' has {len(node.shape or ())} axes and {len(names)} names for them")
    return names


def _image(node: Node, group: Node | None, names: Sequence[str]) -> _Image:
    assert node.shape is not None
    shape = node.shape
    notes: tuple[str, ...] = ()
    kept = tuple(range(len(shape)))
    axes = None
    if names:
        kinds = [axis_called(name) for name in names]
        if "b" not in kinds or shape[kinds.index("b")] == 1:
            deep = [place for place, name in enumerate(names) if name.lower() == "z" and shape[place] > 1]
            if deep:
                kinds = ["b" if place == deep[0] else "" if kind == "b" else kind for place, kind in enumerate(kinds)]
                notes = ("the file has no channels: its planes along z were taken as the bands",)
        kept = tuple(place for place, kind in enumerate(kinds) if kind or shape[place] != 1)
        order = "".join(kinds[place] or "?" for place in kept)
        axes = order if sorted(order) == sorted("byx") else None
        if axes is None and group is not None:
            kept = tuple(range(len(shape)))  # no cube, and listed as it is
    variable = Variable(node.name or "array", tuple(shape[place] for place in kept), node.dtype, node.numeric)
    return _Image(variable, node, group, kept, axes, notes)


def variables(path: Path) -> list[Variable]:
    """Return the full-size level of each image, and the arrays of no image."""
    return [image.variable for image in _images(path)]


def parts(path: Path) -> list[Path]:
    """Return all files of the folder."""
    return sorted(file for file in path.rglob("*") if file.is_file())


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one image or 3-D array, or the one asked for."""
    images = _images(path)
    chosen = choose([image.variable for image in images], options.variable)
    image = next(image for image in images if image.variable == chosen)
    lazily = options.lazily(math.prod(chosen.shape))
    if image.node.chunk_values > MAX_VALUES:
        raise InputError(f"damaged: '{chosen.name}' claims pieces of {image.node.chunk_values:,} values")
    if not lazily and math.prod(chosen.shape) > _FREE_VALUES:
        check_claim(chosen, sum(file.stat().st_size for file in parts(path)))
    source = _Pieces(image.node.folder, image.kept)
    own = (image.group or image.node).attributes.get(_OURS)
    if image.axes == "byx" and isinstance(own, dict) and options.axes is None:
        return _own_cube(source, own, options, lazily)
    stored, said = _stored_wavelengths(image, {each.node.name: each.node for each in images})
    cube = unlabelled_cube(
        source,
        path=path,
        options=options,
        provenance={"format": "ome-zarr" if image.group else "zarr", "variable": chosen.name},
        stored_nm=stored,
        tie="first",
        axes=image.axes,
    )
    return cube.replace(notes=(*image.notes, *said, *cube.notes))


def _own_cube(source: _Pieces, own: Mapping[str, Any], options: ReadOptions, lazily: bool) -> Cube:
    data = LazyArray(source)
    return labelled_cube(
        data if lazily else np.asarray(data),
        given_nm=options.wavelengths_nm,
        stored_nm=np.array(own.get("wavelengths_nm"), dtype=np.float64).reshape(-1),
        known=bool(own.get("wavelengths_known", True)),
        name=str(own.get("name", "")),
        provenance=str(own.get("provenance", "")),
    )


def _stored_wavelengths(image: _Image, others: Mapping[str, Node]) -> tuple[Any, tuple[str, ...]]:
    """Return band centres from the names of the channels, or from an array beside the cube."""
    if image.group is not None:
        attributes = image.group.attributes
        ome = attributes.get("ome")
        omero = (ome if isinstance(ome, dict) else attributes).get("omero")
        channels = omero.get("channels") if isinstance(omero, dict) else None
        if isinstance(channels, list):
            labels = [str(channel.get("label", "")) for channel in channels if isinstance(channel, dict)]
            found = wavelengths_in(labels)
            if found is not None:
                return found, ("the wavelengths are those in the names of the channels",)
    group = image.node.name.rpartition("/")[0]
    for name in WAVELENGTH_NAMES:
        node = others.get(f"{group}/{name}" if group else name)
        if node is not None and node.numeric and node.shape in [(length,) for length in image.variable.shape]:
            return _Pieces(node.folder, (0,))[(slice(None),)], ()
    return None, ()


class _Pieces:
    """A Zarr array as a `Source`: the axes in `kept`, all others at 0. Several threads may read.

    All bands of the tile around the last pixel are kept: the cursor moves to its neighbours.
    """

    def __init__(self, folder: Path, kept: Sequence[int]) -> None:
        import zarr  # here, for it takes half a second

        self._array: Any = zarr.open_array(zarr.storage.LocalStore(folder, read_only=True), mode="r")
        self._kept, self.dtype = tuple(kept), np.dtype(self._array.dtype)
        self.shape = tuple(int(self._array.shape[axis]) for axis in kept)
        self._chunks = tuple(int(self._array.chunks[axis]) for axis in kept)
        self._lock = threading.Lock()
        self._tile: tuple[tuple[slice, ...], NDArray[Any]] | None = None

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if sum(isinstance(part, int) for part in key) < 2:
            return self._read(key)
        around = tuple(
            slice(part // size * size, min((part // size + 1) * size, length)) if isinstance(part, int) else slice(None)
            for part, size, length in zip(key, self._chunks, self.shape, strict=True)
        )
        lengths = [len(range(length)[part]) for part, length in zip(around, self.shape, strict=True)]
        if math.prod(lengths) > _KEPT_VALUES:
            return self._read(key)
        with self._lock:
            tile = self._tile
        if tile is None or tile[0] != around:
            tile = (around, self._read(around))
            with self._lock:
                self._tile = tile
        starts = (where.start or 0 for where in around)
        return tile[1][tuple(p - at if isinstance(p, int) else p for p, at in zip(key, starts, strict=True))]

    def _read(self, key: Sequence[int | slice]) -> NDArray[Any]:
        full: list[int | slice] = [0] * self._array.ndim
        for axis, part in zip(self._kept, key, strict=True):
            full[axis] = part
        return np.asarray(self._array[tuple(full)])


def write(path: Path, cube: Cube) -> list[str]:
    """Write an OME-Zarr 0.5 folder, everything but notes; all bands of a tile lie in one piece, packed without loss.

    A folder that was written here is replaced as a whole; any other that holds something is refused.
    """
    import zarr
    from zarr.codecs import BloscCodec, BloscShuffle

    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or _is_ours(path))):
        raise InputError("something else is in the way", where=path, fix="choose another name")
    own = {
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "name": storable_name(cube),
        "provenance": provenance_json(cube),
    }
    bands, (height, width) = cube.bands, cube.shape_yx
    side = max(8, min(_TILE, int(np.sqrt(_PIECE_VALUES / bands))))
    lowest, highest = np.full(bands, np.inf), np.full(bands, -np.inf)
    with atomic_folder(path) as folder:
        group = zarr.create_group(zarr.storage.LocalStore(folder), zarr_format=3)
        array = group.create_array(
            "0",
            shape=(bands, height, width),
            chunks=(bands, min(side, height), min(side, width)),
            dtype="float32",
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle),
            fill_value=0.0,
            dimension_names=("c", "y", "x"),
            config={"write_empty_chunks": True},  # one of -0.0 or of nothing but 0 is to come back as it is
        )
        rows_of_pieces = side * max(1, 2**24 // (bands * width * side))
        for start in range(0, height, rows_of_pieces):
            block = cube.data[:, start : start + rows_of_pieces]
            array[:, start : start + rows_of_pieces, :] = block
            finite = np.isfinite(block)
            with np.errstate(invalid="ignore"):  # a signalling NaN
                lowest = np.minimum(lowest, np.min(block, axis=(1, 2), where=finite, initial=np.inf))
                highest = np.maximum(highest, np.max(block, axis=(1, 2), where=finite, initial=-np.inf))
        group.attrs.update({"ome": _ome(cube, lowest, highest), _OURS: own})
    return []


def _ome(cube: Cube, lowest: NDArray[Any], highest: NDArray[Any]) -> dict[str, Any]:
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]}
    channels = []
    for name, low, high in zip(band_names(cube), lowest.tolist(), highest.tolist(), strict=True):
        low, high = (low, high) if math.isfinite(low) and math.isfinite(high) else (0.0, 1.0)
        window = {"min": low, "max": high, "start": low, "end": high}
        channels.append({"label": name, "color": "FFFFFF", "active": False, "window": window})
    return {
        "version": "0.5",
        "multiscales": [{"name": storable_name(cube), "axes": axes, "datasets": [level]}],
        "omero": {"channels": channels},
    }


def _is_ours(path: Path) -> bool:
    try:
        return is_zarr(path) and isinstance(nodes(path)[0].attributes.get(_OURS), dict)
    except InputError:
        return False


FORMAT = Format("ome-zarr", "OME-Zarr", (".zarr",), sniff, variables, read, write, folders=True, parts=parts)
