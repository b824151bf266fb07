"""What an HDF5 file holds: its arrays, their attributes and the names of their axes, read without trust.

On damaged files the HDF5 library can end the whole process, or never come back, where it reads values of variable
length and numbers of types that no computer has. Neither is asked of it here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.axis_names import text_of
from napari_hsisynth.formats.hdf5_text import variable_texts
from napari_hsisynth.formats.unlabelled import MAX_VALUES, Variable, band_axis, check_claim

#: Text that is there but not where it is looked for; it means nothing.
NOT_READ = "(stored in a way that is not read)"
_NOT_NUMBERS = {"char", "logical", "cell", "struct", "function_handle", "string"}
#: Deeper than this, or more, is no file of cubes.
_DEEPEST, _MOST, _MOST_LINKS = 8, 1000, 20_000
#: An attribute longer than this is no scale factor and no list of wavelengths.
_LONGEST_ATTRIBUTE = 2**20
#: Size, places of sign, exponent and mantissa, and bias of IEEE's numbers of 16, 32 and 64 bits.
_FLOATS = {
    (2, (15, 10, 5, 0, 10), 15),
    (4, (31, 23, 8, 0, 23), 127),
    (8, (63, 52, 11, 0, 52), 1023),
}
#: NetCDF writes this in front of the name of an axis that has no values.
_BARE_AXIS = "This is a netCDF dimension but not a netCDF variable"


@dataclass(frozen=True)
class Stored:
    """An array of the file.

    Parameters
    ----------
    path : pathlib.Path
    variable : Variable
        As the user sees it: MATLAB's arrays in MATLAB's order of the axes.
    dataset : h5py.Dataset
    matlab : str or None
        Its class in MATLAB.
    backwards : bool
        Whether the user sees its axes in the reverse of HDF5's order.
    """

    path: Path
    variable: Variable
    dataset: h5py.Dataset
    matlab: str | None
    backwards: bool

    def checked(self, size: int, *, lazy: bool = False) -> h5py.Dataset:
        """Return the data set once it is sure that it lies in this file, of `size` bytes, and can be unpacked."""
        name, dataset = self.variable.name, self.dataset
        if dataset.external or dataset.is_virtual:
            raise InputError(f"'{name}' lies in another file, which is not followed")
        check_claim(self.variable, size, lazy=lazy)
        if dataset.chunks:
            values = math.prod(dataset.chunks)
            if values > MAX_VALUES:
                raise InputError(f"damaged: '{name}' claims blocks of {values:,} values")
            check_claim(Variable(f"{name} (one block)", tuple(dataset.chunks), ""), size)
        filters = dataset.id.get_create_plist()
        for number in range(filters.get_nfilters()):
            code, _, _, said = filters.get_filter(number)
            if not h5py.h5z.filter_avail(code):
                known = said.decode("utf-8", "replace").split("\0")[0][:40] or "no name"
                raise InputError(
                    f"'{name}' is compressed by HDF5 filter {code} ({known}), which this computer has not",
                    fix="write it again with gzip, or install the filter (for many: pip install hdf5plugin)",
                )
        return dataset

    def attributes(self) -> dict[str, Any]:
        """Return those of its attributes that are numbers or text, in short ones of common types."""
        return attributes_of(self.path, self.dataset)


def attributes_of(path: Path, dataset: h5py.Dataset, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return the attributes of an array that are numbers or text, all of them or those of `names`."""
    found: dict[str, Any] = {}
    texts: dict[str, list[str]] | None = None
    for name in dataset.attrs if names is None else [name for name in names if name in dataset.attrs]:
        attribute = dataset.attrs.get_id(name)
        kind = attribute.get_type()
        if attribute.get_storage_size() > _LONGEST_ATTRIBUTE:
            continue
        if is_number(kind) or (kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()):
            found[name] = dataset.attrs[name]
        elif kind.get_class() == h5py.h5t.STRING:
            if texts is None:
                with open(path, "rb") as handle:
                    texts = variable_texts(handle, _address(dataset), dataset.file.userblock_size)
            read = texts.get(name, [NOT_READ])
            found[name] = np.array(read, dtype=object) if attribute.shape else "".join(read[:1])
    return found


def is_number(kind: Any) -> bool:
    """Whether an HDF5 type is a number as computers have them: others may be what damage made of one."""
    if kind.get_class() == h5py.h5t.FLOAT:
        return (kind.get_size(), kind.get_fields(), kind.get_ebias()) in _FLOATS
    if kind.get_class() == h5py.h5t.INTEGER:
        return kind.get_size() in (1, 2, 4, 8) and kind.get_offset() + kind.get_precision() <= 8 * kind.get_size()
    return False


def _address(item: h5py.HLObject) -> int:
    return int(h5py.h5o.get_info(item.id).addr)


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Walk the arrays of this file, each once and by its shortest name; links that lead to others are not followed."""
    seen = {_address(file)}
    waiting: deque[tuple[h5py.Group, str, int]] = deque([(file, "", 0)])
    links = 0
    while waiting:
        group, prefix, depth = waiting.popleft()
        for key in group:
            links += 1
            if links > _MOST_LINKS:
                raise InputError(f"more than {_MOST_LINKS:,} names inside; not a file of cubes")
            raw, word = (
                (key, key.decode("utf-8", "backslashreplace")) if isinstance(key, bytes) else (key.encode(), key)
            )
            if word.startswith("#") or group.id.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                continue  # '#refs#' and '#subsystem#' hold the insides of cells and objects
            item = group[key]
            address = _address(item)
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Dataset):
                yield prefix + word, item
            elif isinstance(item, h5py.Group) and depth < _DEEPEST:
                waiting.append((item, f"{prefix}{word}/", depth + 1))


def arrays_in(path: Path, file: h5py.File, *, guess_matlab: bool) -> dict[str, Stored]:
    """Return the arrays of a file by their names; those in groups are named ``group/name``.

    MATLAB counts the axes from the fastest, HDF5 from the slowest. Files that other programs write for MATLAB often
    lack its class attribute. With `guess_matlab`, bands that come first in HDF5's order then tell: they are the last
    axis of (y, x, bands), the customary order in MATLAB.
    """
    found = {}
    for name, dataset in _datasets(file):
        about = attributes_of(path, dataset, ("MATLAB_class", "NAME"))
        kind = text_of(about["MATLAB_class"]) if "MATLAB_class" in about else None
        shape = tuple(dataset.shape or ())
        guessed = guess_matlab and len(shape) == 3 and band_axis(shape, None, "first") == 0
        backwards = kind is not None or guessed
        numbers = is_number(dataset.id.get_type()) and kind not in _NOT_NUMBERS
        bare = text_of(about.get("NAME")).startswith(_BARE_AXIS)
        numeric = numbers and not bare and "MATLAB_empty" not in dataset.attrs
        variable = Variable(name, shape[::-1] if backwards else shape, kind or str(dataset.dtype), numeric)
        found[name] = Stored(path, variable, dataset, kind, backwards)
        if len(found) > _MOST:
            raise InputError(f"more than {_MOST} arrays inside; not a file of cubes")
    return found


def scales_of(file: h5py.File, stored: Stored, found: Mapping[str, Stored]) -> list[list[str]]:
    """Return, for each axis of an array, the names of the arrays attached to it; its label comes last.

    They are read from the side of the scales, where nothing of variable length is in the way.
    """
    attached: list[list[str]] = [[] for _ in stored.dataset.shape]
    address = _address(stored.dataset)
    for name, other in found.items():
        for reference, axis in _references(other.dataset):
            whose = h5py.h5r.dereference(reference, file.id)
            if whose is not None and h5py.h5o.get_info(whose).addr == address and 0 <= axis < len(attached):
                attached[axis].append(name)
    labels = attributes_of(stored.path, stored.dataset, ("DIMENSION_LABELS",)).get("DIMENSION_LABELS", ())
    for place, label in zip(attached, np.ravel(labels), strict=False):
        place += [text_of(label)] if text_of(label) else []
    return attached


def _references(scale: h5py.Dataset) -> list[tuple[Any, int]]:
    """Return the arrays that a dimension scale is attached to, and to which of their axes."""
    if "REFERENCE_LIST" not in scale.attrs:
        return []
    attribute = scale.attrs.get_id("REFERENCE_LIST")
    kind = attribute.get_type()
    if kind.get_class() != h5py.h5t.COMPOUND or attribute.get_storage_size() > _LONGEST_ATTRIBUTE:
        return []
    members = [kind.get_member_type(number) for number in range(kind.get_nmembers())]
    if len(members) != 2 or members[0].get_class() != h5py.h5t.REFERENCE or not is_number(members[1]):
        return []
    return [(reference, int(axis)) for reference, axis in np.ravel(scale.attrs["REFERENCE_LIST"]).tolist()]
