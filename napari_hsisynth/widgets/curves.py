"""`Curve`: one spectrum as it is drawn, listed and exported; the curves of pixels and of labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra import TRANSFORMS, label_statistics
from napari_hsisynth.study import PIN_COLOURS
from napari_hsisynth.widgets.layers import Origin, layer_cube, layer_origin, pixel_at

Kind = Literal["cursor", "pin", "label"]
#: About so many pixels say what range the values of a cube have.
_RANGE_PIXELS = 2_000


@dataclass(frozen=True, eq=False)
class Curve:
    """One spectrum.

    Parameters
    ----------
    kind : {"cursor", "pin", "label"}
        Under the mouse, at a pin, or the mean over a label.
    name : str
        For people: ``"pin 1"``.
    cube : str
        Name of the cube.
    origin : {"real", "synthetic", "phantom"}
        Synthetic ones are dashed.
    colour : str
        ``#rrggbb``; empty for the theme's text colour.
    wavelengths_nm : ndarray, shape (bands,)
        Ascending; numbers of bands where nothing else is known.
    values : ndarray, shape (bands,)
        In the unit of the transform; NaN where there is no value.
    std : ndarray, shape (bands,), optional
        Of the pixels of a label.
    n : int
        Pixels behind it.
    place : tuple of int, optional
        (row, column) of the pixel in the cube.
    raw : ndarray, shape (bands,), optional
        The values before the transform; for angles between curves.
    """

    kind: Kind
    name: str
    cube: str
    origin: Origin
    colour: str
    wavelengths_nm: NDArray[np.float64]
    values: NDArray[np.float64]
    std: NDArray[np.float64] | None = None
    n: int = 1
    place: tuple[int, int] | None = None
    raw: NDArray[np.float64] | None = None

    @property
    def detail(self) -> str:
        """Where it comes from, in a few words."""
        if self.kind == "label":
            return f"n = {self.n:,} px"
        y, x = self.place or (0, 0)
        return f"y {y}, x {x}" if np.isfinite(self.values).any() else f"y {y}, x {x}: no finite value"

    def value_at(self, wavelength_nm: float) -> float:
        """Return the value at the band nearest to a wavelength."""
        return float(self.values[np.argmin(np.abs(self.wavelengths_nm - wavelength_nm))])


def transformed(spectra: NDArray[Any], wavelengths_nm: NDArray[np.float64], transform: str) -> NDArray[np.float64]:
    """Return spectra (bands, ...) through a transform of `spectra.TRANSFORMS`; NaN where it cannot be applied."""
    try:
        return TRANSFORMS[transform](spectra, wavelengths_nm)
    except InputError:  # a single band has no derivative
        return np.full(np.shape(spectra), np.nan)


def pixel_curve(
    layer: Any, position: Any, transform: str, *, kind: Kind = "cursor", name: str = "cursor", colour: str = ""
) -> Curve | None:
    """Return the spectrum of a cube layer at a point in world coordinates; None outside the image."""
    cube, pixel = layer_cube(layer), pixel_at(layer, position)
    if cube is None or pixel is None:
        return None
    order = np.argsort(cube.wavelengths_nm)
    raw = cube.data[(slice(None), *pixel)][order].astype(np.float64)
    raw[~np.isfinite(raw)] = np.nan
    wavelengths = cube.wavelengths_nm[order]
    values = raw if transform == "raw" else transformed(raw, wavelengths, transform)
    return Curve(kind, name, cube.name, layer_origin(layer), colour, wavelengths, values, place=pixel, raw=raw)


def label_curves(
    cube: Cube, origin: Origin, labels: NDArray[Any], colours: dict[int, str], transform: str, prefix: str = "label"
) -> list[Curve]:
    """Return mean ± std of every label in `colours`: each pixel is transformed first, then averaged.

    Parameters
    ----------
    cube : Cube
    labels : ndarray of int, shape (y, x)
    colours : dict of int to str
        Labels to take, with their colours.
    transform : str
    prefix : str
        Their names are ``"<prefix> <number>"``.
    """
    order = np.argsort(cube.wavelengths_nm)
    wavelengths = cube.wavelengths_nm[order]
    inside = np.isin(labels, list(colours))
    pixels, numbers = cube.data[:, inside][order].astype(np.float64), labels[inside]
    pixels[:, ~np.isfinite(pixels).all(axis=0)] = np.nan
    raw = label_statistics(pixels[:, None, :], numbers[None, :])
    shown = raw if transform == "raw" else label_statistics(_each(pixels, wavelengths, transform), numbers[None, :])
    return [
        Curve(
            kind="label",
            name=f"{prefix} {number}",
            cube=cube.name,
            origin=origin,
            colour=colours[number],
            wavelengths_nm=wavelengths,
            values=found.mean,
            std=found.std,
            n=found.n,
            raw=raw[number].mean,
        )
        for number, found in shown.items()
    ]


def _each(pixels: NDArray[np.float64], wavelengths: NDArray[np.float64], transform: str) -> NDArray[np.float64]:
    return transformed(pixels, wavelengths, transform)[:, None, :]


def value_range(cube: Cube, transform: str) -> tuple[float, float]:
    """Return the range that holds nearly all values of a cube seen through a transform, from some of its pixels."""
    step = max(1, int(np.sqrt(cube.data[0].size / _RANGE_PIXELS)))
    order = np.argsort(cube.wavelengths_nm)
    pixels = cube.data[order, ::step, ::step].reshape(cube.bands, -1).astype(np.float64)
    values = transformed(pixels, cube.wavelengths_nm[order], transform)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


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


def table(curves: Iterable[Curve], transform: str, *, delimiter: str = ",") -> str:
    """Return curves as a table in long form, one row per curve and band; missing values are empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(
        ["curve", "kind", "cube", "origin", "y", "x", "n", "transform", "wavelength_nm", "value", "standard_deviation"]
    )
    for curve in curves:
        y, x = curve.place or ("", "")
        std = np.full(len(curve.values), np.nan) if curve.std is None else curve.std
        for wavelength, value, spread in zip(curve.wavelengths_nm, curve.values, std, strict=True):
            head = [curve.name, curve.kind, curve.cube, curve.origin, y, x, curve.n, transform, f"{wavelength:.6g}"]
            writer.writerow([*head, _number(value), _number(spread)])
    return text.getvalue()


def _number(value: float) -> str:
    return f"{value:.7g}" if np.isfinite(value) else ""
