"""Hyperspectral dermoscopy in napari: see spectra, mask lesions, train generators, sample and measure cubes.

The public names load on first use, so that ``import napari_hsisynth`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_hsisynth.cube import Cube
    from napari_hsisynth.errors import InputError
    from napari_hsisynth.formats import read_cube, write_cube
    from napari_hsisynth.study import Study

__version__ = "0.1.0"
__all__ = ["Cube", "InputError", "Study", "__version__", "read_cube", "write_cube"]

_HOME = {"Cube": "cube", "InputError": "errors", "Study": "study", "read_cube": "formats", "write_cube": "formats"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
