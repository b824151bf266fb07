"""`LiveQueue`: the queue of the open study, kept in step with what is saved, here and by others; the way through it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from weakref import WeakKeyDictionary, ref

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Study
from napari_hsisynth.study.annotation_queue import AnnotationQueue, QueueFilter, QueueRow, read_row, read_rows
from napari_hsisynth.study.drafts import cubes_with_draft
from napari_hsisynth.widgets.annotate_target import delay
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.session import Session

_DRAFTS_MS = 700  # after a cube was left: its draft is then on disk

_Read = tuple[Study, str, dict[str, QueueRow], frozenset[str]]


class LiveQueue(QObject):
    """Reads the study's annotations once, off the GUI thread, and afterwards what has changed.

    Get it with `live_queue`.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        Anything that a list of the cubes shows.
    saved : Signal(str)
        The annotation of a cube was saved here.
    """

    changed = Signal()
    saved = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = ref(session)  # weakly: it is kept as long as the session, not the other way round
        self.queue = AnnotationQueue()
        self.study: Study | None = None
        self.name = annotator_name()
        self.trouble = ""
        self.compared = False  # whether the queue knows on which cubes annotators disagree
        self._newer: set[str] = set()  # read by itself since the reading of all was begun
        self._reading = Background(latest_only=True, parent=self)
        self._reading.done.connect(self._take)
        self._reading.failed.connect(self._not_read)
        self._read_soon = delay(self, _DRAFTS_MS, self.read)
        session.study_changed.connect(self._study_changed)
        session.cube_changed.connect(self._cube_changed)
        session.annotation_changed.connect(self._annotation_changed)
        self._study_changed(session.study)

    @property
    def session(self) -> Session:
        """The session."""
        session = self._session()
        assert session is not None, "the session is gone"
        return session

    # --- what is known

    def read(self) -> None:
        """Look for what has changed on disk, as another annotator's work on a shared folder, or after a new name."""
        if self.study is None:
            return
        name = annotator_name()
        known = dict(self.queue.rows) if name == self.name else {}
        self.name = name
        self._newer.clear()
        self._reading.submit(partial(_read_all, self.study, name, known))

    def row(self, cube_id: str | None) -> QueueRow | None:
        """What is known of a cube; None if it is none of the study."""
        return self.queue.rows.get(cube_id) if cube_id is not None else None

    def text(self) -> str:
        """Return ``112 of 330 done · 14 unsure``, or why nothing could be read."""
        return self.queue.text() or self.trouble

    # --- the way

    def set_filter(self, wanted: QueueFilter) -> None:
        """Show other cubes; previous and next go through these."""
        if wanted != self.queue.filter:
            self.queue.filter = wanted
            self.changed.emit()

    def set_disagreeing(self, cube_ids: Iterable[str]) -> None:
        """Note on which cubes annotators disagree."""
        self.queue.disagreeing = frozenset(cube_ids)
        self.compared = True
        self.changed.emit()

    def neighbour(self, by: int) -> str | None:
        """Return the cube `by` places on among those shown; None at the end."""
        return self.queue.neighbour(self.session.cube_id, by)

    def step(self, by: int) -> None:
        """Show the cube `by` places on among those of the filter; the list does not wrap."""
        cube_id = self.neighbour(by)
        if cube_id is not None:
            self.go_to(cube_id)
        elif self.queue.filter:  # else the user may not think of it
            show_warning(f"No {'further' if by > 0 else 'earlier'} cube among those that the queue's filter shows.")

    def next_todo(self) -> None:
        """Show the next cube to do, after the last one beginning again; all work must be on disk.

        Asks the disk about it: somebody else may have done it meanwhile.
        """
        if self.study is None:
            return
        for cube_id in self.queue.still_todo(self.session.cube_id):
            self._read_one(cube_id)
            if self.queue.rows[cube_id].status == "todo":
                self.go_to(cube_id)
                return
        show_warning("No other cube of this study is to do.")

    def go_to(self, cube_id: str) -> None:
        """Show a cube."""
        if cube_id != self.session.cube_id or self.session.cube_layer is None:
            try:
                self.session.show_cube(cube_id)
            except InputError as error:
                show_error(str(error))

    # --- what changes

    def _study_changed(self, study: Study | None) -> None:
        before, wanted = self.queue, self.queue.filter
        is_same = study is not None and self.study is not None and study.root == self.study.root
        self.study = study
        self.queue = AnnotationQueue(study.entries if study is not None else ())
        self.compared = self.compared and is_same
        if is_same:
            self.queue.put(before.rows.values())
            self.queue.filter, self.queue.drafts = wanted, before.drafts
            self.queue.disagreeing = before.disagreeing
        self.changed.emit()
        self.read()

    def _annotation_changed(self, cube_id: str) -> None:
        self._read_one(cube_id)
        self.changed.emit()
        self.saved.emit(cube_id)

    def _cube_changed(self, _: str | None) -> None:
        self.changed.emit()
        self._read_soon.start()

    def _read_one(self, cube_id: str) -> None:
        if self.study is not None and cube_id in self.queue.rows:
            try:
                self.queue.put([read_row(self.study, self.name, cube_id)])
                self._newer.add(cube_id)
            except (InputError, OSError) as error:
                self.trouble = str(error)

    def _take(self, number: int, found: _Read) -> None:
        study, name, rows, drafts = found
        if number == self._reading.latest and study is self.study and name == self.name:
            self.trouble = ""
            self.queue.put(row for cube_id, row in rows.items() if cube_id not in self._newer)
            self.queue.drafts = drafts
            self._reading.close(0)  # no thread is kept for a reading now and then
            self.changed.emit()

    def _not_read(self, number: int, error: Exception) -> None:
        if number == self._reading.latest:
            self._reading.close(0)
        self.trouble = str(error)
        self.changed.emit()


_queues: WeakKeyDictionary[Session, LiveQueue] = WeakKeyDictionary()


def live_queue(session: Session) -> LiveQueue:
    """Return the queue of a session, made on first use."""
    if session not in _queues:
        _queues[session] = LiveQueue(session)
    return _queues[session]


def _read_all(study: Study, name: str, known: dict[str, QueueRow]) -> _Read:
    rows = read_rows(study, name, known)
    # a draft without a name belongs to the first annotation of its cube
    unsigned = {cube_id for cube_id in cubes_with_draft(study, "") if cube_id in rows and not rows[cube_id].first}
    return study, name, rows, cubes_with_draft(study, name) | unsigned
