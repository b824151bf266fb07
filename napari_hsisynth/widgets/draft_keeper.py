"""`DraftKeeper`: drafts on their way to the study, off the GUI thread."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Study
from napari_hsisynth.study.drafts import read_draft, save_draft
from napari_hsisynth.widgets.annotate_target import Target, delay
from napari_hsisynth.widgets.annotator_identity import draft_owner
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.draft import Draft

_KEEP_MS = 250  # after the first change that is not kept yet: on disk within a second, however long a drag takes


class DraftKeeper(QObject):
    """Keeps the draft of every cube of a study in ``drafts/``; those of loose cubes are not kept.

    Attributes
    ----------
    failed : Signal
        Why it cannot, in a sentence; once until it works again.
    """

    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted: dict[Any, tuple[Study, str, str | None, Draft | None]] = {}
        self._said = False
        self._writing = Background(parent=self)
        self._writing.done.connect(self._kept)
        self._writing.failed.connect(self._not_kept)
        self._soon = delay(self, _KEEP_MS, self._write)

    def read(self, target: Target) -> Draft | None:
        """Return the draft that was left on a cube; None if there is none that fits it."""
        if target.study is None or target.cube_id is None:
            return None
        stored = read_draft(target.study, target.cube_id, draft_owner())
        try:
            return None if stored is None else Draft.from_json(stored, target.cube.shape_yx)
        except InputError:  # of another version, or the cube has been replaced by a smaller one
            return None

    def keep(self, target: Target, draft: Draft | None) -> None:
        """Have a draft on disk soon, or the one there taken away."""
        if target.study is not None and target.cube_id is not None:
            self._wanted[target.key] = (target.study, target.cube_id, draft_owner(), draft)
            if not self._soon.isActive():
                self._soon.start()

    def flush(self, timeout_s: float = 5.0) -> None:
        """Have it on disk before returning."""
        self._write()
        self._writing.wait(timeout_s)

    def close(self) -> None:
        """Write what is left, and end the thread."""
        self._write()
        self._writing.close()

    @property
    def busy(self) -> bool:
        """Whether something is not on disk yet."""
        return bool(self._wanted) or not self._writing.wait(0)

    def _write(self) -> None:
        self._soon.stop()
        for wanted in self._wanted.values():
            self._writing.submit(partial(_save, *wanted))
        self._wanted.clear()

    def _kept(self, _number: int, _result: Path | None) -> None:
        self._said = False

    def _not_kept(self, _number: int, error: Exception) -> None:
        if not self._said:
            self._said = True
            self.failed.emit(f"the draft is not kept: {error}")


def _save(study: Study, cube_id: str, annotator: str | None, draft: Draft | None) -> None:
    save_draft(study, cube_id, None if draft is None else draft.to_json(), annotator)
