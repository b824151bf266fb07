"""Which pages of a TIFF file make up which cube, at which wavelengths: OME, ImageJ, GDAL, or pages that say little."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import ome
from napari_hsisynth.formats.band_names import wavelength_in, wavelengths_in
from napari_hsisynth.formats.tiff_pages import Page, TiffPages
from napari_hsisynth.formats.unlabelled import WAVELENGTH_NAMES, Variable

#: The TIFF tag of GDAL's metadata, in XML.
_GDAL = 42112
_AXIS_WORDS = {"C": "channel", "Z": "slice of a stack in depth (Z)", "T": "time"}

#: Where a plane lies: so many numbers as there are axes.
Place = tuple[int, ...]


@dataclass(frozen=True)
class Scene:
    """What can be one cube, or one frame of a mosaic.

    Parameters
    ----------
    name : str
    pages : tuple of Page
        One per band; or a single one with a band per sample; or, with `hidden`, the first of many.
    hidden : int
        So many planes follow each other behind the first page without pages of their own; 0 if each has one.
    kind : str
        For the provenance.
    wavelengths_nm : ndarray, shape (bands,), optional
    stored : Stored, optional
        What our own header keeps.
    notes : tuple of str
    """

    name: str
    pages: tuple[Page, ...]
    hidden: int = 0
    kind: str = "tiff stack"
    wavelengths_nm: NDArray[np.float64] | None = None
    stored: ome.Stored | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(y, x) of a single plane, else as stored: (band, y, x), or (y, x, band) where pixels hold all bands."""
        first = self.pages[0]
        if first.samples > 1:
            return first.shape
        count = self.hidden or len(self.pages)
        return first.shape if count == 1 and self.stored is None else (count, *first.shape)

    @property
    def axes(self) -> str:
        """The order of the axes of `shape`, if there are three."""
        return "yxb" if self.pages[0].samples > 1 and self.pages[0].rows_axis == 0 else "byx"

    @property
    def bands(self) -> int:
        """How many."""
        return self.pages[0].samples if self.pages[0].samples > 1 else self.hidden or len(self.pages)

    @property
    def variable(self) -> Variable:
        """For listing and choosing."""
        return Variable(self.name, self.shape, str(self.pages[0].dtype.newbyteorder("=")))


def scenes_of(file: TiffPages) -> list[Scene]:
    """Return what the file holds, in its order."""
    first = file.tiff.pages.first.description
    found: list[Scene] = []
    if first[-10:].strip().endswith("OME>"):
        found = _ome(file, first)
    elif file.tiff.is_imagej:
        found = _imagej(file)
    elif file.tiff.is_shaped:
        found = _shaped(file)
    found = found or _plain(file)
    if file.left_out:
        note = f"{len(file.left_out)} pages were left out: {file.left_out[0]}"
        found = [replace(scene, notes=(*scene.notes, note)) for scene in found]
    return _distinct(found)


def _distinct(scenes: list[Scene]) -> list[Scene]:
    names = [scene.name for scene in scenes]
    return [
        replace(scene, name=f"{scene.name}#{number}") if names.count(scene.name) > 1 else scene
        for number, scene in enumerate(scenes)
    ]


# --- pages that say little


def _plain(file: TiffPages) -> list[Scene]:
    """Take pages of one size and type as the bands of one cube; a page that holds several bands is one alone."""
    groups: dict[Any, list[Page]] = {}
    for page in file.pages:
        alone = page.number if page.samples > 1 else -1
        groups.setdefault((page.shape, page.dtype.str, alone), []).append(page)
    found = []
    for pages in groups.values():
        name = "pages" if len(groups) == 1 else f"pages{pages[0].number}"
        notes = () if pages[0].samples > 1 else ("each page of the TIFF was taken as a band",)
        found.append(Scene(name, tuple(pages), wavelengths_nm=_named(pages), notes=notes))
    return found


def _named(pages: Sequence[Page]) -> NDArray[np.float64] | None:
    """Return the wavelengths that pages, or the samples of one, are named after."""
    if pages[0].samples > 1:
        return wavelengths_in(_gdal_names(pages[0]))
    named = wavelengths_in([page.name for page in pages])
    return wavelengths_in([page.text for page in pages]) if named is None else named


def _gdal_names(page: Page) -> list[str]:
    """Return the descriptions that GDAL gives the samples of a page; empty if it does not."""
    text = page.tiff.tags.valueof(_GDAL, default="")
    if not isinstance(text, str) or "<!" in text:
        return []
    try:
        items = ElementTree.fromstring(text).iter("Item")
        named = {
            int(item.get("sample", -1)): item.text or ""
            for item in items
            if item.get("role") == "description" or "wavelength" in item.get("name", "").lower()
        }
    except (ElementTree.ParseError, ValueError):
        return []
    texts = [named.get(sample, "") for sample in range(page.samples)]
    return [text if wavelength_in(text) is not None else f"wavelength={text}" for text in texts]


# --- planes that lie in a grid of channels, depth and time


def _stacks(planes: Mapping[Place, int], axes: str) -> Iterator[tuple[str, str, dict[int, int]]]:
    """Split planes into cubes: the channels are the bands, else the depths, else the times.

    Parameters
    ----------
    planes : mapping of place to page
    axes : str
        What the numbers of a place count: of C, Z, T.

    Yields
    ------
    suffix : str
        What tells this cube from the others, for example ``"_z0"``.
    axis : str
        The axis of the bands.
    band : dict of int to int
        Place along it to page.
    """
    sizes = {axis: len({place[number] for place in planes}) for number, axis in enumerate(axes)}
    band_axis = next((axis for axis in "CZT" if sizes.get(axis, 1) > 1), "C" if "C" in axes else axes[0])
    at = axes.index(band_axis)
    others = [number for number, axis in enumerate(axes) if axis != band_axis and sizes[axis] > 1]
    cubes: dict[Place, dict[int, int]] = {}
    for place, page in sorted(planes.items()):
        cubes.setdefault(tuple(place[number] for number in others), {})[place[at]] = page
    for rest, bands in cubes.items():
        yield "".join(f"_{axes[n].lower()}{at}" for n, at in zip(others, rest, strict=True)), band_axis, bands


def _band_notes(axis: str) -> tuple[str, ...]:
    return () if axis == "C" else (f"the file has no channels: each {_AXIS_WORDS[axis]} was taken as a band",)


def _alike(pages: Sequence[Page]) -> bool:
    return len({(page.shape, page.dtype.str) for page in pages}) == 1 and (len(pages) == 1 or pages[0].samples == 1)


def _ome(file: TiffPages, xml: str) -> list[Scene]:
    header = ome.parse(xml, file.path.name, len(file.tiff.pages))
    by_number = {page.number: page for page in file.pages}
    found = []
    for index, image in enumerate(header.images):
        planes: dict[Place, int] = {place: page for place, page in image.planes.items() if page in by_number}
        for suffix, axis, bands in _stacks(planes, ome.AXES) if planes else ():
            pages = tuple(by_number[page] for page in bands.values())
            if not _alike(pages):
                raise InputError("not a cube: the OME header counts pages of different sizes as one image")
            notes = _band_notes(axis)
            nm = [image.wavelengths_nm[c] if c < len(image.wavelengths_nm) else None for c in bands]
            if pages[0].samples > 1:
                nm = list(image.wavelengths_nm)
            bands_here = pages[0].samples if pages[0].samples > 1 else len(pages)
            if axis == "C" and header.other_files and bands_here < image.channels:
                notes += (f"{image.channels} channels are spread over several files; {bands_here} are in this one",)
            usable = axis == "C" and len(nm) == bands_here and None not in nm
            name = (image.name or f"image{index}") + suffix
            stored = header.stored if len(header.images) == 1 and not suffix else None
            if stored is not None and len(stored.wavelengths_nm) != bands_here:
                stored, notes = None, (*notes, "what the file says of its cube is of another number of bands")
            wavelengths = np.array(nm, dtype=np.float64) if usable else None
            found.append(Scene(name, pages, 0, "ome-tiff", wavelengths, stored, notes))
    return found


def _imagej(file: TiffPages) -> list[Scene]:
    meta = file.tiff.imagej_metadata or {}
    sizes = {axis: meta.get(name, 1) for axis, name in (("C", "channels"), ("Z", "slices"), ("T", "frames"))}
    if not all(isinstance(size, int) and size > 0 for size in sizes.values()):
        raise InputError("damaged: ImageJ's description does not count its images")
    count = math.prod(sizes.values())
    hidden = _hidden(file, count)
    if file.pages[0].samples > 1 or (not hidden and count != len(file.pages)) or not _alike(file.pages):
        return []
    # ImageJ stores the channels of a depth behind each other, then the depths, then the times
    planes: dict[Place, int] = {}
    for number in range(count):
        rest, channel = divmod(number, sizes["C"])
        planes[(channel, rest % sizes["Z"], rest // sizes["Z"])] = number
    labels = [str(label) for label in meta.get("Labels", ())]
    return _grid(file, planes, ome.AXES, hidden, "imagej", labels if len(labels) == count else [])


def _shaped(file: TiffPages) -> list[Scene]:
    """Read what tifffile writes about an array of more than three axes, and wavelengths beside it."""
    try:
        meta = json.loads(file.tiff.pages.first.description)
        shape = [int(length) for length in meta["shape"]]
    except (ValueError, KeyError, TypeError):
        return []
    leading = shape[:-2] if file.pages[0].samples == 1 else []
    letters = str(meta.get("axes", ""))[: len(leading)].ljust(len(leading), "?")
    grid = [(letter, length) for letter, length in zip(letters, leading, strict=True) if length != 1]
    count = math.prod(length for _, length in grid)
    hidden = _hidden(file, count)
    found: list[Scene] = []
    if 1 < len(grid) < 4 and (hidden or count == len(file.pages)) and _alike(file.pages):
        axes = "".join(letter for letter, _ in grid)
        if "C" not in axes or len(set(axes)) < len(axes):  # unnamed: the last before y and x are the bands
            axes = "TZC"[-len(grid) :]
        places = np.ndindex(*(length for _, length in grid))
        planes: dict[Place, int] = {tuple(map(int, place)): number for number, place in enumerate(places)}
        found = _grid(file, planes, axes, hidden, "tiff stack", [])
    elif hidden:
        found = [Scene("pages", tuple(file.pages), hidden, notes=("each plane of the TIFF was taken as a band",))]
    found = found or _plain(file)
    listed = next((meta[name] for name in WAVELENGTH_NAMES if name in meta), None)
    names = [f"wavelength={nm}" for nm in listed] if isinstance(listed, list) else []
    nm = wavelengths_in(names)
    return [replace(s, wavelengths_nm=nm) if nm is not None and len(nm) == s.bands else s for s in found]


def _hidden(file: TiffPages, count: int) -> int:
    """Return `count` if so many planes follow each other behind the one page of the file, else 0."""
    first = file.pages[0]
    if len(file.pages) > 1 or count < 2 or first.offset is None or first.samples > 1:
        return 0
    return count if first.offset + count * first.nbytes <= file.size else 0


def _grid(
    file: TiffPages,
    planes: Mapping[Place, int],
    axes: str,
    hidden: int,
    kind: str,
    labels: Sequence[str],
) -> list[Scene]:
    found = []
    for suffix, axis, bands in _stacks(planes, axes):
        numbers = list(bands.values())
        if hidden and (suffix or numbers != list(range(hidden))):
            raise InputError(
                "several cubes without pages of their own are not read", fix="save one cube per file, or as OME-TIFF"
            )
        pages = tuple(file.pages) if hidden else tuple(file.pages[number] for number in numbers)
        names = [labels[number] for number in numbers] if labels else []
        named = wavelengths_in(names) if names else _named(pages) if len(pages) == len(numbers) else None
        found.append(Scene(f"pages{suffix}", pages, hidden, kind, named, notes=_band_notes(axis)))
    return found
