"""`MaskSource` and `PhotoSource`: what the samples of a conditioned model are to show, as rows of the Sample dock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsisynth.widgets.job_dock import choice, refill
from napari_hsisynth.widgets.painted_mask import PaintedMask
from napari_hsisynth.widgets.path_field import PathField

_STUDY, _FILE, _FOLDER, _PAINTED = "study", "file", "folder", "painted"


class ConditionSource(QWidget):
    """A choice of where the conditions come from, and a line for a file or a folder where that needs one.

    Parameters
    ----------
    flag : str
        Of the command.
    choices : list of (str, str)
        Text, and what it stands for: "study", "file", "folder" or "painted".
    wanted : dict of str to str
        What the line is to hold, for "file" and "folder".
    pattern : str
        Which files a dialog lists, as Qt writes it.
    tip : str
    parent : QWidget

    Attributes
    ----------
    changed : Signal
        Something else is chosen.
    """

    changed = Signal()

    def __init__(
        self,
        flag: str,
        choices: list[tuple[str, str]],
        *,
        wanted: dict[str, str],
        pattern: str,
        tip: str,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.flag, self._wanted = flag, wanted
        self.setToolTip(tip)
        self.box = choice(self, tip)
        self.path = PathField(tip, "", self)
        self.path.pattern = f"{pattern};;All files (*)"
        self._paths: dict[str, str] = {}
        self._kind = _STUDY
        refill(self.box, list(choices))
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.addWidget(self.box)
        self.column.addWidget(self.path)
        self.setFocusProxy(self.box)
        self.box.currentIndexChanged.connect(self._choose)
        self.path.changed.connect(self.changed)
        self._choose()

    @property
    def kind(self) -> str:
        """What is chosen: "study", "file", "folder" or "painted"."""
        return str(self.box.currentData())

    @property
    def has_path(self) -> bool:
        """Whether a file or a folder is to be given."""
        return self.kind in (_FILE, _FOLDER)

    def words(self, _painted: Path) -> list[str]:
        """Return the command's flag; none for the study's own. `_painted` is the folder of painted masks."""
        return [self.flag, str(self.path.path)] if self.has_path else []

    def obstacle(self) -> str:
        """Why nothing can be drawn with this; empty if something can."""
        if not self.has_path:
            return ""
        if problem := self.path.look():
            return problem
        path = self.path.path
        if path is None:
            return f"Choose {self._wanted[self.kind]}."
        if self.kind == _FILE and not os.path.isfile(path):
            return f"There is no file {path.name}."
        return f"There is no folder {path.name}." if self.kind == _FOLDER and not os.path.isdir(path) else ""

    def state(self) -> dict[str, Any]:
        """What is chosen, as JSON types."""
        return {"kind": self.kind, "paths": {**self._paths, self.kind: self.path.line.text()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Choose what `state` returned; what it does not know is left."""
        paths = state.get("paths")
        self._paths = {str(kind): str(path) for kind, path in paths.items()} if isinstance(paths, dict) else {}
        self._kind = ""  # the line has nothing of the choice before to be kept
        self.box.setCurrentIndex(max(0, self.box.findData(state.get("kind", _STUDY))))
        self._choose()

    def _choose(self, _index: int = 0) -> None:
        """Show the line that belongs to the choice, with what it last held."""
        if self._kind:
            self._paths[self._kind] = self.path.line.text()
        self._kind = self.kind
        self.path.asks_for = self.kind if self.has_path else _FOLDER
        self.path.line.setPlaceholderText(self._wanted.get(self.kind, ""))
        self.path.line.setText(self._paths.get(self.kind, ""))
        self.path.setVisible(self.has_path)
        self.changed.emit()


class MaskSource(ConditionSource):
    """Where the lesions of the samples are to be: as in the study's crops, in files, or as painted in the viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    parent : QWidget
    """

    def __init__(self, viewer: Any, parent: QWidget) -> None:
        choices = [
            ("of the study's training crops", _STUDY),
            ("painted in the viewer", _PAINTED),
            ("a mask file …", _FILE),
            ("a folder of masks …", _FOLDER),
        ]
        super().__init__(
            "--mask",
            choices,
            wanted={_FILE: "the mask file", _FOLDER: "the folder of masks"},
            pattern="Masks (*.png *.tif *.tiff *.bmp *.npy *.npz)",
            tip="Masks of lesions to draw",
            parent=parent,
        )
        self.painting = PaintedMask(viewer, self)
        self.column.addWidget(self.painting)
        self.painting.changed.connect(self._painting_changed)
        self.box.currentIndexChanged.connect(self._show_painting)
        self._show_painting()

    @property
    def painted(self) -> bool:
        """Whether the mask is one painted in the viewer."""
        return self.kind == _PAINTED

    def words(self, painted: Path) -> list[str]:
        """``--mask PATH``; none for masks of the study. A painted one lies, or will lie, in the folder `painted`."""
        return [self.flag, str(self.painting.file(painted))] if self.painted else super().words(painted)

    def obstacle(self) -> str:
        """Why nothing can be drawn with this; empty if something can."""
        return self.painting.obstacle() if self.painted else super().obstacle()

    def _painting_changed(self) -> None:
        if self.painted:
            self.changed.emit()

    def _show_painting(self, _index: int = 0) -> None:
        self.painting.setVisible(self.painted)


class PhotoSource(ConditionSource):
    """What the samples are to look like: renders of the study's crops, or photographs.

    Parameters
    ----------
    parent : QWidget
    """

    def __init__(self, parent: QWidget) -> None:
        choices = [
            ("renders of the study's training crops", _STUDY),
            ("a photograph …", _FILE),
            ("a folder of photographs …", _FOLDER),
        ]
        super().__init__(
            "--rgb",
            choices,
            wanted={_FILE: "the photograph", _FOLDER: "the folder of photographs"},
            pattern="Photographs (*.jpg *.jpeg *.png *.tif *.tiff *.bmp)",
            tip="RGB images to make cubes of",
            parent=parent,
        )
