"""Which devices there are to train on, without importing torch into napari's process."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """A choice of the configuration's field `device`, and how it is called for eyes."""

    name: str
    label: str


def parse_nvidia_smi(text: str) -> list[tuple[str, float]]:
    """Read ``nvidia-smi --query-gpu=name,memory.free --format=csv,noheader,nounits``: names and free memory, GB."""
    found = []
    for line in text.splitlines():
        name, _, free = line.rpartition(",")
        try:
            found.append((name.strip(), float(free) * 2**20 / 1e9))
        except ValueError:  # "[N/A]" on some boards
            if name:
                found.append((name.strip(), 0.0))
    return found


def list_devices(names: tuple[str, ...]) -> list[Device]:
    """Return those of `names` that this machine has; may take a second, so call it off the GUI thread.

    Parameters
    ----------
    names : tuple of str
        What the configuration allows, such as ``("auto", "cpu", "cuda", "mps")``.

    Returns
    -------
    list of Device
        Always with "auto" and "cpu"; "cuda" with the first GPU's name and free memory.
    """
    found = []
    for name in names:
        if name == "cuda":
            gpus = _gpus()
            if gpus:
                gpu, free_gb = gpus[0]
                found.append(Device(name, f"cuda · {gpu} · {free_gb:.0f} GB free" if free_gb else f"cuda · {gpu}"))
        elif name == "mps":
            if platform.system() == "Darwin" and platform.machine() == "arm64":
                found.append(Device(name, "mps · Apple GPU"))
        else:
            found.append(Device(name, {"auto": "auto · the fastest there is"}.get(name, name)))
    return found


def _gpus() -> list[tuple[str, float]]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    words = [command, "--query-gpu=name,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_nvidia_smi(done.stdout) if done.returncode == 0 else []
