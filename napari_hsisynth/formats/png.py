"""PNG: a raw frame of a snapshot-mosaic camera, and nothing else: other pictures are no cubes."""

from __future__ import annotations

from pathlib import Path

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.frames import frame_cube
from napari_hsisynth.formats.planes import PNG_MAGIC, plane_of
from napari_hsisynth.formats.registry import Format, ReadOptions
from napari_hsisynth.formats.unlabelled import Variable


def sniff(path: Path, head: bytes) -> bool:
    """Whether it is a PNG, and is called so."""
    return path.suffix.lower() == ".png" and head.startswith(PNG_MAGIC)


def variables(path: Path) -> list[Variable]:
    """Return the one picture."""
    plane = plane_of(path)
    return [Variable("frame", plane.shape, str(plane.dtype))]


def read(path: Path, options: ReadOptions) -> Cube:
    """Unfold or demosaic a grey picture by ``options.layout``."""
    if options.layout is None:
        raise InputError(
            "not a cube: a picture",
            fix="if it is a raw snapshot-mosaic frame, say --mosaic 4x4; of a series of bands, give the folder",
        )
    return frame_cube(plane_of(path).values(), path, options, kind="mosaic png")


FORMAT = Format("png", "PNG", (".png",), sniff, variables, read)
