"""What is being annotated: `Target`, a cube; and `Draft`, the lesion in the making."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment import Proposals
from napari_hsisynth.study import Diagnosis, Study


@dataclass(frozen=True, eq=False)
class Target:
    """The cube that is being annotated: one of a study, or a loose one that is only a layer."""

    layer: Image
    cube: Cube
    diagnosis: Diagnosis
    study: Study | None = None
    cube_id: str | None = None

    @property
    def draft_key(self) -> str | None:
        """Setting under which the unfinished lesion is remembered beyond this start of the program."""
        return f"annotate/draft/{self.study.root}/{self.cube_id}" if self.study is not None else None

    @property
    def source(self) -> Path | None:
        """File of a loose cube."""
        path = self.layer.source.path
        return Path(path) if path else None


@dataclass(frozen=True, eq=False)
class Draft:
    """The lesion that is being made or changed.

    Parameters
    ----------
    diagnosis : Diagnosis
        That it will get.
    editing : int, optional
        Number of the lesion that it will replace.
    base : ndarray of bool, shape (y, x), optional
        A mask drawn by hand from which the prompts start.
    answer : Proposals, optional
        What the segmenter said last.
    choice : int
        Which of its candidates is shown.
    proposed : bool
        The candidates are different lesions, found without prompts.
    """

    diagnosis: Diagnosis
    editing: int | None = None
    base: NDArray[np.bool_] | None = None
    answer: Proposals | None = None
    choice: int = 0
    proposed: bool = False

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The candidate that is shown, shape (y, x)."""
        return self.answer.masks[self.choice] if self.answer is not None and len(self.answer) else None

    @property
    def several(self) -> bool:
        """Whether there is more than one candidate."""
        return self.answer is not None and len(self.answer) > 1

    def text(self) -> str:
        """Describe the shown candidate: ``candidate 1/3 · score 0.93 · 4,812 px``."""
        mask = self.mask
        if mask is None or self.answer is None:
            return "no mask yet"
        what = "proposed" if self.proposed else "candidate"
        score, area = self.answer.scores[self.choice], int(mask.sum())
        return f"{what} {self.choice + 1}/{len(self.answer)} · score {score:.2f} · {area:,} px"

    def without_shown(self) -> Draft | None:
        """Return what is left of the proposed lesions when the shown one has been dealt with."""
        if not self.proposed or self.answer is None or len(self.answer) < 2:
            return None
        others = np.arange(len(self.answer)) != self.choice
        answer = Proposals(self.answer.masks[others], self.answer.scores[others])
        return Draft(self.diagnosis, proposed=True, answer=answer)


def delay(parent: QObject, milliseconds: int, slot: Any) -> QTimer:
    """Make a timer that calls `slot` once, so long after it was started last."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer
