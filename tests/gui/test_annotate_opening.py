"""Opening Annotate for the first time in a process, before anything has imported what layers need."""

from __future__ import annotations

import subprocess
import sys

import pytest

FIRST_OPENING = """
import sys, time
import napari
from qtpy.QtTest import QTest
from napari_hsisynth.optics import lesion_phantom
from napari_hsisynth.widgets.layers import add_cube
from napari_hsisynth.widgets import warm_up
viewer = napari.Viewer()
add_cube(viewer, lesion_phantom("nevus", shape=(40, 60)).cube)
QTest.qWait(500)
from napari_hsisynth.widgets.annotate_dock import AnnotateDock
assert "pandas" not in sys.modules, "the test no longer tests anything"
start = time.perf_counter()
dock = AnnotateDock(viewer)
viewer.window.add_dock_widget(dock, name="Annotate")
print("seconds", time.perf_counter() - start)
print("text", dock.empty.text())
assert not dock.empty_button.isVisible()
end = time.monotonic() + 60
while not dock.annotator.drafts.prompts.active and time.monotonic() < end:
    QTest.qWait(10)
assert dock.annotator.drafts.prompts.active and dock.content.isVisible()
dock.annotator.flush()
viewer.close()
"""


@pytest.mark.usefixtures("own_settings")
def test_the_window_does_not_wait_for_imports():
    run = subprocess.run([sys.executable, "-c", FIRST_OPENING], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    found = dict(line.split(maxsplit=1) for line in run.stdout.splitlines() if line.startswith(("seconds", "text")))
    assert found["text"] == "loading ..."
    assert float(found["seconds"]) < 1.0  # 0.2 on an idle machine


UNITS = """
import threading
import pint
from napari_hsisynth.widgets import warm_up

def start(thread):
    registry = pint.get_application_registry().get()
    print("units", "not read" if isinstance(registry, pint.LazyRegistry) else "read")

threading.Thread.start = start
warm_up.begin()
"""


def test_units_are_not_read_by_two_threads_at_once():
    # else opening a cube right after a dock could fail: "'pixel' is not defined in the unit registry"
    run = subprocess.run([sys.executable, "-c", UNITS], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["units", "read"]
