"""What ``bench view`` measures in a window of napari, as a program of its own: its memory is that of one cube.

``python -m napari_hsisynth.widgets.hover_bench '{"case": ..., "size": ..., "folder": ..., "out": ...}'`` writes the
times to the JSON file ``out``. They are judged by `napari_hsisynth.bench`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsisynth.bench import alternate
from napari_hsisynth.bench.size import SIZES, Size
from napari_hsisynth.bench.without_window import manifest_and_files
from napari_hsisynth.cube import Cube
from napari_hsisynth.formats import read_cube
from napari_hsisynth.widgets.hover_hand import PACE_MS, Hand, Way

Seconds = dict[str, list[float]]

WINDOW = (1600, 1000)


def main(words: list[str]) -> int:
    """Measure one case and write the times."""
    asked = json.loads(words[0])
    found = _CASES[asked["case"]](Path(asked["folder"]), SIZES[asked["size"]])
    Path(asked["out"]).write_text(json.dumps(found), encoding="utf-8")
    return 0


def _dermoscopy(folder: Path, size: Size) -> dict[str, Any]:
    """The mouse over a cube in memory: drawn by the dock, by matplotlib, by nobody; dragged, with more to draw."""
    from napari_hsisynth.optics import lesion_phantom
    from napari_hsisynth.widgets.layers import add_cube

    phantoms = [lesion_phantom(kind, size.cube[1:]) for kind in ("melanoma", "dysplastic_nevus", "melanoma")]
    hand, ways, viewer = _start(phantoms[0].cube)
    times = _in_turn(hand, ways, size.hovers, size.block)
    own, some = ways[0], max(size.block, size.hovers // 2)
    own.begin()
    viewer.scene.camera.mouse_pan = False  # else the image goes with the mouse, and the curve stays the same
    hand.press()
    times["dragged"] = hand.hover(own, some).drawn
    hand.release()
    for number, phantom in enumerate(phantoms[1:], 2):
        add_cube(viewer, phantom.cube.replace(name=f"cube {number}"))
    hand.wait(500)
    times["three cubes"] = hand.hover(own, some).drawn
    labels = np.zeros(size.cube[1:], int)
    for number, rows in enumerate(np.array_split(np.arange(size.cube[1]), 3), 1):
        labels[rows] = number
    viewer.add_labels(labels, name="labels", opacity=0.2)
    _pin(viewer, own.widget, size.cube)
    hand.wait(1500)
    times["pins and labels"] = hand.hover(own, some).drawn
    times |= _study(viewer, folder / "study", size)
    return {"times": times, "machine": screen_of(viewer)}


def _pin(viewer: Any, plot: Any, shape: tuple[int, int, int]) -> None:
    """Keep spectra of four places."""
    from napari_hsisynth.widgets.spectra_dock import SpectraDock

    (dock,) = viewer.window._qt_window.findChildren(SpectraDock)
    for part in (0.2, 0.4, 0.6, 0.8):
        dock.pin((float(viewer.dims.point[0]), part * shape[1], part * shape[2]))


def _large(folder: Path, size: Size) -> dict[str, Any]:
    """The mouse over a cube that stays in its file, and the memory that it takes."""
    import psutil

    memory = psutil.Process()
    hand, ways, viewer = _start(None)
    before = memory.memory_info().rss
    _show(viewer, read_cube(folder / "large.hdr", lazy=True), hand)
    alone = hand.hover(ways[0], size.large_hovers, after_each=lambda: memory.memory_info().rss)
    times = _in_turn(hand, ways[:2], max(size.block, size.large_hovers // 5), size.block)
    times["alone"] = alone.drawn
    return {"times": times, "memory": [before, max(alone.told)], "machine": screen_of(viewer)}


def _start(cube: Cube | None) -> tuple[Hand, list[Way], Any]:
    """Open a window as ``napari-hsisynth open`` does; ways to draw: the dock, matplotlib in its place, nothing."""
    import napari

    from napari_hsisynth.widgets.app import fill
    from napari_hsisynth.widgets.matplotlib_curve import MatplotlibCurve
    from napari_hsisynth.widgets.spectra_dock import SpectraDock

    viewer = napari.Viewer(title="HSI Synth: bench")
    viewer.window._qt_window.resize(*WINDOW)
    fill(viewer, None, [])
    hand = Hand(viewer)
    (dock,) = viewer.window._qt_window.findChildren(SpectraDock)
    plain = MatplotlibCurve(viewer)
    beside = viewer.window.add_dock_widget(plain, name="matplotlib", area="bottom")
    ways = [
        Way("own", dock.plot, hand.frame_of(dock), hand.slots_of(dock.hover)),
        Way("matplotlib", plain, beside, [plain.moved]),
        Way("nobody", None, None, []),
    ]
    hand.know(ways)
    ways[0].begin()
    while any(thread.name == "napari-hsisynth-warm-up" for thread in threading.enumerate()):
        hand.wait(100)
    hand.wait(500)
    if cube is not None:
        _show(viewer, cube, hand)
    return hand, ways, viewer


def _show(viewer: Any, cube: Cube, hand: Hand) -> None:
    from napari_hsisynth.widgets.layers import add_cube

    add_cube(viewer, cube)
    viewer.reset_view()
    hand.wait(1000)


def _in_turn(hand: Hand, ways: list[Way], hovers: int, block: int) -> Seconds:
    """Draw in one way for some moves of the mouse, then in the next, and again."""
    found: Seconds = {}
    for number in range(max(1, hovers // block)):
        for way in ways if number % 2 == 0 else ways[::-1]:
            way.begin()
            if way.name == "matplotlib":
                way.widget.setFixedSize(ways[0].widget.size())
            hand.wait(150)
            hand.hover(way, 2)
            taken = hand.hover(way, block)
            found.setdefault(way.name, []).extend(taken.drawn)
            found.setdefault(f"{way.name}, turn", []).extend(taken.turn)
            if way.widget is not None:
                found.setdefault(f"{way.name}, fast", []).extend(hand.hover(way, block, pace_ms=PACE_MS).drawn)
    return found


def _study(viewer: Any, root: Path, size: Size) -> Seconds:
    """Opening a study until its table is filled and painted."""
    from qtpy.QtTest import QTest

    from napari_hsisynth.widgets.session import session_for
    from napari_hsisynth.widgets.study_dock import StudyDock

    (dock,) = viewer.window._qt_window.findChildren(StudyDock)
    session, painted = session_for(viewer), []
    dock.table.rows.states_loaded.connect(lambda: painted.append(dock.table.viewport().repaint()))

    def own() -> None:
        painted.clear()
        session.open_study(root)
        while not painted:
            QTest.qWait(0)

    def close() -> None:
        session.close_study()
        QTest.qWait(50)

    found: Seconds = {"study": [], "manifest": []}
    for _ in range(max(2, size.rounds // 3)):
        close()
        times = alternate({"study": own, "manifest": partial(manifest_and_files, root)}, 1, warm_up=0)
        for name in found:
            found[name].extend(times[name].seconds)
    return found


def screen_of(viewer: Any) -> dict[str, Any]:
    """Who draws the window."""
    from qtpy import API_NAME, QT_VERSION
    from qtpy.QtGui import QGuiApplication
    from vispy.gloo import gl

    native = viewer.window._qt_viewer.canvas.native
    native.makeCurrent()
    return {
        "qt": f"{QT_VERSION} ({API_NAME})",
        "qt_platform": QGuiApplication.platformName(),
        "gl_renderer": str(gl.glGetParameter(gl.GL_RENDERER)),
        "window": list(WINDOW),
    }


_CASES = {"dermoscopy": _dermoscopy, "large": _large}

if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # without taking the window down, which nobody waits for
