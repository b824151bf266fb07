"""What all SAM networks can do, however they were built; one file per library makes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.segment.embedding_cache import Embedding
from napari_hsisynth.segment.frame import Frame

_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class FramedPrompts:
    """Prompts in the network's own square.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        (x, y) each.
    labels : tuple of int
        1 inside, 0 outside.
    box : ndarray, shape (4,), optional
        First and last pixel (x, y, x, y).
    low : tensor, shape (low, low), optional
        An earlier answer.
    """

    points: NDArray[np.float32]
    labels: tuple[int, ...]
    box: NDArray[np.float32] | None = None
    low: Any = None

    @property
    def is_ambiguous(self) -> bool:
        """Whether they may mean a part as well as the whole: SAM was trained to give three answers to one click."""
        return len(self.labels) < 2 and self.box is None and self.low is None


class SamNetwork(Protocol):
    """An image encoder, which is slow, and a decoder of prompts, which is not."""

    def frame(self, shape_yx: tuple[int, int]) -> Frame:
        """Return how an image of this shape lies in the network's square."""
        ...

    def embed(self, image: NDArray[np.uint8]) -> Embedding:
        """Run the encoder on an image (y, x, 3). May run in two threads at once."""
        ...

    def ready(self, embedding: Mapping[str, NDArray[np.float16]]) -> Any:
        """Bring an embedding to the device, in the form that `decode` takes."""
        ...

    def decode(self, ready: Any, prompts: FramedPrompts) -> tuple[Any, NDArray[np.float64]]:
        """Return logits, a tensor (k, low, low), and the network's estimates of their IoU (k,), in no order."""
        ...


def to_half(tensor: Any) -> NDArray[np.float16]:
    """Return a tensor as it is kept: half precision, so that a cache holds twice as many.

    What comes fresh from the encoder is rounded as well, so that the same prompts give the same masks later on.
    """
    return tensor.float().clamp(-_LARGEST_HALF, _LARGEST_HALF).cpu().numpy().astype(np.float16)
