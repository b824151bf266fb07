"""`DatasetForm`: write synthetic sets as a data set for others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QListWidget, QListWidgetItem, QSpinBox, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import without_time
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.study.dataset import check_target
from napari_hsisynth.widgets.job_dock import choice, refill
from napari_hsisynth.widgets.path_field import PathField
from napari_hsisynth.widgets.study_forms import StudyForm

_FORMATS = {"MATLAB 5 (.mat)": "mat", "ENVI": "envi"}
_MASKS = {
    "stored, else automatic": "complete",
    "stored ones": "stored",
    "automatic for all": "automatic",
    "none": "none",
}
_MOST_LINES = 4


class DatasetForm(StudyForm):
    """Which synthetic cubes are exported, where to, and what the data card says of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Export", parent)
        self._root: Path | None = None
        #: Cubes of each diagnosis in each set.
        self._cubes: Mapping[str, Mapping[str, int]] = {}
        #: Whether the user has ticked or unticked a set of this study.
        self._by_hand = False
        #: Why no export can be started now, whatever the form says.
        self.busy = ""
        self.sets = QListWidget(self)
        self.sets.setMinimumWidth(1)
        self.sets.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.sets.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.target = PathField("Folder of the data set", "a new folder", self)
        self.cube_format, self.masks = self._chooser(_FORMATS), self._chooser(_MASKS)
        self.diagnosis = choice(self, "")
        self.each = QSpinBox(self)
        self.each.setRange(0, 100_000)
        self.each.setSpecialValueText("all")
        self.title, self.licence = QLineEdit(self), QLineEdit(self)
        self.title.setPlaceholderText("SYNTHETIC is put before it")
        self.licence.setPlaceholderText("not stated")
        self.replace_export = QCheckBox("replace a data set", self)
        self.add("sets", self.sets, "Tick the sets to export")
        self.add("to", self.target, "A new folder; it appears as a whole or not at all")
        self.add("format", self.cube_format, "Of the cubes; .mat as in HSIDermoscopy")
        self.add("masks", self.masks, "Those stored with the cubes, or found in them without prompts")
        self.add("diagnosis", self.diagnosis, "Only cubes of this diagnosis")
        self.add("cubes", self.each, "At most so many of each diagnosis in each set")
        self.add("title", self.title, "For the data card")
        self.add("licence", self.licence, "For the data card; it is yours to give, if the training data allow it")
        self.add("", self.replace_export, "Only a data set that was exported is replaced, nothing else")
        self.sets.itemChanged.connect(self._ticked)
        self.target.changed.connect(self.update_state)
        self.replace_export.toggled.connect(self._changed)
        self.each.valueChanged.connect(self._changed)
        for box in (self.cube_format, self.masks, self.diagnosis):
            box.currentIndexChanged.connect(self._changed)
        for line in (self.title, self.licence):
            line.textChanged.connect(self._changed)
        self.offer(None, {}, None)

    def _chooser(self, choices: Mapping[str, str]) -> QComboBox:
        box = choice(self, "")
        refill(box, list(choices.items()))
        return box

    def offer(self, root: Path | None, sets: Mapping[str, Mapping[str, int]], selected: str | None) -> None:
        """Offer the sets of a study; what the user has ticked stays so, until then the selected one is.

        Parameters
        ----------
        root : pathlib.Path or None
            Of the study.
        sets : mapping of str to mapping of str to int
            Cubes of each diagnosis in each set.
        selected : str or None
            A set.
        """
        self._by_hand = self._by_hand and root == self._root
        ticked: set[str | None] = set(self.ticked) if self._by_hand else {selected}
        self._root, self._cubes = root, sets
        self.sets.blockSignals(True)
        self.sets.clear()
        for run_id, cubes in sets.items():
            item = QListWidgetItem(f"{without_time(run_id)} · {sum(cubes.values()):,}")
            item.setData(Qt.ItemDataRole.UserRole, run_id)
            item.setToolTip(run_id)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            on = run_id in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.sets.addItem(item)
        self.sets.blockSignals(False)
        lines = max(2, min(len(sets), _MOST_LINES))
        line_px = max(self.sets.sizeHintForRow(0), self.fontMetrics().lineSpacing())
        self.sets.setFixedHeight(lines * line_px + 2 * self.sets.frameWidth())
        self._offer_diagnoses()
        self.update_state()

    @property
    def ticked(self) -> list[str]:
        """Run ids of the sets to export."""
        items = [self.sets.item(row) for row in range(self.sets.count())]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() == Qt.CheckState.Checked]

    def words(self) -> list[str]:
        """``export dataset STUDY DST --sets RUN ... --format F``, with what else is chosen."""
        words = ["export", "dataset", str(self._root), str(self.target.path), "--sets", *self.ticked]
        words += ["--format", self.cube_format.currentData(), "--masks", self.masks.currentData()]
        given = {
            "--n": str(self.each.value() or ""),
            "--diagnosis": self.diagnosis.currentData(),
            "--title": self.title.text().strip(),
            "--licence": self.licence.text().strip(),
        }
        words += [word for flag, value in given.items() if value for word in (flag, value)]
        return words + (["--force"] if self.replace_export.isChecked() else [])

    def check(self) -> None:
        """Look at sets and target."""
        if self.busy:
            raise InputError(self.busy)
        if self._root is None:
            raise InputError("open a study")
        if not self.ticked:
            raise InputError("tick at least one set")
        target = self.target.path
        if target is None:
            raise InputError("choose a folder to write")
        self._target(target, partial(check_target, target, force=self.replace_export.isChecked()))

    def _offer_diagnoses(self) -> None:
        names = sorted({name for run_id in self.ticked for name, count in self._cubes[run_id].items() if count})
        refill(self.diagnosis, [("all", ""), *((Diagnosis(name).label, name) for name in names)])

    def _ticked(self, _item: QListWidgetItem) -> None:
        self._by_hand = True
        self._offer_diagnoses()
        self.update_state()

    def _changed(self, _value: object = None) -> None:
        self.update_state()
