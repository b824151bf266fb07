"""`EmbeddingAhead`: has the cubes that come next prepared while the user works on the one that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_hsisynth.segment.worker_messages import StoredCube
from napari_hsisynth.widgets.live_queue import live_queue

if TYPE_CHECKING:
    from napari_hsisynth.widgets.annotate_target import Target
    from napari_hsisynth.widgets.annotator import Annotator

_CUBES_AHEAD = 2


class EmbeddingAhead(QObject):
    """Names the next cubes of the study to the segmenter whenever the annotator turns to another one.

    It follows the annotator and not the session: while another step is open, nobody is about to annotate these cubes.

    Parameters
    ----------
    annotator : Annotator
        Also its parent.
    """

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator, self._queue = annotator, live_queue(annotator.session)
        self._target: Target | None = None
        annotator.changed.connect(self._annotator_changed)

    def _annotator_changed(self) -> None:
        target = self._annotator.target
        if target is self._target:
            return
        self._target = target
        coming: list[StoredCube] = []
        if target is not None and target.study is not None:
            ahead = (self._queue.neighbour(by) for by in range(1, _CUBES_AHEAD + 1))
            coming = [StoredCube(target.study.root, cube_id) for cube_id in ahead if cube_id is not None]
        self._annotator.drafts.segmenter.embed_ahead(coming)
