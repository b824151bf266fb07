"""SAM networks with random weights, small enough to load and embed in a moment, in the files that a user has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_hsisynth.cube import Cube

SIDE_PX = 128
CHANNELS = 32
NM = [465.0, 550.0, 630.0]
#: Odd sizes on purpose: neither a multiple of a patch, nor square.
SHAPE = (68, 91)


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory, monkeypatch):
    """Nothing of the user's caches is read or changed."""
    folder = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("HSISYNTH_CACHE", str(folder / "hsisynth"))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))


@pytest.fixture(scope="session")
def lesion() -> np.ndarray:
    y, x = np.indices(SHAPE)
    return (y - 30) ** 2 + (x - 45) ** 2 < 14**2


@pytest.fixture(scope="session")
def cube(lesion) -> Cube:
    noise = np.random.default_rng(0).normal(1, 0.02, (3, *SHAPE))
    return Cube(np.where(lesion, np.array([0.1, 0.15, 0.25])[:, None, None], 0.5) * noise, NM, name="disc")


def outspoken(model):
    """Random weights say nearly nothing; make their answers as large as those of a trained network."""
    import torch

    with torch.no_grad():
        for number, layers in enumerate(model.mask_decoder.output_hypernetworks_mlps):
            for parameter in layers.parameters():
                parameter.normal_(0, 1.5 + 0.2 * number)
        for parameter in model.mask_decoder.iou_prediction_head.parameters():
            parameter.normal_(0, 0.3)
    return model.eval()


@pytest.fixture(scope="session")
def sam2_folder(tmp_path_factory) -> Path:
    """``config.json`` and ``model.safetensors`` of a tiny SAM 2."""
    import torch
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(0)
    cells = SIDE_PX // 16
    config = Sam2Config(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 12,
                "image_size": [SIDE_PX, SIDE_PX],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [12, 24, 48, 96],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "window_size_per_stage": [4, 4, 4, 4],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [96, 48, 24, 12],
            "backbone_feature_sizes": [[4 * cells, 4 * cells], [2 * cells, 2 * cells], [cells, cells]],
            "fpn_hidden_size": CHANNELS,
        },
        prompt_encoder_config={"hidden_size": CHANNELS, "image_size": SIDE_PX},
        mask_decoder_config={"hidden_size": CHANNELS, "mlp_dim": 64, "iou_head_hidden_dim": CHANNELS},
    )
    folder = tmp_path_factory.mktemp("sam2")
    outspoken(Sam2Model(config)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sam_folder(tmp_path_factory) -> Path:
    """``config.json`` and ``model.safetensors`` of a tiny SAM."""
    import torch
    from transformers import SamConfig, SamModel

    torch.manual_seed(0)
    config = SamConfig(
        vision_config={
            "hidden_size": 24,
            "output_channels": CHANNELS,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE_PX,
            "global_attn_indexes": [1],
            "num_pos_feats": CHANNELS // 2,
            "window_size": 4,
            "initializer_range": 0.02,
        },
        prompt_encoder_config={"hidden_size": CHANNELS, "image_size": SIDE_PX},
        mask_decoder_config={"hidden_size": CHANNELS, "mlp_dim": 64, "iou_head_hidden_dim": CHANNELS},
    )
    folder = tmp_path_factory.mktemp("sam")
    outspoken(SamModel(config)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sam_pth(tmp_path_factory) -> Path:
    """A ``.pth`` file of a tiny SAM, as Meta's library saves and reads them."""
    import torch

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("pth") / "own.pth"
    torch.save(outspoken(segment_anything_model()).state_dict(), path)
    return path


def segment_anything_model():
    """A tiny SAM of Meta's library, put together as that library does it."""
    from functools import partial

    import torch
    from segment_anything import modeling

    cells = SIDE_PX // 16
    return modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=2,
            embed_dim=24,
            img_size=SIDE_PX,
            mlp_ratio=4,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=2,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=[1],
            window_size=4,
            out_chans=CHANNELS,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=CHANNELS,
            image_embedding_size=(cells, cells),
            input_image_size=(SIDE_PX, SIDE_PX),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=CHANNELS, mlp_dim=64, num_heads=8),
            transformer_dim=CHANNELS,
            iou_head_depth=3,
            iou_head_hidden_dim=CHANNELS,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    ).eval()


@pytest.fixture(scope="session")
def kinds(sam2_folder, sam_folder, sam_pth) -> dict[str, tuple[str, dict]]:
    """Each way to have a SAM: name and options for `load_segmenter`."""
    return {
        "sam2": ("sam2", {"model": "tiny", "weights": str(sam2_folder)}),
        "sam": ("sam", {"model": "vit_b", "weights": str(sam_folder)}),
        "pth": ("sam", {"model": "vit_b", "weights": str(sam_pth)}),
    }
