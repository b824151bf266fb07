"""SAM networks through Meta's segment-anything library, from a ``.pth`` file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.embedding_cache import Embedding
from napari_hsisynth.segment.frame import Frame
from napari_hsisynth.segment.network import FramedPrompts, to_half

# what all published models share and the shapes of their weights do not tell
_DECODER_HEADS = 8
_DECODER_DEPTH = 2
_MEAN = (123.675, 116.28, 103.53)  # of the photographs it was trained on, red, green, blue, 0..255
_DEVIATION = (58.395, 57.12, 57.375)


class SegmentAnythingNetwork:
    """A `SamNetwork` around segment-anything's ``Sam``.

    Parameters
    ----------
    sam : segment_anything.modeling.Sam
        In evaluation mode, on its device.
    half : torch.dtype, optional
        In which the encoder computes; float32 without.
    """

    def __init__(self, sam: Any, half: Any = None) -> None:
        self._sam, self._half = sam, half
        self._side_px = int(sam.image_encoder.img_size)
        self._patch_px = self._side_px // int(sam.prompt_encoder.image_embedding_size[0])

    def frame(self, shape_yx: tuple[int, int]) -> Frame:
        """Return how an image lies in the square: in its upper left corner, the rest is empty."""
        return Frame.padded(shape_yx, self._side_px, self._patch_px)

    def embed(self, image: NDArray[np.uint8]) -> Embedding:
        """Run the encoder on an image (y, x, 3)."""
        import torch
        from PIL import Image

        height, width = self.frame(image.shape[:2]).used_yx
        scaled = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        pixels = torch.from_numpy(scaled).permute(2, 0, 1)[None].float().to(self._sam.device)
        device = self._sam.device
        with torch.inference_mode(), torch.autocast(device.type, dtype=self._half, enabled=self._half is not None):
            return {"level0": to_half(self._sam.image_encoder(self._sam.preprocess(pixels)))}

    def ready(self, embedding: Mapping[str, NDArray[np.float16]]) -> Any:
        """Bring an embedding to the device."""
        import torch

        return torch.from_numpy(embedding["level0"]).to(self._sam.device).float()

    def decode(self, ready: Any, prompts: FramedPrompts) -> tuple[Any, NDArray[np.float64]]:
        """Return three answers to an ambiguous prompt; otherwise also the one that means the whole."""
        import torch

        sam, device = self._sam, self._sam.device
        points = box = low = None
        if prompts.labels:
            points = (torch.from_numpy(prompts.points).to(device)[None], torch.tensor([prompts.labels], device=device))
        if prompts.box is not None:
            box = torch.from_numpy(prompts.box).to(device)[None]
        if prompts.low is not None:
            low = prompts.low.to(device)[None, None]
        with torch.inference_mode():
            sparse, dense = sam.prompt_encoder(points=points, boxes=box, masks=low)
            answers, scores = sam.mask_decoder.predict_masks(
                image_embeddings=ready,
                image_pe=sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
            )
        first = 1 if prompts.is_ambiguous else 0  # the first one means the whole
        return answers[0, first:], scores[0, first:].double().cpu().numpy()


def build_sam(tensors: dict[str, Any], device: Any, where: Path) -> Any:
    """Build the network that these weights are of; its sizes are told by their shapes.

    Parameters
    ----------
    tensors : dict of str to tensor
        As in a ``.pth`` file.
    device : torch.device
    where : Path
        For messages.

    Raises
    ------
    InputError
        If they are not the weights of a SAM network.
    """
    import torch
    from segment_anything import modeling

    try:
        with torch.device("meta"):  # no time and memory for numbers that are replaced at once
            sam = _shaped_like(tensors, modeling)
        sam.pixel_mean = torch.tensor(_MEAN).view(-1, 1, 1)
        sam.pixel_std = torch.tensor(_DEVIATION).view(-1, 1, 1)
        sam.load_state_dict(tensors, assign=True)
    except Exception as error:  # of wrong shapes anything can come up
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"not the weights of a SAM network ({line[:160]})", where=where) from None
    return sam.eval().requires_grad_(False).float().to(device)


def encoder_width(tensors: Mapping[str, Any]) -> int:
    """Return the number of channels of the image encoder, by which the published models differ; 0 if there is none."""
    position = tensors.get("image_encoder.pos_embed")
    return int(position.shape[-1]) if position is not None and position.ndim == 4 else 0


def _shaped_like(tensors: Mapping[str, Any], modeling: Any) -> Any:
    import torch

    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    _, cells, _, width = shapes["image_encoder.pos_embed"]
    patch_px = shapes["image_encoder.patch_embed.proj.weight"][-1]
    channels = shapes["image_encoder.neck.0.weight"][0]
    depth = 1 + max(int(name.split(".")[2]) for name in shapes if name.startswith("image_encoder.blocks."))
    reach = [shapes[f"image_encoder.blocks.{block}.attn.rel_pos_h"] for block in range(depth)]
    window = min(length for length, _ in reach) // 2 + 1
    side_px = cells * patch_px
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=depth,
            embed_dim=width,
            img_size=side_px,
            mlp_ratio=shapes["image_encoder.blocks.0.mlp.lin1.weight"][0] / width,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=width // reach[0][1],
            patch_size=patch_px,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=[block for block, (length, _) in enumerate(reach) if length == 2 * cells - 1],
            window_size=window,
            out_chans=channels,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=channels,
            image_embedding_size=(cells, cells),
            input_image_size=(side_px, side_px),
            mask_in_chans=shapes["prompt_encoder.mask_downscaling.6.weight"][1],
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=shapes["mask_decoder.mask_tokens.weight"][0] - 1,
            transformer=modeling.TwoWayTransformer(
                depth=_DECODER_DEPTH,
                embedding_dim=channels,
                mlp_dim=shapes["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0],
                num_heads=_DECODER_HEADS,
            ),
            transformer_dim=channels,
            iou_head_depth=3,
            iou_head_hidden_dim=shapes["mask_decoder.iou_prediction_head.layers.0.weight"][0],
        ),
    )
