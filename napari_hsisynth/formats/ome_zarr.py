"""OME-Zarr: a folder of blocks, of which only those are read that are looked at; and plain Zarr arrays.

Written as version 0.5 of OME-Zarr (Zarr 3) with the axes (c, y, x), the bands being the channels; what OME-Zarr has no
place for is in an attribute of our own. Read are 0.4 and 0.5 (Zarr 2 and 3). Source: "Next-generation file formats
(NGFF)", https://ngff.openmicroscopy.org/0.5/.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.axis_names import axes_of
from napari_hsisynth.formats.labels import labelled_cube
from napari_hsisynth.formats.ome_zarr_writing import OURS, write
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.self_describing import self_described_cube
from napari_hsisynth.formats.unlabelled import MAX_VALUES, Variable, choose
from napari_hsisynth.formats.zarr_tree import METADATA, Node, inside, read_node, walk
from napari_hsisynth.lazy_array import LazyArray, Source

#: The order of the axes where version 0.2 and older do not say it.
_OLD_AXES = ("t", "c", "z", "y", "x")
_CUBE_AXES = {"c": "b", "y": "y", "x": "x"}
_LABEL = re.compile(r"\s*(\d+(?:\.\d*)?)\s*(nm|µm|μm|um)\s*")
#: More blocks than this are not read at once: each costs time, even one that is missing.
_MOST_BLOCKS = 100_000


def sniff(path: Path, head: bytes) -> bool:
    """Whether the folder has the metadata of a Zarr group or array."""
    return any((path / name).is_file() for name in METADATA)


@dataclass(frozen=True)
class _Image:
    """An array that may be a cube.

    Parameters
    ----------
    node : Node
        The array.
    group : mapping
        Attributes of the OME-Zarr image that it belongs to; empty for a plain array.
    axes : tuple of str or None
        Names of its axes as the image gives them; None for a plain array.
    """

    node: Node
    group: Mapping[str, Any]
    axes: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """Its path in the folder; "array" where the folder itself is the array."""
        return self.node.path or "array"

    @property
    def kept(self) -> tuple[int, ...] | None:
        """The three axes of a cube in it, None if it has not these and no others longer than 1."""
        array = self.node.array
        assert array is not None
        if self.axes is None:
            return (0, 1, 2) if len(array.shape) == 3 else None
        if len(self.axes) != len(array.shape):
            return None
        kept = tuple(place for place, axis in enumerate(self.axes) if axis in _CUBE_AXES)
        others = [n for axis, n in zip(self.axes, array.shape, strict=True) if axis not in _CUBE_AXES]
        return kept if sorted(self.axes[place] for place in kept) == ["c", "x", "y"] and set(others) <= {1} else None

    @property
    def variable(self) -> Variable:
        """What the user sees of it."""
        array = self.node.array
        assert array is not None
        shape = array.shape if self.kept is None else tuple(array.shape[place] for place in self.kept)
        numeric = array.dtype is not None and (self.kept is not None or self.axes is None)
        return Variable(self.name, shape, array.dtype_name, numeric)

    @property
    def order(self) -> str | None:
        """The order of the three axes, as in "byx", if it is known."""
        array = self.node.array
        assert array is not None
        if self.axes is None:
            return axes_of(array.dimensions, self.node.attributes)
        return "".join(_CUBE_AXES[self.axes[place]] for place in self.kept or ())

    def problem(self) -> str:
        """Say why an OME-Zarr image is not a cube."""
        array = self.node.array
        assert array is not None
        if self.axes is None or self.kept is not None or array.dtype is None:
            return ""
        found = ", ".join(f"{axis} {n}" for axis, n in zip(self.axes, array.shape, strict=False))
        return f"not a cube: the axes of '{self.name}' are {found}; c, y and x are needed, and others of length 1 only"


def _ome(node: Node) -> Mapping[str, Any]:
    """Return the OME-Zarr metadata of a group: since version 0.5 they are in an attribute of their own."""
    found = node.attributes.get("ome")
    return found if isinstance(found, dict) else node.attributes


def _is_image(node: Node) -> bool:
    return isinstance(_ome(node).get("multiscales"), list)


def _images(root: Path) -> list[_Image]:
    """Return the arrays of the folder; of an OME-Zarr image the one in full size only, and no label images."""
    found = []
    # the folder may be the middle of a larger one, and then its name does not tell that it is for labels
    for node in walk(root, enters=lambda node: not _is_image(node) and "image-label" not in _ome(node)):
        if node.array is not None:
            found.append(_Image(node, {}, None))
        elif _is_image(node) and "image-label" not in _ome(node):
            found += [_full_size(root, node, image) for image in _ome(node)["multiscales"]]
    if not found:
        raise InputError("no arrays inside")
    return found


def _full_size(root: Path, group: Node, image: Any) -> _Image:
    datasets = image.get("datasets") if isinstance(image, dict) else None
    first = datasets[0] if isinstance(datasets, list) and datasets else None
    if not isinstance(first, dict):
        raise InputError("damaged: an image of the folder names no arrays")
    node = read_node(root, inside(group.path, first.get("path")))
    if node is None or node.array is None:
        raise InputError(f"damaged: the array '{first.get('path')}' is missing")
    axes = image.get("axes")
    if axes is None:
        names = _OLD_AXES[-len(node.array.shape) :] if len(node.array.shape) <= 5 else ()
    else:
        listed = axes if isinstance(axes, list) else []
        names = tuple(str(axis.get("name") if isinstance(axis, dict) else axis).lower()[:20] for axis in listed)
    return _Image(node, group.attributes, names)


def variables(path: Path) -> list[Variable]:
    """Return the arrays of the folder."""
    return [image.variable for image in _images(path)]


def parts(path: Path) -> Sequence[Path]:
    """Return all files in the folder."""
    return sorted(part for part in path.rglob("*") if part.is_file())


def _chosen(images: Sequence[_Image], options: ReadOptions) -> _Image:
    try:
        chosen = choose([image.variable for image in images], options.variable)
    except InputError:
        problems = [image.problem() for image in images if options.variable in (None, image.name)]
        if not any(image.variable.is_cube for image in images) and any(problems):
            raise InputError(next(filter(None, problems))) from None
        raise
    return next(image for image in images if image.name == chosen.name)


def _source(path: Path, image: _Image, *, lazy: bool) -> Source:
    from napari_hsisynth.formats.zarr_values import OpenArray  # brings zarr, which takes half a second

    array, kept = image.node.array, image.kept
    assert array is not None
    assert kept is not None
    array.check(image.name)
    if not lazy:
        values = math.prod(array.shape)
        blocks = math.prod(-(-n // block) for n, block in zip(array.shape, array.chunks, strict=True))
        if values > MAX_VALUES:
            raise InputError(f"too large: '{image.name}' has {values:,} values, at most {MAX_VALUES:,} are read")
        if blocks > _MOST_BLOCKS:
            raise InputError(f"'{image.name}' is cut into {blocks:,} blocks, at most {_MOST_BLOCKS:,} are read")
    source = OpenArray(path, image.node, kept)
    return source if lazy else source[tuple(slice(0, n, 1) for n in source.shape)]


def read(path: Path, options: ReadOptions) -> Cube:
    """Read the one image, or the one asked for; its channels are the bands."""
    images = _images(path)
    image = _chosen(images, options)
    lazy = options.lazily(math.prod(image.variable.shape))
    source = _source(path, image, lazy=lazy)
    ours = image.group.get(OURS)
    if isinstance(ours, dict) and image.order == "byx":
        return labelled_cube(
            LazyArray(source, where=path) if lazy else np.asarray(source),
            given_nm=options.wavelengths_nm,
            stored_nm=None if "wavelengths_nm" not in ours else np.asarray(ours["wavelengths_nm"], dtype=np.float64),
            known=ours.get("wavelengths_known") is not False,
            name=str(ours.get("name", "")),
            provenance=json.dumps(ours.get("provenance") or {}),
        )
    others = {other.name: other for other in images if other.axes is None}

    def load(name: str) -> tuple[Any, Mapping[str, Any]]:
        from napari_hsisynth.formats.zarr_values import open_array

        node = others[name].node
        assert node.array is not None
        node.array.check(name)
        return open_array(path, node)[...], node.attributes

    dimensions = image.node.array.dimensions if image.node.array is not None else ()
    nearby = image.node.path.rpartition("/")[0]
    near = {name: f"{nearby}/{name}" if nearby else name for name in dimensions if name}
    channels = _channel_nm(image)
    cube = self_described_cube(
        source,
        image.variable,
        path=path,
        options=options,
        kind="ome-zarr" if image.axes is not None else "zarr",
        axes=image.order,
        attributes={**image.node.attributes, **({"wavelengths_nm": channels} if channels else {})},
        others={name: other.variable for name, other in others.items()},
        load=load,
        attached=[near[name] for name in dimensions if near.get(name) in others],
        tie="first",
    )
    return cube.replace(name=cube.name.removesuffix(".ome"))


def _channel_nm(image: _Image) -> list[float]:
    """Return the wavelengths that the labels of the channels give, empty if one of them gives none."""
    ome = image.group.get("ome")
    described = (ome if isinstance(ome, dict) else image.group).get("omero")
    channels = described.get("channels") if isinstance(described, dict) else None
    labels = [channel.get("label") if isinstance(channel, dict) else None for channel in channels or []]
    found = [_LABEL.fullmatch(label) if isinstance(label, str) else None for label in labels]
    if not found or None in found:
        return []
    return [float(match[1]) * (1 if match[2] == "nm" else 1000) for match in found if match is not None]


FORMAT = Format("ome-zarr", "OME-Zarr", (".zarr",), sniff, variables, read, write, folders=True, parts=parts)
