"""`LatentTools`: noise that is shortened, walked along or mixed before a generator makes cubes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.generator import Generator


@dataclass(frozen=True)
class LatentTools:
    """What is done with the noise of all cubes of a call.

    Parameters
    ----------
    truncation : float
        Noise is multiplied by it; 0 < truncation <= 1. Below 1 cubes are more alike, and fewer of them are odd.
    interpolate : int, optional
        So many cubes lie on the way from the noise of one seed to that of the next, the first of them on it.
    mix : int, optional
        Fine layers get the noise that cubes of this seed would have, coarse layers their own.
    """

    truncation: float = 1.0
    interpolate: int | None = None
    mix: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.truncation <= 1:
            raise InputError(
                f"noise cannot be truncated by {self.truncation:g}",
                where="truncation",
                fix="use more than 0, and 1 at most",
            )
        if self.interpolate is not None and self.interpolate < 2:
            raise InputError(f"{self.interpolate} cubes are no walk", where="interpolate", fix="use 2 or more")
        if self.interpolate is not None and self.mix is not None:
            raise InputError("noise is either mixed or walked along", where="mix", fix="leave interpolate out")

    def check(self, generator: Generator) -> None:
        """Raise InputError if a generator cannot do what is wished."""
        wished = [
            name
            for name, one in (("truncation", self.truncation < 1), ("interpolate", self.interpolate is not None))
            if one
        ]
        if wished and not generator.noise_length:
            raise InputError(f"{generator.model} makes cubes of no noise", where=wished[0], fix="leave it out")
        if self.mix is not None and not callable(getattr(generator.recipe, "mix", None)):
            raise InputError(
                f"{generator.model} has no coarse and fine layers to mix",
                where="mix",
                fix="leave it out, or use fastgan",
            )

    @property
    def stem(self) -> str:
        """Part of the names of cubes."""
        part = "" if self.truncation == 1 else f"-t{self.truncation!r}".replace(".", "p")
        part += "" if self.interpolate is None else f"-i{self.interpolate}"
        return part + ("" if self.mix is None else f"-m{self.mix}")

    def position(self, number: int) -> int:
        """Which seed cube `number` begins at; what else it shows does not change on the way to the next."""
        return number // (self.interpolate or 1)

    def latent(self, generator: Generator, seed: int, number: int) -> Latent:
        """What cube `number` of a seed is made of."""
        position = self.position(number)
        return Latent(
            seed=generator.seed_of(seed, position),
            truncation=self.truncation,
            toward=None if self.interpolate is None else generator.seed_of(seed, position + 1),
            part=0.0 if self.interpolate is None else number % self.interpolate / self.interpolate,
            fine=None if self.mix is None else generator.seed_of(self.mix, number),
        )


@dataclass(frozen=True)
class Latent:
    """What one cube is made of.

    Parameters
    ----------
    seed : int
        Of its noise.
    truncation : float
        Noise is multiplied by it.
    toward : int, optional
        Seed of the noise that it lies on the way to.
    part : float
        Of that way, 0 to 1.
    fine : int, optional
        Seed of the noise of fine layers.
    """

    seed: int
    truncation: float = 1.0
    toward: int | None = None
    part: float = 0.0
    fine: int | None = None

    def noise(self, generator: Generator) -> Tensor:
        """Noise of the whole network, or of its coarse layers."""
        noise = generator.noise(self.seed)
        if self.toward is not None:
            noise = spherical(noise, generator.noise(self.toward), self.part)
        return self.truncation * noise

    def fine_noise(self, generator: Generator) -> Tensor:
        """Noise of the fine layers."""
        assert self.fine is not None
        return self.truncation * generator.noise(self.fine)

    def to_json(self) -> dict[str, Any]:
        """For the provenance of a cube; nothing for a plain one."""
        told: dict[str, Any] = {} if self.truncation == 1 else {"truncation": self.truncation}
        if self.toward is not None:
            told["interpolation"] = {"toward_seed": self.toward, "part": self.part}
        return told if self.fine is None else {**told, "fine_seed": self.fine}


def spherical(a: Tensor, b: Tensor, part: float) -> Tensor:
    """Spherical interpolation (Shoemake 1985, 10.1145/325165.325242) between two noises, of the same shape.

    In many dimensions normal noise lies near a sphere, which a straight way would leave.
    """
    first, second = a.double(), b.double()
    norms = torch.linalg.vector_norm(first) * torch.linalg.vector_norm(second)
    angle = math.acos(max(-1.0, min(1.0, float((first * second).sum() / norms)))) if norms else 0.0
    if math.sin(angle) < 1e-6:  # parallel, or opposite: there is no one way around
        weights = 1 - part, part
    else:
        weights = math.sin((1 - part) * angle) / math.sin(angle), math.sin(part * angle) / math.sin(angle)
    return (weights[0] * first + weights[1] * second).to(a.dtype)
