"""`SeenView`: which picture of the cube a segmenter that was trained on photographs is shown, and that picture."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QSpinBox, QWidget

from napari_hsisynth.composite import segmenter_view
from napari_hsisynth.cube import Cube
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.job_dock import choice
from napari_hsisynth.widgets.layers import in_memory
from napari_hsisynth.widgets.when_destroyed import when_destroyed

_BAND = "band"
#: View -> (what the list says, what it means).
_VIEWS = {
    "mean": ("mean grey", "The mean of all bands as grey, as published for HSIDermoscopy"),
    "rgb": ("CIE RGB", "The colours that an eye would see; needs bands from blue to red"),
    "pca3": ("PCA-3", "The three directions in which the spectra differ most, as colours"),
    _BAND: ("one band", "The band nearest to a wavelength, as grey"),
}
_LINES = 4  # height of the picture, in lines of text
_LONGEST_PX = 384  # side of the picture that is made; more would not be seen
_DEFAULT_NM = 542


class SeenView(QWidget):
    """The list of views, the wavelength of a band, and the picture that the segmenter gets of the present cube.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    changed : Signal
        The user has chosen another view.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[Cube | None, str] = (None, "")
        self._picture: NDArray[np.uint8] | None = None
        self.box = choice(self, "")
        self.box.setAccessibleName("what the segmenter sees")
        for view, (text, tip) in _VIEWS.items():
            self.box.addItem(text, view)
            self.box.setItemData(self.box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.band = QSpinBox(self)
        self.band.setAccessibleName("wavelength of the band that the segmenter sees")
        self.band.setToolTip("Wavelength (nm); the nearest band is taken")
        self.band.setKeyboardTracking(False)
        self.band.setMinimumWidth(1)
        self.band.setRange(0, 100_000)
        self.band.setValue(_DEFAULT_NM)
        self.picture = QLabel(self)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setAccessibleName("picture that the segmenter sees")
        self.picture.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        label = QLabel("SAM sees", self)
        label.setBuddy(self.box)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.box, 0, 1)
        grid.addWidget(self.band, 1, 1)
        grid.addWidget(self.picture, 0, 2, 2, 1)
        grid.setColumnStretch(1, 1)
        self.box.activated.connect(self._chosen)
        self.band.valueChanged.connect(self._chosen)
        self._making = Background(latest_only=True)
        self._making.done.connect(self._take)
        self._making.failed.connect(self._take_failure)
        when_destroyed(self, self._making.close, 0)
        self._show_band()

    @property
    def view(self) -> str:
        """What is chosen, as for `segmenter_view`."""
        view = str(self.box.currentData())
        return f"{_BAND}:{self.band.value()}" if view == _BAND else view

    def set_view(self, view: str) -> None:
        """Choose a view without saying that the user did."""
        kind, _, wavelength = view.partition(":")
        with QSignalBlocker(self.box), QSignalBlocker(self.band):
            self.box.setCurrentIndex(max(0, self.box.findData(kind)))
            if kind == _BAND and wavelength.replace(".", "", 1).isdecimal():
                self.band.setValue(round(float(wavelength)))
        self._show_band()

    def show_cube(self, cube: Cube | None) -> None:
        """Show what the segmenter sees of a cube; the picture follows once it has been made."""
        wanted = (cube, self.view)
        if wanted[0] is self._shown[0] and wanted[1] == self._shown[1]:
            return
        if cube is not None and cube is not self._shown[0]:
            self._offer_wavelengths(cube)
        self._shown = (cube, self.view)
        if cube is None:
            self._picture = None
            self._paint()
        else:
            self._making.submit(partial(_small_view, cube, self.view))

    # --- inside

    def _offer_wavelengths(self, cube: Cube) -> None:
        """Limit the wavelength to those of the cube, without counting that as a choice."""
        low, high = int(cube.wavelengths_nm.min()), int(np.ceil(cube.wavelengths_nm.max()))
        with QSignalBlocker(self.band):
            self.band.setSuffix(" nm" if cube.axis_label != "band" else "")
            self.band.setSingleStep(max(1, round((high - low) / max(1, cube.bands - 1))))
            if not low <= self.band.value() <= high:
                self.band.setValue((low + high) // 2)
            self.band.setRange(low, high)

    def _chosen(self, _: int) -> None:
        self._show_band()
        self.show_cube(self._shown[0])
        self.changed.emit()

    def _show_band(self) -> None:
        self.band.setVisible(self.box.currentData() == _BAND)
        self.box.setToolTip(_VIEWS[str(self.box.currentData())][1])

    def _take(self, number: int, picture: NDArray[np.uint8]) -> None:
        if number == self._making.latest:
            self._picture = picture
            self._paint()

    def _take_failure(self, number: int, error: Exception) -> None:
        if number == self._making.latest:
            self._picture = None
            self._paint(str(error))

    def _paint(self, problem: str = "") -> None:
        if self._picture is None:
            self.picture.setPixmap(QPixmap())
            self.picture.setText("no picture" if problem else "")
            self.picture.setToolTip(problem)
            return
        height, width, _ = self._picture.shape
        image = QImage(self._picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        room = _LINES * self.fontMetrics().lineSpacing()
        scaled = QPixmap.fromImage(image).scaled(
            2 * room, room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        self.picture.setPixmap(scaled)
        self.picture.setToolTip("What the segmenter sees of this cube")

    def changeEvent(self, event: QEvent) -> None:
        """Keep the picture as high as the text around it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self._picture is not None:
            self._paint()


def _small_view(cube: Cube, view: str) -> NDArray[np.uint8]:
    """Return the view of every so many pixels of a cube, shape (y, x, 3)."""
    step = -(-max(cube.shape_yx) // _LONGEST_PX)
    cube = in_memory(cube)
    return segmenter_view(cube.replace(data=cube.data[:, ::step, ::step]), view)
