"""What is to be done when a widget goes is done, whatever the garbage collector thought of it before."""

from __future__ import annotations

import gc
from weakref import ref

from qtpy.QtWidgets import QApplication, QWidget

from napari_hsisynth.widgets import when_destroyed as room
from napari_hsisynth.widgets.when_destroyed import when_destroyed


class Kept:
    """Goes round in a circle with its widget, as a dock's parts do."""

    def __init__(self, widget: QWidget, done: list[str]) -> None:
        self.widget, self.done = widget, done
        widget.kept = self

    def close(self, word: str) -> None:
        self.done.append(word)


def test_it_survives_a_collection_and_leaves_nothing_behind(qtbot):
    window, done = QWidget(), []
    before = len(room._waiting)
    kept = Kept(QWidget(window), done)
    when_destroyed(kept.widget, kept.close, "closed")
    there = ref(kept)
    del kept
    gc.collect()
    assert done == []
    window.deleteLater()
    qtbot.waitUntil(lambda: done == ["closed"])
    QApplication.processEvents()
    assert len(room._waiting) == before
    gc.collect()
    assert there() is None
