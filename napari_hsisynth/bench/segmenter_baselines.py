"""Segmenters that anybody could write in an afternoon: what ours is measured beside."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from napari_hsisynth.cube import Cube
    from napari_hsisynth.segment.prompts import Prompts, Proposals


class OtsuSegmenter:
    """Otsu's threshold of the smoothed mean image; the dark part that was clicked, else the largest one.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9, 62-66, 1979. doi:10.1109/TSMC.1979.4310076
    """

    name, model, weights_sha256 = "Otsu's threshold of the mean image", "", ""

    def set_cube(self, cube: Cube) -> None:
        """Take a cube, and find its dark parts."""
        from skimage.filters import threshold_otsu

        grey = ndi.gaussian_filter(_mean_image(cube), 2.0)
        self._parts, _ = ndi.label(ndi.binary_fill_holes(grey < threshold_otsu(grey)))

    def predict(self, prompts: Prompts) -> Proposals:
        """Return the dark parts that were clicked into."""
        clicked = {int(self._parts[y, x]) for y, x in prompts.of(1)} - {0}
        mask = np.isin(self._parts, sorted(clicked)) if clicked else self._largest()
        return _answer(mask)

    def propose(self) -> Proposals:
        """Return the largest dark part."""
        return _answer(self._largest())

    def _largest(self) -> NDArray[np.bool_]:
        sizes = np.bincount(self._parts.ravel())
        sizes[0] = 0
        return self._parts == sizes.argmax() if sizes.any() else np.zeros(self._parts.shape, bool)


class RandomWalkerSegmenter:
    """scikit-image's random walker on the mean image, from the clicks, with the edge of the image as skin.

    References
    ----------
    L. Grady, "Random walks for image segmentation", IEEE Transactions on Pattern Analysis and Machine Intelligence 28,
    1768-1783, 2006. doi:10.1109/TPAMI.2006.233
    """

    name, model, weights_sha256 = "random walker on the mean image", "", ""

    def set_cube(self, cube: Cube) -> None:
        """Take a cube."""
        low, high = np.percentile(grey := _mean_image(cube), (0.5, 99.5))
        self._grey = np.clip((grey - low) / max(high - low, 1e-9), 0, 1)

    def predict(self, prompts: Prompts) -> Proposals:
        """Walk from the clicks; what the walkers from outside reach first is skin."""
        from skimage.segmentation import random_walker

        inside, outside = 1, 2
        seeds = np.zeros(self._grey.shape, np.int32)
        seeds[[0, -1], :] = seeds[:, [0, -1]] = outside
        radius = max(1, min(seeds.shape) // 90)
        y, x = np.ogrid[: seeds.shape[0], : seeds.shape[1]]
        for (row, column), label in prompts.clicks:
            seeds[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = inside if label else outside
        if not (seeds == inside).any():
            return _answer(seeds == inside)
        with warnings.catch_warnings():  # it advises to install a faster solver
            warnings.simplefilter("ignore")
            found = random_walker(self._grey, seeds, beta=1000, mode="cg_j")
        return _answer(found == inside)

    def propose(self) -> Proposals:
        """Return nothing: it needs a click."""
        return _answer(np.zeros(self._grey.shape, bool))


def _mean_image(cube: Cube) -> NDArray[np.float64]:
    return np.asarray(cube.data, dtype=np.float64).mean(axis=0)


def _answer(mask: NDArray[np.bool_]) -> Proposals:
    from napari_hsisynth.segment.prompts import Proposals

    return Proposals(mask[None], np.ones(1)) if mask.any() else Proposals.none(mask.shape)
