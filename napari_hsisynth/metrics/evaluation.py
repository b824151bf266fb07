"""`Evaluation`: what an evaluation found, in numbers, sentences and pictures, before it is written anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]


@dataclass(frozen=True)
class Measure:
    """One figure with everything that is needed to judge it.

    Parameters
    ----------
    label : str
        Its name for eyes.
    unit : str
        Unit of all its values; "" for a plain number.
    value : float or None
        None where it is not defined; never 0 instead. For pairs, the mean over the cubes.
    n : int
        Real cubes (or pairs) that it comes from.
    ci : (float, float) or None
        95 % bootstrap interval over cubes.
    floor : float or None
        The same statistic between two halves of the real set, `m` cubes each.
    better : {"lower", "higher", "one"}
        What a good figure is.
    note : str
        What the reader must know, for example why something is None.
    more : mapping
        Further figures: n_synthetic, m, value_at_m, floor_range, p_value for sets; median, iqr, trivial for pairs,
        and where there are any, baselines by name (`metrics.baselines.beside`).
    """

    label: str
    unit: str
    value: float | None
    n: int
    ci: Interval | None = None
    floor: float | None = None
    better: Literal["lower", "higher", "one"] = "lower"
    note: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types; what is not finite is null."""
        return json_ready(
            {
                "value": self.value,
                "ci": self.ci,
                "floor": self.floor,
                "n": self.n,
                "unit": self.unit,
                "label": self.label,
                "better": self.better,
                **self.more,
                "note": self.note,
            }
        )


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A mean spectrum for the plot.

    Parameters
    ----------
    region : {"lesion", "skin", "all"}
        Of which pixels.
    synthetic : bool
        Whether the cubes are synthetic (or reconstructed).
    mean, std : ndarray, shape (bands,)
        Over the mean spectra of the cubes.
    n : int
        Cubes.
    """

    region: str
    synthetic: bool
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    n: int


@dataclass(frozen=True, eq=False)
class Picture:
    """A cube made visible.

    Parameters
    ----------
    title : str
        Name of the cube.
    pixels : ndarray, shape (y, x, 3)
        0..1; all pictures of an evaluation share one contrast.
    outline : ndarray of bool, shape (y, x), optional
        The lesion's mask.
    """

    title: str
    pixels: NDArray[np.float64]
    outline: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class PairPicture:
    """An original, its reconstruction, and where they differ.

    Parameters
    ----------
    title : str
        Why it is shown: best, median or worst, with its figure.
    original, reconstruction : Picture
        At one contrast.
    error : ndarray, shape (y, x)
        Spectral angle, degrees; NaN where there is none.
    """

    title: str
    original: Picture
    reconstruction: Picture
    error: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of `metrics.evaluate` or `metrics.evaluate_pairs`; `metrics.write_report` makes files of it.

    Parameters
    ----------
    kind : {"sets", "pairs"}
        Real against synthetic cubes, or originals against their reconstructions.
    n_real, n_synthetic : int
        Cubes.
    metrics : dict of str to Measure
        By name.
    compared : dict of str to str
        What was compared, for the head of the report, in this order.
    findings : tuple of str
        What the figures mean, in plain words.
    notes : tuple of str
        What had to be assumed, left out or said.
    phantom : bool
        The cubes are simulated: no result may be shown without saying so.
    colour : str
        Of the diagnosis, for the plots.
    wavelengths_nm : ndarray, shape (bands,)
        Of all cubes.
    spectra : tuple of Spectrum
        For the plot.
    real_pictures, synthetic_pictures : tuple of Picture
        Contact sheets, for sets.
    pair_pictures : tuple of PairPicture
        Best, median and worst, for pairs.
    per_cube : tuple of dict
        Figures of every single pair, for the CSV.
    """

    kind: Literal["sets", "pairs"]
    n_real: int
    n_synthetic: int
    metrics: dict[str, Measure]
    compared: dict[str, str]
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    phantom: bool
    colour: str
    wavelengths_nm: NDArray[np.float64]
    spectra: tuple[Spectrum, ...] = ()
    real_pictures: tuple[Picture, ...] = ()
    synthetic_pictures: tuple[Picture, ...] = ()
    pair_pictures: tuple[PairPicture, ...] = ()
    per_cube: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything but the pictures as plain JSON types; what is not finite is null."""
        return json_ready(
            {
                "n_real": self.n_real,
                "n_synthetic": self.n_synthetic,
                "metrics": {name: measure.to_json() for name, measure in self.metrics.items()},
                "kind": self.kind,
                "compared": self.compared,
                "phantom": self.phantom,
                "findings": list(self.findings),
                "notes": list(self.notes),
                "wavelengths_nm": self.wavelengths_nm,
                "spectra": [
                    {
                        "region": spectrum.region,
                        "origin": "synthetic" if spectrum.synthetic else "real",
                        "mean": spectrum.mean,
                        "std": spectrum.std,
                        "n": spectrum.n,
                    }
                    for spectrum in self.spectra
                ],
                **({"cubes": list(self.per_cube)} if self.per_cube else {}),
            }
        )


def json_ready(value: Any) -> Any:
    """Turn arrays, tuples and NumPy numbers into JSON types; NaN and infinity become None, never a number."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
