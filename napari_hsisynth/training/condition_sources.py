"""`Source`: a crop, a mask or a photograph that cubes can be made to show, and where to find such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_hsisynth import photographs
from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord, drawn_crops, read_crop, read_crops_index
from napari_hsisynth.study.crops import INDEX
from napari_hsisynth.study.split_file import SPLITS, read_split
from napari_hsisynth.training import lesion_masks
from napari_hsisynth.training.data import fill_invalid, resize
from napari_hsisynth.training.generator import Generator
from napari_hsisynth.training.lesion_masks import read_mask, resized_mask
from napari_hsisynth.training.photos import sized_photograph
from napari_hsisynth.typed_path import typed_path

#: The argument, and the flag of the command line, that brings what a family needs.
FLAGS = {"masks": "mask", "rgb": "rgb"}


@dataclass(frozen=True, eq=False)
class Shown:
    """What one cube is made to show, at the model's size.

    Parameters
    ----------
    mask : ndarray of bool, shape (size, size), optional
        The lesion; also known of a crop whose render is shown.
    rgb : ndarray of float32, shape (3, size, size), optional
        sRGB in [0, 1].
    """

    mask: NDArray[np.bool_] | None = None
    rgb: NDArray[np.float32] | None = None

    def of(self, need: str) -> NDArray[np.generic]:
        """The array for one of `Generator.needs`."""
        array = {"masks": self.mask, "rgb": self.rgb}[need]
        assert array is not None
        return array


@dataclass(frozen=True)
class Source:
    """Where a mask or an RGB image comes from: a crop, or a file of either kind.

    Parameters
    ----------
    name : str
        Id of the crop, or name of the file.
    path : pathlib.Path
        The file.
    record : CropRecord, optional
        Of a crop.
    folder : pathlib.Path, optional
        Of its index.
    """

    name: str
    path: Path
    record: CropRecord | None = None
    folder: Path | None = None

    @classmethod
    def of_crop(cls, folder: Path, record: CropRecord) -> Source:
        """A crop that an index lists."""
        return cls(record.crop_id, folder / record.file, record, folder)

    @classmethod
    def of_file(cls, path: Path, root: Path) -> Source:
        """A file, named by its way from the folder it was found in."""
        name = path.name if path == root else path.relative_to(root).as_posix()
        return cls(
            name.encode("utf-8", "replace").decode("utf-8"), path
        )  # names on Linux may be bytes that are no text

    @property
    def diagnosis(self) -> str | None:
        """Of a crop."""
        return None if self.record is None else self.record.diagnosis.value

    def read(self, generator: Generator) -> Shown:
        """Read it for a model.

        Raises
        ------
        InputError
            If it cannot be read, or a mask has no lesion or nothing else.
        """
        size, masks, rgb = generator.config.image_size, "masks" in generator.needs, "rgb" in generator.needs
        if not rgb:
            return Shown(mask=read_mask(self.path, size))  # of a crop without its cube
        if self.record is None or self.folder is None:
            return Shown(rgb=sized_photograph(self.path, size))
        crop = read_crop(self.folder, self.record)
        if crop.cube.bands != len(generator.wavelengths_nm):
            what = f"the crop has {crop.cube.bands} bands, the model {len(generator.wavelengths_nm)}"
            raise InputError(what, where=self.path)
        data, _ = fill_invalid(crop.cube.data, where=self.name)
        image = resize(torch.from_numpy(data), size).numpy()
        mask = resized_mask(crop.mask, size)
        if masks:
            lesion_masks.check(mask, where=self.path)
        return Shown(mask, generator.render(image[None])[0])


def training_crops(generator: Generator) -> list[Source]:
    """The crops that a run learned from; for masks only those with lesion and skin in their central square.

    Held-out ones would leak into a synthetic set.
    """
    study, side_of = generator.study(), split_of(generator)
    side = [
        record
        for record in study.crops()
        if side_of.get(record.cube_id) == "train" and generator.diagnosis in ("", record.diagnosis.value)
    ]
    seen = [side[number] for number in drawn_crops(side, generator.config.train_crops, generator.config.seed)]
    crops = [
        Source.of_crop(study.crops_dir, record)
        for record in seen
        if not generator.classes or record.diagnosis.value in generator.classes
    ]
    if "masks" not in generator.needs:
        return crops
    size = generator.config.image_size
    return [crop for crop in crops if _has_mask(crop.path, size)]


def _has_mask(path: Path, size: int) -> bool:
    try:
        read_mask(path, size)
    except InputError:
        return False
    return True


def split_of(generator: Generator) -> Mapping[str, str]:
    """On which side the cubes of the study were when the run was trained: a run keeps its split once it is changed."""
    return read_split(generator.run.path / SPLITS)[0] or generator.study().splits()


def sources_at(generator: Generator, need: str, place: str | Path) -> list[Source]:
    """Find what is given for one of `Generator.needs`, in order.

    Parameters
    ----------
    generator : Generator
        Whose study may hold the crop.
    need : {"masks", "rgb"}
        What it is to be.
    place : path or str
        A file, a folder of files (and folders), a folder with ``crops.csv``, or the id of a crop of the run's study.

    Raises
    ------
    InputError
        If nothing is found.
    """
    path = typed_path(place)
    if not path.exists():
        return [_crop_of_study(generator, need, str(place))]
    folder = path if path.is_dir() else path.parent
    if (folder / INDEX).is_file():
        crops = [Source.of_crop(folder, record) for record in read_crops_index(folder)]
        if chosen := [crop for crop in crops if path in (folder, crop.path)]:
            return chosen
    suffixes = {"masks": lesion_masks.SUFFIXES, "rgb": photographs.SUFFIXES}[need]
    return [Source.of_file(file, path) for file in photographs.files_in(path, suffixes)]


def _crop_of_study(generator: Generator, need: str, crop_id: str) -> Source:
    try:
        study = generator.study()
        found = [Source.of_crop(study.crops_dir, record) for record in study.crops() if record.crop_id == crop_id]
    except InputError:  # without a study it can only have been a file
        found = []
    if not found:
        raise InputError("neither a file or folder nor a crop of the run's study", where=f"{FLAGS[need]} {crop_id}")
    return found[0]
