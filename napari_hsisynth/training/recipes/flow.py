"""Training of the flow-matching generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_hsisynth.models.flow_unet import FlowUNet
from napari_hsisynth.training.batch import Batch, average_gradients
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config.flow import FlowConfig
from napari_hsisynth.training.device import place
from napari_hsisynth.training.ema import Average
from napari_hsisynth.training.flow_matching import follow, on_the_way, shifted, time_shift
from napari_hsisynth.training.labelled_augmentation import LabelledAugmentation
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes.adversarial import all_finite, masks_followed, samples_like, scored_distances
from napari_hsisynth.training.recipes.registry import register
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis

#: Part of the images whose class and mask are not told, which guidance needs (Ho and Salimans 2022, arXiv 2207.12598).
_NOT_TOLD = 0.1
#: Times at which held-out images are judged, and how many images at a time.
_VALIDATION_TIMES, _VALIDATION_BATCH = 8, 16


@register("flow")
class FlowRecipe:
    """A network that learns the velocity from noise to images, and is followed to draw samples.

    With a spectral basis everything is learnt in its coordinates: images are projected on it before, samples decoded
    after, both linearly.

    Parameters
    ----------
    config : FlowConfig
        Settings.
    bands : int
        Number of spectral bands.
    classes : int
        Diagnoses that the network is told; 1 for none.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, config: FlowConfig, bands: int, classes: int = 1) -> None:
        self.config, self.classes = config, classes
        if config.mask_conditional:
            self.needs = frozenset({"masks"})
        self.spectra = decoder_for(config, bands)
        self.plain = FlowUNet(
            channels=self.spectra.maps,
            width=config.width,
            levels=config.levels,
            patch_px=config.patch_px,
            classes=classes,
            masks=config.mask_conditional,
            labels=LabelledAugmentation.LABELS,
        )
        self.shift = time_shift(config.noise_length(bands))
        self.average = Average(self.plain, config.ema_decay)
        self.network: Any = self.plain
        self.augmentation = LabelledAugmentation(bands, config.augment_probability if config.augment else 0.0)
        self.optimiser: Any = None
        self.fabric: Any = None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.average.network.parameters()).device

    def to(self, device: torch.device) -> None:
        """Move the averaged network, the spectral basis and what augmentation knows to `device`."""
        place(self.average.network, device)
        self.spectra.to(device)
        self.augmentation.to(device)

    def setup(self, fabric: Any) -> None:
        """Move everything to Fabric's device and make the optimiser."""
        self.fabric = fabric
        place(self.plain, fabric.device)
        self.network = torch.compile(self.plain) if self.config.compile else self.plain
        self.optimiser = torch.optim.Adam(self.plain.parameters(), lr=self.config.lr, betas=(0.9, 0.99))
        self.to(fabric.device)

    def prepare(self, spectra: Tensor, normalisation: Normalisation) -> list[str]:
        """Fit the spectral basis, if there is one, the covariance of spectra, and the units of augmentation."""
        self.augmentation.fit(normalisation)
        warnings = fit_basis([self.spectra], spectra, normalisation)
        pixels = self.coordinates(spectra.to(self.device)[:, :, None, None])[:, :, 0, 0]
        pixels = pixels.cpu().double()  # Apple's GPUs have no double precision
        for network in (self.plain, self.average.network):
            network.set_covariance(pixels.T @ pixels / len(pixels))
        return warnings

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Lower the loss of a batch, augmented and described, by one step of Adam."""
        batch, labels = self.augmentation(batch)
        loss = self.loss(batch, labels)
        loss.backward()
        average_gradients(self.fabric, list(self.plain.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(self.plain.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.update(self.plain)
        return {"loss": loss.detach(), "gradient": norm.detach()}

    def loss(self, batch: Batch, labels: Tensor) -> Tensor:
        """Mean squared error of the velocity, at times and with noise drawn for each image."""
        images = self.coordinates(batch.images)
        noise = batch.normal(*images.shape[1:])
        time = shifted(batch.normal().sigmoid() if self.config.times == "logit-normal" else batch.uniform(), self.shift)
        told = batch.uniform() >= _NOT_TOLD
        points, velocity = on_the_way(noise, images, time)
        with self.fabric.autocast():
            found = self.network(points, time, told, batch.classes, batch.masks, labels)
        return (found.float() - velocity).square().mean()

    def coordinates(self, images: Tensor) -> Tensor:
        """Images in the coordinates of the spectral basis, (n, components, y, x); unchanged if there is none."""
        if not self.spectra.fixed:
            return images
        matrix = self.spectra.matrix  # its columns are orthogonal; empty if there were too few pixels to fit them to
        inverse = (matrix / matrix.square().sum(dim=0).clamp_min(1e-12)).T
        return F.conv2d(images - self.spectra.offset[:, None, None], inverse[:, :, None, None])

    def networks(self) -> dict[str, nn.Module]:
        """The network, its average, and the spectral basis."""
        return {"network": self.plain, "average": self.average.network, "spectra": self.spectra}

    def healthy(self) -> bool:
        """Whether every weight is finite."""
        return all_finite([self.plain])

    @torch.no_grad()
    def validate(self, held_out: Batch, seed: int) -> dict[str, float]:
        """Loss of held-out images at times spread as in training, distances of samples, and how these follow masks.

        ``score`` is minus the loss: it is the same noise and the same times at every checkpoint, where distances depend
        on 64 samples. It rises again when the network begins to know its training images by heart.
        """
        generator = torch.Generator().manual_seed(seed)  # the same noise on every device and at every validation
        total = 0.0
        for part in held_out.split(_VALIDATION_BATCH):
            images = self.coordinates(part.images)
            told = torch.ones(len(images), dtype=torch.bool, device=self.device)
            for number in range(_VALIDATION_TIMES):
                time = shifted(images.new_full((len(images),), (number + 0.5) / _VALIDATION_TIMES), self.shift)
                noise = torch.randn(images.shape, generator=generator).to(self.device)
                points, velocity = on_the_way(noise, images, time)
                found = self.average.network(points, time, told, part.classes, part.masks)
                total += float((found - velocity).square().mean(dim=(1, 2, 3)).sum())
        loss = total / (_VALIDATION_TIMES * len(held_out))
        samples, shown = samples_like(self, held_out, seed)
        following = masks_followed(held_out, samples, shown) if self.config.mask_conditional else {}
        return {**scored_distances(held_out, samples, seed), **following, "loss": loss, "score": -loss}

    def fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """There are no latents: samples begin with noise of their own size."""

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: Condition) -> Tensor:
        """Normalised images from standard normal `noise` (n, config.noise_length(bands)), by the averaged network."""
        side, guidance = self.config.image_size, self.config.guidance
        condition = condition.to(self.device)
        told = torch.ones(len(noise), dtype=torch.bool, device=self.device)
        has_conditions = self.classes > 1 or bool(self.needs)

        def velocity(points: Tensor, time: Tensor) -> Tensor:
            shown = condition.classes, condition.masks
            found = self.average.network(points, time, told, *shown)
            if guidance == 1 or not has_conditions:
                return found
            return torch.lerp(self.average.network(points, time, ~told, *shown), found, guidance)

        begin = noise.to(self.device).view(-1, self.spectra.maps, side, side)
        times = shifted(torch.linspace(0, 1, self.config.sampler_steps + 1), self.shift)
        return self.spectra(follow(velocity, begin, times, self.config.sampler))

    def reconstruct(self, images: Tensor, classes: Tensor) -> None:
        """There is no encoder."""
        return None

    def state(self) -> dict[str, Any]:
        """Weights, averaged weights, optimiser, spectral basis and what augmentation knows."""
        return {
            "network": self.plain.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimiser": self.optimiser.state_dict() if self.optimiser else {},
            "spectra": self.spectra.state_dict(),
            **self.augmentation.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.plain.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = int(state["average_steps"])
        if self.optimiser:  # not where samples are only drawn
            self.optimiser.load_state_dict(state["optimiser"])
        self.spectra.load_state_dict(state["spectra"])
        self.augmentation.load_state(state, self.device)
