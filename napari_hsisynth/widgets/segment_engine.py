"""`SegmentEngine`: a segmenter with the cube it has taken last; called from the segmenting thread only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment import Prompts, Proposals, Segmenter, load_segmenter
from napari_hsisynth.widgets.layers import in_memory


class SegmentEngine:
    """Loads a segmenter when it is first needed, and hands it each cube only once.

    Parameters
    ----------
    name : str
    options : mapping of JSON types, optional
        As for `load_segmenter`.
    """

    def __init__(self, name: str, options: Mapping[str, Any] | None = None) -> None:
        self.name, self.options = name, dict(options or {})
        self._segmenter: Segmenter | None = None
        self._cube: Cube | None = None

    def answer(self, cube: Cube, prompts: Prompts | str | None) -> Proposals | None:
        """Return what the segmenter says of a cube: to prompts, or to "propose"; None only prepares it."""
        if self._segmenter is None:
            self._segmenter = load_segmenter(self.name, **self.options)
        if cube is not self._cube:
            self._cube = None  # should the next line fail, the cube before is no longer certain to be there
            self._segmenter.set_cube(in_memory(cube))
            self._cube = cube
        if prompts is None:
            return None
        return self._segmenter.predict(prompts) if isinstance(prompts, Prompts) else self._segmenter.propose()

    def identity(self) -> dict[str, str]:
        """Backend, model and hash of the weights, for the record; known once it has answered."""
        segmenter = self._segmenter
        if segmenter is None:
            return {"backend": self.name}
        return {"backend": self.name, "model": segmenter.model, "weights_sha256": segmenter.weights_sha256}
