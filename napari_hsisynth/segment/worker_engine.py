"""`Engine`: a segmenter with the cube it has taken last, inside the segmenting process."""

from __future__ import annotations

from collections.abc import Callable

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment.prompts import Prompts, Proposals
from napari_hsisynth.segment.registry import Segmenter, load_segmenter
from napari_hsisynth.segment.worker_messages import Choice


class Engine:
    """Loads a segmenter when it is first needed, and hands it each cube only once."""

    def __init__(self) -> None:
        self._choice: Choice | None = None
        self._segmenter: Segmenter | None = None
        self._cube: Cube | None = None

    def answer(self, choice: Choice, cube: Cube, question: Prompts | str | None) -> Proposals | None:
        """Return what the chosen segmenter says of a cube: to prompts, or to "propose"; None only prepares it."""
        if self._segmenter is None or choice != self._choice:
            self._segmenter = self._cube = None  # two models together might not fit into memory
            self._segmenter, self._choice = load_segmenter(choice.name, **choice.options), choice
        if cube is not self._cube:
            self._cube = None  # should the next line fail, the cube before is no longer certain to be there
            self._segmenter.set_cube(cube)
            self._cube = cube
        if question is None:
            return None
        return self._segmenter.predict(question) if isinstance(question, Prompts) else self._segmenter.propose()

    def identity(self) -> dict[str, str]:
        """Backend, model and hash of the weights, for the record; empty before the first answer."""
        segmenter, choice = self._segmenter, self._choice
        if segmenter is None or choice is None:
            return {}
        return {"backend": choice.name, "model": segmenter.model, "weights_sha256": segmenter.weights_sha256}

    @property
    def embed_ahead(self) -> Callable[[Cube], None] | None:
        """What the segmenter has to prepare a cube for later, if it has such a thing and is loaded."""
        return getattr(self._segmenter, "embed_ahead", None)
