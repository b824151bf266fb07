"""SAM 2.1 of Meta as a segmenter, through the transformers library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_hsisynth.composite import check_view
from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.segment.compute_device import choose_device, choose_half
from napari_hsisynth.segment.promptable import PromptableSegmenter
from napari_hsisynth.segment.weights import check_weights, locate_weights

#: Channels of the first stage and blocks per stage of the published models, by which they are told apart.
_STAGES = {
    "tiny": (96, [1, 2, 7, 2]),
    "small": (96, [1, 2, 11, 2]),
    "base-plus": (112, [2, 3, 16, 3]),
    "large": (144, [2, 6, 36, 4]),
}


class Sam2Segmenter(PromptableSegmenter):
    """SAM 2.1 on a view of the cube.

    Parameters
    ----------
    model : {"tiny", "small", "base-plus", "large"}
    view : str
        What it sees, as for `segmenter_view`: ``"mean"``, ``"rgb"``, ``"pca3"`` or ``"band:NM"``.
    weights : path-like, optional
        Folder with ``config.json`` and ``model.safetensors``, by default what was fetched before.
    device : str
        ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.
    precision : {"auto", "float32", "half"}
        Of the image encoder; auto is half precision on a GPU.
    cache : path-like or False, optional
        Folder of the embeddings; False keeps none.

    Raises
    ------
    InputError
        If the weights are not on this machine, damaged, or of something else; says what to do. Nothing is fetched.

    References
    ----------
    Ravi et al. (2024), SAM 2: Segment Anything in Images and Videos, doi:10.48550/arXiv.2408.00714.
    """

    def __init__(
        self,
        model: str = "tiny",
        view: str = "mean",
        weights: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        cache: str | Path | bool | None = None,
    ) -> None:
        check_view(view)
        located = locate_weights("sam2", model, weights)
        assert located.config is not None
        try:
            from napari_hsisynth.segment.transformers_network import TransformersNetwork, load_model, read_config

            chosen = choose_device(device)
            half = choose_half(chosen, precision)
            kind = _model_of(read_config(located.config))
            if kind not in ("", model):
                raise InputError(
                    f"these are the weights of {kind}, not of {model}", where=located.path, fix=f"choose model {kind}"
                )
            sha256 = check_weights(located)
            network = TransformersNetwork(load_model(located.path.parent, "sam2", chosen), "sam2", half)
        except ImportError:
            raise MissingExtraError("the segmenter sam2", "sam") from None
        super().__init__(
            name="sam2",
            model=model if kind else f"{model} (own)",
            view=view,
            network=network,
            weights_sha256=sha256,
            precision="float32" if half is None else str(half).removeprefix("torch."),
            cache=cache,
            notes=() if kind else (f"{located.path}: none of the published SAM 2.1 models, taken as your own",),
        )


def _model_of(config: dict[str, Any]) -> str:
    """Return which published model a configuration is of; empty for none of them."""
    try:
        # the library leaves out what it takes for granted, which is the tiny model
        backbone = (config.get("vision_config") or {}).get("backbone_config") or {}
        stages = (
            backbone.get("hidden_size", _STAGES["tiny"][0]),
            list(backbone.get("blocks_per_stage") or _STAGES["tiny"][1]),
        )
    except (TypeError, AttributeError):
        return ""
    return next((model for model, theirs in _STAGES.items() if theirs == stages), "")
