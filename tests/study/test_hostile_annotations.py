"""Annotations that were damaged, or made to do harm: one clear error, and nothing else is touched."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth import Cube, Study
from napari_hsisynth.errors import InputError

NM, SHAPE = [500.0, 600.0], (20, 30)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study.create(tmp_path / "mine", wavelengths_nm=NM)
    mask = np.zeros(SHAPE, bool)
    mask[5:9, 5:12] = True
    for cube_id in ("A", "B"):
        study.add_cube(Cube(np.ones((2, *SHAPE)), NM), cube_id, "nevus", mask=mask)
    return study


def png_of(study: Study) -> Path:
    return study.masks_dir / json.loads((study.masks_dir / "A.json").read_text())["mask"]


def declared_png(height: int, width: int, depth: int, colour: int) -> bytes:
    """A PNG that says that it is large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


def text(old: str, new: str) -> Callable[[Study], Any]:
    """Make a change of the JSON that json.dumps could not write."""

    def change(study: Study) -> None:
        path = study.masks_dir / "A.json"
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))

    return change


def lesion(**fields: Any) -> Callable[[Study], Any]:
    """Change what is said of the lesion."""

    def change(study: Study) -> None:
        path = study.masks_dir / "A.json"
        value = json.loads(path.read_text())
        value["instances"][0].update(fields)
        path.write_text(json.dumps(value))

    return change


def a_folder_instead(study: Study) -> None:
    (study.masks_dir / "A.json").unlink()
    (study.masks_dir / "A.json").mkdir()


DAMAGED_JSON = {
    "nested without end": lambda study: (study.masks_dir / "A.json").write_text("[" * 200_000),
    "an infinite id": text('"id": 1', '"id": 1e999'),
    "a score beyond floats": text('"score": null', '"score": ' + "9" * 400),
    "a lesion that is a word": text('"instances": [', '"instances": ["x", '),
    "a lesion that is null": text('"instances": [', '"instances": [null, '),
    "an id as text": lesion(id="1"),
    "an id beyond 16 bits": lesion(id=65536),
    "prompts that are a word": lesion(prompts="abc"),
    "prompts that are a list": lesion(prompts=[1, 2]),
    "an annotator that is an object": lesion(annotator={"a": 1}),
    "a time that is a number": lesion(time=3),
    "a path out of the folder": text('"mask": "', '"mask": "../masks/'),
    "a folder": a_folder_instead,
}
DAMAGED_PNG = {
    "a size beyond all memory": declared_png(60_000, 60_000, 16, 0),
    "16 bits and colour": declared_png(*SHAPE, 16, 2),
    "next to no pixels": declared_png(*SHAPE, 16, 0),
    "nothing": b"",
}


@pytest.mark.parametrize("change", DAMAGED_JSON.values(), ids=DAMAGED_JSON.keys())
def test_a_damaged_json_is_one_clear_error_in_lists_and_when_opened(study, change):
    change(study)
    for read in (study.annotation, study.annotation_summary):
        with pytest.raises(InputError, match=r"masks/A\.json"):
            read("A")
    assert study.annotation("B").mask.any()


@pytest.mark.parametrize("content", DAMAGED_PNG.values(), ids=DAMAGED_PNG.keys())
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_damaged_png_is_one_clear_error(study, content):
    png_of(study).write_bytes(content)
    with pytest.raises(InputError, match=r"masks/A-\w{8}\.png"):
        study.annotation("A")
    assert study.annotation_summary("A").accepted == 1


@pytest.mark.parametrize("length", [20, 60, -40])
def test_a_png_that_was_cut_off_is_one_clear_error(study, length):
    noise = np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint16)
    study.save_annotation(study.annotation("A").replace(mask=noise))
    png = png_of(study)
    png.write_bytes(png.read_bytes()[:length])
    with pytest.raises(InputError, match="not a readable image"):
        study.annotation("A")


def test_only_pngs_are_decoded(study):
    png = png_of(study)
    Image.fromarray(np.ones(SHAPE, np.uint8)).save(png, format="TIFF")
    with pytest.raises(InputError, match="not a readable image"):
        study.annotation("A")


def test_null_for_a_text_means_none(study):
    lesion(backend=None, annotator=None)(study)
    (found,) = study.annotation("A").instances
    assert (found.backend, found.annotator) == ("", "")


def test_a_link_is_replaced_and_what_it_leads_to_stays(study, tmp_path):
    path, outside = study.masks_dir / "A.json", tmp_path / "outside.json"
    path.rename(outside)
    try:
        path.symlink_to(outside)
    except OSError:
        pytest.skip("no symbolic links here")
    before = outside.read_bytes()
    study.save_annotation(study.annotation("A").replace(status="unsure"))
    assert outside.read_bytes() == before
    assert not path.is_symlink()
    assert study.annotation("A").status == "unsure"
