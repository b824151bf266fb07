"""`RunTable`: the runs of a study, newest first; read off the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, RunState, list_runs, without_time
from napari_hsisynth.study import Diagnosis

_COLUMNS = ("run", "model", "status", "images", "loss", "started")
#: Columns beside the run's name, in the order in which they are shown as there is room.
_BY_NEED = tuple(_COLUMNS.index(name) for name in ("status", "images", "loss", "started", "model"))

#: Families that make each cube from a mask, and from an RGB image; further ones say so in their configuration.
_FROM_MASKS, _FROM_RGB = {"spade-fastgan"}, {"shs-gan", "cyclegan"}
#: Families whose latents act at several scales, so that two samples can be mixed.
_WITH_STYLES = {"fastgan", "rs-imle", "spade-fastgan"}

#: Settings that do not change how long an image takes.
_NO_MATTER_OF_SPEED = {
    "beta",
    "checkpoint_every",
    "ema_decay",
    "gp_weight",
    "init",
    "logger",
    "lr",
    "max_images",
    "on_divergence",
    "preview_every",
    "seed",
}


@dataclass(frozen=True)
class RunSummary:
    """What the table says about one run.

    Parameters
    ----------
    run : RunFolder
    verb : str
        What made it: train, sample, evaluate; empty for a folder in which nothing has started.
    model, diagnosis : str
        Of a training run; empty diagnosis for all.
    state : RunState
    loss : float or None
        The last validation loss, else the last loss.
    config : dict
        Of a training run.
    checkpoints : tuple of str
        Which there are: "best", "last".
    """

    run: RunFolder
    verb: str
    model: str
    diagnosis: str
    state: RunState
    loss: float | None
    config: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The run id without its date, which has a column of its own."""
        return without_time(self.run.id)

    @property
    def conditional(self) -> bool:
        """Whether the model was told the diagnosis of every crop, and is to be told one for every sample."""
        return self.config.get("conditional") is True

    @property
    def classes(self) -> tuple[str, ...]:
        """The diagnoses that a conditional model knows, as far as the run's configuration says."""
        about = self.config.get("run")
        named = about.get("classes") if isinstance(about, dict) else None
        known = {str(diagnosis) for diagnosis in Diagnosis}
        return tuple(name for name in map(str, named) if name in known) if isinstance(named, list) else ()

    @property
    def needs(self) -> frozenset[str]:
        """What every sample is made from besides noise: "masks", "rgb" or nothing; see `training.recipes.Recipe`."""
        masks = self.model in _FROM_MASKS or self.config.get("mask_conditional") is True
        return frozenset({"masks"} if masks else {"rgb"} if self.model in _FROM_RGB else ())

    @property
    def mixes_styles(self) -> bool:
        """Whether coarse layout and fine detail of its samples can come from two latents."""
        return self.model in _WITH_STYLES

    @property
    def drawing(self) -> dict[str, float]:
        """Numbers that only say how its samples are drawn, as in the training; see `ModelConfig.DRAWING`."""
        told = self.conditional or bool(self.needs)
        names = ("guidance", "sampler_steps") if told else ("sampler_steps",)  # there is nothing to guide towards
        return {name: value for name in names if isinstance(value := self.config.get(name), int | float)}

    @property
    def image_size_px(self) -> int:
        """Side of its images; 0 if its configuration does not say."""
        size = self.config.get("image_size")
        return size if isinstance(size, int) else 0

    def alike(self, config: Mapping[str, Any]) -> bool:
        """Whether a training with `config` should run about as fast as this one did."""
        # a setting that only one of the two knows is of another version, and is taken not to matter
        names = (self.config.keys() & config.keys()) - _NO_MATTER_OF_SPEED
        return "model" in names and all(self.config[name] == config[name] for name in names)


def summarise(run: RunFolder) -> RunSummary:
    """Read a run folder; one without a readable configuration still has a state."""
    try:
        config = run.config
    except InputError:
        config = {}
    events = run.events()
    about = config.get("run")
    argv = next((list(e.fields.get("argv") or []) for e in events if e.kind == "launched"), [])
    verb = next((str(e.fields["verb"]) for e in reversed(events) if e.kind == "started" and e.fields.get("verb")), "")
    diagnosis = about.get("diagnosis") if isinstance(about, dict) else None
    if not config and "--diagnosis" in argv[:-1]:  # launched, but the child has not written its configuration yet
        diagnosis = argv[argv.index("--diagnosis") + 1]
    scalars: dict[str, float | None] = {}
    for event in events:
        if event.kind == "scalars":
            scalars |= event.fields.get("values") or {}
    loss = scalars.get("val_loss", scalars.get("loss"))
    return RunSummary(
        run,
        verb or (argv[0] if argv else ""),
        str(config.get("model", "")),
        str(diagnosis or ""),
        run.state(),
        None if loss is None else float(loss),
        config,
        tuple(sorted({file.stem for file in run.checkpoints_dir.glob("*.*")} & {"best", "last"})),
    )


def summarise_all(root: Path, verb: str) -> list[RunSummary]:
    """Summaries of a study's runs of one verb, newest first."""
    return [summary for summary in map(summarise, list_runs(root)) if summary.verb == verb]


def fit_to_rows(tree: QTreeWidget, least: int = 2, most: int = 7) -> None:
    """Make a list as high as its lines, within bounds; more than `most` scroll."""
    lines = min(max(tree.topLevelItemCount(), least), most)
    header, line = tree.header(), tree.sizeHintForRow(0)
    height = (line if line > 0 else tree.fontMetrics().lineSpacing()) * lines + 2 * tree.frameWidth()
    scroll = tree.horizontalScrollBar()
    for part in (header, scroll):
        height += part.sizeHint().height() if part is not None else 0
    tree.setFixedHeight(height)


class RunTable(QWidget):
    """The training runs of a study with buttons to show, resume and open one.

    Parameters
    ----------
    parent : QWidget, optional

    Attributes
    ----------
    show_asked, resume_asked : Signal
        The user wants to see or to resume a run: RunFolder.
    loaded : Signal
        The table was read again: list of RunSummary.
    """

    show_asked = Signal(object)
    resume_asked = Signal(object)
    loaded = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.summaries: list[RunSummary] = []
        self._root: Path | None = None
        self.shown_root: Path | None = None
        self._loading = self._again = False
        self.tree = QTreeWidget(self)
        self.tree.setRootIsDecorated(False)
        self.tree.setHeaderLabels(list(_COLUMNS))
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setMinimumWidth(1)
        header = self.tree.header()
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setStretchLastSection(False)
            header.setMinimumSectionSize(1)
        self.empty = QLabel("No training run in this study yet.", self)
        self.show_button = self._button(
            "Show", "Show this run above: its state, losses, samples and spectra", self._show
        )
        self.resume_button = self._button("Resume", "Go on from this run's last checkpoint", self._resume)
        self.folder_button = self._button("Open folder", "Open the run's folder in the file manager", self._open)
        buttons = QHBoxLayout()
        for button in (self.show_button, self.resume_button, self.folder_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree)
        layout.addWidget(self.empty)
        layout.addLayout(buttons)
        self.tree.itemSelectionChanged.connect(self._enable)
        self.tree.itemActivated.connect(lambda *_: self._show())
        self._fill()

    def _button(self, text: str, tip: str, clicked: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.clicked.connect(clicked)
        return button

    @property
    def selected(self) -> RunSummary | None:
        """The run of the selected line."""
        items = self.tree.selectedItems()
        return items[0].data(0, Qt.ItemDataRole.UserRole) if items else None

    def load(self, root: Path | None) -> None:
        """Read the runs of the study at `root` again; None empties the table."""
        self._root = root
        if root is None:
            self.summaries, self.shown_root = [], None
            self._fill()
        elif self._loading:
            self._again = True
        else:
            self._loading, self._again = True, False
            worker = create_worker(_read, root, _start_thread=False)
            worker.returned.connect(self._take)
            worker.start()

    def update_state(self, run: RunFolder, state: RunState) -> None:
        """Show what is known of a followed run without reading it again."""
        for number in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(number)
            if item is not None and item.data(0, Qt.ItemDataRole.UserRole).run == run:
                item.setText(2, state.status)
                item.setText(3, f"{state.images:,}" if state.images else "")
                if state.status == "running" and not item.text(1) and not self._loading:
                    self.load(self._root)  # its configuration has been written meanwhile

    def _take(self, answer: tuple[Path, list[RunSummary]]) -> None:
        root, found = answer
        self._loading = False
        if root == self._root:
            self.summaries, self.shown_root = found, root
            self._fill()
            self.loaded.emit(found)
        if self._again:
            self.load(self._root)

    def _fill(self) -> None:
        selected = self.selected
        self.tree.clear()
        for summary in self.summaries:
            state = summary.state
            item = QTreeWidgetItem(
                [
                    summary.title,
                    summary.model,
                    state.status,
                    f"{state.images:,}" if state.images else "",
                    "" if summary.loss is None else f"{summary.loss:.4g}",
                    time.strftime("%d %b %H:%M", time.localtime(state.started)) if state.started else "",
                ]
            )
            item.setData(0, Qt.ItemDataRole.UserRole, summary)
            started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.started)) if state.started else ""
            about = f"{summary.model or 'run'}, started {started}" if started else summary.model
            item.setToolTip(0, "\n".join(line for line in (str(summary.run.path), about) if line))
            item.setToolTip(2, state.reason or state.status)
            item.setToolTip(5, started)
            for column in (3, 4):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.tree.addTopLevelItem(item)
            if selected is not None and selected.run == summary.run:
                item.setSelected(True)
        fit_to_rows(self.tree)
        self._fit_columns()
        self.tree.setVisible(bool(self.summaries))
        self.empty.setVisible(not self.summaries)
        self._enable()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share out the new width."""
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Leave out columns where there is no room for them; the line's tooltip has what they say."""
        header = self.tree.header()
        if header is None:
            return
        least = {n: max(self.tree.sizeHintForColumn(n), header.sectionSizeHint(n)) for n in range(len(_COLUMNS))}
        room = self.width() - 2 * self.tree.frameWidth() - min(least[0], 16 * self.fontMetrics().averageCharWidth())
        for column in _BY_NEED:
            room -= least[column]
            self.tree.setColumnHidden(column, room < 0)

    def _enable(self) -> None:
        selected = self.selected
        for button in (self.show_button, self.folder_button):
            button.setEnabled(selected is not None)
            button.setVisible(bool(self.summaries))
        self.resume_button.setVisible(bool(self.summaries))
        resumable = selected is not None and selected.state.status in ("stopped", "failed")
        self.resume_button.setEnabled(resumable)
        if selected is not None and not resumable:
            self.resume_button.setToolTip(
                f"Only a stopped or failed run can be resumed; this one is {selected.state.status}"
            )
        else:
            self.resume_button.setToolTip("Go on from this run's last checkpoint")

    def _show(self) -> None:
        if self.selected is not None:
            self.show_asked.emit(self.selected.run)

    def _resume(self) -> None:
        if self.selected is not None:
            self.resume_asked.emit(self.selected.run)

    def _open(self) -> None:
        if self.selected is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.selected.run.path)))


def _read(root: Path) -> tuple[Path, list[RunSummary]]:
    return root, summarise_all(root, "train")
