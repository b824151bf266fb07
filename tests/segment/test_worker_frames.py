"""Frames come out as they went in, and whatever is no frame is one clear error."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_hsisynth import Cube
from napari_hsisynth.segment import Prompts, worker_frames
from napari_hsisynth.segment.worker_frames import FrameError, read_frame, write_frame
from napari_hsisynth.segment.worker_messages import Choice, Request, cube_message, cube_of

TYPES = st.sampled_from(["bool", "<f4", "<f8", "uint8", "<u2", ">f4", "<i8"])
ARRAYS = hnp.arrays(TYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.dictionaries(st.text().filter(lambda key: key != "arrays"), JSON, max_size=4)


class Drip(io.RawIOBase):
    """A pipe that takes and gives no more than `most` bytes at a time."""

    def __init__(self, content: bytes = b"", most: int = 7) -> None:
        self.content, self.most, self.place = bytearray(content), most, 0

    def write(self, data):
        part = bytes(data[: self.most])
        self.content += part
        return len(part)

    def readinto(self, buffer):
        part = self.content[self.place : self.place + min(self.most, len(buffer))]
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)


def framed(header, arrays=()) -> bytes:
    pipe = Drip(most=10**6)
    write_frame(pipe, header, arrays)
    return bytes(pipe.content)


@settings(max_examples=60, deadline=None)
@given(HEADERS, st.lists(ARRAYS, max_size=3), st.integers(1, 50))
def test_frames_come_out_as_they_went_in(header, arrays, most):
    pipe = Drip(most=most)
    write_frame(pipe, header, arrays)
    write_frame(pipe, {"kind": "next"})
    found_header, found = read_frame(pipe)
    assert found_header == header
    assert len(found) == len(arrays)
    for one, other in zip(found, arrays, strict=True):
        assert one.dtype == other.dtype.newbyteorder("<")
        assert np.array_equal(one, other, equal_nan=other.dtype.kind == "f")
        assert one.flags.writeable
    assert read_frame(pipe) == ({"kind": "next"}, [])
    assert read_frame(pipe) is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_frame_that_is_cut_off_is_an_error_wherever_it_was_cut(data):
    whole = framed({"kind": "answer"}, [np.ones((2, 3), bool), np.arange(4.0)])
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError, match="cut off"):
        read_frame(Drip(whole[:cut]))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_is_garbled_is_a_frame_error_and_nothing_else(data):
    whole = bytearray(framed({"kind": "answer"}, [np.ones((2, 3), bool), np.arange(4.0)]))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        header, arrays = read_frame(Drip(bytes(whole)))
    except FrameError:
        return
    assert isinstance(header, dict)
    assert all(isinstance(array, np.ndarray) for array in arrays)


def test_what_else_is_written_into_the_stream_is_named():
    with pytest.raises(FrameError, match="it begins with b'Downlo"):
        read_frame(Drip(b"Downloading weights ... 100 %\n"))
    with pytest.raises(TypeError, match="complex"):
        framed({}, [np.ones(2, complex)])


def test_messages_keep_all_there_is_to_a_cube_and_to_prompts():
    values = np.random.default_rng(0).normal(size=(3, 4, 5))
    values[0, 0, 0] = np.nan
    for cube in (
        Cube(values, [500.5, 600, 700], name="mine", provenance={"crop": {"box": [0, 1]}, "odd": {3: None}}),
        Cube(values, name="of unknown wavelengths", notes=("a note",)),
    ):
        found = cube_of(*read_frame(Drip(framed(*cube_message(7, cube)), 1000)))
        assert np.array_equal(found.data, cube.data, equal_nan=True)
        assert (found.name, found.notes) == (cube.name, cube.notes)
        assert np.array_equal(found.wavelengths_nm, cube.wavelengths_nm)
        assert found.wavelengths_known == cube.wavelengths_known
    logits = np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5)
    asked = Prompts([(1, 2), (3, 0)], [1, 0], (0, 0, 3, 4), logits)
    for question in (asked, "propose", None):
        sent = Request(3, 7, Choice("sam2", {"model": "tiny", "weights": None}), question, logits=True)
        found = Request.of(*read_frame(Drip(framed(*sent.message()), 1000)))
        assert (found.number, found.cube, found.choice, found.logits) == (3, 7, sent.choice, True)
        if question is asked:
            assert found.question.to_json() == asked.to_json()
            assert np.array_equal(found.question.logits, logits)
        else:
            assert found.question == question


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"not for you\n" * 9, "cannot go on: not a frame"),
        (framed({"kind": "cube"})[:-1], "cannot go on: the frame is cut off"),
        (framed({"kind": "dance"}), "cannot go on: no message is called 'dance'"),
    ],
)
def test_a_process_that_is_sent_something_else_ends_with_one_line(sent, said):
    command = [sys.executable, "-m", "napari_hsisynth.segment.worker"]
    ended = subprocess.run(command, input=sent, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith(said)
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout in (b"", framed({"kind": "hello"}))


def test_what_could_not_be_read_is_not_sent(monkeypatch):
    monkeypatch.setattr(worker_frames, "MOST_BYTES", 15)
    pipe = Drip()
    with pytest.raises(FrameError, match="16 bytes are more than can be sent"):
        write_frame(pipe, {}, [np.zeros(4, np.float32)])
    assert not pipe.content
