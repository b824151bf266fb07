"""Run a command on a virtual screen where the machine is Linux; elsewhere on the screen that is there.

For a single file of GUI tests, and for pictures: on Linux they get their own screen, so that nobody's windows flicker
and the size is known. ``make test`` opens a screen for each of its processes, see conftest.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def main() -> int:
    command = sys.argv[1:]
    if sys.platform.startswith("linux") and shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main())
