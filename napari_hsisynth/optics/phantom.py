"""Phantoms: simulated cubes of pigmented lesions with everything known about them. The offline sample data."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.lesions import KINDS, Traits, draw_traits
from napari_hsisynth.optics.reflectance import SURFACE_REFLECTANCE, skin_reflectance
from napari_hsisynth.optics.sensor import SENSORS, WAVELENGTHS_NM, record
from napari_hsisynth.optics.shapes import Outline, random_outline
from napari_hsisynth.optics.surface import bare, covered, draw_surface
from napari_hsisynth.optics.tissue import grow_lesion, plain_skin

LEAST_SIDE_PX = 16
PHANTOM_NOTE = "PHANTOM: simulated with an optical model of skin; no patient"

# Further lesions: how often one, and how often another, is looked for; not always is there room
_MORE = (0.23, 0.3)
_MORE_SIZE = (0.10, 0.26)  # mean diameter, share of the shorter side
_LEAST_DIAMETER_PX = 6.0
_CLEARANCE = 1.15  # radii of skin between two lesions
_TRIES = 24


@dataclass(frozen=True, eq=False)
class Phantom:
    """A simulated cube and the truth behind it.

    Parameters
    ----------
    cube : Cube
        16 bands, 465-630 nm. Its name starts with PHANTOM and its provenance says how to make it again.
    mask : ndarray, bool, shape (y, x)
        All lesions, under hair and glints too. Each is one piece, and skin is all around it.
    instances : ndarray, uint8, shape (y, x)
        Label of the lesion in every pixel: 0 is skin, 1 the lesion that the cube is named after, then any others.
    kinds : tuple of str
        Diagnosis of each lesion, ``kinds[label - 1]``.
    maps : dict of ndarray, float32, shape (y, x)
        ``melanin_fraction``, ``thickness_cm``, ``blood_fraction``, ``oxygen_saturation``, ``scattering_gain``: what the
        reflectance of the skin was computed from, see `skin_reflectance`.
    hair, specular : ndarray, float32, shape (y, x)
        Share of each pixel that hair hides or that shines, 0-1; all 0 for ``sensor="ideal"``.
    kind : str
        Diagnosis of the first lesion and of the cube: ``"melanoma"``, ``"dysplastic_nevus"`` or ``"nevus"``.
    sensor : str
        ``"ideal"`` or ``"hsidermoscopy"``.
    """

    cube: Cube
    mask: NDArray[np.bool_]
    instances: NDArray[np.uint8]
    kinds: tuple[str, ...]
    maps: dict[str, NDArray[np.float32]]
    hair: NDArray[np.float32]
    specular: NDArray[np.float32]
    kind: str
    sensor: str


def lesion_phantom(
    kind: str, shape: tuple[int, int] = (256, 512), seed: int = 0, sensor: str = "ideal", *, name: str = ""
) -> Phantom:
    """Simulate a pigmented lesion on skin.

    The lesion and its skin are drawn from `kind`, `shape` and `seed` alone: both sensors show the same ones, and
    neither earlier calls nor the global random state nor the number of threads matter. The same call gives the same
    bits again on the same machine and NumPy. On other platforms values agree to about 1e-5; of the mask, isolated
    pixels whose centre lies on the outline may differ.

    Parameters
    ----------
    kind : str
        ``"melanoma"``, ``"dysplastic_nevus"`` or ``"nevus"``. Their traits overlap, see `lesions`.
    shape : tuple of int
        Height and width in px, 16 or more each.
    seed : int
        Any integer.
    sensor : str
        ``"ideal"``: narrow bands, gain 1, one lesion on bare skin; the values are reflectance.
        ``"hsidermoscopy"``: what the real data has. Further small lesions in about one cube of five, hair over skin and
        lesions in one of three, glints; then gains, exposure, a lamp that darkens towards the corners, blur, saturation
        and noise that bring the values into the published ranges; they leave 0-1.
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
    traits = draw_traits(Draws("traits", kind, seed), kind)
    lesions = [(kind, traits, _outline(Draws("outline", kind, seed), shape, traits))]
    surface = bare(shape)
    if sensor != "ideal":
        lesions += _more_lesions(Draws("more lesions", kind, seed), shape, kind, lesions[0][2])
        surface = draw_surface(Draws("surface", kind, seed), shape)

    skin = plain_skin(Draws("skin", kind, seed), traits, shape)
    instances = np.zeros(shape, np.uint8)
    for label, (_, own, outline) in enumerate(lesions, start=1):
        window, inside = grow_lesion(skin, Draws("texture", kind, seed, label), own, outline)
        instances[window][inside] = label
    reflectance = skin_reflectance(WAVELENGTHS_NM, *skin)
    reflectance += np.float32(SURFACE_REFLECTANCE)
    covered(reflectance, surface, WAVELENGTHS_NM)
    data = record(reflectance, sensor, Draws("sensor", kind, seed))

    kinds = tuple(each for each, _, _ in lesions)
    provenance: dict[str, Any] = {"phantom": True, "kind": kind, "seed": seed, "sensor": sensor, "shape": list(shape)}
    provenance |= {"kinds": list(kinds), "traits": traits.to_json()}
    cube = Cube(data, WAVELENGTHS_NM, name=name, provenance=provenance, notes=(PHANTOM_NOTE,))
    return Phantom(cube, instances > 0, instances, kinds, skin._asdict(), surface.hair, surface.specular, kind, sensor)


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
            own_seed = Draws("series", str(kind), seed, number).integer(53)
            yield cube_id, lesion_phantom(kind, shape, own_seed, sensor, name=cube_id)


def _outline(draws: Draws, shape: tuple[int, int], traits: Traits) -> Outline:
    return random_outline(
        draws,
        shape,
        size=traits.size,
        elongation=traits.elongation,
        irregularity=traits.irregularity,
        lobing=traits.lobing,
    )


def _more_lesions(draws: Draws, shape: tuple[int, int], kind: str, first: Outline) -> list[tuple[str, Traits, Outline]]:
    """Draw small lesions beside the first: of its kind or common nevi, none near another or near the edge."""
    lesions: list[tuple[str, Traits, Outline]] = []
    taken = [first]
    for chance in _MORE:
        wanted = draws.uniform() < chance
        own = kind if draws.uniform() < 0.5 else "nevus"
        size = max(draws.uniform(*_MORE_SIZE), _LEAST_DIAMETER_PX / min(shape))
        traits = replace(draw_traits(draws, own), size=size)
        outline = _outline(draws, shape, traits)
        places = np.stack([draws.uniforms(_TRIES, 0, length - 1) for length in shape], axis=1)
        if not wanted:
            break
        reach = outline.reach_px * _CLEARANCE
        free = ((places > reach + 1) & (places < np.array(shape) - 2 - reach)).all(axis=1)
        for other in taken:
            away = np.hypot(*(places - other.centre).T)
            free &= away > reach + other.reach_px * _CLEARANCE
        if not free.any():
            break
        centre = places[int(np.argmax(free))]
        outline = replace(outline, centre=(float(centre[0]), float(centre[1])))
        lesions.append((own, traits, outline))
        taken.append(outline)
    return lesions


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
