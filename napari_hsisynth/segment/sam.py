"""Meta's first Segment Anything Model as a segmenter, from its ``.pth`` files or through the transformers library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_hsisynth.composite import check_view
from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.segment.compute_device import choose_device, choose_half
from napari_hsisynth.segment.network import SamNetwork
from napari_hsisynth.segment.promptable import PromptableSegmenter
from napari_hsisynth.segment.weight_files import load_torch_tensors
from napari_hsisynth.segment.weights import OFFICIAL, LocatedWeights, check_weights, locate_weights

#: Channels of the image encoder of the published models, by which they are told apart.
_WIDTHS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
_PUBLISHED = {each.sha256: each.model for each in OFFICIAL if each.sha256}


class SamSegmenter(PromptableSegmenter):
    """SAM on a view of the cube.

    Parameters
    ----------
    model : {"vit_b", "vit_l", "vit_h"}
    view : str
        What it sees, as for `segmenter_view`: ``"mean"``, ``"rgb"``, ``"pca3"`` or ``"band:NM"``.
    weights : path-like, optional
        Meta's ``.pth`` file, a folder with it, or a folder with ``config.json`` and ``model.safetensors``; by default
        what was fetched before. A ``.pth`` file that Meta did not publish is taken as the user's own, and recorded so.
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
    Kirillov et al. (2023), Segment Anything, doi:10.48550/arXiv.2304.02643.
    """

    def __init__(
        self,
        model: str = "vit_b",
        view: str = "mean",
        weights: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        cache: str | Path | bool | None = None,
    ) -> None:
        check_view(view)
        located = locate_weights("sam", model, weights)
        try:
            chosen = choose_device(device)
            half = choose_half(chosen, precision)
            sha256 = check_weights(located)
            load = _with_segment_anything if located.config is None else _with_transformers
            network, width = load(located, chosen, half)
        except ImportError:
            raise MissingExtraError("the segmenter sam", "sam") from None
        kind = _PUBLISHED.get(sha256) or _WIDTHS.get(width, "")
        if kind not in ("", model):
            raise InputError(
                f"these are the weights of {kind}, not of {model}", where=located.path, fix=f"choose model {kind}"
            )
        # a file for transformers has no published hash here; there, the sizes have to do
        is_official = sha256 in _PUBLISHED if located.config is None else bool(kind)
        super().__init__(
            name="sam",
            model=model if is_official else f"{model} (own)",
            view=view,
            network=network,
            weights_sha256=sha256,
            precision="float32" if half is None else str(half).removeprefix("torch."),
            cache=cache,
            notes=() if is_official else (f"{located.path}: not one of Meta's files, taken as your own",),
        )


def _with_segment_anything(located: LocatedWeights, device: Any, half: Any) -> tuple[SamNetwork, int]:
    from napari_hsisynth.segment.segment_anything_network import SegmentAnythingNetwork, build_sam, encoder_width

    tensors = load_torch_tensors(located.path)
    return SegmentAnythingNetwork(build_sam(tensors, device, located.path), half), encoder_width(tensors)


def _with_transformers(located: LocatedWeights, device: Any, half: Any) -> tuple[SamNetwork, int]:
    from napari_hsisynth.segment.transformers_network import TransformersNetwork, load_model

    model = load_model(located.path.parent, "sam", device)
    return TransformersNetwork(model, "sam", half), int(model.config.vision_config.hidden_size)
