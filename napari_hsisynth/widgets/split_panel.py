"""`SplitPanel`: which cubes train and which are held out, to be seen and changed before a training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_hsisynth.jobs import list_runs
from napari_hsisynth.study import DIAGNOSIS_COLOURS, SplitChange, SplitRow, Study, reassign_each, split_table
from napari_hsisynth.study.split_file import NAMES, Split
from napari_hsisynth.study.split_runs import OutdatedRun, outdated_runs
from napari_hsisynth.study.splits import draw
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.command_line import CommandLine
from napari_hsisynth.widgets.job_dock import wrapped
from napari_hsisynth.widgets.push_button import push_button
from napari_hsisynth.widgets.split_table import KEYS, SplitCube, SplitTable

_ROWS = 7  # shown without scrolling


@dataclass(frozen=True)
class Standing:
    """The split of a study, as read from its folder.

    Parameters
    ----------
    root : Path
        Of the study.
    cubes : tuple of SplitCube
    counts : tuple of SplitRow
        Per diagnosis.
    outdated : tuple of OutdatedRun
        Runs that used another split.
    runs : int
        How many runs there are at all.
    change : SplitChange or None
        What has just been moved.
    """

    root: Path
    cubes: tuple[SplitCube, ...]
    counts: tuple[SplitRow, ...]
    outdated: tuple[OutdatedRun, ...]
    runs: int
    change: SplitChange | None = None


class SplitPanel(QWidget):
    """Counts per diagnosis and side, the cubes with their sides, and what moves them.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    changed : Signal
        Cubes were moved.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._root: Path | None = None
        self._before: Mapping[str, Split] = {}
        self._undoing = False
        self._work = Background(parent=self)
        self._work.done.connect(self._show)
        self._work.failed.connect(self._failed)
        self.counts = wrapped("", self)
        self.counts.setAccessibleName("cubes and crops per diagnosis and split")
        self.filter = QLineEdit(self)
        self.filter.setPlaceholderText("filter: id, diagnosis, patient, split")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("filter")
        self.table = SplitTable(self)
        self.table.setMinimumHeight((_ROWS + 1) * self.table.verticalHeader().defaultSectionSize())
        self.move_buttons = {
            side: push_button(
                self,
                f"To {side} ({key})",
                f"Move the selected cubes to {side}, with all cubes of their patients ({key} in the table)",
                partial(self.move_selected, side),
            )
            for side, key in KEYS.items()
        }
        self.seed = QSpinBox(self)
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setAccessibleName("seed of the draw")
        self.seed.setToolTip("The same seed always gives the same split")
        self.draw_button = push_button(
            self, "Draw anew", "Draw 70 : 15 : 15 of every diagnosis by patient, else by cube", self.draw_anew
        )
        self.undo_button = push_button(self, "Undo", "Put back what was moved last", self.undo)
        self.status = wrapped("", self)
        self.warning = wrapped("", self)
        self.command = CommandLine(self)
        self._lay_out()
        self.filter.textChanged.connect(self.table.set_filter)
        self.table.move_asked.connect(self.move_selected)
        self.table.selectionModel().selectionChanged.connect(self._enable)
        self._enable()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        moves, draws = QHBoxLayout(), QHBoxLayout()
        for button in self.move_buttons.values():
            moves.addWidget(button)
        label = QLabel("seed", self)
        label.setBuddy(self.seed)
        for widget in (label, self.seed, self.draw_button, self.undo_button):
            draws.addWidget(widget)
        draws.setStretch(1, 1)
        for widget in (self.counts, self.filter, self.table):
            column.addWidget(widget)
        column.addLayout(moves)
        column.addLayout(draws)
        for widget in (self.status, self.warning, self.command):
            column.addWidget(widget)

    def load(self, root: Path | None) -> None:
        """Show the split of the study at `root` as it is on disk now; None empties the panel."""
        if root != self._root:
            self._before = {}
            self.status.clear()
            self.command.set_words([])
            self.table.show_cubes([])
        self._root = root
        if root is not None:
            self._work.submit(partial(_standing, root))
        self._enable()

    def move_selected(self, side: Split) -> None:
        """Move the selected cubes, and their patients' others, to a side."""
        self._move(dict.fromkeys(self.table.selected(), side))

    def draw_anew(self) -> None:
        """Draw the split of all cubes by the seed."""
        if self._root is not None:
            self._busy(partial(_draw, self._root, self.seed.value()))

    def undo(self) -> None:
        """Put back what was moved last."""
        self._undoing = True
        self._move(self._before)

    def _move(self, sides: Mapping[str, Split]) -> None:
        if self._root is not None and sides:
            self._busy(partial(_moved, self._root, dict(sides)))

    def _busy(self, work: partial[Standing]) -> None:
        for button in (*self.move_buttons.values(), self.draw_button, self.undo_button):
            button.setEnabled(False)
        self._work.submit(work)

    def _show(self, _number: int, found: Standing) -> None:
        if found.root != self._root:
            return  # another study has been opened meanwhile
        self.table.show_cubes(found.cubes)
        self.counts.setText(_counts_text(found.counts))
        self.counts.setVisible(bool(found.counts))
        if found.change is not None:
            self._tell(found.change)
        names = "\n".join(run.text() for run in found.outdated)
        if found.outdated:
            many = len(found.outdated)
            which = found.outdated[0].run_id if many == 1 else f"{many} runs"
            self.warning.setText(f"⚠ {which} used another split: figures no longer compare with those of new runs.")
        else:
            self.warning.setText(
                "Runs keep the split they used; after a change, figures of old and new do not compare."
            )
        self.warning.setToolTip(names)
        self.warning.setVisible(found.runs > 0)
        self._enable()
        if found.change is not None and found.change.moved:
            self.changed.emit()

    def _tell(self, change: SplitChange) -> None:
        """Say what was moved, and keep the way back."""
        moved = change.moved
        self._before = {} if self._undoing else {cube: was for cube, (was, _) in moved.items()}
        self._undoing = False
        ways = Counter(moved.values())
        parts = [f"{count} from {was} to {now}" for (was, now), count in ways.items()]
        cubes = f"{len(moved)} cube{'s' * (len(moved) != 1)}"
        lines = [f"moved {cubes}: {', '.join(parts)}" if moved else "nothing to move", *change.notes]
        self.status.setText("\n".join(lines))
        assert self._root is not None
        assignments = [f"{cube}={now}" for cube, (_, now) in moved.items()]
        self.command.set_words(["split", self._root, "--set", *assignments] if moved else [])

    def _failed(self, _number: int, error: Exception) -> None:
        self._undoing = False
        self.status.setText(f"✖ {error}")
        self._enable()

    def _enable(self, *_: object) -> None:
        chosen, there = len(self.table.selected()), self._root is not None
        for button in self.move_buttons.values():
            button.setEnabled(there and chosen > 0)
        self.draw_button.setEnabled(there)
        self.undo_button.setEnabled(there and bool(self._before))
        for label in (self.status, self.command):
            label.setVisible(bool(self.status.text() if label is self.status else self.command.command))


def _standing(root: Path, change: SplitChange | None = None) -> Standing:
    study = Study.open(root)  # one of our own: the session's belongs to the GUI thread
    split = study.splits()
    crops = Counter(record.cube_id for record in study.crops())
    return Standing(
        root,
        tuple(SplitCube(entry, crops[entry.id], split[entry.id]) for entry in study.entries),
        split_table(study),
        outdated_runs(study, split),
        len(list_runs(root)),
        change,
    )


def _moved(root: Path, sides: Mapping[str, Split]) -> Standing:
    return _standing(root, reassign_each(Study.open(root), sides))


def _draw(root: Path, seed: int) -> Standing:
    study = Study.open(root)
    return _standing(root, reassign_each(study, draw(study.entries, seed=seed, positive=study.positive)))


def _counts_text(rows: tuple[SplitRow, ...]) -> str:
    """Write a table of cubes and, in brackets, crops."""
    cells = [("cubes (crops)", *NAMES)]
    for row in rows:
        dot = f'<span style="color: {DIAGNOSIS_COLOURS[row.diagnosis]}">●</span>'
        cells.append((f"{dot} {row.diagnosis.label}", *(f"{row.cubes[side]} ({row.crops[side]})" for side in NAMES)))
    totals = [(sum(row.cubes[side] for row in rows), sum(row.crops[side] for row in rows)) for side in NAMES]
    cells.append(("all", *(f"{cubes} ({crops})" for cubes, crops in totals)))
    lines, unbroken = [], "white-space: nowrap"
    for first, *others in cells:
        numbers = "".join(f'<td align="right" style="padding-left: 1em; {unbroken}">{text}</td>' for text in others)
        lines.append(f'<tr><td style="{unbroken}">{first}</td>{numbers}</tr>')
    return f"<table>{''.join(lines)}</table>"
