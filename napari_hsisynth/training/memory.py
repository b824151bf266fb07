"""How much memory is free, on a device and on the machine."""

from __future__ import annotations

from pathlib import Path

import psutil
import torch


def free_bytes(device: torch.device | None = None) -> int:
    """Bytes that a device has free now; without one, the machine.

    On the machine, the limit of our control group counts too (Linux): containers and batch systems kill what goes
    beyond it, however much the machine has.
    """
    if device is not None and device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)  # of Apple's GPUs also: they share the machine's memory
    group = _control_group_bytes()
    return free if group is None else min(free, group)


def _control_group_bytes(proc: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What our control groups (version 2) leave us, the least of a group and those above it; None without a limit."""
    try:
        lines = proc.read_text().splitlines()
        inner = next(line.removeprefix("0::").strip("/") for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    left = []
    for folder in (mounted / inner, *(mounted / inner).parents):
        try:
            most = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue  # "max" is no number: no limit here
        left.append(most - used + int(stat.get("inactive_file", 0)))  # the system gives cached files up
    return max(0, min(left)) if left else None
