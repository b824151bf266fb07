"""The pictures of cubes made from a painted mask, and of their export as a data set."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
from pictures_window import PictureWindow

NAMES = ("painted", "dataset")
MODEL = "spade-fastgan"
#: What a few minutes of training on a processor are enough for.
SMALL = {"image_size": 64, "width": 16, "mask_width": 16, "latent_dim": 64, "max_images": 10**6}
#: The strokes, in parts of the painting's side: (y, x) of the brush's centre.
STROKES = (((0.42, 0.35), (0.36, 0.5), (0.46, 0.62)), ((0.62, 0.64), (0.56, 0.44), (0.46, 0.4), (0.52, 0.58)))


class GeneratedPictures:
    """Takes the pictures, one after the other.

    Parameters
    ----------
    window : PictureWindow
        With a study of phantoms.
    """

    def __init__(self, window: PictureWindow) -> None:
        self.window, self.study, self.viewer = window, window.study, window.viewer

    def take(self, names: Collection[str], minutes: float) -> None:
        """Paint a mask and draw cubes of it with the study's newest run of the model, else with one trained first."""
        run = self._trained() or self._train(minutes)
        self.viewer.layers.clear()
        dock = self.window.step("Sample")
        self.window.wait(lambda: any(summary.run.path == run for summary in dock.trained))
        dock.source.setCurrentIndex(next(row for row, one in enumerate(dock.trained) if one.run.path == run))
        dock.masks.box.setCurrentIndex(dock.masks.box.findData("painted"))
        self._paint(dock.masks.painting)
        self.window.wait(dock.start_button.isEnabled)
        dock.start_button.click()
        self.window.wait(lambda: len(self._cubes()) == 4, 180)
        self.window.wait(lambda: not dock.row.active)
        self.window.rest(1.0)
        self.window.move(*self._cubes()[0].extent.world[:, -2:].mean(axis=0))
        if "painted" in names:
            self.window.picture("painted")
        if "dataset" in names:
            dock.sets.export_button.click()
            dock.dataset.target.set_path(self.study.root.parent / "my-dataset")
            dock.dataset.licence.setText("CC BY 4.0")
            self.window.rest(0.5)
            dock.area.ensureWidgetVisible(dock.dataset)
            self.window.picture("dataset", self.window.workflow)
            dock.sets.export_button.click()

    def _cubes(self) -> list:
        return [layer for layer in self.viewer.layers if layer.name.endswith(" · synthetic")]

    def _paint(self, painting) -> None:
        """Paint a lesion with a hand that is not quite steady."""
        painting.button.click()
        self.window.rest(1.0)
        corner, far = painting.layer.extent.world
        for stroke in STROKES:
            self.window.drag(*(corner + np.array(place) * (far - corner) for place in stroke))

    def _trained(self) -> Path | None:
        from napari_hsisynth.jobs import list_runs

        runs = [run for run in list_runs(self.study.root) if any(run.checkpoints_dir.glob("last.*"))]
        return next((run.path for run in runs if run.config.get("model") == MODEL), None)

    def _train(self, minutes: float) -> Path:
        """Train as the command does, until the time is over."""
        command = [sys.executable, "-m", "napari_hsisynth"]
        if not (self.study.crops_dir / "crops.csv").exists():
            subprocess.run([*command, "crop", str(self.study.root)], check=True, stdout=subprocess.DEVNULL)
        settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
        words = [*command, "train", str(self.study.root), "--model", MODEL, *settings]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
            self.window.wait(self._running, 180)
            self.window.rest(60 * minutes)
            self._running().request_stop()
            self.window.wait(lambda: training.poll() is not None, 180)
        self.window.session.crops_changed.emit()
        run = self._trained()
        assert run is not None
        return run

    def _running(self):
        """The run that has begun to show images to the model."""
        from napari_hsisynth.jobs import list_runs

        runs = [run for run in list_runs(self.study.root) if run.exists() and run.state().images > 0]
        return next((run for run in runs if run.state().status == "running"), None)
