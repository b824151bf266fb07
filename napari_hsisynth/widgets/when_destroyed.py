"""`when_destroyed`: what is to be done when Qt deletes a widget, safe from Python's garbage collector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject

#: Held here, so that none of it is ever garbage before it was called.
_waiting: set[_Once] = set()


def when_destroyed(owner: QObject, function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function with these arguments, once, when Qt has deleted an object.

    A lambda, a closure or a partial that is connected to ``destroyed`` itself goes round in a circle with the widget
    and what it refers to. When Python's collector finds the whole circle to be garbage, it empties the function; Qt
    deletes the widget later, calls what is left of it, and the process crashes.

    Parameters
    ----------
    owner : QObject
        Nothing of it can be used by the function.
    """
    once = _Once(function, arguments)
    _waiting.add(once)
    owner.destroyed.connect(once)


class _Once:
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments

    def __call__(self, *_: object) -> None:
        if self in _waiting:
            _waiting.discard(self)
            self._function(*self._arguments)
