"""Curves as tables: in long form for files and programs, in wide form for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

from napari_hsisynth.widgets.curves import Curve

_COLUMNS = ("curve", "kind", "cube", "origin", "y", "x", "n", "transform", "wavelength_nm")
_STATISTICS = ("statistic", "value", "std", "lower_quartile", "upper_quartile")


def long_table(curves: Iterable[Curve], treatment: str) -> str:
    """Return curves as CSV, one row per curve and band; missing values are empty.

    Columns: the curve, its kind, its cube and where that comes from; row and column of the pixel, of the middle of a
    region; number of pixels (of lesions for a class mean); what the values went through; wavelength; then whether
    `value` is the value of one spectrum, a mean or a median, and the spread there is.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *_STATISTICS])
    for curve in curves:
        y, x = ("", "") if curve.place is None else (f"{place:.6g}" for place in curve.place)
        went_through = curve.note if curve.kind == "reference" and curve.note else treatment
        head = [curve.name, curve.kind, curve.cube, curve.origin, y, x, curve.n, went_through]
        nothing = np.full(len(curve.values), np.nan)
        columns = [curve.values, *(nothing if each is None else each for each in (curve.std, curve.lower, curve.upper))]
        for wavelength, *values in zip(curve.wavelengths_nm, *columns, strict=True):
            writer.writerow([*head, f"{wavelength:.6g}", curve.statistic, *map(_number, values)])
    return text.getvalue()


def wide_table(curves: Sequence[Curve]) -> str:
    """Return curves as tab-separated text to paste: one row per wavelength, a column per curve and per spread."""
    several = len({curve.cube for curve in curves if curve.kind != "reference"}) > 1
    head, columns = ["wavelength (nm)"], []
    for curve in curves:
        name = f"{curve.name} ({curve.cube})" if several else curve.name
        parts = {name: curve.values}
        if curve.lower is not None and curve.upper is not None:
            parts = {f"{name} median": curve.values, f"{name} 25 %": curve.lower, f"{name} 75 %": curve.upper}
        elif curve.std is not None:
            parts = {f"{name} mean": curve.values, f"{name} std": curve.std}
        for title, values in parts.items():
            head.append(title)
            columns.append({float(nm): _number(value) for nm, value in zip(curve.wavelengths_nm, values, strict=True)})
    wavelengths = sorted(set().union(*columns)) if columns else []
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(head)
    writer.writerows([f"{nm:.6g}", *(column.get(nm, "") for column in columns)] for nm in wavelengths)
    return text.getvalue()


def _number(value: float) -> str:
    return f"{value:.7g}" if np.isfinite(value) else ""
