"""What is kept of every cube for an evaluation: a few small arrays, so that hundreds of cubes need little memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.metrics.cumulative import cumulative_rows
from napari_hsisynth.metrics.distributions import directions
from napari_hsisynth.metrics.structure import total_variation
from napari_hsisynth.segment import load_segmenter

#: Pixels that stand for a cube in the Wasserstein distance: as many from each, so that every cube weighs the same.
PIXELS_PER_CUBE = 2048

_N_PROJECTIONS = 64
_N_LEVELS = 256


@dataclass(frozen=True, eq=False)
class Regions:
    """Which pixels of a cube are lesion and which are skin.

    Parameters
    ----------
    lesion, skin : ndarray of bool, shape (y, x)
        Disjoint. Pixels of another lesion are in neither.
    """

    lesion: NDArray[np.bool_]
    skin: NDArray[np.bool_]


def regions_of_mask(mask: NDArray[np.bool_]) -> Regions:
    """Lesion inside of a mask, skin outside of it; without a lesion, neither is known."""
    return Regions(mask, ~mask if mask.any() else mask)


def automatic_regions() -> Callable[[Cube], Regions]:
    """Return a function that proposes the regions of a cube by the ``spectral`` segmenter, without prompts.

    The best proposal is the lesion; what none of the proposals covers is skin.
    """
    segmenter = load_segmenter("spectral")

    def propose(cube: Cube) -> Regions:
        nothing = np.zeros(cube.shape_yx, bool)
        if not cube.valid().any():
            return Regions(nothing, nothing)
        segmenter.set_cube(cube)
        masks: NDArray[np.bool_] = np.asarray(segmenter.propose().masks, bool)
        return Regions(masks[0], np.logical_not(masks.any(axis=0))) if len(masks) else Regions(nothing, nothing)

    return propose


@dataclass(frozen=True, eq=False)
class CubeFeatures:
    """One cube, in short.

    Parameters
    ----------
    name : str
        Of the crop or the synthetic cube.
    group : str
        Patient, else source cube: what is drawn as a whole.
    lesion, skin, whole : ndarray, shape (bands,)
        Mean spectra over the valid pixels of the regions; NaN for an empty region.
    pixels : ndarray, shape (n, bands)
        Spectra of `PIXELS_PER_CUBE` valid pixels at random, or of all if there are fewer.
    total_variation : float
        Per pixel and band; NaN if a pixel is not valid.
    invalid : int
        Pixels that are not finite in some band.
    """

    name: str
    group: str
    lesion: NDArray[np.float64]
    skin: NDArray[np.float64]
    whole: NDArray[np.float64]
    pixels: NDArray[np.float32]
    total_variation: float
    invalid: int


def measure(cube: Cube, regions: Regions, *, group: str, seed: int) -> CubeFeatures:
    """Reduce a cube to its features.

    Parameters
    ----------
    cube : Cube
        At the size at which cubes are compared.
    regions : Regions
        Its lesion and skin.
    group : str
        See `CubeFeatures`.
    seed : int
        Of the choice of pixels, together with the cube's name: the choice does not depend on the other cubes.
    """
    valid = cube.valid()
    spectra = cube.data[:, valid]
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(cube.name.encode()).digest()[:8])])
    chosen = rng.permutation(spectra.shape[1])[:PIXELS_PER_CUBE]
    return CubeFeatures(
        name=cube.name,
        group=group,
        lesion=_mean(cube.data, regions.lesion & valid),
        skin=_mean(cube.data, regions.skin & valid),
        whole=_mean(cube.data, valid),
        pixels=spectra[:, chosen].T.copy(),
        total_variation=float(total_variation(cube.data)) if valid.all() and min(cube.shape_yx) > 1 else np.nan,
        invalid=int((~valid).sum()),
    )


def _mean(data: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    return data[:, where].mean(axis=1, dtype=np.float64) if where.any() else np.full(len(data), np.nan)


@dataclass(frozen=True, eq=False)
class ProjectedDistributions:
    """Cumulative distributions of the pixels of every cube on random directions.

    The distribution of a set of cubes is the mean of theirs, so that the sliced Wasserstein distance of any subset
    costs one product. Agrees with `metrics.sliced_wasserstein` on the same pixels within the resolution of the levels.

    Parameters
    ----------
    real, synthetic : ndarray, shape (n, directions * levels)
        One row per cube; NaN for a cube without a valid pixel.
    widths : ndarray, shape (directions * levels,)
        Of the intervals between the levels, divided by the number of directions.
    """

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    widths: NDArray[np.float64]

    def distance(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sliced 1-Wasserstein distance between mean rows, (draws, features) each."""
        return np.asarray(np.abs(first - second) @ self.widths)


def project(real: Sequence[CubeFeatures], synthetic: Sequence[CubeFeatures], *, seed: int) -> ProjectedDistributions:
    """Project the pixels of both sets on the same directions, with levels at quantiles of both together."""
    every = [*real, *synthetic]
    bands = every[0].pixels.shape[1]
    lines = directions(_N_PROJECTIONS, bands, seed).T.astype(np.float32)
    rows, widths = cumulative_rows([cube.pixels @ lines for cube in every], _N_LEVELS)
    return ProjectedDistributions(rows[: len(real)], rows[len(real) :], widths)
