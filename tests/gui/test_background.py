"""Work in a thread for a widget that may be closed meanwhile."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_hsisynth.widgets.background import Background


def test_a_widget_may_go_while_its_work_is_going_on(qtbot: Any) -> None:
    """The thread must not emit through an object that has been deleted: that would end the program."""
    widget, told, begun, go_on = QWidget(), [], threading.Event(), threading.Event()
    background = Background(parent=widget)
    background.done.connect(lambda number, result: told.append(number))

    def work(first: threading.Event, then: threading.Event) -> bool:
        first.set()
        return then.wait(20)

    background.submit(partial(work, begun, go_on))
    second = background.submit(threading.Event().wait)  # would never end
    thread = background._thread
    assert begun.wait(20)
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    go_on.set()
    assert background.wait(20)
    thread.join(20)
    assert not thread.is_alive()
    qtbot.waitUntil(lambda: told == [1])
    assert second == 2


def test_closed_in_the_middle_and_used_again_it_still_does_one_thing_at_a_time(qtbot: Any) -> None:
    background, go_on, order = Background(), threading.Event(), []

    def slow() -> None:
        order.append("begin")
        assert go_on.wait(10)
        order.append("end")

    background.submit(slow)
    qtbot.waitUntil(lambda: order == ["begin"])
    assert not background.close(timeout_s=0)
    background.submit(partial(order.append, "next"))
    assert not background.wait(0.2)  # the first is not over yet
    go_on.set()
    assert background.close()
    assert order == ["begin", "end", "next"]
    qtbot.waitUntil(lambda: background._thread is None)
