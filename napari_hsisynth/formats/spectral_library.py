"""Spectral libraries: named reference spectra from ENVI libraries and from tables."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats.envi_bands import in_nm
from napari_hsisynth.formats.envi_files import data_of, header_beside, is_header_name
from napari_hsisynth.formats.envi_header import EnviHeader, read_header
from napari_hsisynth.formats.envi_layout import read_layout
from napari_hsisynth.formats.envi_values import read_scaling
from napari_hsisynth.formats.library_table import MOST_BYTES, decoded, read_table
from napari_hsisynth.formats.registry import clear_errors
from napari_hsisynth.formats.unlabelled import Variable, check_claim
from napari_hsisynth.lazy_array import RawFile


@dataclass(frozen=True, eq=False)
class SpectralLibrary:
    """Named spectra on common wavelengths.

    Parameters
    ----------
    names : tuple of str
        One for each spectrum.
    wavelengths_nm : ndarray, shape (n,)
        Strictly ascending.
    values : ndarray, float64, shape (spectra, n)
        In the unit of the file; NaN where a spectrum has no value.
    source : str
        Name of the file.
    notes : tuple of str
        What had to be assumed, one sentence each, to be shown to the user.

    Raises
    ------
    InputError
        If the shapes do not agree, there is no spectrum, or the wavelengths do not ascend.

    Examples
    --------
    >>> library = SpectralLibrary(("a",), np.array([400.0, 500.0]), np.array([[1.0, 3.0]]))
    >>> library.resampled([450, 600])
    array([[ 2., nan]])
    """

    names: tuple[str, ...]
    wavelengths_nm: NDArray[np.float64]
    values: NDArray[np.float64]
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        nm, values = np.asarray(self.wavelengths_nm, np.float64), np.asarray(self.values, np.float64)
        where = self.source or "spectral library"
        if nm.ndim != 1 or values.shape != (len(self.names), len(nm)) or not values.size:
            raise InputError(
                f"{len(self.names)} names and wavelengths of shape {nm.shape} do not fit spectra of {values.shape}",
                where=where,
            )
        if not np.isfinite(nm).all() or (np.diff(nm) <= 0).any():
            raise InputError("wavelengths must ascend, each one once", where=where)
        object.__setattr__(self, "wavelengths_nm", nm)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.names)

    def resampled(self, wavelengths_nm: ArrayLike) -> NDArray[np.float64]:
        """Interpolate all spectra linearly at other wavelengths.

        Parameters
        ----------
        wavelengths_nm : array_like, shape (bands,)
            In any order.

        Returns
        -------
        ndarray, shape (spectra, bands)
            NaN outside the range in which a spectrum has values; where it lacks some within, its neighbours are joined.
        """
        wanted = np.asarray(wavelengths_nm, dtype=np.float64).reshape(-1)
        found = np.full((len(self), len(wanted)), np.nan)
        for row, spectrum in zip(found, self.values, strict=True):
            there = np.isfinite(spectrum)
            if there.any():
                row[:] = np.interp(wanted, self.wavelengths_nm[there], spectrum[there], left=np.nan, right=np.nan)
        return found


def read_library(path: str | PathLike[str]) -> SpectralLibrary:
    """Read a spectral library.

    Parameters
    ----------
    path : path-like
        An ENVI spectral library (its header or its ``.sli``), or a table as text, separated by commas, semicolons, tabs
        or blanks, with decimal points or commas:

        - wavelengths in the first column and one spectrum in each further one, with or without a row of names;
        - wavelengths in the first row and one spectrum in each further row, behind its name;
        - the Spectra dock's export, with the columns ``curve``, ``wavelength_nm`` and ``value``.

        The unit of the wavelengths is taken from the first column's name, else guessed by their size.

    Returns
    -------
    SpectralLibrary
        Ordered by wavelength; ``notes`` say what was assumed.

    Raises
    ------
    InputError
        If the file is missing, damaged, larger than 16 MiB as a table, or no spectral library.
    """
    path = Path(path)
    with clear_errors(path, "not a usable spectral library"):
        if not path.exists():
            raise InputError("no such file")
        if not path.is_file():
            raise InputError("not a regular file")
        if is_header_name(path) or header_beside(path) is not None:
            return _envi_library(path)
        with open(path, "rb") as handle:
            raw = handle.read(MOST_BYTES + 1)
        if not raw:
            raise InputError("the file is empty")
        if len(raw) > MOST_BYTES:
            raise InputError(f"too large for a table of spectra: more than {MOST_BYTES // 2**20} MiB")
        table = read_table(decoded(raw), path.stem)
        nm, notes = in_nm(table.wavelengths, table.unit)
        return _sorted(table.names, nm, table.values, path.name, (*table.notes, *notes))


def _sorted(
    names: tuple[str, ...],
    nm: NDArray[np.float64] | None,
    values: NDArray[np.float64],
    source: str,
    notes: tuple[str, ...],
) -> SpectralLibrary:
    if nm is None:
        raise InputError(notes[-1].replace(" and were left out", ""), fix="give wavelengths in nm or µm")
    order = np.argsort(nm, kind="stable")
    again = nm[order][1:][np.diff(nm[order]) == 0]
    if len(again):
        raise InputError(f"the wavelength {again[0]:g} nm is there more than once")
    return SpectralLibrary(names, nm[order], values[:, order], source, notes)


def _envi_library(path: Path) -> SpectralLibrary:
    beside = path if is_header_name(path) else header_beside(path)
    assert beside is not None
    header = read_header(beside)
    if "library" not in header.text("file type").lower():
        raise InputError(
            f"not a spectral library: its file type is '{header.text('file type')[:60]}'", fix="open it as a cube"
        )
    layout = read_layout(header, library=True)
    spectra, channels = layout.sizes["y"], layout.sizes["x"]
    if layout.sizes["b"] != 1:
        raise InputError(f"'bands' is {layout.sizes['b']}, and is 1 in a spectral library")
    data, notes = (path, ()) if beside is not path else data_of(header, layout.interleave, layout.needed_bytes)
    notes = (*notes, *layout.notes, *layout.check(data))
    check_claim(Variable("spectra", (spectra, channels), str(layout.dtype)), data.stat().st_size)
    if not header.text("wavelength"):
        raise InputError("the header has no 'wavelength'", fix="add the wavelength of each channel")
    nm, said = in_nm(header.numbers("wavelength", channels), header.text("wavelength units"))
    scaling = read_scaling(header, layout)
    # not as the float32 of cubes: libraries are small and often float64
    stored = RawFile(data, layout.dtype, (spectra, channels), layout.offset)[:]
    values = np.where(stored == scaling.missing, np.nan, np.abs(stored) if stored.dtype.kind == "c" else stored)
    names, named = _names(header, spectra)
    scaled = values.astype(np.float64) / scaling.scale
    return _sorted(names, nm, scaled, beside.name, (*notes, *scaling.notes, *said, *named))


def _names(header: EnviHeader, spectra: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    numbered = tuple(f"spectrum {number + 1}" for number in range(spectra))
    if not header.text("spectra names"):
        return numbered, ("the spectra have no names and were numbered",)
    try:
        names = header.items("spectra names", spectra)
    except InputError:
        names = []
    if len(names) != spectra:
        return numbered, (f"the names do not fit the {spectra} spectra, which were numbered",)
    return tuple(name or number for name, number in zip(names, numbered, strict=True)), ()
