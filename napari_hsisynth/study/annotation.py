"""The annotation of one cube: which pixels belong to which lesion, and how that was found.

Two files, never a torn pair: the PNG is named by its content and written first; the JSON that names it is renamed into
place last. Whoever is killed in between leaves the old JSON, which still names the old PNG.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as dataclass_replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from napari_hsisynth.atomic import atomic_path, write_json
from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.instance import CubeStatus, Instance, checked_status
from napari_hsisynth.study.storage import writing

_OWN_KEYS = ("cube_id", "status", "mask", "instances")
_PNG_NAME = re.compile(r"[A-Za-z0-9_\-]+-[0-9a-f]{8}\.png")


@dataclass(frozen=True, eq=False)
class Annotation:
    """The lesions of one cube, as one annotator marked them.

    Parameters
    ----------
    cube_id : str
        The cube.
    mask : ndarray of uint16, shape (y, x)
        0 background, else the id of an instance; every label has its instance.
    instances : tuple of Instance
        Sorted by id. One whose pixels were all taken away again may stay, with none.
    status : {"todo", "done", "unsure"}
        Of the cube as a whole.
    extra : mapping
        Keys of the JSON that other programs put there; kept.

    Raises
    ------
    InputError
        If a label has no instance, an instance id is there twice, or the mask is not 2-D.
    """

    cube_id: str
    mask: NDArray[np.uint16]
    instances: tuple[Instance, ...] = ()
    status: CubeStatus = "todo"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mask = np.asarray(self.mask)
        if mask.ndim != 2 or mask.dtype.kind not in "uib":
            raise InputError(f"a mask is 2-D and of whole numbers, not {mask.dtype} {mask.shape}", where=self.cube_id)
        if mask.size and (mask.min() < 0 or mask.max() > np.iinfo(np.uint16).max):
            raise InputError("mask labels must lie in 0..65535", where=self.cube_id)
        checked_status(self.status)
        ids = [instance.id for instance in self.instances]
        if len(set(ids)) != len(ids):
            raise InputError("two instances have the same id", where=self.cube_id)
        orphans = sorted(set(np.unique(mask).tolist()) - {0, *ids})
        if orphans:
            raise InputError(f"the mask has labels without an instance: {orphans[:5]}", where=self.cube_id)
        object.__setattr__(self, "mask", mask.astype(np.uint16, copy=False))
        object.__setattr__(self, "instances", tuple(sorted(self.instances, key=lambda instance: instance.id)))

    @property
    def next_id(self) -> int:
        """The smallest id above all that are taken, for a new instance."""
        return max((instance.id for instance in self.instances), default=0) + 1

    def instance(self, instance_id: int) -> Instance:
        """Return the instance of this id."""
        for instance in self.instances:
            if instance.id == instance_id:
                return instance
        raise InputError(f"there is no lesion {instance_id}", where=self.cube_id)

    def mask_of(self, instance_id: int) -> NDArray[np.bool_]:
        """Pixels of one instance, shape (y, x)."""
        return self.mask == instance_id

    def replace(self, **changes: Any) -> Annotation:
        """Return a copy with some parameters changed."""
        return dataclass_replace(self, **changes)

    def with_instance(
        self, mask: NDArray[np.bool_], diagnosis: Diagnosis | str, *, keep_earlier: bool = False, **details: Any
    ) -> Annotation:
        """Return a copy with one more lesion.

        Parameters
        ----------
        mask : ndarray of bool, shape (y, x)
            Its pixels.
        diagnosis : Diagnosis
            What it is.
        keep_earlier : bool
            Leave pixels that already belong to a lesion with it; by default the new lesion takes them.
        **details
            Further fields of `Instance`, for example ``backend`` and ``score``.
        """
        if mask.shape != self.mask.shape:
            raise InputError(f"mask of {mask.shape} for an image of {self.mask.shape}", where=self.cube_id)
        labels = self.mask.copy()
        labels[(mask.astype(bool) & (labels == 0)) if keep_earlier else mask.astype(bool)] = self.next_id
        details.setdefault("time", now())
        added = Instance(id=self.next_id, diagnosis=Diagnosis.parse(diagnosis), **details)
        return self.replace(mask=labels, instances=(*self.instances, added))


@dataclass(frozen=True)
class AnnotationSummary:
    """What the JSON of an annotation says, without its mask."""

    status: CubeStatus = "todo"
    instances: tuple[Instance, ...] = ()

    @property
    def accepted(self) -> int:
        """Number of accepted lesions."""
        return sum(instance.status == "accepted" for instance in self.instances)


def given_mask(
    cube_id: str, mask: ArrayLike, diagnosis: Diagnosis, shape_yx: tuple[int, int], annotator: str
) -> Annotation:
    """Make the annotation of a mask that is known to be right, shape (y, x): one lesion (bool), or labels (int)."""
    labels = np.asarray(mask)
    if labels.shape != shape_yx:
        raise InputError(f"mask of {labels.shape} for a cube of {shape_yx} px", where=cube_id)
    if not labels.any():
        raise InputError("the mask is empty", where=cube_id)
    made = now()
    instances = tuple(
        Instance(int(label), diagnosis, backend="given", annotator=annotator, time=made)
        for label in np.unique(labels[labels != 0])
    )
    return Annotation(cube_id, labels, instances, "done")


def check_unclaimed(masks: Path, annotation: Annotation) -> None:
    """Raise InputError if the new cube's annotation would replace somebody's work.

    A pair without a row in the manifest may be what a killed import left; it then has the same mask.
    """
    path = annotation_path(masks, annotation.cube_id)
    if path.exists() and not np.array_equal(read_annotation(path).mask, annotation.mask):
        raise InputError(
            "an annotation of this cube is there already", where=path, fix="move it away, or add the cube without masks"
        )


def now() -> str:
    """The present time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def annotation_path(masks: Path, cube_id: str, annotator: str | None = None) -> Path:
    """The JSON of a cube, or of a further annotator of it."""
    return masks / (f"{cube_id}.{annotator}.json" if annotator else f"{cube_id}.json")


def read_annotation_json(path: Path) -> dict[str, Any]:
    """Read the JSON of an annotation and check its form, without the mask."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict) or not isinstance(value["instances"], list):
            raise TypeError("an object with a list of instances is needed")
        if not _PNG_NAME.fullmatch(value["mask"]):  # never follow a path out of the folder
            raise ValueError(f"mask '{value['mask']}' is not a file name like id-1a2b3c4d.png")
        value["instances"] = [Instance.from_json(one) for one in value["instances"]]
        value["status"] = checked_status(value.get("status", "todo"))
    except InputError as error:
        raise InputError(error.what, where=path, fix=error.fix) from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise InputError(f"not an annotation ({type(error).__name__}: {error})", where=path) from None
    except OSError as error:
        raise InputError(f"the annotation cannot be read ({error.strerror})", where=path) from None
    return value


def read_summary(path: Path) -> AnnotationSummary:
    """Read what a list needs to know of an annotation."""
    value = read_annotation_json(path)
    return AnnotationSummary(value["status"], tuple(value["instances"]))


def read_annotation(path: Path) -> Annotation:
    """Read a pair of JSON and PNG.

    Raises
    ------
    InputError
        If either is damaged, missing, or does not fit the other.
    """
    value = read_annotation_json(path)
    mask = read_labels(path.parent / value["mask"])
    extra = {key: kept for key, kept in value.items() if key not in _OWN_KEYS}
    cube_id = str(value.get("cube_id", path.name.split(".")[0]))
    try:
        return Annotation(cube_id, mask, tuple(value["instances"]), value["status"], extra)
    except InputError as error:
        raise InputError(error.what, where=path, fix=error.fix) from None


def read_labels(png: Path) -> NDArray[np.uint16]:
    """Read a label PNG of 8 or 16 bits, shape (y, x)."""
    try:
        with Image.open(png, formats=["PNG"]) as image:  # other formats bring other decoders, and their faults
            if image.mode not in {"1", "L", "P", "I", "I;16", "I;16B"}:
                raise InputError(f"a label image has one channel, not {image.mode}", where=png)
            return np.array(image).astype(np.uint16)
    except FileNotFoundError:
        raise InputError("the mask is missing", where=png, fix="was only part of the study copied?") from None
    except (
        OSError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:  # Pillow's word for a damaged PNG is SyntaxError
        raise InputError(f"not a readable image ({error})", where=png) from None


def encode_labels(mask: NDArray[np.uint16]) -> bytes:
    """Return `mask`, shape (y, x), as a 16-bit grey PNG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask, dtype="<u2")).save(file, format="PNG", optimize=False)
    return file.getvalue()


def write_annotation(masks: Path, annotation: Annotation, annotator: str | None = None) -> Path:
    """Write the pair, PNG first, JSON last, and remove the PNG that the JSON named before.

    The caller holds the study's lock: another annotator's file may name the same PNG, and must not lose it.

    Returns
    -------
    pathlib.Path
        The JSON.
    """
    path = annotation_path(masks, annotation.cube_id, annotator)
    png = encode_labels(annotation.mask)
    name = f"{annotation.cube_id}-{hashlib.sha256(png).hexdigest()[:8]}.png"
    with writing(path):
        if not _holds(masks / name, png):
            with atomic_path(masks / name) as temporary:
                temporary.write_bytes(png)
        value = {
            **annotation.extra,
            "cube_id": annotation.cube_id,
            "status": annotation.status,
            "mask": name,
            "instances": [instance.to_json() for instance in annotation.instances],
        }
        write_json(path, value)
        _remove_unnamed(masks, annotation.cube_id)
    return path


def remove_annotation(masks: Path, cube_id: str) -> None:
    """Remove the first annotator's pair; the JSON first, since it must never name a PNG that is gone."""
    annotation_path(masks, cube_id).unlink(missing_ok=True)
    if masks.is_dir():
        _remove_unnamed(masks, cube_id)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _remove_unnamed(masks: Path, cube_id: str) -> None:
    """Remove the PNGs of a cube that no JSON of it names: the one just replaced, and what killed writers left."""
    named = set()
    for path in [annotation_path(masks, cube_id), *masks.glob(f"{cube_id}.*.json")]:
        try:
            named.add(json.loads(path.read_text(encoding="utf-8"))["mask"])
        except FileNotFoundError:
            continue
        except (ValueError, TypeError, KeyError):
            return  # a damaged JSON may be repaired by hand; keep whatever it may have named
    own = re.compile(re.escape(cube_id) + r"-[0-9a-f]{8}\.png")
    leftover = re.compile(r"\." + re.escape(cube_id) + r"(-[0-9a-f]{8}|\.[\w\-]+)?\.[0-9a-f]{8}\.tmp\.(png|json)")
    for path in masks.iterdir():
        if (own.fullmatch(path.name) and path.name not in named) or leftover.fullmatch(path.name):
            path.unlink(missing_ok=True)
