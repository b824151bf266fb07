"""Pictures and plots of a report, each as a data URI that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from napari_hsisynth.metrics.evaluation import Evaluation, PairPicture, Picture, Spectrum

#: Skin is no diagnosis, so it has none of their colours.
_SKIN_COLOUR = "#555555"
_LEAST_SIDE_PX = 224
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "svg.hashsalt": "napari-hsisynth",  # the same evaluation gives the same file
}


def spectra_plot(evaluation: Evaluation) -> str:
    """Mean and standard deviation of lesion and of skin: real solid, synthetic dashed."""
    regions = [r for r in ("lesion", "skin") if any(s.region == r for s in evaluation.spectra)] or ["all"]
    figure = _figure(3.7 * len(regions) + 0.4, 3.0)
    axes = figure.subplots(1, len(regions), squeeze=False)[0]
    second = "synthetic" if evaluation.kind == "sets" else "reconstructed"
    order = np.argsort(evaluation.wavelengths_nm)
    known = evaluation.wavelengths_nm[0] != 0  # without wavelengths, bands are numbered from 0
    for axis, region in zip(axes, regions, strict=True):
        colour = _SKIN_COLOUR if region == "skin" else evaluation.colour
        for spectrum in (s for s in evaluation.spectra if s.region == region):
            _draw(axis, evaluation.wavelengths_nm[order], spectrum, order, colour, second)
        axis.set_title({"all": "all pixels"}.get(region, region), loc="left", fontweight="bold", fontsize=10)
        axis.set_xlabel("wavelength (nm)" if known else "band")
        axis.margins(x=0.01)
        axis.legend(frameon=False, fontsize=8, handlelength=2.6)
    axes[0].set_ylabel("intensity")
    return _svg(figure)


def _draw(axis: Any, x: NDArray, spectrum: Spectrum, order: NDArray, colour: str, second: str) -> None:
    mean, std = spectrum.mean[order], spectrum.std[order]
    style = {"linestyle": (0, (5, 2.2)), "linewidth": 1.6} if spectrum.synthetic else {"linewidth": 2.0}
    label = f"{second if spectrum.synthetic else 'real'} (n = {spectrum.n})"
    axis.plot(x, mean, color=colour, label=label, **style)
    if spectrum.synthetic:  # edges only, so that both spreads can be seen where they overlap
        for edge in (mean - std, mean + std):
            axis.plot(x, edge, color=colour, linewidth=0.7, linestyle=(0, (2, 2)))
    else:
        axis.fill_between(x, mean - std, mean + std, color=colour, alpha=0.18, linewidth=0)


def floors_plot(evaluation: Evaluation) -> str | None:
    """Every distance at `m` cubes per side as a multiple of its floor; None if no floor is known."""
    shown = [
        measure
        for measure in evaluation.metrics.values()
        if measure.floor and measure.better == "lower" and measure.more.get("value_at_m") is not None
    ]
    if not shown:
        return None
    figure = _figure(8.0, 0.75 + 0.36 * len(shown))
    axis = figure.subplots()
    for row, measure in enumerate(reversed(shown)):
        low, high = (edge / measure.floor for edge in measure.more["floor_range"])
        axis.barh(row, high - low, left=low, height=0.5, color="#bbbbbb", alpha=0.55, linewidth=0)
        axis.plot([1, 1], [row - 0.25, row + 0.25], color="#666666", linewidth=1.4, linestyle=":")
        axis.plot(measure.more["value_at_m"] / measure.floor, row, "o", color=evaluation.colour, markersize=7)
    axis.set_yticks(range(len(shown)), [measure.label for measure in reversed(shown)])
    axis.set_ylim(-0.6, len(shown) - 0.4)
    axis.set_xlim(left=0)
    axis.set_xlabel("multiple of the real-against-real floor")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return _svg(figure)


def thumbnail(picture: Picture) -> str:
    """A picture as PNG, enlarged smoothly to at least 224 px, with a fine outline of its mask."""
    image = Image.fromarray(np.round(255 * picture.pixels).astype(np.uint8))
    factor = max(1, round(_LEAST_SIDE_PX / min(image.size)))
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
    pixels = np.asarray(image).copy()
    if picture.outline is not None:
        mask = np.asarray(
            Image.fromarray(picture.outline.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BICUBIC)
        )
        inside = mask >= 128
        line = inside & ~binary_erosion(inside, border_value=1)
        pixels[line] = 255
    return _png(pixels)


def error_map(pair: PairPicture, largest_deg: float) -> str:
    """Spectral angle of every pixel from 0 to `largest_deg`, dark to bright; pixels without one are transparent."""
    scaled = np.clip(pair.error / largest_deg, 0, 1)
    pixels = colormaps["magma"](np.ma.masked_invalid(scaled), bytes=True)
    image = Image.fromarray(pixels)
    factor = max(1, round(_LEAST_SIDE_PX / min(image.size)))
    return _png(np.asarray(image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)))


def largest_error_deg(pairs: Sequence[PairPicture]) -> float:
    """Upper end of the common scale of all error maps, degrees: the 99th percentile of their pixels."""
    values = np.concatenate([pair.error[np.isfinite(pair.error)] for pair in pairs])
    return max(float(np.percentile(values, 99)), 1e-6) if values.size else 1.0


def _figure(width_in: float, height_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _svg(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg", facecolor="white", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def _png(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
