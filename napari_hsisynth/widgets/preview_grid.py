"""`PreviewGrid`: a contact sheet of what a training run makes, from its first preview to its last."""

from __future__ import annotations

from pathlib import Path

from napari.qt.threading import create_worker
from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets.preview import RENDERINGS, Preview, load_preview
from napari_hsisynth.widgets.tile_list import TileList

_SHEETS = {"samples": "samples", "reconstructions": "pairs"}


def _read(path: Path, rendering: str, images: int, name: str) -> tuple[tuple[Path, str], Preview | str]:
    """Return what was asked for, and the preview or the reason why there is none."""
    try:
        return (path, rendering), load_preview(path, images, rendering, name)
    except InputError as error:
        return (path, rendering), str(error)


class PreviewGrid(QWidget):
    """Small pictures of a preview; a click asks for the cube behind one.

    The newest preview is shown as it comes in; the slider goes back to earlier ones and stays there.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    chosen : Signal
        A picture was clicked (or Enter pressed on it): `Tile`.
    shown : Signal
        Another preview is shown: `Preview`.
    """

    chosen = Signal(object)
    shown = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preview: Preview | None = None
        self.colour = QColor("#999999")
        self._name = ""
        self._files: list[tuple[int, Path]] = []
        self._wanted: tuple[Path, str] | None = None
        self._loading = False
        self._build()

    def _build(self) -> None:
        self.sheet = QComboBox(self)
        self.sheet.addItems(list(_SHEETS))
        self.sheet.setToolTip("Samples from random latents, or held-out originals beside their reconstructions")
        self.rendering = QComboBox(self)
        self.rendering.addItems(RENDERINGS)
        self.rendering.setToolTip("How a cube becomes a picture")
        self.history = QSlider(Qt.Orientation.Horizontal, self)
        self.history.setToolTip("Earlier previews of this run")
        self.history.setAccessibleName("preview")
        self.position = QLabel(self)
        self.latest = QCheckBox("latest", self)
        self.latest.setToolTip("Show each new preview as it comes in")
        self.latest.setChecked(True)
        self.outlines = QCheckBox("masks", self)
        self.outlines.setToolTip("Outline the lesion that each sample was asked for")
        self.outlines.setAccessibleName("outline the masks asked for")
        self.outlines.setChecked(True)
        self.list = TileList(self)
        self.empty = QLabel("No preview yet: the first is made after “preview every” images.", self)
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for box in (self.sheet, self.rendering):
            box.setMinimumWidth(1)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.sheet)
        top.addWidget(self.rendering)
        top.addWidget(self.outlines)
        for widget in (self.position, self.history, self.latest):
            bottom.addWidget(widget)
        bottom.setStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)
        layout.addLayout(bottom)
        self.sheet.currentTextChanged.connect(self._fill)
        self.rendering.currentTextChanged.connect(self._load)
        self.outlines.toggled.connect(self._fill)
        self.history.valueChanged.connect(self._load)
        self.history.sliderPressed.connect(self._stay)
        self.history.actionTriggered.connect(self._stay)  # by keys, wheel or click; not by a new preview
        self.latest.toggled.connect(self._follow)
        self.list.picked.connect(self.chosen)
        self._fill()

    def clear(self, name: str = "", colour: str = "#999999") -> None:
        """Forget all previews; the next ones belong to the run `name` and have borders of `colour`."""
        self._name, self.colour = name, QColor(colour)
        self._files, self._wanted, self.preview = [], None, None
        self.latest.setChecked(True)
        self._update_slider()
        self._fill()

    def add(self, images: int, path: Path) -> None:
        """Take note of a preview; it is shown if the newest is wanted."""
        self._files = [(at, file) for at, file in self._files if at != images] + [(images, path)]
        self._files.sort()
        self._update_slider()
        if self.latest.isChecked():
            self.history.setValue(len(self._files) - 1)
        self._load()

    def forget_after(self, images: int) -> None:
        """Forget the previews that a resume at `images` has undone."""
        self._files = [(at, file) for at, file in self._files if at <= images]
        self._update_slider()
        self._load()

    def _update_slider(self) -> None:
        many = len(self._files) > 1
        self.history.setRange(0, max(0, len(self._files) - 1))
        for widget in (self.history, self.latest):
            widget.setVisible(many)
        self.position.setVisible(bool(self._files))

    def _stay(self, _action: int = 0) -> None:
        """Keep what the user has turned to, whatever comes in."""
        self.latest.setChecked(False)

    def _follow(self, latest: bool) -> None:
        if latest:
            self.history.setValue(self.history.maximum())

    def _load(self, _value: object = None) -> None:
        """Ask for the preview under the slider; one is read at a time and only the last one asked for is kept."""
        if not self._files:
            return
        images, path = self._files[min(self.history.value(), len(self._files) - 1)]
        self.position.setText(f"{images:,} images")
        self._wanted = (path, self.rendering.currentText())
        if not self._loading:
            self._start_loading(images)

    def _start_loading(self, images: int) -> None:
        assert self._wanted is not None
        asked = self._wanted
        self._loading = True
        worker = create_worker(_read, *asked, images, self._name, _start_thread=False)
        worker.returned.connect(self._take)  # a bound method: nothing is called once this widget is gone
        worker.start()

    def _take(self, answer: tuple[tuple[Path, str], Preview | str]) -> None:
        asked, found = answer
        self._loading = False
        if self._wanted is None:
            return
        if asked != self._wanted:
            self._load()
        elif isinstance(found, str):
            show_warning(found)
        else:
            self.preview = found
            self._fill()
            self.shown.emit(found)

    def _fill(self, _sheet: object = None) -> None:
        pairs = bool(self.preview and self.preview.pairs)
        self.sheet.setVisible(pairs)
        tiles = getattr(self.preview, _SHEETS[self.sheet.currentText()] if pairs else "samples", [])
        self.list.show_tiles(tiles, self.colour, self.outlines.isChecked())
        self.outlines.setVisible(any(tile.mask is not None for tile in tiles))
        self.list.setVisible(bool(tiles))
        self.rendering.setVisible(bool(tiles))
        self.empty.setVisible(not tiles)
