"""Make the pictures of the README: a phantom study taken through every step in a real window.

Run by ``make pictures`` on a virtual screen of 1600 x 1000. All of it is simulated, so that it may be shown anywhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

PICTURES = Path(__file__).parent / "pictures"
DIAGNOSIS = "melanoma"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURES)
    parser.add_argument("--size", type=int, nargs=2, default=[1600, 1000], metavar=("W", "H"))
    parser.add_argument("--theme", default="dark", choices=["dark", "light"])
    parser.add_argument("--minutes", type=float, default=3.0, help="of training before the pictures of its results")
    parser.add_argument("--study", type=Path, help="use and keep this study instead of a temporary one")
    parser.add_argument(
        "--only-cubes", action="store_true", help="take those of cubes and spectra alone, without training"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HSISYNTH_SETTINGS"] = str(Path(scratch) / "settings.ini")
        Tour(args.study or Path(scratch) / "phantoms", args.out, args.size, args.theme, args.minutes).take(
            args.only_cubes
        )
    return 0


class Tour:
    """A window, a study, and a hand that goes through the steps."""

    def __init__(self, folder: Path, out: Path, size: list[int], theme: str, minutes: float) -> None:
        import napari

        from napari_hsisynth.phantom_study import make_phantom_study
        from napari_hsisynth.study import Study
        from napari_hsisynth.widgets.app import fill

        exists = (folder / "study.yaml").exists()
        self.study = Study.open(folder) if exists else make_phantom_study(folder, per_class=24, shape=(192, 288))
        self.out, self.minutes = out, minutes
        self.viewer = napari.Viewer(title="HSI Synth")
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        fill(self.viewer, self.study, [])
        self.window.setGeometry(0, 0, *size)
        self.workflow = next(iter(self.window.findChildren(_class("workflow", "WorkflowDock"))))
        self.spectra = next(iter(self.window.findChildren(_class("spectra_dock", "SpectraDock"))))
        self.wait(lambda: len(self.viewer.layers) > 0)
        self.rest(1.0)

    def take(self, only_cubes: bool) -> None:
        """Go through the steps and take a picture of each."""
        self.spectra_pictures()
        self.view()
        if only_cubes:
            self.viewer.close()
            return
        self.annotate()
        self.crop()
        run = self.train()
        self.sample(run)
        self.compare()
        self.evaluate()
        self.viewer.close()

    def spectra_pictures(self) -> None:
        """Three regions of one lesion compared, absorbers laid over them, and the likeness of all pixels to a pin."""
        cube_id = next(entry.id for entry in self.study.entries if entry.diagnosis.value == DIAGNOSIS)
        self.session.show_cube(cube_id)
        self.rest(0.5)
        mask = self.study.annotation(cube_id).mask > 0
        depth = distance_transform_edt(mask)
        rim, core = mask & (depth < 0.35 * depth.max()), depth > 0.6 * depth.max()
        skin = distance_transform_edt(~mask) > 0.8 * depth.max()
        labels = self.viewer.add_labels(1 * core + 2 * rim + 3 * skin, name="core, rim, skin", opacity=0.35)
        self.viewer.layers.selection.active = self.session.cube_layer
        inside = np.unravel_index(depth.argmax(), depth.shape)
        self.spectra.pin((0.0, *map(float, inside)))
        for name in ("oxyhaemoglobin", "melanin"):
            self.spectra.references.show_absorber(name, True)
        self.move(inside[0] + 6, inside[1] + 8)
        self.rest(1.0)
        self.picture("workflow")
        self.picture("spectra", self.spectra)
        for name in ("oxyhaemoglobin", "melanin"):
            self.spectra.references.show_absorber(name, False)
        self.viewer.layers.remove(labels)
        for layer in [layer for layer in self.viewer.layers if "pins" in layer.name]:
            self.viewer.layers.remove(layer)

    def view(self) -> None:
        """The View dock, with a cube in colour above its bands."""
        from qtpy.QtWidgets import QDockWidget

        self.viewer.window.add_plugin_dock_widget("napari-hsisynth", "View")
        dock = next(iter(self.window.findChildren(_class("view_dock", "ViewDock"))))
        self.rest(1.0)
        dock.add_view()
        self.rest(1.5)
        self.picture("view")
        frame = dock.parent()
        while not isinstance(frame, QDockWidget):
            frame = frame.parent()
        self.viewer.window.remove_dock_widget(frame)
        for layer in [layer for layer in self.viewer.layers if layer is not self.session.cube_layer]:
            self.viewer.layers.remove(layer)

    def annotate(self) -> None:
        cube_id = self.study.entries[1].id
        dock = self.step("Annotate")
        self.session.show_cube(cube_id)
        self.rest(1.0)
        self.press_key("n")
        truth = self.study.annotation(cube_id).mask > 0
        self.click(*np.argwhere(truth)[truth.sum() // 2])
        self.rest(3.0)
        self.picture("annotate")
        dock.setFocus()
        self.press_key("h")

    def crop(self) -> None:
        dock = self.step("Crop")
        self.rest(1.0)
        dock.crop()
        self.wait(lambda: bool(self.study.crops()))
        self.rest(1.0)
        self.picture("crop")

    def train(self) -> Path:
        from napari_hsisynth.jobs import RunFolder, list_runs

        before = {run.id for run in list_runs(self.study.root)}
        dock = self.step("Train")
        self.rest(2.0)
        index = dock.diagnosis.findData(DIAGNOSIS)
        dock.diagnosis.setCurrentIndex(index)
        dock.form.set_values({"image_size": 64, "max_images": 10**6, "preview_every": 500, "checkpoint_every": 1000})
        self.rest(1.0)
        dock.start()
        self.wait(lambda: {run.id for run in list_runs(self.study.root)} - before)
        run: RunFolder = next(run for run in list_runs(self.study.root) if run.id not in before)
        self.wait(lambda: run.state().images > 0, 120)
        self.rest(60 * self.minutes)
        self.picture("train")
        run.request_stop()
        self.wait(lambda: run.state().status == "stopped", 120)
        self.rest(1.0)
        return run.path

    def sample(self, run: Path) -> None:
        command = [sys.executable, "-m", "napari_hsisynth", "sample", str(run), "--n", "24"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.session.crops_changed.emit()

    def compare(self) -> None:
        self.viewer.layers.clear()
        dock = self.step("Compare")
        self.rest(2.0)
        if not dock.show_button.isChecked():
            dock.show_button.click()
        self.rest(2.0)
        self.move(32, 32)
        self.picture("compare")
        dock.show_button.click()

    def evaluate(self) -> None:
        from napari_hsisynth.jobs import list_runs

        dock = self.step("Evaluate")
        self.rest(2.0)
        dock.start()

        def reports() -> list[Path]:
            done = [run for run in list_runs(self.study.root) if run.state().status == "done"]
            return [page for run in done if (page := run.report_dir / "report.html").exists()]

        self.wait(reports, 180)
        self.rest(2.0)
        self.picture("evaluate")
        print("report:", reports()[0])

    @property
    def session(self):
        from napari_hsisynth.widgets.session import session_for

        return session_for(self.viewer)

    def step(self, name: str):
        """Open a step of the workflow and return its dock."""
        self.workflow.open(name)
        self.rest(0.5)
        return self.workflow.docks[name]

    def place(self, y: float, x: float):
        """Canvas pixel of a point of the image."""
        from qtpy.QtCore import QPoint

        canvas = self.viewer.window._qt_viewer.canvas
        view = canvas.grid_views[0] if self.viewer.canvas.grid.enabled else canvas.view
        first, second = (np.array(canvas._map_canvas2world(p, view)[-2:]) for p in ((0, 0), (100, 100)))
        rows, columns = 100 * (np.array([y, x]) - first) / (second - first)
        return canvas.native, QPoint(round(columns), round(rows))

    def move(self, y: float, x: float) -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtTest import QTest

        native, place = self.place(y, x)
        QTest.mouseMove(native, place + QPoint(3, 3))
        QTest.mouseMove(native, place)
        self.rest(0.5)

    def click(self, y: float, x: float) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.move(y, x)
        native, place = self.place(y, x)
        QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def press_key(self, key: str) -> None:
        from qtpy.QtTest import QTest

        QTest.keyClick(self.viewer.window._qt_viewer.canvas.native, key)
        self.rest(0.5)

    def rest(self, seconds: float) -> None:
        """Let the window live for a while: pictures are for people, who look at settled windows."""
        from qtpy.QtTest import QTest

        QTest.qWait(round(1000 * seconds))

    def wait(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Let the window live until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("the window did not get there")
            self.rest(0.1)

    def picture(self, name: str, widget=None) -> None:
        """Take a picture of the window or of one widget in it."""
        from qtpy.QtGui import QImage

        self.rest(0.7)
        path = self.out / f"{name}.png"
        shot: QImage = self.window.screen().grabWindow(0).toImage()
        corner = (widget or self.window).mapToGlobal((widget or self.window).rect().topLeft())
        size = (widget or self.window).size()
        shot.copy(corner.x(), corner.y(), size.width(), size.height()).save(str(path))
        print(path)


def _class(module: str, name: str) -> type:
    from importlib import import_module

    return getattr(import_module(f"napari_hsisynth.widgets.{module}"), name)


if __name__ == "__main__":
    sys.exit(main())
