"""`CompareDock`: a real crop and a synthetic cube side by side, their spectra under one cursor, and the class means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import without_time
from napari_hsisynth.study import CropRecord, Diagnosis, Study, read_crop, read_crops_index
from napari_hsisynth.widgets.background import Background
from napari_hsisynth.widgets.chooser import Chooser
from napari_hsisynth.widgets.class_means import ClassMeans, class_means
from napari_hsisynth.widgets.comparison import Comparison
from napari_hsisynth.widgets.curve_plot import CurvePlot
from napari_hsisynth.widgets.curves import Curve, angle_deg, pixel_curve
from napari_hsisynth.widgets.empty_state import EmptyState
from napari_hsisynth.widgets.hover import Hover
from napari_hsisynth.widgets.layers import layer_cube
from napari_hsisynth.widgets.scroll_column import ScrollColumn, wrapping_label
from napari_hsisynth.widgets.session import session_for
from napari_hsisynth.widgets.value_range import value_range
from napari_hsisynth.widgets.when_destroyed import when_destroyed


class CompareDock(QWidget):
    """Real against synthetic, by eye.

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
        self.session = session_for(napari_viewer)
        self.viewer = self.session.viewer
        self.comparison = Comparison(self.viewer, self)
        self.hover = Hover(self.viewer, self)
        self.means: ClassMeans | None = None
        self._listed: tuple[list[CropRecord], list[str]] = [], []
        self._records: list[CropRecord] = []
        self._samples: list[CropRecord] = []
        self._reader = Background(latest_only=True, parent=self)
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        self.empty = EmptyState(self)
        self.next_step = self.empty.add_button("Open a study", self._go_on)
        self.diagnosis = QComboBox(self)
        self.diagnosis.setToolTip("Real crops of this diagnosis; follows the synthetic set when that is chosen")
        self.diagnosis.setMinimumContentsLength(8)
        self.real = Chooser("real crop", self)
        self.run = Chooser("synthetic set", self)
        self.sample = Chooser("synthetic cube", self)
        self.show_button = QPushButton("Show side by side", self)
        self.show_button.setCheckable(True)
        self.show_button.setToolTip("Real left, synthetic right, one cursor in both; your layers and grid come back")
        self.plot = CurvePlot(self)
        self.plot.setMinimumHeight(14 * self.fontMetrics().lineSpacing())
        self.plot.set_band(None)
        self.under_cursor = wrapping_label(self)
        self.class_means = wrapping_label(self)
        self.legend = wrapping_label(self)
        self.legend.setText("solid: real · dashed: synthetic · thick: class mean ± std · thin: under the cursor")

        area = ScrollColumn(self)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows = {"diagnosis": self.diagnosis, "real": self.real, "set": self.run, "synthetic": self.sample}
        for text, widget in rows.items():
            form.addRow(QLabel(text), widget)
        area.column.addLayout(form)
        for widget in (self.show_button, self.class_means, self.under_cursor, self.plot, self.legend):
            area.column.addWidget(widget)
        area.column.addStretch(1)
        full = QWidget(self)
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(area)
        self._full = full
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(full)

    def _connect(self) -> None:
        self.diagnosis.currentIndexChanged.connect(self._diagnosis_chosen)
        self.run.changed.connect(self._run_chosen)
        self.real.changed.connect(self._pair_chosen)
        self.sample.changed.connect(self._pair_chosen)
        self.show_button.toggled.connect(self._toggled)
        self.comparison.left.connect(self._left)
        self.hover.moved.connect(self._moved)
        self._reader.done.connect(self._means_read)
        self._reader.failed.connect(self._means_failed)
        session, changed = self.session, self.refresh
        signals = (session.study_changed, session.crops_changed)
        slots = [lambda *_: changed() for _ in signals]
        for signal, slot in zip(signals, slots, strict=True):
            signal.connect(slot)
        reader = self._reader

        def let_go() -> None:
            for signal, slot in zip(signals, slots, strict=True):
                signal.disconnect(slot, missing_ok=True)
            reader.close(timeout_s=0)

        when_destroyed(self, let_go)

    # -- what there is ------------------------------------------------------------------------------------------------

    @property
    def study(self) -> Study | None:
        """The session's study."""
        return self.session.study

    def refresh(self, *, only_changes: bool = False) -> None:
        """List the crops and the synthetic sets of the study; on demand only if they are not those listed already."""
        before, self._listed = self._listed, ([], [])
        if self.study is not None:
            try:
                self._listed = self.study.crops(), self.study.synthetic_runs()
            except InputError as error:
                show_warning(str(error))
        if only_changes and before == self._listed:
            return
        self._records, runs = self._listed
        complete = bool(self._records and runs)
        if not complete:
            self.comparison.leave()
            self._say_what_is_missing()
        self._pages.setCurrentWidget(self._full if complete else self.empty)
        present = [each for each in Diagnosis if any(record.diagnosis == each for record in self._records)]
        with QSignalBlocker(self.diagnosis):
            before = self.diagnosis.currentData()
            self.diagnosis.clear()
            self.diagnosis.addItem("all", None)
            for each in present:
                self.diagnosis.addItem(each.label, each)
            self.diagnosis.setCurrentIndex(max(0, self.diagnosis.findData(before)))
        runs = runs[::-1]
        self.run.fill(list(zip(short_names(runs, without_time), runs, strict=True)), runs)
        self.summary_changed.emit()

    def _say_what_is_missing(self) -> None:
        if self.study is None:
            text, button = "No study open.", "Open or make a study"
        elif not self._records:
            text, button = "This study has no crops yet: there is nothing real to compare with.", "Crop the lesions"
        else:
            text, button = "This study has no synthetic cubes yet.", "Sample a trained run"
        self.empty.say(text)
        self.next_step.setText(button)

    def _go_on(self) -> None:
        step = "Study" if self.study is None else "Sample" if self._records else "Crop"
        self.session.open_step(step)

    def _run_chosen(self) -> None:
        self._samples = []
        if self.study is not None and self.run.chosen is not None:
            try:
                self._samples = read_crops_index(self.study.synthetic_dir(self.run.chosen))
            except InputError as error:
                show_warning(str(error))
        made = {record.diagnosis for record in self._samples}
        names = [record.crop_id for record in self._samples]
        self.sample.fill(list(zip(short_names(names, _number), self._samples, strict=True)), names)
        at = self.diagnosis.findData(next(iter(made))) if len(made) == 1 else -1
        if at >= 0 and at != self.diagnosis.currentIndex():
            self.diagnosis.setCurrentIndex(at)  # goes on in _diagnosis_chosen
        else:
            self._diagnosis_chosen()

    def _diagnosis_chosen(self, _index: int = 0) -> None:
        wanted = self.diagnosis.currentData()
        real = [record for record in self._records if wanted in (None, record.diagnosis)]
        self.real.fill([(record.crop_id, record) for record in real])
        self.means = None
        self._show_means()
        if self.study is not None and real and self._samples:
            self.class_means.setText("class means: reading ...")
            synthetic = self.study.synthetic_dir(self.run.chosen)
            self._reader.submit(partial(class_means, (self.study.crops_dir, real), (synthetic, list(self._samples))))

    # -- the pair -----------------------------------------------------------------------------------------------------

    def _toggled(self, wanted: bool) -> None:
        if wanted:
            self._pair_chosen()
            if not self.comparison.active:
                self.show_button.setChecked(False)
        else:
            self.comparison.leave()

    def _pair_chosen(self) -> None:
        """Put the chosen pair side by side, if the user is comparing."""
        self.show_button.setEnabled(self.real.chosen is not None and self.sample.chosen is not None)
        if not self.show_button.isChecked() or not self.show_button.isEnabled() or self.study is None:
            return
        synthetic_dir = self.study.synthetic_dir(self.run.chosen)
        try:
            pair = _read(self.study.crops_dir, self.real.chosen), _read(synthetic_dir, self.sample.chosen)
        except InputError as error:
            show_warning(str(error))
            self.show_button.setChecked(False)
            self.refresh()  # the folder has changed since it was listed
            return
        self.comparison.show(*pair)
        self._fit_plot()
        self._moved(self.hover.position)
        self.summary_changed.emit()

    def _left(self) -> None:
        self.show_button.setChecked(False)
        self.plot.set_cursor([])
        self.under_cursor.setText("")
        self.summary_changed.emit()

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the study again: a shell may have worked in it meanwhile."""
        super().showEvent(event)
        if not event.spontaneous():
            self.refresh(only_changes=True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():  # the dock was closed or another step chosen; not: the window was minimised
            self.comparison.leave()

    # -- spectra ------------------------------------------------------------------------------------------------------

    def _moved(self, position: tuple[float, ...]) -> None:
        """Draw both spectra under the cursor, and say the angle between them."""
        pair = self.comparison.layers
        if pair is None or not position:
            return
        found = [pixel_curve(layer, position) for layer in pair]
        curves = [curve for curve in found if curve is not None]
        self.plot.set_cursor(curves)
        if len(curves) == 2:
            self.under_cursor.setText(f"under the cursor: spectral angle {angle_deg(*curves):.2f}°")
        else:
            self.under_cursor.setText("under the cursor: outside one of the two")

    def _means_read(self, number: int, means: ClassMeans | None) -> None:
        if number == self._reader.latest:
            self.means = means
            self._show_means()
            self.summary_changed.emit()

    def _means_failed(self, number: int, error: Exception) -> None:
        if number == self._reader.latest:
            self.class_means.setText(f"class means: {error}")

    def _show_means(self) -> None:
        means = self.means
        if means is None:
            self.class_means.setText("")
            self.plot.set_curves([])
            return
        self.class_means.setText(
            f"class means: spectral angle {means.angle_deg:.2f}°"
            f" ({means.n_real:,} real, {means.n_synthetic:,} synthetic cubes, all pixels)"
        )
        self.class_means.setToolTip("Over all pixels, margin included. Evaluate measures lesion and skin apart.")
        diagnosis = self.diagnosis.currentData()
        colour = diagnosis.colour if diagnosis else "#999999"
        nm = means.wavelengths_nm
        self.plot.set_curves(
            [
                Curve("label", "real", "", "real", colour, nm, *means.real, n=means.n_real),
                Curve("label", "synthetic", "", "synthetic", colour, nm, *means.synthetic, n=means.n_synthetic),
            ]
        )
        self._fit_plot()

    def _fit_plot(self) -> None:
        """Make room for the means, one standard deviation around them, and the two cubes."""
        lows, highs, label, nm = [], [], "wavelength (nm)", None
        for layer in self.comparison.layers or ():
            if (cube := layer_cube(layer)) is not None:
                low, high = value_range(cube)
                lows.append(low)
                highs.append(high)
                label, nm = cube.axis_label, cube.wavelengths_nm
        if self.means is not None:
            nm = self.means.wavelengths_nm
            for mean, std in (self.means.real, self.means.synthetic):
                lows.append(float((mean - std).min()))
                highs.append(float((mean + std).max()))
        if nm is not None:
            self.plot.set_axes(label, "value", (float(nm.min()), float(nm.max())), (min(lows), max(highs)))

    def summary(self) -> str:
        """Return the angle between the class means, or what is missing."""
        if self.study is None:
            return ""
        if not self.study.synthetic_runs():
            return "no samples yet"
        return f"class means {self.means.angle_deg:.1f}° apart" if self.means is not None else ""


def short_names(names: list[str], shorten: Callable[[str], str]) -> list[str]:
    """Shorten names for a narrow list, unless two of them would become the same."""
    short = [shorten(name) for name in names]
    return short if len(set(short)) == len(names) else names


def _number(cube_id: str) -> str:
    return cube_id.rsplit("-", 1)[-1]  # all before it is the set's


def _read(folder: Path, record: CropRecord) -> Cube:
    return read_crop(folder, record).cube
