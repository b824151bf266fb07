"""What was exported comes back as it was: masks, diagnoses, prompts, provenance, status; in every format and shape."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth import Study
from napari_hsisynth.study import import_hsidermoscopy
from napari_hsisynth.study.exchange import export_annotations, import_annotations


def target(tmp_path, kind):
    return tmp_path / ("out.json" if kind == "coco" else "out")


@pytest.mark.parametrize("kind", ["coco", "labelstudio", "labelme"])
@pytest.mark.parametrize("shapes", [None, "auto", "mask", "polygon"])
def test_nothing_is_lost(marked, bare, same, tmp_path, kind, shapes):
    report = export_annotations(kind, marked, target(tmp_path, kind), status="all", shapes=shapes)
    assert report.cubes == 3
    assert report.lesions == 5 + (kind == "labelstudio")  # which holds bob's as well
    back = import_annotations(kind, target(tmp_path, kind), bare)
    assert sorted(back.cubes) == ["DN_1", "MM_1"]
    assert back.lesions == report.lesions
    same(marked, bare, "DN_1")
    same(marked, bare, "MM_1")
    if kind == "labelstudio":
        same(marked, bare, "DN_1", "bob")
    assert not (bare.masks_dir / "Nv_1.json").exists()


@pytest.mark.parametrize("kind", ["coco", "labelstudio", "labelme"])
def test_one_annotators_work_goes_into_their_file(marked, bare, same, tmp_path, kind):
    export_annotations(kind, marked, target(tmp_path, kind), annotator="Bob")
    assert import_annotations(kind, target(tmp_path, kind), bare).cubes == ["DN_1"]
    bare.save_annotation(marked.annotation("DN_1"))
    np.testing.assert_array_equal(bare.annotation("DN_1").mask, marked.annotation("DN_1").mask)
    again = import_annotations(kind, target(tmp_path, kind), bare)
    assert again.cubes == ["DN_1"]
    same(marked, bare, "DN_1", "bob")


@pytest.mark.parametrize("kind", ["coco", "labelstudio", "labelme", "hsidermoscopy"])
def test_only_accepted_lesions_are_exported_unless_asked(marked, bare, tmp_path, kind):
    report = export_annotations(kind, marked, target(tmp_path, kind))
    assert report.cubes == 2
    assert "lesions left out: 1 draft and 1 unsure" in report.notes
    if kind != "hsidermoscopy":
        import_annotations(kind, target(tmp_path, kind), bare)
        assert [one.status for one in bare.annotation("MM_1").instances] == ["accepted"]


def test_masks_of_hsidermoscopy_come_back_through_its_importer(source, make, tmp_path):
    first = import_hsidermoscopy(source, tmp_path / "first").study
    first.save_annotation(
        first.annotation("Nv_1").with_instance(make.disc(make.shape, (9, 9), 4), "nevus").replace(status="done")
    )
    report = export_annotations("hsidermoscopy", first, tmp_path / "out")
    assert report.notes == []
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert found == [
        "masks/DNCube/DN_1_crop00_mask.png",
        "masks/MMCube/MM_1_crop00_mask.png",
        "masks/MMCube/MM_1_crop01_mask.png",
        "masks/OtherCube/Nv_1_crop00_mask.png",
    ]
    with Image.open(tmp_path / "out" / found[0]) as image:
        assert (image.mode, image.size, image.getextrema()) == ("L", make.shape[::-1], (0, 255))
    shutil.copytree(source / "images", tmp_path / "out" / "images")
    second = import_hsidermoscopy(tmp_path / "out", tmp_path / "second").study
    for entry in first.entries:
        one, other = first.annotation(entry.id), second.annotation(entry.id)
        np.testing.assert_array_equal(one.mask, other.mask)
        assert [each.diagnosis for each in one.instances] == [each.diagnosis for each in other.instances]
        assert one.status == other.status


def test_what_the_layout_of_hsidermoscopy_cannot_say_is_told(marked, tmp_path, make):
    marked.add_cube(make.cube(9), "X_1", "nevus", mask=make.disc(make.shape, (9, 9), 4))
    report = export_annotations("hsidermoscopy", marked, tmp_path / "out", status="all")
    assert "X_1: the name does not tell the diagnosis nevus, which is lost here" in report.notes
    assert "DN_1, MM_1: lesions with another diagnosis than their cube lose it here" in report.notes
    assert json.loads((tmp_path / "out" / "export.json").read_text())["notes"] == report.notes
    assert Study.open(marked.root).annotation("DN_1").instances


def test_what_polygons_mean_for_holes_is_told(marked, tmp_path):
    said = export_annotations("coco", marked, tmp_path / "a.json").notes
    assert "DN_1: lesions with holes are run lengths (RLE), the others polygons" in said
    said = export_annotations("coco", marked, tmp_path / "b.json", shapes="polygon").notes
    assert any(note.startswith("DN_1: holes are joined to the outside by slits of no width") for note in said)
    said = export_annotations("labelstudio", marked, tmp_path / "c", shapes="polygon").notes
    assert any("a polygon of Label Studio has one part" in note for note in said)
