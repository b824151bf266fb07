"""What the loop asks of a model family, and where it finds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.normalisation import Normalisation


class Recipe(Protocol):
    """A model family in training.

    Parameters
    ----------
    config : ModelConfig
        Of the family.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that the model is conditioned on; 1 for a model without conditions.
    """

    #: What a sample must be told besides its class: "masks", "rgb", both or nothing, see `Condition`. A family that
    #: needs "rgb" also has ``render(images)``: how normalised images look, sRGB in [0, 1], shape (n, 3, y, x); and
    #: ``set_wavelengths(wavelengths_nm)``, called before `prepare`. If it is ``unpaired``, the RGB images of a step are
    #: of other crops than its own also where there are no photographs.
    needs: frozenset[str]
    config: Any

    def __init__(self, config: Any, bands: int, classes: int = 1) -> None: ...

    def to(self, device: torch.device) -> None:
        """Move the averaged network, all that drawing samples needs, to a device."""

    def setup(self, fabric: Any) -> None:
        """Move everything to the device of a launched Fabric and make the optimisers.

        Networks are not handed to Fabric: steps average gradients by `batch.average_gradients`, and compute the forward
        under ``fabric.autocast()``.
        """

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> Sequence[str] | None:
        """Take from the training data what the networks keep of it; once, before the first step of a new run.

        `spectra` are normalised pixels, shape (n, bands), the same in every process. Returns what the user should be
        warned of, one sentence each.
        """

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """Learn from a batch; return scalars to plot, "loss" among them, without waiting for the device.

        Draws from torch's global generator, which the loop has seeded for this step alike in all processes; what
        belongs to an image is drawn by the batch.
        """

    def networks(self) -> dict[str, nn.Module]:
        """All networks, averaged ones too, by the name of their weights in `state`.

        Weights that belong to the diagnoses told apart have ``class`` in their name.
        """

    def healthy(self) -> bool:
        """Whether every weight is finite."""

    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Figures on held-out images by the averaged network; ``score`` is the one to choose by, the higher the better.

        Changes nothing in the recipe.
        """

    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """Learn where latents lie; ``draw(n)`` gives n augmented training images."""

    def sample(self, noise: Tensor, condition: Condition) -> Tensor:
        """Normalised images, one from each row of standard normal noise, that show what is asked.

        `noise` has the shape (n, config.noise_length(bands)): (n, latent_dim), for most families.
        """

    def reconstruct(self, images: Tensor, classes: Tensor) -> Tensor | None:
        """What the model makes of given images; None for a family that does not encode."""

    def state(self) -> dict[str, Any]:
        """Everything to be stored: tensors, numbers, strings, lists, dictionaries."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""

    @property
    def device(self) -> torch.device:
        """Where its networks are."""


R = TypeVar("R", bound=type)
_RECIPES: dict[str, type[Recipe]] = {}
_HOMES = {
    "vae": "napari_hsisynth.training.recipes.vae",
    "dcgan": "napari_hsisynth.training.recipes.dcgan",
    "fastgan": "napari_hsisynth.training.recipes.fastgan",
    "rs-imle": "napari_hsisynth.training.recipes.rs_imle",
    "shs-gan": "napari_hsisynth.training.recipes.shs_gan",
    "cyclegan": "napari_hsisynth.training.recipes.cyclegan",
    "spade-fastgan": "napari_hsisynth.training.recipes.spade_fastgan",
    "flow": "napari_hsisynth.training.recipes.flow",
}


def register(name: str) -> Callable[[R], R]:
    """Enter a recipe under the name of its model; for use as a class decorator."""

    def enter(recipe: R) -> R:
        _RECIPES[name] = recipe
        return recipe

    return enter


def recipe_for(name: str) -> type[Recipe]:
    """Return the recipe of a model; built-in ones are imported on first use.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in _RECIPES and name in _HOMES:
        import_module(_HOMES[name])
    try:
        return _RECIPES[name]
    except KeyError:
        known = ", ".join(sorted({*_RECIPES, *_HOMES}))
        raise InputError(
            f"no training recipe for model {name!r}", where="model", fix=f"choose one of: {known}"
        ) from None
