"""`AgreementPanel`: how well annotators agree, on the shown cube and over the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsisynth.study import Study
from napari_hsisynth.study.annotators import shown_name
from napari_hsisynth.study.storage import Progress
from napari_hsisynth.widgets.agreement_cube import CubeAgreementRow, CubePair
from napari_hsisynth.widgets.agreement_table import AgreementTable
from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.job_dock import wrapped
from napari_hsisynth.widgets.live_queue import live_queue
from napari_hsisynth.widgets.push_button import push_button
from napari_hsisynth.widgets.task_row import TaskRow

if TYPE_CHECKING:
    from napari_hsisynth.metrics.annotator_agreement import StudyAgreement


class AgreementPanel(QWidget):
    """The line of the shown cube, and below it a comparison of two annotators over all cubes.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator, self.queue = annotator, live_queue(annotator.session)
        self.result: StudyAgreement | None = None
        self._of: Study | None = None
        self.cube = CubeAgreementRow(annotator, self)
        self.cube.compared.connect(self._cube_compared)
        self.compare_button = push_button(
            self, "Compare all cubes", "Compare two annotators on every cube that both have finished", self.compare_all
        )
        self.task = TaskRow(self)
        self.overall = wrapped("", self)
        self.table = AgreementTable(self)
        self.table.opened.connect(self.queue.go_to)
        self.command = CommandLine(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.cube, self.compare_button, self.task, self.overall, self.table, self.command):
            column.addWidget(widget)
        self._show()

    def refresh(self) -> None:
        """Turn to the annotator's present cube and its study."""
        self.cube.refresh()
        if self._of is not None and self._of is not self.queue.study:
            self.result = self._of = None
            self._show()

    def compare_all(self) -> None:
        """Compare the two annotators of the shown cube, else the two with most cubes in common."""
        study, pair = self.queue.study, self.cube.pair
        if study is not None:
            self.annotator.flush()
            names = [pair.first, pair.second] if pair is not None else []
            self.task.start(partial(_compare, study, names), partial(self._take, study), title="comparing")

    def _take(self, study: Study, result: StudyAgreement) -> str:
        if study is not self.queue.study:  # another was opened meanwhile
            return ""
        self.result, self._of = result, study
        self._show()
        self.queue.set_disagreeing(cube.cube_id for cube in result.cubes if cube.disagree)
        return f"left out, cannot be read: {', '.join(cube for cube, _ in result.skipped)}" if result.skipped else ""

    def _cube_compared(self, pair: CubePair) -> None:
        """Keep the table true when one of its cubes was changed."""
        result = self.result
        if result is None or set(result.annotators) != {pair.first, pair.second}:
            return
        known = {cube.cube_id: cube for cube in self.table.cubes}
        now = pair.agreement if result.annotators[0] == pair.first else pair.agreement.swapped()
        if pair.cube_id in known and known[pair.cube_id].row() != now.row():
            known[pair.cube_id] = now
            self.table.show_cubes(list(known.values()))
            self.queue.set_disagreeing(cube.cube_id for cube in known.values() if cube.disagree)

    def _show(self) -> None:
        result, study = self.result, self._of
        for widget in (self.overall, self.table, self.command):
            widget.setVisible(result is not None)
        if result is None or study is None:
            self.table.show_cubes([])
            return
        from napari_hsisynth.metrics.annotator_agreement import figure_text

        first, second = result.annotators
        alone = [f"{len(cubes)} only {shown_name(name)}" for name, cubes in result.only.items() if cubes]
        text = (
            f"{' · '.join([f'{shown_name(first)} and {shown_name(second)}', *alone])}\n"
            f"Dice {figure_text(result.overall['dice'])}\n"
            f"boundary {figure_text(result.overall['boundary_mean_px'], 'px')}"
        )
        self.overall.setText(text.replace("n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"))
        self.table.show_cubes(result.cubes)
        self.command.set_words(["agreement", study.root, "--annotators", first, second])


def _compare(
    study: Study, names: Sequence[str], *, progress: Progress, cancelled: Callable[[], bool]
) -> StudyAgreement:
    from napari_hsisynth.metrics.annotator_agreement import study_agreement  # off the GUI thread: it loads SciPy

    return study_agreement(study, names, progress=progress, cancelled=cancelled)
