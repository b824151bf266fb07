"""The segmenting process: same answers as in this process, none that is stale, and whatever kills it is survived."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import numpy as np
import psutil
import pytest
from segmenter_on_command import OnCommand

from napari_hsisynth import Cube, Study, read_cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, load_segmenter
from napari_hsisynth.segment.worker_client import Answered, Failed, Restarted, Started, WorkerClient
from napari_hsisynth.segment.worker_messages import Choice, SegmenterError, StoredCube

SHAPE = (40, 50)
SPECTRAL = Choice("spectral")
ONE, TWO, THREE = (Prompts([(5, number) for number in range(count)], [1] * count) for count in (1, 2, 3))
WAIT_S = 30


def disc(name: str = "") -> Cube:
    y, x = np.indices(SHAPE)
    lesion = (y - 20) ** 2 + (x - 25) ** 2 < 81
    noise = np.random.default_rng(0).normal(1, 0.02, (4, *SHAPE))
    return Cube(np.where(lesion, 0.1, 0.5) * noise, [465.0, 520.0, 580.0, 630.0], name=name)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.002)


class Asker:
    """A client, and what it told."""

    def __init__(self, choice: Choice) -> None:
        self.told: Queue = Queue()
        self.client, self.choice, self.cube = WorkerClient(self.told.put), choice, disc()

    def ask(self, question, cube: Cube | None = None, **options) -> int:
        return self.client.ask(self.choice, cube or self.cube, question, **options)

    def next(self, kind: type):
        found = self.told.get(timeout=WAIT_S)
        assert isinstance(found, kind), found
        return found

    def answer(self, question, cube: Cube | None = None, **options) -> Answered:
        number = self.ask(question, cube, **options)
        while isinstance(found := self.told.get(timeout=WAIT_S), Started):
            pass
        assert isinstance(found, Answered), found
        assert found.number == number
        return found


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnCommand:
    return OnCommand(tmp_path, monkeypatch)


@pytest.fixture
def asker(command: OnCommand) -> Iterator[Asker]:
    asker = Asker(Choice("on-command", command.options))
    yield asker
    assert asker.client.close()


def begun(command: OnCommand, what: str) -> bool:
    return what in command.notes()


# --- answers


def test_answers_are_those_of_this_process_bit_for_bit():
    asker = Asker(SPECTRAL)
    here = load_segmenter("spectral")
    cubes = [disc("first"), disc("second").replace(data=1 - disc().data)]
    click, box = Prompts([(20, 25)], [1]), Prompts(box=(9, 9, 30, 40))
    both = Prompts([(20, 25), (2, 3)], [1, 0], (5, 8, 33, 44))
    drawn = Prompts([(20, 30)], [0], logits=np.where(np.indices(SHAPE)[0] > 20, 1, -1))
    try:
        for cube in (*cubes, cubes[0]):
            here.set_cube(cube)
            assert asker.answer(None, cube).proposals is None
            for question in (click, box, both, drawn, "propose"):
                expected = here.propose() if question == "propose" else here.predict(question)
                bare, full = (asker.answer(question, cube, logits=logits) for logits in (False, True))
                for answer in (bare, full):
                    assert np.array_equal(answer.proposals.masks, expected.masks)
                    assert np.array_equal(answer.proposals.scores, expected.scores)
                    assert answer.identity == {"backend": "spectral", "model": here.model, "weights_sha256": ""}
                assert bare.proposals.logits is None
                assert np.array_equal(full.proposals.logits, expected.logits)
    finally:
        assert asker.client.close()


def test_a_cube_that_stays_in_its_file_is_read_when_it_is_needed(asker, command, tmp_path):
    path = tmp_path / "large.npy"
    np.save(path, disc().data)
    lazy = Cube(read_cube(path).data, name="lazy")
    assert asker.answer(ONE, lazy).proposals.masks.sum() == 1
    damaged = WorkerClient(asker.told.put, loaded=_refuse)
    damaged.ask(asker.choice, lazy, ONE)
    error = asker.next(Failed).error
    assert str(error) == "lazy: too large; crop it"
    assert damaged.close()


def _refuse(cube: Cube) -> Cube:
    raise InputError("too large", where=cube.name, fix="crop it")


def test_of_what_waits_only_the_newest_is_begun_and_stale_answers_are_dropped(asker, command):
    asker.answer(None)
    command.order("hold predict")
    asker.ask(ONE)
    until(lambda: begun(command, "predict 1"))
    asker.ask(TWO)
    asker.ask(None, disc("another"))
    last = asker.ask(THREE)
    command.release("hold predict")
    answered = asker.next(Answered)
    assert (answered.number, answered.proposals.masks.sum()) == (last, 3)
    assert command.notes() == ["load", "cube ", "predict 1", "predict 3"]
    assert asker.told.empty()


def test_other_options_load_it_anew_and_another_backend_gets_another_process(asker, command):
    asker.answer(ONE)
    first = asker.client.pid
    asker.choice = Choice("on-command", {**command.options, "variant": 1})
    asker.answer(ONE)
    assert asker.client.pid == first
    assert command.notes().count("load") == 2
    asker.choice = SPECTRAL
    assert asker.answer(Prompts([(20, 25)], [1])).identity["backend"] == "spectral"
    assert asker.client.pid != first
    until(lambda: not psutil.pid_exists(first))


# --- errors


def test_bad_input_comes_back_as_such_and_a_fault_with_its_trace_in_the_log(asker, command, caplog):
    command.order("refuse")
    asker.ask(ONE)
    asker.next(Started)
    error = asker.next(Failed).error
    assert isinstance(error, InputError)
    assert (error.what, error.where, error.fix) == ("no such weights", "weights.pth", "download them")
    command.release("refuse")
    command.order("fail")
    asker.ask(ONE)
    error = asker.next(Failed).error
    assert isinstance(error, SegmenterError)
    assert str(error) == "the segmenter failed (ZeroDivisionError: nothing to divide by)"
    assert "obeying_segmenter.py" in caplog.text
    command.release("fail")
    asker.choice = Choice("no-such", {})
    asker.ask(ONE)
    asker.next(Started)
    assert "no segmenter 'no-such'" in str(asker.next(Failed).error)
    asker.choice = Choice("on-command", command.options)
    assert len(asker.answer(ONE).proposals) == 1


def test_a_process_that_cannot_be_started_is_said(asker, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    asker.ask(ONE)
    assert "cannot be started" in str(asker.next(Failed).error)
    monkeypatch.undo()


# --- deaths


def test_killed_in_the_middle_of_a_question_it_is_started_again_and_answers(asker, command):
    command.order("hold predict")
    asker.ask(TWO)
    asker.next(Started)
    until(lambda: begun(command, "predict 2"))
    psutil.Process(asker.client.pid).kill()
    text = asker.next(Restarted).text
    assert text.startswith("the segmenter's process ended (exit ")
    assert text.endswith("; started again")
    command.release("hold predict")
    asker.next(Started)
    assert asker.next(Answered).proposals.masks.sum() == 2
    # killed while nothing is asked, it comes back with the next question
    pid = asker.client.pid
    psutil.Process(pid).kill()
    until(lambda: asker.client.pid is None)
    asker.ask(ONE)
    for kind in (Restarted, Started, Answered):
        asker.next(kind)


def test_a_question_that_kills_it_twice_is_given_up(asker, command, caplog):
    command.order("die")
    asker.ask(ONE)
    for kind in (Started, Restarted, Started):
        asker.next(kind)
    error = asker.next(Failed).error
    assert isinstance(error, SegmenterError)
    assert str(error) == "its process ended twice over this (exit 3): out of luck"
    assert command.notes().count("predict 1") == 2
    assert "out of luck" in caplog.text
    command.release("die")
    asker.ask(TWO)
    for kind in (Restarted, Started, Answered):
        asker.next(kind)


def kill_at_moments(asker: Asker, command: OnCommand, moments: int) -> None:
    """Kill the process at random moments between a question and its answer; every question must be answered."""
    draw = random.Random(0)
    asker.answer(ONE)
    for moment in range(moments):
        cube = disc(f"cube {moment}") if moment % 3 else asker.cube
        number = asker.ask(TWO, cube)
        until(lambda: asker.client.pid)  # it may have been killed after the last answer
        time.sleep(draw.expovariate(1 / draw.choice([0.003, 0.3])))  # about the answer, or about the start
        pid = asker.client.pid
        psutil.Process(pid).kill()
        until(lambda pid=pid: asker.client.pid != pid)  # or the next question might die with this process already
        while not isinstance(found := asker.told.get(timeout=WAIT_S), Answered):
            assert not isinstance(found, Failed), found
        assert found.number == number
        assert found.proposals.masks.sum() == 2
        asker.cube = cube
    until(lambda: not [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE])


def test_killed_at_a_few_moments_every_question_is_answered(asker, command):
    kill_at_moments(asker, command, 3)


@pytest.mark.slow
def test_killed_at_fifty_moments_every_question_is_answered(asker, command):
    kill_at_moments(asker, command, 50)


# --- the end

SCRIPT = """
import queue

import numpy as np

from napari_hsisynth import Cube
from napari_hsisynth.segment.worker_client import WorkerClient
from napari_hsisynth.segment.worker_messages import Choice

print("run", flush=True)
told = queue.Queue()
client = WorkerClient(told.put)
client.ask(Choice("on-command", {{"folder": {folder!r}}}), Cube(np.ones((2, 9, 9))), {question!r})
told.get()
print(client.pid, flush=True)
if {stay}:
    told.get()
"""


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_it_ends_with_the_program_in_the_middle_of_a_computation(how, command):
    # a script without the guard that multiprocessing needs: it must not be run again by the process
    script = SCRIPT.format(folder=command.options["folder"], question="propose", stay=how == "killed")
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout.readline() == "run\n"
        pid = int(program.stdout.readline())
        if how == "killed":
            until(lambda: begun(command, "propose"))
            program.kill()
        assert program.wait(WAIT_S) == (0 if how == "ended" else program.returncode)
        assert program.stdout.read() == ""
    finally:
        program.kill()
        program.wait()
    until(lambda: not psutil.pid_exists(pid))


def test_closing_ends_process_and_threads_at_once(command):
    before = set(threading.enumerate())
    asker = Asker(Choice("on-command", command.options))
    asker.ask("propose")
    until(lambda: begun(command, "propose"))
    pid = asker.client.pid
    assert asker.client.close(0.5)
    assert not psutil.pid_exists(pid)
    assert set(threading.enumerate()) == before
    asker.ask(ONE)  # too late, and no harm
    asker.client.embed_ahead([])
    assert set(threading.enumerate()) == before
    assert Asker(SPECTRAL).client.close(), "never asked, nothing to end"


def test_resting_frees_the_process_until_the_next_question(asker, command):
    asker.answer(ONE)
    pid = asker.client.pid
    asker.client.rest()
    until(lambda: not psutil.pid_exists(pid))
    asker.ask(TWO)
    for kind in (Started, Answered):  # and not Restarted: nothing went wrong
        asker.next(kind)


# --- ahead


def test_cubes_are_embedded_ahead_while_nothing_is_asked(asker, command, tmp_path):
    study = Study.create(tmp_path / "mine", wavelengths_nm=disc().wavelengths_nm)
    for cube_id in ("A", "B", "C"):
        study.add_cube(disc(), cube_id, "nevus")
    loose = tmp_path / "loose.npy"
    np.save(loose, disc().data)
    ahead = [
        StoredCube(study.root, "A"),
        StoredCube(study.root, "no such"),
        StoredCube(loose),
        StoredCube(study.root, "B"),
    ]
    command.order("hold predict")
    asker.client.embed_ahead(ahead)
    asker.ask(ONE)
    until(lambda: begun(command, "predict 1"))
    command.order("hold embed")
    command.release("hold predict")
    asker.next(Started)
    asker.next(Answered)
    until(lambda: begun(command, "embed A"))
    assert asker.answer(TWO).proposals.masks.sum() == 2, "a prompt waits for no embedding"
    asker.client.embed_ahead(ahead[1:3])
    asker.answer(None)  # which comes after the list
    command.release("hold embed")
    until(lambda: begun(command, "embed loose"))
    asker.client.embed_ahead([StoredCube(study.root, "C")])
    until(lambda: begun(command, "embed C"))
    assert [note for note in command.notes() if note.startswith("embed")] == ["embed A", "embed loose", "embed C"]
