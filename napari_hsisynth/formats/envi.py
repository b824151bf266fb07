"""ENVI: a text header beside raw values in BSQ, BIL or BIP order. Either file may be named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_bands import read_bands
from napari_hsisynth.formats.envi_files import (
    DATA_SUFFIXES,
    HEADER,
    data_of,
    header_beside,
    is_header_name,
    named_data,
    own_data_name,
)
from napari_hsisynth.formats.envi_header import EnviHeader, is_header, read_header
from napari_hsisynth.formats.envi_layout import LAYOUT_FIELDS, Layout, read_layout
from napari_hsisynth.formats.envi_values import SCALING_FIELDS, Scaling, read_scaling
from napari_hsisynth.formats.envi_write import own_cube, write
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import Variable, check_claim, choose
from napari_hsisynth.lazy_array import RawFile, Source

_USED = LAYOUT_FIELDS | SCALING_FIELDS | {"wavelength", "fwhm", "bbl", "wavelength units"}
#: Pillow's names of grey and colour pictures whose values are stored as they are.
_PICTURE_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is an ENVI header, or a raw file with one beside it."""
    return is_header(head) if is_header_name(path) else header_beside(path) is not None


@dataclass(frozen=True)
class _Image:
    """An image and its files, found but not read."""

    header: EnviHeader
    data: Path
    layout: Layout
    notes: tuple[str, ...]

    @property
    def is_picture(self) -> bool:
        return self.data.suffix.lower() == ".png"

    @property
    def variable(self) -> Variable:
        return Variable("data", self.layout.shape, str(self.layout.dtype))


def _image(path: Path, axes: str | None = None) -> _Image:
    """Find header and data of the image of which `path` is one, and compare the claims with the sizes."""
    given = None if is_header_name(path) else path
    header_path = path if given is None else header_beside(path)
    if header_path is None:
        raise InputError("the header beside it is missing", fix=f"put it there as {path.stem}{HEADER}")
    with _in_header(header_path, given):
        header = read_header(header_path)
        layout = read_layout(header, axes)
        if given is None:
            data, notes = data_of(header, layout.interleave, layout.needed_bytes)
        else:
            if own_data_name(header) not in ("", given.name) and named_data(header) is not None:
                raise InputError("writing over this file was interrupted", fix=f"open {header_path.name}")
            data, notes = given, ()
    if data.suffix.lower() == ".png":
        layout, said = _of_picture(header, layout, data)
        return _Image(header, data, layout, (*notes, *said))
    return _Image(header, data, layout, (*notes, *layout.notes, *layout.check(data)))


@contextlib.contextmanager
def _in_header(header: Path, given: Path | None) -> Iterator[None]:
    """Name the header in errors where the user has named the data."""
    try:
        yield
    except InputError as error:
        if given is None:
            raise
        raise InputError(f"in its header {header.name}: {error.what}", fix=error.fix) from error


def _of_picture(header: EnviHeader, layout: Layout, data: Path) -> tuple[Layout, tuple[str, ...]]:
    """Return the layout of a PNG that takes the place of the raw file, once its size agrees with the header."""
    from PIL import Image

    with Image.open(data, formats=["PNG"]) as picture:
        size, mode, channels = picture.size, picture.mode, len(picture.getbands())
    if size != (layout.sizes["x"], layout.sizes["y"]):
        raise InputError(
            f"there is no raw data, and the picture {data.name} has {size[1]} lines x {size[0]} samples, not"
            f" {layout.sizes['y']} x {layout.sizes['x']}",
            fix="put the raw data beside the header",
        )
    if mode not in _PICTURE_MODES:
        raise InputError(f"there is no raw data, and {data.name} is a picture of mode {mode}, which is not read")
    dtype = np.dtype("u2" if mode == "I;16" else "u1")
    found = Layout({**layout.sizes, "b": channels}, "yxb", dtype, 0)
    check_claim(Variable("picture", found.shape, str(dtype)), data.stat().st_size)
    notes: tuple[str, ...] = (f"the header has no raw data beside it: the pixels of {data.name} were read",)
    if channels != layout.sizes["b"]:
        said = layout.sizes["b"]
        notes += (f"the picture has {channels} channels where the header says {said} band{'s' * (said != 1)}",)
    return found, notes


def _stored(image: _Image) -> Source:
    if not image.is_picture:
        return RawFile(image.data, image.layout.dtype, image.layout.shape, image.layout.offset)
    from PIL import Image

    with Image.open(image.data, formats=["PNG"]) as picture:
        pixels: Any = np.asarray(picture).reshape(image.layout.shape)
    return pixels


def parts(path: Path) -> list[Path]:
    """Return header and data."""
    image = _image(path)
    return [image.header.path, image.data]


def variables(path: Path) -> list[Variable]:
    """Return the one array, in the order of the file."""
    return [_image(path).variable]


def read(path: Path, options: ReadOptions) -> Cube:
    """Read an image; where the header was written here, with all that the cube had."""
    image = _image(path, options.axes)
    choose([image.variable], options.variable)
    given = None if is_header_name(path) else path
    with _in_header(image.header.path, given):
        scaling = read_scaling(image.header, image.layout)
    values = scaling.apply(_stored(image), image.layout)
    lazily = options.lazily(values.size)
    check_claim(image.variable, image.data.stat().st_size, lazy=lazily)
    data = values if lazily else np.asarray(values)
    with _in_header(image.header.path, given):
        own = own_cube(image.header, data, options.wavelengths_nm)
        if own is None:
            return _foreign_cube(image, scaling, data, options)
    return own.replace(notes=(*image.notes, *scaling.notes, *own.notes))


def _foreign_cube(image: _Image, scaling: Scaling, data: Any, options: ReadOptions) -> Cube:
    header, layout = image.header, image.layout
    bands = read_bands(header, layout.sizes["b"])
    kept, dropped = header.described(_USED)
    provenance: dict[str, Any] = {
        "source": header.path.name,
        "data": image.data.name,
        "format": "envi",
        "dtype": str(layout.dtype),
        "axes": layout.axes,
        **scaling.provenance(),
        **({"bad_bands": list(bands.bad)} if bands.bad else {}),
        **({"fwhm_nm": bands.fwhm_nm.tolist()} if bands.fwhm_nm is not None else {}),
        **({"envi": kept} if kept else {}),
    }
    notes = (*image.notes, *scaling.notes, *bands.notes)
    if header.twice:
        notes += (f"given twice in the header, the last one was taken: {', '.join(header.twice)[:200]}",)
    if dropped:
        notes += (f"{len(dropped)} fields of the header are too long and were not kept",)
    nm = bands.wavelengths_nm if options.wavelengths_nm is None else np.array(options.wavelengths_nm)
    return Cube(data, nm, name=_name(header.path), provenance=provenance, notes=notes)  # type: ignore[arg-type]


def _name(header: Path) -> str:
    name = Path(header.stem)
    return name.stem if name.suffix.lower() in DATA_SUFFIXES else name.name


FORMAT = Format(
    "envi",
    "ENVI .hdr + data",
    (HEADER, *DATA_SUFFIXES),
    sniff,
    variables,
    read,
    write,
    parts=parts,
    write_suffixes=(HEADER,),
)
