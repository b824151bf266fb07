"""How the three kinds of phantom lesion differ: overlapping distributions of pigment, blood, structures and shape.

The medians follow what dermoscopy describes (melanoma: more eumelanin and blood, stronger scattering, asymmetric,
multi-lobed, patchy network, scattered globules, irregular vessels, regression); no parameter separates the kinds. The
spreads are set so that a linear classifier on mean lesion spectra tells melanoma from dysplastic nevus with an area
under the curve of about .8, and so that the means per band under ``sensor="hsidermoscopy"`` lie within the published
spread of the real data. `quality.phantom_figures` measures both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from napari_hsisynth.optics.draws import Draws

VESSELS = ("none", "dotted", "linear", "branching")


@dataclass(frozen=True)
class Traits:
    """One drawn lesion and its skin; everything but the texture.

    Parameters
    ----------
    skin_melanin, skin_blood : float
        Volume fractions of the skin around.
    skin_thickness_cm : float
        Of the epidermis.
    melanin, blood : float
        Volume fractions that the lesion adds at full pigment.
    thickening : float
        Epidermis of the lesion relative to the skin's.
    oxygen_saturation : float
        In the lesion's dermis, 0-1.
    scattering_gain : float
        In the lesion, relative to the skin.
    size : float
        Mean diameter as a share of the image's shorter side.
    elongation, irregularity, lobing : float
        As in `shapes.random_outline`.
    imbalance : float
        Change of log pigment from one side of the lesion to the other.
    unevenness : float
        Standard deviation of log pigment from blotches.
    network : float
        Depth of the pigment network's holes, log pigment.
    patchiness : float
        How much the network is missing in places, 0-1.
    globules : float
        Number of dots and globules.
    globule_size : float
        Their median diameter as a share of the lesion's.
    edge : float
        Width of the fading border as a share of the radius.
    regression : float
        Share of pigment lost in scar-like areas, 0-1.
    vessels : str
        ``"none"``, ``"dotted"``, ``"linear"`` or ``"branching"``.
    vessel_blood : float
        Volume fraction of blood where a vessel runs.
    """

    skin_melanin: float
    skin_blood: float
    skin_thickness_cm: float
    melanin: float
    blood: float
    thickening: float
    oxygen_saturation: float
    scattering_gain: float
    size: float
    elongation: float
    irregularity: float
    lobing: float
    imbalance: float
    unevenness: float
    network: float
    patchiness: float
    globules: float
    globule_size: float
    edge: float
    regression: float
    vessels: str
    vessel_blood: float

    def to_json(self) -> dict[str, float | str]:
        """Return the traits by name, rounded for provenance."""
        return {name: value if isinstance(value, str) else round(value, 6) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class _Kind:
    """Medians of a kind of lesion; `regression` and `vessels` are how often they occur."""

    melanin: float
    blood: float
    thickening: float
    oxygen_saturation: float
    scattering_gain: float
    irregularity: float
    lobing: float
    imbalance: float
    unevenness: float
    network: float
    patchiness: float
    globules: float
    globule_size: float
    edge: float
    regression: float
    vessels: tuple[float, float, float]  # dotted, linear, branching


KINDS: dict[str, _Kind] = {
    "melanoma": _Kind(
        melanin=0.094,
        blood=0.0034,
        thickening=1.27,
        oxygen_saturation=0.615,
        scattering_gain=1.04,
        irregularity=0.130,
        lobing=0.80,
        imbalance=0.45,
        unevenness=0.34,
        network=0.55,
        patchiness=0.75,
        globules=16,
        globule_size=0.030,
        edge=0.11,
        regression=0.35,
        vessels=(0.22, 0.28, 0.12),
    ),
    "dysplastic_nevus": _Kind(
        melanin=0.065,
        blood=0.0027,
        thickening=1.20,
        oxygen_saturation=0.64,
        scattering_gain=1.01,
        irregularity=0.085,
        lobing=0.65,
        imbalance=0.24,
        unevenness=0.22,
        network=0.60,
        patchiness=0.40,
        globules=9,
        globule_size=0.026,
        edge=0.16,
        regression=0.07,
        vessels=(0.15, 0.10, 0.03),
    ),
    "nevus": _Kind(
        melanin=0.052,
        blood=0.0020,
        thickening=1.12,
        oxygen_saturation=0.65,
        scattering_gain=0.99,
        irregularity=0.050,
        lobing=0.45,
        imbalance=0.14,
        unevenness=0.15,
        network=0.55,
        patchiness=0.20,
        globules=7,
        globule_size=0.024,
        edge=0.15,
        regression=0.0,
        vessels=(0.10, 0.04, 0.02),
    ),
}


def draw_traits(draws: Draws, kind: str) -> Traits:
    """Draw the traits of one lesion; every kind takes the same draws in the same order."""
    median = KINDS[kind]

    def around(centre: float, spread: float) -> float:
        return float(centre * np.exp(spread * draws.normal()))

    return Traits(
        skin_melanin=float(np.clip(around(0.026, 0.40), 0.008, 0.080)),
        skin_blood=around(0.0045, 0.30),
        skin_thickness_cm=around(0.006, 0.08),
        melanin=float(np.clip(around(median.melanin, 0.42), 0.015, 0.24)),
        blood=around(median.blood, 0.55),
        thickening=around(median.thickening, 0.14),
        oxygen_saturation=float(np.clip(median.oxygen_saturation + 0.07 * draws.normal(), 0.35, 0.9)),
        scattering_gain=around(median.scattering_gain, 0.11),
        size=draws.uniform(0.36, 0.66),
        elongation=around(0.20, 0.5),
        irregularity=min(around(median.irregularity, 0.35), 0.22),
        lobing=float(np.clip(median.lobing + 0.15 * draws.normal(), 0.3, 0.95)),
        imbalance=around(median.imbalance, 0.5),
        unevenness=min(around(median.unevenness, 0.35), 0.7),
        network=min(around(median.network, 0.45), 1.5),
        patchiness=float(np.clip(median.patchiness + 0.2 * draws.normal(), 0.0, 1.0)),
        globules=min(around(median.globules, 0.9), 60.0),
        globule_size=min(around(median.globule_size, 0.3), 0.05),
        edge=min(around(median.edge, 0.30), 0.3),
        regression=float(draws.uniform() < median.regression) * draws.uniform(0.5, 0.9),
        vessels=_vessels(draws.uniform(), median.vessels),
        vessel_blood=around(0.05, 0.4),
    )


def _vessels(chance: float, often: tuple[float, ...]) -> str:
    for pattern, threshold in zip(VESSELS[1:], np.cumsum(often), strict=True):
        if chance < threshold:
            return pattern
    return VESSELS[0]
