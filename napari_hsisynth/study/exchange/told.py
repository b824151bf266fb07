"""Notes of a long import or export: what holds for many cubes is said once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial


class Told:
    """Collects sentences, and of which cubes they were said."""

    def __init__(self) -> None:
        self._of: dict[str, list[str]] = defaultdict(list)

    def of(self, cube_id: str) -> Callable[[str], None]:
        """Return a function that takes sentences about one cube."""
        return partial(self.add, cube_id)

    def add(self, cube_id: str, text: str) -> None:
        """Take a sentence about a cube."""
        if cube_id not in self._of[text]:
            self._of[text].append(cube_id)

    def lines(self) -> list[str]:
        """Return every sentence once, with the cubes that it is about."""
        return [f"{named(cubes)}: {text}" for text, cubes in self._of.items()]


def left_out(skipped: Iterable[tuple[str, str]]) -> list[str]:
    """Return one sentence for every reason for which something was left out."""
    told = Told()
    for what, reason in skipped:
        told.add(what, f"left out, {reason}")
    return told.lines()


def named(cube_ids: list[str]) -> str:
    """Name some cubes in few words.

    Examples
    --------
    >>> named(["A", "B"]), named(["A", "B", "C", "D"])
    ('A, B', 'A, B and 2 more')
    """
    return ", ".join(cube_ids) if len(cube_ids) <= 3 else f"{', '.join(cube_ids[:2])} and {len(cube_ids) - 2} more"
