"""`DraftKeeper`: drafts on their way to the study, off the GUI thread."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.drafts import read_draft, save_draft
from napari_hsisynth.widgets.annotate_target import Target, delay
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
        self._wanted: dict[Any, tuple[Target, Draft | None]] = {}
        self._under_way: dict[int, tuple[Any, Draft | None]] = {}
        self._said = False
        self._writing = Background(parent=self)
        self._writing.done.connect(self._kept)
        self._writing.failed.connect(self._not_kept)
        self._soon = delay(self, _KEEP_MS, self._write)

    def read(self, target: Target) -> Draft | None:
        """Return the draft that was left on a cube, on disk or on the way there; None if there is none that fits it."""
        if target.study is None or target.cube_id is None:
            return None
        newer = [draft for key, draft in self._under_way.values() if key == target.key]
        newer += [self._wanted[target.key][1]] if target.key in self._wanted else []
        if newer:
            stored = None if newer[-1] is None else newer[-1].to_json()
        else:
            stored = read_draft(target.study, target.cube_id, target.draft_owner)
        try:
            return None if stored is None else Draft.from_json(stored, target.cube.shape_yx)
        except InputError:  # of another version, or the cube has been replaced by a smaller one
            return None

    def keep(self, target: Target, draft: Draft | None) -> None:
        """Have a draft on disk soon, or the one there taken away."""
        if target.study is not None and target.cube_id is not None:
            self._wanted[target.key] = (target, draft)
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
        for key, (target, draft) in self._wanted.items():
            self._under_way[self._writing.submit(partial(_save, target, draft))] = (key, draft)
        self._wanted.clear()

    def _kept(self, number: int, _result: None) -> None:
        del self._under_way[number]
        self._said = False

    def _not_kept(self, number: int, error: Exception) -> None:
        del self._under_way[number]
        if not self._said:
            self._said = True
            self.failed.emit(f"the draft is not kept: {error}")


def _save(target: Target, draft: Draft | None) -> None:
    if target.study is not None and target.cube_id is not None:
        save_draft(target.study, target.cube_id, None if draft is None else draft.to_json(), target.draft_owner)
