"""Apple's GPUs have no double precision: what lies on a device is brought to the CPU before it is made double."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_hsisynth.models.flow_unet import FlowUNet
from napari_hsisynth.models.linear_base import LinearBase
from napari_hsisynth.models.rgb_map import RGBMap
from napari_hsisynth.training.config import parse
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.flow import FlowRecipe
from napari_hsisynth.training.recipes.from_rgb import View

BANDS = 3
NORMALISATION = Normalisation(np.zeros(BANDS), np.ones(BANDS))


class NoDoubles(TorchDispatchMode):
    """A device, torch's "meta", on which nothing can be double; it cannot give its values away either."""

    def __torch_dispatch__(self, called, types, args=(), kwargs=None):
        made = called(*args, **kwargs or {})
        if isinstance(made, torch.Tensor) and made.device.type == "meta" and made.dtype == torch.float64:
            raise AssertionError(f"double precision by {called.name()}")
        return made


def prepare_flow(spectra):
    recipe = FlowRecipe(parse({"model": "flow", "image_size": 16, "width": 4, "levels": 2}), BANDS)
    recipe.plain.to("meta")
    recipe.to(torch.device("meta"))
    recipe.prepare(spectra, NORMALISATION)


def fit_view(spectra):
    view = View("cie1931", BANDS)
    view.set_wavelengths(np.linspace(465, 630, BANDS))
    view.fit(spectra, NORMALISATION)


@pytest.mark.parametrize(
    "fitted",
    [
        prepare_flow,
        fit_view,
        lambda spectra: LinearBase(BANDS).fit(torch.rand(50, 3), spectra),
        lambda spectra: LinearBase(BANDS).fit(spectra, torch.rand(50, BANDS)),
        lambda spectra: RGBMap(BANDS).put(spectra[:3], spectra[0], spectra[0], white=1.0),
        lambda spectra: FlowUNet(channels=BANDS, width=4, levels=2).set_covariance(spectra[:3]),
    ],
)
def test_what_is_fitted_in_double_precision_is_brought_to_the_cpu_first(fitted):
    with NoDoubles(), pytest.raises(NotImplementedError, match="Cannot copy out of meta"):
        fitted(torch.empty(50, BANDS, device="meta"))
