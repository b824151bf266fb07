"""TIFF: raw frames of a snapshot-mosaic camera, bands as pages, channels or samples; and OME-TIFF as written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import ome
from napari_hsisynth.formats.frames import frame_cube
from napari_hsisynth.formats.labels import labelled_cube
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.tiff_pages import PageSource, TiffPages
from napari_hsisynth.formats.tiff_scenes import Scene, scenes_of
from napari_hsisynth.formats.tiff_write import fill, reserve
from napari_hsisynth.formats.unlabelled import AmbiguousVariableError, Variable, check_claim, choose
from napari_hsisynth.lazy_array import LazyArray, RawFile, Source

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SUFFIXES = (".tif", ".tiff", ".ome.tif", ".ome.tiff")


def sniff(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a TIFF or BigTIFF file."""
    return head[:4] in _MAGIC


def variables(path: Path) -> list[Variable]:
    """Return the cubes and frames of the file."""
    with TiffPages(path) as file:
        return [scene.variable for scene in scenes_of(file)]


def read(path: Path, options: ReadOptions) -> Cube:
    """Unfold or demosaic a frame by ``options.layout``, or take pages, channels or samples as bands."""
    file = TiffPages(path)
    try:
        cube = _read(file, path, options)
    except BaseException:
        file.close()
        raise
    if not cube.is_lazy:
        file.close()
    return cube


def _read(file: TiffPages, path: Path, options: ReadOptions) -> Cube:
    scenes = scenes_of(file)
    if options.layout is not None:
        scene = _frame(scenes, options.variable)
        check_claim(scene.variable, file.size)
        page = scene.pages[0]
        return frame_cube(file.rows(page, 0, page.shape[0]), path, options, kind="mosaic tiff")
    if options.variable is None and not any(scene.variable.is_cube for scene in scenes):
        if len(scenes) > 1:
            raise InputError(f"not a cube: page {scenes[1].pages[0].number} has another size or type than the first")
        raise InputError(
            f"not a cube: a TIFF of one page, {' x '.join(map(str, scenes[0].shape))} px",
            fix="if it is a raw snapshot-mosaic frame, say --mosaic 4x4 or --mosaic LAYOUT.csv",
        )
    chosen = choose([scene.variable for scene in scenes], options.variable)
    scene = next(scene for scene in scenes if scene.name == chosen.name)
    lazily = options.lazily(int(np.prod(chosen.shape, dtype=np.int64)))
    check_claim(chosen, file.size, lazy=lazily)
    for page in scene.pages:
        file.check_codec(page)
    axes, notes = _axes(scene, options)
    data = LazyArray(_source(file, scene), (axes.index("b"), axes.index("y"), axes.index("x")))
    return _cube(data if lazily else _values(data, len(scene.pages), axes), scene, path, options, axes, notes)


def _frame(scenes: list[Scene], wanted: str | None) -> Scene:
    """Return the one page that is a frame of a mosaic."""
    if wanted is not None:
        scenes = [scene for scene in scenes if scene.name == wanted]
        if not scenes:
            raise InputError(f"no variable '{wanted}'")
    single = [scene for scene in scenes if scene.bands == 1 and not scene.hidden]
    if not single:
        raise InputError(
            f"not a mosaic frame: {scenes[0].variable}", fix="a raw frame is one page with one number per pixel"
        )
    if len(single) > 1:
        raise AmbiguousVariableError([scene.variable for scene in single])
    return single[0]


def _axes(scene: Scene, options: ReadOptions) -> tuple[str, tuple[str, ...]]:
    """Return the order of the stored axes, and what had to be assumed.

    Pages are bands; but an array (y, x, 16) written without a word about its axes gives y pages of 16 columns.
    """
    if options.axes is not None:
        return options.axes, ()
    pages, height, width = scene.shape
    silent = scene.kind == "tiff stack" and scene.axes == "byx" and scene.wavelengths_nm is None
    given = HSIDERMOSCOPY_BANDS if options.wavelengths_nm is None else len(options.wavelengths_nm)
    if silent and width == given < min(pages, height):
        return "yxb", (f"the {width} columns of the pages were taken as the bands, the pages as rows",)
    return scene.axes, scene.notes


def _source(file: TiffPages, scene: Scene) -> Source:
    """Return the stored array: read straight from the file where it lies there in one run."""
    first = scene.pages[0]
    count = 1 if first.samples > 1 else scene.bands
    starts = [page.offset for page in scene.pages]
    run = None not in starts and starts == [first.offset + n * first.nbytes for n in range(len(starts))]  # type: ignore[operator]
    if run and first.offset is not None and first.offset + count * first.nbytes <= file.size:
        return RawFile(file.path, first.dtype, scene.shape, first.offset)
    return PageSource(file, list(scene.pages))


def _values(data: LazyArray, pages: int, axes: str) -> NDArray[np.float32]:
    """Read everything, page by page, since a page may have to be decoded as a whole."""
    if pages == 1:
        return np.asarray(data)
    values = np.empty(data.shape, np.float32)
    for number in range(pages):
        place = (slice(None),) * "byx".index(axes[0]) + (number,)
        values[place] = data[place]
    return values


def _cube(data: Any, scene: Scene, path: Path, options: ReadOptions, axes: str, notes: tuple[str, ...]) -> Cube:
    given = options.wavelengths_nm
    stored = scene.stored
    if stored is not None and axes == scene.axes:
        return labelled_cube(
            data,
            given_nm=given,
            stored_nm=stored.wavelengths_nm,
            known=stored.known,
            name=stored.name,
            provenance=stored.provenance,
        )
    found = scene.wavelengths_nm if given is None else np.array(given, dtype=np.float64)
    dtype = str(scene.pages[0].dtype.newbyteorder("="))
    fields: dict[str, Any] = {
        "name": stem(path),
        "provenance": {"source": path.name, "dtype": dtype, "format": scene.kind, "axes": axes},
    }
    if found is not None and (given is not None or len(found) == data.shape[0]):
        return Cube(data, found, notes=notes, **fields)
    notes = (*notes, "no wavelengths in the file: the bands are numbered from 0")
    return Cube.with_assumed_wavelengths(data, np.arange(data.shape[0]), notes=notes, **fields)


def stem(path: Path) -> str:
    """Return the file's name without its suffix, ``.ome.tif`` included."""
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem


def write(path: Path, cube: Cube) -> list[str]:
    """Write OME-TIFF: float32, one page per band, with everything a cube holds but its notes.

    The pages lie behind each other without gaps, so that a cube whose values are in another file is copied in blocks of
    rows, however they are ordered there.
    """
    description = ome.header(cube)
    height, width = cube.shape_yx
    with atomic_path(path) as temporary, open(temporary, "w+b") as handle:
        first = reserve(handle, cube.data.shape, description)
        for rows, block in cube.blocks():
            for band, part in enumerate(block):
                fill(handle, first + 4 * height * width * band, rows, part)
    return []


FORMAT = Format("tiff", "TIFF", _SUFFIXES, sniff, variables, read, write)
