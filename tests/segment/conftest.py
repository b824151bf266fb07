"""SAM networks with random weights, small enough to load and embed in a moment, in the files that a user has."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from tiny_sams import CHANNELS, SIDE_PX, outspoken, segment_anything_model
from weights_server import Server

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment import fetching

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


@pytest.fixture(scope="session")
def kinds(sam2_folder, sam_folder, sam_pth) -> dict[str, tuple[str, dict]]:
    """Each way to have a SAM: name and options for `load_segmenter`."""
    return {
        "sam2": ("sam2", {"model": "tiny", "weights": str(sam2_folder)}),
        "sam": ("sam", {"model": "vit_b", "weights": str(sam_folder)}),
        "pth": ("sam", {"model": "vit_b", "weights": str(sam_pth)}),
    }


@pytest.fixture
def server(monkeypatch):
    """A server on this machine, and no pauses before another attempt to reach it."""
    monkeypatch.setattr(fetching, "_PAUSE_S", 0.001)
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
