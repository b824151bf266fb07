"""Choosing where to compute."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.single_process import SingleProcess


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


def make_fabric(device: str, precision: str, *, devices: int = 1, num_nodes: int = 1) -> Any:
    """Return Lightning Fabric, launched: with several processes, each of them returns from here.

    A single process gets a `SingleProcess`, which offers the same.

    Under torchrun the processes are there already; otherwise Fabric starts those of this machine by running the same
    command again.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        See `choose_device`.
    precision : {"auto", "32", "tf32", "bf16"}
        Of the networks: "32" is 32 bits throughout; "tf32" lets a GPU round the factors of products to 11 bits; "bf16"
        computes the forwards in bfloat16 as well; "auto" is bf16 on a GPU that has it, else 32. There is no fp16: it
        needs scaled losses, which a gradient penalty does not survive, and GPUs without bf16 gain little by it.
    devices, num_nodes : int
        Processes on each machine, and machines.

    Raises
    ------
    InputError
        If the device is not there, or there are not so many of it.
    """
    device = choose_device(device)
    if precision == "auto":
        has_bf16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if has_bf16 else "32"
    if device == "cuda":
        if devices > torch.cuda.device_count():
            raise InputError(
                f"{devices} GPUs are more than the {torch.cuda.device_count()} of this machine", where="devices"
            )
        torch.set_float32_matmul_precision("highest" if precision == "32" else "high")
        torch.backends.cudnn.allow_tf32 = precision != "32"
        torch.backends.cudnn.benchmark = True
    elif device == "mps" and devices * num_nodes > 1:
        raise InputError("Apple's GPUs cannot train together", where="devices", fix="use 1")
    if devices * num_nodes == 1:
        return SingleProcess(torch.device(device, 0) if device == "cuda" else torch.device(device), precision)
    from lightning.fabric import Fabric  # takes seconds to import, which a single process need not wait for

    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # not a banner from every process
    fabric = Fabric(
        accelerator=device,
        devices=devices,
        num_nodes=num_nodes,
        strategy="ddp",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    fabric.launch()
    return fabric


def compute_as_for_sampling() -> None:
    """Let torch compute as it does by itself, after `make_fabric`: cubes do not depend on what ran before them.

    Searching for the fastest convolution anew in each process, as training does, would make a cube depend on which of
    the processes draws it.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network of 2-D convolutions to a device, channels innermost where that makes them faster."""
    network.to(device)
    if device.type != "mps":
        network.to(memory_format=torch.channels_last)


def is_first_process() -> bool:
    """Whether this process speaks for all that train together; true for one that trains alone."""
    return not (torch.distributed.is_available() and torch.distributed.is_initialized()) or (
        torch.distributed.get_rank() == 0
    )


def describe_device(device: torch.device, processes: int = 1) -> str:
    """``"cuda: NVIDIA H200"``, ``"cpu: 2 threads"`` or ``"4 x cuda: NVIDIA H200"``."""
    if device.type == "cuda":
        name = f"cuda: {torch.cuda.get_device_name(device)}"
    else:
        name = f"cpu: {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
    return name if processes == 1 else f"{processes} x {name}"
