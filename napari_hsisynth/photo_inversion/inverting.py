"""Photographs to cubes by the optics of skin: files in, files out. Nothing is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import write_cube
from napari_hsisynth.optics import PROBLEMS, InvertedImage, SkinInversion
from napari_hsisynth.photo_inversion.bands import Bands, bands_of
from napari_hsisynth.photo_inversion.files import MARK, Making, makings
from napari_hsisynth.photographs import read_photograph
from napari_hsisynth.study import Cancelled
from napari_hsisynth.study.storage import writing
from napari_hsisynth.typed_path import typed_path

NOTE = f"{MARK}: spectra computed from the colours of a photograph by a model of skin, not measured"

#: Told (photographs done, photographs in all, share of the present one).
Progress = Callable[[int, int, float], None]


@dataclass
class InversionReport:
    """What `invert_photographs` has done.

    Parameters
    ----------
    cubes : list of pathlib.Path
        Cubes that are there now, in the order of the photographs.
    kept : int
        How many of them were there already, as they would be written.
    skipped : list of (str, str)
        Photographs that could not be read, and why.
    notes : list of str
        What had to be assumed or cannot be kept by the format, one sentence each.
    pixels : int
        Of all photographs that were inverted now.
    problems : Counter of str
        How many of them have which problem, see `optics.PROBLEMS`.
    stopped : bool
        Whether `cancelled` ended it before the last photograph.
    """

    cubes: list[Path] = field(default_factory=list)
    kept: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pixels: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    stopped: bool = False


def invert_photographs(
    photographs: str | Path,
    out: str | Path,
    *,
    wavelengths_nm: ArrayLike | None = None,
    like: str | Path | None = None,
    format: str = "npz",
    maps: bool = False,
    replace: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> InversionReport:
    """Make a cube of every photograph by `optics.SkinInversion`.

    A photograph is taken as the CIE 1931 observer's view under D65 of lit skin, as in the CIE RGB view of a cube, with
    white at 1. The cube holds light times reflectance; it looks like the photograph. With `like` it has the bands of a
    study and what its camera would record: gain times light times reflectance.

    Parameters
    ----------
    photographs : path-like
        A file, or a folder of them and of folders. What is below `out` in it is left out; where both are one folder,
        what begins with ``SYNTHETIC_``.
    out : path-like
        Folder for the cubes, ``SYNTHETIC_<name>`` with the suffix of the format. Each appears when it is whole. The
        name is the way below the folder of photographs, its parts joined by ``_``, without suffix. Photographs that
        would get one name, in upper or lower case, keep their suffixes (``a_png``, ``a_tif``), and get numbers where
        that is not enough.
    wavelengths_nm : array_like, optional
        Bands of the cubes, nm; by default 16 from 465 to 630, as in HSIDermoscopy. Not together with `like`.
    like : path-like, optional
        A study with crops. Wavelengths are its own, and the gain per band of its camera is estimated from training
        crops by `optics.camera_gain`.
    format : str
        Name of a writable format.
    maps : bool
        Also write ``maps/SYNTHETIC_<name>.npz``: melanin_fraction, blood_fraction, light, residual and problems.
    replace : bool
        Replace cubes and maps of the same names; else there must be none, but those that are what would be written:
        whole, of the same photograph, bands and gain. These are kept in any case, so that the same call goes on with
        what was stopped.
    progress : callable, optional
        See `Progress`.
    cancelled : callable, optional
        Asked often; true ends the work. Cubes that are written stay, and are in the report.

    Returns
    -------
    InversionReport

    Raises
    ------
    InputError
        If there are no photographs or none can be read, an argument does not fit, the study has no training crops, or
        cubes would be replaced.
    """
    folder = typed_path(out)
    asked = makings(typed_path(photographs), folder, format=format, maps=maps)
    bands = bands_of(wavelengths_nm, like)
    report = InversionReport()
    whole: set[Path] = set()  # cubes and maps that are there
    try:
        _look(asked, bands, whole, replace, cancelled)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _make(asked, bands, whole, report, format, progress, cancelled)
    except Cancelled:
        report.stopped = True
    report.cubes = [making.cube for making in asked if making.cube in whole]
    report.notes = list(dict.fromkeys(report.notes))
    if report.stopped:
        return report
    if not report.cubes:
        name, reason = report.skipped[0]
        raise InputError(f"none of the {len(asked)} photographs can be read; {name}: {reason}", where=photographs)
    if progress is not None:
        progress(len(asked), len(asked), 0.0)
    return report


def _look(
    asked: list[Making], bands: Bands, whole: set[Path], replace: bool, cancelled: Callable[[], bool] | None
) -> None:
    """Add to `whole` what is there already as it would be written; InputError if something else is in the way."""
    in_the_way: list[Path] = []
    for making in asked:
        there = [path for path in making.files if path.exists()]
        if not there:
            continue
        if cancelled is not None and cancelled():
            raise Cancelled
        try:
            said = bands.provenance(making)
        except OSError:  # nothing will be made of this photograph
            continue
        for path in there:
            if bands.made(path, said, maps=path == making.maps):
                whole.add(path)
            else:
                in_the_way.append(path)
    if in_the_way and not replace:
        more = f", and {len(in_the_way) - 1} more" if len(in_the_way) > 1 else ""
        fix = "choose another folder, or replace it (--replace)"
        raise InputError(f"is there already, made otherwise{more}", where=in_the_way[0], fix=fix)


def _make(
    asked: list[Making],
    bands: Bands,
    whole: set[Path],
    report: InversionReport,
    format: str,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Write what is not whole, and add it to `whole` and to the report; Cancelled in the middle."""
    missing = [making for making in asked if not whole.issuperset(making.files)]
    report.kept = len(asked) - len(missing)
    if not missing:
        return
    inversion = SkinInversion(bands.nm, bands.weights)
    for number, making in enumerate(missing, report.kept):
        tell = partial(_tell, progress, cancelled, number, len(asked))
        tell(0, 1)
        try:
            rgb = _in_colour(read_photograph(making.file), making.file)
        except InputError as error:
            if len(asked) == 1:
                raise
            report.skipped.append((making.way.as_posix(), error.what))
            continue
        found = inversion.invert(rgb, progress=tell)
        said = bands.provenance(making)
        if bands.gain is not None:
            found.values[...] *= bands.gain.astype(np.float32)[:, None, None]
        with writing(making.cube):
            if making.cube not in whole:
                cube = Cube(found.values, bands.nm, name=making.cube.stem, provenance=said)
                report.notes += write_cube(making.cube, cube, format=format)
            if making.maps is not None and making.maps not in whole:
                _write_maps(making.maps, found, said | {"wavelengths_nm": bands.nm})
        whole.update(making.files)
        report.pixels += found.problems.size
        report.problems.update(found.counts())


def _in_colour(rgb: NDArray[np.float32], file: Path) -> NDArray[np.float32]:
    if all(np.array_equal(rgb[0], other, equal_nan=True) for other in rgb[1:]):
        raise InputError("a grey picture: its pixels have no colour", where=file, fix="pass a colour photograph")
    return rgb


def _tell(
    progress: Progress | None, cancelled: Callable[[], bool] | None, number: int, count: int, done: int, total: int
) -> None:
    if progress is not None:  # first: who stops it hears how far it was
        progress(number, count, done / total)
    if cancelled is not None and cancelled():
        raise Cancelled


def _write_maps(path: Path, found: InvertedImage, provenance: Mapping[str, Any]) -> None:
    arrays: dict[str, Any] = {
        "melanin_fraction": found.melanin_fraction,
        "blood_fraction": found.blood_fraction,
        "light": found.light,
        "residual": found.residual,
        "problems": found.problems,
        "problem_names": np.array([f"{key}: {text}" for key, text in PROBLEMS.items()]),
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays, **provenance)
