"""`CropDock`: cut one crop per accepted lesion, after a look at the boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Shapes
from napari.qt.threading import create_worker
from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import DIAGNOSIS_COLOURS, CropRecord, CropReport, Diagnosis, Study, make_crops
from napari_hsisynth.study.boxes import LARGEST_MARGIN, Box, bounding_box, crop_box
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.scroll_column import ScrollColumn, wrapping_label
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.task_row import TaskRow

_MARGIN, _SQUARE = "crop/margin", "crop/square"


class CropDock(QWidget):
    """Crops of the study: margin, preview, and the button that cuts them.

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
        self.boxes: Shapes | None = None
        self._counts: Counter[str] | None = None
        self._records: list[CropRecord] = []
        self._build()
        self._listen(self.session.study_changed, self._study_changed)
        self._listen(self.session.cube_changed, lambda _cube_id: self._update_boxes())
        self._listen(self.session.annotation_changed, self._annotation_changed)
        self._listen(self.session.crops_changed, self._crops_changed)
        self._listen(self.viewer.layers.events.removed, self._layer_removed)
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
        self.next_button.clicked.connect(self._next_step)
        self.margin = QDoubleSpinBox(content)
        self.margin.setRange(0, LARGEST_MARGIN)
        self.margin.setSingleStep(0.1)
        self.margin.setDecimals(2)
        self.margin.setValue(settings.value(_MARGIN, 0.5))
        self.margin.valueChanged.connect(self._options_changed)
        self.square = QCheckBox("square boxes", content)
        self.square.setToolTip("Make both sides as long as the longer one; moved inwards at the border of the image")
        self.square.setChecked(settings.value(_SQUARE, False))
        self.square.toggled.connect(self._options_changed)
        self.margin_text = wrapping_label(content)
        self.preview = QCheckBox("show the boxes on the cube", content)
        self.preview.setToolTip("A layer with the boxes of the shown cube, in the colours of the diagnoses")
        self.preview.toggled.connect(self._preview_toggled)
        self.crop_button = QPushButton("Crop", content)
        self.crop_button.clicked.connect(self.crop)
        self.task = TaskRow(content)
        self.task.finished.connect(self._update_controls)
        self.command = CommandLine(content)
        self.form = QWidget(content)
        form = QFormLayout(self.form)
        form.setContentsMargins(0, 0, 0, 0)
        label = QLabel("margin", self.form)
        label.setBuddy(self.margin)
        tip = (
            "Fraction of the lesion's box: 0.5 makes both sides 1.5 times as long about the centre, clipped at borders"
        )
        for widget in (label, self.margin):
            widget.setToolTip(tip)
        self.margin.setAccessibleName("margin")
        form.addRow(label, self.margin)
        form.addRow("", self.margin_text)
        form.addRow("", self.square)
        form.addRow("", self.preview)
        for widget in (self.facts, self.next_button, self.form, self.crop_button, self.task, self.command):
            column.addWidget(widget)
        column.addStretch(1)

    def summary(self) -> str:
        """Return the crops in one line."""
        if self.session.study is None:
            return ""
        if not self._records:
            return "no crops yet"
        sides = [side for record in self._records for side in (record.y1 - record.y0, record.x1 - record.x0)]
        crops = f"{len(self._records):,} crop{'' if len(self._records) == 1 else 's'}"
        return f"{crops} · {min(sides)}-{max(sides)} px"

    def _study_changed(self, study: Study | None) -> None:
        self._counts = None
        self._records = _crops_of(study)
        self.task.say("")
        if study is not None:
            worker = create_worker(_count_lesions, study, _start_thread=False)
            worker.returned.connect(self._take_counts)
            worker.start()
        self._update_controls()
        self._update_boxes()
        self.summary_changed.emit()

    def _take_counts(self, result: tuple[Study, Counter[str]]) -> None:
        study, counts = result
        if study is self.session.study:
            self._counts = counts
            self._update_controls()

    def _annotation_changed(self, cube_id: str) -> None:
        study = self.session.study
        if study is not None:
            worker = create_worker(_count_lesions, study, _start_thread=False)
            worker.returned.connect(self._take_counts)
            worker.start()
        if cube_id == self.session.cube_id:
            self._update_boxes()

    def _crops_changed(self) -> None:
        self._records = _crops_of(self.session.study)
        self._update_controls()
        self.summary_changed.emit()

    def _update_controls(self) -> None:
        study, counts = self.session.study, self._counts
        accepted = counts["accepted"] if counts else 0
        ready = study is not None and accepted > 0
        waiting = study is not None and counts is None
        if study is None:
            self.facts.setText("No study open. Crops are cut from the cubes of a study, one around each lesion.")
            self.next_button.setText("Open or make a study")
        elif waiting:
            self.facts.setText("counting lesions …")
        elif not ready:
            self.facts.setText("No accepted lesion in this study yet. Mark one and accept it, or import masks.")
            self.next_button.setText("Annotate")
        else:
            assert counts is not None
            left = [f"{counts[status]} {status}" for status in ("draft", "unsure") if counts[status]]
            lesions = f"{accepted:,} accepted lesion{'' if accepted == 1 else 's'}"
            text = f"{lesions} in {counts['cubes']:,} of {len(study.entries):,} cubes"
            text += f"; left out: {' and '.join(left)}" if left else ""
            self.facts.setText(f"{text}\nnow: {self.summary()}")
        self.next_button.setVisible(not ready and not waiting)
        for widget in (self.form, self.crop_button, self.command):
            widget.setVisible(ready)
        grown = 1 + self.margin.value()
        self.margin_text.setText(f"sides × {grown:.2f}, {50 * self.margin.value():.0f} % more on each side")
        self.crop_button.setEnabled(ready and not self.task.active)
        again = f"; replaces the {len(self._records)} crops there are" if self._records else ""
        self.crop_button.setText("Crop again" if self._records else "Crop")
        self.crop_button.setToolTip(f"Cut one crop per accepted lesion{again}")
        if study is not None:
            self.command.set_words(self.words())

    def words(self) -> list[str]:
        """``crop STUDY --margin M``."""
        assert self.session.study is not None
        words = ["crop", str(self.session.study.root), "--margin", f"{self.margin.value():g}"]
        return words + (["--square"] if self.square.isChecked() else [])

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the study again: a shell may have worked in it meanwhile."""
        super().showEvent(event)
        if not event.spontaneous():
            self._crops_changed()

    def _options_changed(self) -> None:
        settings.set_value(_MARGIN, self.margin.value())
        settings.set_value(_SQUARE, self.square.isChecked())
        self._update_controls()
        self._update_boxes()

    def _next_step(self) -> None:
        self.session.open_step("Study" if self.session.study is None else "Annotate")

    # -- the boxes ------------------------------------------------------------------------------------------------

    def _preview_toggled(self, on: bool) -> None:
        if on:
            self._update_boxes()
        elif self.boxes is not None:
            layer, self.boxes = self.boxes, None
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _layer_removed(self, event: Any) -> None:
        if event.value is self.boxes:  # the user took it away: that is an answer
            self.boxes = None
            self.preview.setChecked(False)

    def _update_boxes(self) -> None:
        """Draw the boxes of the shown cube, if they are asked for."""
        if not self.preview.isChecked():
            return
        cube_id, found = self.session.cube_id, []
        if self.session.study is not None and cube_id is not None:
            try:
                found = boxes_of(self.session.study, cube_id, self.margin.value(), self.square.isChecked())
            except InputError as error:
                self.task.say(f"✖ {error}")
        if cube_id is None:
            self.task.say("open a cube in the Study dock to see its boxes")
        corners = [np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]]) - 0.5 for (y0, x0, y1, x1), _ in found]
        colours = [DIAGNOSIS_COLOURS[diagnosis] for _, diagnosis in found]
        if self.boxes is None:
            active = self.viewer.layers.selection.active
            self.boxes = self.viewer.add_shapes(ndim=2, name="crop boxes", face_color="transparent", edge_width=1.5)
            self.boxes.editable = False
            if active is not None:  # only to be looked at: whoever was drawing goes on drawing
                self.viewer.layers.selection.active = active
        self.boxes.name = f"{cube_id} · crop boxes" if cube_id else "crop boxes"
        self.boxes.data = []
        if corners:
            self.boxes.add_rectangles(corners, edge_color=colours, face_color="transparent", edge_width=1.5)

    # -- cropping -------------------------------------------------------------------------------------------------

    def crop(self) -> None:
        """Cut the crops in a thread; the present ones are replaced when all are there."""
        study = self.session.study
        if study is None or self.task.active:
            return
        margin, square = self.margin.value(), self.square.isChecked()

        def work(**hooks: Any) -> tuple[Study, CropReport]:
            own = Study.open(study.root)  # the dock's one is read meanwhile
            return own, make_crops(own, margin=margin, square=square, **hooks)

        self.task.start(work, self._cropped, title="cropping")
        self._update_controls()

    def _cropped(self, result: tuple[Study, CropReport]) -> str:
        study, report = result
        if self.session.study is not None and self.session.study.root == study.root:
            self.session.crops_changed.emit()
        return " · ".join([f"✔ {len(report.records):,} crops cut", *report.notes])

    def _listen(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect a signal for as long as this dock lives; the session and the viewer live longer."""
        signal.connect(slot)
        self.destroyed.connect(lambda *_: _disconnect(signal, slot))


def boxes_of(study: Study, cube_id: str, margin: float, square: bool) -> list[tuple[Box, Diagnosis]]:
    """Return box and diagnosis of every crop that would be cut from a cube."""
    annotation = study.annotation(cube_id)
    found: list[tuple[Box, Diagnosis]] = []
    for instance in annotation.instances:
        lesion = bounding_box(annotation.mask_of(instance.id)) if instance.status == "accepted" else None
        if lesion is not None:
            box = crop_box(lesion, annotation.mask.shape, margin=margin, square=square)
            found.append((box, instance.diagnosis))
    return found


def _count_lesions(study: Study) -> tuple[Study, Counter[str]]:
    """Count the lesions by status, and under "cubes" the cubes with an accepted one."""
    counts: Counter[str] = Counter()
    for entry in study.entries:
        try:
            summary = study.annotation_summary(entry.id)
        except InputError:
            continue  # the crop itself says what is wrong with it
        counts.update(instance.status for instance in summary.instances)
        counts["cubes"] += summary.accepted > 0
    return study, counts


def _crops_of(study: Study | None) -> list[CropRecord]:
    try:
        return study.crops() if study is not None else []
    except InputError:
        return []  # a damaged index: cutting the crops again mends it


def _disconnect(signal: Any, slot: Callable[..., None]) -> None:
    try:
        signal.disconnect(slot)
    except (ValueError, TypeError, RuntimeError):  # gone already, with its viewer
        return
