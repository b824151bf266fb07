"""Another package's segmenter that waits, fails or dies when it is told to, installed the way real ones are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SOURCE = '''
import os, time
from pathlib import Path

import numpy as np

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Proposals


class OnCommand:
    """Marks the clicked pixels; waits, fails or dies as the files in its folder say, and notes what it did."""

    name, model, weights_sha256 = "on-command", "one", "ab12"

    def __init__(self, folder, variant=0):
        self.folder = Path(folder)
        self.note("load")

    def note(self, text):
        with open(self.folder / "notes", "a") as file:
            file.write(text + "\\n")

    def obey(self, what):
        self.note(what)
        while (self.folder / f"hold {what.split()[0]}").exists():
            time.sleep(0.002)

    def set_cube(self, cube):
        self.cube = cube
        self.note(f"cube {cube.name}")

    def predict(self, prompts):
        print("a library prints", flush=True)
        os.write(1, b"HSF1 and writes to the file itself\\n")
        self.obey(f"predict {len(prompts.points)}")
        if (self.folder / "die").exists():
            os.write(2, b"out of luck\\n")
            os._exit(3)
        if (self.folder / "fail").exists():
            raise ZeroDivisionError("nothing to divide by")
        if (self.folder / "refuse").exists():
            raise InputError("no such weights", where="weights.pth", fix="download them")
        masks = np.zeros((1, *self.cube.shape_yx), bool)
        for y, x in prompts.points:
            masks[0, y, x] = True
        return Proposals(masks, [0.5])

    def propose(self):
        self.note("propose")
        while True:  # a computation without an end
            np.linalg.svd(np.ones((200, 200)))

    def embed_ahead(self, cube):
        self.obey(f"embed {cube.name}")
'''


class OnCommand:
    """Installs the segmenter ``on-command`` for this process and its children, and commands it.

    Parameters
    ----------
    folder : pathlib.Path
        For the package, the commands and the notes.
    monkeypatch : pytest.MonkeyPatch
        Takes the installation back.

    Attributes
    ----------
    options : dict
        For `load_segmenter`.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        packages, self._commands = folder / "packages", folder / "commands"
        self._commands.mkdir()
        self.options = {"folder": str(self._commands)}
        known = packages / "segmenter_on_command-1.0.dist-info"
        known.mkdir(parents=True)
        (packages / "obeying_segmenter.py").write_text(SOURCE)
        (known / "METADATA").write_text("Metadata-Version: 2.1\nName: segmenter-on-command\nVersion: 1.0\n")
        (known / "entry_points.txt").write_text(
            "[napari_hsisynth.segmenters]\non-command = obeying_segmenter:OnCommand\n"
        )
        monkeypatch.syspath_prepend(str(packages))
        inherited = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), *inherited]))

    def order(self, command: str) -> None:
        """``hold predict``, ``hold embed``, ``die``, ``fail`` or ``refuse``, from now on."""
        (self._commands / command).touch()

    def release(self, command: str) -> None:
        """Take an order back."""
        (self._commands / command).unlink()

    def notes(self) -> list[str]:
        """What the segmenter did, one entry each."""
        path = self._commands / "notes"
        return path.read_text().splitlines() if path.exists() else []
