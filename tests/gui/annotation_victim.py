"""A process to be killed: napari with a scripted user, who writes down what was promised to him.

``python annotation_victim.py STUDY LOG SEED`` opens the study at its first cube, or, when STUDY is ``-``, whatever a
user finds who starts the program again. Every line of LOG is one JSON object, on disk before anything else is done.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import zlib
from base64 import b64encode
from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from napari_hsisynth.study import Study
from napari_hsisynth.widgets.annotation_bench import open_window

#: Centres of the lesions in each cube of `test_annotation_kills`, px.
CENTRES = [(y, x) for y in (20, 48, 76) for x in (22, 64, 106)]
RADIUS_PX = 9
#: Where in a lesion is clicked: farther apart than what takes hold of an earlier click.
STEPS = [(0, 0), (4, 0), (0, 4), (-4, 0), (0, -4)]


class Log:
    """Lines that are on disk before the next thing happens."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, what: str, cube_id: str, **more: Any) -> None:
        line = {"what": what, "cube": cube_id, "time": time.time(), **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fsync(self._file)


def packed(labels: np.ndarray) -> str:
    return b64encode(zlib.compress(np.ascontiguousarray(labels, "<u2").tobytes())).decode()


def main(where: str, log_path: str, seed: str) -> None:
    log, chance = Log(log_path), random.Random(int(seed))
    hand, viewer = open_window(None if where == "-" else Study.open(where))
    annotator = hand.annotator
    study, cube_id = annotator.target.study, annotator.target.cube_id
    hand.wait_until(lambda: not annotator.drafts.waiting, "the draft of the last time")
    viewer.reset_view()
    hand.wait_for_cube(cube_id)
    clicks = list(annotator.drafts.prompts.prompts.clicks)
    log.write("back", cube_id, clicks=clicks, masked=annotator.draft is not None and annotator.draft.mask is not None)
    cube_ids = [entry.id for entry in study.entries]
    while True:
        annotate(hand, log, chance, study, cube_id, clicks)
        place = cube_ids.index(cube_id) + (-1 if chance.random() < 0.2 else 1)  # now and then back, as people do
        if not 0 <= place < len(cube_ids):
            continue
        log.write("going", cube_ids[place])
        hand.press(Qt.Key.Key_K if place > cube_ids.index(cube_id) else Qt.Key.Key_J)
        cube_id, clicks = cube_ids[place], []
        hand.wait_for_cube(cube_id)
        log.write("at", cube_id)


def annotate(hand: Any, log: Log, chance: random.Random, study: Study, cube_id: str, clicks: list) -> None:
    """Accept the lesion that was begun, then mask some that the cube still lacks."""
    if clicks:
        accept(hand, log, study, cube_id)
    labels = study.annotation(cube_id).mask
    lacking = [centre for centre in CENTRES if not labels[centre]]
    for y, x in chance.sample(lacking, min(len(lacking), chance.randint(1, 4))):
        clicks = []
        for down, right in chance.sample(STEPS, chance.randint(1, 3)):
            clicks.append(((y + down, x + right), 1))
            log.write("clicking", cube_id, clicks=clicks)
            hand.click(y + down, x + right)
            log.write("draft", cube_id, clicks=clicks)
        accept(hand, log, study, cube_id)


def accept(hand: Any, log: Log, study: Study, cube_id: str) -> None:
    log.write("accepting", cube_id)
    hand.accept()
    stored = study.annotation(cube_id)
    instances = [instance.to_json() for instance in stored.instances]
    assert [instance["id"] for instance in instances] == [row.instance.id for row in hand.annotator.lesions.rows()]
    log.write("saved", cube_id, labels=packed(stored.mask), instances=instances)


if __name__ == "__main__":
    main(*sys.argv[1:])
