"""Make the pictures of the README: a phantom study taken through every step in a real window.

Run by ``make pictures`` on a virtual screen of 1600 x 1000. All of it is simulated, so that it may be shown anywhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pictures_annotation import AnnotationPictures, prepare
from pictures_generated import NAMES as GENERATED
from pictures_generated import GeneratedPictures
from pictures_window import PictureWindow, dock_class
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
    parser.add_argument(
        "--only-annotation", action="store_true", help="take those of annotating and cropping alone, without training"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=GENERATED,
        metavar="NAME",
        help=f"take these alone, with a run of the study or one trained first: {', '.join(GENERATED)}",
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HSISYNTH_SETTINGS"] = str(Path(scratch) / "settings.ini")
        os.environ["HSISYNTH_CACHE"] = os.environ["HF_HUB_CACHE"] = str(Path(scratch) / "cache")  # no weights there
        folder = args.study or Path(scratch) / "phantoms"
        if not (folder / "study.yaml").exists():
            prepare(folder, per_class=6 if args.only_annotation else 24)
        tour = Tour(folder, args.out, args.size, args.theme)
        if args.only:
            GeneratedPictures(tour).take(args.only, args.minutes)
        elif args.only_annotation:
            AnnotationPictures(tour).take()
        else:
            tour.take(args.only_cubes, args.minutes)
        tour.viewer.close()
    return 0


class Tour(PictureWindow):
    """A window, a study, and a hand that goes through the steps."""

    def take(self, only_cubes: bool, minutes: float) -> None:
        """Go through the steps and take a picture of each; `minutes` of training before those of its results."""
        self.spectra_pictures()
        self.view()
        if only_cubes:
            return
        AnnotationPictures(self).take()
        run = self.train(minutes)
        self.sample(run)
        self.compare()
        self.evaluate()
        GeneratedPictures(self).take(GENERATED, minutes)

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
        dock = next(iter(self.window.findChildren(dock_class("view_dock", "ViewDock"))))
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

    def train(self, minutes: float) -> Path:
        from napari_hsisynth.jobs import RunFolder, list_runs

        before = {run.id for run in list_runs(self.study.root)}
        dock = self.step("Train")
        self.rest(2.0)
        index = dock.diagnosis.findData(DIAGNOSIS)
        dock.diagnosis.setCurrentIndex(index)
        dock.form.set_values({"image_size": 64, "max_images": 10**6, "preview_every": 500, "checkpoint_every": 1000})
        dock.split_button.click()
        self.wait(lambda: dock.split.table.model().rowCount())
        self.picture("split", self.workflow)
        dock.split_button.click()
        self.rest(1.0)
        dock.start()
        self.wait(lambda: {run.id for run in list_runs(self.study.root)} - before)
        run: RunFolder = next(run for run in list_runs(self.study.root) if run.id not in before)
        self.wait(lambda: run.state().images > 0, 120)
        self.rest(60 * minutes)
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


if __name__ == "__main__":
    sys.exit(main())
