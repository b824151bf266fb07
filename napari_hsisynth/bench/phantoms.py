"""``bench phantoms``: do the simulated lesions keep what they promise, and how fast are they made?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_hsisynth.bench.machine import machine, machine_text


@dataclass(frozen=True)
class PhantomReport:
    """Figures of `optics.quality` and what they were measured on."""

    machine: dict[str, Any]
    quality: dict[str, Any]
    speed: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"bench": "phantoms", "machine": self.machine, "quality": self.quality, "speed": self.speed}

    def text(self) -> str:
        """Return what matters of it in a few lines."""
        quality, speed = self.quality, self.speed
        low, high = quality["auc_wanted"]
        lines = [machine_text(self.machine), ""]
        for sensor, area in quality["auc"].items():
            mark = "✔" if low <= area <= high else "✖ missed:"
            lines.append(f"linear classifier on mean lesion spectra, {sensor}: AUC {area:.3f}  {mark} {low:g}-{high:g}")
        rows = quality["means"]
        within, worst = sum(row["within"] for row in rows), max(rows, key=lambda row: abs(row["off"]))
        mark = "✔" if within == len(rows) else "✖ missed:"
        lines.append(
            f"class means within the published mean ± std: {within} of {len(rows)} bands  {mark} all; the farthest is"
            f" {worst['class'].replace('_', ' ')} at {worst['wavelength_nm']:g} nm, {worst['off']:+.2f} std"
        )
        shares = ", ".join(f"{name.replace('_', ' ')} {share:.3g}" for name, share in quality["shares"].items())
        lines += [f"shares: {shares}", ""]
        for name, rate in speed["cubes_per_cpu_s"].items():
            if name != "baseline":
                lines.append(f"{name}: {rate:.3g} cubes per second of one core, {speed['times_baseline'][name]:.3g} x")
        lines.append(f"    beside {speed['cubes_per_cpu_s']['baseline']:.3g}: {speed['baseline']}")
        return "\n".join(lines)


def bench_phantoms(size_name: str, progress: Callable[[int, int], None] | None = None) -> PhantomReport:
    """Measure phantoms.

    Parameters
    ----------
    size_name : {"full", "quick", "small"}
        How many, and how long.
    progress : callable, optional
        Called with phantoms done and in all.
    """
    from napari_hsisynth.optics.quality import phantom_figures, phantom_speed

    per_class, seconds, shape = {
        "full": (200, 3.0, (256, 512)),
        "quick": (60, 1.0, (256, 512)),
        "small": (10, 0.05, (32, 48)),
    }[size_name]
    quality = phantom_figures(per_class, progress=progress)
    return PhantomReport(machine(), quality, phantom_speed(shape, seconds))
