"""The tools that annotations are exchanged with, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.exchange import coco, hsidermoscopy_masks, labelme, labelstudio_reading, labelstudio_writing
from napari_hsisynth.study.exchange.marked import MarkedCube, Shapes, Writing
from napari_hsisynth.study.exchange.record import Found


@dataclass(frozen=True)
class Kind:
    """One tool.

    Parameters
    ----------
    name : str
        In commands.
    title : str
        For people.
    write : callable
        ``write(cubes, target, writing)``: fills a folder, or writes the temporary file `target`.
    find : callable, optional
        Reads a file or folder; None where annotations come with the cubes.
    suffix : str
        Of the file that is written; empty for a folder.
    shapes : {"auto", "mask", "polygon"}
        How lesions are written unless it is said.
    everybody : bool
        It holds the work of several annotators at once.
    """

    name: str
    title: str
    write: Callable[[Iterable[MarkedCube], Path, Writing], None]
    find: Callable[[Path], Found] | None = None
    suffix: str = ""
    shapes: Shapes = "auto"
    everybody: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("coco", "COCO", coco.write, coco.find, suffix=".json"),
        Kind(
            "labelstudio",
            "Label Studio",
            labelstudio_writing.write,
            labelstudio_reading.find,
            shapes="mask",
            everybody=True,
        ),
        Kind("labelme", "labelme", labelme.write, labelme.find),
        Kind("hsidermoscopy", "HSIDermoscopy", hsidermoscopy_masks.write, shapes="mask"),
    )
}


def kind_of(name: str) -> Kind:
    """Return the kind of this name; InputError names the known ones."""
    if name not in KINDS:
        raise InputError(f"no kind of annotations '{name}'", fix=f"use one of: {', '.join(KINDS)}")
    return KINDS[name]
