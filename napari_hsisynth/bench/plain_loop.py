"""`PlainLoop`: how generators are usually trained, for comparison: a loader that reads a file for every image shown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.transforms import v2

WORKERS = 2
PLAIN = f"plain eager fp32 loop, TF32 off, loader of {WORKERS} workers that reads the .mat files"


@dataclass(frozen=True)
class Lesion:
    """A lesion in a cube: the ``.mat`` file, and the box of its crop, px, ends exclusive."""

    path: Path
    y0: int
    x0: int
    y1: int
    x1: int


class LesionImages(Dataset[Tensor]):
    """Reads, cuts, normalises, resizes and augments one image at a time, on the CPU.

    Images are brought to their size before they are augmented, which is the cheaper order.

    Parameters
    ----------
    lesions : sequence of Lesion
    size : int
        Side of the images, px.
    mean, std : ndarray, shape (bands,)
        Of the training images.
    augment : bool
        Whether to flip, shift, scale and rotate.
    """

    def __init__(
        self,
        lesions: Sequence[Lesion],
        size: int,
        mean: NDArray[np.float64],
        std: NDArray[np.float64],
        augment: bool,
    ) -> None:
        self.lesions = lesions
        steps: list[Any] = [v2.Normalize(mean.tolist(), std.tolist()), v2.Resize(size), v2.CenterCrop(size)]
        if augment:
            steps += [
                v2.RandomHorizontalFlip(),
                v2.RandomVerticalFlip(),
                v2.RandomAffine(15, (0.05, 0.05), (0.9, 1.1), interpolation=v2.InterpolationMode.BILINEAR),
            ]
        self.transform = v2.Compose(steps)

    def __len__(self) -> int:
        return len(self.lesions)

    def __getitem__(self, number: int) -> Tensor:
        from scipy.io import loadmat

        lesion = self.lesions[number]
        cube = loadmat(lesion.path)["cube"]  # (y, x, bands)
        crop = cube[lesion.y0 : lesion.y1, lesion.x0 : lesion.x1].transpose(2, 0, 1).copy()
        return self.transform(torch.from_numpy(crop))


class PlainLoop:
    """Trains the same networks by the same steps as we do, on images from a loader.

    Parameters
    ----------
    config : ModelConfig
        Settings.
    images : LesionImages
        What to train on.
    bands : int
        Number of spectral bands.
    device : torch.device
        Where to train.
    shown : int
        Images that are shown in a turn, in whole batches; none is read again before all have been.
    """

    def __init__(self, config: Any, images: LesionImages, bands: int, device: torch.device, shown: int) -> None:
        from napari_hsisynth.training.recipes import recipe_for
        from napari_hsisynth.training.single_process import SingleProcess

        self.recipe = recipe_for(config.model)(config, bands, 1)
        self.recipe.setup(SingleProcess(device, "32"))
        self.device = device
        self.loader = DataLoader(
            images,
            batch_size=config.batch_size,
            sampler=RandomSampler(images, num_samples=shown),
            num_workers=WORKERS,
            persistent_workers=True,
            pin_memory=device.type == "cuda",
            drop_last=True,
        )

    def turn(self) -> int:
        """Train for a turn, and return how many images were shown."""
        from napari_hsisynth.training.batch import Batch

        shown = 0
        with _plain_arithmetic():
            for read in self.loader:
                images = read.to(self.device, non_blocking=True)
                masks = torch.ones(len(images), *images.shape[2:], dtype=torch.bool, device=self.device)
                scalars = self.recipe.step(Batch(images, masks, torch.zeros(len(images), dtype=torch.int64)))
                shown += len(images)
            float(scalars["loss"])  # as such loops print it; waits for the device
        return shown

    def close(self) -> None:
        """End the workers."""
        del self.loader


@contextlib.contextmanager
def _plain_arithmetic() -> Iterator[None]:
    """Compute in float32 without TF32, by whatever algorithm cuDNN takes first."""
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.benchmark
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32, cudnn.benchmark = False, False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        cudnn.allow_tf32, cudnn.benchmark = before
