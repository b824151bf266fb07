"""`load_collection`: any folder of cubes in crops form, real or synthetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crops import INDEX, Crop, CropRecord, read_crop, read_crops_index
from napari_hsisynth.study.settings import SETTINGS
from napari_hsisynth.study.study import Study
from napari_hsisynth.typed_path import typed_path


@dataclass(frozen=True)
class Collection:
    """Crops that belong together.

    Parameters
    ----------
    folder : pathlib.Path
        With ``crops.csv``.
    records : list of CropRecord
        At least one.
    study : Study, optional
        The one the folder lies in.
    kind : {"crops", "synthetic"}
        Cut from real cubes, or sampled.
    """

    folder: Path
    records: list[CropRecord]
    study: Study | None
    kind: Literal["crops", "synthetic"]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Crop]:
        return (read_crop(self.folder, record) for record in self.records)

    def read(self, record: CropRecord) -> Crop:
        """Read one of its crops."""
        return read_crop(self.folder, record)


def load_collection(path: str | Path) -> Collection:
    """Open a study (its crops), its ``crops/``, a ``synthetic/<run>``, or any folder with ``crops.csv``.

    Raises
    ------
    InputError
        If there are no crops.
    """
    folder = typed_path(path).absolute()
    if not folder.exists():
        raise InputError("no such folder", where=path)
    if (folder / SETTINGS).is_file():
        folder = Study.open(folder).crops_dir
    records = read_crops_index(folder)
    if not records:
        raise InputError("the folder lists no crops", where=folder / INDEX)
    try:
        study = Study.open(folder)
    except InputError:
        study = None
    kinds = {record.synthetic for record in records}
    if len(kinds) > 1:
        raise InputError("real and synthetic cubes in one folder", where=folder / INDEX, fix="keep them apart")
    return Collection(folder, records, study, "synthetic" if kinds.pop() else "crops")
