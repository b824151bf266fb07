"""Differentiable augmentation for the discriminators of GANs, which leaves the shape of every spectrum alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import overload

import torch
from torch import Tensor

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.normalisation import Normalisation

#: What a policy is made of, with the strengths used by default.
_STRENGTHS = {"translation": 1 / 8, "cutout": 1 / 2, "gain": 0.2, "offset": 0.2}


@dataclass(frozen=True, eq=False)
class DiffPolicy:
    """Which transforms there are, and how strong. A strength of 0 leaves a transform out.

    Parameters
    ----------
    translation : float
        Largest shift along each axis, as a fraction of the side; by whole pixels.
    cutout : float
        Side of the square cut out, as a fraction of the image's.
    gain : float
        The largest common factor of all bands is 1 + `gain`, the smallest its inverse.
    offset : float
        Largest common summand of all bands either way, in units of `unit`.
    probability : float
        Of each transform for each image.
    zero : Tensor, shape (bands,), optional
        What the camera's 0 is after normalisation. The gain is about this point: it is a common factor of the camera's
        values, such as brighter light gives, and changes no spectral angle. Without it the gain is about the
        normalised 0, the mean training spectrum: each spectrum then moves on the line from that mean.
    unit : Tensor, shape (bands,), optional
        One step of the offset, normalised. From `of`, the same in the camera's values for all bands: the mean over the
        bands of the training set's standard deviation. Without it, each band's own standard deviation.
    """

    translation: float = 0.0
    cutout: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    probability: float = 1.0
    zero: Tensor | None = None
    unit: Tensor | None = None

    @classmethod
    def of(
        cls,
        names: str | Iterable[str],
        normalisation: Normalisation | None = None,
        *,
        strength: float = 1.0,
        probability: float = 1.0,
    ) -> DiffPolicy:
        """Make a policy of the names of transforms.

        Parameters
        ----------
        names : str or iterable of str
            Any of "translation", "cutout", "gain" and "offset", as a list or separated by commas; "" for none.
        normalisation : Normalisation, optional
            What the images went through; makes gain and offset common ones of the camera's values.
        strength : float
            Factor of the usual strengths, 0 or more.
        probability : float
            Of each transform for each image.
        """
        chosen = [name.strip() for name in (names.split(",") if isinstance(names, str) else names) if name.strip()]
        for name in chosen:
            if name not in _STRENGTHS:
                raise InputError(f"no transform '{name}'", where="policy", fix=f"use: {', '.join(_STRENGTHS)}")
        policy = cls(**{name: strength * _STRENGTHS[name] for name in chosen}, probability=probability)
        if normalisation is None:
            return policy
        scale = torch.from_numpy(normalisation.scale)
        return replace(policy, zero=-torch.from_numpy(normalisation.offset) / scale, unit=scale.mean() / scale)

    def to(self, device: torch.device) -> DiffPolicy:
        """The same policy with its tensors on a device, in single precision: saves a copy to it in every call."""
        zero, unit = (None if values is None else values.to(device, torch.float32) for values in (self.zero, self.unit))
        return replace(self, zero=zero, unit=unit)


@overload
def diff_augment(images: Tensor, batch: Batch, policy: DiffPolicy | str) -> Tensor: ...
@overload
def diff_augment(images: Tensor, batch: Batch, policy: DiffPolicy | str, masks: Tensor) -> tuple[Tensor, Tensor]: ...
def diff_augment(
    images: Tensor, batch: Batch, policy: DiffPolicy | str, masks: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor]:
    """Transform real or generated images on their way to a discriminator, each image by itself.

    Gain and offset, then translation, then cutout, as in the source; what translation and cutout leave empty gets the
    normalised 0, the mean training spectrum. Differentiable twice, as gradient penalties need.

    Parameters
    ----------
    images : Tensor, shape (n, bands, y, x)
        Normalised.
    batch : Batch
        Of `n` images; random numbers are drawn for it from torch's global generator, alike in all processes. Two calls
        draw other numbers; to give real and generated images the same transforms, seed the generator before each.
    policy : DiffPolicy or str
        Or the names of its transforms, see `DiffPolicy.of`.
    masks : Tensor of bool or float, shape (n, y, x) or (n, channels, y, x), optional
        Moved and cut as the images are; what is empty then is 0.

    Returns
    -------
    Tensor, or two
        The images, and the masks if there were any.

    References
    ----------
    Zhao, Liu, Lin, Zhu and Han, "Differentiable augmentation for data-efficient GAN training", 2020, arXiv 2006.10738.
    Its saturation and contrast mix bands or pixels and are left out.
    """
    if isinstance(policy, str):
        policy = DiffPolicy.of(policy)
    if len(images) != len(batch):
        raise ValueError(f"{len(images)} images, but a batch of {len(batch)}")
    if policy.gain:
        zero = 0.0 if policy.zero is None else policy.zero.to(images)[:, None, None]
        factor = torch.exp(math.log1p(policy.gain) * _either_way(batch, policy)).to(images.dtype)
        images = images + (factor - 1)[:, None, None, None] * (images - zero)
    if policy.offset:
        unit = 1.0 if policy.unit is None else policy.unit.to(images)[:, None, None]
        step = (policy.offset * _either_way(batch, policy)).to(images.dtype)
        images = images + step[:, None, None, None] * unit
    if policy.translation:
        images, masks = _translated(images, masks, batch, policy)
    if policy.cutout:
        kept = _kept(images, batch, policy)
        images = images * kept[:, None]
        if masks is not None:
            masks = masks * (kept if masks.ndim == 3 else kept[:, None])
    return images if masks is None else (images, masks)


def _happens(batch: Batch, policy: DiffPolicy) -> Tensor:
    """Which images a transform is for, shape (n,)."""
    return batch.uniform() < policy.probability


def _either_way(batch: Batch, policy: DiffPolicy) -> Tensor:
    """Uniform in [-1, 1), and 0 for images that the transform is not for, shape (n,)."""
    return (2 * batch.uniform() - 1) * _happens(batch, policy)


def _translated(images: Tensor, masks: Tensor | None, batch: Batch, policy: DiffPolicy) -> tuple[Tensor, Tensor | None]:
    happens = _happens(batch, policy)
    for axis in (-2, -1):
        side = images.shape[axis]
        most = int(side * policy.translation + 0.5)
        shift = (torch.floor(batch.uniform() * (2 * most + 1)).long() - most) * happens
        source = torch.arange(side, device=images.device) - shift[:, None]
        images = _taken(images, source, axis)
        masks = None if masks is None else _taken(masks, source, axis)
    return images, masks


def _taken(values: Tensor, source: Tensor, axis: int) -> Tensor:
    """Take the lines `source` (n, side) of each image along an axis of it; 0 for those outside."""
    side = values.shape[axis]
    shape = [len(values), *[1] * (values.ndim - 1)]
    shape[axis] = side
    # around the border and then 0, so that no line is taken twice: gradients are then summed in a fixed order
    index = source.remainder(side).view(shape).expand_as(values)
    inside = ((source >= 0) & (source < side)).view(shape)
    return values.gather(axis, index) * inside


def _kept(images: Tensor, batch: Batch, policy: DiffPolicy) -> Tensor:
    """False inside the square cut out of each image, shape (n, y, x); near a border, part of it lies outside."""
    happens = _happens(batch, policy)
    cut = happens[:, None, None]
    for axis in (-2, -1):
        side = images.shape[axis]
        length = int(side * policy.cutout + 0.5)
        first = torch.floor(batch.uniform() * side).long() - length // 2
        at = torch.arange(side, device=images.device) - first[:, None]
        along = (at >= 0) & (at < length)
        cut = cut & (along[:, :, None] if axis == -2 else along[:, None, :])
    return ~cut
