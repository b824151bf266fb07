"""`SpectraLayout`: where the parts of the Spectra dock are, in a wide and low window and in a narrow one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QLabel, QSizePolicy, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from napari_hsisynth.widgets.empty_state import EmptyState
from napari_hsisynth.widgets.opening import ask_for_cubes

if TYPE_CHECKING:
    from napari_hsisynth.widgets.spectra_dock import SpectraDock

#: Width of the list, and of the dock below which the list goes under the plot, in average characters.
_LIST_CHARACTERS, _NARROW = 38, 90
#: Height below which the hint makes room, and the least, in lines of text: napari's layer controls stand above and need
#: most of a low window.
_HINT_LINES, _LEAST_LINES = 13, 8
_PLOT_LINES = 4


class SpectraLayout:
    """Puts the parts of a dock in their places.

    Parameters
    ----------
    dock : SpectraDock
        With all its parts.
    """

    #: Height at which the dock opens, lines of text.
    HEIGHT_LINES = 18

    def __init__(self, dock: SpectraDock) -> None:
        self._dock = dock
        tools = dock.tools
        shown = tools.shown
        for choice in (tools.transform, tools.smooth, tools.relative, tools.statistic):
            tools.add_group(choice)
        tools.add_group(*shown.values())
        tools.add_group(dock.pin_button, tools.remove_button, tools.put_back_button)
        tools.add_group(dock.reference_menu, dock.map_button, tools.fit_button)
        tools.add_group(dock.export)
        dock.plot.setMinimumHeight(_PLOT_LINES * dock.fontMetrics().lineSpacing())
        self.hint = Hint(dock)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, dock)
        self.splitter.addWidget(dock.plot)
        self.splitter.addWidget(dock.list)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([3000, 1000])
        self.splitter.setChildrenCollapsible(False)
        self._below = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._below.addWidget(dock.readout, 2)
        self._below.addWidget(self.hint, 3)
        self._below.addWidget(dock.work, 2)
        self.full = QWidget(dock)
        column = QVBoxLayout(self.full)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(2)
        column.addWidget(tools)
        column.addWidget(self.splitter, 1)
        column.addLayout(self._below)
        self.empty = EmptyState(dock)
        self.empty.add_button(
            "Open a cube", lambda: ask_for_cubes(dock, dock.viewer), "Choose a file with a hyperspectral cube"
        )
        self.empty.add_button("Make a phantom", dock.open_phantom, "Simulate a melanoma; no file is needed")
        self._pages = QStackedLayout(dock)
        self._pages.setSizeConstraint(QStackedLayout.SizeConstraint.SetNoConstraint)  # see minimumSizeHint
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.full)

    def show_full(self, full: bool, hidden: bool) -> None:
        """Show the plot, or the next step where there is no cube, or where they are hidden."""
        self._pages.setCurrentWidget(self.full if full else self.empty)
        if not full:
            self.empty.say(
                "The cubes are hidden: show one in the layer list, or open another."
                if hidden
                else "No cube to show. Open one, or make a phantom: a simulated lesion."
            )

    @property
    def minimum(self) -> QSize:
        """The least size of the dock, px."""
        metrics = self._dock.fontMetrics()
        return QSize(_LIST_CHARACTERS * metrics.averageCharWidth(), _LEAST_LINES * metrics.lineSpacing())

    def arrange(self) -> None:
        """Fit the parts to the size of the dock."""
        dock, metrics = self._dock, self._dock.fontMetrics()
        narrow = dock.width() < _NARROW * metrics.averageCharWidth()
        self._below.setDirection(QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight)
        self.splitter.setOrientation(Qt.Orientation.Vertical if narrow else Qt.Orientation.Horizontal)
        dock.list.setMinimumWidth(1 if narrow else _LIST_CHARACTERS * metrics.averageCharWidth())
        self.hint.set_one_line(not narrow)
        self.hint.setVisible(not narrow or dock.height() >= _HINT_LINES * metrics.lineSpacing())


class Hint(QLabel):
    """What can be done, in one line that ends in an ellipsis where there is no room, or in several."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.full = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def say(self, text: str) -> None:
        """Show another text."""
        self.full = text
        self.setToolTip(text)
        self._write()

    def set_one_line(self, on: bool) -> None:
        """Use one line only, or as many as are needed."""
        self.setWordWrap(not on)
        self._write()

    def _write(self) -> None:
        shown = self.full
        if not self.wordWrap():
            shown = self.fontMetrics().elidedText(shown, Qt.TextElideMode.ElideRight, self.width())
        if shown != self.text():
            self.setText(shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._write()
