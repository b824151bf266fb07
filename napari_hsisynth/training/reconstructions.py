"""Held-out crops, what a model makes of them, and what those make of them that it has to beat."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord
from napari_hsisynth.training.condition_sources import split_of
from napari_hsisynth.training.data import ImageSet, load_images
from napari_hsisynth.training.generator import Generator
from napari_hsisynth.training.rgb_baselines import (
    LINEAR_REGRESSION,
    SKIN_INVERSION,
    LinearRegression,
    skin_inversion,
    training_pixels,
)


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """Pairs of original and reconstruction.

    Parameters
    ----------
    originals, made : ndarray of float32, shape (n, bands, size, size)
        At the training size, in the camera's values; invalid pixels of an original have been filled.
    records : list of CropRecord
        Where each came from.
    wavelengths_nm : ndarray, shape (bands,)
        Band centres.
    trained_on : int
        How many of the originals the model was trained on.
    baselines : dict of str to ndarray
        What has to be beaten, by name, of the shape of `made`: for models that make cubes of RGB images, what linear
        regression and the inverted skin model make of the same images. Empty for others.
    notes : tuple of str
        How the baselines came about, and why one is missing.
    """

    originals: NDArray[np.float32]
    made: NDArray[np.float32]
    records: list[CropRecord]
    wavelengths_nm: NDArray[np.float64]
    trained_on: int
    baselines: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def reconstructions(generator: Generator, splits: Collection[str]) -> Reconstructions:
    """Send the crops of some splits through a model; see `sampling.reconstruct`.

    Raises
    ------
    InputError
        If there are no such crops, or the model does not reconstruct.
    """
    images = _crops(generator, splits)
    if not len(images):
        raise InputError("no such crops of this run's diagnosis", where=generator.study().root, fix="use another split")
    side_of = split_of(generator)
    made = generator.reconstruct(images.images, [record.diagnosis.value for record in images.records])
    baselines, notes = _baselines(generator, images) if "rgb" in generator.recipe.needs else ({}, ())
    return Reconstructions(
        images.images,
        made,
        list(images.records),
        images.wavelengths_nm,
        sum(side_of.get(record.cube_id) == "train" for record in images.records),
        baselines,
        notes,
    )


def _crops(generator: Generator, splits: Collection[str]) -> ImageSet:
    images = load_images(
        generator.study(), splits, image_size=generator.config.image_size, diagnosis=generator.diagnosis or None
    )
    if splits == {"train"}:  # those that the model has seen
        images = images.some(generator.config.train_crops, generator.config.seed)
    return images.only(generator.classes) if generator.classes else images


def _baselines(generator: Generator, images: ImageSet) -> tuple[dict[str, NDArray[np.float32]], tuple[str, ...]]:
    train = _crops(generator, {"train"})
    if not len(train):
        return {}, ("no baselines: there are no training crops to fit them on",)
    pixels = training_pixels(train.images, train.masks, generator.render)
    rgb = generator.render(images.images)
    made = {LINEAR_REGRESSION: LinearRegression(pixels.rgb, pixels.spectra)(rgb)}
    notes = [
        f"{LINEAR_REGRESSION}: ridge regression from red, green and blue in linear light, with a constant, fitted on "
        f"{len(pixels.rgb):,} pixels of {len(train)} training crops"
    ]
    try:
        made[SKIN_INVERSION] = skin_inversion(pixels, images.wavelengths_nm, generator.render)(rgb)
        notes.append(
            f"{SKIN_INVERSION}: melanin, blood and light of a two-layer skin model for every pixel; of the training "
            "crops only the camera's gain per band"
        )
        if any(record.cube_id.startswith("PHANTOM") for record in images.records):
            notes.append(f"phantoms are made with the same skin model, which flatters the {SKIN_INVERSION}")
    except InputError as error:
        notes.append(f"no {SKIN_INVERSION}: {error}")
    return made, tuple(notes)
