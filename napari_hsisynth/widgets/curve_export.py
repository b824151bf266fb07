"""`CurveExport`: the buttons that take curves out of a dock, as a table, a picture, or onto the clipboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QMimeData, QRectF
from qtpy.QtGui import QPainter
from qtpy.QtSvg import QSvgGenerator
from qtpy.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_hsisynth.atomic import atomic_path, write_text
from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.curve_table import long_table, wide_table
from napari_hsisynth.widgets.curves import Curve


class CurveExport(QWidget):
    """Buttons CSV, PNG, SVG and Copy.

    Parameters
    ----------
    plot : CurvePlot
    curves : callable
        Returns the curves that are drawn and, in words, what they went through.
    parent : QWidget, optional
    """

    def __init__(
        self, plot: CurvePlot, curves: Callable[[], tuple[Sequence[Curve], str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._plot, self._curves = plot, curves
        self.csv_button = QPushButton("CSV", self)
        self.csv_button.setToolTip("Save all curves as a table, one row per curve and band: value, std, n, place, cube")
        self.png_button = QPushButton("PNG", self)
        self.png_button.setToolTip("Save the plot as a picture, as it is on the screen")
        self.svg_button = QPushButton("SVG", self)
        self.svg_button.setToolTip("Save the plot as a vector picture, for print and for editing")
        self.copy_button = QPushButton("Copy", self)
        self.copy_button.setToolTip(
            "Copy all curves to paste into a spreadsheet, a column per curve, and the plot as a picture"
        )
        self.csv_button.clicked.connect(lambda: self._ask("csv", self.save_csv))
        self.png_button.clicked.connect(lambda: self._ask("png", self.save_png))
        self.svg_button.clicked.connect(lambda: self._ask("svg", self.save_svg))
        self.copy_button.clicked.connect(self.copy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for button in (self.csv_button, self.png_button, self.svg_button, self.copy_button):
            layout.addWidget(button)

    def _ask(self, suffix: str, save: Callable[[Path], None]) -> None:
        start = Path(settings.value("spectra/folder", "")) / f"spectra.{suffix}"
        name, _ = QFileDialog.getSaveFileName(self, "Save the spectra", str(start), f"*.{suffix}")
        if not name:
            return
        path = Path(name) if Path(name).suffix else Path(f"{name}.{suffix}")
        settings.set_value("spectra/folder", str(path.parent))
        try:
            save(path)
        except InputError as error:
            show_error(str(error))
        except OSError as error:
            show_error(f"{path}: cannot be written: {error.strerror or error}")

    def save_csv(self, path: Path) -> None:
        """Write all curves as a table, one row per curve and band."""
        curves, treatment = self._curves()
        write_text(path, long_table(curves, treatment))
        show_info(f"{len(curves)} curves written to {path}")

    def save_png(self, path: Path) -> None:
        """Write the plot as it is shown."""
        with atomic_path(path) as temporary:
            if not self._plot.grab().save(str(temporary), "PNG"):
                raise InputError("cannot be written", where=path, fix="choose another place")
        show_info(f"plot written to {path}")

    def save_svg(self, path: Path) -> None:
        """Write the plot as lines and text."""
        with atomic_path(path) as temporary:
            drawing = QSvgGenerator()
            drawing.setFileName(str(temporary))
            drawing.setTitle("Spectra")
            drawing.setSize(self._plot.size())
            drawing.setViewBox(self._plot.rect())
            painter = QPainter()
            if not painter.begin(drawing):
                raise InputError("cannot be written", where=path, fix="choose another place")
            self._plot.render(painter, QRectF(self._plot.rect()), self._plot.rect())
            painter.end()
        show_info(f"plot written to {path}")

    def copy(self) -> None:
        """Put table and picture on the clipboard; the program that pastes takes what it can."""
        curves, _ = self._curves()
        data = QMimeData()
        data.setText(wide_table(curves))
        data.setImageData(self._plot.grab().toImage())
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setMimeData(data)
            show_info(f"{len(curves)} curves copied")
