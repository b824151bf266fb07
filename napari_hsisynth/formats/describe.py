"""What a file holds, as JSON types and as text for eyes."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.formats.cubes import read_cube
from napari_hsisynth.formats.registry import format_of, parts_of
from napari_hsisynth.formats.unlabelled import choose


def describe(path: str | PathLike[str], **options: Any) -> dict[str, Any]:
    """Read a file and say what is in it.

    Parameters
    ----------
    path, **options
        As for `read_cube`. Large cubes are walked over, not held in memory.

    Returns
    -------
    dict
        JSON types: ``path, format, bytes, variables`` (name, shape and dtype of each array), ``variable`` (the one
        read), ``dtype`` (as stored), ``shape`` (bands, y, x), ``name, wavelengths_nm`` (None where bands are only
        numbered), ``wavelengths_known, bands`` (per band: wavelength_nm, min, max, mean of the finite values; None if
        there are none), ``nonfinite_values, nonfinite_pixels, provenance, notes``.

    Raises
    ------
    InputError
        If the file is not a cube.
    """
    path = Path(path)
    cube = read_cube(path, **{"lazy": None, **options})
    known = format_of(path)
    listed = list(known.variables(path))
    read = listed[0] if len(listed) == 1 else choose(listed, options.get("variable"))
    numbered = cube.axis_label == "band"
    lowest, highest = np.full(cube.bands, np.inf), np.full(cube.bands, -np.inf)
    sums, counts = np.zeros(cube.bands), np.zeros(cube.bands, dtype=np.int64)
    invalid_pixels = 0
    for _, block in cube.blocks():
        finite = np.isfinite(block)
        invalid_pixels += int(np.count_nonzero(~finite.all(axis=0)))
        counts += np.count_nonzero(finite, axis=(1, 2))
        sums += np.sum(block, axis=(1, 2), where=finite, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # a signalling NaN
            lowest = np.minimum(lowest, np.min(block, axis=(1, 2), where=finite, initial=np.inf))
            highest = np.maximum(highest, np.max(block, axis=(1, 2), where=finite, initial=-np.inf))
    bands = [
        {
            "wavelength_nm": None if numbered else wavelength,
            "min": float(low) if count else None,
            "max": float(high) if count else None,
            "mean": float(total / count) if count else None,
        }
        for wavelength, low, high, total, count in zip(
            cube.wavelengths_nm.tolist(), lowest, highest, sums, counts, strict=True
        )
    ]
    return {
        "path": str(path),
        "format": known.title,
        "bytes": sum(part.stat().st_size for part in parts_of(path)),
        "variables": [{"name": v.name, "shape": list(v.shape), "dtype": v.dtype} for v in listed],
        "variable": read.name,
        "dtype": read.dtype,
        "shape": list(cube.data.shape),
        "name": cube.name,
        "wavelengths_nm": None if numbered else cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "bands": bands,
        "nonfinite_values": int(cube.bands * cube.shape_yx[0] * cube.shape_yx[1] - counts.sum()),
        "nonfinite_pixels": invalid_pixels,
        "provenance": dict(cube.provenance),
        "notes": list(cube.notes),
    }


def describe_text(found: dict[str, Any]) -> str:
    """Return the lines that ``info`` prints for what `describe` found."""
    bands, height, width = found["shape"]
    lines = [
        f"{found['path']}",
        f"  format       {found['format']}, {found['bytes']:,} bytes",
        f"  cube         {bands} bands, {height} x {width} px (y, x), {found['dtype']}, variable {found['variable']}",
    ]
    if found["wavelengths_nm"] is None:
        lines.append("  wavelengths  unknown, bands numbered from 0")
    else:
        low, high = min(found["wavelengths_nm"]), max(found["wavelengths_nm"])
        lines.append(f"  wavelengths  {low:g}-{high:g} nm{'' if found['wavelengths_known'] else ' (assumed)'}")
    others = [v for v in found["variables"] if v["name"] != found["variable"]]
    if others:
        shapes = (f"{v['name']} {'x'.join(map(str, v['shape'])) or 'scalar'} {v['dtype']}" for v in others)
        lines.append(f"  also inside  {'; '.join(shapes)}")
    pixels = height * width
    lines.append(f"  not finite   {found['nonfinite_pixels']:,} of {pixels:,} pixels")
    lines += [f"  note         {note}" for note in found["notes"]]
    lines.append("  band        nm         min         max        mean")
    for number, band in enumerate(found["bands"]):
        place = "-" if band["wavelength_nm"] is None else f"{band['wavelength_nm']:.2f}"
        values = (f"{band[key]:>12.5g}" if band[key] is not None else f"{'-':>12}" for key in ("min", "max", "mean"))
        lines.append(f"  {number:>4}{place:>10}{''.join(values)}")
    return "\n".join(lines)
