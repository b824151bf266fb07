"""`WorkerClient`: asks a segmenter that runs in a process of its own, and starts that process again when it dies."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.prompts import Prompts, Proposals
from napari_hsisynth.segment.worker_messages import (
    Choice,
    Header,
    Request,
    SegmenterError,
    StoredCube,
    ahead_message,
    answer_of,
    cube_message,
    failure_of,
)
from napari_hsisynth.segment.worker_process import WorkerProcess

_log = logging.getLogger(__name__)
_MOST_DEATHS = 2  # over one question


@dataclass(frozen=True, eq=False)
class Started:
    """The process is there; what was asked is on its way to it."""


@dataclass(frozen=True, eq=False)
class Restarted:
    """The process had died and is started again; `text` says so in a sentence."""

    text: str


@dataclass(frozen=True, eq=False)
class Answered:
    """The question `number` has its answer.

    Parameters
    ----------
    number : int
    proposals : Proposals or None
        None where the cube was only prepared.
    identity : dict
        ``backend``, ``model`` and ``weights_sha256``, for the record.
    """

    number: int
    proposals: Proposals | None
    identity: dict[str, str]


@dataclass(frozen=True, eq=False)
class Failed:
    """The question `number` has no answer: `error` is an InputError or a SegmenterError."""

    number: int
    error: Exception


Notice = Started | Restarted | Answered | Failed


@dataclass(eq=False)
class _Question:
    """What was asked last, until it is answered."""

    number: int
    cube: Cube
    choice: Choice
    asked: Prompts | str | None
    logits: bool
    deaths: int = 0


class WorkerClient:
    """Hands questions to the process from a thread, so that whoever asks never waits.

    The process is started at the first question, and lives until `rest` or `close`. It keeps its segmenter and the cube
    it was sent last; another backend gets a new process, so that the memory of the former is free. If it dies, it is
    started again: once for the question that was open, or else with the next one.

    Parameters
    ----------
    tell : callable
        Told each `Notice`, in a thread of the client. Only the newest question's answer is told.
    loaded : callable
        Brings a cube into memory to be sent, in that thread; may raise InputError.
    """

    def __init__(self, tell: Callable[[Notice], object], loaded: Callable[[Cube], Cube] = Cube.loaded) -> None:
        self._tell, self._loaded = tell, loaded
        self._numbers = itertools.count(1)
        self._newest = 0
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()  # of the process, and of whether it is all over
        self._process: WorkerProcess | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="napari-hsisynth-segmenting", daemon=True)
        # what follows belongs to that thread alone
        self._question: _Question | None = None
        self._choice: Choice | None = None
        self._sent: tuple[int, Cube] | None = None
        self._ahead: tuple[StoredCube, ...] = ()
        self._mourned = ""  # how the process ended that has not been replaced yet

    # --- from any thread

    def ask(self, choice: Choice, cube: Cube, asked: Prompts | str | None, *, logits: bool = False) -> int:
        """Ask about a cube in place of all that was asked before; return the number that the answer will carry.

        Parameters
        ----------
        choice : Choice
            Who is to answer.
        cube : Cube
        asked : Prompts, "propose" or None
            None has the cube prepared only.
        logits : bool
            Whether the answer is to bring logits.
        """
        self._newest = number = next(self._numbers)
        self._do(self._ask, _Question(number, cube, choice, asked, logits))
        return number

    def embed_ahead(self, cubes: Sequence[StoredCube]) -> None:
        """Have the process embed these while it has nothing else to do, in place of those named before.

        Segmenters that have nothing to embed do not even read them. Does not start the process.
        """
        self._do(self._embed_ahead, tuple(cubes))

    def rest(self) -> None:
        """End the process, and with it what it holds in memory; the next question starts another."""
        self._newest = 0
        self._do(self._rest)

    def close(self, timeout_s: float = 0.5) -> bool:
        """End process and threads for good; False if a thread is still at something after `timeout_s`."""
        with self._lock:
            self._closed, process = True, self._process
        self._inbox.put(self._rest)  # wakes the thread
        if process is not None:
            process.kill()
        threads = [thread for thread in (self._thread, process and process.thread) if thread and thread.is_alive()]
        for thread in threads:
            thread.join(timeout_s / len(threads))
        return not any(thread.is_alive() for thread in threads)

    @property
    def ready(self) -> bool:
        """Whether the process is there, so that a question gets to it at once."""
        process = self._process
        return process is not None and process.ready

    @property
    def pid(self) -> int | None:
        """Id of the process; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def _do(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the client's thread call a function."""
        with self._lock:
            if self._closed:
                return
            if self._thread.ident is None:
                self._thread.start()
        self._inbox.put(partial(function, *arguments))

    # --- the client's thread

    def _work(self) -> None:
        while not self._closed:
            function = self._inbox.get()
            if self._closed:
                break
            try:
                function()
            except Exception as error:
                self._fail(error)
        self._end_process()

    def _ask(self, question: _Question) -> None:
        if question.number == self._newest:
            self._question = question
            self._send(question)

    def _send(self, question: _Question) -> None:
        choice, cube = question.choice, question.cube
        if self._choice is not None and self._choice.name != choice.name:
            self._end_process()
        process = self._process or self._start()
        if self._sent is None or self._sent[1] is not cube:
            process.send(*cube_message(question.number, self._loaded(cube)))
            self._sent = (question.number, cube)
        process.send(*Request(question.number, self._sent[0], choice, question.asked, question.logits).message())
        if choice != self._choice:  # what another segmenter embedded ahead is of no use to this one
            self._choice = choice
            process.send(*ahead_message(self._ahead))

    def _start(self) -> WorkerProcess:
        if self._mourned:
            self._tell(Restarted(f"the segmenter's process ended ({self._mourned}); started again"))
            self._mourned = ""
        process = WorkerProcess(self._hear, self._hear_end)
        with self._lock:
            self._process = process
            if self._closed:
                process.kill()
        return process

    def _end_process(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.release()
        self._sent = self._choice = None

    def _embed_ahead(self, cubes: tuple[StoredCube, ...]) -> None:
        self._ahead = cubes
        if self._process is not None and self._choice is not None:
            self._process.send(*ahead_message(cubes))

    def _rest(self) -> None:
        self._question, self._mourned = None, ""
        self._end_process()

    def _fail(self, error: Exception) -> None:
        question, self._question = self._question, None
        if not isinstance(error, InputError | SegmenterError):
            _log.error("segmenting failed", exc_info=error)
            error = SegmenterError(f"segmenting failed ({type(error).__name__}: {error})")
        if question is not None and question.number == self._newest:
            self._tell(Failed(question.number, error))

    # --- what the process says: heard in its listener's thread, done in the client's

    def _hear(self, process: WorkerProcess, header: Header, arrays: list[NDArray[Any]]) -> None:
        self._do(self._take, process, header, arrays)

    def _hear_end(self, process: WorkerProcess, why: str) -> None:
        self._do(self._take_end, process, why)

    def _take(self, process: WorkerProcess, header: Header, arrays: list[NDArray[Any]]) -> None:
        if process is not self._process:
            return
        if header["kind"] == "hello":
            self._tell(Started())
            return
        question = self._question
        if question is None or header["number"] != question.number:
            return  # stale
        if header["kind"] == "failed":
            if "trace" in header:
                _log.error("segmenter %s:\n%s", question.choice.name, "".join(header["trace"]))
            self._fail(failure_of(header))
            return
        self._question = None
        if question.number == self._newest:
            self._tell(Answered(question.number, answer_of(header, arrays), header["identity"]))

    def _take_end(self, process: WorkerProcess, why: str) -> None:
        if process is not self._process:
            return  # we have ended it ourselves
        words = process.last_words()
        _log.warning("the segmenter's process ended (%s)%s", why, f":\n{words}" if words else "")
        self._end_process()
        self._ahead = ()  # one of these cubes may be what killed it
        self._mourned = why
        question = self._question
        if question is None or question.number != self._newest:
            return
        question.deaths += 1
        if question.deaths < _MOST_DEATHS:
            self._send(question)
        else:
            self._fail(SegmenterError(f"its process ended twice over this ({why}){_cause(why, words)}"))


def _cause(why: str, words: str) -> str:
    """What may have ended a process, from its exit status and the last lines of its log."""
    lines = words.splitlines()
    fatal = [line for line in lines if line.startswith("Fatal Python error")]  # many lines of detail follow it
    if why == "exit -9" and not fatal:
        return ": perhaps there was not enough memory"
    return f": {(fatal or lines)[-1]}" if lines else ""
