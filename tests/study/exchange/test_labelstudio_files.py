"""Label Studio as it exports tasks: several people, predictions, brushes, polygons and rectangles."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.exchange import export_annotations, import_annotations
from napari_hsisynth.study.exchange.brush_rle import encoded


@pytest.fixture
def shapes(make):
    """Make results as Label Studio writes them."""
    height, width = make.shape

    class Shapes:
        def result(self, kind, value, label="Melanoma", **more):
            common = {"original_height": height, "original_width": width, "image_rotation": 0, "id": "r1"}
            value = {**value, **({f"{kind}labels": [label]} if label else {})}
            return {**common, "type": f"{kind}labels", "from_name": "tag", "to_name": "image", "value": value, **more}

        def brush(self, mask, label="Melanoma", **more):
            return self.result("brush", {"format": "rle", "rle": encoded(mask)}, label, **more)

        def polygon(self, points, **more):
            percent = [[100 * x / width, 100 * y / height] for x, y in points]
            return self.result("polygon", {"points": percent, "closed": True}, **more)

        def rectangle(self, x, y, right, down, **more):
            value = {"x": 100 * x / width, "y": 100 * y / height, "rotation": more.pop("turned", 0)}
            return self.result(
                "rectangle", value | {"width": 100 * right / width, "height": 100 * down / height}, **more
            )

    return Shapes()


@pytest.fixture
def write(tmp_path):
    """Write tasks; the picture is that of DN_1 unless said otherwise."""

    def tasks(*given):
        path = tmp_path / "project-1-at-2026.json"
        path.write_text(
            json.dumps([{"id": 1, "data": {"image": "/data/upload/1/0a1b2c3d-DN_1.png"}} | one for one in given])
        )
        return path

    return tasks


def by(who, *results, **more):
    return {"id": 5, "completed_by": who, "result": list(results), "was_cancelled": False, **more}


def test_brushes_and_polygons_become_accepted_lesions(bare, make, write, shapes):
    disc = make.disc(make.shape, (8, 10), 5)
    corners = [(20, 2), (26, 2), (26, 8), (20, 8)]
    path = write(
        {"annotations": [by(3, shapes.brush(disc), shapes.polygon(corners, id="r2", label="dysplastic nevus"))]}
    )
    report = import_annotations("labelstudio", path, bare)
    assert (report.cubes, report.lesions) == (["DN_1"], 2)
    annotation = bare.annotation("DN_1")
    np.testing.assert_array_equal(annotation.mask == 1, disc)
    expected = np.zeros(make.shape, bool)
    expected[2:8, 20:26] = True
    np.testing.assert_array_equal(annotation.mask == 2, expected)
    assert [(one.diagnosis.value, one.status) for one in annotation.instances] == [
        ("melanoma", "accepted"),
        ("dysplastic_nevus", "accepted"),
    ]
    assert {one.annotator for one in annotation.instances} == {"user 3"}


def test_every_person_gets_a_file_of_their_own(bare, make, write, shapes):
    discs = [make.disc(make.shape, (8, 10 + shift), 5) for shift in range(3)]
    people = [{"id": 1, "email": "jane@example.org"}, {"id": 2, "first_name": "Bo", "last_name": "Li"}, 7]
    annotations = [by(who, shapes.brush(disc)) for who, disc in zip(people, discs, strict=True)]
    report = import_annotations("labelstudio", write({"annotations": annotations}), bare)
    assert report.lesions == 3
    for disc, key in zip(discs, [None, "Bo_Li", "user_7"], strict=True):
        np.testing.assert_array_equal(bare.annotation("DN_1", key).mask == 1, disc)
    assert bare.annotation("DN_1").instances[0].annotator == "jane@example.org"
    assert import_annotations("labelstudio", write({"annotations": annotations}), bare).cubes == []


def test_the_masks_that_came_with_a_cube_are_nobodys_and_stay(bare, make, write, shapes):
    given = bare.annotation("DN_1").with_instance(make.disc(make.shape, (15, 15), 3), "nevus", backend="given")
    bare.save_annotation(given)
    import_annotations(
        "labelstudio", write({"annotations": [by(7, shapes.brush(make.disc(make.shape, (8, 10), 5)))]}), bare
    )
    np.testing.assert_array_equal(bare.annotation("DN_1").mask, given.mask)
    assert bare.annotation("DN_1", "user_7").mask.any()


def test_of_two_annotations_by_one_person_the_later_counts(bare, make, write, shapes):
    early, late = make.disc(make.shape, (8, 10), 5), make.disc(make.shape, (9, 10), 4)
    annotations = [
        by(1, shapes.brush(late), updated_at="2026-02-02T00:00:00Z"),
        by(1, shapes.brush(early), updated_at="2026-02-01T00:00:00Z"),
    ]
    report = import_annotations("labelstudio", write({"annotations": annotations}), bare)
    np.testing.assert_array_equal(bare.annotation("DN_1").mask == 1, late)
    assert any("of two annotations by user 1 the later one counts" in note for note in report.notes)


def test_predictions_are_drafts_with_their_score_and_yield_to_annotations(bare, make, write, shapes):
    disc = make.disc(make.shape, (8, 10), 5)
    weak, strong = (
        {"id": n, "score": n / 10, "model_version": f"m{n}", "result": [shapes.brush(disc)]} for n in (2, 8)
    )
    import_annotations("labelstudio", write({"predictions": [strong, weak]}), bare)
    (found,) = bare.annotation("DN_1").instances
    assert (found.status, found.score, found.model) == ("draft", 0.8, "m8")
    assert bare.annotation("DN_1").status == "todo"
    other = {"data": {"picture": "https://host/x/MM_1.png?token=a.b"}}
    both = write(other | {"annotations": [by(1, shapes.brush(disc))], "predictions": [strong]})
    report = import_annotations("labelstudio", both, bare)
    (found,) = bare.annotation("MM_1").instances
    assert found.status == "accepted"
    assert "1 predictions were left out, for their tasks have annotations" in report.notes


def test_rectangles_are_prompts_or_drafts(bare, make, write, shapes):
    disc = make.disc(make.shape, (8, 10), 5)
    results = [
        shapes.rectangle(4, 2, 13, 12),
        shapes.brush(disc, id="r2"),
        shapes.rectangle(20, 15, 6, 5, id="r3"),
        shapes.rectangle(30, 2, 4, 6, id="r4", turned=90),  # about its corner: to the left of it
    ]
    import_annotations("labelstudio", write({"annotations": [by(1, *results)]}), bare)
    lesion, draft, turned = bare.annotation("DN_1").instances
    assert (lesion.status, lesion.prompts["box"]) == ("accepted", [2, 4, 14, 17])
    assert (draft.status, draft.prompts["box"]) == ("draft", [15, 20, 20, 26])
    assert (turned.status, turned.prompts["box"]) == ("draft", [2, 24, 6, 30])


def test_labels_may_be_results_of_their_own(bare, make, write, shapes):
    disc = make.disc(make.shape, (8, 10), 5)
    plain = shapes.brush(disc, label="") | {"type": "brush"}
    label = {"id": "r1", "type": "labels", "value": {"labels": ["Seborrhoeic keratosis"]}}
    ellipse = shapes.result("ellipse", {"x": 1, "y": 1, "radiusX": 2, "radiusY": 2}, id="r9")
    report = import_annotations("labelstudio", write({"annotations": [by(1, plain, label, ellipse)]}), bare)
    assert bare.annotation("DN_1").instances[0].diagnosis.value == "seborrheic_keratosis"
    assert "DN_1: regions of the type 'ellipselabels' were left out" in report.notes


def test_what_cannot_be_used_is_skipped_with_the_reason(bare, make, write, shapes):
    disc = make.disc(make.shape, (8, 10), 5)
    small = shapes.brush(disc, original_width=16, original_height=12)
    report = import_annotations(
        "labelstudio",
        write(
            {"annotations": [by(1, shapes.brush(disc))]},
            {"annotations": [by(1, small)], "data": {"image": "MM_1.png"}},
            {"annotations": [by(1, shapes.brush(disc), was_cancelled=True)], "data": {"image": "Nv_1.png"}},
            {"annotations": [by(1, shapes.brush(disc, image_rotation=90))], "data": {"image": "Nv_1.jpg"}},
            {"annotations": [], "data": {"image": "Nv_1.tif"}},
            {"annotations": [by(2, shapes.result("brush", {"rle": [1, 2, 3]}))]},
            {"annotations": [by(1, shapes.brush(disc))], "data": {"image": "other/..%2f..%2fpasswd.png"}},
            {"annotations": "x", "predictions": 4, "data": {"image": 5}},
        ),
        bare,
    )
    assert report.cubes == ["DN_1"]
    assert dict(report.skipped) == {
        "MM_1.png": "drawn in a picture of 12 x 16 px, its cube has 24 x 32 px",
        "Nv_1.png": "user 1 skipped it in Label Studio",
        "Nv_1.jpg": "the picture was turned in Label Studio",
        "Nv_1.tif": "nobody has annotated it",
        "/data/upload/1/0a1b2c3d-DN_1.png": "the brush's run lengths are cut off",
        "other/..%2f..%2fpasswd.png": "the study has no cube of this name",
        "task 8": "nobody has annotated it",
    }


def test_results_of_no_known_form_are_left_out(bare, make, write, shapes):
    odd = [5, {"type": [], "value": {}}, {"type": "brushlabels", "value": []}, {"type": {}, "value": {"rle": 3}}]
    lesion = shapes.brush(make.disc(make.shape, (8, 10), 5))
    assert import_annotations("labelstudio", write({"annotations": [by([], lesion, *odd)]}), bare).lesions == 1


@pytest.mark.parametrize("text", ["[]", "{}", "[{}]", '[{"data": 3}]', "3", "null", '"x"', "[[[]]]"])
def test_what_is_no_export_is_refused(bare, tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json: not a Label Studio export"):
        import_annotations("labelstudio", tmp_path / "x.json", bare)


def test_the_export_is_ready_to_be_imported_there(marked, tmp_path, make):
    export_annotations("labelstudio", marked, tmp_path / "out", status="all")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert [task["data"]["hsisynth_cube"] for task in tasks] == ["DN_1", "MM_1", "Nv_1"]
    by_id = {task["data"]["hsisynth_cube"]: task for task in tasks}
    assert by_id["DN_1"]["data"]["image"] == "/data/local-files/?d=out/images/DN_1.png"
    assert [len(one["result"]) for one in by_id["DN_1"]["annotations"]] == [2, 1]
    (prediction,) = by_id["MM_1"]["predictions"]
    assert [(one["value"]["brushlabels"], one["meta"]["hsisynth"]["status"]) for one in prediction["result"]] == [
        (["melanoma"], "draft"),
        (["other"], "unsure"),
    ]
    assert prediction["score"] == 0.5
    assert "annotations" not in by_id["Nv_1"]
    assert all("completed_by" not in one for task in tasks for one in task.get("annotations", ()))
    ids = [result["id"] for one in by_id["DN_1"]["annotations"] for result in one["result"]]
    assert len(set(ids)) == len(ids)
    with Image.open(tmp_path / "out" / "images" / "DN_1.png") as image:
        assert image.size == make.shape[::-1]
    interface = ElementTree.parse(tmp_path / "out" / "labels.xml").getroot()
    tags = {tag.get("name"): [label.get("value") for label in tag] for tag in interface if tag.tag != "Image"}
    used = {one["from_name"] for task in tasks for part in task.get("annotations", ()) for one in part["result"]}
    assert used <= set(tags)
    assert set(tags["brush"]) >= {"melanoma", "dysplastic_nevus", "other"}


def test_what_was_corrected_there_comes_back_with_its_prompts(marked, bare, tmp_path, make):
    """Label Studio adds ids and who it was, and drops what it does not know."""
    export_annotations("labelstudio", marked, tmp_path / "out", annotator="Ann Example")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    (annotation,) = tasks[0]["annotations"]
    del annotation["hsisynth"]
    corrected = make.disc(make.shape, (6, 6), 4)
    annotation["result"][0]["value"]["rle"] = encoded(corrected)
    annotation |= {"id": 1, "completed_by": {"id": 2, "email": "bo@example.org"}}
    (tmp_path / "back.json").write_text(json.dumps(tasks))
    import_annotations("labelstudio", tmp_path / "back.json", bare)
    found = bare.annotation("DN_1")
    np.testing.assert_array_equal(found.mask == 1, corrected)
    before = marked.annotation("DN_1").instance(1)
    assert (found.instance(1).prompts, found.instance(1).score) == (before.prompts, before.score)
    assert found.instance(1).annotator == "bo@example.org"
