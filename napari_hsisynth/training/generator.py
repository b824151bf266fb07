"""A trained model taken out of its run, ready to draw samples and to reconstruct."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.study import Study
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import parse
from napari_hsisynth.training.device import choose_device
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes import recipe_for
from napari_hsisynth.training.seeds import derive

#: Cubes decoded at a time. Always this many, so that a cube does not depend on how many were asked for.
BATCH = 16


def study_of(run: RunFolder) -> Study:
    """Return the study that a run belongs to; its configuration keeps the way there, relative to the run folder."""
    way = (run.config.get("run") or {}).get("study") or "../.."
    return Study.open(os.path.normpath(run.path / way))


def open_generator(
    run: str | os.PathLike[str], which: str = "last", *, device: str | torch.device = "auto"
) -> Generator:
    """Return the `Generator` of a run folder's checkpoint."""
    return Generator(RunFolder(run), which, device=device)


class Generator:
    """The averaged network of a checkpoint, with the normalisation it was trained with.

    Parameters
    ----------
    run : RunFolder
        Of a training.
    which : {"last", "best"}
        The checkpoint.
    device : {"auto", "cpu", "cuda", "mps"} or torch.device
        Where to compute.

    Raises
    ------
    InputError
        If it is not a training run, or has no such checkpoint.
    """

    def __init__(self, run: RunFolder, which: str = "last", *, device: str | torch.device = "auto") -> None:
        if (run.config.get("run") or {}).get("verb") != "train":
            raise InputError("not a training run", where=run.path)
        self.run, self.which = run, which
        self.batch = BATCH
        path = run.checkpoints_dir / f"{which}.pt"
        kept = checkpoints.load(path)
        with open(path, "rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.images, self.diagnosis = kept.images, kept.diagnosis
        self.wavelengths_nm = np.asarray(kept.wavelengths_nm, dtype=np.float64)
        self.normalisation = Normalisation.from_json(kept.normalisation)
        self.config = parse(kept.config | {"compile": False})
        self.classes = tuple(kept.classes)
        self.recipe = recipe_for(kept.config["model"])(self.config, len(self.wavelengths_nm), max(1, len(self.classes)))
        self.recipe.to(torch.device(choose_device(device)) if isinstance(device, str) else device)
        self.recipe.load_state(kept.recipe)

    @property
    def model(self) -> str:
        """Name of the model family."""
        return str(self.config.model_dump()["model"])

    @property
    def label(self) -> str:
        """Names the checkpoint for good, since a resumed run replaces it: ``"last@12000"``."""
        return f"{self.which}@{self.images}"

    def study(self) -> Study:
        """Return the study that the run belongs to."""
        return study_of(self.run)

    @staticmethod
    def seed_of(seed: int, number: int) -> int:
        """Seed of cube `number` among those drawn with `seed`."""
        return derive(seed, "sample", number)

    def sample(self, seeds: list[int], diagnoses: list[str] | None = None) -> NDArray[np.float32]:
        """Draw one cube per seed, in the camera's values, never clipped; shape (len(seeds), bands, size, size).

        A cube is decided by its own seed and diagnosis alone: neither its neighbours nor the number of seeds change it.

        Parameters
        ----------
        seeds : list of int
            See `seed_of`.
        diagnoses : list of str, optional
            One of `classes` for each; needed by a model that is conditioned on them, and ignored by others.
        """
        noise = torch.stack([self._noise(seed) for seed in seeds])
        numbers = [self.classes.index(one) for one in diagnoses or ()] if self.classes else [0] * len(seeds)
        return self._values(
            self._in_batches(
                (noise, torch.tensor(numbers)), lambda *part: self.recipe.sample(part[0], Condition(part[1]))
            )
        )

    def reconstruct(self, images: NDArray[np.float32], diagnoses: list[str] | None = None) -> NDArray[np.float32]:
        """What the model makes of given cubes (n, bands, size, size), in the camera's values.

        Raises
        ------
        InputError
            If the model does not encode.
        """
        encoded = torch.from_numpy(self.normalisation.encode(images).astype(np.float32))
        numbers = [self.classes.index(one) for one in diagnoses or ()] if self.classes else [0] * len(images)

        def through(batch: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
            made = self.recipe.reconstruct(batch.to(self.recipe.device), classes)
            if made is None:
                raise InputError(f"{self.model} draws samples but does not reconstruct", where=self.run.path)
            return made

        return self._values(self._in_batches((encoded, torch.tensor(numbers)), through))

    def _noise(self, seed: int) -> torch.Tensor:
        return torch.randn(self.config.latent_dim, generator=torch.Generator().manual_seed(seed))

    def _in_batches(self, inputs: tuple[torch.Tensor, ...], function: Callable[..., torch.Tensor]) -> torch.Tensor:
        # a convolution may round differently for another batch size, so the last batch is filled up
        count = len(inputs[0])
        filled = [torch.cat([one, one[-1:].expand(-count % BATCH, *one.shape[1:])]) for one in inputs]
        parts = zip(*(one.split(BATCH) for one in filled), strict=True)
        return torch.cat([function(*part).cpu() for part in parts])[:count]

    def _values(self, normalised: torch.Tensor) -> NDArray[np.float32]:
        return self.normalisation.decode(normalised.numpy()).astype(np.float32)
