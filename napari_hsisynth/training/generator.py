"""A trained model taken out of its run, ready to draw samples and to reconstruct."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.study import Study
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import parse, redrawn
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
    run: str | os.PathLike[str],
    which: str = "last",
    *,
    device: str | torch.device = "auto",
    settings: Mapping[str, Any] | None = None,
) -> Generator:
    """Return the `Generator` of a run folder's checkpoint."""
    return Generator(RunFolder(run), which, device=device, settings=settings)


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
    settings : mapping, optional
        Settings to draw with instead of those of the training, of `ModelConfig.DRAWING`.

    Attributes
    ----------
    drawn_with : dict
        Those of them that are not as in the training.

    Raises
    ------
    InputError
        If it is not a training run, has no such checkpoint, or is not drawn from with such settings.
    """

    def __init__(
        self,
        run: RunFolder,
        which: str = "last",
        *,
        device: str | torch.device = "auto",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
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
        self.config, self.drawn_with = redrawn(parse(kept.config | {"compile": False}), settings or {})
        self.classes = tuple(kept.classes)
        self.recipe = recipe_for(kept.config["model"])(self.config, len(self.wavelengths_nm), max(1, len(self.classes)))
        self.recipe.to(torch.device(choose_device(device)) if isinstance(device, str) else device)
        self.recipe.load_state(kept.recipe)
        if self.recipe.device.type != "mps":  # half as fast again or more, on a CPU too
            for network in self.recipe.networks().values():
                if all(weight.ndim < 5 for weight in network.parameters()):
                    network.to(memory_format=torch.channels_last)

    @property
    def model(self) -> str:
        """Name of the model family."""
        return str(self.config.model_dump()["model"])

    @property
    def label(self) -> str:
        """Names the checkpoint for good, since a resumed run replaces it: ``"last@12000"``."""
        return f"{self.which}@{self.images}"

    @property
    def stem(self) -> str:
        """Part of the names of cubes that are not drawn as in the training: ``"-guidance2-samplersteps30"``."""
        values = {name.replace("_", ""): f"{value}".removesuffix(".0") for name, value in self.drawn_with.items()}
        return "".join(f"-{name}{value}" for name, value in values.items()).replace(".", "p")

    def study(self) -> Study:
        """Return the study that the run belongs to."""
        return study_of(self.run)

    @staticmethod
    def seed_of(seed: int, number: int) -> int:
        """Seed of cube `number` among those drawn with `seed`."""
        return derive(seed, "sample", number)

    @property
    def needs(self) -> frozenset[str]:
        """What a cube must be asked to show besides its diagnosis: "masks", "rgb", both or nothing."""
        return frozenset(self.recipe.needs)

    @property
    def noise_length(self) -> int:
        """Standard normal numbers that one cube is made from; none for a family that makes the same of the same."""
        return self.config.noise_length(len(self.wavelengths_nm))

    def noise(self, seed: int) -> torch.Tensor:
        """What a cube of this seed is made from, shape (noise_length,)."""
        return torch.randn(self.noise_length, generator=torch.Generator().manual_seed(seed))

    def sample(
        self,
        seeds: Sequence[int],
        diagnoses: Sequence[str] | None = None,
        condition: Mapping[str, ArrayLike] | None = None,
        *,
        truncation: float = 1.0,
    ) -> NDArray[np.float32]:
        """Draw one cube per seed, in the camera's values, never clipped.

        A cube is decided by its own seed, diagnosis and condition alone: neither its neighbours nor the number of seeds
        change it.

        Parameters
        ----------
        seeds : sequence of int
            See `seed_of`.
        diagnoses : sequence of str, optional
            One of `classes` for each; needed by a model that is told them, and ignored by others.
        condition : mapping of str to array, optional
            One array for each of `needs`: "masks", bool of shape (n, size, size), true in the lesion; "rgb", shape
            (n, 3, size, size), sRGB in [0, 1]. `conditioning.training_condition` takes those of the run's own study.
        truncation : float
            The noise is multiplied by it: below 1, cubes are more alike and fewer of them are odd.

        Returns
        -------
        ndarray of float32, shape (n, bands, size, size)

        Raises
        ------
        InputError
            If the model has to be told more, or something else, than it is.

        Examples
        --------
        ::

            generator = open_generator("my-study/runs/RUN")
            seeds = [generator.seed_of(0, number) for number in range(8)]
            condition = training_condition(generator, 0, [None] * 8)
            cubes = generator.sample(seeds, condition=condition)
        """
        return self.from_noise(truncation * torch.stack([self.noise(seed) for seed in seeds]), diagnoses, condition)

    def from_noise(
        self,
        noise: torch.Tensor,
        diagnoses: Sequence[str] | None = None,
        condition: Mapping[str, ArrayLike] | None = None,
        *,
        fine: torch.Tensor | None = None,
    ) -> NDArray[np.float32]:
        """Make cubes of noise itself, shape (n, noise_length); else as `sample`.

        Parameters
        ----------
        noise : Tensor
            Of the whole network, or of its coarse layers.
        diagnoses, condition
            As of `sample`.
        fine : Tensor, optional
            Noise of the fine layers, for families that mix (`LatentTools`).
        """
        told = self._told(len(noise), diagnoses, condition)
        if fine is None:
            return self._values(len(noise), lambda rows: self.recipe.sample(noise[rows], told[rows]))
        mix: Callable[..., torch.Tensor] = self.recipe.mix  # type: ignore[attr-defined]
        return self._values(len(noise), lambda rows: mix(noise[rows], fine[rows], told[rows]))

    def _told(
        self, count: int, diagnoses: Sequence[str] | None, condition: Mapping[str, ArrayLike] | None
    ) -> Condition:
        """What the recipe is told, checked."""
        given = condition or {}
        if set(given) != self.needs:
            raise InputError(
                f"{self.model} is told {_and(self.needs)}, not {_and(given)}",
                where="condition",
                fix="see Generator.sample",
            )
        side = self.config.image_size
        shapes = {"masks": (count, side, side), "rgb": (count, 3, side, side)}
        for name, values in given.items():
            if np.shape(values) != shapes[name]:
                raise InputError(f"of shape {np.shape(values)}, not {shapes[name]}", where=name)
        return Condition(
            self._numbers(count, diagnoses),
            torch.from_numpy(np.array(given["masks"], dtype=bool)) if "masks" in given else None,
            torch.from_numpy(np.array(given["rgb"], dtype=np.float32)) if "rgb" in given else None,
        )

    def _numbers(self, count: int, diagnoses: Sequence[str] | None) -> torch.Tensor:
        """Positions of diagnoses among the classes."""
        if not self.classes:
            return torch.zeros(count, dtype=torch.int64)
        if diagnoses is None or len(diagnoses) != count or not set(diagnoses) <= set(self.classes):
            raise InputError(
                f"each of the {count} cubes needs a diagnosis", where="diagnoses", fix=f"of: {', '.join(self.classes)}"
            )
        return torch.tensor([self.classes.index(one) for one in diagnoses])

    @torch.no_grad()
    def render(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """How cubes (n, bands, size, size) look to a family that needs "rgb": sRGB in [0, 1], shape (n, 3, size, size).

        Each by itself, so that a render does not depend on the others.
        """
        draw: Callable[[torch.Tensor], torch.Tensor] = self.recipe.render  # type: ignore[attr-defined]
        encoded = (self.normalisation.encode(one[None]).astype(np.float32) for one in images)
        return np.concatenate(
            [draw(torch.from_numpy(one).to(self.recipe.device)).float().cpu().numpy() for one in encoded]
        )

    def reconstruct(self, images: NDArray[np.float32], diagnoses: list[str] | None = None) -> NDArray[np.float32]:
        """What the model makes of given cubes (n, bands, size, size), in the camera's values.

        Raises
        ------
        InputError
            If the model does not encode.
        """
        encoded = torch.from_numpy(self.normalisation.encode(images).astype(np.float32))
        classes = self._numbers(len(images), diagnoses)

        def through(rows: torch.Tensor) -> torch.Tensor:
            made = self.recipe.reconstruct(encoded[rows].to(self.recipe.device), classes[rows])
            if made is None:
                raise InputError(f"{self.model} draws samples but does not reconstruct", where=self.run.path)
            return made

        return self._values(len(images), through)

    def _values(self, count: int, normalised: Callable[[torch.Tensor], torch.Tensor]) -> NDArray[np.float32]:
        """Let `normalised` make the images of some rows, a batch at a time, and bring them to the camera's values."""
        bands, side = len(self.wavelengths_nm), self.config.image_size
        made = torch.empty(count, bands, side, side)
        # a convolution may round differently for another batch size, so the last batch is filled up
        rows = torch.arange(count + -count % BATCH).clamp(max=count - 1)
        for part in rows.split(BATCH):
            first, last = int(part[0]), int(part[-1]) + 1
            for image, values in zip(made[first:last], normalised(part), strict=False):  # not what filled it up
                image.copy_(self._decoded(values))
        return made.numpy()

    def _decoded(self, image: torch.Tensor) -> torch.Tensor:
        """As `Normalisation.decode`, where the network is, one by one: a batch in double leaves the caches."""
        image = image.cpu() if image.device.type == "mps" else image  # which has no double precision
        offset, scale = (
            torch.from_numpy(one).to(image.device)[:, None, None]
            for one in (self.normalisation.offset, self.normalisation.scale)
        )
        return image.contiguous().double().mul_(scale).add_(offset)


def _and(names: Collection[str]) -> str:
    return " and ".join(sorted(names)) or "nothing"
