"""Model families that learn nothing and draw what they are told, so that tests see who was told what."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest
import torch

from napari_hsisynth.cli import main
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.study import Study
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.config import MODELS, ModelConfig
from napari_hsisynth.training.recipes import registry


class Told:
    """The first bands are the mask or the RGB image, the next ones the class and two numbers of the noise."""

    needs: frozenset[str] = frozenset()
    device = torch.device("cpu")

    def __init__(self, config: Any, bands: int, classes: int = 1) -> None:
        self.config, self.bands = config, bands

    def to(self, device: torch.device) -> None: ...

    def networks(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Any) -> None: ...

    def render(self, images: torch.Tensor) -> torch.Tensor:
        return (images[:, :3] * torch.tensor([0.5, 1.0, 0.25])[:, None, None]).clamp(0, 1)

    def sample(self, noise: torch.Tensor, condition: Any) -> torch.Tensor:
        return self._image(condition, noise.T[:2])

    def reconstruct(self, images: torch.Tensor, classes: torch.Tensor) -> None:
        return None

    def _image(self, condition: Any, numbers: Any) -> torch.Tensor:
        shown = [] if condition.masks is None else [condition.masks.float()]
        shown += [] if condition.rgb is None else list(condition.rgb.transpose(0, 1))
        side = self.config.image_size
        rest = [one[:, None, None].expand(-1, side, side) for one in (condition.classes.float(), *numbers)]
        empty = [torch.zeros(len(condition), side, side)] * self.bands
        return torch.stack([*shown, *rest, *empty][: self.bands], dim=1)


class ToldMasks(Told):
    """Bands: mask, class, first number of the noise of coarse layers, second one of that of fine layers."""

    needs = frozenset({"masks"})

    def mix(self, noise_coarse: torch.Tensor, noise_fine: torch.Tensor, condition: Any) -> torch.Tensor:
        return self._image(condition, (noise_coarse[:, 0], noise_fine[:, 1]))


class ToldRGB(Told):
    """Bands: red, green, blue, class; takes no noise."""

    needs = frozenset({"rgb"})


class ToldBoth(Told):
    """Bands: mask, red, green, blue, class."""

    needs = frozenset({"masks", "rgb"})


class MaskConfig(ModelConfig):
    """Settings of `ToldMasks`."""

    model: Literal["told-masks"] = "told-masks"


class RGBConfig(ModelConfig):
    """Settings of `ToldRGB`."""

    model: Literal["told-rgb"] = "told-rgb"

    def noise_length(self, bands: int) -> int:
        return 0


class BothConfig(ModelConfig):
    """Settings of `ToldBoth`."""

    model: Literal["told-both"] = "told-both"


@contextlib.contextmanager
def known() -> Iterator[None]:
    """Let the program know these families for a while."""
    families = {"told-masks": (MaskConfig, ToldMasks), "told-rgb": (RGBConfig, ToldRGB)}
    families["told-both"] = (BothConfig, ToldBoth)
    with pytest.MonkeyPatch.context() as patch:
        for name, (config, recipe) in families.items():
            patch.setitem(MODELS, name, config)
            patch.setitem(registry._RECIPES, name, recipe)
        yield


def run_of(
    study: Study, model: str, *, classes: tuple[str, ...] = (), diagnosis: str = "", size: int = 16, **changes: int
) -> RunFolder:
    """A run folder with the checkpoint of a family, one of those above or an untrained one."""
    config = MODELS[model](image_size=size, latent_dim=8, conditional=bool(classes), device="cpu", **changes)
    run = new_run(study.root, model)
    run.write_config({**config.model_dump(), "run": {"verb": "train", "study": "../..", "diagnosis": diagnosis}})
    kept = checkpoints.Checkpoint(
        images=24,
        steps=3,
        config=config.model_dump(),
        recipe=registry.recipe_for(model)(config, 5, max(1, len(classes))).state(),
        normalisation={"offset": [0.0] * 5, "scale": [1.0] * 5},
        wavelengths_nm=np.linspace(465, 630, 5).tolist(),
        diagnosis=diagnosis,
        classes=list(classes),
        fingerprint="",
        best={},
        version="",
    )
    run.checkpoints_dir.mkdir(parents=True, exist_ok=True)
    checkpoints.save(run.checkpoints_dir / "last.pt", kept)
    return run


if __name__ == "__main__":  # the command line with these families, for tests of several processes
    with known():
        sys.exit(main(sys.argv[1:]))
