"""The annotations of a study, for other tools: a file or a folder that appears as a whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.atomic import atomic_folder, atomic_path, write_json
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.annotation import Annotation, now
from napari_hsisynth.study.annotators import annotator_id, annotators
from napari_hsisynth.study.exchange.kinds import Kind, kind_of
from napari_hsisynth.study.exchange.marked import MARKER, MarkedCube, Picture, Shapes, Writing
from napari_hsisynth.study.exchange.told import Told, named
from napari_hsisynth.study.manifest import Entry
from napari_hsisynth.study.storage import Cancelled, Progress, writing
from napari_hsisynth.study.study import Study
from napari_hsisynth.typed_path import typed_path

#: Which lesions are exported.
Which = Literal["accepted", "all"]
_BLACK, _WHITE = 0.5, 99.5  # percentiles


@dataclass
class ExportReport:
    """What an export wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder.
    cubes, lesions : int
        How many of each are in it.
    notes : list of str
        What the user should know, one sentence each.
    """

    path: Path
    cubes: int = 0
    lesions: int = 0
    notes: list[str] = field(default_factory=list)


def band_mean_picture(cube: Cube) -> NDArray[np.uint8]:
    """Return the mean of all bands as a grey picture, uint8 (y, x)."""
    mean = np.asarray(cube.data, dtype=np.float32).mean(axis=0)
    finite = mean[np.isfinite(mean)]
    low, high = np.percentile(finite, (_BLACK, _WHITE)) if finite.size else (0.0, 1.0)
    scaled = (np.where(np.isfinite(mean), mean, low) - low) / max(float(high - low), 1e-12)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def export_annotations(
    kind: str,
    study: Study,
    dst: str | Path,
    *,
    annotator: str | None = None,
    status: Which = "accepted",
    shapes: Shapes | None = None,
    picture: Picture = band_mean_picture,
    force: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportReport:
    """Write the annotations of a study for another tool.

    Parameters
    ----------
    kind : str
        ``"coco"``, ``"labelstudio"``, ``"labelme"`` or ``"hsidermoscopy"``.
    study : Study
        Whose annotations to write.
    dst : path-like
        The file (COCO), or the folder.
    annotator : str, optional
        Only this person's work. By default the first annotation of every cube; for Label Studio, everybody's.
    status : {"accepted", "all"}
        Which lesions: only accepted ones, or drafts and unsure ones too, and cubes without any.
    shapes : {"auto", "mask", "polygon"}, optional
        Write lesions by their pixels, as polygons, or as polygons where these say all. By default what suits the tool.
    picture : callable
        Makes the picture of a cube, uint8 (y, x) or (y, x, 3), for tools that come with pictures.
    force : bool
        Replace the file, or a folder that an export made.
    progress, cancelled : callable, optional
        As in `make_crops`.

    Raises
    ------
    InputError
        If there is something at `dst`, there is nothing to write, or an annotation or a cube cannot be read; whatever
        was at `dst` stays.
    """
    known, dst = kind_of(kind), typed_path(dst).absolute()
    if status not in get_args(Which) or shapes not in (None, *get_args(Shapes)):
        raise InputError(f"unknown choice '{status}' or '{shapes}'", fix="use accepted or all; auto, mask or polygon")
    check_target(known, dst, force)
    study.reload()
    report, told, left_out = ExportReport(dst), Told(), Counter[str]()
    how = Writing(study.name, dst.name, shapes or known.shapes, picture, told.add)

    def cubes() -> Iterator[MarkedCube]:
        for done, entry in enumerate(study.entries):
            if cancelled is not None and cancelled():
                raise Cancelled
            if progress is not None:
                progress(done, len(study.entries))
            marked = _marked(study, entry, known, annotator, status, left_out)
            if marked is not None:
                report.cubes += 1
                report.lesions += marked.lesions
                yield marked

    with _whole(known, dst) as target:
        known.write(cubes(), target, how)
        if not report.lesions:
            raise InputError(_nothing(left_out), where=study.root, fix=_advice(study, annotator, left_out))
        if cancelled is not None and cancelled():
            raise Cancelled
        if left_out:
            counts = " and ".join(f"{count} {what}" for what, count in sorted(left_out.items()))
            report.notes.append(f"lesions left out: {counts}")
        report.notes += told.lines()
        if not known.suffix:
            _sign(target, known, study, report)
    if progress is not None:
        progress(len(study.entries), len(study.entries))
    return report


def check_target(kind: Kind, dst: Path, force: bool) -> None:
    """Raise InputError if an export cannot be written to `dst`, or, without `force`, something is there already."""
    if kind.suffix and dst.suffix.lower() != kind.suffix:
        raise InputError(f"{kind.title} is one file", where=dst, fix=f"give a name that ends in {kind.suffix}")
    if kind.suffix and dst.is_dir():
        raise InputError("this is a folder", where=dst, fix="name a file in it")
    if not kind.suffix and dst.is_file():
        raise InputError(f"{kind.title} is a folder, and this a file", where=dst)
    if not dst.exists() or (dst.is_dir() and not any(dst.iterdir())):
        return
    if dst.is_dir() and not (dst / MARKER).is_file():
        raise InputError("the folder is not empty and no export", where=dst, fix="choose a new one")
    if not force:
        raise InputError("it is there already", where=dst, fix="choose another name, or replace it with --force")


@contextmanager
def _whole(kind: Kind, dst: Path) -> Iterator[Path]:
    """Yield the file or the folder to write, which takes the place of `dst` in the end."""
    with writing(dst), atomic_path(dst) if kind.suffix else atomic_folder(dst) as target:
        yield target


def _marked(
    study: Study, entry: Entry, kind: Kind, annotator: str | None, status: Which, left_out: Counter[str]
) -> MarkedCube | None:
    """Return what is to be written of a cube; None if nothing is."""
    found: dict[str | None, Annotation] = {}
    for key in _keys(study, entry.id, kind, annotator):
        found[key] = _asked_for(study.annotation(entry.id, key), status, left_out)
        study.check_fit(found[key])
    if status == "accepted":
        found = {key: annotation for key, annotation in found.items() if annotation.instances}
    if not found and status == "all" and annotator is None:
        found = {None: study.annotation(entry.id)}
    return MarkedCube(study, entry, tuple(found.values()), tuple(found)) if found else None


def _keys(study: Study, cube_id: str, kind: Kind, annotator: str | None) -> list[str | None]:
    """Return whose annotations of a cube are to be written, as `Study.annotation` takes them."""
    try:
        by_name = annotators(study, cube_id)
    except InputError as error:
        if error.where != cube_id:  # damaged, and not only missing
            raise
        return []
    if annotator is not None:
        wanted = annotator_id(annotator).lower()
        return [key for name, key in by_name.items() if name.lower() == wanted]
    return list(by_name.values()) if kind.everybody else [key for key in by_name.values() if key is None]


def _asked_for(annotation: Annotation, status: Which, left_out: Counter[str]) -> Annotation:
    """Return an annotation with the lesions that are asked for and have pixels, counting the others."""
    present = set(np.unique(annotation.mask).tolist())
    kept = []
    for instance in annotation.instances:
        if status == "accepted" and instance.status != "accepted":
            left_out[f"{instance.status}"] += 1
        elif instance.id not in present:
            left_out["without pixels"] += 1
        else:
            kept.append(instance)
    numbers = [instance.id for instance in kept]
    return annotation.replace(mask=np.where(np.isin(annotation.mask, numbers), annotation.mask, 0), instances=kept)


def _nothing(left_out: Counter[str]) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in sorted(left_out.items()))
    return f"no lesion to export ({counts})" if counts else "no lesion to export"


def _advice(study: Study, annotator: str | None, left_out: Counter[str]) -> str:
    if left_out:
        return "accept them in the Annotate dock, or export all"
    if annotator is None:
        return "mark lesions in the Annotate dock"
    names = set()
    for entry in study.entries:
        with suppress(InputError):  # nobody has annotated this one
            names |= set(annotators(study, entry.id))
    return f"{annotator} has marked none; annotators are: {named(sorted(names)) if names else 'nobody'}"


def _sign(folder: Path, kind: Kind, study: Study, report: ExportReport) -> None:
    """Write what this folder is: by this, an export may be replaced later."""
    value = {
        "kind": kind.name,
        "study": study.name,
        "time": now(),
        "cubes": report.cubes,
        "lesions": report.lesions,
        "notes": report.notes,
    }
    write_json(folder / MARKER, value)
