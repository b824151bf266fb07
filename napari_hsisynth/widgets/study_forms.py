"""The forms of the study dock: make a study, make one of phantoms, add cubes. Import and export: `exchange_forms`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Diagnosis
from napari_hsisynth.study.wavelengths import parse_wavelengths
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.path_field import PathField
from napari_hsisynth.widgets.study_table import diagnosis_icon


class StudyForm(QWidget):
    """A form with one button. A subclass adds rows and says what is wrong and which command does the same.

    Parameters
    ----------
    verb : str
        The button's text.

    Attributes
    ----------
    asked : Signal
        The button was pressed while the form was valid.
    """

    asked = Signal()

    def __init__(self, verb: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = QFormLayout()
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.button = QPushButton(verb, self)
        self.button.clicked.connect(self.asked.emit)
        self.reason = QLabel(self)
        self.reason.setWordWrap(True)
        self.reason.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.command = CommandLine(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self.form)
        layout.addWidget(self.button)
        layout.addWidget(self.reason)
        layout.addWidget(self.command)

    def add(self, label: str, field: QWidget, tip: str) -> None:
        """Add a row."""
        field.setToolTip(tip)
        name = QLabel(label, self)
        name.setToolTip(tip)
        name.setBuddy(field)
        field.setAccessibleName(label)
        self.form.addRow(name, field)

    def words(self) -> list[str]:
        """The command that does the same, behind ``napari-hsisynth``; none if there is no such verb."""
        return []

    def check(self) -> None:
        """Raise InputError if the form cannot be used; an empty message if it is only not filled in yet."""

    def update_state(self) -> None:
        """Enable the button if the form is valid, say why not, and show the command."""
        reason, filled = "", True
        try:
            for field in self.findChildren(PathField):
                if not field.isHidden() and (problem := field.look()):
                    raise InputError(problem)
            self.check()
        except InputError as error:
            reason, filled = str(error), False
        except OSError as error:  # whatever a folder on a disk may answer: a slot must not fail
            reason, filled = f"cannot be looked at: {error.strerror or error}", False
        self.button.setEnabled(filled)
        self.button.setToolTip(reason)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        words = self.words() if filled else []
        self.command.setVisible(bool(words))
        if words:
            self.command.set_words(words)

    @staticmethod
    def _target(target: Path, check: Callable[[], None]) -> None:
        """Check a target as the command does, and say what stands in the way as a form does, which has a box for it."""
        try:
            check()
        except InputError as error:
            there = error.fix.endswith("--force")
            fix = "choose another name, or replace it" if there else error.fix
            raise InputError(error.what, where=target.name, fix=fix) from None

    @staticmethod
    def _new_folder(field: PathField) -> Path:
        path = field.path
        if path is None:
            raise InputError("choose a folder for the study")
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise InputError("is not an empty folder", where=path.name, fix="type the name of a new one behind it")
        return path


class NewForm(StudyForm):
    """Make an empty study."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Make the study", parent)
        self.folder = PathField("Folder of the new study", "a new folder", self)
        self.wavelengths = QLineEdit("465:630:16", self)
        self.notes = QLineEdit(self)
        self.add("folder", self.folder, "Where the study is made; a new or an empty folder")
        self.add(
            "bands (nm)",
            self.wavelengths,
            "Band centres in nm of all its cubes: 465,476,... or first:last:number of bands",
        )
        self.add("notes", self.notes, "What people should know about this study")
        self.folder.changed.connect(self.update_state)
        self.wavelengths.textChanged.connect(self.update_state)
        self.update_state()

    def check(self) -> None:
        """Look at folder and wavelengths."""
        self._new_folder(self.folder)
        parse_wavelengths(self.wavelengths.text())

    def options(self) -> dict[str, Any]:
        """Arguments of `Study.create`."""
        return {
            "root": self.folder.path,
            "wavelengths_nm": parse_wavelengths(self.wavelengths.text()),
            "notes": self.notes.text().strip(),
        }


class DemoForm(StudyForm):
    """Make a study of phantoms."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Make the demo study", parent)
        self.folder = PathField("Folder of the demo study", "a new folder", self)
        self.folder.set_path(free_folder(Path.home() / "hsisynth-demo"))
        self.per_class = QSpinBox(self)
        self.per_class.setRange(1, 500)
        self.per_class.setValue(4)
        self.sensor = QComboBox(self)
        self.sensor.addItems(["hsidermoscopy", "ideal"])
        self.seed = QSpinBox(self)
        self.seed.setRange(0, 2**31 - 1)
        self.add("folder", self.folder, "Where the study is made; a new or an empty folder")
        self.add("cubes each", self.per_class, "Cubes of melanoma, of dysplastic nevus and of nevus each")
        self.add("sensor", self.sensor, "hsidermoscopy: gains and noise like the real camera's; ideal: none")
        self.add("seed", self.seed, "The same seed gives the same cubes")
        self.folder.changed.connect(self.update_state)
        for box in (self.per_class, self.seed):
            box.valueChanged.connect(self.update_state)
        self.sensor.currentIndexChanged.connect(self.update_state)
        self.update_state()

    def words(self) -> list[str]:
        """``phantom OUT``."""
        words = ["phantom", str(self.folder.path), "--per-class", str(self.per_class.value())]
        words += ["--seed", str(self.seed.value())] if self.seed.value() else []
        return words + (["--sensor", self.sensor.currentText()] if self.sensor.currentIndex() else [])

    def check(self) -> None:
        """Look at the folder."""
        self._new_folder(self.folder)

    def options(self) -> dict[str, Any]:
        """Arguments of `make_phantom_study`."""
        return {
            "folder": self.folder.path,
            "per_class": self.per_class.value(),
            "seed": self.seed.value(),
            "sensor": self.sensor.currentText(),
        }


class AddForm(StudyForm):
    """Add cubes to the open study: files, or the cube that is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Add", parent)
        self.files: list[Path] = []
        self.choose = QPushButton("Choose files …", self)
        self.choose.clicked.connect(self._browse)
        self.diagnosis = QComboBox(self)
        for diagnosis in Diagnosis:
            self.diagnosis.addItem(diagnosis_icon(diagnosis), diagnosis.label, diagnosis)
        self.patient = QLineEdit(self)
        self.patient.setPlaceholderText("may be empty")
        self.copy_cubes = QCheckBox("copy the cubes", self)
        self.add("cubes", self.choose, "Files in any readable format; their names become the ids")
        self.add("diagnosis", self.diagnosis, "Of all these cubes; can be corrected in the table")
        self.add("patient", self.patient, "Of all these cubes; cubes of one patient stay on one side of every split")
        self.add("", self.copy_cubes, "Otherwise the study points at the files where they are now")
        self.update_state()

    def set_files(self, files: list[Path]) -> None:
        """Take files to add."""
        self.files = files
        names = files[0].name if len(files) == 1 else f"{len(files)} files"
        self.choose.setText(names if files else "Choose files …")
        self.update_state()

    def check(self) -> None:
        """Look whether there are files."""
        if not self.files:
            raise InputError("choose one or more files")

    def options(self) -> dict[str, Any]:
        """Arguments of `add_files`."""
        return {
            "files": self.files,
            "diagnosis": self.diagnosis.currentData(),
            "patient": self.patient.text(),
            "copy": self.copy_cubes.isChecked(),
        }

    def _browse(self) -> None:
        found, _ = QFileDialog.getOpenFileNames(self, "Cubes to add", str(Path.home()), "Cubes (*.mat *.npz *.npy *)")
        if found:
            self.set_files([Path(name) for name in found])


def free_folder(path: Path) -> Path:
    """Return `path`, or the first of ``path-2``, ``path-3``... that does not exist."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
