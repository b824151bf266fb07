"""The measure of how long a window stands still."""

from __future__ import annotations

import time

from qtpy.QtCore import QTimer

from napari_hsisynth.widgets.heartbeat import Heartbeat


def test_a_blocked_gui_thread_is_a_stall_of_that_length(qtbot):
    heartbeat = Heartbeat()
    heartbeat.start()
    QTimer.singleShot(20, block)
    qtbot.waitUntil(lambda: max(heartbeat.stalls_s, default=0.0) > 0.15)
    heartbeat.stop()
    kept = list(heartbeat.stalls_s)
    qtbot.wait(30)
    assert heartbeat.stalls_s == kept


def test_what_the_measurer_does_meanwhile_is_left_out(qtbot):
    heartbeat = Heartbeat()
    heartbeat.start()
    with heartbeat.paused():
        block(1.0)
    qtbot.waitUntil(lambda: len(heartbeat.stalls_s) > 3)
    assert max(heartbeat.stalls_s) < 1.0


def block(seconds: float = 0.2) -> None:
    time.sleep(seconds)
