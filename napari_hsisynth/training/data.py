"""The crops of a study as one tensor on the device: no loader, no worker processes, no waiting."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord, Diagnosis, Study, drawn_crops, read_crop
from napari_hsisynth.training.image_store import ImageStore
from napari_hsisynth.training.seeds import derive


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Crops of one or more splits, brought to the training size, in the camera's values.

    Parameters
    ----------
    images : ndarray of float32, shape (n, bands, size, size)
        Finite everywhere. Beyond a size that memory has room for, mapped from a temporary file and read-only.
    masks : ndarray of bool, shape (n, size, size)
        The lesion, taken along with the image.
    records : tuple of CropRecord
        Where each came from.
    wavelengths_nm : ndarray, shape (bands,)
        Of the study.
    warnings : tuple of str
        What had to be mended or done otherwise, one sentence each.
    fingerprint : str
        Tells whether two sets were read from the same crops; a part of a set keeps that of the whole.
    """

    images: NDArray[np.float32]
    masks: NDArray[np.bool_]
    records: tuple[CropRecord, ...]
    wavelengths_nm: NDArray[np.float64]
    warnings: tuple[str, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.records)

    def only(self, diagnoses: Collection[str]) -> ImageSet:
        """The images of some diagnoses."""
        return self._at([number for number, record in enumerate(self.records) if record.diagnosis.value in diagnoses])

    def some(self, count: int, seed: int) -> ImageSet:
        """Draw `count` of the images, see `study.drawn_crops`; 0 for all."""
        return self._at(drawn_crops(self.records, count, seed))

    def _at(self, kept: list[int]) -> ImageSet:
        """The images at some positions, in ascending order."""
        if len(kept) == len(self):
            return self
        store = ImageStore((len(kept), *self.images.shape[1:]))
        for number in kept:
            store.put(self.images[number])
        records = tuple(self.records[number] for number in kept)
        return replace(self, images=store.images(), masks=self.masks[kept], records=records)


def load_images(
    study: Study,
    splits: Collection[str],
    *,
    image_size: int,
    diagnosis: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    most_bytes: int | None = None,
) -> ImageSet:
    """Read the crops of some splits and bring them to one size.

    Parameters
    ----------
    study : Study
        With crops.
    splits : collection of str
        Any of "train", "val" and "test".
    image_size : int
        Side of the images, px.
    diagnosis : str, optional
        Only crops of this diagnosis; by default all.
    progress : callable, optional
        Called with (done, total) crops.
    most_bytes : int, optional
        Keep images in memory up to this size, see `ImageStore`.

    Returns
    -------
    ImageSet
        In the order of ``crops.csv``; empty if none of the crops is in these splits.

    Raises
    ------
    InputError
        If the study has no crops at all, none of the diagnosis, a crop does not fit the study, or there is no room for
        the images.
    """
    wavelengths = np.asarray(study.wavelengths_nm, dtype=np.float64)
    side_of = study.splits()
    wanted = [r for r in _of_diagnosis(study, diagnosis) if side_of.get(r.cube_id) in splits]
    images = ImageStore((len(wanted), len(wavelengths), image_size, image_size), most_bytes=most_bytes)
    masks = np.empty((len(wanted), image_size, image_size), dtype=bool)
    warnings: list[str] = []
    if images.folder is not None:
        warnings.append(
            f"memory has no room for {len(wanted)} images: they are in a file in {images.folder} until the end"
        )
    content = hashlib.sha256()
    for number, record in enumerate(wanted):
        crop = read_crop(study.crops_dir, record)
        if crop.cube.bands != len(wavelengths):
            raise InputError(
                f"the crop has {crop.cube.bands} bands, the study {len(wavelengths)}",
                where=Path(study.crops_dir) / record.file,
                fix="cut the crops again",
            )
        content.update(f"{record.crop_id} {crop.cube.data.shape}".encode())
        content.update(crop.cube.data.tobytes())
        data, filled = fill_invalid(crop.cube.data, where=record.crop_id)
        if filled:
            warnings.append(f"{record.crop_id}: {filled} pixels are not finite; the nearest valid pixel was taken")
        images.put(resize(torch.from_numpy(data), image_size).numpy())
        inside = resize(torch.from_numpy(crop.mask[None].astype(np.float32)), image_size)
        masks[number] = inside.numpy()[0] >= 0.5
        if progress is not None:
            progress(number + 1, len(wanted))
    return ImageSet(images.images(), masks, tuple(wanted), wavelengths, tuple(warnings), content.hexdigest())


def fill_invalid(data: NDArray[np.float32], *, where: str = "") -> tuple[NDArray[np.float32], int]:
    """Give every pixel with a NaN or an infinity in any band the whole spectrum of the nearest valid pixel.

    A spectrum is taken as a whole, so that no mixture arises that no pixel had.

    Parameters
    ----------
    data : ndarray, shape (bands, y, x)
        A cube.
    where : str
        Its name, for the error.

    Returns
    -------
    filled : ndarray, shape (bands, y, x)
        Finite everywhere; `data` itself if it already was.
    count : int
        Number of pixels replaced.

    Raises
    ------
    InputError
        If no pixel is valid.
    """
    valid = np.isfinite(data).all(axis=0)
    if valid.all():
        return data, 0
    if not valid.any():
        raise InputError("no pixel is finite in all bands", where=where, fix="remove this crop or mend its cube")
    nearest = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return data[:, nearest[0], nearest[1]], int((~valid).sum())


def resize(image: Tensor, size: int) -> Tensor:
    """Scale (channels, y, x) so that its smaller side is `size` px, and cut the square out of the centre.

    Shrinking averages areas, enlarging is bilinear: both mix neighbouring spectra with the same positive weights in all
    bands, so no spectrum leaves the range of its neighbourhood.
    """
    shorter = min(image.shape[-2:])
    how: dict[str, Any] = {"mode": "area"} if shorter > size else {"mode": "bilinear", "align_corners": False}
    scaled = image[None].double()
    for axis in sorted((-2, -1), key=lambda axis: -image.shape[axis]):
        # the longer axis first, and cut at once: a thin strip, enlarged as a whole, could fill the memory
        side = image.shape[axis]
        new = max(size, round(side * size / shorter))
        if new != side:
            shape = (new, scaled.shape[-1]) if axis == -2 else (scaled.shape[-2], new)
            scaled = F.interpolate(scaled, size=shape, **how)
        scaled = scaled.narrow(axis, (new - size) // 2, size)
    return scaled[0].to(image.dtype)


def batch_order(images_done: int, count: int, batch: int, seed: int) -> NDArray[np.int64]:
    """Which images come next: every image once per round, each round in an order of its own.

    Depends on nothing but its arguments, so a resumed run goes on where it was. A batch larger than the set repeats
    images (each is augmented by itself).

    Parameters
    ----------
    images_done : int
        Images shown so far.
    count : int
        Size of the set, at least 1.
    batch : int
        Images wanted.
    seed : int
        The run's seed.

    Returns
    -------
    ndarray of int, shape (batch,)
        Indices into the set.
    """
    positions = range(images_done, images_done + batch)
    rounds = {
        number: np.random.default_rng(derive(seed, "order", number)).permutation(count)
        for number in range(positions[0] // count, positions[-1] // count + 1)
    }
    return np.array([rounds[position // count][position % count] for position in positions], dtype=np.int64)


def _of_diagnosis(study: Study, diagnosis: str | None) -> Sequence[CropRecord]:
    records = study.crops()
    if not records:
        raise InputError("the study has no crops", where=study.root, fix="run: napari-hsisynth crop STUDY")
    if diagnosis is None:
        return records
    wanted = Diagnosis.parse(diagnosis)
    chosen = [record for record in records if record.diagnosis == wanted]
    if not chosen:
        there = ", ".join(sorted({record.diagnosis.value for record in records}))
        raise InputError(f"no crops of {wanted.value}", where=study.root, fix=f"there are crops of: {there}")
    return chosen
