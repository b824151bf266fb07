"""Choosing where to compute."""

from __future__ import annotations

from typing import Any

import torch

from napari_hsisynth.errors import InputError


def choose_device(name: str) -> str:
    """Return "cpu", "cuda" or "mps": the named device, or for "auto" a CUDA GPU, else Apple's, else the CPU.

    Raises
    ------
    InputError
        If the named device is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there.get(name, False):
        have = ", ".join(device for device, found in there.items() if found)
        raise InputError(f"this machine has no {name} device", where="device", fix=f"use auto or one of: {have}")
    return name


def make_fabric(device: str, precision: str) -> Any:
    """Return Lightning Fabric on one device.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        See `choose_device`.
    precision : {"32", "bf16"}
        Of the network.
    """
    from lightning.fabric import Fabric  # takes seconds to import, which drawing samples need not wait for

    device = choose_device(device)
    if device == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    fabric = Fabric(accelerator=device, devices=1, precision="bf16-mixed" if precision == "bf16" else "32-true")
    fabric.launch()
    return fabric


def describe_device(device: torch.device) -> str:
    """``"cuda: NVIDIA H200"`` or ``"cpu: 2 threads"``."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"cpu: {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
