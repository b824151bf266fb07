"""A crop put back where it was cut from gives its cube again."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_hsisynth import Cube, InputError, cli, read_cube, write_cube
from napari_hsisynth.study import CropRecord, make_crops, put_back, read_crop
from napari_hsisynth.study.boxes import crop_box
from napari_hsisynth.study.putting_back import placed
from napari_hsisynth.study.resizing import resized, size_with_shorter_side


def at(box, **changes):
    names = zip(("y0", "x0", "y1", "x1"), box, strict=True)
    return CropRecord("A_1", "A", 1, "nevus", "", **dict(names), source_sha256="", file="A_1.npz", **changes)


@settings(max_examples=50, deadline=None)
@given(st.data(), st.floats(0, 3), st.booleans())
def test_what_is_cut_and_put_back_is_the_cube_bit_by_bit(data, margin, square):
    shape = data.draw(st.integers(3, 30)), data.draw(st.integers(3, 30))
    y0, x0 = (data.draw(st.integers(0, side - 1)) for side in shape)
    y1, x1 = data.draw(st.integers(y0 + 1, shape[0])), data.draw(st.integers(x0 + 1, shape[1]))
    cube = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    cube[0, y0, x0], cube[1, 0, 0] = np.nan, np.inf
    box = crop_box((y0, x0, y1, x1), shape, margin=margin, square=square)
    cut = cube[:, box[0] : box[2], box[1] : box[3]].copy()
    made = placed(cube, at(box), cut)
    assert made.tobytes() == cube.tobytes()
    other = placed(cube, at(box), cut + 1)
    outside = np.ones(shape, bool)
    outside[box[0] : box[2], box[1] : box[3]] = False
    np.testing.assert_array_equal(other[:, outside], cube[:, outside])
    np.testing.assert_array_equal(other[:, box[0] : box[2], box[1] : box[3]], cut + 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(8, 40))
def test_a_resized_crop_goes_back_into_its_box_and_keeps_flat_spectra(rows, columns, size):
    cube = np.full((2, 30, 30), 0.4, np.float32)
    shape = size_with_shorter_side((rows, columns), size)
    record = at((1, 2, 1 + rows, 2 + columns), height_px=shape[0], width_px=shape[1])
    made = placed(cube, record, np.full((2, *shape), 0.7, np.float32))
    expected = cube.copy()
    expected[:, 1 : 1 + rows, 2 : 2 + columns] = 0.7
    np.testing.assert_allclose(made, expected, rtol=1e-6)


@pytest.mark.parametrize("size", [None, 8, 48])
def test_crops_of_a_study_go_back_into_their_cubes(study, size):
    make_crops(study, size=size)
    source, made = study.read_cube("B"), put_back(study, "B_2")
    y0, x0, y1, x1 = made.record.box
    inside = np.zeros(source.shape_yx, bool)
    inside[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(made.cube.data[:, ~inside], source.data[:, ~inside])
    if size is None:
        assert made.cube.data.tobytes() == source.data.tobytes()
    elif size == 48:  # three times as large and back: only smoothed
        assert np.abs(made.cube.data - source.data).max() < 0.5
    lesion = study.annotation("B").mask_of(2)
    assert not made.mask[~inside].any()
    agreement = (made.mask & lesion).sum() / (made.mask | lesion).sum()
    assert agreement == 1 if size != 8 else agreement > 0.7
    said = made.cube.provenance["put_back"]
    assert said[0]["crop"] == "B_2"
    assert said[0]["resized_from"] == (None if size is None else [size, size])


def test_a_synthetic_patch_makes_a_synthetic_cube(study):
    make_crops(study, size=16)
    record = study.crops()[0]
    draw = np.random.default_rng(5).random((16, 16, 16), dtype=np.float32)
    patch = Cube(draw, study.wavelengths_nm, name="syn-1", provenance={"run": "r-1", "checkpoint": "last", "seed": 3})
    made = put_back(study, record.crop_id, patch)
    y0, x0, y1, x1 = record.box
    np.testing.assert_array_equal(made.cube.data[:, y0:y1, x0:x1], resized(draw, record.box_shape_yx))
    assert made.cube.provenance["origin"] == "synthetic"
    assert made.cube.provenance["put_back"][0]["patch"]["provenance"]["run"] == "r-1"
    json.dumps(made.cube.provenance)  # so that every format can hold it


def test_what_does_not_fit_is_refused(study, make):
    make_crops(study, size=16)
    with pytest.raises(InputError, match=r"no crop 'Z_1' in this study; the first of 3 is A_1"):
        put_back(study, "Z_1")
    with pytest.raises(InputError, match=r"values of 16 x 5 x 5 do not fit the crop; 16 x 16 x 16 or 16 x 14 x 14 are"):
        put_back(study, "A_1", make.cube(0, shape=(5, 5)))
    with pytest.raises(InputError, match="3 bands, but the study has 16"):
        put_back(study, "A_1", Cube(np.ones((3, 16, 16)), [500, 550, 600]))
    with pytest.raises(InputError, match="not cut from a cube of 9 x 32 px"):
        placed(np.zeros((16, 9, 32), np.float32), study.crops()[0], np.zeros((16, 16, 16), np.float32))
    write_cube(study.cube_path("A"), make.cube(99))
    with pytest.raises(InputError, match="has changed since the crop was cut"):
        put_back(study, "A_1")


def test_the_verb_writes_cube_and_mask(study, tmp_path, capsys):
    make_crops(study)
    out, mask = tmp_path / "back.npz", tmp_path / "back.png"
    assert cli.main(["put-back", str(study.root), "B_1", "--out", str(out), "--mask", str(mask), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cube"] == "B"
    assert read_cube(out).data.tobytes() == study.read_cube("B").data.tobytes()
    with Image.open(mask) as image:
        np.testing.assert_array_equal(np.array(image) > 0, study.annotation("B").mask_of(1))
    record = study.crops()[1]
    crop = read_crop(study.crops_dir, record)
    brighter = tmp_path / "brighter.npz"
    write_cube(brighter, crop.cube.replace(data=crop.cube.data * 2))
    assert cli.main(["put-back", str(study.root), "B_1", "--out", str(out), "--from", str(brighter)]) == 0
    y0, x0, y1, x1 = record.box
    np.testing.assert_array_equal(read_cube(out).data[:, y0:y1, x0:x1], crop.cube.data * 2)
    assert cli.main(["put-back", str(study.root), "B_9", "--out", str(out)]) == 2


def test_older_records_are_native(study):
    make_crops(study)
    record = dataclasses.replace(study.crops()[0], source_height_px=None, source_width_px=None)
    assert not record.resized
    assert record.scale_yx == (1, 1)
    data = study.read_cube("A").data
    y0, x0, y1, x1 = record.box
    assert placed(data, record, data[:, y0:y1, x0:x1]).tobytes() == data.tobytes()
