"""The process that segments for the program: ``python -m napari_hsisynth.segment.worker``, started by `WorkerClient`.

It reads frames from stdin and writes frames to stdout; everything else goes to stderr, the log. It ends as soon as its
stdin does, in the middle of whatever it is at: when the program closes it, and when the program dies.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
import threading
import traceback
from collections import deque
from typing import Any

from napari_hsisynth.cube import Cube
from napari_hsisynth.segment.worker_engine import Engine
from napari_hsisynth.segment.worker_frames import FrameError, Sink, Source, read_frame, write_frame
from napari_hsisynth.segment.worker_messages import (
    Message,
    Request,
    StoredCube,
    ahead_of,
    answer_message,
    cube_of,
    failure_message,
)

_NICENESS = 10  # of what is done ahead, where threads can have their own


class Worker:
    """Answers the newest question; while there is none, embeds the cubes that are likely to come next.

    Parameters
    ----------
    source, sink : file
        Unbuffered, binary.
    """

    def __init__(self, source: Source, sink: Sink) -> None:
        self._source, self._sink = source, sink
        self._engine = Engine()
        # all that follows is shared between the threads, under this condition
        self._changed = threading.Condition()
        self._cube: tuple[int, Cube] | None = None
        self._request: Request | None = None
        self._ahead: deque[StoredCube] = deque()
        self._answering = False

    def run(self) -> None:
        """Work until the other side closes the stream; that ends the process."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._embed_ahead, name="ahead", daemon=True).start()
        write_frame(self._sink, {"kind": "hello"})
        while True:
            request, cube = self._next_request()
            write_frame(self._sink, *self._answered(request, cube))
            with self._changed:
                self._answering = False
                self._changed.notify_all()

    # --- the reader's thread

    def _read(self) -> None:
        status = 1
        try:
            while (message := read_frame(self._source)) is not None:
                self._take(*message)
            status = 0
        except FrameError as error:
            print(f"cannot go on: {error}", file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            # not sys.exit: the other threads may be in a computation that nobody waits for any more
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(status)

    def _take(self, header: dict[str, Any], arrays: list[Any]) -> None:
        kind = header["kind"]
        if kind == "cube":
            cube = cube_of(header, arrays)
            with self._changed:
                self._cube = (header["cube"], cube)
        elif kind == "ask":
            request = Request.of(header, arrays)
            with self._changed:
                self._request = request  # in place of one that was not begun: its answer would be stale
                self._changed.notify_all()
        elif kind == "embed_ahead":
            cubes = ahead_of(header)
            with self._changed:
                self._ahead = deque(cubes)
                self._changed.notify_all()
        else:
            raise FrameError(f"no message is called {kind!r}")

    # --- the main thread

    def _next_request(self) -> tuple[Request, Cube]:
        with self._changed:
            self._changed.wait_for(self._may_answer)
            request, self._request = self._request, None
            assert request is not None
            assert self._cube is not None
            self._answering = True
            return request, self._cube[1]

    def _may_answer(self) -> bool:
        # once another cube has come, the question about it is on its way and will take the place of this one
        return self._request is not None and self._cube is not None and self._cube[0] == self._request.cube

    def _answered(self, request: Request, cube: Cube) -> Message:
        try:
            found = self._engine.answer(request.choice, cube, request.question)
            return answer_message(request, found, self._engine.identity())
        except Exception as error:
            return failure_message(request.number, error)

    # --- the thread of what is done ahead

    def _embed_ahead(self) -> None:
        if sys.platform == "linux":  # elsewhere priorities are of processes
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            with self._changed:
                self._changed.wait_for(self._may_embed)
                stored, embed = self._ahead.popleft(), self._engine.embed_ahead
            assert embed is not None
            try:
                embed(stored.read())
            except Exception:  # it will be said when the cube itself is asked about
                print(f"{stored.path} {stored.cube_id} was not embedded ahead:", file=sys.stderr)
                traceback.print_exc()

    def _may_embed(self) -> bool:
        idle = self._request is None and not self._answering
        return bool(self._ahead) and idle and self._engine.embed_ahead is not None


def _claim_pipes() -> tuple[io.FileIO, io.FileIO]:
    """Take stdin and stdout for frames alone: what libraries print goes to stderr, and they read nothing."""
    source, sink = (io.FileIO(os.dup(number), mode) for number, mode in ((0, "rb"), (1, "wb")))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin, sys.stdout = open(os.devnull), sys.stderr  # noqa: SIM115
    return source, sink


def main() -> None:
    """Run the process; it never returns."""
    source, sink = _claim_pipes()
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is for the program, which ends this one
    try:
        Worker(source, sink).run()
    except OSError:  # nobody reads the answers any more
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)  # not by returning: that would wait for threads of libraries


if __name__ == "__main__":
    main()
