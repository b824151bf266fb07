"""`CropDock`: cut one crop per accepted lesion, after a look at the boxes; see the crops in their cubes."""

from __future__ import annotations

from functools import partial
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QPushButton, QVBoxLayout, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import CropRecord, CropReport, Study, make_crops
from napari_hsisynth.widgets.annotate_target import delay
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.briefs import counted
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.crop_boxes import CropBoxes
from napari_hsisynth.widgets.crop_form import CropForm
from napari_hsisynth.widgets.crop_in_place import CropInPlace
from napari_hsisynth.widgets.crop_list import CropList
from napari_hsisynth.widgets.lesion_counts import LesionCounts, count_lesions
from napari_hsisynth.widgets.scroll_column import ScrollColumn, wrapping_label
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.task_row import TaskRow
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_COUNT_MS = 500  # after the last of several annotations that were saved one after the other


class CropDock(QWidget):
    """Crops of the study: options, boxes, the button that cuts them, and the crops there are.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    summary_changed : Signal
        `summary` has another text.
    """

    summary_changed = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.session = session_for(napari_viewer)
        self.viewer = self.session.viewer  # not the proxy that plugins get, through which no layer is itself
        self.boxes = CropBoxes(self.session, self)
        self.in_place = CropInPlace(self.session, self)
        self._counter = Background(latest_only=True, parent=self)
        self._count_soon = delay(self, _COUNT_MS, self._count)
        self._counts: LesionCounts | None = None
        self._records: list[CropRecord] = []
        self._build()
        self._connect()
        self._study_changed(self.session.study)

    # -- what is shown --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        area = ScrollColumn(self)
        content, column = area.content, area.column
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

        self.facts = wrapping_label(content)
        self.next_button = QPushButton(content)
        self.form = CropForm(content)
        self.preview = QCheckBox("show the boxes on the cube", content)
        self.preview.setToolTip(
            "A layer with the boxes of the shown cube, in the colours of the diagnoses; it follows your annotating"
        )
        self.told = wrapping_label(content)
        self.crop_button = QPushButton("Crop", content)
        self.task = TaskRow(content)
        self.command = CommandLine(content)
        self.list = CropList(content)
        self.back_button = QPushButton("Back to the cube", content)
        self.back_button.setToolTip("Take the crop away and show all of its cube")
        for widget in (
            self.facts,
            self.next_button,
            self.form,
            self.preview,
            self.told,
            self.crop_button,
            self.task,
            self.command,
            self.list,
            self.back_button,
        ):
            column.addWidget(widget)
        column.setStretchFactor(self.list, 1)
        column.addStretch(0)

    def _connect(self) -> None:
        self._counter.done.connect(self._take_counts)
        self.next_button.clicked.connect(self._next_step)
        self.form.changed.connect(self._options_changed)
        self.preview.toggled.connect(self.boxes.show)
        self.boxes.removed.connect(self._boxes_removed)
        self.boxes.told_changed.connect(self._show_told)
        self.crop_button.clicked.connect(self.crop)
        self.task.finished.connect(self._update_controls)
        self.list.chosen.connect(self._open_crop)
        self.back_button.clicked.connect(self.in_place.back)
        self.in_place.changed.connect(self._crop_opened)
        links = (
            (self.session.study_changed, self._study_changed),
            (self.session.annotation_changed, self._annotation_changed),
            (self.session.crops_changed, self._crops_changed),
        )
        for signal, slot in links:
            signal.connect(slot)
        # the session and the viewer live longer than this dock
        when_destroyed(self, _let_go, links, self.boxes, self.in_place, self._counter)

    def summary(self) -> str:
        """Return the crops in one line."""
        if self.session.study is None:
            return ""
        if not self._records:
            return "no crops yet"
        sides = [side for record in self._records for side in record.shape_yx]
        span = f"{min(sides)}-{max(sides)}" if min(sides) < max(sides) else f"{sides[0]}"
        return f"{counted(len(self._records), 'crop')} · {span} px"

    def _study_changed(self, study: Study | None) -> None:
        self._counts = None
        self.task.say("")
        self.form.set_diagnoses(study.classes if study is not None else ())
        self._options_changed()
        self._count()
        self._crops_changed()
        self._show_told()

    def _count(self) -> None:
        study = self.session.study
        if study is not None:
            self._counter.submit(partial(_counted, study))

    def _take_counts(self, number: int, result: tuple[Study, LesionCounts]) -> None:
        study, counts = result
        if number == self._counter.latest and study is self.session.study:
            self._counts = counts
            self._update_controls()

    def _annotation_changed(self, _cube_id: str) -> None:
        if self.isVisibleTo(self.window()):  # else it counts when it is shown
            self._count_soon.start()

    def _crops_changed(self) -> None:
        study = self.session.study
        self._records = _crops_of(study)
        if study is not None:
            self.list.show_crops(study.crops_dir, self._records)
        self._update_controls()
        self.summary_changed.emit()

    def _update_controls(self) -> None:
        study, counts = self.session.study, self._counts
        wanted, whole = self.form.wanted, self.form.whole.isChecked()
        expected = counts.crops(wanted, whole=whole) if counts else 0
        accepted = counts.accepted.total() if counts else 0
        self.facts.setText(self._facts())
        if study is None or counts is not None:
            self.next_button.setText("Open or make a study" if study is None else "Annotate")
        self.next_button.setVisible(study is None or (counts is not None and not accepted))
        usable = study is not None and counts is not None and bool(study.entries)
        for widget in (self.form, self.preview, self.crop_button, self.command):
            widget.setVisible(usable)
        self.list.setVisible(study is not None and bool(self._records))
        self.back_button.setVisible(self.list.isVisibleTo(self))
        self.back_button.setEnabled(self.in_place.record is not None)
        self.crop_button.setEnabled(usable and expected > 0 and not self.task.active)
        self.crop_button.setText("Crop again" if self._records else "Crop")
        if expected:
            again = f"; they replace the {len(self._records)} there are" if self._records else ""
            self.crop_button.setToolTip(f"Cut {counted(expected, 'crop')}{again}")
        else:
            kind = f" of {wanted.label}" if wanted else ""
            self.crop_button.setToolTip(f"There is no accepted lesion{kind} to crop")
        if study is not None:
            self.command.set_words(self.words())

    def _facts(self) -> str:
        study, counts = self.session.study, self._counts
        if study is None:
            return "No study open. Crops are cut from the cubes of a study, one around each lesion."
        if counts is None:
            return "counting lesions …"
        now = f"\nnow: {self.summary()}" if self._records else ""
        if not counts.accepted:
            return f"No accepted lesion in this study yet. Mark one and accept it, or import masks.{now}"
        left = [f"{count} {status}" for status, count in sorted(counts.not_accepted.items())]
        lesions = counted(counts.accepted.total(), "accepted lesion")
        text = f"{lesions} in {counts.cubes:,} of {len(study.entries):,} cubes"
        text += f"; left out: {' and '.join(left)}" if left else ""
        return f"{text}\nnow: {self.summary()}"

    def words(self) -> list[str]:
        """``crop STUDY --margin M``."""
        assert self.session.study is not None
        return ["crop", str(self.session.study.root), *self.form.words()]

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the study again: a shell may have worked in it meanwhile."""
        super().showEvent(event)
        if not event.spontaneous():
            self._crops_changed()
            self._count()

    def _options_changed(self) -> None:
        self.boxes.set_rule(self.form.rule(), self.form.wanted, self.form.whole.isChecked())
        self._update_controls()

    def _next_step(self) -> None:
        self.session.open_step("Study" if self.session.study is None else "Annotate")

    def _boxes_removed(self) -> None:
        self.preview.setChecked(False)

    def _show_told(self) -> None:
        self.told.setText(self.boxes.told)
        self.told.setVisible(bool(self.boxes.told))

    # -- the crops there are --------------------------------------------------------------------------------------

    def _open_crop(self, record: CropRecord) -> None:
        try:
            self.in_place.open(record)
        except InputError as error:
            show_warning(str(error))

    def _crop_opened(self) -> None:
        self.back_button.setEnabled(self.in_place.record is not None)

    # -- cropping -------------------------------------------------------------------------------------------------

    def crop(self) -> None:
        """Cut the crops in a thread; the present ones are replaced when all are there."""
        study = self.session.study
        if study is None or self.task.active:
            return
        rule = self.form.rule()
        options = {"margin": rule.margin, "square": rule.square, "size": rule.size_px}
        work = partial(_make_crops, study, whole=self.form.whole.isChecked(), diagnosis=self.form.wanted, **options)
        self.task.start(work, self._cropped, title="cropping")
        self._update_controls()

    def _cropped(self, result: tuple[Study, CropReport]) -> str:
        study, report = result
        if self.session.study is not None and self.session.study.root == study.root:
            self.session.crops_changed.emit()
        return " · ".join([f"✔ {counted(len(report.records), 'crop')} cut", *report.notes])


def _make_crops(study: Study, **options: Any) -> tuple[Study, CropReport]:
    own = Study.open(study.root)  # the dock's one is read meanwhile
    return own, make_crops(own, **options)


def _counted(study: Study) -> tuple[Study, LesionCounts]:
    return study, count_lesions(study)


def _crops_of(study: Study | None) -> list[CropRecord]:
    try:
        return study.crops() if study is not None else []
    except InputError:
        return []  # a damaged index: cutting the crops again mends it


def _let_go(links: Any, boxes: CropBoxes, in_place: CropInPlace, counter: Background) -> None:
    for signal, slot in links:
        signal.disconnect(slot, missing_ok=True)
    boxes.close()
    in_place.close()
    counter.close(timeout_s=0)
