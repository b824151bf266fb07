"""Cubes as napari layers, and layers as cubes: axes in nm, metadata that keep what a layer cannot, the shown band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray

#: Key in ``layer.metadata`` under which everything of ours is kept.
METADATA = "hsisynth"
#: Step and start of the slider are multiples of this, nm: far below what a camera resolves, and a power of two.
_GRAIN_NM = 2.0**-16
Origin = Literal["real", "synthetic", "phantom"]
CubeLayerData = tuple[NDArray[np.float32] | LazyArray, dict[str, Any], Literal["image"]]

#: Percentiles of the values that become black and white: a few specular or dead pixels must not decide.
CONTRAST_PERCENTILES = (0.5, 99.5)
#: The middle of the band that is shown at first becomes this bright, 0..1, as far as a gamma of at least this does it.
_MIDDLE_GREY, _LEAST_GAMMA = 0.5, 0.4
#: About so many values are looked at for the contrast; more change nothing visible.
_CONTRAST_SAMPLE = 200_000
#: Of a cube that is read from its file as needed, so many bands are looked at, and so many pixels of each.
_CONTRAST_BANDS, _LAZY_SAMPLE = 8, 10_000
#: More than this is not brought into memory for what needs all values at once, bytes as float32.
MOST_LOADED_BYTES = 2**31
_cubes: WeakKeyDictionary[Layer, tuple[Any, Any, Cube]] = WeakKeyDictionary()


def origin_of(provenance: Mapping[str, Any]) -> Origin:
    """Return where a cube comes from: a generator, the optical model of a phantom, or a camera."""
    said = provenance.get("origin")
    if said in ("real", "synthetic", "phantom"):
        return said
    if provenance.get("phantom"):
        return "phantom"
    return "synthetic" if any(provenance.get(key) for key in ("synthetic", "run", "checkpoint")) else "real"


def _exact(nm: float) -> float:
    """Round to a multiple of `_GRAIN_NM`.

    napari divides the axis by its step and cuts off: with a step like 9.91 nm the quotient falls short of 15 by a
    rounding error, and the slider does not reach the last band. Sums and quotients of such multiples are exact.
    """
    return round(float(nm) / _GRAIN_NM) * _GRAIN_NM


def cube_layer_data(cube: Cube, origin: Origin | None = None) -> CubeLayerData:
    """Return a cube as napari's layer data tuple: array, keyword arguments of `add_image`, ``"image"``.

    The slider counts in nm where the wavelengths are known and ascend. Uneven bands cannot be an affine scale: the
    slider then steps by the median distance, the true centres are in ``metadata["hsisynth"]["wavelengths_nm"]``, and
    the text on the canvas shows them. Values and order of the bands are kept.

    Parameters
    ----------
    cube : Cube
    origin : {"real", "synthetic", "phantom"}, optional
        Read from the cube's provenance by default.
    """
    labels, scale, translate, units = ("band", "y", "x"), 1.0, 0.0, ("pixel", "pixel", "pixel")
    steps = np.diff(cube.wavelengths_nm)
    if cube.axis_label != "band" and (steps > 0).all():
        labels, units = ("wavelength", "y", "x"), ("nm", "pixel", "pixel")
        scale = max(_exact(np.median(steps)), _GRAIN_NM) if len(steps) else 1.0
        translate = _exact(cube.wavelengths_nm[0])
    metadata = {
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "name": cube.name,
        "provenance": dict(cube.provenance),
        "notes": list(cube.notes),
        "origin": origin or origin_of(cube.provenance),
    }
    limits = contrast_limits(cube.data)
    options = {
        "name": f"{cube.name or 'unnamed'} · cube",
        "scale": (scale, 1.0, 1.0),
        "translate": (translate, 0.0, 0.0),
        "units": units,
        "axis_labels": labels,
        "contrast_limits": limits,
        "gamma": display_gamma(cube.data, limits),
        "metadata": {METADATA: metadata},
    }
    return cube.data, options, "image"


def contrast_limits(data: NDArray[Any] | LazyArray) -> tuple[float, float]:
    """Return robust limits for display: percentiles of the finite values, never equal."""
    values = value_sample(data)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, CONTRAST_PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)


def value_sample(data: NDArray[Any] | LazyArray) -> NDArray[Any]:
    """Return values from all over the image, and from all over the spectrum where not all bands are quick to read."""
    bands = slice(None)
    if isinstance(data, LazyArray):
        bands = slice(None, None, max(1, len(data) // _CONTRAST_BANDS))
        step = _step(data, _LAZY_SAMPLE)
        return data[bands, ::step, ::step]
    step = max(1, int(np.sqrt(data.size / _CONTRAST_SAMPLE)))
    return data[..., ::step, ::step]


def _step(data: NDArray[Any] | LazyArray, pixels: int) -> int:
    """Return every how many rows and columns leave about so many pixels of a band."""
    return max(1, int(np.sqrt(data.size / len(data) / pixels)))


def display_gamma(data: NDArray[Any] | LazyArray, limits: tuple[float, float]) -> float:
    """Return the gamma at which the median of the middle band of (bands, y, x) is mid-grey, within 0.4..1."""
    low, high = limits
    step = _step(data, _LAZY_SAMPLE if isinstance(data, LazyArray) else _CONTRAST_SAMPLE)
    middle = data[(len(data) - 1) // 2, ::step, ::step]
    values = middle[np.isfinite(middle)]
    level = (float(np.median(values)) - low) / (high - low) if len(values) else 1.0
    if level >= _MIDDLE_GREY:
        return 1.0
    return max(_LEAST_GAMMA, float(np.log(_MIDDLE_GREY) / np.log(level))) if level > 0 else _LEAST_GAMMA


def add_cube(viewer: Any, cube: Cube, *, view: str = "cube", origin: Origin | None = None) -> Image:
    """Add a cube as a layer ``<cube> · <view>`` and select it; a layer of that name that shows it already is kept.

    Notes of the cube (what had to be assumed) are shown once.
    """
    from napari.utils.notifications import show_info

    viewer = unwrapped(viewer)
    data, options, _ = cube_layer_data(cube, origin)
    options["name"] = f"{cube.name or 'unnamed'} · {view}"
    layer = next((one for one in viewer.layers if one.name == options["name"] and one.data is data), None)
    if layer is None:
        layer = viewer.add_image(data, **options)
        if cube.notes:
            show_info(f"{cube.name}: {'; '.join(cube.notes)}")
    viewer.layers.selection.active = layer
    return layer


def is_cube_layer(layer: Any) -> bool:
    """Whether a layer is an image of (bands, y, x), in memory or a `LazyArray`: not RGB, not 2-D, not a pyramid."""
    return (
        isinstance(layer, Image)
        and layer.ndim == 3
        and not layer.rgb
        and not layer.multiscale
        and isinstance(layer.data, np.ndarray | LazyArray)
    )


def layer_cube(layer: Any) -> Cube | None:
    """Return the cube that a layer shows, without copying float32 values; None if it shows none.

    Any 3-D image counts: without our metadata its bands have the coordinates of the first axis where that is in nm,
    and are numbered otherwise.
    """
    if not is_cube_layer(layer):
        return None
    known = layer.metadata.get(METADATA)
    cached = _cubes.get(layer)
    if cached is not None and cached[0] is layer.data and cached[1] is known and cached[2].name == _name(layer, known):
        return cached[2]
    try:
        cube = _cube(layer, known if isinstance(known, dict) else {})
    except InputError:  # a boolean or complex stack of the user's: nothing of ours
        return None
    _cubes[layer] = (layer.data, known, cube)
    return cube


def _name(layer: Image, known: Any) -> str:
    return str((known or {}).get("name") or layer.name) if isinstance(known, dict | None) else layer.name


def _cube(layer: Image, known: dict[str, Any]) -> Cube:
    provenance = {**known.get("provenance", {}), "origin": layer_origin(layer)}
    fields: dict[str, Any] = {"name": _name(layer, known), "provenance": provenance}
    wavelengths = known.get("wavelengths_nm")
    if wavelengths is not None and len(wavelengths) == len(layer.data):
        make = Cube if known.get("wavelengths_known", True) else Cube.with_assumed_wavelengths
        return make(layer.data, np.asarray(wavelengths), notes=tuple(known.get("notes", ())), **fields)
    bands = np.arange(len(layer.data), dtype=float)
    if str(layer.units[0]) == "nanometer":
        return Cube(layer.data, layer.translate[0] + bands * layer.scale[0], **fields)
    return Cube.with_assumed_wavelengths(layer.data, bands, **fields)


def in_memory(cube: Cube) -> Cube:
    """Return a cube with all its values in memory.

    Raises
    ------
    InputError
        If it stays in its file because it is larger than `MOST_LOADED_BYTES`.
    """
    if cube.is_lazy and cube.data.nbytes > MOST_LOADED_BYTES:
        raise InputError(
            f"too large for this: {cube.data.nbytes / 2**30:.1f} GiB, at most {MOST_LOADED_BYTES / 2**30:g} GiB",
            where=cube.name or None,
            fix="crop or bin bands or pixels first, in the View dock",
        )
    return cube.loaded()


def is_borrowed(layer: Any) -> bool:
    """Whether a layer only shows a cube for a while (the pair of the Compare dock): nothing else is to work on it."""
    known = layer.metadata.get(METADATA)
    return isinstance(known, dict) and bool(known.get("borrowed"))


def layer_origin(layer: Any) -> Origin:
    """Return the origin that a layer's metadata tell; images without our metadata are real."""
    known = layer.metadata.get(METADATA)
    said = known.get("origin") if isinstance(known, dict) else None
    return said if said in ("synthetic", "phantom") else "real"


def pixel_at(layer: Any, position: Any) -> tuple[int, int] | None:
    """Return (row, column) of the layer's pixel at a point in world coordinates; None outside the image."""
    if len(position) < layer.ndim:
        return None
    where = layer.world_to_data(position)[-2:]
    if not np.isfinite(where).all():
        return None
    y, x = (int(np.floor(value + 0.5)) for value in where)
    height, width = layer.data.shape[-2:]
    return (y, x) if 0 <= y < height and 0 <= x < width else None


def shown_band(viewer: Any, layer: Any) -> int:
    """Return the index of the band that the slider shows of a layer, the nearest one beyond its ends."""
    point = viewer.dims.point[-3] if viewer.dims.ndim >= 3 else layer.translate[0]
    band = round((point - layer.translate[0]) / layer.scale[0])
    return int(np.clip(band, 0, layer.data.shape[0] - 1))


def set_band(viewer: Any, layer: Any, band: int) -> None:
    """Move the slider to a band of a layer."""
    if viewer.dims.ndim >= 3:
        viewer.dims.set_point(viewer.dims.ndim - 3, layer.translate[0] + band * layer.scale[0])


def unwrapped(viewer: Any) -> Any:
    """Return the viewer behind a plugin's proxy, whose layers are other objects at every access."""
    return getattr(viewer, "__wrapped__", viewer)


def cube_layers(viewer: Any, *, visible: bool = True) -> list[Image]:
    """Return the layers that show cubes, topmost first; only visible ones by default."""
    return [
        layer for layer in reversed(unwrapped(viewer).layers) if is_cube_layer(layer) and (layer.visible or not visible)
    ]


def front_cube_layer(viewer: Any) -> Image | None:
    """Return the cube layer that the user looks at: the active one if visible, else the topmost visible one."""
    active = unwrapped(viewer).layers.selection.active
    found = cube_layers(viewer)
    return active if active in found else (found[0] if found else None)
