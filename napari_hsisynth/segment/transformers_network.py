"""SAM and SAM 2 networks through the transformers library, from a ``config.json`` and a ``model.safetensors``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.embedding_cache import Embedding
from napari_hsisynth.segment.frame import Frame
from napari_hsisynth.segment.network import FramedPrompts, to_half
from napari_hsisynth.segment.weight_files import check_safetensors

_LARGEST_NUMBER = 2**16  # in a configuration: beyond that it is not one of a network
_LARGEST_CONFIG_BYTES = 2**20


class TransformersNetwork:
    """A `SamNetwork` around transformers' ``Sam2Model`` or ``SamModel``.

    Parameters
    ----------
    model : Sam2Model or SamModel
        In evaluation mode, on its device.
    kind : {"sam", "sam2"}
    half : torch.dtype, optional
        In which the encoder computes; float32 without. The decoder always computes in float32: it takes no time, and
        in half precision positions in the image would be rounded to pixels.
    """

    def __init__(self, model: Any, kind: str, half: Any = None) -> None:
        self._model, self._half = model, half
        self._stretches = kind == "sam2"
        of_prompts = model.config.prompt_encoder_config
        self._side_px, self._patch_px = int(of_prompts.image_size), int(of_prompts.patch_size)
        self._processor = self._make_processor()

    def frame(self, shape_yx: tuple[int, int]) -> Frame:
        """Return how an image lies in the square: SAM 2 stretches it, SAM leaves room."""
        make = Frame.stretched if self._stretches else Frame.padded
        return make(shape_yx, self._side_px, self._patch_px)

    def embed(self, image: NDArray[np.uint8]) -> Embedding:
        """Run the encoder on an image (y, x, 3)."""
        import torch
        from PIL import Image

        # as a picture, because of an array the library would have to guess which axis holds the colours
        pixels = self._processor(images=Image.fromarray(image), return_tensors="pt")["pixel_values"]
        device = self._model.device
        with torch.inference_mode(), torch.autocast(device.type, dtype=self._half, enabled=self._half is not None):
            found = self._model.get_image_embeddings(pixels.to(device))
        levels = found if self._stretches else [found]
        return {f"level{number}": to_half(level) for number, level in enumerate(levels)}

    def ready(self, embedding: Mapping[str, NDArray[np.float16]]) -> Any:
        """Bring an embedding to the device."""
        import torch

        levels = [torch.from_numpy(embedding[name]).to(self._model.device).float() for name in sorted(embedding)]
        return levels if self._stretches else levels[0]

    def decode(self, ready: Any, prompts: FramedPrompts) -> tuple[Any, NDArray[np.float64]]:
        """Return three answers to an ambiguous prompt; otherwise also the one that means the whole."""
        import torch

        device = self._model.device
        asked: dict[str, Any] = {}
        if prompts.labels:
            asked["input_points"] = torch.from_numpy(prompts.points).to(device)[None, None]
            asked["input_labels"] = torch.tensor(prompts.labels, device=device)[None, None]
        if prompts.box is not None:
            asked["input_boxes"] = torch.from_numpy(prompts.box).to(device)[None, None]
        if prompts.low is not None:
            asked["input_masks"] = prompts.low.to(device)[None, None]
        answers, scores = [], []
        with torch.inference_mode():
            for several in (True,) if prompts.is_ambiguous else (False, True):
                found = self._model(image_embeddings=ready, multimask_output=several, **asked)
                answers.append(found.pred_masks[0, 0])
                scores.append(found.iou_scores[0, 0])
        return torch.cat(answers), torch.cat(scores).double().cpu().numpy()

    def _make_processor(self) -> Any:
        """Make what brings pictures into the form that the network was trained with."""
        side = self._side_px
        square = {"height": side, "width": side}
        if self._stretches:
            from transformers import Sam2ImageProcessor

            return Sam2ImageProcessor(size=square)
        from transformers import SamImageProcessor

        return SamImageProcessor(size={"longest_edge": side}, pad_size=square)


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a ``config.json``.

    Raises
    ------
    InputError
        If it is not JSON, or not the configuration of a SAM network.
    """
    try:
        if path.stat().st_size > _LARGEST_CONFIG_BYTES:
            raise ValueError("too large")
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
        if max(_numbers_in(config), default=0) > _LARGEST_NUMBER:
            raise ValueError("numbers too large for a network")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"not the configuration of a network ({error})", where=path) from None
    if not isinstance(kind, str) or not kind.startswith("sam"):
        raise InputError(f"of a network of kind '{kind}', not of SAM", where=path)
    return config


def load_model(folder: Path, kind: str, device: Any) -> Any:
    """Load transformers' model from a folder; nothing is fetched or executed.

    Parameters
    ----------
    folder : Path
        With ``config.json`` and ``model.safetensors``.
    kind : {"sam", "sam2"}
    device : torch.device

    Raises
    ------
    InputError
        If the files are damaged, do not belong together, or are of another kind of network.
    """
    tensors = folder / "model.safetensors"
    found_kind = read_config(folder / "config.json")["model_type"]
    if found_kind.removesuffix("_video") != kind:  # SAM 2 is published as the network for videos, which contains it
        raise InputError(f"weights of {found_kind}, not of {kind}", where=folder)
    check_safetensors(tensors)
    import transformers

    of_kind = transformers.Sam2Model if kind == "sam2" else transformers.SamModel
    try:
        with _quiet():
            model, report = of_kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype="float32", output_loading_info=True
            )
    except Exception as error:  # what does not fit together comes up as errors of any kind
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"weights and configuration do not fit together ({lines[0][:160]})", where=folder) from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise InputError(f"{len(missing)} weights are missing, among them {missing[0]}", where=tensors)
    return model.eval().requires_grad_(False).to(device)


def _numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _numbers_in(each)
    elif isinstance(value, int | float):
        yield abs(value)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's bars and remarks off the terminal: what matters is said by us."""
    from transformers.utils import logging

    before, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if had_bars:
            logging.enable_progress_bar()
