"""What is to be trained: the models that were asked for, with their settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.config import MODELS, ModelConfig, parse


@dataclass(frozen=True)
class Planned:
    """One training.

    Parameters
    ----------
    label : str
        For its row in the table.
    changes : tuple of str
        ``K=V`` each, as for ``train --set``.
    config : ModelConfig
        The settings that they make.
    """

    label: str
    changes: tuple[str, ...]
    config: ModelConfig

    def without(self, *names: str) -> Planned:
        """The same training with the defaults of some settings."""
        kept = tuple(change for change in self.changes if change.partition("=")[0] not in names)
        values = {key: value for key, _, value in (change.partition("=") for change in kept)}
        label = " ".join(word for word in self.label.split(" ") if word.partition("=")[0] not in names)
        return Planned(label, kept, parse({**values, "model": self.model}))

    def with_config(self, config: ModelConfig) -> Planned:
        """The same training with some settings written otherwise, such as a folder by its full path."""
        keys = (change.partition("=")[0] for change in self.changes)
        return Planned(self.label, tuple(f"{key}={getattr(config, key)}" for key in keys), config)

    def beginning_with(self, run: Path, name: str) -> Planned:
        """The same training with the weights of a run to begin with; its label says where that was trained."""
        init = str(run.absolute())
        changes = (*self.changes, f"init={init}")
        return Planned(f"{self.label}, from {name}", changes, self.config.model_copy(update={"init": init}))

    @property
    def model(self) -> str:
        """Its family."""
        return str(self.config.model_dump()["model"])


def plan(models: str, *, max_images: int | None, changes: list[str], seeds: int) -> list[Planned]:
    """Return the trainings that a command line asks for, every model with every seed.

    Parameters
    ----------
    models : str
        Families separated by commas, each with settings of its own behind colons: ``"vae,dcgan:loss=hinge:lr=1e-4"``.
    max_images : int, optional
        Budget of each in images, unless a model has its own.
    changes : list of str
        ``K=V`` for all models.
    seeds : int
        Trainings per model, with seeds 0, 1, ...

    Returns
    -------
    list of Planned
        All conditioned on the diagnosis unless ``conditional=false`` is among the changes.

    Raises
    ------
    InputError
        If a model or a setting is not known, or the image sizes differ.
    """
    planned = []
    for text in models.split(","):
        model, *own = (part.strip() for part in text.split(":"))
        if model not in MODELS:
            raise InputError(f"model {model!r} is not known", where="--models", fix=f"there are: {', '.join(MODELS)}")
        for change in (*changes, *own):
            if not change.partition("=")[2]:
                raise InputError(
                    f"{change!r} is not of the form K=V", where="--models", fix="for example dcgan:lr=1e-4"
                )
        budget = [f"max_images={max_images}"] if max_images else []
        for seed in range(seeds):
            asked = ("conditional=true", *budget, *changes, *own, *([f"seed={seed}"] if seeds > 1 else []))
            values: dict[str, Any] = {key.strip(): value.strip() for key, _, value in (c.partition("=") for c in asked)}
            config = parse({**values, "model": model})
            label = " ".join([model, *own, *([f"seed={seed}"] if seeds > 1 else [])])
            planned.append(Planned(label, tuple(f"{key}={value}" for key, value in values.items()), config))
    labels = [one.label for one in planned]
    if len(set(labels)) < len(labels):
        raise InputError("a model is there twice", where="--models", fix="name each once, or give them other settings")
    sizes = sorted({one.config.image_size for one in planned})
    if len(sizes) > 1:
        raise InputError(
            f"images of {' and '.join(map(str, sizes))} px cannot be in one table",
            where="image_size",
            fix="use one size",
        )
    return planned
