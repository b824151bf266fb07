"""Annotations from and for other tools: one file per format, one per codec, and a registry of kinds."""

from napari_hsisynth.study.exchange.exporting import ExportReport, check_target, export_annotations
from napari_hsisynth.study.exchange.importing import LEFT_ALONE, AnnotationImport, import_annotations
from napari_hsisynth.study.exchange.kinds import KINDS, Kind

__all__ = [
    "KINDS",
    "LEFT_ALONE",
    "AnnotationImport",
    "ExportReport",
    "Kind",
    "check_target",
    "export_annotations",
    "import_annotations",
]
