"""What the program and its segmenting process say to each other, as headers and arrays of frames.

To the process go ``cube``, ``ask`` and ``embed_ahead``; from it come ``hello``, ``answer`` and ``failed``.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.segment.prompts import Prompts, Proposals

Header = dict[str, Any]
Message = tuple[Header, list[NDArray[Any]]]


class SegmenterError(RuntimeError):
    """The segmenter or its process failed, not by the input; the details are in the log."""


@dataclass(frozen=True)
class Choice:
    """A segmenter: its name and options, as for `load_segmenter`; JSON types."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredCube:
    """A cube that a process can read by itself.

    Parameters
    ----------
    path : pathlib.Path
        Folder of its study, or its own file.
    cube_id : str
        In the study; empty for a file.
    """

    path: Path
    cube_id: str = ""

    def read(self) -> Cube:
        """Read it, with all its values; InputError if that is not possible."""
        if self.cube_id:
            from napari_hsisynth.study.study import Study

            return Study(self.path).read_cube(self.cube_id).loaded()
        from napari_hsisynth.formats import read_cube

        return read_cube(self.path).loaded()


@dataclass(frozen=True, eq=False)
class Request:
    """A question about the cube that was sent last under the number `cube`.

    Parameters
    ----------
    number : int
        Grows from one to the next; the answer carries it.
    cube : int
        Which cube.
    choice : Choice
        Who is to answer.
    question : Prompts, "propose" or None
        None has the cube prepared only.
    logits : bool
        Whether the answer is to bring its logits, which are large.
    """

    number: int
    cube: int
    choice: Choice
    question: Prompts | str | None = None
    logits: bool = False

    def message(self) -> Message:
        """Return it as it is sent."""
        header: Header = {
            "kind": "ask",
            "number": self.number,
            "cube": self.cube,
            "name": self.choice.name,
            "options": dict(self.choice.options),
            "question": self.question,
            "logits": self.logits,
        }
        if not isinstance(self.question, Prompts):
            return header, []
        logits = self.question.logits
        return {**header, "question": self.question.to_json()}, [] if logits is None else [logits]

    @classmethod
    def of(cls, header: Header, arrays: list[NDArray[Any]]) -> Request:
        """Take it from what was sent."""
        question = header["question"]
        if isinstance(question, dict):
            logits = arrays[0] if arrays else None
            question = Prompts(question["points"], question["labels"], question["box"], logits)
        choice = Choice(header["name"], header["options"])
        return cls(header["number"], header["cube"], choice, question, header["logits"])


def cube_message(number: int, cube: Cube) -> Message:
    """Return a cube in memory as it is sent, under a number."""
    header = {
        "kind": "cube",
        "cube": number,
        "name": cube.name,
        "wavelengths_nm": cube.wavelengths_nm.tolist(),
        "wavelengths_known": cube.wavelengths_known,
        "provenance": dict(cube.provenance),
        "notes": list(cube.notes),
    }
    return header, [cube.data]


def cube_of(header: Header, arrays: list[NDArray[Any]]) -> Cube:
    """Return the cube that was sent."""
    make: Any = Cube if header["wavelengths_known"] else Cube.with_assumed_wavelengths
    fields = {"name": header["name"], "provenance": header["provenance"], "notes": tuple(header["notes"])}
    return make(arrays[0], header["wavelengths_nm"], **fields)


def ahead_message(cubes: Iterable[StoredCube]) -> Message:
    """Return the list of cubes to embed ahead as it is sent."""
    return {"kind": "embed_ahead", "cubes": [[str(cube.path), cube.cube_id] for cube in cubes]}, []


def ahead_of(header: Header) -> list[StoredCube]:
    """Return the list of cubes that was sent."""
    return [StoredCube(Path(path), cube_id) for path, cube_id in header["cubes"]]


def answer_message(request: Request, proposals: Proposals | None, identity: Mapping[str, str]) -> Message:
    """Return an answer as it is sent."""
    header: Header = {"kind": "answer", "number": request.number, "identity": dict(identity)}
    if proposals is None:
        return {**header, "prepared": True}, []
    arrays = [proposals.masks, proposals.scores]
    if request.logits and proposals.logits is not None:
        arrays.append(proposals.logits)
    return {**header, "prepared": False}, arrays


def answer_of(header: Header, arrays: list[NDArray[Any]]) -> Proposals | None:
    """Return the answer that was sent; None where a cube was only prepared."""
    return None if header["prepared"] else Proposals(*arrays)


def failure_message(number: int, error: Exception) -> Message:
    """Return why a question could not be answered, as it is sent."""
    header: Header = {"kind": "failed", "number": number}
    if isinstance(error, InputError):
        where = None if error.where is None else str(error.where)
        return {**header, "what": error.what, "where": where, "fix": error.fix}, []
    return {**header, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exception(error)}, []


def failure_of(header: Header) -> InputError | SegmenterError:
    """Return the error that was sent."""
    if "what" in header:
        return InputError(header["what"], where=header["where"], fix=header["fix"])
    return SegmenterError(f"the segmenter failed ({header['error']})")
