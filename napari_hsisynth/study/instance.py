"""One lesion of an annotation: its diagnosis, and how its mask came about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis

InstanceStatus = Literal["draft", "accepted", "unsure"]
CubeStatus = Literal["todo", "done", "unsure"]
_TEXTS = {"backend", "model", "weights_sha256", "annotator", "time"}


def checked_status(status: Any) -> CubeStatus:
    """Return `status` if a cube can have it, else raise InputError."""
    if status not in get_args(CubeStatus):
        raise InputError(f"unknown status '{status}'", fix="use todo, done or unsure")
    return status


@dataclass(frozen=True)
class Instance:
    """One lesion.

    Parameters
    ----------
    id : int
        Its value in the mask, 1..65535.
    diagnosis : Diagnosis
        Of this lesion.
    prompts : dict, optional
        The clicks and the box that gave the mask (``Prompts.to_json()``), to take them up again.
    backend, model, weights_sha256 : str
        What turned the prompts into the mask; empty where a person drew it.
    annotator, time : str
        Who accepted it, and when (ISO 8601).
    status : {"draft", "accepted", "unsure"}
        Only accepted lesions become crops.
    score : float, optional
        The segmenter's own estimate, 0..1.
    extra : mapping
        Keys that other programs put into the JSON; kept.
    """

    id: int
    diagnosis: Diagnosis
    prompts: Mapping[str, Any] | None = field(default=None, hash=False)
    backend: str = ""
    model: str = ""
    weights_sha256: str = ""
    annotator: str = ""
    time: str = ""
    status: InstanceStatus = "accepted"
    score: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if isinstance(self.id, bool) or int(self.id) != self.id or not 1 <= self.id <= 65535:
            raise InputError(f"lesion id {self.id!r} is not in 1..65535")
        if self.status not in get_args(InstanceStatus):
            raise InputError(f"unknown lesion status '{self.status}'", fix="use draft, accepted or unsure")
        if self.prompts is not None and not isinstance(self.prompts, Mapping):
            raise InputError(f"prompts must be an object with points, labels and box, not {self.prompts!r:.40}")
        object.__setattr__(self, "id", int(self.id))
        object.__setattr__(self, "diagnosis", Diagnosis.parse(self.diagnosis))
        if self.score is not None:
            object.__setattr__(self, "score", float(self.score))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; a score that is not a number becomes null."""
        return {
            **self.extra,
            "id": self.id,
            "diagnosis": self.diagnosis.value,
            "prompts": None if self.prompts is None else dict(self.prompts),
            "backend": self.backend,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "annotator": self.annotator,
            "time": self.time,
            "status": self.status,
            "score": self.score if self.score is not None and math.isfinite(self.score) else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Instance:
        """Read what `to_json` wrote; unknown keys go to `extra`, and null for a text means none."""
        if not isinstance(value, Mapping):
            raise InputError(f"a lesion must be an object, not {value!r:.40}")
        value = {key: "" if item is None and key in _TEXTS else item for key, item in value.items()}
        for key in _TEXTS & value.keys():
            if not isinstance(value[key], str):
                raise InputError(f"{key} must be text, not {value[key]!r:.40}")
        known = {name for name in cls.__dataclass_fields__ if name != "extra"}
        own = {key: item for key, item in value.items() if key in known}
        return cls(**own, extra={key: item for key, item in value.items() if key not in known})
