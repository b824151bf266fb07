"""Photographs to cubes by the optics of skin: files in, files out. Nothing is trained."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.composite import cie1931_rgb_weights
from napari_hsisynth.cube import HSIDERMOSCOPY_BANDS, HSIDERMOSCOPY_RANGE_NM, Cube, even_wavelengths_nm
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import write_cube
from napari_hsisynth.formats.registry import writable_format
from napari_hsisynth.optics import INVERSION_METHOD, PROBLEMS, InvertedImage, SkinInversion, camera_gain
from napari_hsisynth.photographs import files_in, read_photograph
from napari_hsisynth.study import Cancelled, Study, read_crop
from napari_hsisynth.study.storage import writing
from napari_hsisynth.typed_path import typed_path

MARK = "SYNTHETIC"
NOTE = f"{MARK}: spectra computed from the colours of a photograph by a model of skin, not measured"

#: Training crops and pixels of each that the gain of a study's camera is estimated from.
_CROPS, _PIXELS = 64, 128
#: Share of these pixels that stays below white in all three channels.
_WHITE_PERCENTILE = 99.5

#: Told (photographs done, photographs in all, share of the present one).
Progress = Callable[[int, int, float], None]


@dataclass
class InversionReport:
    """What `invert_photographs` has done.

    Parameters
    ----------
    cubes : list of pathlib.Path
        Written cubes, in the order of the photographs.
    skipped : list of (str, str)
        Photographs that could not be read, and why.
    notes : list of str
        What had to be assumed or cannot be kept by the format, one sentence each.
    pixels : int
        Of all photographs together.
    problems : Counter of str
        How many of them have which problem, see `optics.PROBLEMS`.
    """

    cubes: list[Path] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pixels: int = 0
    problems: Counter[str] = field(default_factory=Counter)


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
        A file, or a folder of them and of folders. What is below `out` in it is left out.
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
        Replace cubes and maps of the same names; else there must be none.
    progress : callable, optional
        See `Progress`.
    cancelled : callable, optional
        Asked often; true raises `Cancelled`. Cubes that are written stay.

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
    ways = _found(typed_path(photographs), folder)
    suffix = writable_format(folder, format).written_suffixes[0]
    if like is not None and wavelengths_nm is not None:
        raise InputError("a study has its own wavelengths", where="wavelengths_nm", fix="leave out one of the two")
    names = [f"{MARK}_{name}" for name in _names(list(ways))]
    written = [folder / f"{name}{suffix}" for name in names]
    written += [_maps_file(folder, name) for name in names] if maps else []
    there = [path for path in written if path.exists()]
    if there and not replace:
        more = f", and {len(there) - 1} more" if len(there) > 1 else ""
        raise InputError(f"is there already{more}", where=there[0], fix="use another --out, or --replace")
    study = None if like is None else Study.open(like)
    if study is not None:
        nm = np.asarray(study.wavelengths_nm, np.float64)
    elif wavelengths_nm is not None:
        nm = np.asarray(wavelengths_nm, np.float64)
    else:
        nm = even_wavelengths_nm(HSIDERMOSCOPY_BANDS, *HSIDERMOSCOPY_RANGE_NM)
    weights = cie1931_rgb_weights(nm)
    inversion = SkinInversion(nm, weights)
    gain = None if study is None else study_gain(study, weights)
    report = InversionReport()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for number, ((way, file), name) in enumerate(zip(ways.items(), names, strict=True)):
        tell = partial(_tell, progress, cancelled, number, len(ways))
        tell(0, 1)
        try:
            rgb = _in_colour(read_photograph(file), file)
        except InputError as error:
            if len(ways) == 1:
                raise
            report.skipped.append((way.as_posix(), error.what))
            continue
        found = inversion.invert(rgb, progress=tell)
        provenance = {
            "synthetic": "skin-optics inversion",
            "method": INVERSION_METHOD,
            "photograph": way.as_posix(),
            "photograph_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        if study is not None and gain is not None:
            found.values[...] *= gain.astype(np.float32)[:, None, None]
            provenance |= {"gain_of_study": study.name, "gain": gain.tolist()}
        target = folder / f"{name}{suffix}"
        with writing(target):
            report.notes += write_cube(target, Cube(found.values, nm, name=name, provenance=provenance), format=format)
            if maps:
                _write_maps(_maps_file(folder, name), found, provenance)
        report.cubes.append(target)
        report.pixels += found.problems.size
        report.problems.update(found.counts())
    if not report.cubes:
        name, reason = report.skipped[0]
        raise InputError(f"none of the {len(ways)} photographs can be read; {name}: {reason}", where=photographs)
    report.notes = list(dict.fromkeys(report.notes))
    if progress is not None:
        progress(len(ways), len(ways), 0.0)
    return report


def study_gain(study: Study, rgb_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Value per unit of reflectance that a study's camera records, from training crops; shape (bands,).

    Raises
    ------
    InputError
        If there are no training crops.
    """
    splits = study.splits()
    records = [record for record in study.crops() if splits.get(record.cube_id) == "train"]
    if not records:
        raise InputError("the study has no training crops", where=study.root, fix="run: napari-hsisynth crop STUDY")
    chosen = np.unique(np.linspace(0, len(records) - 1, min(_CROPS, len(records))).astype(int))
    spectra, skin = [], []
    for number in chosen:
        crop = read_crop(study.crops_dir, records[number])
        places = np.flatnonzero(crop.cube.valid())
        places = places[np.linspace(0, len(places) - 1, min(_PIXELS, len(places))).astype(int)]
        spectra.append(crop.cube.data.reshape(crop.cube.bands, -1)[:, places].T.astype(np.float64))
        inside = crop.mask.reshape(-1)[places]
        skin.append(~inside if crop.mask.any() else np.zeros_like(inside))
    pixels = np.concatenate(spectra)
    white = float(np.percentile((pixels @ rgb_weights.T).max(axis=1), _WHITE_PERCENTILE))
    if not white > 0:
        raise InputError("the training crops are black", where=study.root, fix="check the cubes")
    return camera_gain(study.wavelengths_nm, rgb_weights / white, pixels, np.concatenate(skin))


def _found(photographs: Path, out: Path) -> dict[PurePath, Path]:
    """Photographs by their ways below the folder that was given; without those in a folder `out` that lies in it."""
    files = files_in(photographs)
    if not photographs.is_dir():
        return {PurePath(file.name): file for file in files}
    if photographs.resolve() in out.resolve().parents:
        files = [file for file in files if out.resolve() not in file.resolve().parents]
        if not files:
            raise InputError("the folder holds no photographs but those in --out", where=photographs)
    return {PurePath(file.relative_to(photographs)): file for file in files}


def _names(ways: Sequence[PurePath]) -> list[str]:
    """Names for cubes of photographs, each its own on file systems that do not tell upper from lower case too."""
    plain = ["_".join(way.with_suffix("").parts) for way in ways]
    count = Counter(name.casefold() for name in plain)
    taken = {name for name, number in count.items() if number == 1}
    names = []
    for name, way in zip(plain, ways, strict=True):
        if count[name.casefold()] > 1:
            name = next(each for each in _tries(f"{name}_{way.suffix.lstrip('.')}") if each.casefold() not in taken)
            taken.add(name.casefold())
        names.append(name)
    return names


def _tries(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


def _maps_file(folder: Path, name: str) -> Path:
    return folder / "maps" / f"{name}.npz"


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


def _write_maps(path: Path, found: InvertedImage, provenance: dict[str, Any]) -> None:
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
