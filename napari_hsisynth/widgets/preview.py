"""`Preview`: what a training run shows of its samples while it runs; read and rendered off the GUI thread."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite import band_mean, rgb_cie1931
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError

#: How a sheet of small pictures is rendered.
RENDERINGS = ("colour (CIE 1931)", "band mean")


@dataclass(frozen=True)
class Tile:
    """One picture of the contact sheet.

    Parameters
    ----------
    cube : Cube
        What is behind the picture.
    title : str
        Such as ``sample 3`` or ``original 2``.
    origin : {"real", "synthetic"}
    pixels : ndarray of uint8, shape (y, x, 3)
    diagnosis : str
        That the model was asked for; empty for one without conditions.
    mask : ndarray of bool, shape (y, x), optional
        Where the model was asked to put the lesion.
    asked : ndarray of uint8, shape (y, x, 3), optional
        The RGB image that the model was asked to make this cube of.
    """

    cube: Cube
    title: str
    origin: str
    pixels: NDArray[np.uint8]
    diagnosis: str = ""
    mask: NDArray[np.bool_] | None = None
    asked: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Spectra:
    """Mean and standard deviation over pixels, real and synthetic, shapes (bands,)."""

    wavelengths_nm: NDArray[np.float64]
    real_mean: NDArray[np.float32]
    real_std: NDArray[np.float32]
    synthetic_mean: NDArray[np.float32]
    synthetic_std: NDArray[np.float32]


@dataclass(frozen=True)
class Preview:
    """The contents of one ``previews/NNN.npz``.

    Parameters
    ----------
    images : int
        Images shown when it was made.
    samples : list of Tile
    pairs : list of Tile
        Originals, each followed by its reconstruction; empty for models that do not reconstruct.
    spectra : Spectra or None
        None if the file holds none.
    """

    images: int
    samples: list[Tile]
    pairs: list[Tile]
    spectra: Spectra | None


def load_preview(path: Path, images: int, rendering: str = RENDERINGS[0], name: str = "") -> Preview:
    """Read and render a preview.

    All pictures of a preview share one white, so that a dark sample looks dark beside a bright one.

    Parameters
    ----------
    path : pathlib.Path
        The file that a preview event names.
    images : int
        Images shown when it was made.
    rendering : str
        A name of `RENDERINGS`.
    name : str
        Of the run, for the names of the cubes.

    Raises
    ------
    InputError
        If the file cannot be read as a preview.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        wavelengths_nm = np.asarray(arrays["wavelengths_nm"], dtype=np.float64)
        samples = arrays["samples"]
        originals, reconstructions = arrays.get("originals", samples[:0]), arrays.get("reconstructions", samples[:0])
        white = _white(originals if len(originals) else samples)
        render = _Renderer(rendering, wavelengths_nm, white, f"{name} @ {images:,} images".strip())
        return Preview(
            images,
            [
                replace(render.tile(cube, f"sample {number}", "synthetic", diagnosis), mask=mask, asked=asked)
                for number, (cube, diagnosis, mask, asked) in enumerate(
                    zip(samples, _diagnoses(arrays), _masks(arrays), _asked(arrays), strict=True), 1
                )
            ],
            [
                tile
                for number, (original, copy) in enumerate(zip(originals, reconstructions, strict=True), 1)
                for tile in (
                    render.tile(original, f"original {number}", "real"),
                    render.tile(copy, f"reconstruction {number}", "synthetic"),
                )
            ],
            _spectra(arrays, wavelengths_nm),
        )
    except InputError:
        raise
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot be read as a preview: {error}", where=path) from error


class _Renderer:
    """Cubes of one preview to pictures of one white; cubes without wavelengths have no colour and become grey."""

    def __init__(self, rendering: str, wavelengths_nm: NDArray[np.float64], white: float, suffix: str) -> None:
        self.rendering, self.wavelengths_nm, self.white, self.suffix = rendering, wavelengths_nm, white, suffix

    def tile(self, data: NDArray[np.float32], title: str, origin: str, diagnosis: str = "") -> Tile:
        provenance = {"origin": origin, "preview": True} | ({"diagnosis": diagnosis} if diagnosis else {})
        cube = Cube(data, self.wavelengths_nm, name=f"{self.suffix} {title}".strip(), provenance=provenance)
        if self.rendering == RENDERINGS[0]:
            picture = rgb_cie1931(cube, white=self.white)
        else:
            picture = np.repeat((band_mean(cube) / self.white)[..., None], 3, axis=-1)
        return Tile(cube, title, origin, _bytes(picture), diagnosis)


def _bytes(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn values of 0..1 into bytes; what is not a number is black."""
    return np.ascontiguousarray(np.nan_to_num(np.clip(picture, 0, 1) * 255).astype(np.uint8))


def _diagnoses(arrays: dict[str, NDArray]) -> list[str]:
    """Return what each sample should show; empty texts for a model without conditions."""
    if "sample_classes" not in arrays or "class_names" not in arrays:
        return [""] * len(arrays["samples"])
    names = [str(name) for name in arrays["class_names"]]
    return [names[number] for number in arrays["sample_classes"]]


def _masks(arrays: dict[str, NDArray]) -> Sequence[NDArray[np.bool_] | None]:
    """Return where each sample was asked to have its lesion; None for a model that is not told."""
    samples, masks = arrays["samples"], arrays.get("sample_masks")
    if masks is None:
        return [None] * len(samples)
    if masks.shape != (len(samples), *samples.shape[-2:]):
        raise ValueError(f"masks of shape {masks.shape} for samples of shape {samples.shape}")
    return list(masks.astype(bool))


def _asked(arrays: dict[str, NDArray]) -> Sequence[NDArray[np.uint8] | None]:
    """Return the RGB image that each sample was made of; None for a model that makes none of such."""
    count, images = len(arrays["samples"]), arrays.get("sample_rgb")
    if images is None:
        return [None] * count
    if images.ndim != 4 or images.shape[:2] != (count, 3):
        raise ValueError(f"RGB images of shape {images.shape} for {count} samples")
    return [_bytes(np.moveaxis(image, 0, -1)) for image in images]


def _white(cubes: NDArray[np.float32]) -> float:
    """Return the value of a flat spectrum that is shown as white: the 99.5th percentile of the band means."""
    means = cubes.mean(axis=1)
    finite = means[np.isfinite(means)]
    return max(float(np.percentile(finite, 99.5)), 1e-6) if finite.size else 1.0


def _spectra(arrays: dict[str, NDArray], wavelengths_nm: NDArray[np.float64]) -> Spectra | None:
    names = ("real_mean", "real_std", "synthetic_mean", "synthetic_std")
    if any(name not in arrays for name in names):
        return None
    return Spectra(wavelengths_nm, *(arrays[name] for name in names))
