"""From masks to crops: one per accepted lesion, all replaced at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crop_plan import CropRule, PlannedCrop, planned_crops, whole_crop
from napari_hsisynth.study.crops import Crop, CropRecord, write_crop, write_crops_index
from napari_hsisynth.study.cube_files import content_sha256, not_finite
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.instance import Instance
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.resizing import resized, resized_mask
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

    records: list[CropRecord] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_crops(
    study: Study,
    *,
    margin: float = 0.5,
    square: bool = False,
    size: int | None = None,
    whole: bool = False,
    diagnosis: Diagnosis | str | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CropReport:
    """Cut every accepted lesion out of its cube, and replace the study's crops by these.

    Parameters
    ----------
    study : Study
        Whose masks to use.
    margin, square
        See `napari_hsisynth.study.boxes.crop_box`.
    size : int, optional
        Bring the shorter side of every crop to so many px, see `resizing.resized`. With `square` crops are then
        ``size`` x ``size``, but where the image itself is shorter than the box. By default they are not resized.
    whole : bool
        Of a cube without an accepted lesion, take the whole, with an empty mask and the cube's diagnosis.
    diagnosis : Diagnosis, optional
        Cut only lesions (and with `whole`, cubes) of this diagnosis.
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
        If there is nothing to cut, a cube is missing or does not fit its mask, or the study cannot be written. The
        present crops are then left as they are, as they are on cancelling.
    """
    rule = CropRule(margin, square, size)
    wanted = None if diagnosis is None else Diagnosis.parse(diagnosis)
    study.reload()
    work = _Cutting(study, rule, wanted, whole)
    with replaced_folder(study.root, study.crops_dir.name) as folder:
        for done, entry in enumerate(study.entries):
            if cancelled is not None and cancelled():
                raise Cancelled
            if progress is not None:
                progress(done, len(study.entries))
            work.cut(entry, folder)
        if not work.report.records:
            raise _nothing_to_crop(study, wanted)
        write_crops_index(folder, work.report.records)
        if cancelled is not None and cancelled():
            raise Cancelled
    if progress is not None:
        progress(len(study.entries), len(study.entries))
    work.conclude()
    return work.report


def _nothing_to_crop(study: Study, wanted: Diagnosis | None) -> InputError:
    kind = f" of {wanted.label}" if wanted else ""
    return InputError(
        f"no accepted lesion{kind} to crop",
        where=study.root,
        fix="accept lesions in the Annotate dock, import masks, or crop whole cubes with --whole",
    )


class _Cutting:
    """Goes from cube to cube and collects what it has cut and what it has left out."""

    def __init__(self, study: Study, rule: CropRule, wanted: Diagnosis | None, whole: bool) -> None:
        self.report = CropReport()
        self._study, self._rule, self._wanted, self._whole = study, rule, wanted, whole
        self._not_accepted: Counter[str] = Counter()
        self._others = 0

    def cut(self, entry: Entry, folder: Path) -> None:
        """Write the crops of one cube into `folder`."""
        instances = self._study.annotation_summary(entry.id).instances
        accepted = [one for one in instances if one.status == "accepted"]
        found = Counter(one.status for one in instances if one.status != "accepted")
        self._not_accepted.update(found)
        if accepted:
            chosen = [one for one in accepted if self._wanted in (None, one.diagnosis)]
            self._others += len(accepted) - len(chosen)
            if chosen:
                self._cut_lesions(entry, chosen, folder)
            else:
                self.report.skipped.append((entry.id, f"no lesion of {self._wanted}"))
        elif self._whole and self._wanted in (None, entry.diagnosis):
            cube = self._study.read_cube(entry.id)
            nothing = np.zeros(cube.shape_yx, np.uint16)
            self._write(entry, cube, nothing, [whole_crop(cube.shape_yx, entry.diagnosis, self._rule)], folder)
        else:
            reason = "no accepted lesion" if instances else "no lesion marked"
            counted = ", ".join(f"{count} {status}" for status, count in found.items())
            self.report.skipped.append((entry.id, f"{reason} ({counted})" if counted else reason))

    def _cut_lesions(self, entry: Entry, chosen: list[Instance], folder: Path) -> None:
        cube = self._study.read_cube(entry.id)
        annotation = self._study.annotation(entry.id)
        self._study.check_fit(annotation)
        planned = planned_crops(annotation.mask, chosen, self._rule)
        present = {crop.instance for crop in planned}
        for number in (one.id for one in chosen if one.id not in present):
            self.report.skipped.append((entry.id, f"lesion {number} has no pixels"))
        self._write(entry, cube, annotation.mask, planned, folder)

    def _write(
        self, entry: Entry, cube: Cube, labels: NDArray[np.uint16], planned: list[PlannedCrop], folder: Path
    ) -> None:
        sha256 = content_sha256(self._study.cube_path(entry.id))
        invalid = int((~cube.valid()).sum())
        if invalid:
            self.report.notes.append(f"{entry.id}: {not_finite(invalid, cube)}")
        if entry.sha256 and sha256 != entry.sha256:
            self.report.notes.append(
                f"{entry.id}: the file has changed since it was added; look whether its mask still fits"
            )
        for crop in planned:
            record = _record(entry, crop, sha256, cube.shape_yx)
            write_crop(folder, _cut_out(cube, labels, record, self._rule))
            self.report.records.append(record)

    def conclude(self) -> None:
        """Add the notes that sum up all cubes."""
        notes, records = self.report.notes, self.report.records
        if self.report.skipped:
            notes.append(skipped_note(self.report.skipped))
        if self._not_accepted:
            found = " and ".join(f"{count} {status}" for status, count in sorted(self._not_accepted.items()))
            notes.append(f"lesions left out because they are not accepted: {found}")
        if self._others and self._wanted is not None:
            notes.append(f"only {self._wanted.label}: {self._others} accepted lesions of other diagnoses were left out")
        whole = sum(record.whole for record in records)
        if whole:
            notes.append(f"{whole} of {len(records)} crops are whole cubes without an accepted lesion: empty masks")
        oblong = [r for r in records if self._rule.square and not r.whole and len(set(r.box_shape_yx)) > 1]
        if oblong:
            notes.append(
                f"{len(oblong)} crops are not square, for their images are shorter than the boxes (first:"
                f" {oblong[0].crop_id}, {oblong[0].shape_yx[0]} x {oblong[0].shape_yx[1]} px)"
            )


def _record(entry: Entry, planned: PlannedCrop, source_sha256: str, source_shape_yx: tuple[int, int]) -> CropRecord:
    crop_id = f"{entry.id}_{planned.instance}"
    y0, x0, y1, x1 = planned.box
    as_it_was = planned.shape_yx == (y1 - y0, x1 - x0)
    height_px, width_px = (None, None) if as_it_was else planned.shape_yx
    return CropRecord(
        crop_id=crop_id,
        cube_id=entry.id,
        instance=planned.instance,
        diagnosis=planned.diagnosis,
        patient=entry.patient,
        y0=y0,
        x0=x0,
        y1=y1,
        x1=x1,
        source_sha256=source_sha256,
        file=f"{crop_id}.npz",
        mask_source="annotation" if planned.instance else "none",
        height_px=height_px,
        width_px=width_px,
        source_height_px=source_shape_yx[0],
        source_width_px=source_shape_yx[1],
    )


def _cut_out(cube: Cube, labels: NDArray[np.uint16], record: CropRecord, rule: CropRule) -> Crop:
    y0, x0, y1, x1 = record.box
    how = {"cube": record.cube_id, "box": list(record.box), "margin": rule.margin, "size_px": rule.size_px}
    native = cube.crop(*record.box)
    mask = (labels[y0:y1, x0:x1] == record.instance) & (record.instance > 0)
    return Crop(
        native.replace(
            data=resized(native.data, record.shape_yx),
            name=record.crop_id,
            provenance={**cube.provenance, "cropped": how},
        ),
        np.ascontiguousarray(resized_mask(mask, record.shape_yx)),
        record,
    )
