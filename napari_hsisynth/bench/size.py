"""`Size`: how large the things are that ``bench view`` measures, and how often it measures them."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Size:
    """What is measured, and how often.

    Parameters
    ----------
    cube, large : (int, int, int)
        Bands, rows and columns of a dermoscopy cube, and of one that is larger than most memories.
    study : int
        Cubes of a study.
    rounds : int
        Repetitions of what takes milliseconds.
    interpreters : int
        Python interpreters that are started for each import.
    hovers : int
        Moves of the mouse over each cube, for each way to draw.
    large_hovers : int
        Moves of the mouse over the large one.
    block : int
        Moves in a row that are drawn in one way, before another has its turn.
    """

    cube: Shape = (16, 272, 512)
    large: Shape = (224, 1024, 1024)
    study: int = 330
    rounds: int = 30
    interpreters: int = 15
    hovers: int = 200
    large_hovers: int = 500
    block: int = 10


FULL = Size()
QUICK = Size(rounds=10, interpreters=10, hovers=60, large_hovers=120)
#: For tests of the command: says nothing about speed.
SMALL = Size((16, 24, 32), (32, 48, 40), study=6, rounds=2, interpreters=1, hovers=4, large_hovers=4, block=2)
SIZES = {"full": FULL, "quick": QUICK, "small": SMALL}
