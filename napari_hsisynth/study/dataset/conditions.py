"""What cubes of a data set were asked to show: names of files stay at home, since they may name people."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from napari_hsisynth.study.crops import Crop

#: Of a file that is known by nothing but its name.
UNKNOWN = "file-unknown"
_FILE = re.compile(r"file-[0-9a-f]{8}")
_CROP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def condition_name(crop: Crop) -> str:
    """Return what a data set says instead of ``record.condition``.

    Ids of crops are kept, a file's name becomes ``file-`` and the first 8 digits of its SHA-256. Where nobody said
    which of the two a name is, one that could be a crop's id is kept.
    """
    name, said = crop.record.condition, _said(crop)
    source = said.get("source")
    if not name or source == "crop" or (source != "file" and _CROP_ID.fullmatch(name)):
        return name
    new = f"file-{str(said.get('sha256') or '')[:8]}"
    return new if _FILE.fullmatch(new) else UNKNOWN


def without_file_name(crop: Crop) -> Crop:
    """Return a crop that says in its record and its provenance what `condition_name` does, and nothing else of it."""
    name, said = condition_name(crop), _said(crop)
    provenance = {**crop.cube.provenance, "condition": {**said, "name": name}}
    if not name:
        del provenance["condition"]
    cube = crop.cube.replace(provenance=provenance)
    return replace(crop, cube=cube, record=replace(crop.record, condition=name))


def _said(crop: Crop) -> dict[str, Any]:
    said = crop.cube.provenance.get("condition")
    return said if isinstance(said, dict) else {}
