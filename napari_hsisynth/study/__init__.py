"""The study folder: manifest, masks, crops, splits, and the exchange with other tools."""

from napari_hsisynth.study.annotation import Annotation, AnnotationSummary
from napari_hsisynth.study.class_spectra import SKIN_MARGIN_PX, class_spectra, lesion_means
from napari_hsisynth.study.collection import Collection, load_collection
from napari_hsisynth.study.crop_plan import CropRule, PlannedCrop, planned_crops, whole_crop
from napari_hsisynth.study.crop_subset import drawn_crops
from napari_hsisynth.study.cropping import CropReport, make_crops
from napari_hsisynth.study.crops import (
    Crop,
    CropRecord,
    read_crop,
    read_crops_index,
    write_crop,
    write_crops_index,
)
from napari_hsisynth.study.diagnosis import DIAGNOSIS_COLOURS, PIN_COLOURS, Diagnosis
from napari_hsisynth.study.import_hsidermoscopy import ImportReport, import_hsidermoscopy
from napari_hsisynth.study.instance import Instance
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.putting_back import PutBack, put_back
from napari_hsisynth.study.split_runs import outdated_runs
from napari_hsisynth.study.splits import (
    HELD_OUT,
    SplitChange,
    SplitRow,
    planned_change,
    reassign,
    reassign_each,
    split_table,
)
from napari_hsisynth.study.storage import Cancelled
from napari_hsisynth.study.study import Study

__all__ = [
    "DIAGNOSIS_COLOURS",
    "HELD_OUT",
    "PIN_COLOURS",
    "SKIN_MARGIN_PX",
    "Annotation",
    "AnnotationSummary",
    "Cancelled",
    "Collection",
    "Crop",
    "CropRecord",
    "CropReport",
    "CropRule",
    "Diagnosis",
    "Entry",
    "ImportReport",
    "Instance",
    "PlannedCrop",
    "PutBack",
    "SplitChange",
    "SplitRow",
    "Study",
    "class_spectra",
    "drawn_crops",
    "import_hsidermoscopy",
    "lesion_means",
    "load_collection",
    "make_crops",
    "outdated_runs",
    "planned_change",
    "planned_crops",
    "put_back",
    "read_crop",
    "read_crops_index",
    "reassign",
    "reassign_each",
    "split_table",
    "whole_crop",
    "write_crop",
    "write_crops_index",
]
