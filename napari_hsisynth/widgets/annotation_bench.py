"""What ``bench annotate`` measures in a window of napari, as a program of its own.

``python -m napari_hsisynth.widgets.annotation_bench '{"study": .., "truth": .., "cubes": .., "clicks": .., "out": .}'``
annotates the first cubes of a study by the mouse and writes the times to the JSON file ``out``. They are judged by
`napari_hsisynth.bench`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from napari_hsisynth.study import Study
from napari_hsisynth.widgets.annotation_hand import GOOD_IOU, AnnotationHand
from napari_hsisynth.widgets.heartbeat import Heartbeat
from napari_hsisynth.widgets.hover_bench import WINDOW, screen_of


def main(words: list[str]) -> int:
    """Annotate, and write the times."""
    asked = json.loads(words[0])
    study, truth = Study.open(asked["study"]), Path(asked["truth"])
    cube_ids = [entry.id for entry in study.entries][: asked["cubes"]]
    hand, viewer = open_window(study)
    hand.wait_for_cube(cube_ids[0])
    viewer.reset_view()
    lesions = []
    hand.heartbeat.start()
    for number, cube_id in enumerate(cube_ids):
        if number:
            hand.press(Qt.Key.Key_K)
        lesions += hand.annotate(cube_id, np.load(truth / f"{cube_id}.npy"), asked["clicks"])
    hand.heartbeat.stop()
    found = {
        "lesions": [asdict(lesion) for lesion in lesions],
        "stalls_s": hand.heartbeat.stalls_s,
        "napari_stalls_s": _napari_alone(study, cube_ids),
        "good_iou": GOOD_IOU,
        "machine": screen_of(viewer),
    }
    Path(asked["out"]).write_text(json.dumps(found), encoding="utf-8")
    return 0


def open_window(study: Study | None) -> tuple[AnnotationHand, Any]:
    """Open a window as ``napari-hsisynth open`` does, with Annotate at a cube; return a hand, and the viewer.

    Parameters
    ----------
    study : Study, optional
        Opened at its first cube; None goes on where the program was left.
    """
    import napari

    from napari_hsisynth.widgets.annotate_dock import AnnotateDock
    from napari_hsisynth.widgets.app import fill
    from napari_hsisynth.widgets.session import session_for

    viewer = napari.Viewer(title="HSI Synth: bench")
    viewer.window._qt_window.resize(*WINDOW)
    fill(viewer, study, [])
    session_for(viewer).open_step("Annotate")
    (dock,) = viewer.window._qt_window.findChildren(AnnotateDock)
    hand = AnnotationHand(viewer, dock.annotator)
    hand.wait_until(lambda: dock.annotator.following and dock.annotator.target is not None, "the Annotate dock")
    return hand, viewer


def _napari_alone(study: Study, cube_ids: list[str]) -> list[float]:
    """Stalls of napari without our docks while one cube and its labels are exchanged for the next."""
    import napari
    from qtpy.QtTest import QTest

    viewer, heartbeat = napari.Viewer(title="napari"), Heartbeat()
    viewer.window._qt_window.resize(*WINDOW)
    QTest.qWait(500)
    for number, cube_id in enumerate(cube_ids):
        data = np.asarray(study.read_cube(cube_id).data)
        if number == 1:  # what napari does once at its first layers counts on neither side
            heartbeat.start()
        with heartbeat.paused():
            pass
        viewer.layers.clear()
        viewer.add_image(data)
        viewer.add_labels(np.zeros(data.shape[1:], np.uint16))
        QTest.qWait(200)
    heartbeat.stop()
    return heartbeat.stalls_s


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except RuntimeError as error:  # why it failed, as the last line: taking the window down would add others
        print(error, file=sys.stderr, flush=True)
        status = 1
    os._exit(status)  # without taking the windows down, which nobody waits for
