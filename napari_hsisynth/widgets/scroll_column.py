"""`ScrollColumn`: widgets of a dock one under the other; scrolls when the window is low, is never cut at the side."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

_USUAL_CHARACTERS = 62  # width of a dock that nobody has resized yet


class ScrollColumn(QScrollArea):
    """A column that scrolls up and down only: it asks for the width that its content needs.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    content : QWidget
        Parent of what is put into `column`.
    column : QVBoxLayout
        Add widgets here.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = QWidget()
        self.column = QVBoxLayout(self.content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self.content)
        self.content.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask for another width when the content has changed."""
        if watched is self.content and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def minimumSizeHint(self) -> QSize:
        """As wide as the content at its narrowest, beside the scroll bar."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self.content.minimumSizeHint().width() + bar, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """A comfortable width, and the height of the content."""
        usual = _USUAL_CHARACTERS * self.fontMetrics().averageCharWidth()
        return QSize(max(usual, self.minimumSizeHint().width()), self.content.sizeHint().height())


def wrapping_label(parent: QWidget) -> QLabel:
    """Make a label that wraps instead of making the dock wide, and whose text can be selected."""
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
