"""`write_report`: an evaluation as JSON, CSV and one page of HTML that needs no other file."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from matplotlib import rc_context

from napari_hsisynth import __version__
from napari_hsisynth.atomic import write_json, write_text
from napari_hsisynth.metrics import plots
from napari_hsisynth.metrics.baselines import signed, signed_span, verdict
from napari_hsisynth.metrics.evaluation import Evaluation, Measure, json_ready
from napari_hsisynth.metrics.findings import number, span
from napari_hsisynth.study.storage import writing
from napari_hsisynth.typed_path import typed_path

_COLUMNS = {
    "sets": ("n", "n_synthetic", "value", "ci", "m", "value_at_m", "floor", "floor_range", "p_value"),
    "pairs": ("n", "value", "ci", "median", "iqr", "trivial"),
}
_RANGES = ("ci", "floor_range", "iqr")


def write_report(evaluation: Evaluation, folder: str | Path) -> dict[str, Path]:
    """Write ``metrics.json``, ``metrics.csv`` (for pairs also ``cubes.csv``) and ``report.html``.

    Parameters
    ----------
    evaluation : Evaluation
        From `metrics.evaluate` or `metrics.evaluate_pairs`.
    folder : path-like
        Made if it is not there; files of the same name are replaced, each as a whole.

    Returns
    -------
    dict of str to pathlib.Path
        "json", "csv" and "html".

    Raises
    ------
    InputError
        If the folder cannot be written, or the disk is full.
    """
    folder = typed_path(folder).absolute()
    page = render(evaluation)
    paths = {"json": folder / "metrics.json", "csv": folder / "metrics.csv", "html": folder / "report.html"}
    with writing(folder):
        write_json(paths["json"], evaluation.to_json())
        write_text(paths["csv"], _metrics_csv(evaluation))
        if evaluation.per_cube:
            write_text(folder / "cubes.csv", _csv([dict(row) for row in evaluation.per_cube]))
        write_text(paths["html"], page)
    return paths


def render(evaluation: Evaluation) -> str:
    """Return the page; everything in it is inlined."""
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template.filters["number"], template.filters["span"] = number, span
    template.filters["signed"], template.filters["signed_span"] = signed, signed_span
    text = files("napari_hsisynth.metrics").joinpath("report_template.html").read_text("utf-8")
    pairs = evaluation.pair_pictures
    with rc_context(plots.STYLE):
        return template.from_string(text).render(
            evaluation=evaluation,
            baselines=_baselines(evaluation),
            verdict=verdict,
            spectra=plots.spectra_plot(evaluation),
            spectra_alt=_spectra_alt(evaluation),
            floors=plots.floors_plot(evaluation) if evaluation.kind == "sets" else None,
            thumbnail=plots.thumbnail,
            error_map=lambda pair: plots.error_map(pair, plots.largest_error_deg(pairs)),
            largest_error=plots.largest_error_deg(pairs) if pairs else None,
            version=__version__,
            date=time.strftime("%Y-%m-%d"),
        )


def _spectra_alt(evaluation: Evaluation) -> str:
    """Say the plot in words, for those who cannot see it."""
    said = []
    for spectrum in evaluation.spectra:
        origin = "synthetic" if spectrum.synthetic else "real"
        first, last = (
            spectrum.mean[evaluation.wavelengths_nm.argmin()],
            spectrum.mean[evaluation.wavelengths_nm.argmax()],
        )
        said.append(f"{origin} {spectrum.region}: {first:.2f} at the shortest to {last:.2f} at the longest wavelength")
    return "Mean spectra. " + "; ".join(said)


def _metrics_csv(evaluation: Evaluation) -> str:
    rows = []
    for name, measure in evaluation.metrics.items():
        row: dict[str, Any] = {"metric": name, "label": measure.label, "unit": measure.unit}
        for column in _COLUMNS[evaluation.kind]:
            value = _column(measure, column)
            if column in _RANGES:
                row[f"{column}_low"], row[f"{column}_high"] = value or (None, None)
            else:
                row[column] = value
        for name in _baselines(evaluation):
            row |= _baseline_columns(name, measure)
        rows.append(row | {"note": measure.note})
    return _csv(rows)


def _baselines(evaluation: Evaluation) -> list[str]:
    """Names of what the model has to beat."""
    return list(dict.fromkeys(name for m in evaluation.metrics.values() for name in m.more.get("baselines", ())))


def _baseline_columns(name: str, measure: Measure) -> dict[str, Any]:
    figures = measure.more.get("baselines", {}).get(name, {})
    difference = figures.get("difference", {})
    low, high = figures.get("ci") or (None, None)
    difference_low, difference_high = difference.get("ci") or (None, None)
    return {
        name: figures.get("value"),
        f"{name} ci_low": low,
        f"{name} ci_high": high,
        f"difference to {name}": difference.get("value"),
        f"difference to {name} ci_low": difference_low,
        f"difference to {name} ci_high": difference_high,
    }


def _column(measure: Measure, column: str) -> Any:
    direct: dict[str, Callable[[Measure], Any]] = {
        "n": lambda m: m.n,
        "value": lambda m: m.value,
        "ci": lambda m: m.ci,
        "floor": lambda m: m.floor,
    }
    return direct[column](measure) if column in direct else measure.more.get(column)


def _csv(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV: an empty field where a figure is not defined."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in json_ready(row).items()} for row in rows)
    return text.getvalue()
