"""The settings of every model family: one declaration makes the YAML, the command-line flags and the form in the dock.

Every field has bounds, a unit (``json_schema_extra={"unit": ...}``) and a one-line description. One file per family;
loads no torch.
"""

from napari_hsisynth.training.config.cyclegan import CycleGANConfig
from napari_hsisynth.training.config.data_summary import DataSummary, data_summary
from napari_hsisynth.training.config.dcgan import DCGANConfig
from napari_hsisynth.training.config.families import MODELS, PRESETS
from napari_hsisynth.training.config.fastgan import FastGANConfig
from napari_hsisynth.training.config.flow import FlowConfig
from napari_hsisynth.training.config.parsing import check_bands, describe_allowed, parse, redrawn
from napari_hsisynth.training.config.rs_imle import RSIMLEConfig
from napari_hsisynth.training.config.shared import ModelConfig
from napari_hsisynth.training.config.shs_gan import SHSGANConfig
from napari_hsisynth.training.config.spade_fastgan import SPADEFastGANConfig
from napari_hsisynth.training.config.vae import VAEConfig

__all__ = [
    "MODELS",
    "PRESETS",
    "CycleGANConfig",
    "DCGANConfig",
    "DataSummary",
    "FastGANConfig",
    "FlowConfig",
    "ModelConfig",
    "RSIMLEConfig",
    "SHSGANConfig",
    "SPADEFastGANConfig",
    "VAEConfig",
    "check_bands",
    "data_summary",
    "describe_allowed",
    "parse",
    "redrawn",
]
