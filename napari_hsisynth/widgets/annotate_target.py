"""What is being annotated: `Target`, a cube."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_hsisynth.cube import Cube
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.study.annotators import annotator_id


@dataclass(frozen=True, eq=False)
class Target:
    """The cube that is being annotated: one of a study, or a loose one that is only a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        That shows it.
    cube : Cube
    diagnosis : Diagnosis
        Of the patient, for new lesions.
    study, cube_id : optional
        Where it belongs; None for a loose one.
    annotator : str, optional
        Under which this person's lesions of the cube are stored, as for `Study.annotation`.
    name : str
        Of the person, as it was typed; what is done here is theirs, also if it is saved when somebody else goes on.
    """

    layer: Image
    cube: Cube
    diagnosis: Diagnosis
    study: Study | None = None
    cube_id: str | None = None
    annotator: str | None = None
    name: str = ""

    @property
    def key(self) -> tuple[Path, str, str] | None:
        """The same for every layer that shows this cube to this person, and for nothing else; None for a loose cube."""
        if self.study is None or self.cube_id is None:
            return None
        return self.study.root, self.cube_id, annotator_id(self.name).lower()

    @property
    def draft_owner(self) -> str | None:
        """Name under which this person's drafts are kept, as for `read_draft`.

        By person also where the lesions go into a cube's first file: two may begin on it at the same time.
        """
        return annotator_id(self.name) or None

    @property
    def source(self) -> Path | None:
        """File of a loose cube."""
        path = self.layer.source.path
        return Path(path) if path else None


def delay(parent: QObject, milliseconds: int, slot: Any) -> QTimer:
    """Make a timer that calls `slot` once, so long after it was started last."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
