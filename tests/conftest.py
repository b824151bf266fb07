"""Several tests at a time, as ``make test`` runs them: each process of pytest-xdist gets a virtual screen of its own.

Windows on one screen take the keyboard and the pointer from each other, so that real events would go astray. Where
there is no Xvfb (macOS, Windows), ``-n auto`` therefore means one test after the other, on the screen that is there.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

SCREEN = "1600x1000x24"
#: Each process holds napari and torch: about 1 GB.
MOST_PROCESSES = 4

# As the command `train` does: torch's threads that wait by spinning take the processor from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_screens: list[subprocess.Popen] = []


def _has_screens() -> bool:
    return sys.platform.startswith("linux") and shutil.which("Xvfb") is not None


def _open_screen() -> str:
    """Start a virtual screen and return its name: the server itself finds a number that is free."""
    reading, writing = os.pipe()
    words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    # a session of its own: Ctrl+C is for pytest, whose tests still need their screen to end well
    server = subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL, start_new_session=True)
    _screens.append(server)
    os.close(writing)
    with open(reading) as answer:
        number = answer.readline().strip()
    if not number:
        raise RuntimeError(f"Xvfb ended with code {server.wait()} before it was ready")
    return f":{number}"


class Screens:
    """What the process that hands out the tests does for the others."""

    def pytest_sessionstart(self) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to end still closes the screens

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["display"] = _open_screen()

    def pytest_unconfigure(self) -> None:
        for server in _screens:
            server.terminate()
        for server in _screens:
            server.wait()


def pytest_xdist_auto_num_workers() -> int:
    """Say how many processes ``-n auto`` means; 0: one test after the other, in pytest's own process."""
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES) if _has_screens() else 0


def pytest_configure(config: pytest.Config) -> None:
    handed = getattr(config, "workerinput", {})
    if "display" in handed:
        os.environ["DISPLAY"] = handed["display"]
        os.environ.pop("WAYLAND_DISPLAY", None)  # Qt would prefer it
    elif config.pluginmanager.hasplugin("xdist") and _has_screens():
        config.pluginmanager.register(Screens())
