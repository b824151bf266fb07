"""Phantoms: simulated cubes of one pigmented lesion with everything known about it. The offline sample data."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.optics.lesions import KINDS, Traits, draw_traits
from napari_hsisynth.optics.reflectance import SURFACE_REFLECTANCE, Skin, skin_reflectance
from napari_hsisynth.optics.sensor import SENSORS, WAVELENGTHS_NM, record
from napari_hsisynth.optics.shapes import random_field, random_outline

LEAST_SIDE_PX = 16
PHANTOM_NOTE = "PHANTOM: simulated with an optical model of skin; no patient"


@dataclass(frozen=True, eq=False)
class Phantom:
    """A simulated cube and the truth behind it.

    Parameters
    ----------
    cube : Cube
        16 bands, 465-630 nm. Its name starts with PHANTOM and its provenance says how to make it again.
    mask : ndarray, bool, shape (y, x)
        The lesion: one piece, inside the image.
    maps : dict of ndarray, float32, shape (y, x)
        ``melanin_fraction``, ``thickness_cm``, ``blood_fraction``, ``oxygen_saturation``, ``scattering_gain``: what the
        reflectance was computed from, see `skin_reflectance`.
    kind : str
        The diagnosis: ``"melanoma"``, ``"dysplastic_nevus"`` or ``"nevus"``.
    sensor : str
        ``"ideal"`` or ``"hsidermoscopy"``.
    """

    cube: Cube
    mask: NDArray[np.bool_]
    maps: dict[str, NDArray[np.float32]]
    kind: str
    sensor: str


def lesion_phantom(
    kind: str, shape: tuple[int, int] = (256, 512), seed: int = 0, sensor: str = "ideal", *, name: str = ""
) -> Phantom:
    """Simulate one pigmented lesion on skin.

    The lesion is drawn from `kind`, `shape` and `seed` alone: both sensors show the same one, and neither earlier calls
    nor the global random state matter. The same call gives the same bits again on the same machine and NumPy.

    Parameters
    ----------
    kind : str
        ``"melanoma"``, ``"dysplastic_nevus"`` or ``"nevus"``. Their traits overlap, see `lesions`.
    shape : tuple of int
        Height and width in px, 16 or more each.
    seed : int
        Any integer.
    sensor : str
        ``"ideal"``: narrow bands, gain 1, no noise; the values are reflectance. ``"hsidermoscopy"``: gains, exposure,
        blur and noise that bring the values into the published ranges of the real data; they leave 0-1.
    name : str, optional
        Name of the cube; starts with PHANTOM. Made of kind and seed if not given.

    Returns
    -------
    Phantom

    Raises
    ------
    InputError
        If an argument is none of the above.

    Examples
    --------
    >>> phantom = lesion_phantom("melanoma", shape=(32, 48), seed=7)
    >>> phantom.cube
    Cube('PHANTOM_melanoma_7', 16 bands 465-630 nm, 32 x 48 px)
    >>> bool(phantom.cube.data[:, phantom.mask].mean() < phantom.cube.data[:, ~phantom.mask].mean())
    True
    """
    kind, shape, seed, sensor = _checked(kind, shape, seed, sensor)
    name = name or f"PHANTOM_{kind}_{seed}"
    if not name.startswith("PHANTOM"):
        raise InputError("the name of a phantom starts with PHANTOM", where=repr(name))
    traits = draw_traits(_stream("traits", kind, seed), kind)
    skin, mask = _lesion(traits, shape, _stream("texture", kind, seed))
    reflectance = skin_reflectance(WAVELENGTHS_NM, *skin)
    reflectance += np.float32(SURFACE_REFLECTANCE)
    data = record(reflectance, sensor, _stream("sensor", kind, seed))
    provenance: dict[str, Any] = {"phantom": True, "kind": kind, "seed": seed, "sensor": sensor, "shape": list(shape)}
    provenance["traits"] = traits.to_json()
    cube = Cube(data, WAVELENGTHS_NM, name=name, provenance=provenance, notes=(PHANTOM_NOTE,))
    return Phantom(cube, mask, skin._asdict(), kind, sensor)


def phantom_series(
    per_class: int,
    shape: tuple[int, int] = (256, 512),
    seed: int = 0,
    sensor: str = "ideal",
    kinds: Sequence[str] = tuple(KINDS),
) -> Iterator[tuple[str, Phantom]]:
    """Simulate a labelled set, kind after kind.

    Parameters
    ----------
    per_class : int
        Phantoms per kind. A longer series starts with the same phantoms as a shorter one.
    shape, sensor
        As in `lesion_phantom`.
    seed : int
        Any integer; two seeds share no phantom.
    kinds : sequence of str
        Which kinds, in which order.

    Yields
    ------
    cube_id : str
        ``"PHANTOM_<kind>_<number, 4 digits>"``, also the cube's name.
    phantom : Phantom
        With its own seed in ``cube.provenance``.
    """
    seed = _integer(seed, "seed")
    for kind in kinds:
        for number in range(_integer(per_class, "per_class")):
            cube_id = f"PHANTOM_{kind}_{number:04d}"
            # below 2**53, so that no JSON reader rounds it
            own_seed = int(_stream("series", str(kind), seed, number).integers(2**53))
            yield cube_id, lesion_phantom(kind, shape, own_seed, sensor, name=cube_id)


def _lesion(traits: Traits, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Skin, NDArray[np.bool_]]:
    """Lay out one lesion: the maps of the skin model, float32 (y, x), and the true mask."""
    outline = random_outline(
        rng, shape, size=traits.size, elongation=traits.elongation, irregularity=traits.irregularity
    )
    heavy_side, abrupt_side, scar_side = np.exp(1j * rng.uniform(0, 2 * np.pi, 3)).astype(np.complex64)
    cloudy = random_field(rng, shape, cycles=0, width=5)
    scars = random_field(rng, shape, cycles=0, width=3)
    fine = random_field(rng, shape, cycles=20, width=7)
    vessels = random_field(rng, shape, cycles=9, width=4)

    level, direction = outline.level(shape)
    mask = level < 1
    # How far the lesion's tissue has replaced skin: .5 on the outline; melanoma ends abruptly on one side only.
    fading = traits.edge * (1 + 0.5 * _along(direction, abrupt_side))
    presence = 1 / (1 + np.exp(np.clip((level - 1) / (0.5 * fading), -30, 30)))
    # A network of pigmented lines runs where a field of narrow band width crosses zero.
    network = np.exp(-2 * fine * fine) - np.float32(0.45)
    log_pigment = traits.unevenness * cloudy + traits.network * network
    log_pigment += traits.imbalance / 2 * level * _along(direction, heavy_side)
    pigment = presence * np.exp(np.minimum(log_pigment, np.float32(1.2)))
    scarred = traits.regression * presence / (1 + np.exp(-6 * (scars + _along(direction, scar_side) - np.float32(1))))

    melanin = traits.skin_melanin * (1 + np.float32(0.05) * cloudy + np.float32(0.05) * fine)
    melanin += traits.melanin * (1 - scarred) * pigment
    blood = traits.skin_blood + traits.blood * presence * (1 + scarred)
    blood *= np.exp(np.float32(0.18) * vessels + np.float32(0.08) * scars)
    skin = Skin(
        melanin_fraction=np.clip(melanin, 0, 0.5),
        thickness_cm=traits.skin_thickness_cm * (1 + (traits.thickening - 1) * presence * (1 - scarred)),
        blood_fraction=np.clip(blood, 0, 0.2),
        oxygen_saturation=np.float32(0.65) + (traits.oxygen_saturation - np.float32(0.65)) * presence,
        scattering_gain=(1 + (traits.scattering_gain - 1) * presence + np.float32(0.2) * scarred)
        * np.exp(np.float32(0.025) * fine - np.float32(0.025) * vessels),
    )
    return Skin(*(np.asarray(each, np.float32) for each in skin)), mask


def _along(direction: NDArray[np.complex64], axis: np.complex64) -> NDArray[np.float32]:
    """Cosine between unit vectors and an axis, -1 to 1."""
    return direction.real * axis.real + direction.imag * axis.imag


def _stream(*key: object) -> np.random.Generator:
    """Random numbers that depend on `key` alone, of any integers and words."""
    # SFC64 because noise is half of a phantom's time, and it draws twice as fast as the default generator
    return np.random.Generator(np.random.SFC64(list("/".join(map(str, key)).encode())))


def _checked(kind: str, shape: tuple[int, int], seed: int, sensor: str) -> tuple[str, tuple[int, int], int, str]:
    kind, sensor = str(kind), str(sensor)
    if kind not in KINDS:
        raise InputError(f"no phantom of kind {kind!r}", fix=f"choose one of {', '.join(KINDS)}")
    if sensor not in SENSORS:
        raise InputError(f"no sensor called {sensor!r}", fix=f"choose one of {', '.join(SENSORS)}")
    try:
        height, width = shape
    except (TypeError, ValueError):
        raise InputError(f"must be a height and a width, not {shape!r}", where="shape") from None
    height, width = _integer(height, "shape"), _integer(width, "shape")
    if min(height, width) < LEAST_SIDE_PX:
        fix = f"both sides need {LEAST_SIDE_PX} px or more"
        raise InputError(f"{height} x {width} px is too small for a lesion", where="shape", fix=fix)
    return kind, (height, width), _integer(seed, "seed"), sensor


def _integer(value: object, name: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"must be an integer, not {value!r}", where=name) from None
