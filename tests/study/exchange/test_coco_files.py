"""COCO as other programs write and read it."""

import json

import numpy as np
import pytest
from pycocotools import mask as pycoco
from pycocotools.coco import COCO

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.exchange import export_annotations, import_annotations


@pytest.fixture
def write(tmp_path, make):
    """Write a COCO file of one image DN_1, with these annotations."""

    def coco(*annotations, **changes):
        height, width = make.shape
        value = {
            "images": [{"id": 7, "file_name": "set/DN_1.png", "height": height, "width": width}],
            "categories": [{"id": 3, "name": "Melanoma"}, {"id": 4, "name": "wart"}, {"id": 5, "name": "lesion"}],
            "annotations": [{"id": n, "image_id": 7, "category_id": 3, **one} for n, one in enumerate(annotations, 1)],
        }
        path = tmp_path / "coco.json"
        path.write_text(json.dumps(value | changes))
        return path

    return coco


def packed(mask):
    rle = pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


@pytest.mark.parametrize("shapes", ["auto", "mask", "polygon"])
def test_pycocotools_reads_the_masks_that_were_exported(marked, tmp_path, shapes, capsys):
    export_annotations("coco", marked, tmp_path / "out.json", status="all", shapes=shapes)
    coco = COCO(str(tmp_path / "out.json"))
    by_name = {image["file_name"].split(".")[0]: image["id"] for image in coco.loadImgs(coco.getImgIds())}
    assert set(by_name) == {"DN_1", "MM_1", "Nv_1"}
    for cube_id, image_id in by_name.items():
        annotation = marked.annotation(cube_id)
        found = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        assert len(found) == len(annotation.instances)
        for one, instance in zip(found, annotation.instances, strict=True):
            mask = annotation.mask_of(instance.id)
            np.testing.assert_array_equal(coco.annToMask(one).astype(bool), mask)
            assert one["area"] == mask.sum()
            assert one["bbox"] == pycoco.toBbox(pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))).tolist()
            assert coco.loadCats(one["category_id"])[0]["name"] == instance.diagnosis.value
            assert one.get("score") == instance.score


def test_every_form_of_a_segmentation_is_read(bare, make, write):
    ring = make.disc(make.shape, (6, 6), 5) & ~make.disc(make.shape, (6, 6), 2)
    counts = {"size": list(make.shape), "counts": [0, 2, make.shape[0] * make.shape[1] - 2]}
    polygons = [[20, 2, 24, 2, 24, 6, 20, 6], [26, 2, 28, 2, 28, 4, 26, 4]]
    path = write(
        {"segmentation": packed(ring), "score": 0.75},
        {"segmentation": counts, "category_id": 5},
        {"segmentation": polygons, "category_id": 4, "bbox": [1, 2, 3, 4]},
    )
    report = import_annotations("coco", path, bare)
    annotation = bare.annotation("DN_1")
    np.testing.assert_array_equal(annotation.mask == 1, ring)
    assert np.argwhere(annotation.mask == 2).tolist() == [[0, 0], [1, 0]]  # down the first column
    assert (annotation.mask == 3).sum() == 16 + 4
    assert [one.diagnosis.value for one in annotation.instances] == ["melanoma", "dysplastic_nevus", "other"]
    assert [one.score for one in annotation.instances] == [0.75, None, None]
    assert annotation.instances[2].extra == {"imported_label": "wart"}
    assert {one.backend for one in annotation.instances} == {"import"}
    assert annotation.status == "done"
    assert any("'wart' is no diagnosis of ours and was taken as other" in note for note in report.notes)
    assert any("'lesion' names no diagnosis: taken as the diagnosis of the cube" in note for note in report.notes)


def test_a_box_is_the_prompt_of_the_lesion_that_fills_it_else_a_draft(bare, make, write):
    disc = make.disc(make.shape, (8, 10), 5)
    path = write({"bbox": [4.2, 2.6, 12, 11]}, {"segmentation": packed(disc)}, {"bbox": [20, 15, 6, 5]})
    import_annotations("coco", path, bare)
    lesion, draft = bare.annotation("DN_1").instances
    assert (lesion.status, lesion.prompts) == ("accepted", {"points": [], "labels": [], "box": [2, 4, 14, 17]})
    assert (draft.status, draft.prompts) == ("draft", {"points": [], "labels": [], "box": [15, 20, 20, 26]})
    assert bare.annotation("DN_1").status == "todo"


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"segmentation": {"size": [24, 31], "counts": "22"}}, r"a mask is of size \[24, 31\]"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, "a mask is of size"),
        ({"segmentation": {"size": [24, 32], "counts": [5, 5]}}, "cover 10 px, the image has 768"),
        ({"segmentation": {"size": [24, 32], "counts": [800, -32]}}, "run length -32"),
        ({"segmentation": {"size": [24, 32], "counts": {}}}, "no run lengths"),
        ({"segmentation": {"size": [24, 32], "counts": "\u00ff"}}, "damaged"),
        ({"segmentation": [[1, 2, 3, 4]]}, "a polygon needs three points"),
        ({"segmentation": [[1, 2, 3, 4, float("nan"), 5]]}, "not a number"),
        ({"segmentation": 5}, "neither run lengths nor polygons"),
        ({"bbox": [1, 2, 3]}, "not four numbers"),
        ({"bbox": [500, 500, 3, 3]}, "no pixel in the image"),
        ({"bbox": [1e308, 0, 1e308, 1]}, "a box has no end"),
    ],
)
def test_a_damaged_lesion_leaves_the_whole_cube_out_and_says_why(bare, make, write, annotation, reason):
    good = packed(make.disc(make.shape, (8, 10), 5))
    with pytest.raises(InputError, match=f"nothing to import: set/DN_1.png: left out, .*({reason})") as caught:
        import_annotations("coco", write({"segmentation": good}, annotation), bare)
    assert "\n" not in str(caught.value)
    assert not bare.masks_dir.exists()


def test_images_that_do_not_fit_are_skipped_with_the_reason_and_the_others_come_in(bare, make, write):
    disc = {"image_id": 1, "category_id": 3, "segmentation": packed(make.disc(make.shape, (8, 10), 5))}
    height, width = make.shape
    images = [
        {"id": 1, "file_name": "..\\..\\DN_1.tif", "height": height, "width": width},
        {"id": 2, "file_name": "MM_1.png", "height": height, "width": width + 1},
        {"id": 3, "file_name": "../../etc/passwd", "height": height, "width": width},
        {"id": "4", "file_name": "Nv_1.png"},
        {"file_name": "x.png"},
        None,
    ]
    annotations = [disc, disc | {"image_id": 2}, disc | {"image_id": 3}, disc | {"image_id": 99}, "x"]
    report = import_annotations("coco", write(images=images, annotations=annotations), bare)
    assert report.cubes == ["DN_1"]
    assert report.skipped == [
        ("x.png", "it has no id"),
        ("MM_1.png", "the picture has 24 x 33 px, its cube 24 x 32 px"),
        ("../../etc/passwd", "the study has no cube of this name"),
        ("Nv_1.png", "no lesion in it"),
    ]
    assert "1 annotations belong to no image of the file and were left out" in report.notes


def test_fields_of_ours_that_were_damaged_are_left_out(bare, make, write):
    own = {
        "id": 70000, "prompts": {"points": [[99, 99]], "labels": [1], "box": None}, "backend": 5, "status": "maybe",
        "score": "high", "annotator": "Ann", "breslow_mm": 0.4, "deep": json.loads("[" * 300 + "]" * 300),
    }  # fmt: skip
    path = write({"segmentation": packed(make.disc(make.shape, (8, 10), 5)), "hsisynth": own})
    import_annotations("coco", path, bare)
    (found,) = bare.annotation("DN_1").instances
    assert (found.id, found.prompts, found.backend, found.status, found.score) == (1, None, "import", "accepted", None)
    assert (found.annotator, found.extra) == ("Ann", {"breslow_mm": 0.4})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, ".*nested too deep"),
        ("[]", "not COCO: .*a list of annotations alone does not name its images"),
        ("{}", "not COCO"),
        ('{"images": {}}', "not COCO"),
        ('{"images": []}', "no pictures in it"),
        ('{"images": [{"id": 1, "file_name": "\\ud800"}]}', "not text in UTF-8"),
        ('{"images": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_what_is_no_coco_is_refused_in_one_sentence(bare, tmp_path, text, message):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=rf"x\.json: ({message})"):
        import_annotations("coco", tmp_path / "x.json", bare)


def test_a_folder_holds_one_json_or_the_file_is_named(bare, tmp_path, make, write):
    write({"segmentation": packed(make.disc(make.shape, (8, 10), 5))})
    assert import_annotations("coco", tmp_path, bare).lesions == 1
    (tmp_path / "two.json").write_text("{}")
    with pytest.raises(InputError, match="2 JSON files in this folder; name the file itself"):
        import_annotations("coco", tmp_path, bare)
    with pytest.raises(InputError, match="no such file"):
        import_annotations("coco", tmp_path / "gone.json", bare)
