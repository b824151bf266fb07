"""`Frame`: from the pixels of a cube to the square image that a SAM network works on, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Logits of SAM networks are kept within this range, as they were in training.
LOGIT_LIMIT = 32.0
_MASK_LOGIT = 10.0  # what SAM networks say of pixels they are sure of
_PATCHES_PER_LOW_PX = 4  # a SAM network answers with 4 x 4 pixels per patch


@dataclass(frozen=True)
class Frame:
    """Where the image of a cube lies in a network's square input.

    SAM 2 stretches the image over the whole square; SAM 1 scales it by one factor and leaves the rest empty.

    Parameters
    ----------
    shape_yx : tuple of int
        Of the cube, px.
    side_px : int
        Of the square.
    patch_px : int
        Of the square's patches; answers have 4 x 4 pixels per patch.
    used_yx : tuple of int
        Part of the square that the image fills, from its upper left corner, px.
    """

    shape_yx: tuple[int, int]
    side_px: int
    patch_px: int
    used_yx: tuple[int, int]

    @classmethod
    def stretched(cls, shape_yx: tuple[int, int], side_px: int, patch_px: int) -> Frame:
        """Return the frame of an image that is stretched to the square."""
        return cls(shape_yx, side_px, patch_px, (side_px, side_px))

    @classmethod
    def padded(cls, shape_yx: tuple[int, int], side_px: int, patch_px: int) -> Frame:
        """Return the frame of an image whose longer side is scaled to the square's."""
        scale = side_px / max(shape_yx)
        return cls(shape_yx, side_px, patch_px, (int(shape_yx[0] * scale + 0.5), int(shape_yx[1] * scale + 0.5)))

    @property
    def low_px(self) -> int:
        """Side of the network's answer."""
        return _PATCHES_PER_LOW_PX * self.side_px // self.patch_px

    @property
    def cell_px(self) -> float:
        """Size of a pixel of the answer in pixels of the cube."""
        return max(self.side_px / self.low_px / scale for scale in self._scale_yx)

    @property
    def _scale_yx(self) -> tuple[float, float]:
        return self.used_yx[0] / self.shape_yx[0], self.used_yx[1] / self.shape_yx[1]

    def points(self, pixels: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
        """Return the centres of pixels (y, x) as the network's (x, y), shape (n, 2).

        Networks count from the centre of their first pixel, as we do.
        """
        y, x = np.asarray(pixels, np.float32).reshape(-1, 2).T
        along_y, along_x = self._scale_yx
        return np.stack([(x + 0.5) * along_x - 0.5, (y + 0.5) * along_y - 0.5], axis=1).astype(np.float32)

    def box(self, box: tuple[int, int, int, int]) -> NDArray[np.float32]:
        """Return a box (y0, x0, y1, x1), ends exclusive, as the network's first and last pixel (x, y, x, y)."""
        y0, x0, y1, x1 = box
        along_y, along_x = self._scale_yx
        return np.array([x0 * along_x, y0 * along_y, x1 * along_x - 1, y1 * along_y - 1], np.float32)

    def to_pixels(self, answer: Any) -> NDArray[np.float32]:
        """Bring the network's answers, a tensor (k, low, low), to the pixels of the cube: (k, y, x)."""
        from torch.nn.functional import interpolate

        answer = answer.float()[None]
        if self.used_yx != (self.side_px, self.side_px):
            whole = interpolate(answer, (self.side_px, self.side_px), mode="bilinear", align_corners=False)
            answer = whole[..., : self.used_yx[0], : self.used_yx[1]]
        answer = interpolate(answer, self.shape_yx, mode="bilinear", align_corners=False)[0]
        return answer.clamp(-LOGIT_LIMIT, LOGIT_LIMIT).cpu().numpy()

    def to_low(self, logits: NDArray[np.float32]) -> Any:
        """Bring logits (y, x) to the frame of the answers, to be handed to the network: a tensor (low, low).

        A mask, or another segmenter's logits, all within -1..1, is scaled to what the network itself would say.
        """
        import torch
        from torch.nn.functional import interpolate

        factor = _MASK_LOGIT if np.abs(logits).max(initial=0) <= 1 else 1.0
        height, width = self.shape_yx
        if self.used_yx != (self.side_px, self.side_px):
            square = np.full((max(height, width),) * 2, -_MASK_LOGIT, np.float32)
            square[:height, :width] = factor * logits
        else:
            square = factor * logits
        low = (self.low_px, self.low_px)
        tensor = torch.from_numpy(square)[None, None]
        return interpolate(tensor, low, mode="bilinear", align_corners=False, antialias=True)[0, 0]
