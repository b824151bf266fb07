"""What is being annotated: `Target`, a cube."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_hsisynth.cube import Cube
from napari_hsisynth.study import Diagnosis, Study


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
    """

    layer: Image
    cube: Cube
    diagnosis: Diagnosis
    study: Study | None = None
    cube_id: str | None = None
    annotator: str | None = None

    @property
    def key(self) -> tuple[Path, str, str | None] | None:
        """The same for every layer that shows this cube, and for nothing else; None for a loose cube."""
        if self.study is None or self.cube_id is None:
            return None
        return self.study.root, self.cube_id, self.annotator

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
