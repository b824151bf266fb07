"""`WorkflowDock`: the steps of a study one under the other, each with its state; the chosen one is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_hsisynth.errors import InputError
from napari_hsisynth.study import Study
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.briefs import (
    Brief,
    annotate_brief,
    crop_brief,
    evaluate_brief,
    sample_brief,
    study_brief,
    train_brief,
)
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.placing import give_corner_to_right
from napari_hsisynth.widgets.session import Session, session_for
from napari_hsisynth.widgets.when_destroyed import when_destroyed

PLUGIN = "napari-hsisynth"
#: Height that the open step gets at least, in lines of text.
_LEAST_LINES = 12


@dataclass(frozen=True)
class Step:
    """One step: a dock, and what to say of it while its dock has not been made yet."""

    name: str
    module: str
    brief: Callable[[Study], Brief] = lambda _study: Brief()

    def make(self, viewer: Any) -> QWidget:
        """Import the dock's module and make the dock."""
        return getattr(import_module(f"napari_hsisynth.widgets.{self.module}"), f"{self.name}Dock")(viewer)


STEPS = (
    Step("Study", "study_dock", study_brief),
    Step("Annotate", "annotate_dock"),
    Step("Crop", "crop_dock", crop_brief),
    Step("Train", "train_dock", train_brief),
    Step("Sample", "sample_dock", sample_brief),
    Step("Compare", "compare_dock"),
    Step("Evaluate", "evaluate_dock", evaluate_brief),
)


class StepHeader(QToolButton):
    """The line of a step: an arrow, its name, its state as far as there is room, a tick if it has results.

    Parameters
    ----------
    name : str
    parent : QWidget
    """

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._name, self._state = name, ""
        self.setCheckable(True)
        self.setAutoRaise(True)
        self.setArrowType(Qt.ArrowType.RightArrow)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("QToolButton { text-align: left; padding: 4px; }")
        self.setAccessibleName(name)
        self._tick = QLabel("✓", self)
        self._tick.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._tick.hide()
        self.setText(name)
        self._told = QLabel(self)
        self._told.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._told.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._line = QHBoxLayout(self)
        self._line.addWidget(self._told, 1)
        self._line.addWidget(self._tick)
        self._write()
        self.toggled.connect(self._show_open)

    @property
    def state(self) -> str:
        """The state in one line."""
        return self._state

    @property
    def has_results(self) -> bool:
        """Whether the step is ticked."""
        return not self._tick.isHidden()

    def set_state(self, state: str, *, has_results: bool | None = None) -> None:
        """Show another state; None leaves the tick as it is."""
        self._state = " ".join(state.split())
        if has_results is not None:
            self._tick.setVisible(has_results)
        self.setToolTip(f"{self._name}: {self._state}" if self._state else self._name)
        self.setAccessibleDescription(self._state + (", has results" if self.has_results else ""))
        self._write()

    def _show_open(self, is_open: bool) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        font = self.font()
        font.setBold(is_open)
        self.setFont(font)
        self._write()

    def _write(self) -> None:
        metrics, plain = self.fontMetrics(), self.font()
        plain.setBold(False)
        self._told.setFont(plain)  # napari's labels have a larger one than its buttons
        gap = metrics.averageCharWidth()
        begin = metrics.height() + metrics.horizontalAdvance(self._name) + 3 * gap  # behind the arrow and the name
        self._line.setContentsMargins(begin, 0, gap, 0)
        tick = self._tick.sizeHint().width() + self._line.spacing() if self.has_results else 0
        room = max(self.width() - begin - gap - tick, 1)
        self._told.setText(self._told.fontMetrics().elidedText(self._state, Qt.TextElideMode.ElideRight, room))

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width(), max(hint.height(), round(1.8 * self.fontMetrics().height())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._write()


class WorkflowDock(QWidget):
    """All steps in one dock. The dock of a step is made when the step is opened for the first time.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    summary_changed : Signal
        `summary` has another text.
    """

    summary_changed = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.session: Session = session_for(napari_viewer)
        self.viewer = self.session.viewer
        self.queue = live_queue(self.session)
        self.headers: dict[str, StepHeader] = {}
        self.docks: dict[str, QWidget] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(2, 2, 2, 2)
        self._column.setSpacing(0)
        for step in STEPS:
            header = StepHeader(step.name, self)
            header.clicked.connect(lambda wanted, name=step.name: self.open(name if wanted else None))
            self.headers[step.name] = header
            self._column.addWidget(header)
        self._column.addStretch(1)
        self._connect()
        self.session.restore_last()
        self.refresh()
        last = settings.value("workflow/step", "Study")
        self.open(last if self.session.study is not None and last in self.headers else "Study")

    def _connect(self) -> None:
        session = self.session

        def changed(*_: object) -> None:
            self.refresh()

        signals = (
            session.study_changed,
            session.crops_changed,
            session.runs_changed,
        )
        for signal in signals:
            signal.connect(changed)
        self.queue.changed.connect(self._show_annotated)
        session.step_openers.append(self.open)

        def let_go() -> None:
            for signal in signals:
                signal.disconnect(changed, missing_ok=True)
            session.step_openers.remove(opener)

        opener = session.step_openers[-1]
        when_destroyed(self, let_go)

    @property
    def current(self) -> str | None:
        """Name of the open step; None if all are closed."""
        return next((name for name, header in self.headers.items() if header.isChecked()), None)

    def open(self, name: str | None) -> None:
        """Open a step and close the others; None closes all."""
        if name is not None and name not in self.docks and not self._make(name):
            name = self.current if self.current in self.docks else None
        for each, header in self.headers.items():
            header.setChecked(each == name)
            if each in self.docks:
                self.docks[each].setVisible(each == name)
        self._column.setStretch(self._column.count() - 1, 0 if name else 1)
        self.refresh()
        if name is not None:
            settings.set_value("workflow/step", name)
        self.summary_changed.emit()

    def _make(self, name: str) -> bool:
        step = next(step for step in STEPS if step.name == name)
        try:
            dock = step.make(self.viewer)
        except (ImportError, InputError) as error:
            show_error(f"{name} cannot be opened: {error}")
            return False
        dock.setMinimumHeight(_LEAST_LINES * self.fontMetrics().lineSpacing())
        self.docks[name] = dock
        place = self._column.indexOf(self.headers[name]) + 1
        self._column.insertWidget(place, dock, 1)
        if hasattr(dock, "summary_changed"):
            dock.summary_changed.connect(lambda: self._show_state(step))
        self._show_state(step)
        return True

    def refresh(self) -> None:
        """Say the state of every step."""
        study = self.session.study
        for step in STEPS:
            brief, has_results = Brief("no study open" if step.name == "Study" else ""), False
            try:
                if study is not None:
                    brief = annotate_brief(self.queue) if step.name == "Annotate" else step.brief(study)
                    has_results = brief.has_results
            except (InputError, OSError) as error:
                brief = Brief(str(error))
            self.headers[step.name].set_state(brief.text, has_results=has_results)
            if step.name in self.docks:
                self._show_state(step)  # the dock knows more
        self.summary_changed.emit()

    def _show_annotated(self) -> None:
        brief = annotate_brief(self.queue)
        self.headers["Annotate"].set_state(brief.text, has_results=brief.has_results)
        self.summary_changed.emit()

    def _show_state(self, step: Step) -> None:
        try:
            state = self.docks[step.name].summary()
        except (InputError, OSError) as error:
            state = str(error)
        self.headers[step.name].set_state(state)
        self.summary_changed.emit()

    def summary(self) -> str:
        """Return the open step and its state."""
        name = self.current
        return f"{name}: {self.headers[name].state}" if name is not None else ""


def open_workflow(viewer: Any) -> WorkflowDock:
    """Dock the Workflow at the right and the Spectra at the bottom, or bring them to the front; return the Workflow."""
    _, workflow = viewer.window.add_plugin_dock_widget(PLUGIN, "Workflow")
    viewer.window.add_plugin_dock_widget(PLUGIN, "Spectra")
    give_corner_to_right(workflow)
    return workflow
