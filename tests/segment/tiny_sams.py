"""SAM networks small enough to run in a moment, put together as their library does it."""

from __future__ import annotations

SIDE_PX = 128
CHANNELS = 32


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
