"""The protocol that every segmenter keeps, and the table of those that are installed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.prompts import Prompts, Proposals

#: Entry points of this group name a callable that returns a `Segmenter`; its keyword arguments are the options.
ENTRY_POINT_GROUP = "napari_hsisynth.segmenters"

_BUILT_IN = {"spectral": "napari_hsisynth.segment.spectral:SpectralSegmenter"}


@runtime_checkable
class Segmenter(Protocol):
    """Turns prompts on a cube into masks.

    A segmenter may be called from one thread other than the main one, but never from two at once. It must obey: a point
    labelled 1 lies in every mask, a point labelled 0 in none.

    Attributes
    ----------
    name : str
        As in `load_segmenter`.
    model : str
        Which variant, for the record in the annotation; may be empty.
    weights_sha256 : str
        Of the weights; empty for a segmenter without.
    """

    name: str
    model: str
    weights_sha256: str

    def set_cube(self, cube: Cube) -> None:
        """Take a cube; all that needs no prompt is computed here, once."""
        ...

    def predict(self, prompts: Prompts) -> Proposals:
        """Return alternatives for the lesion that the prompts point at, best first."""
        ...

    def propose(self) -> Proposals:
        """Return one mask per lesion found without prompts, best first; none if there seems to be no lesion."""
        ...


def list_segmenters() -> list[str]:
    """Names that `load_segmenter` knows: built in first, then those of other packages, sorted."""
    return [*_BUILT_IN, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - set(_BUILT_IN))]


def load_segmenter(name: str, **options: Any) -> Segmenter:
    """Make a segmenter.

    Parameters
    ----------
    name : str
        One of `list_segmenters`.
    **options
        Passed on to it.

    Raises
    ------
    InputError
        If there is none of this name, or what another package registered cannot be loaded or is no segmenter.

    Examples
    --------
    >>> load_segmenter("spectral").name
    'spectral'
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        return getattr(import_module(module), attribute)(**options)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name != name:
            continue
        try:
            segmenter = point.load()(**options)
        except Exception as error:
            # a broken package of somebody else must not look like a fault of ours
            raise InputError(
                f"segmenter '{name}' cannot be loaded ({type(error).__name__}: {error})", where=point.value
            ) from error
        if not isinstance(segmenter, Segmenter):
            raise InputError(f"segmenter '{name}' does not keep the Segmenter protocol", where=point.value)
        return segmenter
    raise InputError(f"no segmenter '{name}'", fix=f"use one of: {', '.join(list_segmenters())}")
