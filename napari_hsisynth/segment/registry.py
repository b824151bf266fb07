"""The protocol that every segmenter keeps, and the table of those that are installed."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.prompts import Prompts, Proposals

#: Entry points of this group name a callable that returns a `Segmenter`; its keyword arguments are the options.
ENTRY_POINT_GROUP = "napari_hsisynth.segmenters"


@dataclass(frozen=True)
class _BuiltIn:
    """A segmenter of this package, and what can be said of it without loading it."""

    target: str
    models: tuple[str, ...] = ()
    sees_view: bool = False


_BUILT_IN = {
    "spectral": _BuiltIn("napari_hsisynth.segment.spectral:SpectralSegmenter"),
    "sam2": _BuiltIn(
        "napari_hsisynth.segment.sam2:Sam2Segmenter", ("tiny", "small", "base-plus", "large"), sees_view=True
    ),
    "sam": _BuiltIn("napari_hsisynth.segment.sam:SamSegmenter", ("vit_b", "vit_l", "vit_h"), sees_view=True),
}


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


@runtime_checkable
class EmbedsAhead(Segmenter, Protocol):
    """A segmenter that can do the slow part for cubes that have not come up yet.

    Optional: whoever has cubes to come asks ``isinstance(segmenter, EmbedsAhead)``. The result goes where a later
    `set_cube` of the same content finds it, in this process or another one.
    """

    def embed_ahead(self, cube: Cube) -> None:
        """Prepare a cube without taking it: the present one stays.

        Unlike the other methods it may run in a second thread while they run in the first, though not twice at once.
        """
        ...


def list_segmenters() -> list[str]:
    """Names that `load_segmenter` knows: built in first, then those of other packages, sorted."""
    return [*_BUILT_IN, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - set(_BUILT_IN))]


def segmenter_models(name: str) -> tuple[str, ...]:
    """Return the variants of a segmenter, smallest first, as for its option ``model``; empty where there is one only.

    Of other packages' segmenters nothing is known before they are loaded; they count as having one.

    Examples
    --------
    >>> segmenter_models("sam"), segmenter_models("spectral")
    (('vit_b', 'vit_l', 'vit_h'), ())
    """
    return _BUILT_IN[name].models if name in _BUILT_IN else ()


def sees_view(name: str) -> bool:
    """Whether a segmenter sees a picture of the cube (its option ``view``) and not all the bands."""
    return name in _BUILT_IN and _BUILT_IN[name].sees_view


def needs_weights(name: str) -> bool:
    """Whether a segmenter needs files of weights (its option ``weights``), which are not part of this package."""
    return sees_view(name)  # those trained on photographs, and no others


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
        If there is none of this name or with these options, or what another package registered cannot be loaded or is
        no segmenter.

    Examples
    --------
    >>> load_segmenter("spectral").name
    'spectral'
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].target.partition(":")
        segmenter_class = getattr(import_module(module), attribute)
        known = inspect.signature(segmenter_class).parameters
        unknown = ", ".join(option for option in options if option not in known)
        if unknown:
            fix = f"it has: {', '.join(known)}" if known else "it has none"
            raise InputError(f"segmenter '{name}' has no option {unknown}", fix=fix)
        return segmenter_class(**options)
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
