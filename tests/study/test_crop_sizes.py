"""Crops of a chosen size, whole cubes, one diagnosis only; and a process killed in the middle of cutting."""

import dataclasses
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_hsisynth import Cube, InputError, Study, cli
from napari_hsisynth.study import CropRule, Diagnosis, Instance, make_crops, planned_crops, read_crop, whole_crop
from napari_hsisynth.study.crop_plan import lesion_boxes
from napari_hsisynth.study.resizing import resized, resized_mask


def crops(study):
    return {record.crop_id: read_crop(study.crops_dir, record) for record in study.crops()}


@pytest.mark.parametrize("size", [8, 16, 40])
def test_square_crops_have_exactly_the_size(study, size):
    native = make_crops(study, square=True).records
    cut = crops(study)
    make_crops(study, square=True, size=size)
    for crop_id, crop in crops(study).items():
        assert crop.cube.shape_yx == (size, size)
        assert crop.record.box == cut[crop_id].record.box
        assert crop.record.scale_yx[0] == size / (crop.record.y1 - crop.record.y0)
        np.testing.assert_array_equal(crop.cube.data, resized(cut[crop_id].cube.data, (size, size)))
        np.testing.assert_array_equal(crop.mask, resized_mask(cut[crop_id].mask, (size, size)))
        assert crop.mask.any()
        assert crop.cube.provenance["cropped"]["size_px"] == size
    assert [record.source_shape_yx for record in native] == [(24, 32)] * 3


def test_free_crops_have_the_size_on_their_shorter_side(empty_study, make):
    labels = np.zeros(make.shape, int)
    labels[4:14, 5:25] = 1
    empty_study.add_cube(make.cube(1), "A", "melanoma", mask=labels)
    record = make_crops(empty_study, margin=0, size=15).records[0]
    assert record.box == (4, 5, 14, 25)
    assert record.shape_yx == (15, 30)
    assert (record.height_px, record.width_px) == (15, 30)


def test_a_square_larger_than_its_image_is_cut_short_and_told(empty_study, make):
    labels = np.zeros(make.shape, int)
    labels[4:14, 2:30] = 1  # 28 px wide, 42 with its margin, in an image of 24 x 32
    empty_study.add_cube(make.cube(1), "A", "melanoma", mask=labels)
    report = make_crops(empty_study, square=True, size=12)
    assert report.records[0].box == (0, 0, 24, 32)
    assert report.records[0].shape_yx == (12, 16)
    assert any("1 crops are not square" in note and "A_1, 12 x 16 px" in note for note in report.notes)


def test_a_size_that_crops_have_already_changes_nothing(study):
    size = make_crops(study, square=True, margin=0.2).records[0].box_shape_yx[0]
    before = crops(study)["A_1"]
    make_crops(study, square=True, margin=0.2, size=size)
    after = crops(study)["A_1"]
    assert not after.record.resized
    assert after.record.height_px is None
    np.testing.assert_array_equal(after.cube.data, before.cube.data)


@pytest.mark.parametrize("size", [7, 5000, -1])
def test_a_size_out_of_range_is_refused_and_leaves_the_old_set(study, size):
    make_crops(study)
    with pytest.raises(InputError, match=r"not in 8\.\.4096"):
        make_crops(study, size=size)
    assert len(study.crops()) == 3


def test_whole_cubes_are_taken_where_no_lesion_is_accepted(study):
    report = make_crops(study, whole=True)
    assert [record.crop_id for record in report.records] == ["A_1", "B_1", "B_2", "C_0"]
    assert report.skipped == []
    assert report.notes == ["1 of 4 crops are whole cubes without an accepted lesion: empty masks"]
    crop = crops(study)["C_0"]
    assert (crop.record.instance, crop.record.mask_source, crop.record.whole) == (0, "none", True)
    assert crop.record.diagnosis is Diagnosis.NEVUS
    assert not crop.mask.any()
    assert crop.cube.data.tobytes() == study.read_cube("C").data.tobytes()
    make_crops(study, whole=True, size=12)
    assert crops(study)["C_0"].record.shape_yx == (12, 16)


def test_a_cube_whose_lesions_are_drafts_is_whole_without_their_mask(study):
    annotation = study.annotation("B")
    study.save_annotation(
        annotation.replace(
            instances=tuple(Instance(one.id, one.diagnosis, status="draft") for one in annotation.instances)
        )
    )
    make_crops(study, whole=True)
    assert not crops(study)["B_0"].mask.any()


def test_one_diagnosis_only(study):
    report = make_crops(study, diagnosis="Dysplastic nevus", whole=True)
    assert [record.crop_id for record in report.records] == ["B_1", "B_2"]
    assert dict(report.skipped) == {"A": "no lesion of dysplastic_nevus", "C": "no lesion marked"}
    assert "only dysplastic nevus: 1 accepted lesions of other diagnoses were left out" in report.notes
    with pytest.raises(InputError, match="no accepted lesion of other to crop"):
        make_crops(study, diagnosis="other")
    with pytest.raises(InputError, match="unknown diagnosis 'mole'"):
        make_crops(study, diagnosis="mole")
    assert len(study.crops()) == 2


def test_an_index_of_an_earlier_version_is_read_as_native(study):
    make_crops(study)
    index = study.crops_dir / "crops.csv"
    lines = index.read_text().splitlines()
    assert lines[0].endswith("mask_source,height_px,width_px,source_height_px,source_width_px,condition")
    index.write_text("".join(line.rsplit(",", 5)[0] + "\n" for line in lines))
    records = study.crops()
    assert [record.source_shape_yx for record in records] == [None] * 3
    assert records[0].shape_yx == records[0].box_shape_yx
    assert read_crop(study.crops_dir, records[0]).cube.shape_yx == records[0].box_shape_yx


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height_px": 5}, "height_px and width_px are not a size"),
        ({"height_px": 5, "width_px": 0}, "height_px and width_px are not a size"),
        ({"source_height_px": 10, "source_width_px": 10}, "is not inside 10 x 10 px"),
    ],
)
def test_records_of_impossible_sizes_are_refused(study, changes, message):
    record = make_crops(study).records[0]
    with pytest.raises(InputError, match=message):
        dataclasses.replace(record, **changes)


def test_a_file_of_another_size_than_listed_is_refused(study):
    record = make_crops(study, size=16).records[0]
    with pytest.raises(InputError, match=r"\(16, 16\) px, but crops\.csv says \(16, 17\)"):
        read_crop(study.crops_dir, dataclasses.replace(record, width_px=17))


def test_the_plan_is_what_is_cut(study):
    for rule in (CropRule(), CropRule(0.2, True, 16), CropRule(2, False, 9)):
        report = make_crops(study, margin=rule.margin, square=rule.square, size=rule.size_px, whole=True)
        annotation = study.annotation("B")
        planned = planned_crops(annotation.mask, annotation.instances, rule)
        planned.append(whole_crop(annotation.mask.shape, Diagnosis.NEVUS, rule))
        cut = [record for record in report.records if record.cube_id != "A"]
        assert [(one.instance, one.box, one.shape_yx) for one in planned] == [
            (record.instance, record.box, record.shape_yx) for record in cut
        ]


def test_a_plan_in_words():
    labels = np.zeros((300, 400), int)
    labels[10:130, 20:163] = 2
    lesion = [Instance(2, "nevus"), Instance(3, "nevus")]  # the third has no pixels
    assert [one.text for one in planned_crops(labels, lesion, CropRule(0))] == ["lesion 2 · 120 x 143 px"]
    assert planned_crops(labels, lesion, CropRule(0, False, 60))[0].text == "lesion 2 · 120 x 143 px -> 60 x 72 px"
    assert planned_crops(labels, lesion, CropRule(0, True, 256))[0].text == "lesion 2 · 143 x 143 px -> 256 px"
    assert lesion_boxes(labels) == {2: (10, 20, 130, 163)}


def test_the_verb_takes_the_same(study, capsys):
    words = ["crop", str(study.root), "--margin", "0.2", "--square", "--size", "16", "--whole", "--json"]
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == {
        "study": str(study.root), "crops": 4, "whole": 1, "skipped": [],
        "notes": ["1 of 4 crops are whole cubes without an accepted lesion: empty masks"],
    }  # fmt: skip
    assert {record.shape_yx for record in study.crops()} == {(16, 16), (16, 21)}
    assert cli.main(["crop", str(study.root), "--diagnosis", "melanoma"]) == 0
    assert [record.crop_id for record in study.crops()] == ["A_1"]
    assert cli.main(["crop", str(study.root), "--size", "3"]) == 2


def test_killed_while_cutting_the_old_crops_are_all_there(tmp_path):
    study = Study.create(tmp_path / "mine", wavelengths_nm=np.linspace(465, 630, 16))
    draw, mask = np.random.default_rng(0), np.zeros((96, 128), bool)
    mask[20:60, 30:90] = True
    for number in range(12):
        study.add_cube(Cube(draw.random((16, *mask.shape)), study.wavelengths_nm), f"C{number}", "nevus", mask=mask)
    make_crops(study, margin=0.1)
    before = {path.name: path.read_bytes() for path in study.crops_dir.iterdir()}
    for begun in (1, 9):
        process = subprocess.Popen(
            [sys.executable, "-m", "napari_hsisynth", "crop", str(study.root), "--size", "224"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and len(list(study.root.glob(".crops-*.new/*.npz"))) < begun:
            time.sleep(0.001)
        assert process.poll() is None, "it was over before it could be killed"
        process.kill()
        process.wait()
        assert {path.name: path.read_bytes() for path in Study.open(study.root).crops_dir.iterdir()} == before
    assert len(make_crops(study, size=16).records) == 12
    assert not list(study.root.glob(".crops-*.new"))
