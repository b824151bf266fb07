"""What formats hand over: pictures with the lesions that one annotator marked in them, decoded when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.instance import CubeStatus, Instance

#: Under this key, our own exports say what the format has no place for.
OWN = "hsisynth"
#: Called with a sentence that the user should know.
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FoundLesion:
    """One lesion in a file of another tool.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
        Its pixels; of a mere box, those of the box.
    instance : Instance
        What is known of it; its id is wished for, not promised. Its diagnosis is replaced by what `label` means.
    label : str
        What the tool calls it.
    box : (y0, x0, y1, x1), optional
        It is a mere box, ends exclusive: a prompt for the lesion that fills it, or a draft to start from.
    """

    mask: NDArray[np.bool_]
    instance: Instance
    label: str
    box: tuple[int, int, int, int] | None = None


#: Decodes the lesions of a picture of this (height, width) one by one; raises InputError if one of them is damaged.
Decode = Callable[[tuple[int, int], Tell], Iterator[FoundLesion]]


@dataclass(frozen=True, eq=False)
class Record:
    """What one annotator marked in one picture.

    Parameters
    ----------
    picture : str
        Its file name as the file has it; may be a path or an address.
    decode : callable
        Gives the lesions, see `Decode`.
    shape_yx : (int, int), optional
        Of the picture, as the file says.
    annotator : str
        Empty if the file does not say.
    cube_id : str
        As our own exports say it; else empty.
    status : {"todo", "done", "unsure"}, optional
        Of the whole cube, where the file says it.
    extra : mapping
        Of the annotation, from our own exports.
    """

    picture: str
    decode: Decode
    shape_yx: tuple[int, int] | None = None
    annotator: str = ""
    cube_id: str = ""
    status: CubeStatus | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Found:
    """What a file or folder holds.

    Parameters
    ----------
    records : list of Record
        In the order of the file.
    skipped : list of (what, reason)
        What was left out already.
    notes : list of str
        What the user should know.
    """

    records: list[Record] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def new_instance(backend: str, **details: Any) -> Instance:
    """Return an instance whose id and diagnosis are still to be found."""
    return Instance(**{"id": 1, "diagnosis": Diagnosis.OTHER, "backend": backend, **details})
