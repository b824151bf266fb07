"""Synthetic cubes as a data set: a folder that says what it is, for anyone to use, and the way back into a study."""

from napari_hsisynth.study.dataset.exporting import NOT_STATED, DatasetExport, Masks, check_target, export_dataset
from napari_hsisynth.study.dataset.importing import DatasetImport, import_dataset
from napari_hsisynth.study.dataset.layout import CubeFormat, is_data_set

__all__ = [
    "NOT_STATED",
    "CubeFormat",
    "DatasetExport",
    "DatasetImport",
    "Masks",
    "check_target",
    "export_dataset",
    "import_dataset",
    "is_data_set",
]
