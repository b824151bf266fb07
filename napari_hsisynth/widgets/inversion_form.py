"""`InversionForm`: cubes of photographs by the optics of skin, without a trained model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.photo_inversion import check_folder
from napari_hsisynth.widgets.job_dock import choice, refill
from napari_hsisynth.widgets.path_field import PathField
from napari_hsisynth.widgets.study_forms import StudyForm

_FORMATS = {"NumPy (.npz)": "npz", "MATLAB 5 (.mat)": "matlab5", "ENVI": "envi", "OME-TIFF": "tiff"}

_LIKE = "Bands and gain of this study; otherwise 16 bands in 465-630 nm, white at 1"
_NO_CROPS = "The study has no training crops to know its camera by"


class InversionForm(StudyForm):
    """Which photographs, where the cubes go, and whether they are to be what the study's camera would record."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Make cubes", parent)
        self._root: Path | None = None
        #: Whether the study's camera can be known; None while the study is being read.
        self._has_camera: bool | None = None
        #: Why no job can be started now, whatever the form says.
        self.busy = ""
        self.source = PathField("Photographs", "a folder of JPEG, PNG, TIFF", self)
        self.source.asks_for = "folder"
        self.target = PathField("Folder for the cubes", "a new folder", self)
        self.like_study = QCheckBox("as the study's camera records", self)
        self.like_study.setEnabled(False)
        self.cube_format = choice(self, "")
        refill(self.cube_format, list(_FORMATS.items()))
        self.maps = QCheckBox("maps of melanin, blood and light", self)
        self.replace_cubes = QCheckBox("replace cubes of the same names", self)
        self.add("from", self.source, "Dermoscopy photographs, in all folders below; grey ones have no colour to go by")
        self.add("to", self.target, "Every cube appears when it is whole; their names begin with SYNTHETIC")
        self.add("", self.like_study, _LIKE)
        self.add("format", self.cube_format, "Of the cubes")
        self.add("", self.maps, "Also write what the skin model found in every pixel")
        self.add("", self.replace_cubes, "Otherwise they are in the way; those that are what would be made always stay")
        for field in (self.source, self.target):
            field.changed.connect(self.update_state)
        for box in (self.like_study, self.maps, self.replace_cubes):
            box.toggled.connect(self._changed)
        self.cube_format.currentIndexChanged.connect(self._changed)
        self.update_state()

    def offer(self, root: Path | None, *, has_training_crops: bool | None) -> None:
        """Take the open study, if there is one; its camera can be known by its training crops, None while unknown."""
        if has_training_crops != self._has_camera:  # else what the user has ticked stays so
            self.like_study.setEnabled(bool(has_training_crops))
            self.like_study.setChecked(bool(has_training_crops))
            self.like_study.setToolTip(_LIKE if has_training_crops is not False else f"{_NO_CROPS}. {_LIKE}")
        self._root, self._has_camera = root, has_training_crops
        self.update_state()

    def words(self) -> list[str]:
        """``invert PHOTOS --out DIR``, with what else is chosen."""
        words = ["invert", str(self.source.path), "--out", str(self.target.path)]
        words += ["--format", self.cube_format.currentData()]
        words += ["--like", str(self._root)] if self.like_study.isChecked() else []
        words += ["--maps"] if self.maps.isChecked() else []
        return words + (["--replace"] if self.replace_cubes.isChecked() else [])

    def check(self) -> None:
        """Look at the paths; what is in them is looked at by the command."""
        if self.busy:
            raise InputError(self.busy)
        if self._root is None:
            raise InputError("open a study")
        if self._has_camera is None:
            raise InputError("the study is being read")
        if self.source.path is None:
            raise InputError("choose photographs")
        if not self.source.path.exists():
            raise InputError("is not there", where=self.source.path.name)
        if self.target.path is None:
            raise InputError("choose a folder to write")
        self._target(self.target.path, partial(check_folder, self.target.path))

    def _changed(self, _value: object = None) -> None:
        self.update_state()
