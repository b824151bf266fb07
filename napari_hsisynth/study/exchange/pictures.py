"""Pictures beside the annotations, for tools that cannot open a cube."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, (y, x) or (y, x, 3), as PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(picture)).save(path, format="PNG")
