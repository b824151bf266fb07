"""Band centres from a table that people wrote."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.settings import checked_wavelengths

_CENTRE = re.compile(r"wavelength|cent(re|er)|nm|lambda", re.IGNORECASE)


def read_wavelengths(path: Path) -> NDArray[np.float64]:
    r"""Read ``wavelengths.csv``: one band a row, with or without a header.

    Without a header the last column counts, with one the column called centre, wavelength or nm. A column ``band``
    gives the order; without it the rows are in the order of the bands.

    Returns
    -------
    ndarray, shape (bands,)
        Band centres, nm.

    Raises
    ------
    InputError
        If there is no such column, or a value is not a wavelength.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "wavelengths.csv"
    >>> _ = table.write_text("band,centre_nm\n1,469.8\n0,465.2\n")
    >>> read_wavelengths(table)
    array([465.2, 469.8])
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=path) from None
    separator = ";" if ";" in text else "\t" if "\t" in text else ","
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=separator)]
    rows = [row for row in rows if any(row)]
    if not rows:
        raise InputError("no wavelengths in the file", where=path)
    column, order = -1, None
    if not _is_number(rows[0][-1]) or not _is_number(rows[0][0]):
        header = [cell.lower() for cell in rows.pop(0)]
        found = [number for number, cell in enumerate(header) if _CENTRE.search(cell)]
        if not found:
            raise InputError(f"no column of wavelengths among {header}", where=path, fix="call it centre_nm")
        column = found[0]
        order = header.index("band") if "band" in header else None
    try:
        if order is not None:
            rows.sort(key=lambda row: float(row[order]))
        values = [float(row[column].replace(",", ".") if separator == ";" else row[column]) for row in rows]
    except (ValueError, IndexError):
        raise InputError("a row without a number", where=path, fix="write one band centre in nm a row") from None
    wavelengths = checked_wavelengths(values, where=path)
    if wavelengths.max() < 100:  # of light, no camera sees that; a table in micrometres is a common slip
        raise InputError(f"wavelengths up to {wavelengths.max():g} cannot be nm", where=path, fix="give them in nm")
    return wavelengths


def parse_wavelengths(text: str) -> NDArray[np.float64]:
    """Read band centres in nm as people type them: ``465, 476, 487``, or ``465:630:16`` for an even grid.

    Examples
    --------
    >>> parse_wavelengths("400:700:4")
    array([400., 500., 600., 700.])
    """
    try:
        if ":" in text:
            first, last, bands = text.split(":")
            if not 1 <= int(bands) <= 10_000:
                raise ValueError("that many bands no camera has")
            values = np.linspace(float(first), float(last), int(bands))
        else:
            values = np.array([float(word) for word in re.split(r"[,;\s]+", text.strip()) if word])
    except ValueError:
        raise InputError(
            f"'{text}' is neither a list of band centres like 465,476,487 nor a grid like 465:630:16"
        ) from None
    return checked_wavelengths(values)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
