"""`Curve`: one spectrum as it is drawn, listed and exported; the curves of pixels and of regions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.spectra import SpectrumStatistics, roi_statistics
from napari_hsisynth.study import PIN_COLOURS
from napari_hsisynth.widgets.layers import Origin, layer_cube, layer_origin, pixel_at
from napari_hsisynth.widgets.regions import Region
from napari_hsisynth.widgets.treatment import RAW, Treatment

Kind = Literal["cursor", "pin", "label", "shape", "class mean", "reference"]
#: Pixels of a region of up to so many values are taken out of the cube together; larger ones block by block.
GATHERED_VALUES = 2**24


@dataclass(frozen=True, eq=False)
class Curve:
    """One spectrum.

    Parameters
    ----------
    kind : {"cursor", "pin", "label", "shape", "class mean", "reference"}
        Under the mouse, at a pin, over a region, over the lesions of a study, or out of a book.
    name : str
        For people: ``"pin 1"``.
    cube : str
        Name of the cube; of the study or the library for the last two kinds.
    origin : {"real", "synthetic", "phantom", "reference"}
        Synthetic ones are dashed, references dotted.
    colour : str
        ``#rrggbb``; empty for the theme's text colour.
    wavelengths_nm : ndarray, shape (bands,)
        Ascending; numbers of bands where nothing else is known.
    values : ndarray, shape (bands,)
        In the unit of the treatment; NaN where there is no value. Of a region its mean, or its median if `lower` and
        `upper` are there.
    std : ndarray, shape (bands,), optional
        Of the pixels of a region, or of the lesions of a class.
    n : int
        Pixels behind it; lesions behind a class mean.
    place : tuple of float, optional
        (row, column) of the pixel in the cube, or of the middle of the region.
    raw : ndarray, shape (bands,), optional
        The values before any treatment; for angles between curves.
    lower, upper : ndarray, shape (bands,), optional
        First and third quartile of the pixels of a region.
    number : int
        Which pin of all it is, from 0; -1 for other kinds.
    layer : Image, optional
        The layer of the cube.
    note : str
        What `detail` says instead of place and number: ``"computing ..."``, ``"scaled to view"``.
    """

    kind: Kind
    name: str
    cube: str
    origin: Origin | Literal["reference"]
    colour: str
    wavelengths_nm: NDArray[np.float64]
    values: NDArray[np.float64]
    std: NDArray[np.float64] | None = None
    n: int = 1
    place: tuple[float, float] | None = None
    raw: NDArray[np.float64] | None = None
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    number: int = -1
    layer: Any = None
    note: str = ""

    @property
    def detail(self) -> str:
        """Where it comes from, in a few words."""
        if self.note:
            return self.note
        if self.kind == "class mean":
            return f"n = {self.n:,} lesions"
        if self.kind in ("label", "shape"):
            return f"n = {self.n:,} px"
        y, x = self.place or (0, 0)
        return f"y {y:g}, x {x:g}" if np.isfinite(self.values).any() else f"y {y:g}, x {x:g}: no finite value"

    @property
    def spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Lower and upper edge of the band around the values: quartiles or one standard deviation; None for neither."""
        if self.lower is not None and self.upper is not None:
            return self.lower, self.upper
        return None if self.std is None else (self.values - self.std, self.values + self.std)

    @property
    def statistic(self) -> str:
        """What the values are: ``"value"`` of one spectrum, ``"mean"`` or ``"median"``."""
        if self.lower is not None:
            return "median"
        return "value" if self.std is None else "mean"

    def value_at(self, wavelength_nm: float) -> float:
        """Return the value at the band nearest to a wavelength."""
        return float(self.values[np.argmin(np.abs(self.wavelengths_nm - wavelength_nm))])


_ascending: WeakKeyDictionary[Cube, tuple[NDArray[np.intp] | slice, NDArray[np.float64]]] = WeakKeyDictionary()


def ascending(cube: Cube) -> tuple[NDArray[np.intp] | slice, NDArray[np.float64]]:
    """Return the order in which the bands of a cube ascend, all of them for a cube in order, and their wavelengths."""
    if cube not in _ascending:
        order: NDArray[np.intp] | slice = np.argsort(cube.wavelengths_nm, kind="stable")
        if (np.diff(cube.wavelengths_nm) >= 0).all():
            order = slice(None)
        _ascending[cube] = order, cube.wavelengths_nm[order]
    return _ascending[cube]


def pixel_curve(
    layer: Any,
    position: Any,
    treatment: Treatment = RAW,
    *,
    kind: Kind = "cursor",
    name: str = "cursor",
    colour: str = "",
    number: int = -1,
) -> Curve | None:
    """Return the spectrum of a cube layer at a point in world coordinates; None outside the image."""
    cube, pixel = layer_cube(layer), pixel_at(layer, position)
    if cube is None or pixel is None:
        return None
    order, wavelengths = ascending(cube)
    raw = cube.data[(slice(None), *pixel)][order].astype(np.float64)
    raw[~np.isfinite(raw)] = np.nan
    values = raw if treatment.is_raw else treatment.apply(raw, wavelengths)
    origin = layer_origin(layer)
    return Curve(
        kind, name, cube.name, origin, colour, wavelengths, values, place=pixel, raw=raw, number=number, layer=layer
    )


def region_curve(
    cube: Cube, origin: Origin, region: Region, treatment: Treatment, *, quartiles: bool = False, layer: Any = None
) -> Curve:
    """Return the mean ± std, or median and quartiles, of a region: each pixel is treated first.

    May take long: the values of a `LazyArray` are read.
    """
    order, wavelengths = ascending(cube)
    raw = _statistics(cube, region, RAW, quartiles)
    shown = raw if treatment.is_raw else _statistics(cube, region, treatment, quartiles)
    return Curve(
        kind=region.kind,
        name=region.name,
        cube=cube.name,
        origin=origin,
        colour=region.colour,
        wavelengths_nm=wavelengths,
        values=_ordered(shown.median if quartiles else shown.mean, order),
        std=_ordered(shown.std, order),
        n=shown.n,
        place=region.middle,
        raw=_ordered(raw.mean, order),
        lower=_ordered(shown.lower, order) if quartiles else None,
        upper=_ordered(shown.upper, order) if quartiles else None,
        layer=layer,
    )


def _ordered(values: NDArray[np.float64] | None, order: NDArray[np.intp] | slice) -> NDArray[np.float64]:
    assert values is not None
    return values[order]


def _statistics(cube: Cube, region: Region, treatment: Treatment, quartiles: bool) -> SpectrumStatistics:
    """Statistics with the bands in the order of the cube; NaN in bands without any value."""
    bands = treatment.bands(cube.wavelengths_nm)
    if not bands.any():
        nothing = np.full(cube.bands, np.nan)
        return SpectrumStatistics(nothing, nothing, 0, nothing, nothing, nothing)
    if cube.bands * region.inside.size <= GATHERED_VALUES:
        pixels = cube.data[(slice(None), *region.box)][:, region.inside]
        if not treatment.is_raw:
            pixels = _treated(pixels, cube, treatment)[bands]
        found = roi_statistics(pixels[:, None, :], np.ones((1, pixels.shape[1]), bool), quartiles=quartiles)
    else:
        values = cube.data if treatment.is_raw else LazyArray(_Treated(cube, treatment, bands))
        found = roi_statistics(values, region.on(cube.shape_yx), quartiles=quartiles)
    if bands.all():
        return found
    parts = {name: getattr(found, name) for name in ("mean", "std", "median", "lower", "upper")}
    for name, part in parts.items():
        if part is not None:
            parts[name] = np.full(cube.bands, np.nan)
            parts[name][bands] = part
    return replace(found, **parts)


def _treated(pixels: NDArray[np.float32], cube: Cube, treatment: Treatment) -> NDArray[np.float64]:
    spectra = pixels.astype(np.float64)
    spectra[:, ~np.isfinite(spectra).all(axis=0)] = np.nan
    return treatment.apply(spectra, cube.wavelengths_nm)


class _Treated:
    """A cube seen through a treatment, worked out where it is looked at; a `lazy_array.Source`."""

    dtype = np.dtype(np.float32)

    def __init__(self, cube: Cube, treatment: Treatment, bands: NDArray[np.bool_]) -> None:
        self.shape = (int(bands.sum()), *cube.shape_yx)
        self._cube, self._treatment, self._bands = cube, treatment, bands

    def __getitem__(self, key: Any) -> NDArray[np.float64]:
        pixels = self._cube.data[(slice(None), *key[1:])]
        return _treated(pixels, self._cube, self._treatment)[self._bands][key[0]]


def angle_deg(a: Curve, b: Curve) -> float:
    """Return the spectral angle between two curves before any transform, degrees; NaN if they do not fit."""
    if a.raw is None or b.raw is None or not np.array_equal(a.wavelengths_nm, b.wavelengths_nm):
        return float("nan")
    from napari_hsisynth.metrics import spectrum_angle

    return float(np.rad2deg(spectrum_angle(a.raw, b.raw)))


def pin_colour(number: int) -> str:
    """Return the colour of pin `number` (from 0): what the palette has left, then the same ones lighter."""
    colour = PIN_COLOURS[number % len(PIN_COLOURS)]
    rounds = number // len(PIN_COLOURS)
    if not rounds:
        return colour
    toward_white = 1 - 0.6 ** min(rounds, 4)
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * toward_white):02x}" for part in parts)
