"""`CubeAgreementRow`: how well the annotators of the shown cube agree, and the other's outline on the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_hsisynth.study import Annotation, Study
from napari_hsisynth.study.annotators import annotators, same_annotator, shown_name
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.annotator_identity import annotator_name
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.job_dock import choice, wrapped
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.other_outline import OtherOutline

if TYPE_CHECKING:
    from napari_hsisynth.metrics.annotator_agreement import CubeAgreement


@dataclass(frozen=True, eq=False)
class CubePair:
    """Two annotations of one cube: the user's where there is one, and another's.

    Parameters
    ----------
    cube_id : str
    first, second : str
        Ids of the annotators.
    names : (str, str)
        As they are written.
    others : tuple of str
        Ids of those whom `first` can be compared with.
    annotation : Annotation
        That of `second`.
    agreement : CubeAgreement
    """

    cube_id: str
    first: str
    second: str
    names: tuple[str, str]
    others: tuple[str, ...]
    annotation: Annotation
    agreement: CubeAgreement


class CubeAgreementRow(QWidget):
    """``Jane and Max: Dice .93, IoU .87, boundary 1.8 px (95 %: 4.2 px)``, and a button for the outline.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    compared : Signal(CubePair)
        The shown cube was compared.
    pair : CubePair or None
        What came of it.
    """

    compared = Signal(object)

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator, self.queue = annotator, live_queue(annotator.session)
        self.outline = OtherOutline(annotator.viewer)
        self.outline.removed.connect(self._outline_removed)
        self.pair: CubePair | None = None
        self._of: tuple[Any, ...] = (None, None, "")  # study, cube, name of the user
        self._others: tuple[str, ...] = ()
        self._comparing = Background(latest_only=True, parent=self)
        self._comparing.done.connect(self._take)
        self._comparing.failed.connect(self._not_compared)
        self.line = wrapped("", self)
        self.other = choice(self, "With whom to compare")
        self.other.setAccessibleName("annotator to compare with")
        self.other.activated.connect(self._other_chosen)
        self.outline_button = QPushButton("Show outline", self)
        self.outline_button.setCheckable(True)
        self.outline_button.setToolTip("Show the other annotator's lesions as outlines, in a layer that is not edited")
        self.outline_button.toggled.connect(self._toggle_outline)
        buttons = QHBoxLayout()
        buttons.addWidget(self.other, 1)
        buttons.addWidget(self.outline_button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.line)
        column.addLayout(buttons)
        self._put(None)
        self.queue.saved.connect(self._saved)

    def refresh(self) -> None:
        """Turn to the annotator's present cube."""
        target = self.annotator.target
        study, cube_id = (target.study, target.cube_id) if target is not None else (None, None)
        of, row = (study, cube_id, annotator_name()), self.queue.row(cube_id)
        others = row.others if study is not None and row is not None else ()
        if of != self._of:
            self.outline_button.setChecked(False)
        elif others == self._others:
            return
        self._of, self._others = of, others
        self._put(None)
        self._compare()

    def _compare(self) -> None:
        study, cube_id, name = self._of
        if self._others:
            self._comparing.submit(partial(compare_cube, study, cube_id, name, self.other.currentText()))

    def _saved(self, cube_id: str) -> None:
        if cube_id == self._of[1]:
            self._compare()

    def _other_chosen(self, _: int) -> None:
        self._compare()

    def _take(self, number: int, pair: CubePair | None) -> None:
        if number == self._comparing.latest:
            self._comparing.close(0)  # no thread is kept for a comparison now and then
            if pair is None or pair.cube_id == self._of[1]:
                self._put(pair)
                if pair is not None:
                    self.compared.emit(pair)

    def _not_compared(self, number: int, error: Exception) -> None:
        if number == self._comparing.latest:
            self._comparing.close(0)
            self._put(None)
            self.line.setText(f"cannot be compared: {error}")

    def _put(self, pair: CubePair | None) -> None:
        self.pair = pair
        self.other.setVisible(pair is not None and len(pair.others) > 1)
        self.outline_button.setVisible(pair is not None)
        if pair is None:
            self.line.setText("comparing ..." if self._others else "Nobody else has annotated this cube.")
            return
        self.line.setText(f"{' and '.join(pair.names)}: {pair.agreement.text()}")
        if [self.other.itemText(place) for place in range(self.other.count())] != list(pair.others):
            self.other.clear()
            self.other.addItems(list(pair.others))
        self.other.setCurrentText(pair.second)
        if self.outline_button.isChecked():
            self._toggle_outline(True)

    def _toggle_outline(self, on: bool) -> None:
        target = self.annotator.target
        if on and self.pair is not None and target is not None:
            self.outline.show(target.layer, self.pair.annotation, self.pair.names[1])
        else:
            self.outline.hide()
        self.outline_button.setText("Hide outline" if self.outline.is_shown else "Show outline")

    def _outline_removed(self) -> None:
        self.outline_button.setChecked(False)


def compare_cube(study: Study, cube_id: str, name: str, other: str) -> CubePair | None:
    """Compare the user's annotation of a cube with another's; without one of their own, two others'.

    Parameters
    ----------
    name : str
        Of the user.
    other : str
        With whom to compare; the first of the others if they have not annotated the cube.

    Returns
    -------
    CubePair or None
        None if there are no two annotations.
    """
    from napari_hsisynth.metrics.annotator_agreement import cube_agreement

    keys = annotators(study, cube_id)
    names = sorted(keys, key=lambda each: not same_annotator(each, name))  # stable: the user, then the first ...
    if len(names) < 2:
        return None
    first, others = names[0], tuple(names[1:])
    second = other if other in others else others[0]
    one, two = (study.annotation(cube_id, keys[each]) for each in (first, second))
    names_written = _written(one, first), _written(two, second)
    return CubePair(cube_id, first, second, names_written, others, two, cube_agreement(one, two))


def _written(annotation: Annotation, annotator: str) -> str:
    name = annotation.extra.get("annotator")
    return name if isinstance(name, str) and same_annotator(name, annotator) else shown_name(annotator)
