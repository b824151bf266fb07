"""The pictures of annotating and cropping, on phantom cubes: clicks, queue, lesions, annotators, SAM, crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pictures_window import PictureWindow, dock_class
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import expand_labels

from napari_hsisynth.study import Study
from napari_hsisynth.study.annotators import save_as

TWO_LESIONS = "PHANTOM_two_lesions"
#: Cubes that two people annotate, and how many px the first one drew further outwards than the phantom is.
BY_TWO = {"PHANTOM_nevus_0000": 1, "PHANTOM_nevus_0001": 3, "PHANTOM_nevus_0002": 2}
TO_DO = ("PHANTOM_dysplastic_nevus_0001", "PHANTOM_melanoma_0001", "PHANTOM_melanoma_0002")
_ALIKE = 0.93  # what lets through more than this of the light of the skin around it is skin


def prepare(folder: Path, per_class: int) -> Study:
    """Make a phantom study in which there is still something to do, and that a second annotator has worked in.

    Parameters
    ----------
    folder : Path
        New.
    per_class : int
        Cubes per diagnosis.
    """
    from napari_hsisynth.phantom_study import make_phantom_study

    study = make_phantom_study(folder, per_class=per_class, shape=(192, 288))
    for cube_id, px in BY_TWO.items():
        annotation = study.annotation(cube_id)
        wider = expand_labels(annotation.mask, px).astype(annotation.mask.dtype)
        save_as(study, annotation.replace(mask=wider), "Jane Doe")
    for cube_id in TO_DO:
        annotation = study.annotation(cube_id)
        nothing = np.zeros_like(annotation.mask)
        study.save_annotation(annotation.replace(mask=nothing, instances=(), status="todo"))
    _add_two_lesions(study)
    return study


def _add_two_lesions(study: Study) -> None:
    """Add a cube with the lesion of one phantom at half the size beside that of another."""
    large, small = (study.read_cube(f"PHANTOM_{name}_0000") for name in ("melanoma", "dysplastic_nevus"))
    skin = study.annotation("PHANTOM_dysplastic_nevus_0000").mask == 0
    values = np.asarray(small.data)
    passed = (values / np.median(values[:, skin], axis=1)[:, None, None])[:, ::2, ::2]
    data = np.array(large.data, copy=True)
    rows, columns = passed.shape[1:]
    data[:, -rows:, -columns:] *= np.where(passed < _ALIKE, passed, 1)
    study.add_cube(large.replace(data=data), TWO_LESIONS, "melanoma")


class AnnotationPictures:
    """Takes the pictures, one after the other.

    Parameters
    ----------
    window : PictureWindow
        With a study from `prepare`.
    """

    def __init__(self, window: PictureWindow) -> None:
        self.window, self.session = window, window.session
        self.dock = window.step("Annotate")
        self.annotator = self.dock.annotator

    def take(self) -> None:
        """Go through annotating and cropping."""
        self.window.wait(lambda: self.annotator.target is not None)
        self.a_click()
        self.queue()
        self.lesions()
        self.agreement()
        self.crops()
        self.weights()  # last: napari tells of it in the corner of the window for a while

    def a_click(self) -> None:
        self._show(TO_DO[1])
        self._click_lesion()
        self.window.picture("annotate")
        self.window.press_key("g")

    def queue(self) -> None:
        dock = self.dock
        dock.queue_fold.set_open(True)
        self._show(TO_DO[0])
        state = dock.cube_queue.state
        state.setCurrentText("todo")
        state.activated.emit(state.currentIndex())
        self.window.picture("annotate_queue", self.window.workflow)
        state.setCurrentText("all")
        state.activated.emit(state.currentIndex())
        dock.queue_fold.set_open(False)

    def lesions(self) -> None:
        """Two lesions of one cube, the larger one reaching into the smaller."""
        self._show(TWO_LESIONS)
        self._click_lesion(self._darkest(slice(None), slice(0, 160)))
        self.window.press_key("g")
        self._click_lesion(self._darkest(slice(96, None), slice(160, None)))
        self.window.press_key("g")
        self.dock.draft_panel.refine_fold.set_open(True)
        rows = self.annotator.lesions.rows()
        self.annotator.select(rows[-1].instance.id)
        self.dock.draft_panel.refine_row.smooth_button.click()
        self.annotator.toggle_lesion_unsure()
        self.window.picture("annotate_lesions")
        self.dock.draft_panel.refine_fold.set_open(False)

    def agreement(self) -> None:
        """Annotate as Max what Jane Doe has annotated, and compare."""
        dock = self.dock
        self._be("Max")
        for cube_id in reversed(BY_TWO):
            self._show(cube_id)
            self._click_lesion()
            self.window.press_key("g")
            self.window.rest(1.0)
        dock.people_fold.set_open(True)
        row = dock.agreement.cube
        self.window.wait(lambda: row.pair is not None)
        row.outline_button.setChecked(True)
        dock.agreement.compare_all()
        self.window.wait(lambda: dock.agreement.result is not None)
        self.annotator.select(None)
        self.window.rest(0.5)
        scroll = next(iter(dock.findChildren(dock_class("scroll_column", "ScrollColumn"))))
        scroll.verticalScrollBar().setValue(scroll.verticalScrollBar().maximum())
        self.window.picture("agreement")
        row.outline_button.setChecked(False)
        dock.people_fold.set_open(False)
        self._be("")

    def weights(self) -> None:
        """SAM chosen, on a machine without its weights."""
        self.window.step("Annotate")
        self._show(TO_DO[0])
        self._choose("sam2")
        self.window.picture("sam_weights", self.window.workflow)
        self._choose("spectral")

    def crops(self) -> None:
        self._show(TWO_LESIONS)
        self.annotator.select(None)
        crop = self.window.step("Crop")
        self.window.rest(1.0)
        crop.preview.setChecked(True)
        crop.crop()
        self.window.wait(lambda: bool(crop.list.records))
        self.window.rest(3.0)
        self.window.picture("crop")
        record = next(record for record in crop.list.records if record.cube_id == TWO_LESIONS)
        crop.list.list.setCurrentRow(crop.list.records.index(record))
        crop.list.chosen.emit(record)
        self.window.rest(1.0)
        crop.in_place.layer.colormap = "inferno"  # to tell it from the cube around it
        self.window.picture("crop_in_place")
        crop.back_button.click()
        crop.preview.setChecked(False)

    # --- the hand

    def _show(self, cube_id: str) -> None:
        self.session.show_cube(cube_id)
        self.window.wait(lambda: self.annotator.target is not None and self.annotator.target.cube_id == cube_id)
        self.window.rest(1.0)

    def _click_lesion(self, place: tuple[float, float] | None = None) -> None:
        self.window.press_key("n")
        self.window.click(*(place or self._darkest(slice(None), slice(None))))
        self.window.wait(lambda: self.annotator.draft is not None and self.annotator.draft.shown is not None)
        self.window.rest(0.5)

    def _darkest(self, rows: slice, columns: slice) -> tuple[float, float]:
        """Return the middle of what is dark in a part of the shown cube."""
        grey = np.asarray(self.annotator.target.cube.data).mean(axis=0)
        dark: NDArray[np.bool_] = np.zeros(grey.shape, bool)
        dark[rows, columns] = grey[rows, columns] < 0.75 * np.median(grey)
        depth = distance_transform_edt(dark)
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        return float(y), float(x)

    def _be(self, name: str) -> None:
        line = self.dock.annotator_row.name
        line.setText(name)
        line.editingFinished.emit()
        self.window.rest(1.0)

    def _choose(self, segmenter: str) -> None:
        box = self.dock.segmenter_row.segmenter
        box.setCurrentText(segmenter)
        box.textActivated.emit(segmenter)
        self.window.rest(2.0)
