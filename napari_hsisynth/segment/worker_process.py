"""`WorkerProcess`: one segmenting process, from its start to its end."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.worker_frames import FrameError, read_frame, write_frame

_LOG_BYTES, _LOG_LINES = 8192, 12  # of the log, this much is told of a process that broke down
_DYING_S = 1.0  # between the end of its stream and its own


class WorkerProcess:
    """Starts the process and listens to it in a thread of its own, which ends with it.

    Not made by `multiprocessing`: that would run the user's script again where it does not guard its main part.

    Parameters
    ----------
    heard : callable
        Called in that thread with (this, header, arrays) of every frame.
    ended : callable
        Called in that thread with (this, why), once the process is gone.

    Raises
    ------
    InputError
        If it cannot be started.
    """

    def __init__(
        self,
        heard: Callable[[WorkerProcess, dict[str, Any], list[NDArray[Any]]], None],
        ended: Callable[[WorkerProcess, str], None],
    ) -> None:
        self._heard, self._ended = heard, ended
        # a file rather than a pipe: needs no thread, and whatever the process leaves running cannot hold us up
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        hidden: dict[str, Any] = {}
        if sys.platform == "win32":
            hidden["creationflags"] = subprocess.CREATE_NO_WINDOW
        try:
            self._popen = subprocess.Popen(
                # -P: modules that lie about in the present folder are not ours
                [sys.executable, "-P", "-m", "napari_hsisynth.segment.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                env={**os.environ, "PYTHONIOENCODING": "utf-8"},
                **hidden,
            )
        except OSError as error:
            self._log.close()
            what = f"the segmenter's process cannot be started ({error.strerror})"
            raise InputError(what, where=sys.executable) from error
        self._at_exit = weakref.finalize(self, _kill, self._popen)
        self.ready = False
        self.thread = threading.Thread(target=self._listen, name="napari-hsisynth-segmenter", daemon=True)
        self.thread.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def send(self, header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bool:
        """Send a frame; False if nobody reads it, because the process is gone or going."""
        sink = self._popen.stdin
        assert isinstance(sink, io.RawIOBase)
        try:
            write_frame(sink, header, arrays)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End it at once; it has nothing to save."""
        _kill(self._popen)

    def _listen(self) -> None:
        source = self._popen.stdout
        assert isinstance(source, io.RawIOBase)
        why = "it fell silent"
        try:
            while (message := read_frame(source)) is not None:
                if message[0].get("kind") == "hello":
                    self.ready = True
                self._heard(self, *message)
        except (FrameError, OSError) as error:
            why = str(error)
        self.ready = False
        try:
            why = f"exit {self._popen.wait(_DYING_S)}"
        except subprocess.TimeoutExpired:
            self.kill()
            self._popen.wait()
        self._at_exit.detach()
        source.close()
        self._ended(self, why)

    def last_words(self) -> str:
        """Return the last lines of its log, once it has ended and before `release`."""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _LOG_BYTES))
        lines = self._log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])

    def release(self) -> None:
        """End it, and close what `send` and `last_words` need; to be called where these are called."""
        self.kill()
        self._log.close()
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()


def _kill(popen: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        popen.kill()
