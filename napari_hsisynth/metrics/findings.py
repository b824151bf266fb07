"""Sentences that follow from the figures, for readers who want to know what they mean."""

from __future__ import annotations

import math

from napari_hsisynth.metrics.evaluation import Interval, Measure

_SIGNIFICANT = 0.05


def number(value: float | None, unit: str = "") -> str:
    """Write a value with its unit; angles in degrees.

    Examples
    --------
    >>> number(0.0541, "rad"), number(0.02134), number(None, "rad"), number(31.6, "%")
    ('3.1°', '0.0213', '–', '31.6 %')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "infinite"
    if unit == "rad":
        degrees = math.degrees(value)
        return f"{degrees:.1f}°" if degrees >= 0.95 else f"{degrees:#.2g}°"
    text = f"{value:#.3g}".rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
    return f"{text} {unit}".rstrip()


def span(interval: Interval | None, unit: str = "") -> str:
    """Write an interval, as in ``2.2° to 4.0°``."""
    return "–" if interval is None else f"{number(interval[0], unit)} to {number(interval[1], unit)}"


def angle_finding(measure: Measure, what: str) -> str:
    """Say how far two mean spectra are apart; `what` is "lesion", "skin" or "" for all pixels."""
    kind = f"mean {what} spectrum" if what else "mean spectrum"
    if measure.value is None:
        return f"The {kind} cannot be compared: {measure.note}."
    text = f"The {kind} of the synthetic cubes differs from the real one by {number(measure.value, 'rad')}"
    return text + _beside_floor(measure, "rad")


def wasserstein_finding(measure: Measure, mean_intensity: float) -> str:
    """Say how far the distributions of pixel spectra are apart."""
    if measure.value is None:
        return f"The distributions of pixel spectra cannot be compared: {measure.note}."
    share = f", {100 * measure.value / mean_intensity:.2g} % of the real mean intensity" if mean_intensity > 0 else ""
    text = (
        f"The distributions of pixel spectra are a sliced Wasserstein distance of {number(measure.value)} apart{share}"
    )
    return text + _beside_floor(measure, "")


def variation_finding(measure: Measure) -> str:
    """Say whether the synthetic cubes are smoother or rougher than the real ones."""
    if measure.value is None:
        return f"The total variation cannot be compared: {measure.note}."
    text = f"Synthetic cubes have {number(measure.value)} times the total variation of real ones"
    if measure.floor is None:
        return f"{text}; {measure.note}."
    text += f" (95 % interval {span(measure.ci)}), and two halves of the real cubes differ by a factor of "
    text += f"{measure.floor:.2f}: "
    low, high = measure.ci or (measure.value, measure.value)
    at_m = measure.more["value_at_m"]
    if max(at_m, 1 / at_m if at_m else math.inf) > measure.more["floor_range"][1]:
        return text + (
            "they are smoother than real cubes." if high < 1 else "they are rougher." if low > 1 else "they differ."
        )
    return text + "they are neither clearly smoother nor clearly rougher."


def _beside_floor(measure: Measure, unit: str) -> str:
    if measure.floor is None:
        return f"; {measure.note}."
    m, at_m = measure.more["m"], measure.more["value_at_m"]
    floor_range, p_value = measure.more["floor_range"], measure.more["p_value"]
    text = (
        f" (95 % interval {span(measure.ci, unit)}). With {m} cubes on each side it is {number(at_m, unit)}, and two"
        f" halves of the real data differ by {number(measure.floor, unit)} ({span(floor_range, unit)}): "
    )
    outside, significant = at_m > floor_range[1], p_value < _SIGNIFICANT
    if outside and significant:
        return text + f"more than real cubes differ among themselves (p = {p_value:.2g})."
    if significant:
        return text + f"a small difference, but not one of chance (p = {p_value:.2g})."
    if outside:
        return text + f"more than in most splits, but {measure.n} real cubes cannot settle it (p = {p_value:.2g})."
    return text + f"no more than real cubes differ among themselves, as far as {measure.n} real cubes can tell."
