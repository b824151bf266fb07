"""From masks to crops: one per accepted lesion, all replaced at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import Annotation
from napari_hsisynth.study.boxes import bounding_box, check_margin, crop_box
from napari_hsisynth.study.crops import Crop, CropRecord, write_crop, write_crops_index
from napari_hsisynth.study.cube_files import content_sha256, not_finite
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.storage import Cancelled, Progress, replaced_folder, skipped_note
from napari_hsisynth.study.study import Study


@dataclass(frozen=True)
class CropReport:
    """What `make_crops` did.

    Parameters
    ----------
    records : list of CropRecord
        The new crops.
    skipped : list of (cube id, reason)
        What gave none.
    notes : list of str
        What the user should know, one sentence each.
    """

    records: list[CropRecord]
    skipped: list[tuple[str, str]]
    notes: list[str]


def make_crops(
    study: Study,
    *,
    margin: float = 0.5,
    square: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CropReport:
    """Cut every accepted lesion out of its cube, at native resolution, and replace the study's crops by these.

    Parameters
    ----------
    study : Study
        Whose masks to use.
    margin, square
        See `napari_hsisynth.study.boxes.crop_box`.
    progress : callable, optional
        Called with (cubes done, cubes in all).
    cancelled : callable, optional
        Asked before every cube; if it says true, `Cancelled` is raised.

    Returns
    -------
    CropReport
        The crops, and what was left out and why.

    Raises
    ------
    InputError
        If there is no accepted lesion, a cube is missing or does not fit its mask, or the study cannot be written. The
        present crops are then left as they are, as they are on cancelling.
    """
    check_margin(margin)
    study.reload()
    report = CropReport([], [], [])
    left_out: Counter[str] = Counter()
    with replaced_folder(study.root, study.crops_dir.name) as folder:
        for done, entry in enumerate(study.entries):
            if cancelled is not None and cancelled():
                raise Cancelled
            if progress is not None:
                progress(done, len(study.entries))
            summary = study.annotation_summary(entry.id)
            statuses = Counter(instance.status for instance in summary.instances if instance.status != "accepted")
            left_out.update(statuses)
            if summary.accepted:
                _crop_cube(study, entry, folder, report, margin=margin, square=square)
            else:
                reason = "no accepted lesion" if summary.instances else "no lesion marked"
                found = ", ".join(f"{count} {status}" for status, count in statuses.items())
                report.skipped.append((entry.id, f"{reason} ({found})" if found else reason))
        if not report.records:
            raise InputError(
                "no accepted lesion to crop",
                where=study.root,
                fix="accept lesions in the Annotate dock, or import masks",
            )
        write_crops_index(folder, report.records)
        if cancelled is not None and cancelled():
            raise Cancelled
    if progress is not None:
        progress(len(study.entries), len(study.entries))
    if report.skipped:
        report.notes.append(skipped_note(report.skipped))
    if left_out:
        found = " and ".join(f"{count} {status}" for status, count in sorted(left_out.items()))
        report.notes.append(f"lesions left out because they are not accepted: {found}")
    return report


def _crop_cube(study: Study, entry: Entry, folder: Path, report: CropReport, *, margin: float, square: bool) -> None:
    cube = study.read_cube(entry.id)
    annotation: Annotation = study.annotation(entry.id)
    study.check_fit(annotation)
    sha256 = content_sha256(study.cube_path(entry.id))
    invalid = int((~cube.valid()).sum())
    if invalid:
        report.notes.append(f"{entry.id}: {not_finite(invalid, cube)}")
    if entry.sha256 and sha256 != entry.sha256:
        report.notes.append(f"{entry.id}: the file has changed since it was added; look whether its mask still fits")
    for instance in annotation.instances:
        if instance.status != "accepted":
            continue
        mask = annotation.mask_of(instance.id)
        lesion = bounding_box(mask)
        if lesion is None:
            report.skipped.append((entry.id, f"lesion {instance.id} has no pixels"))
            continue
        box = crop_box(lesion, cube.shape_yx, margin=margin, square=square)
        y0, x0, y1, x1 = box
        crop_id = f"{entry.id}_{instance.id}"
        record = CropRecord(
            crop_id=crop_id,
            cube_id=entry.id,
            instance=instance.id,
            diagnosis=instance.diagnosis,
            patient=entry.patient,
            y0=y0,
            x0=x0,
            y1=y1,
            x1=x1,
            source_sha256=sha256,
            file=f"{crop_id}.npz",
        )
        provenance = {**cube.provenance, "cropped": {"cube": entry.id, "box": list(box), "margin": margin}}
        cut = cube.crop(*box).replace(name=crop_id, provenance=provenance)
        write_crop(folder, Crop(cut, np.ascontiguousarray(mask[y0:y1, x0:x1]), record))
        report.records.append(record)
