"""Every model family by the name that ``--model`` takes."""

from __future__ import annotations

from typing import Any

from napari_hsisynth.training.config import cyclegan, dcgan, fastgan, flow, rs_imle, shs_gan, spade_fastgan, vae
from napari_hsisynth.training.config.shared import ModelConfig

#: The configuration of each.
MODELS: dict[str, type[ModelConfig]] = {
    "vae": vae.VAEConfig,
    "dcgan": dcgan.DCGANConfig,
    "fastgan": fastgan.FastGANConfig,
    "rs-imle": rs_imle.RSIMLEConfig,
    "shs-gan": shs_gan.SHSGANConfig,
    "cyclegan": cyclegan.CycleGANConfig,
    "spade-fastgan": spade_fastgan.SPADEFastGANConfig,
    "flow": flow.FlowConfig,
}

#: Named starting points of each, as changes of the defaults.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "vae": vae.PRESETS,
    "dcgan": dcgan.PRESETS,
    "fastgan": fastgan.PRESETS,
    "rs-imle": rs_imle.PRESETS,
    "shs-gan": shs_gan.PRESETS,
    "cyclegan": cyclegan.PRESETS,
    "spade-fastgan": spade_fastgan.PRESETS,
    "flow": flow.PRESETS,
}
