"""Label Studio's JSON, written: tasks ready to be imported there, pictures of the cubes, and the labelling interface.

Accepted lesions become annotations, one per annotator; all others predictions, to be corrected there. Who annotated is
kept in a field of our own, since Label Studio refuses a ``completed_by`` that is none of its users.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.study.annotation import Annotation
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.exchange import brush_rle, own_fields
from napari_hsisynth.study.exchange.json_files import write_compact
from napari_hsisynth.study.exchange.labelstudio_reading import CUBE, NAME
from napari_hsisynth.study.exchange.marked import MarkedCube, Writing
from napari_hsisynth.study.exchange.outlines import slit_outlines
from napari_hsisynth.study.exchange.pictures import write_picture
from napari_hsisynth.study.instance import Instance

_INTERFACE = """<View>
  <Image name="image" value="$image" zoom="true"/>
{tags}
</View>
"""
_TAG = """  <{tag} name="{name}" toName="image">
{labels}
  </{tag}>"""
_TAGS = {"brush": "BrushLabels", "polygon": "PolygonLabels", "rectangle": "RectangleLabels"}


def write(cubes: Iterable[MarkedCube], target: Path, writing: Writing) -> None:
    """Write ``tasks.json``, ``images/<id>.png`` and ``labels.xml`` into a folder.

    The tasks point at their pictures as Label Studio serves local files, with the folder that holds `target` as its
    document root.
    """
    tasks = []
    for cube in cubes:
        write_picture(target / "images" / f"{cube.entry.id}.png", writing.picture(cube.read()))
        place = quote(f"{writing.folder}/images/{cube.entry.id}.png")
        task: dict[str, Any] = {"data": {"image": f"/data/local-files/?d={place}", CUBE: cube.entry.id}}
        made: dict[str, list[dict[str, Any]]] = {"annotations": [], "predictions": []}
        for annotator, annotation in cube.by_annotator():
            for kind, results in _results(annotation, annotator, writing).items():
                own = own_fields.of_annotation(annotation, annotator)
                scores = [one["score"] for one in results if "score" in one]
                model = {"model_version": "napari-hsisynth"} if kind == "predictions" else {"ground_truth": False}
                score = {"score": min(scores)} if scores and kind == "predictions" else {}
                made[kind].append({"result": results, **model, **score, **own})
        tasks.append(task | {kind: parts for kind, parts in made.items() if parts})
    write_compact(target / NAME, tasks)
    (target / "labels.xml").write_text(interface(), "utf-8")


def interface() -> str:
    """Return the labelling interface for the settings of a project: one label per diagnosis, in its colour."""
    tags = []
    for name, tag in _TAGS.items():
        labels = [f'    <Label value="{diagnosis.value}" background="{diagnosis.colour}"/>' for diagnosis in Diagnosis]
        tags.append(_TAG.format(tag=tag, name=name, labels="\n".join(labels)))
    return _INTERFACE.format(tags="\n".join(tags))


def _results(annotation: Annotation, annotator: str | None, writing: Writing) -> dict[str, list[dict[str, Any]]]:
    made: dict[str, list[dict[str, Any]]] = {}
    for instance in annotation.instances:
        kind = "annotations" if instance.status == "accepted" else "predictions"
        region = {"id": f"{annotator or 'lesion'}_{instance.id}", "to_name": "image", "image_rotation": 0}
        region |= {"original_height": annotation.mask.shape[0], "original_width": annotation.mask.shape[1]}
        region |= _shape(annotation.mask_of(instance.id), instance, annotation.cube_id, writing)
        own = own_fields.of_instance(instance)
        score = own[own_fields.OWN]["score"]
        made.setdefault(kind, []).append(region | {"meta": own} | ({} if score is None else {"score": score}))
    if not made and annotation.status != "todo":
        made["annotations"] = []
    return made


def _shape(mask: NDArray[np.bool_], instance: Instance, cube_id: str, writing: Writing) -> dict[str, Any]:
    label = instance.diagnosis.value
    rings = slit_outlines(mask) if writing.shapes == "polygon" else []
    if len(rings) != 1:
        if rings:
            writing.tell(cube_id, "lesions in several parts are brushes: a polygon of Label Studio has one part")
        value = {"format": "rle", "rle": brush_rle.encoded(mask), "brushlabels": [label]}
        return {"type": "brushlabels", "from_name": "brush", "value": value}
    height, width = mask.shape
    points = [[100 * x / width, 100 * y / height] for x, y in rings[0]]
    return {
        "type": "polygonlabels",
        "from_name": "polygon",
        "value": {"points": points, "closed": True, "polygonlabels": [label]},
    }
