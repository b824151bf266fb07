"""The training loop: flat, to be read in one go. It counts real images shown; what a step is, the recipe knows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from napari_hsisynth import __version__
from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.metrics.angles import spectral_angle
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.augment import Augmentation
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import ModelConfig
from napari_hsisynth.training.data import ImageSet, batch_order
from napari_hsisynth.training.device_data import DeviceData
from napari_hsisynth.training.guard import WINDOW_STEPS, Guard, Statistics
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes import Recipe
from napari_hsisynth.training.reporting import Report
from napari_hsisynth.training.rgb_sources import OtherRenders, RGBSource
from napari_hsisynth.training.roll_back import MOST_ROLL_BACKS, slowed
from napari_hsisynth.training.running_means import RunningMeans
from napari_hsisynth.training.seeds import derive

#: Samples, and pairs of original and reconstruction, in a preview; and their largest side, px.
_PREVIEW_SAMPLES, _PREVIEW_PAIRS, _PREVIEW_PX = 16, 6, 96
#: Training pixels that a recipe may fit something to before it begins.
_PREPARED_SPECTRA = 50_000
#: Several processes agree on a stop once in so many steps: each time they wait for each other.
_STEPS_BETWEEN_QUESTIONS = 8


class Diverged(RuntimeError):
    """The training has left the numbers; the last good checkpoint is still there."""


@dataclass
class Training:
    """One training run in memory.

    Parameters
    ----------
    run : RunFolder
        Where checkpoints, previews and events go.
    config : ModelConfig
        Settings.
    recipe : Recipe
        Networks and step, already set up on the device.
    train, val : ImageSet
        Images to learn from, and held-out ones that only choose the best checkpoint; `val` may be empty.
    normalisation : Normalisation
        Fitted on `train`.
    diagnosis : str
        Of the crops; empty for all.
    fabric : lightning.fabric.Fabric
        Launched. With several processes, each runs this loop on its share of every batch; only the first one writes.
    classes : tuple of str
        Diagnoses that the model is conditioned on; empty for none.
    report : Report
        Where to say what happens.
    should_stop : callable
        Asked before every batch.
    images, steps, best, guard, roll_backs : int, int, dict, Guard, list
        Where to go on from.
    photos : RGBSource, optional
        Photographs for a recipe that needs RGB images; each step is given as many as there are images in its batch.
    prepared : bool
        Whether the recipe has taken from the training data what it keeps, as one that goes on has.
    begin : callable
        Called once the recipe is prepared for a new run, for example to take other first weights; returns warnings.
    """

    run: RunFolder
    config: ModelConfig
    recipe: Recipe
    train: ImageSet
    val: ImageSet
    normalisation: Normalisation
    diagnosis: str
    report: Report
    should_stop: Callable[[], bool]
    fabric: Any
    classes: tuple[str, ...] = ()
    images: int = 0
    steps: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    guard: Guard = field(default_factory=Guard)
    roll_backs: list[dict[str, Any]] = field(default_factory=list)
    photos: RGBSource | None = None
    begin: Callable[[], Sequence[str]] = tuple
    prepared: bool = False
    _fitted: tuple[int, int] | None = field(default=None, init=False)

    def fit(self) -> str:
        """Train until `max_images` or a stop, and return "done" or "stopped"; the last checkpoint is of this moment."""
        config, recipe, fabric = self.config, self.recipe, self.fabric
        rank, world, writes = fabric.global_rank, fabric.world_size, fabric.is_global_zero
        # the whole set, once; batches are made there
        data = DeviceData(self.train, self.normalisation, self.classes, fabric.device)
        held_out = DeviceData(self.val, self.normalisation, self.classes, fabric.device)
        if writes and not data.resident:
            self.report.warn("the device has no room for all images: each batch is brought to it, which takes longer")
        augment = Augmentation().to(fabric.device) if config.augment else torch.nn.Identity()
        saved_at = self.images if self.images else -1
        means = RunningMeans()
        if not self.prepared:
            if "rgb" in recipe.needs:
                cast(Any, recipe).set_wavelengths(self.train.wavelengths_nm)
            spectra = data.spectra(_PREPARED_SPECTRA, derive(config.seed, "spectra"))
            for warning in [*(recipe.prepare(spectra, self.normalisation) or ()), *self.begin()]:
                if writes:
                    self.report.warn(warning, self.images)
            if writes and config.on_divergence == "roll_back":
                self._keep("good")

        def draw(count: int) -> Batch:
            return augment(data.draw(count))

        photos = self.photos
        if photos is None and getattr(recipe, "unpaired", False):
            photos = OtherRenders(data, config.seed, recipe, augment)

        while self.images < config.max_images:
            if self._stop_asked():
                if writes and saved_at != self.images:
                    self._save(draw, held_out)
                return "stopped"

            torch.manual_seed(derive(config.seed, "step", self.images))
            count = min(config.batch_size, config.max_images - self.images)
            order = batch_order(self.images, len(data), count, config.seed)
            batch = augment(data.batch(order, rank=rank, world=world))
            if photos is not None:
                rgb, rgb_classes = photos.draw(self.images, count, rank=rank, world=world)
                batch = replace(batch, rgb=rgb, rgb_classes=rgb_classes)
            scalars = recipe.step(batch)
            means.add(scalars)
            before, self.images = self.images, self.images + count
            self.steps += 1
            at_end = self.images == config.max_images
            if writes:
                self.guard.add(scalars)
                if self.report.due or at_end:
                    self._report(means.take())  # since the last report; waits for the device

            preview = at_end or _crossed(before, self.images, config.preview_every)
            save = at_end or _crossed(before, self.images, config.checkpoint_every)
            if not (preview or save or self.steps % WINDOW_STEPS == 0):
                continue
            trouble = self._trouble(preview or save) if writes else ""
            if writes and preview and not trouble:
                trouble = self._preview(draw, held_out if len(held_out) else data)
            if self._roll_back(trouble):
                means, saved_at = RunningMeans(), self.images
            elif writes and save:
                self._save(draw, held_out)
                saved_at = self.images
        return "done"

    def _stop_asked(self) -> bool:
        """Whether to stop before the next step; all processes do so before the same one."""
        if self.fabric.world_size == 1:
            return self.should_stop()
        if self.steps % _STEPS_BETWEEN_QUESTIONS:
            return False
        return bool(self.fabric.broadcast(self.fabric.is_global_zero and self.should_stop(), src=0))

    def _report(self, values: Mapping[str, float]) -> None:
        if not all(np.isfinite(value) for value in values.values()) and self.config.on_divergence != "roll_back":
            raise self._diverged("the loss is not a number any more")
        self.report.progress(self.images, self.config.max_images, values, f"loss {values['loss']:.3f}")

    def _save(self, draw: Callable[[int], Batch], held_out: DeviceData) -> None:
        """Validate, then write ``last`` and, if it is the best so far, ``best``."""
        recipe, config = self.recipe, self.config
        self._fit_latents(draw)
        improved = not len(held_out)
        if len(held_out):
            shown = held_out.everything()
            figures: dict[str, Any] = recipe.validate(shown, derive(config.seed, "validation"))
            figures |= self._held_out_angle(shown)
            # the score only chooses; what it is made of is among the other figures
            values = {f"val_{name}": value for name, value in figures.items() if name != "score"}
            self.report.scalars(self.images, values)
            improved = not self.best or figures["score"] > self.best["score"]
            if improved:
                self.best = {"images": self.images, **figures}
        # best first: a process killed in between goes on from the older last, and comes to the same best again
        self._keep(*(["best", "last"] if improved else ["last"]))
        self.run.append("checkpoint", images=self.images, file="checkpoints/last.pt", best=improved)

    def _fit_latents(self, draw: Callable[[int], Batch]) -> None:
        """Fit what the recipe fits to its present weights; once, where a preview and a checkpoint fall together."""
        now = self.steps, len(self.roll_backs)
        if self._fitted == now:
            return
        with _seeded(derive(self.config.seed, "latents"), self.recipe.device):
            self.recipe.fit_latents(draw)
        self._fitted = now

    def _keep(self, *names: str) -> None:
        """Write the present state as checkpoints of these names."""
        kept = checkpoints.Checkpoint(
            images=self.images,
            steps=self.steps,
            config=self.config.model_dump(),
            recipe=self.recipe.state(),
            normalisation=self.normalisation.to_json(),
            wavelengths_nm=self.train.wavelengths_nm.tolist(),
            diagnosis=self.diagnosis,
            classes=list(self.classes),
            fingerprint=self.train.fingerprint,
            best=dict(self.best),
            version=__version__,
            guard=self.guard.state(),
            roll_backs=list(self.roll_backs),
        )
        for name in names:
            checkpoints.save(self.run.checkpoints_dir / f"{name}.pt", kept)

    def _held_out_angle(self, held_out: Batch) -> dict[str, float]:
        """Mean spectral angle between held-out images and their reconstructions, if the model makes any."""
        reconstructed = self.recipe.reconstruct(held_out.images, held_out.classes)
        if reconstructed is None:
            return {}
        angles = spectral_angle(self.normalisation.decode(reconstructed.cpu().numpy()), self.val.images)
        return {"angle_deg": float(np.degrees(np.nanmean(angles)))}

    def _preview(self, draw: Callable[[int], Batch], pairs: DeviceData) -> str:
        """Write samples (always from the same noise, so that they can be seen to grow) and reconstructions.

        Return what is wrong with the samples, if that is to be acted on.
        """
        recipe = self.recipe
        self._fit_latents(draw)
        generator = torch.Generator().manual_seed(derive(self.config.seed, "preview"))
        length = self.config.noise_length(len(self.train.wavelengths_nm))
        noise = torch.randn(_PREVIEW_SAMPLES, length, generator=generator)
        condition = self._preview_condition(pairs)
        samples = self._values(recipe.sample(noise, condition))
        arrays = {"samples": _small(samples)}
        if condition.masks is not None:
            arrays["sample_masks"] = _small(condition.masks[:, None].float().cpu().numpy())[:, 0] >= 0.5
        if condition.rgb is not None:
            arrays["sample_rgb"] = _small(condition.rgb.cpu().numpy())
        shown = pairs.first(_PREVIEW_PAIRS)
        reconstructed = recipe.reconstruct(shown.images, shown.classes)
        if reconstructed is not None:
            arrays["originals"] = _small(self._values(shown.images))
            arrays["reconstructions"] = _small(self._values(reconstructed))
        if self.classes:
            arrays |= {"sample_classes": condition.classes.cpu().numpy(), "class_names": np.array(self.classes)}
        arrays["wavelengths_nm"] = self.train.wavelengths_nm
        found = {"synthetic": Statistics.of(samples), "real": self._real}
        for name, statistics in found.items():
            arrays |= {f"{name}_mean": statistics.mean, f"{name}_std": statistics.std}
        file = f"previews/{self.images:09d}.npz"
        with atomic_path(self.run.path / file) as temporary, open(temporary, "wb") as opened:
            np.savez(opened, **arrays)  # type: ignore[arg-type]
        self.report.preview(self.images, file, arrays["samples"], self.train.wavelengths_nm)
        part = self.images / self.config.max_images
        said = self.guard.look_at_samples(found["synthetic"], found["real"], self.train.wavelengths_nm, part)
        trouble = self._told(said)
        if self.config.on_divergence == "roll_back" and self.guard.calm:
            self._keep("good")
        return trouble

    def _preview_condition(self, shown: DeviceData) -> Condition:
        """What the samples of a preview are to show: the diagnoses in turn, or what the first images `shown` do."""
        if self.recipe.needs:
            told = Condition.of(self.recipe, shown.first(_PREVIEW_SAMPLES))
            return told[torch.arange(_PREVIEW_SAMPLES) % len(told)]
        return Condition(torch.arange(_PREVIEW_SAMPLES) % max(1, len(self.classes)))

    @cached_property
    def _real(self) -> Statistics:
        return Statistics.of(self.train.images)

    def _trouble(self, about_to_keep: bool) -> str:
        """What the guard finds in the losses since the last look and, before they are kept, in the weights.

        Only what is to be acted on is returned; what is not a number ends the training unless it can go back.
        """
        broken = ""
        if not self.guard.finite:
            broken = "the loss is not a number any more"
        elif about_to_keep and not self.recipe.healthy():
            broken = "a weight is not a number any more"
        if not broken:
            return self._told(self.guard.look_at_losses()) if self.steps % WINDOW_STEPS == 0 else ""
        if self.config.on_divergence != "roll_back":
            raise self._diverged(broken)
        return broken

    def _told(self, said: list[str]) -> str:
        """Warn of what the guard said; return the first of it if it is to be acted on."""
        for message in said:
            self.report.warn(f"after {self.images:,} images {message}; a lower learning rate may help", self.images)
        if said and self.config.on_divergence == "stop":
            raise self._diverged(said[0])
        return said[0] if said and self.config.on_divergence == "roll_back" else ""

    def _roll_back(self, trouble: str) -> bool:
        """If there is trouble in the first process, go back in all of them to the last good state, at half the rate."""
        config, fabric = self.config, self.fabric
        if config.on_divergence != "roll_back":
            return False
        if fabric.world_size > 1:
            trouble = fabric.broadcast(trouble, src=0)
        if not trouble:
            return False
        if len(self.roll_backs) == MOST_ROLL_BACKS:
            raise self._diverged(f"and {MOST_ROLL_BACKS} times of going back {trouble}")
        kept = checkpoints.load(self.run.checkpoints_dir / "good.pt")
        self.roll_backs.append(
            {
                "resumed_at": kept.images,
                "reached": self.images,
                "lr": config.lr * 0.5 ** (len(self.roll_backs) + 1),
                "reason": trouble,
            }
        )
        self.recipe.load_state(slowed(kept.recipe, 0.5 ** (len(self.roll_backs) - len(kept.roll_backs))))
        self.images, self.steps = kept.images, kept.steps
        self.guard.load_state(kept.guard, fabric.device)
        if fabric.is_global_zero:
            # first: a process killed in between still goes on with the new rate
            self._keep("last")
            self.report.rolled_back(self.roll_backs[-1])
        return True

    def _diverged(self, what: str) -> Diverged:
        return Diverged(
            f"after {self.images:,} images {what}; "
            f"start again with a lower learning rate than {self.config.lr:g}; the last good checkpoint is kept"
        )

    def _values(self, normalised: Tensor) -> np.ndarray:
        return self.normalisation.decode(normalised.cpu().numpy()).astype(np.float32)


def _small(images: np.ndarray) -> np.ndarray:
    """Shrink images (n, bands, y, x) for a preview by averaging whole blocks; a long run leaves many of them."""
    count, bands, side = images.shape[:3]
    factor = -(-side // _PREVIEW_PX)
    small = side // factor  # what is left of the last block is cut off
    whole = images[..., : small * factor, : small * factor]
    blocks = whole.reshape(count, bands, small, factor, small, factor)
    return blocks.mean(axis=(3, 5), dtype=np.float32)


def _crossed(before: int, now: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]."""
    return now // every > before // every


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators for the block only."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
