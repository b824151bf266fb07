"""`machine`: what the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, system, versions and how busy it was, as JSON types."""
    import psutil

    return {
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "threads": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("numpy", "scipy", "matplotlib", "napari", "PyQt6", "pyqtgraph")},
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def machine_text(found: dict[str, Any]) -> str:
    """Return it in a line or two."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items() if number)
    lines = [
        f"{found['cpu']}, {found['cores']} cores ({found['threads']} threads), {found['memory_gb']:g} GB,"
        f" load {found['load_average']}",
        f"{found['system']}, Python {found['python']}, {versions}",
    ]
    if "training" in found:
        lines.append(found["training"])
    if "qt_platform" in found:
        lines.append(f"Qt {found['qt']} on {found['qt_platform']}, OpenGL by {found['gl_renderer']}")
    return "\n".join(lines)


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
