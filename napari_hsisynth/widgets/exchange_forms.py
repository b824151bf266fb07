"""The forms of the study dock that bring cubes and annotations in and out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import ImportReport, import_hsidermoscopy
from napari_hsisynth.study.dataset import DatasetImport, import_dataset, is_data_set
from napari_hsisynth.study.dataset.layout import CARD
from napari_hsisynth.study.exchange import KINDS, AnnotationImport, check_target, import_annotations
from napari_hsisynth.study.wavelengths import parse_wavelengths
from napari_hsisynth.widgets.path_field import PathField
from napari_hsisynth.widgets.study_forms import StudyForm

#: The kinds that bring their cubes along, those of patients and synthetic ones; all others bring annotations only.
WITH_CUBES, SYNTHETIC = "hsidermoscopy", "dataset"
_IF_MARKED = {"leave the cube alone": "skip", "add the lesions": "merge", "replace them, keep a copy": "replace"}
_WHICH = {"accepted ones": "accepted", "all, drafts too": "all"}
_SOURCES = {
    WITH_CUBES: "holds images/ and masks/",
    "coco": "a JSON file",
    "labelstudio": "its export as JSON",
    "labelme": "holds one JSON per picture",
    SYNTHETIC: f"holds {CARD}",
}
_FOLDERS = (WITH_CUBES, "labelme", SYNTHETIC)


def _chooser(parent: QWidget, choices: dict[str, str]) -> QComboBox:
    box = QComboBox(parent)
    for text, data in choices.items():
        box.addItem(text, data)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


class ImportForm(StudyForm):
    """Import a folder in the layout of HSIDermoscopy, or annotations of other tools."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Import", parent)
        self._study: Path | None = None
        self.kind_box = _chooser(
            self, {"synthetic data set" if name == SYNTHETIC else KINDS[name].title: name for name in _SOURCES}
        )
        self.source = PathField("What to import", "", self)
        self.folder = PathField("Folder of the study", "a new folder, or a study", self)
        self.wavelengths = QLineEdit(self)
        self.wavelengths.setPlaceholderText("from wavelengths.csv, else 465:630:16")
        self.copy_cubes = QCheckBox("copy the cubes", self)
        self.if_marked = _chooser(self, _IF_MARKED)
        self.annotator, self.set_name = QLineEdit(self), QLineEdit(self)
        self.annotator.setPlaceholderText("as the file says")
        self.set_name.setPlaceholderText("that of its folder")
        kinds = "HSIDermoscopy brings cubes and masks, a synthetic data set what an export of one wrote, the others"
        self.add("kind", self.kind_box, f"{kinds} annotations only")
        self.add("from", self.source, "For cubes: images/{DNCube,MMCube,OtherCube}/*.mat and masks/ in the same way")
        self.add("study", self.folder, "Where cubes are added, or a study is made; annotations need a study with cubes")
        self.add("bands (nm)", self.wavelengths, "Band centres in nm: 465,476,... or first:last:number of bands")
        self.add("", self.copy_cubes, "Otherwise the study points at the cubes where they are now")
        self.add("if marked", self.if_marked, "What is done with a cube in which the same annotator has marked lesions")
        self.add(
            "annotator",
            self.annotator,
            "Whose work it is; kept apart from that of others",
        )
        self.add("set name", self.set_name, "Of the synthetic set in the study: a folder below synthetic")
        for field in (self.source, self.folder):
            field.changed.connect(self.update_state)
        for line in (self.wavelengths, self.annotator, self.set_name):
            line.textChanged.connect(self.update_state)
        self.copy_cubes.toggled.connect(self.update_state)
        self.if_marked.currentIndexChanged.connect(self.update_state)
        self.kind_box.currentIndexChanged.connect(self._kind_changed)
        self._kind_changed()

    @property
    def kind(self) -> str:
        """Name of the chosen kind."""
        return self.kind_box.currentData()

    def set_study(self, root: Path | None) -> None:
        """Offer the open study as that whose cubes the annotations are of."""
        self._study = root
        if root is not None and self.kind != WITH_CUBES:
            self.folder.set_path(root)

    def _kind_changed(self, _index: int = 0) -> None:
        with_cubes, synthetic = self.kind == WITH_CUBES, self.kind == SYNTHETIC
        for field in (self.wavelengths, self.copy_cubes):
            self.form.setRowVisible(field, with_cubes)
        for field in (self.if_marked, self.annotator):
            self.form.setRowVisible(field, not with_cubes and not synthetic)
        self.form.setRowVisible(self.set_name, synthetic)
        self.source.asks_for = "folder" if self.kind in _FOLDERS else "file"
        self.source.line.setPlaceholderText(_SOURCES[self.kind])
        if not with_cubes and self.folder.path is None:
            self.set_study(self._study)
        makes_one = with_cubes or synthetic
        self.folder.line.setPlaceholderText("a new folder, or a study" if makes_one else "a study with the cubes")
        self.update_state()

    def words(self) -> list[str]:
        """``import KIND SRC STUDY``."""
        words = ["import", self.kind, str(self.source.path), str(self.folder.path)]
        if self.kind == SYNTHETIC:
            name = self.options()["name"]
            return words + (["--name", name] if name else [])
        if self.kind != WITH_CUBES:
            options = self.options()
            words += [] if options["if_marked"] == "skip" else [f"--{options['if_marked']}"]
            return words + (["--as", options["annotator"]] if options["annotator"] else [])
        if self.wavelengths.text().strip():
            words += ["--wavelengths", self.wavelengths.text().strip().replace(" ", "")]
        return words + (["--copy"] if self.copy_cubes.isChecked() else [])

    def options(self) -> dict[str, Any]:
        """Arguments of `import_hsidermoscopy`, of `import_dataset`, or of `import_annotations`."""
        if self.kind == SYNTHETIC:
            return {"name": self.set_name.text().strip() or None}
        if self.kind != WITH_CUBES:
            return {"if_marked": self.if_marked.currentData(), "annotator": self.annotator.text().strip()}
        text = self.wavelengths.text().strip()
        return {"wavelengths_nm": parse_wavelengths(text) if text else None, "copy": self.copy_cubes.isChecked()}

    def work(self) -> Callable[..., ImportReport | AnnotationImport | DatasetImport]:
        """Return the import itself, to be called with ``progress`` and ``cancelled``."""
        source, folder = self.source.path, self.folder.path
        assert source is not None
        assert folder is not None
        if self.kind == WITH_CUBES:
            return partial(import_hsidermoscopy, source, folder, **self.options())
        if self.kind == SYNTHETIC:
            return partial(_import_dataset, source, folder, **self.options())
        return partial(import_annotations, self.kind, source, folder, **self.options())

    def check(self) -> None:
        """Look at paths and wavelengths; what is in them is looked at by the import itself."""
        source, folder = self.source.path, self.folder.path
        with_cubes = self.kind == WITH_CUBES
        if source is None:
            raise InputError("choose the folder that holds images and masks" if with_cubes else "choose what to import")
        if with_cubes and not (source / "images").is_dir():
            raise InputError("has no folder images", where=source.name or str(source))
        if not source.exists():
            raise InputError("is not there", where=source.name)
        if self.kind == SYNTHETIC and not is_data_set(source):
            raise InputError("is no synthetic data set", where=source.name, fix=f"choose the folder with {CARD}")
        makes_one = self.kind in (WITH_CUBES, SYNTHETIC)
        if folder is None:
            raise InputError("choose a folder for the study" if makes_one else "choose the study")
        if not (folder / "study.yaml").is_file():
            if not makes_one:
                raise InputError("is no study", where=folder.name, fix="import its cubes first")
            self._new_folder(self.folder)
        self.options()


def _import_dataset(source: Path, folder: Path, **options: Any) -> DatasetImport:
    """As `import_dataset`, with advice for somebody who has a form and no flags."""
    try:
        return import_dataset(source, folder, **options)
    except InputError as error:
        if "--name" in error.fix:
            raise InputError(error.what, where=error.where, fix="give it another set name") from error
        raise


class ExportForm(StudyForm):
    """Write the annotations of the open study for another tool."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Export", parent)
        self._study: Path | None = None
        self.kind_box = _chooser(self, {kind.title: name for name, kind in KINDS.items()})
        self.target = PathField("Where to export to", "", self)
        self.which = _chooser(self, _WHICH)
        self.annotator = QLineEdit(self)
        self.replace_export = QCheckBox("replace an earlier export", self)
        self.add("kind", self.kind_box, "The tool for which the annotations are written")
        self.add("to", self.target, "A file for COCO, else a new folder; it appears as a whole or not at all")
        self.add("lesions", self.which, "Which lesions are written")
        self.add("annotator", self.annotator, "Write only this person's work")
        self.add("", self.replace_export, "Only what an export made is replaced, nothing else")
        self.target.changed.connect(self.update_state)
        self.annotator.textChanged.connect(self.update_state)
        self.replace_export.toggled.connect(self.update_state)
        self.which.currentIndexChanged.connect(self.update_state)
        self.kind_box.currentIndexChanged.connect(self._kind_changed)
        self._kind_changed()

    @property
    def kind(self) -> str:
        """Name of the chosen kind."""
        return self.kind_box.currentData()

    def set_study(self, root: Path | None) -> None:
        """Take the study to write; None if none is open."""
        self._study = root
        self.update_state()

    def _kind_changed(self, _index: int = 0) -> None:
        kind = KINDS[self.kind]
        self.target.asks_for = "new file" if kind.suffix else "folder"
        self.target.line.setPlaceholderText(f"a new {kind.suffix} file" if kind.suffix else "a new folder")
        self.annotator.setPlaceholderText("everybody" if kind.everybody else "the first of every cube")
        self.update_state()

    def words(self) -> list[str]:
        """``export KIND STUDY DST``."""
        options = self.options()
        words = ["export", self.kind, str(self._study), str(self.target.path)]
        words += ["--annotator", options["annotator"]] if options["annotator"] else []
        words += ["--status", "all"] if options["status"] == "all" else []
        return words + (["--force"] if options["force"] else [])

    def options(self) -> dict[str, Any]:
        """Arguments of `export_annotations`."""
        return {
            "annotator": self.annotator.text().strip() or None,
            "status": self.which.currentData(),
            "force": self.replace_export.isChecked(),
        }

    def check(self) -> None:
        """Look at study and target."""
        if self._study is None:
            raise InputError("open a study")
        if self.target.path is None:
            raise InputError("choose a file to write" if KINDS[self.kind].suffix else "choose a folder to write")
        target = self.target.path
        self._target(target, partial(check_target, KINDS[self.kind], target, self.replace_export.isChecked()))
