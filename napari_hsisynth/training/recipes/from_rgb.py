"""What recipes that make cubes of RGB images have in common: the fixed view of a cube, the base, figures of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from napari_hsisynth.errors import InputError
from napari_hsisynth.models.linear_base import LinearBase
from napari_hsisynth.models.rgb_map import RGBMap
from napari_hsisynth.models.spectral_decoder import SpectralDecoder
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.camera import rgb_weights
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.device import place
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.spectral_basis import fit_basis

#: White is the level that so many of the training pixels stay below in all three channels.
_WHITE_QUANTILE = 0.995
#: Images that go through a network at a time where no gradient is asked for.
_AT_A_TIME = 16


class View:
    """How normalised images look, see `RGBMap`; fixed before the first step.

    Parameters
    ----------
    camera : str
        See `camera.rgb_weights`.
    bands : int
        Number of spectral bands.
    """

    def __init__(self, camera: str, bands: int) -> None:
        self.camera = camera
        self.map = RGBMap(bands)
        self._weights: NDArray[np.float64] | None = None

    def set_wavelengths(self, wavelengths_nm: ArrayLike) -> None:
        """Learn where the bands are, nm; before `fit`."""
        self._weights = rgb_weights(self.camera, wavelengths_nm)

    def fit(self, spectra: Tensor, normalisation: Normalisation) -> None:
        """Fix white by normalised training spectra (n, bands), and so the map."""
        assert self._weights is not None, "set_wavelengths comes first"
        values = spectra.cpu().double().numpy() * normalisation.scale + normalisation.offset
        brightest = (values @ self._weights.T).max(axis=1)
        white = float(np.quantile(brightest, _WHITE_QUANTILE))
        of_camera = (self._weights, normalisation.offset, normalisation.scale)
        self.map.put(*map(torch.from_numpy, of_camera), white=white if white > 0 else 1.0)

    @torch.no_grad()
    def of(self, images: Tensor) -> Tensor:
        """How normalised images look, sRGB in [0, 1], shape (n, 3, y, x)."""
        return self.map.render(images.to(self.map.white.device))

    def told(self, batch: Batch) -> Tensor:
        """The RGB images of a step: photographs that were drawn along, or how its own images look."""
        return self.of(batch.images) if batch.rgb is None else batch.rgb


def base_for(config: Any, spectra: SpectralDecoder) -> LinearBase | None:
    """The linear base that a configuration asks for, not yet fitted; abundances of NMF have none."""
    return LinearBase(spectra.maps) if config.base == "linear" and not spectra.non_negative else None


def fit_base(generators: Iterable[nn.Module], view: View, spectra: Tensor) -> None:
    """Fit the linear base of alike generators to normalised training spectra (n, bands) and how they look."""
    for generator in generators:
        decoder: Any = generator.spectra
        base: Any = generator.base
        if base is None:
            continue
        maps = spectra
        if decoder.fixed:  # the regression of a projection is the projection of the regression
            maps = (spectra - decoder.offset).cpu() @ torch.linalg.pinv(decoder.matrix.cpu()).T
        base.fit(view.of(spectra[:, :, None, None])[:, :, 0, 0], maps)


def notes_on(config: Any) -> list[str]:
    """What a user should know of some combinations of settings."""
    notes = []
    if config.base == "linear" and config.spectral_basis == "nmf":
        notes.append("there is no linear base for the abundances of an NMF basis: the network begins without one")
    if config.photos and config.conditional:
        notes.append("photographs come without a diagnosis: each is told that of the crop that was drawn along with it")
    return notes


class FromRGBRecipe:
    """The part of a recipe that does not depend on how its generator learns.

    A family sets the attributes when it is made, and says which are its `cube_generators`: those that have the spectral
    basis and the linear base.
    """

    needs: frozenset[str] = frozenset({"rgb"})

    config: Any
    average: Average
    view: View

    @property
    def cube_generators(self) -> list[Any]:
        """The generator of cubes and its average."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.average.network.parameters()).device

    def to(self, device: torch.device) -> None:
        """Move the averaged generator and the view to `device`."""
        place(self.average.network, device)
        self.view.map.to(device)

    def set_wavelengths(self, wavelengths_nm: ArrayLike) -> None:
        """Learn where the bands are, nm, shape (bands,)."""
        self.view.set_wavelengths(wavelengths_nm)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fix how a cube looks, the spectral basis and the linear base."""
        self.view.fit(spectra, normalisation)
        warnings = fit_basis([generator.spectra for generator in self.cube_generators], spectra, normalisation)
        fit_base(self.cube_generators, self.view, spectra)
        return [*warnings, *notes_on(self.config)]

    def render(self, images: Tensor) -> Tensor:
        """How normalised images look, sRGB in [0, 1], shape (n, 3, y, x)."""
        return self.view.of(images)

    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """How far held-out images are from what the averaged generator makes of their own RGB.

        Returns
        -------
        dict
            ``error``: root mean square difference over all values, normalised; ``rgb_error``: mean absolute difference
            in sRGB between how they look; ``score``: minus the error.
        """
        rgb = self.render(held_out.images)
        made = self._generated(rgb, held_out.classes)
        error = float((made - held_out.images).square().mean().sqrt())
        rgb_error = float((self.render(made) - rgb).abs().mean())
        return {"error": error, "rgb_error": rgb_error, "score": -error}

    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """There are none."""

    def sample(self, noise: Tensor, condition: Condition) -> Tensor:
        """Normalised images of the RGB images of `condition`; the noise decides nothing.

        Raises
        ------
        InputError
            If it shows no RGB images.
        """
        if condition.rgb is None:
            raise InputError("this model makes cubes of RGB images, and there are none", fix="give it a folder of them")
        return self._generated(condition.rgb, condition.classes)

    def reconstruct(self, images: Tensor, classes: Tensor) -> Tensor:
        """What is made of how normalised images (n, bands, y, x) look."""
        return self._generated(self.render(images), classes)

    @torch.no_grad()
    def _generated(self, rgb: Tensor, classes: Tensor) -> Tensor:
        """Normalised images of sRGB images (n, 3, y, x) by the averaged generator, a few at a time."""
        parts = zip(rgb.to(self.device).split(_AT_A_TIME), classes.to(self.device).split(_AT_A_TIME), strict=True)
        return torch.cat([self.average.network(*part) for part in parts])
