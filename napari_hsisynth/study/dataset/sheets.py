"""Contact sheets of a data set: some cubes of each diagnosis in one picture, which says SYNTHETIC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin

from napari_hsisynth.cube import Cube
from napari_hsisynth.study.dataset.layout import PREVIEWS
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.resizing import resized

#: Makes pictures of cubes at one contrast, each (y, x, 3) in 0..1.
Render = Callable[[Sequence[Cube]], Sequence[NDArray[np.float64]]]

#: Cubes on a sheet, and beside each other.
ON_A_SHEET, _COLUMNS = 40, 8
#: Largest side of a picture on a sheet, and what is between them, px.
_SIDE_PX, _GAP_PX = 96, 4
#: Room for the title, px.
_TITLE_PX, _TITLE_WIDTH_PX = 18, 420


def grey_pictures(cubes: Sequence[Cube]) -> list[NDArray[np.float64]]:
    """Render cubes as the mean of their bands at one contrast, (y, x, 3) in 0..1; invalid pixels are black."""
    means = [np.asarray(cube.data, np.float64).mean(axis=0) for cube in cubes]
    finite = np.concatenate([mean[np.isfinite(mean)] for mean in means])
    low, high = np.percentile(finite, (0.5, 99.5)) if finite.size else (0.0, 1.0)
    scaled = [(np.nan_to_num(mean, nan=low, posinf=low, neginf=low) - low) / max(high - low, 1e-12) for mean in means]
    return [np.repeat(np.clip(one, 0, 1)[..., None], 3, axis=-1) for one in scaled]


@dataclass
class Sheet:
    """The sheet of one diagnosis, while the cubes go by.

    Parameters
    ----------
    diagnosis : Diagnosis
    total : int
        Cubes that will go by; those shown are spread evenly over them, the same ones each time.
    phantom : bool
        Whether one of them is of a generator that was trained on phantoms.
    """

    diagnosis: Diagnosis
    total: int
    phantom: bool = False
    _seen: int = 0
    _kept: list[Cube] = field(default_factory=list)

    def take(self, cube: Cube) -> None:
        """Look at the next cube; a small copy of it is kept if it is to be shown."""
        shown = min(self.total, ON_A_SHEET)
        if len(self._kept) < shown and self._seen == int((len(self._kept) + 0.5) * self.total / shown):
            scale = min(1.0, _SIDE_PX / max(cube.shape_yx))
            height, width = (max(1, round(side * scale)) for side in cube.shape_yx)
            self._kept.append(cube.replace(data=resized(cube.data, (height, width))))
        self._seen += 1

    def write(self, folder: Path, render: Render) -> None:
        """Write the sheet into the previews of a data set."""
        words = ["SYNTHETIC", *(["trained on PHANTOMS"] if self.phantom else []), self.diagnosis.label]
        title = ", ".join(words) + f": {len(self._kept)} of {self.total}"
        columns = min(_COLUMNS, len(self._kept))
        rows = -(-len(self._kept) // columns)
        step = max(max(cube.shape_yx) for cube in self._kept) + _GAP_PX
        width = max(columns * step + _GAP_PX, _TITLE_WIDTH_PX)
        page = Image.new("RGB", (width, _TITLE_PX + rows * step + 2 * _GAP_PX), "black")
        ImageDraw.Draw(page).text((_GAP_PX, _GAP_PX), title, fill="white")
        for number, picture in enumerate(render(self._kept)):
            row, column = divmod(number, columns)
            pixels = np.rint(255 * np.clip(np.asarray(picture), 0, 1)).astype(np.uint8)
            page.paste(Image.fromarray(pixels), (_GAP_PX + column * step, _TITLE_PX + _GAP_PX + row * step))
        about = PngImagePlugin.PngInfo()
        about.add_text("Title", title)
        name = "_".join(["SYNTHETIC", *(["PHANTOM"] if self.phantom else []), self.diagnosis.value])
        (folder / PREVIEWS).mkdir(exist_ok=True)
        page.save(folder / PREVIEWS / f"{name}.png", format="PNG", pnginfo=about)
