"""labelme's files as it writes and reads them."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.exchange import export_annotations, import_annotations


@pytest.fixture
def write(tmp_path, make):
    """Write a file of labelme with these shapes into a folder."""

    def labelme(*shapes, name="DN_1", **changes):
        height, width = make.shape
        value = {"version": "5.5.0", "flags": {}, "imagePath": f"{name}.png", "imageData": None}
        value |= {"imageHeight": height, "imageWidth": width}
        shapes = [
            {"label": "melanoma", "group_id": None, "flags": {}, "shape_type": "polygon", **one} for one in shapes
        ]
        folder = tmp_path / "labelme"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(value | {"shapes": shapes} | changes))
        return folder

    return labelme


def square(y, x, side):
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


def picture(mask):
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_shapes_of_every_type_are_read(bare, make, write):
    corner = np.array([[1, 0], [1, 1]])
    folder = write(
        {"points": square(2, 3, 4)},
        {"points": square(2, 20, 3), "group_id": 4, "label": "nevus"},
        {"points": square(8, 20, 3), "group_id": 4, "label": "nevus"},
        {"points": [[10, 16], [11, 17]], "shape_type": "mask", "mask": picture(corner), "flags": {"unsure": True}},
        {"points": [[5.5, 18.5], [5.5, 20.5]], "shape_type": "circle", "flags": {"ulcerated": True}},
        {"points": [[25, 15], [29, 20]], "shape_type": "rectangle", "label": "other"},
        {"points": [[1, 1], [5, 5]], "shape_type": "line"},
    )
    report = import_annotations("labelme", folder, bare)
    annotation = bare.annotation("DN_1")
    assert [(one.diagnosis.value, one.status) for one in annotation.instances] == [
        ("melanoma", "accepted"),
        ("nevus", "accepted"),
        ("melanoma", "unsure"),
        ("melanoma", "accepted"),
        ("other", "draft"),
    ]
    areas = [int((annotation.mask == number).sum()) for number in range(1, 6)]
    assert areas == [16, 18, 3, 13, 20]
    assert np.argwhere(annotation.mask == 3).tolist() == [[16, 10], [17, 10], [17, 11]]
    assert annotation.instances[3].extra == {"labelme_flags": {"ulcerated": True}}
    assert annotation.instances[4].prompts["box"] == [15, 25, 20, 29]
    assert annotation.status == "unsure"
    assert "DN_1: shapes of the type 'line' were left out" in report.notes


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"points": [[1, 2], [3, 4]]}, "three points"),
        ({"points": [[1, 2], [3, 4], [float("inf"), 4]]}, "not a number"),
        ({"points": "x"}, "a list of points"),
        ({"points": [[1, 2]], "shape_type": "rectangle"}, "not given by two points"),
        ({"points": [[1, 2], [1e300, 2]], "shape_type": "circle"}, "not given by two points"),
        ({"points": [[1, 2], [3, 4]], "shape_type": "mask"}, "not a readable picture"),
        ({"points": [[1, 2], [3, 4]], "shape_type": "mask", "mask": "@@"}, "not a readable picture"),
        ({"points": [[1, 2], [3, 4]], "shape_type": "mask", "mask": 7}, "not a readable picture"),
        (
            {"points": [[1, 2], [3, 4]], "shape_type": "mask", "mask": picture(np.ones((3000, 3000)))},
            "3000 x 3000 px in",
        ),
        (
            {"points": [[30, 2], [33, 4]], "shape_type": "mask", "mask": picture(np.ones((3, 4)))},
            "outside of the image",
        ),
        ({"points": [[-1, 2], [2, 4]], "shape_type": "mask", "mask": picture(np.ones((3, 4)))}, "outside of the image"),
    ],
)
def test_a_damaged_shape_leaves_the_cube_out_and_the_others_come_in(bare, write, shape, reason):
    write({"points": square(2, 3, 4)}, name="MM_1")
    report = import_annotations("labelme", write({"points": square(2, 3, 4)}, shape), bare)
    assert report.cubes == ["MM_1"]
    ((picture_name, said),) = report.skipped
    assert picture_name == "DN_1.png"
    assert reason in said


def test_files_that_are_no_labelme_are_skipped_unless_there_is_nothing_else(bare, write):
    folder = write({"points": square(2, 3, 4)}, imagePath="..\\pictures\\DN_1.png")
    (folder / "broken.json").write_text("{")
    (folder / "other.json").write_text("[]")
    report = import_annotations("labelme", folder, bare)
    assert report.cubes == ["DN_1"]
    assert [what for what, _ in report.skipped] == ["broken.json", "other.json"]
    (folder / "DN_1.json").unlink()
    with pytest.raises(InputError, match="no JSON of labelme here"):
        import_annotations("labelme", folder, bare)
    with pytest.raises(InputError, match=r"broken\.json: not JSON"):
        import_annotations("labelme", folder / "broken.json", bare)


def test_the_export_is_what_labelme_writes(marked, tmp_path, make):
    export_annotations("labelme", marked, tmp_path / "out", status="all")
    value = json.loads((tmp_path / "out" / "DN_1.json").read_text())
    assert {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"} <= set(value)
    with Image.open(tmp_path / "out" / value["imagePath"]) as image:
        assert image.size == (value["imageWidth"], value["imageHeight"]) == make.shape[::-1]
    with_hole, *parts = value["shapes"]
    assert with_hole["shape_type"] == "mask"
    (x0, y0), (x1, y1) = with_hole["points"]
    with Image.open(io.BytesIO(base64.b64decode(with_hole["mask"]))) as image:
        inside = np.array(image).astype(bool)
    mask = marked.annotation("DN_1").mask
    np.testing.assert_array_equal(inside, mask[y0 : y1 + 1, x0 : x1 + 1] == 1)
    assert [shape["shape_type"] for shape in parts] == ["polygon", "polygon"]
    assert [shape["group_id"] for shape in parts] == [2, 2]
    flags = [shape["flags"] for shape in json.loads((tmp_path / "out" / "MM_1.json").read_text())["shapes"]]
    assert flags[:2] == [{"draft": True}, {"unsure": True}]
    assert all(flag == {} for flag in flags[2:])
