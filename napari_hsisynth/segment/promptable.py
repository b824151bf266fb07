"""`PromptableSegmenter`: a SAM network as a segmenter of cubes; what `sam` and `sam2` have in common."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.composite import check_view, segmenter_view
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.embedding_cache import Embedding, EmbeddingCache, cube_digest
from napari_hsisynth.segment.frame import LOGIT_LIMIT, Frame
from napari_hsisynth.segment.network import FramedPrompts, SamNetwork
from napari_hsisynth.segment.obeying import obeying
from napari_hsisynth.segment.overlaps import overlap
from napari_hsisynth.segment.prompts import Prompts, Proposals
from napari_hsisynth.segment.spectral import SpectralSegmenter

_CANDIDATES = 3
_SAME = 0.95  # IoU from which two candidates are one
_ROOM = 0.1  # that a box of `propose` leaves around what the spectral segmenter found, of its size
_SPOT_CELLS = 1.5  # around a click that the network did not obey
_FORMAT = 1  # of the embeddings; another number makes old files unused
_UNKNOWN_SCORE = 0.5  # of a mask that no network has looked at


class PromptableSegmenter:
    """Shows a view of the cube to a network trained on photographs, and passes prompts on to it.

    The slow part, the embedding of the view, is made once per cube and kept on disk. Every mask obeys the prompts: it
    holds all inside clicks and no outside click, and stays inside the box.

    Parameters
    ----------
    name : str
        As in `load_segmenter`.
    model : str
        Which variant.
    view : str
        What the network sees, as for `segmenter_view`; part of the attribute `model`, which goes into the annotation.
    network : SamNetwork
    weights_sha256 : str
        Of the file of weights, hex.
    precision : str
        In which the encoder computes, for example ``"float32"``.
    cache : path-like or False, optional
        Folder of the embeddings; by default in the user's cache folder. False keeps none.
    notes : sequence of str
        What the user should know of the weights.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str,
        view: str,
        network: SamNetwork,
        weights_sha256: str,
        precision: str,
        cache: str | Path | bool | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        check_view(view)
        self.name, self.view = name, view
        self.model = f"{model} · {view}"
        self.weights_sha256 = weights_sha256
        self.notes = tuple(notes)
        self._network = network
        self._precision = precision
        self._cache = None if cache is False else EmbeddingCache(None if cache is True else cache)
        self._cube: Cube | None = None
        self._frame: Frame | None = None
        self._ready: Any = None
        self._boxes: list[tuple[int, int, int, int]] | None = None
        self._guard = threading.Lock()
        self._under_way: dict[str, threading.Lock] = {}

    def set_cube(self, cube: Cube) -> None:
        """Take a cube; its embedding comes from the cache, or takes from a tenth of a second to half a minute.

        Raises
        ------
        InputError
            If the cube has no such view. The cube before then stays.
        """
        cube = cube.loaded()
        ready = self._network.ready(self._embedding(cube))
        self._cube, self._ready, self._boxes = cube, ready, None
        self._frame = self._network.frame(cube.shape_yx)

    def embed_ahead(self, cube: Cube) -> None:
        """Put the embedding of a cube into the cache; the present cube stays. May run in a second thread.

        Raises
        ------
        InputError
            If the cube has no such view.
        """
        if self._cache is not None:
            self._embedding(cube.loaded())

    def predict(self, prompts: Prompts) -> Proposals:
        """Return up to three masks for one lesion, best first by the network's own estimate.

        Earlier logits without any other prompt are returned as they are: there is nothing to change about them. With
        only outside clicks, it is what `propose` finds, less what was clicked away.

        Raises
        ------
        InputError
            If prompts are outside the image, or there is no cube yet.
        """
        frame = self._present()
        prompts.check_inside(frame.shape_yx)
        if prompts.of(1) or prompts.box is not None or (prompts.points and prompts.logits is not None):
            logits, scores = self._ask(prompts, frame)
        elif prompts.logits is not None:
            logits, scores = prompts.logits[None], np.array([_UNKNOWN_SCORE])
        else:
            proposed = self.propose()
            assert proposed.logits is not None
            logits, scores = proposed.logits, proposed.scores
        return self._best(logits, scores, prompts, frame)

    def propose(self) -> Proposals:
        """Return one disjoint mask per lesion that stands out by itself, best first.

        SAM finds things, not lesions: its masks of a grid of points would be hairs, rulers and the vignette. So the
        built-in spectral segmenter says by all bands where lesions are, and the network outlines what is in these
        boxes.
        """
        frame = self._present()
        found = [self.predict(Prompts(box=box)) for box in self._lesion_boxes()]
        best = [(answer.scores[0], answer.logits[0]) for answer in found if len(answer) and answer.logits is not None]
        if not best:
            return Proposals.none(frame.shape_yx)
        best.sort(key=_score_of, reverse=True)
        logits = np.array([each for _, each in best])
        # where boxes overlap, each pixel goes to the lesion that is surer of it
        masks = (logits > 0) & (logits.argmax(axis=0) == np.arange(len(logits))[:, None, None])
        kept = masks.any(axis=(1, 2))
        return Proposals(masks[kept], np.array([score for score, _ in best])[kept], logits[kept])

    def _present(self) -> Frame:
        if self._frame is None:
            raise InputError("the segmenter has no cube yet", fix="call set_cube(cube) first")
        return self._frame

    def _embedding(self, cube: Cube) -> Embedding:
        made_from = {
            "format": _FORMAT,
            "cube": cube_digest(cube),
            "view": self.view,
            "segmenter": self.name,
            "model": self.model,
            "weights": self.weights_sha256,
            "frame": str(self._network.frame(cube.shape_yx)),
            "precision": self._precision,
        }
        key = str(made_from["cube"])
        with self._guard:
            turn = self._under_way.setdefault(key, threading.Lock())
        try:
            with turn:  # the other thread may be at this very cube: then its embedding is here soonest
                found = self._cache.get(made_from) if self._cache is not None else None
                if found is None:
                    found = self._network.embed(segmenter_view(cube, self.view))
                    if self._cache is not None:
                        self._cache.put(made_from, found)
                return found
        finally:
            with self._guard:
                self._under_way.pop(key, None)

    def _ask(self, prompts: Prompts, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        framed = FramedPrompts(
            frame.points([pixel for pixel, _ in prompts.clicks]),
            tuple(prompts.labels),
            None if prompts.box is None else frame.box(prompts.box),
            None if prompts.logits is None else frame.to_low(prompts.logits),
        )
        answer, scores = self._network.decode(self._ready, framed)
        return frame.to_pixels(answer), np.clip(scores, 0, 1)

    def _best(
        self, logits: NDArray[np.float32], scores: NDArray[np.float64], prompts: Prompts, frame: Frame
    ) -> Proposals:
        """Hold answers to the prompts, and keep the best ones that differ."""
        kept: list[tuple[NDArray[np.float32], float]] = []
        for number in np.argsort(-scores, kind="stable"):
            held = obeying(np.clip(logits[number], -LOGIT_LIMIT, LOGIT_LIMIT), prompts, _SPOT_CELLS * frame.cell_px)
            if (held > 0).any() and not any(overlap(held > 0, other > 0) > _SAME for other, _ in kept):
                kept.append((held, float(scores[number])))
            if len(kept) == _CANDIDATES:
                break
        if not kept:
            return Proposals.none(frame.shape_yx)
        found = np.array([held for held, _ in kept])
        return Proposals(found > 0, np.array([score for _, score in kept]), found)

    def _lesion_boxes(self) -> list[tuple[int, int, int, int]]:
        """Boxes of what the spectral segmenter proposes in the present cube, with some room around."""
        if self._boxes is None:
            assert self._cube is not None
            spectral = SpectralSegmenter()
            spectral.set_cube(self._cube)
            self._boxes = [_roomy_box(mask) for mask in spectral.propose().masks]
        return self._boxes


def _score_of(found: tuple[float, Any]) -> float:
    return found[0]


def _roomy_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    ends = []
    for axis, side in enumerate(mask.shape):
        inside = np.flatnonzero(mask.any(axis=1 - axis))
        room = int(np.ceil(_ROOM * (inside[-1] + 1 - inside[0]) / 2))
        ends.append((max(0, int(inside[0]) - room), min(side, int(inside[-1]) + 1 + room)))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]
