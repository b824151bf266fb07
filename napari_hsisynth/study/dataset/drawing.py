"""How cubes were drawn from their generator: most of them plainly, some with other noise or settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

#: Said of cubes that are a plain draw of what their run learned.
PLAIN = "as in the training"


def how_drawn(provenance: Mapping[str, Any]) -> str:
    """Return how a cube was drawn, in words, as its provenance says it."""
    said = []
    if "truncation" in provenance:
        said.append(f"truncation {provenance['truncation']}")
    if "interpolation" in provenance:
        said.append("between the noise of two seeds")
    if "fine_seed" in provenance:
        said.append("fine layers of another seed")
    others = provenance.get("drawn_with")
    said += [f"{name} {value}" for name, value in others.items()] if isinstance(others, Mapping) else []
    return ", ".join(said) or PLAIN


class Draws:
    """Counts of how the cubes of each run were drawn."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, run: str, provenance: Mapping[str, Any]) -> None:
        """Count a cube."""
        self._counts.setdefault(run, Counter())[how_drawn(provenance)] += 1

    def of(self, run: str) -> dict[str, int]:
        """Return how many cubes of a run were drawn in which way."""
        return dict(sorted(self._counts.get(run, Counter()).items()))
