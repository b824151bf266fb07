"""The OME-XML of an OME-TIFF: which page is which channel, at which wavelength; and the one that we write.

The data model is that of S. Besson et al., "Bringing open data to whole slide imaging", ECDP 2019, and of the OME
schema 2016-06. Only pages of the file itself are used, whatever further files the header names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.band_names import wavelength_in
from napari_hsisynth.formats.labels import provenance_json, storable_name
from napari_hsisynth.formats.unlabelled import PLAUSIBLE_NM

#: Namespace of the annotation that keeps what OME has no place for.
OURS = "napari-hsisynth/cube"
_SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_NM = {"nm": 1.0, "pm": 1e-3, "µm": 1e3, "μm": 1e3, "um": 1e3, "mm": 1e6, "Å": 0.1, "å": 0.1, "cm": 1e7, "m": 1e9}
#: Where a plane lies in an image, in this order.
AXES = "CZT"

Place = tuple[int, int, int]


@dataclass(frozen=True)
class OmeImage:
    """One image of an OME-TIFF.

    Parameters
    ----------
    name : str
        May be empty.
    channels : int
        As claimed, those in other files included.
    planes : dict of (c, z, t) to int
        The pages of this file.
    wavelengths_nm : tuple of (float or None)
        Emission wavelength of each channel that the header describes, else the one in its name.
    """

    name: str
    channels: int
    planes: dict[Place, int]
    wavelengths_nm: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Stored:
    """What our own header keeps beside the values."""

    wavelengths_nm: NDArray[np.float64]
    known: bool
    name: str
    provenance: str


@dataclass(frozen=True)
class OmeHeader:
    """What an OME header says of one file."""

    images: list[OmeImage] = field(default_factory=list)
    stored: Stored | None = None
    other_files: bool = False


def parse(xml: str, file_name: str, pages: int) -> OmeHeader:
    """Read an OME header.

    Parameters
    ----------
    xml : str
    file_name : str
        Of the file that holds it: the header may describe others too.
    pages : int
        How many the file holds; no plane beyond them is listed, whatever the header claims.

    Raises
    ------
    InputError
        If it is not XML, declares entities, or its numbers are none.
    """
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:  # OME has neither, and entities can be made to grow without bounds
        raise InputError("damaged: the OME header declares XML entities")
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise InputError(f"damaged: the OME header is not XML ({error})") from None
    ids = {uuid.text for uuid in _below(root, "UUID")}
    own = root.get("UUID")

    def elsewhere(data: ElementTree.Element) -> bool:
        uuid = next(_below(data, "UUID"), None)
        if uuid is None or uuid.text == own or uuid.get("FileName", "").lower() == file_name.lower():
            return False
        return len(ids) > 1 or own is not None  # a single name that is not ours: the file has been renamed

    images, others = [], False
    for image in _below(root, "Image", 1):
        pixels = next(_below(image, "Pixels", 1), None)
        if pixels is not None:
            parts = list(_below(pixels, "TiffData", 1))
            others = others or any(elsewhere(data) for data in parts)
            images.append(_image(image, pixels, [data for data in parts if not elsewhere(data)], pages))
    return OmeHeader(images, _stored(root), others)


def _below(element: ElementTree.Element, name: str, depth: int | None = None) -> Iterator[ElementTree.Element]:
    """Walk the children (`depth` 1) or all descendants of a name, in whatever version of the schema's namespace."""
    walk = element if depth == 1 else element.iter()
    return (child for child in walk if child is not element and child.tag.rpartition("}")[2] == name)


def _number(element: ElementTree.Element, name: str, default: int) -> int:
    try:
        value = int(element.get(name, default))
    except ValueError:
        raise InputError(f"damaged: the OME header says {name}={element.get(name)!r}") from None
    if value < 0:
        raise InputError(f"damaged: the OME header says {name}={value}")
    return value


def _image(
    image: ElementTree.Element, pixels: ElementTree.Element, parts: list[ElementTree.Element], pages: int
) -> OmeImage:
    channels = list(_below(pixels, "Channel", 1))
    samples = max(1, _number(channels[0], "SamplesPerPixel", 1)) if channels else 1
    sizes = {axis: max(1, _number(pixels, f"Size{axis}", 1)) for axis in AXES}
    claimed = sizes["C"]
    sizes["C"] = max(1, sizes["C"] // samples)  # the samples of a page are channels, but one page
    order = [axis for axis in pixels.get("DimensionOrder", "XYCZT") if axis in AXES]
    if sorted(order) != sorted(AXES):
        raise InputError(f"damaged: the OME header orders its axes as {pixels.get('DimensionOrder')!r}")
    planes: dict[Place, int] = {}
    for data in parts:
        first = _number(data, "IFD", 0)
        count = _number(data, "PlaneCount", 1 if "IFD" in data.attrib else pages)
        place = {axis: _number(data, f"First{axis}", 0) for axis in AXES}
        for page in range(first, min(first + count, pages)):
            if any(place[axis] >= sizes[axis] for axis in AXES):
                break
            planes.setdefault((place["C"], place["Z"], place["T"]), page)
            for axis in order:  # the next place, the first axis fastest
                place[axis] += 1
                if place[axis] < sizes[axis] or axis == order[-1]:
                    break
                place[axis] = 0
    return OmeImage(image.get("Name", ""), claimed, planes, tuple(_wavelength(channel) for channel in channels))


def _wavelength(channel: ElementTree.Element) -> float | None:
    text = channel.get("EmissionWavelength")
    if text is not None:
        try:
            factor = _NM[channel.get("EmissionWavelengthUnit", "nm")]
            nm = float(text) if factor == 1 else round(float(text) * factor, 9)
        except (KeyError, ValueError):
            return None
        return nm if PLAUSIBLE_NM[0] <= nm <= PLAUSIBLE_NM[1] else None
    return wavelength_in(channel.get("Name", ""))


def _stored(root: ElementTree.Element) -> Stored | None:
    for annotation in _below(root, "CommentAnnotation"):
        if annotation.get("Namespace") == OURS:
            try:
                kept: Any = json.loads(next(_below(annotation, "Value")).text or "")
                return Stored(
                    np.array(kept["wavelengths_nm"], dtype=np.float64).reshape(-1),
                    bool(kept["wavelengths_known"]),
                    str(kept["name"]),
                    json.dumps(kept["provenance"]),
                )
            except (ValueError, KeyError, TypeError, StopIteration):
                raise InputError("damaged: what the OME header keeps of the cube is not complete") from None
    return None


def band_names(cube: Cube) -> list[str]:
    """Return a name for each band: ``"465 nm"``, or ``"band 0"`` where only numbers are known."""
    if cube.axis_label == "band":
        return [f"band {number}" for number in range(cube.bands)]
    return [f"{nm:.10g} nm" for nm in cube.wavelengths_nm.tolist()]


def header(cube: Cube) -> str:
    """Return the OME-XML of a file of one page per band, in ASCII.

    The channels carry names and emission wavelengths, for other programs. Everything that they cannot hold bit by bit
    is kept as JSON in an annotation: wavelengths as float64, whether they are known, name, provenance.
    """
    kept = {
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "name": storable_name(cube),
        "provenance": json.loads(provenance_json(cube)),
    }
    channels = []
    for number, (name, nm) in enumerate(zip(band_names(cube), cube.wavelengths_nm.tolist(), strict=True)):
        emission = f' EmissionWavelength="{nm!r}" EmissionWavelengthUnit="nm"' if name.endswith("nm") and nm > 0 else ""
        channels.append(f'<Channel ID="Channel:0:{number}" Name="{name}" SamplesPerPixel="1"{emission}/>')
    height, width = cube.shape_yx
    title = "".join(letter if letter.isprintable() else " " for letter in storable_name(cube))
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="{_SCHEMA}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{_SCHEMA} {_SCHEMA}/ome.xsd" Creator="napari-hsisynth">'
        f'<Image ID="Image:0" Name={quoteattr(title)}>'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="float" BigEndian="false"'
        f' SizeX="{width}" SizeY="{height}" SizeC="{cube.bands}" SizeZ="1" SizeT="1">'
        f'{"".join(channels)}<TiffData IFD="0" PlaneCount="{cube.bands}"/></Pixels>'
        '<AnnotationRef ID="Annotation:0"/></Image>'
        f'<StructuredAnnotations><CommentAnnotation ID="Annotation:0" Namespace="{OURS}">'
        f"<Value>{escape(json.dumps(kept))}</Value></CommentAnnotation></StructuredAnnotations></OME>"
    )
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
