"""How the three kinds of phantom lesion differ: overlapping distributions of pigment, blood, scattering and shape.

The medians follow what dermoscopy describes (melanoma: more eumelanin and blood, stronger scattering, asymmetric,
irregular, uneven); no parameter separates the kinds. The spreads are set so that a linear classifier on mean lesion
spectra tells melanoma from dysplastic nevus with an area under the curve of about .8, and so that the means per band
under ``sensor="hsidermoscopy"`` lie within the published spread of the real data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


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
    elongation, irregularity : float
        As in `shapes.random_outline`.
    imbalance : float
        Change of log pigment from one side of the lesion to the other.
    unevenness : float
        Standard deviation of log pigment from blotches.
    network : float
        Depth of the pigment network, log pigment.
    edge : float
        Width of the fading border as a share of the radius.
    regression : float
        Share of pigment lost in scar-like areas, 0-1.
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
    imbalance: float
    unevenness: float
    network: float
    edge: float
    regression: float

    def to_json(self) -> dict[str, float]:
        """Return the traits by name, rounded for provenance."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class _Kind:
    """Medians of a kind of lesion; `regression` is how often it occurs."""

    melanin: float
    blood: float
    thickening: float
    oxygen_saturation: float
    scattering_gain: float
    irregularity: float
    imbalance: float
    unevenness: float
    network: float
    edge: float
    regression: float


KINDS: dict[str, _Kind] = {
    "melanoma": _Kind(
        melanin=0.104,
        blood=0.0063,
        thickening=1.28,
        oxygen_saturation=0.61,
        scattering_gain=1.05,
        irregularity=0.10,
        imbalance=0.45,
        unevenness=0.34,
        network=0.20,
        edge=0.10,
        regression=0.30,
    ),
    "dysplastic_nevus": _Kind(
        melanin=0.066,
        blood=0.0045,
        thickening=1.20,
        oxygen_saturation=0.64,
        scattering_gain=1.01,
        irregularity=0.062,
        imbalance=0.24,
        unevenness=0.22,
        network=0.26,
        edge=0.15,
        regression=0.06,
    ),
    "nevus": _Kind(
        melanin=0.052,
        blood=0.0030,
        thickening=1.12,
        oxygen_saturation=0.65,
        scattering_gain=0.99,
        irregularity=0.045,
        imbalance=0.14,
        unevenness=0.15,
        network=0.24,
        edge=0.13,
        regression=0.0,
    ),
}


def draw_traits(rng: np.random.Generator, kind: str) -> Traits:
    """Draw the traits of one lesion; every kind takes the same draws in the same order."""
    median = KINDS[kind]

    def around(centre: float, spread: float) -> float:
        return float(centre * np.exp(spread * rng.standard_normal()))

    return Traits(
        skin_melanin=float(np.clip(around(0.026, 0.35), 0.010, 0.070)),
        skin_blood=around(0.0045, 0.30),
        skin_thickness_cm=around(0.006, 0.08),
        melanin=float(np.clip(around(median.melanin, 0.40), 0.015, 0.30)),
        blood=around(median.blood, 0.55),
        thickening=around(median.thickening, 0.14),
        oxygen_saturation=float(np.clip(median.oxygen_saturation + 0.07 * rng.standard_normal(), 0.35, 0.9)),
        scattering_gain=around(median.scattering_gain, 0.11),
        size=float(rng.uniform(0.36, 0.62)),
        elongation=around(0.20, 0.5),
        irregularity=min(around(median.irregularity, 0.38), 0.20),
        imbalance=around(median.imbalance, 0.5),
        unevenness=min(around(median.unevenness, 0.35), 0.7),
        network=around(median.network, 0.35),
        edge=min(around(median.edge, 0.30), 0.3),
        regression=float(rng.uniform() < median.regression) * float(rng.uniform(0.5, 0.9)),
    )
