"""Training generators on crops: configuration, data on the device, one loop, checkpoints, one recipe per model family.

Importing this package loads no torch, so that the configuration can be shown and checked without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_hsisynth.training.run import resume, train

__all__ = ["resume", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("napari_hsisynth.training.run"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
