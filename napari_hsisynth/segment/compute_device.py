"""Where a network of a segmenter computes, and how precisely."""

from __future__ import annotations

from typing import Any

from napari_hsisynth.errors import InputError

PRECISIONS = ("auto", "float32", "half")


def choose_device(name: str = "auto") -> Any:
    """Return the torch device of this name; for "auto" a CUDA GPU, else Apple's, else the CPU.

    Raises
    ------
    InputError
        If it is no device, or none that this machine has.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, found in there.items() if found)
    kind, _, number = str(name).partition(":")
    found = there.get(kind, False)
    if found and number:
        found = kind == "cuda" and number.isdecimal() and int(number) < torch.cuda.device_count()
    if not found:
        have = ", ".join(device for device, is_there in there.items() if is_there)
        raise InputError(f"this machine has no device '{name}'", where="device", fix=f"use auto or one of: {have}")
    return torch.device(name)


def choose_half(device: Any, precision: str = "auto") -> Any:
    """Return the torch dtype in which the image encoder computes instead of float32; None where it should not.

    Half precision makes GPUs about twice as fast, and CPUs slower.

    Parameters
    ----------
    device : torch.device
    precision : {"auto", "float32", "half"}

    Raises
    ------
    InputError
        If half precision is asked of a CPU, or there is no such precision.
    """
    import torch

    if precision not in PRECISIONS:
        raise InputError(f"no precision '{precision}'", where="precision", fix=f"use one of: {', '.join(PRECISIONS)}")
    if precision == "float32" or (precision == "auto" and device.type == "cpu"):
        return None
    if device.type == "cpu":
        raise InputError("half precision is slower than float32 on a CPU", where="precision", fix="use auto or float32")
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16  # as wide a range as float32: nothing can overflow
    return torch.float16
