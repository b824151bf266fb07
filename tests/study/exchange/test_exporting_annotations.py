"""An export appears as a whole or not at all, and replaces nothing but another export."""

import json

import numpy as np
import pytest

from napari_hsisynth import InputError
from napari_hsisynth.study import Cancelled
from napari_hsisynth.study.exchange import KINDS, export_annotations

FOLDERS = [name for name, kind in KINDS.items() if not kind.suffix]


def test_what_is_there_is_not_replaced_unless_forced(marked, tmp_path):
    for kind in KINDS:
        dst = tmp_path / ("out.json" if kind == "coco" else kind)
        export_annotations(kind, marked, dst)
        with pytest.raises(InputError, match=r"it is there already; choose another name, or .* --force"):
            export_annotations(kind, marked, dst)
        assert export_annotations(kind, marked, dst, force=True).lesions == 3 + (kind == "labelstudio")


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_that_is_no_export_is_never_replaced(marked, tmp_path, kind):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter.txt").write_text("dear")
    for dst in (tmp_path / "letters", marked.root):
        with pytest.raises(InputError, match="not empty and no export"):
            export_annotations(kind, marked, dst, force=True)
    with pytest.raises(InputError, match="is a folder, and this a file"):
        export_annotations(kind, marked, tmp_path / "letters" / "letter.txt", force=True)
    assert (tmp_path / "letters" / "letter.txt").read_text() == "dear"
    (tmp_path / "empty").mkdir()
    assert export_annotations(kind, marked, tmp_path / "empty").cubes == 2


def test_coco_is_a_file(marked, tmp_path):
    with pytest.raises(InputError, match=r"COCO is one file; give a name that ends in \.json"):
        export_annotations("coco", marked, tmp_path / "out")
    (tmp_path / "x.json").mkdir()
    with pytest.raises(InputError, match="this is a folder"):
        export_annotations("coco", marked, tmp_path / "x.json", force=True)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_goes_wrong_leaves_what_was_there(marked, tmp_path, kind):
    dst = tmp_path / "to" / ("out.json" if kind == "coco" else "out")
    export_annotations(kind, marked, dst)
    before = {path: path.read_bytes() for path in dst.parent.rglob("*") if path.is_file()}
    for asked in (0, 1, 3):
        answers = iter([False] * asked + [True] * 9)
        with pytest.raises(Cancelled):
            export_annotations(kind, marked, dst, force=True, cancelled=answers.__next__)
    (marked.masks_dir / "MM_1.json").write_text("{ damaged")
    with pytest.raises(InputError, match=r"MM_1\.json: not an annotation"):
        export_annotations(kind, marked, dst, force=True)
    assert {path: path.read_bytes() for path in dst.parent.rglob("*") if path.is_file()} == before


def test_nothing_to_export_says_why(marked, bare, tmp_path):
    with pytest.raises(InputError, match="no lesion to export; mark lesions"):
        export_annotations("coco", bare, tmp_path / "out.json", status="all")
    with pytest.raises(InputError, match="Zoe has marked none; annotators are: Ann_Example, bob"):
        export_annotations("coco", marked, tmp_path / "out.json", annotator="Zoe")
    bare.save_annotation(bare.annotation("DN_1").with_instance(np.eye(24, 32, dtype=bool), "nevus", status="draft"))
    with pytest.raises(InputError, match=r"no lesion to export \(1 draft\); accept them"):
        export_annotations("coco", bare, tmp_path / "out.json")
    with pytest.raises(InputError, match="use one of: coco"):
        export_annotations("cvat", bare, tmp_path / "out")
    with pytest.raises(InputError, match="use accepted or all"):
        export_annotations("coco", bare, tmp_path / "out.json", status="draft")
    assert not (tmp_path / "out.json").exists()


def test_lesions_without_pixels_are_left_out_and_told(bare, tmp_path, make):
    annotation = bare.annotation("DN_1").with_instance(make.disc(make.shape, (8, 8), 2), "nevus")
    bare.save_annotation(annotation.with_instance(make.disc(make.shape, (8, 8), 3), "nevus"))
    report = export_annotations("coco", bare, tmp_path / "out.json", status="all")
    assert report.lesions == 1
    assert "lesions left out: 1 without pixels" in report.notes


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_says_what_it_is(marked, tmp_path, kind):
    told = []
    export_annotations(kind, marked, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    value = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (value["kind"], value["study"], value["cubes"]) == (kind, "mine", 2)
    assert told[-1] == (3, 3)
